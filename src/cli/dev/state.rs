//! What `xvault dev` keeps in its data directory.
//!
//! ```text
//! .xvault/
//!   lock            held while xvault dev runs; names its process
//!   secrets/        0600, made once: keys, tokens, passwords
//!   postgres/       the cluster        postgres.log   what it says
//!   backups/        the worker's storage
//!   worker/         the worker's identity and exports
//!   tmp/            running jobs
//! ```

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    hash::{DefaultHasher, Hash, Hasher},
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use secrecy::{ExposeSecret, SecretString};

/// With longer paths, sockets go to a short directory in /tmp.
const LONGEST_FOR_SOCKETS: usize = 60;

/// The data directory of one `xvault dev`, locked.
pub struct State {
    root: PathBuf,
    /// Released by the system when we end, however we end.
    _lock: File,
}

impl State {
    /// Makes the directory if need be and takes its lock.
    pub fn open(root: &Path) -> anyhow::Result<Self> {
        let root = std::path::absolute(root)?;
        let cannot = || format!("cannot use {} as the data directory", root.display());
        // Others may pass through: PostgreSQL runs as another user when we are root.
        directory(&root, 0o755).with_context(cannot)?;
        directory(&root.join("secrets"), 0o700).with_context(cannot)?;
        // Whoever keeps it inside a repository must not commit keys.
        fs::write(root.join(".gitignore"), "*\n").with_context(cannot)?;
        let lock = lock(&root)?;
        Ok(Self { root, _lock: lock })
    }

    /// The directory itself, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path inside.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Where a secret is kept.
    pub fn secret_file(&self, name: &str) -> PathBuf {
        self.path("secrets").join(name)
    }

    /// The secret of this name, made by `make` on the first start. True if it was made now.
    pub fn secret(&self, name: &str, make: impl FnOnce() -> SecretString) -> anyhow::Result<(SecretString, bool)> {
        let path = self.secret_file(name);
        match fs::read_to_string(&path) {
            Ok(text) if !text.is_empty() => return Ok((SecretString::from(text), false)),
            Ok(_) => bail!("{} is empty: put the secret back or remove the file", path.display()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
        let secret = make();
        self.keep(name, &secret)?;
        Ok((secret, true))
    }

    /// Keeps a secret, so that a crash leaves the old value or the new one and never half of it.
    pub fn keep(&self, name: &str, secret: &SecretString) -> anyhow::Result<PathBuf> {
        let path = self.secret_file(name);
        let unfinished = path.with_extension("new");
        // A file left by a crash would keep its mode; this one must be ours alone from the start.
        let _ = fs::remove_file(&unfinished);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unfinished)?;
        file.write_all(secret.expose_secret().as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        Ok(path)
    }

    /// A directory for sockets: inside, or in /tmp where the path would be too long for the kernel.
    pub fn sockets(&self) -> anyhow::Result<PathBuf> {
        let inside = self.path("run");
        if inside.as_os_str().len() <= LONGEST_FOR_SOCKETS {
            return Ok(inside);
        }
        let mut hasher = DefaultHasher::new();
        self.root.hash(&mut hasher);
        let parent = PathBuf::from(format!("/tmp/xvault-dev-{:016x}", hasher.finish()));
        directory(&parent, 0o755)?;
        // /tmp is everybody's: somebody else may have made it first.
        let made = fs::symlink_metadata(&parent)?;
        ensure!(
            made.is_dir() && made.uid() == rustix::process::geteuid().as_raw() && made.mode() & 0o022 == 0,
            "{} belongs to somebody else: choose a shorter --data-dir",
            parent.display()
        );
        Ok(parent.join("run"))
    }
}

fn directory(path: &Path, mode: u32) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(path)
}

fn lock(root: &Path) -> anyhow::Result<File> {
    let path = root.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            bail!(
                "xvault dev already runs on {} (process {}): stop it, or choose another --data-dir",
                root.display(),
                holder.trim()
            );
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_only_its_owner_may_read_it() {
        let root = tempfile::tempdir().unwrap();
        let state = State::open(root.path()).unwrap();
        let (first, made) = state.secret("a", || "one".into()).unwrap();
        assert!(made);
        let (second, made) = state.secret("a", || "two".into()).unwrap();
        assert_eq!((first.expose_secret(), made), (second.expose_secret(), false));
        let mode = fs::metadata(state.secret_file("a")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_second_opener_is_told_who_holds_the_directory() {
        let root = tempfile::tempdir().unwrap();
        let _state = State::open(root.path()).unwrap();
        let refusal = State::open(root.path()).err().unwrap().to_string();
        assert!(
            refusal.contains(&format!("(process {})", std::process::id())),
            "{refusal}"
        );
    }
}
