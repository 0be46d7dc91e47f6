//! How a server lets modes and times be set, and what it would not set.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use chrono::DateTime;

use super::super::{connection::Connection, dates, error::FtpError};
use crate::{connectors::target::Settle, domain::entry::Mtime};

/// What one server lets be set.
#[derive(Debug)]
pub struct Offers {
    /// `MFF`, for times and modes at once.
    mff: bool,
    /// `SITE CHMOD`.
    chmod: bool,
    /// New files can be made for their owner only (`SITE UMASK`), because modes are set afterwards.
    umask: bool,
    times: Mutex<Times>,
    modes_missed: AtomicU64,
    times_missed: AtomicU64,
}

/// How times are set, without `MFF`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Times {
    /// `MFMT`.
    Mfmt,
    /// `MDTM` with a time, which vsftpd understands without saying so.
    Mdtm,
    /// The same, not tried yet.
    PerhapsMdtm,
    /// Not at all.
    Never,
}

impl Offers {
    /// Asks the server.
    pub async fn of(connection: &mut Connection) -> Result<Self, FtpError> {
        let help = connection.ask("SITE HELP", b"").await?;
        let offers = |word| help.is_positive() && help.says(&[word]);
        let features = connection.features;
        Ok(Self {
            mff: features.mff,
            chmod: offers("chmod"),
            umask: offers("umask") && offers("chmod"),
            times: Mutex::new(match features {
                _ if features.mfmt => Times::Mfmt,
                _ if features.mdtm => Times::PerhapsMdtm,
                _ => Times::Never,
            }),
            modes_missed: AtomicU64::default(),
            times_missed: AtomicU64::default(),
        })
    }

    /// Prepares a connection for writing.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn prepare(&self, connection: &mut Connection) -> Result<(), FtpError> {
        if self.umask {
            connection.ask("SITE UMASK", b"077").await?;
        }
        Ok(())
    }

    /// True if modes can be set.
    pub fn modes(&self) -> bool {
        self.mff || self.chmod
    }

    /// True if times of files can be set, as far as is known.
    pub fn times(&self) -> bool {
        self.mff || *self.known_times() != Times::Never
    }

    fn known_times(&self) -> MutexGuard<'_, Times> {
        // Nothing panics while holding it.
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what can be set, and counts what cannot. Times of directories are not worth a count.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn settle(
        &self,
        connection: &mut Connection,
        path: &[u8],
        is_file: bool,
        how: &Settle,
    ) -> Result<(), FtpError> {
        let time = how.mtime.and_then(written);
        if self.mff && self.set_both(connection, path, how.mode, time.as_deref()).await? {
            return Ok(());
        }
        if let Some(mode) = how.mode
            && !(self.chmod && self.set_mode(connection, path, mode).await?)
        {
            self.modes_missed.fetch_add(1, Relaxed);
        }
        let set = match &time {
            Some(time) => self.set_time(connection, path, time, how.mtime).await?,
            None => how.mtime.is_none(),
        };
        self.times_missed.fetch_add(u64::from(is_file && !set), Relaxed);
        Ok(())
    }

    async fn set_both(
        &self,
        connection: &mut Connection,
        path: &[u8],
        mode: Option<u32>,
        time: Option<&str>,
    ) -> Result<bool, FtpError> {
        let time = time.map(|time| format!("Modify={time};"));
        let mode = mode.map(|mode| format!("UNIX.mode={mode:04o};"));
        let facts = [time, mode].map(Option::unwrap_or_default).concat();
        let reply = connection.ask_about(&format!("MFF {facts}"), path).await?;
        Ok(reply.is_positive())
    }

    async fn set_mode(&self, connection: &mut Connection, path: &[u8], mode: u32) -> Result<bool, FtpError> {
        let reply = connection.ask_about(&format!("SITE CHMOD {mode:04o}"), path).await?;
        Ok(reply.is_positive())
    }

    async fn set_time(
        &self,
        connection: &mut Connection,
        path: &[u8],
        time: &str,
        wanted: Option<Mtime>,
    ) -> Result<bool, FtpError> {
        let times = *self.known_times();
        let verb = match times {
            Times::Never => return Ok(false),
            Times::Mfmt => "MFMT",
            Times::Mdtm | Times::PerhapsMdtm => "MDTM",
        };
        let set = connection
            .ask_about(&format!("{verb} {time}"), path)
            .await?
            .is_positive();
        if times != Times::PerhapsMdtm {
            return Ok(set);
        }
        let now = connection.ask_about("MDTM", path).await?;
        let set = set && dates::exact(now.last()).map(|now| now.seconds) == wanted.map(|wanted| wanted.seconds);
        *self.known_times() = if set { Times::Mdtm } else { Times::Never };
        Ok(set)
    }

    /// What was not set, a sentence each.
    pub fn missed(&self) -> Vec<String> {
        let count = |missed: &AtomicU64| Some(missed.load(Relaxed)).filter(|count| *count > 0);
        let modes = count(&self.modes_missed).map(|count| {
            format!("{count} files and directories have the mode that the FTP server gives to new ones: it does not let it be set")
        });
        let times = count(&self.times_missed)
            .map(|count| format!("{count} files have the time of the restore: the FTP server does not let it be set"));
        modes.into_iter().chain(times).collect()
    }
}

/// A time as FTP writes it, in UTC; `None` if it has no such form.
fn written(mtime: Mtime) -> Option<String> {
    let time = DateTime::from_timestamp(mtime.seconds, 0)?;
    Some(time.format("%Y%m%d%H%M%S").to_string()).filter(|text| text.len() == 14)
}
