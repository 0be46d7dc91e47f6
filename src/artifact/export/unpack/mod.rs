//! Entries as files below a directory. Nothing is ever written outside of it, whatever the
//! artifact says.

mod beneath;

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, Gid, Mode, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags, chownat, fchmod, fchown, fsetxattr,
        futimens, utimensat,
    },
    io::Errno,
};

use self::beneath::{Beneath, Parent};
use super::{
    chosen::{self, Sink},
    selection::Selection,
};
use crate::{
    artifact::{Files, Gauge, Keys, clear::Clear, fault::Fault, index::Record, walk::Visitor, whole::whole},
    domain::{
        entry::{Entry, EntryKind, EntryPath, Mtime},
        error_code::ErrorCode,
        job::JobError,
    },
    storage::StorageError,
};

/// What was unpacked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnpackReport {
    /// Entries of any kind.
    pub entries: u64,
    /// Extended attributes that could not be set here.
    pub attributes_lost: u64,
}

/// Writes everything, or the chosen (escaped) paths and all below them, under `target`, which must be
/// new or empty. Modes and times are set; owners too when running as root.
pub fn unpack(
    files: &dyn Files,
    keys: &Keys,
    selection: &[String],
    target: &Path,
    gauge: &Gauge,
) -> Result<UnpackReport, JobError> {
    let selection = Selection::parse(selection)?;
    let mut sink = Unpack {
        root: Beneath::new(target)?,
        owners: rustix::process::geteuid().is_root(),
        target: target.to_owned(),
        open: None,
        renamed: None,
        directories: Vec::new(),
        attributes_lost: 0,
    };
    let unpacked = || -> Result<u64, Fault> {
        let clear = Clear::read(files)?;
        if selection.is_everything() {
            whole(files, keys, &clear, gauge, &mut sink, None)?;
            return Ok(clear.manifest.counts.entries());
        }
        chosen::copy(files, keys, &clear, selection, gauge, &mut sink)
    };
    let entries = unpacked().map_err(|fault| fault.into_job_error(&files.place()))?;
    sink.settle_directories()?;
    Ok(UnpackReport {
        entries,
        attributes_lost: sink.attributes_lost,
    })
}

struct Unpack {
    root: Beneath,
    owners: bool,
    target: PathBuf,
    /// The file whose data is coming.
    open: Option<(Entry, File)>,
    /// What the next entry is to be called.
    renamed: Option<EntryPath>,
    /// Set last: a directory's mode may forbid writing into it, and writing changes its time.
    directories: Vec<Entry>,
    attributes_lost: u64,
}

impl Unpack {
    /// What the system's answer to touching `path` means.
    fn said(&self, path: &EntryPath, error: io::Error) -> Fault {
        if matches!(
            error.raw_os_error().map(Errno::from_raw_os_error),
            Some(Errno::LOOP | Errno::NOTDIR)
        ) {
            return Fault::Other(through_link(path));
        }
        let place = format!("{}/{path}", self.target.display());
        Fault::Other(StorageError::io(place, error).into())
    }

    /// Runs `make` with the entry's directory and name, after what stands there has gone.
    fn make<T>(&self, path: &EntryPath, make: impl FnOnce(&Parent<'_>) -> rustix::io::Result<T>) -> Result<T, Fault> {
        let made = self.root.parent(path).and_then(|parent| {
            parent.clear()?;
            make(&parent)
        });
        made.map_err(|error| self.said(path, error.into()))
    }

    fn settle_file(&mut self, entry: &Entry, file: &File) -> Result<(), Fault> {
        for (key, value) in &entry.pax {
            let Some(name) = key.strip_prefix("SCHILY.xattr.") else {
                self.attributes_lost += 1;
                continue;
            };
            if fsetxattr(file, name, value, XattrFlags::empty()).is_err() {
                self.attributes_lost += 1;
            }
        }
        let settle = || {
            // The owner first: changing it clears set-id bits.
            if self.owners {
                let (uid, gid) = owner(entry);
                fchown(file, uid, gid)?;
            }
            fchmod(file, Mode::from_raw_mode(entry.mode))?;
            futimens(file, &times(entry.mtime))
        };
        settle().map_err(|error: Errno| self.said(&entry.path, error.into()))
    }

    /// Deepest first, as a parent's mode may forbid going in.
    fn settle_directories(&mut self) -> Result<(), JobError> {
        for entry in std::mem::take(&mut self.directories).iter().rev() {
            let opened = self.root.directory(&entry.path);
            let settled = opened
                .map_err(|error| self.said(&entry.path, error.into()))
                .and_then(|dir| self.settle_file(entry, &File::from(dir)));
            settled.map_err(|fault| fault.into_job_error("unpacking"))?;
        }
        Ok(())
    }
}

fn through_link(path: &EntryPath) -> JobError {
    JobError::new(
        ErrorCode::SnapshotDamaged,
        format!("/{path} lies below a symbolic link or file of the same snapshot"),
        "extract it as tar (--to-tar) and look at it before you unpack it",
    )
}

fn owner(entry: &Entry) -> (Option<Uid>, Option<Gid>) {
    let id = |id: u64| u32::try_from(id).ok().filter(|&id| id != u32::MAX);
    (id(entry.uid).map(Uid::from_raw), id(entry.gid).map(Gid::from_raw))
}

fn times(mtime: Mtime) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: mtime.seconds,
            tv_nsec: mtime.nanos.into(),
        },
    }
}

impl Visitor for Unpack {
    fn begin(&mut self, _: &Record, mut entry: Entry, _: &[u8]) -> Result<(), Fault> {
        if let Some(path) = self.renamed.take() {
            entry.path = path;
        }
        match &entry.kind {
            EntryKind::File { .. } => {
                let file = self.make(&entry.path, |parent| parent.create())?;
                self.open = Some((entry, file));
            }
            EntryKind::Directory => {
                let made = self.root.directory(&entry.path);
                made.map_err(|error| self.said(&entry.path, error.into()))?;
                self.directories.push(entry);
            }
            EntryKind::Symlink { target } => {
                let owners = self.owners;
                self.make(&entry.path, |parent| {
                    parent.symlink(target)?;
                    if owners {
                        let (uid, gid) = owner(&entry);
                        chownat(&parent.dir, parent.name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
                    }
                    utimensat(&parent.dir, parent.name, &times(entry.mtime), AtFlags::SYMLINK_NOFOLLOW)
                })?;
            }
            EntryKind::HardLink { target } => self.hard_link(&entry.path, target)?,
        }
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let Some((entry, file)) = &mut self.open else {
            return Ok(());
        };
        let written = file.write_all(bytes);
        let path = entry.path.clone();
        written.map_err(|error| self.said(&path, error))
    }

    fn end(&mut self, _: &[u8]) -> Result<(), Fault> {
        match self.open.take() {
            Some((entry, file)) => self.settle_file(&entry, &file),
            None => Ok(()),
        }
    }
}

impl Unpack {
    fn hard_link(&mut self, path: &EntryPath, target: &EntryPath) -> Result<(), Fault> {
        let linked = self.root.link(target, path);
        linked.map_err(|error| self.said(path, error.into()))
    }
}

impl Sink for Unpack {
    fn limit(&self) -> Option<u64> {
        None
    }

    fn links(&self) -> bool {
        true
    }

    fn rename(&mut self, record: &Record) {
        self.renamed = Some(record.entry.path.clone());
    }

    fn link(&mut self, record: &Record, target: &EntryPath) -> Result<(), Fault> {
        self.hard_link(&record.entry.path, target)
    }
}
