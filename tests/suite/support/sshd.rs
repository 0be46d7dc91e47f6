//! Real sshd processes on loopback ports.
//!
//! ```ignore
//! let server = Sshd::start();                               // a shell for whoever runs the suite, by key
//! let server = Sshd::with(Setup { login: Login::Fresh, ..Setup::default() });   // another user, also by password
//! let source = server.source(SourceKind::Ssh, &["/srv"]);     // approved, with the accepted key
//! ```

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use secrecy::SecretString;
use xvault::{
    connectors::ssh::SshSource,
    domain::source::{CredentialField, Credentials, JumpConfig, PinnedIdentity, SourceKind, SshConfig},
};

use super::{account::Account, ports::free_port, scratch::temp_dir, spawner, ssh_keys};

const SSHD: &str = "/usr/sbin/sshd";
const START: Duration = Duration::from_secs(60);

/// Who logs in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// Whoever runs the suite; by key.
    Own,
    /// A throw-away account; by key or password.
    Fresh,
    /// A throw-away account that gets `internal-sftp` in a chroot and nothing else; by key or password.
    SftpOnly,
}

/// One host key of each type; making the RSA key takes a while.
pub const ALL_HOST_KEYS: &[&str] = &["ed25519", "ecdsa", "rsa"];

/// What kind of server.
#[derive(Clone, Copy)]
pub struct Setup {
    pub login: Login,
    /// Types of host keys it has, preferred first.
    pub host_keys: &'static [&'static str],
    /// The program of the `sftp` subsystem.
    pub sftp: &'static str,
    /// More lines for sshd_config.
    pub extra: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            login: Login::Own,
            host_keys: &["ed25519"],
            sftp: "internal-sftp",
            extra: "",
        }
    }
}

/// A running server; ends with the value, connections included.
pub struct Sshd {
    pub port: u16,
    pub user: String,
    setup: Setup,
    account: Option<Account>,
    process: Option<Child>,
    directory: tempfile::TempDir,
}

impl Sshd {
    /// A server with a shell for whoever runs the suite.
    pub fn start() -> Self {
        Self::with(Setup::default())
    }

    /// A server of another kind.
    pub fn with(setup: Setup) -> Self {
        let directory = temp_dir("sshd");
        // The account's login must get through to its home.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(directory.path(), open).expect("its own directory");
        let account = match setup.login {
            Login::Own => None,
            Login::Fresh => Some(Account::create(directory.path())),
            Login::SftpOnly => Some(Account::create_for_chroot()),
        };
        let user = account.as_ref().map_or_else(own_name, |account| account.name.clone());
        let authorized = [ssh_keys::accepted(), ssh_keys::with_passphrase()]
            .map(|key| key.public.as_str())
            .concat();
        fs::write(directory.path().join("authorized_keys"), authorized).expect("authorized_keys");
        let mut server = Self {
            port: 0,
            user,
            setup,
            account,
            process: None,
            directory,
        };
        server.make_host_keys();
        server.resume();
        server
    }

    /// The directory tests put files into, as the host sees it.
    pub fn home(&self) -> PathBuf {
        match &self.account {
            None => {
                let home = self.directory.path().join("home");
                fs::create_dir_all(&home).expect("a directory");
                home
            }
            Some(account) if self.setup.login == Login::SftpOnly => account.home.join("data"),
            Some(account) => account.home.clone(),
        }
    }

    /// The same directory as the login sees it.
    pub fn home_seen(&self) -> String {
        match self.setup.login {
            Login::SftpOnly => "/data".to_owned(),
            _ => self.home().to_str().expect("plain").to_owned(),
        }
    }

    /// Password of the login; only throw-away accounts have one.
    pub fn password(&self) -> &str {
        &self.account.as_ref().expect("a throw-away account").password
    }

    /// Numeric user id of the login.
    pub fn uid(&self) -> u32 {
        self.account
            .as_ref()
            .map_or_else(|| rustix::process::geteuid().as_raw(), |account| account.uid)
    }

    /// Fingerprint of one of its host keys.
    pub fn fingerprint_of(&self, kind: &str) -> String {
        ssh_keys::fingerprint(&self.host_key(kind))
    }

    /// Fingerprint of the host key that clients prefer.
    pub fn fingerprint(&self) -> String {
        self.fingerprint_of(self.setup.host_keys[0])
    }

    /// `config` of a source at this server, as the API takes it.
    pub fn config(&self, paths: &[&str]) -> SshConfig {
        SshConfig {
            host: "127.0.0.1".into(),
            port: self.port,
            user: self.user.clone(),
            paths: paths.iter().map(|&p| p.to_owned()).collect(),
            exclude: vec![],
            jump: None,
        }
    }

    /// This server as a jump host.
    pub fn as_jump(&self) -> JumpConfig {
        JumpConfig {
            host: "127.0.0.1".into(),
            port: self.port,
            user: self.user.clone(),
        }
    }

