//! What goes on below suppaftp, where its streams are ours, and what does not fit into its answers and errors.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{error::FtpError, reply::Reply};

/// The notes on one control connection. Clones are the same notes.
#[derive(Debug, Clone, Default)]
pub struct Below(Arc<Mutex<Notes>>);

#[derive(Debug, Default)]
struct Notes {
    connected: bool,
    encrypted: bool,
    data_port: bool,
    last_line: Vec<u8>,
    fault: Option<FtpError>,
}

impl Below {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The control connection stands.
    pub fn connected(&self) {
        self.notes().connected = true;
    }

    /// Whether it stands.
    pub fn is_connected(&self) -> bool {
        self.notes().connected
    }

    /// TLS was agreed on the control connection.
    pub fn encrypted(&self) {
        self.notes().encrypted = true;
    }

    /// Whether it was.
    pub fn is_encrypted(&self) -> bool {
        self.notes().encrypted
    }

    /// A port of a data connection was named.
    pub fn got_data_port(&self) {
        self.notes().data_port = true;
    }

    /// Whether one was named since this was asked last.
    pub fn take_data_port(&self) -> bool {
        std::mem::take(&mut self.notes().data_port)
    }

    /// The last line of an answer came. suppaftp keeps those that end transfers to itself.
    pub fn heard(&self, line: &[u8]) {
        let notes = &mut self.notes().last_line;
        notes.clear();
        notes.extend_from_slice(line);
    }

    /// The answer that came last, as far as its last line tells.
    ///
    /// # Errors
    /// Those of [`Reply::read`].
    pub fn last_reply(&self) -> Result<Reply, FtpError> {
        Reply::read(&self.notes().last_line)
    }

    /// Something of ours failed; suppaftp will only say that it did.
    pub fn fail(&self, error: FtpError) {
        self.notes().fault.get_or_insert(error);
    }

    /// What failed, if it was ours.
    pub fn take_fault(&self) -> Option<FtpError> {
        self.notes().fault.take()
    }
}
