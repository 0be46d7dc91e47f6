//! Throw-away accounts of the system, for logins with a password, for chroots, and for trees with
//! files that the login must not read. They go with the value; what a killed process left behind
//! goes when the next one makes its first.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Once,
        atomic::{AtomicU32, Ordering},
    },
};

use super::run::run;

const PREFIX: &str = "xvt";
/// chroots must lie below directories that only root can write to, so not below `/tmp`.
const CHROOTS: &str = "/var/lib/xvault-test";

/// An account of the system.
pub struct Account {
    pub name: String,
    pub password: String,
    pub uid: u32,
    /// Its home, or what it sees as `/` if it is to be chrooted there.
    pub home: PathBuf,
}

impl Account {
    /// An account with a home below `directory`.
    pub fn create(directory: &Path) -> Self {
        Self::create_with_home(|_| directory.join("home"))
    }

    /// An account whose home belongs to root, as a chroot must; the account itself owns `data` in it.
    pub fn create_for_chroot() -> Self {
        let account = Self::create_with_home(|name| Path::new(CHROOTS).join(name));
        chown(&account.home, Some(0), Some(0)).expect("root");
        fs::create_dir(account.home.join("data")).expect("a directory in the chroot");
        chown(account.home.join("data"), Some(account.uid), None).expect("root");
        account
    }

    fn create_with_home(home: impl FnOnce(&str) -> PathBuf) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        static SWEEP: Once = Once::new();
        assert!(
            rustix::process::geteuid().is_root(),
            "tests that log in as other users must run as root (they create throw-away accounts)"
        );
        let _lock = lock();
        SWEEP.call_once(remove_abandoned);
        let name = format!(
            "{PREFIX}{}x{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let password = uuid::Uuid::new_v4().to_string();
        let home = home(&name);
        fs::create_dir_all(&home).expect("a home");
        run(Command::new("useradd")
            .args(["-M", "-N", "-g", "nogroup", "-s", "/bin/bash", "-d"])
            .arg(&home)
            .arg(&name));
        let mut chpasswd = Command::new("chpasswd")
            .stdin(Stdio::piped())
            .spawn()
            .expect("chpasswd (package passwd)");
        writeln!(chpasswd.stdin.take().expect("piped"), "{name}:{password}").expect("chpasswd reads");
        assert!(chpasswd.wait().expect("chpasswd").success());
        let id = Command::new("id").args(["-u", &name]).output().expect("id").stdout;
        let uid = String::from_utf8_lossy(&id).trim().parse().expect("a uid");
        chown(&home, Some(uid), None).expect("root");
        Self {
            name,
            password,
            uid,
            home,
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let _lock = lock();
        remove(&self.name);
        let _ = fs::remove_dir_all(&self.home);
    }
}

/// `useradd` gives up when another one is at work, also one of another test process.
fn lock() -> File {
    let lock = File::create("/tmp/xvt-accounts.lock").expect("a lock file");
    lock.lock().expect("a lock");
    lock
}

fn remove_abandoned() {
    let passwd = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    for name in passwd.lines().filter_map(|line| line.split(':').next()) {
        let owner = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('x'))
            .and_then(|(pid, _)| pid.parse().ok());
        if owner.is_some_and(|pid: u32| !Path::new(&format!("/proc/{pid}")).exists()) {
            remove(name);
            let _ = fs::remove_dir_all(Path::new(CHROOTS).join(name));
        }
    }
}

fn remove(name: &str) {
    // -f: also while a process of the account has not quite ended.
    let _ = Command::new("userdel")
        .args(["-f", name])
        .stderr(Stdio::null())
        .status();
}