    /// A source at this server: approved, opened by the accepted key.
    pub fn source(&self, kind: SourceKind, paths: &[&str]) -> SshSource {
        let mut credentials = Credentials::default();
        let key = SecretString::from(ssh_keys::accepted().private.as_str());
        credentials.set(CredentialField::PrivateKey, key);
        SshSource {
            config: self.config(paths),
            credentials,
            identity: PinnedIdentity {
                target: Some(self.fingerprint()),
                jump: None,
            },
            runs_commands: kind == SourceKind::Ssh,
        }
    }

    /// Everything sshd has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Empties the log.
    pub fn clear_log(&self) {
        // sshd appends, so this does not leave a hole.
        let _ = fs::write(self.directory.path().join("log"), "");
    }

    /// SIGKILLs the server and every connection it has.
    pub fn kill(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let listener = process.id();
        // The listener first, or it would start another child meanwhile.
        let _ = process.kill();
        let connections = descendants(listener);
        let _ = process.wait();
        connections.into_iter().for_each(sigkill);
    }

    /// SIGKILLs its connections; the server goes on listening.
    pub fn kill_connections(&self) {
        let process = self.process.as_ref().expect("it runs");
        descendants(process.id()).into_iter().for_each(sigkill);
    }

    /// Starts it again on the same port after [`kill`](Self::kill).
    pub fn resume(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        assert!(
            Path::new(SSHD).exists(),
            "{SSHD} is missing: apt-get install openssh-server"
        );
        if rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").expect("/run/sshd");
        }
        let keep = self.port != 0;
        for _ in 0..20 {
            if !keep {
                self.port = free_port();
            }
            if self.try_start() {
                return;
            }
        }
        panic!("sshd does not start:\n{}", self.log());
    }

    /// Gives it other host keys and starts it again: what a reinstalled server or an impostor looks like.
    pub fn change_host_keys(&mut self) {
        self.kill();
        self.make_host_keys();
        self.resume();
    }

    /// Processes of the server and its connections, for looking at what runs.
    pub fn processes(&self) -> Vec<u32> {
        self.process
            .as_ref()
            .map(|process| descendants(process.id()))
            .unwrap_or_default()
    }

    fn try_start(&mut self) -> bool {
        let config = self.directory.path().join("sshd_config");
        fs::write(&config, self.config_text()).expect("sshd_config");
        let log = self.directory.path().join("log");
        fs::write(&log, "").expect("a log");
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--", SSHD, "-D", "-f"])
            .arg(&config)
            .arg("-E")
            .arg(&log);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = spawner::spawn(command).expect("setpriv (package util-linux)");
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            if process.try_wait().expect("a child").is_some() {
                return false;
            }
            if greets(self.port) {
                self.process = Some(process);
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = process.kill();
        let _ = process.wait();
        false
    }

    fn config_text(&self) -> String {
        let directory = self.directory.path().display();
        let mut text = format!(
            "Port {}\nListenAddress 127.0.0.1\nPidFile none\nUsePAM no\nUseDNS no\nStrictModes no\nLogLevel DEBUG1\n\
             AuthorizedKeysFile {directory}/authorized_keys\nPermitRootLogin yes\nPasswordAuthentication {}\n\
             KbdInteractiveAuthentication no\nSubsystem sftp {}\n",
            self.port,
            if self.account.is_some() { "yes" } else { "no" },
            self.setup.sftp,
        );
        for kind in self.setup.host_keys {
            text += &format!("HostKey {}\n", self.host_key(kind).display());
        }
        if let (Login::SftpOnly, Some(account)) = (self.setup.login, &self.account) {
            text += &format!(
                "ChrootDirectory {}\nForceCommand internal-sftp\n",
                account.home.display()
            );
        }
        // sshd takes the first value of most settings.
        let home = match self.setup.login {
            // The start-up files of whoever runs the suite take time and locks, and its sessions get killed.
            Login::Own => format!("SetEnv HOME={directory}\n"),
            Login::Fresh | Login::SftpOnly => String::new(),
        };
        // Of this one it takes the last.
        let crowded = match self.setup.extra.contains("MaxStartups") {
            true => "",
            false => "MaxStartups 100\n",
        };
        format!("{}\n{crowded}{home}{text}", self.setup.extra)
    }

    fn host_key(&self, kind: &str) -> PathBuf {
        self.directory.path().join(format!("host_{kind}"))
    }

    fn make_host_keys(&self) {
        for kind in self.setup.host_keys {
            ssh_keys::generate(kind, &self.host_key(kind), "");
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill();
    }
}

fn own_name() -> String {
    let output = Command::new("id").arg("-un").output().expect("id");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn greets(port: u16) -> bool {
    let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).is_ok() && line.starts_with("SSH-")
}

/// Every process below `root`, children before grandchildren.
pub fn descendants(root: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        // The name in parentheses may hold anything; the state and the parent follow it.
        let parent = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        parents.extend(parent.map(|parent| (pid, parent)));
    }
    let mut found = vec![root];
    let mut next = 0;
    while next < found.len() {
        let of = found[next];
        found.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

/// SIGKILLs a process.
pub fn sigkill(pid: u32) {
    signal(pid, Signal::KILL);
}

/// Sends a signal to a process.
pub fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may have ended meanwhile.
        let _ = kill_process(pid, signal);
    }
}
