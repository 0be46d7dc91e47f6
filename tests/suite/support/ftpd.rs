//! Real FTP servers on loopback, each with an account of its own: vsftpd, which wants data connections to
//! resume the TLS session and knows `LIST` only, and ProFTPD, which knows `MLSD`.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use xvault::domain::source::{FtpConfig, FtpTls};

use super::{account::Account, certificates::Certificate, ports::free_port, scratch::temp_dir, spawner::spawn};

/// Places of vsftpd. Its package and ProFTPD's cannot be installed together.
const VSFTPD: [&str; 2] = ["/usr/local/sbin/vsftpd", "/usr/sbin/vsftpd"];
const PROFTPD: &str = "/usr/sbin/proftpd";
/// PAM knows services by files at one place of the system only.
const PAM_SERVICE: &str = "xvault-test-ftp";

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    Vsftpd,
    Proftpd,
}

/// How a server is set up.
pub struct Setup {
    pub server: Server,
    /// `None`: it speaks plain FTP only.
    pub certificate: Option<Certificate>,
    /// Lines added to its configuration.
    pub extra: &'static str,
}

impl Setup {
    /// With TLS and a certificate of its own making.
    pub fn tls(server: Server) -> Self {
        Self {
            server,
            certificate: Some(Certificate::self_signed("ftp.example.com")),
            extra: "",
        }
    }
}

/// A running server; ends with the value, connections included.
pub struct Ftpd {
    pub port: u16,
    pub account: Account,
    setup: Setup,
    process: Option<Child>,
    directory: tempfile::TempDir,
}

impl Ftpd {
    /// A server with TLS and a certificate of its own making.
    pub fn start(server: Server) -> Self {
        Self::with(Setup::tls(server))
    }

    /// A server of another kind.
    pub fn with(setup: Setup) -> Self {
        let directory = temp_dir("ftpd");
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("its own directory");
        let account = Account::create(directory.path());
        let mut server = Self {
            port: 0,
            account,
            setup,
            process: None,
            directory,
        };
        server.resume();
        server
    }

    /// The directory that the login begins in.
    pub fn home(&self) -> &Path {
        &self.account.home
    }

    /// Gives everything below the home to the account.
    pub fn own(&self, path: &Path) {
        chown(path, Some(self.account.uid), None).expect("root");
    }

    /// True if it has a certificate.
    pub fn has_tls(&self) -> bool {
        self.setup.certificate.is_some()
    }

    /// Fingerprint of its certificate.
    pub fn fingerprint(&self) -> String {
        self.setup
            .certificate
            .as_ref()
            .expect("a server with TLS")
            .fingerprint()
    }

    /// `config` of a source at this server.
    pub fn config(&self, paths: &[&str]) -> FtpConfig {
        FtpConfig {
            host: "127.0.0.1".into(),
            port: self.port,
            user: self.account.name.clone(),
            paths: paths.iter().map(|&path| path.to_owned()).collect(),
            exclude: vec![],
            tls: if self.setup.certificate.is_some() {
                FtpTls::Required
            } else {
                FtpTls::None
            },
            ca: None,
            connections: 4,
        }
    }

    /// Gives it another certificate and starts it again.
    pub fn change_certificate(&mut self, certificate: Certificate) {
        self.kill();
        self.setup.certificate = Some(certificate);
        self.resume();
    }

    /// Ends it and all its connections with SIGKILL.
    pub fn kill(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let children = super::sshd::descendants(process.id());
        let _ = process.kill();
        let _ = process.wait();
        for child in children {
            let pid = rustix::process::Pid::from_raw(child as i32).expect("a process");
            // Gone already, perhaps.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }

    /// Ends connections with SIGKILL and leaves the server. How many there were.
    pub fn drop_connections(&self) -> usize {
        let children = self.connections();
        for child in &children {
            let pid = rustix::process::Pid::from_raw(*child as i32).expect("a process");
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        children.len()
    }

    /// Processes that serve connections.
    pub fn connections(&self) -> Vec<u32> {
        let process = self.process.as_ref();
        process.map_or(Vec::new(), |process| super::sshd::descendants(process.id()))
    }

    /// Starts it, on the port it had before if there was one.
    pub fn resume(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let keep = self.port != 0;
        for _ in 0..20 {
            if !keep {
                self.port = free_port();
            }
            if self.try_start() {
                return;
            }
        }
        panic!("{:?} does not start:\n{}", self.setup.server, self.log());
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        ["log", "transfers"]
            .map(|name| fs::read_to_string(self.place(name)).unwrap_or_default())
            .concat()
    }

    fn place(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn try_start(&mut self) -> bool {
        let log = fs::File::create(self.place("log")).expect("a log");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]);
        match self.setup.server {
            Server::Vsftpd => {
                fs::write(self.place("config"), self.vsftpd()).expect("a configuration");
                let program = VSFTPD.iter().find(|path| Path::new(path).exists());
                command.arg(program.expect("vsftpd is missing: scripts/packages test"));
                command.arg(self.place("config"));
            }
            Server::Proftpd => {
                fs::write(self.place("config"), self.proftpd()).expect("a configuration");
                assert!(
                    Path::new(PROFTPD).exists(),
                    "{PROFTPD} is missing: scripts/packages test"
                );
                command.args([PROFTPD, "-n", "-q", "-c"]).arg(self.place("config"));
            }
        }
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log);
        let mut process = spawn(command).expect("setpriv (package util-linux)");
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                self.process = Some(process);
                return true;
            }
            if process.try_wait().expect("a child").is_some() || Instant::now() > end {
                let _ = process.kill();
                let _ = process.wait();
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn vsftpd(&self) -> String {
        // The file is the same for every test process, and harmless to leave.
        let service = Path::new("/etc/pam.d").join(PAM_SERVICE);
        fs::write(service, "auth required pam_unix.so\naccount required pam_unix.so\n").expect("root");
        fs::create_dir_all("/var/run/vsftpd/empty").expect("root");
        let tls = match &self.setup.certificate {
            None => "ssl_enable=NO".to_owned(),
            Some(certificate) => format!(
                "ssl_enable=YES\nrsa_cert_file={}\nrsa_private_key_file={}\nrequire_ssl_reuse=YES\n\
                 force_local_data_ssl=YES\nforce_local_logins_ssl=YES\nssl_ciphers=HIGH",
                certificate.certificate().display(),
                certificate.key().display()
            ),
        };
        format!(
            "listen=YES\nlisten_ipv6=NO\nlisten_address=127.0.0.1\nlisten_port={}\nbackground=NO\n\
             anonymous_enable=NO\nlocal_enable=YES\nwrite_enable=NO\nchroot_local_user=NO\n\
             seccomp_sandbox=NO\npam_service_name={PAM_SERVICE}\nxferlog_enable=YES\nlog_ftp_protocol=YES\n\
             vsftpd_log_file={}\n{tls}\n{}\n",
            self.port,
            self.place("transfers").display(),
            self.setup.extra
        )
    }

    fn proftpd(&self) -> String {
        let users = self.place("users");
        let hash = Command::new("openssl")
            .args(["passwd", "-6", &self.account.password])
            .output()
            .expect("openssl");
        let hash = String::from_utf8(hash.stdout).expect("text");
        let (name, uid, home) = (&self.account.name, self.account.uid, self.account.home.display());
        fs::write(&users, format!("{name}:{}:{uid}:65534::{home}:/bin/sh\n", hash.trim())).expect("users");
        fs::set_permissions(&users, Permissions::from_mode(0o600)).expect("their mode");
        let tls = match &self.setup.certificate {
            None => String::new(),
            Some(certificate) => format!(
                "LoadModule mod_tls.c\nTLSEngine on\nTLSRequired on\nTLSLog {}\nTLSECCertificateFile {}\n\
                 TLSECCertificateKeyFile {}\n",
                self.place("transfers").display(),
                certificate.certificate().display(),
                certificate.key().display()
            ),
        };
        format!(
            "ModulePath /usr/lib/proftpd\nServerType standalone\nDefaultAddress 127.0.0.1\nPort {}\n\
             UseIPv6 off\nUser nobody\nGroup nogroup\nPidFile {}\nScoreboardFile {}\nSystemLog {}\n\
             WtmpLog off\nTransferLog none\nUseReverseDNS off\nAuthOrder mod_auth_file.c\n\
             AuthUserFile {}\nRequireValidShell off\nMaxInstances 60\nListOptions \"-a\"\n{tls}{}\n",
            self.port,
            self.place("pid").display(),
            self.place("scoreboard").display(),
            self.place("system").display(),
            users.display(),
            self.setup.extra
        )
    }
}

impl Drop for Ftpd {
    fn drop(&mut self) {
        self.kill();
    }
}
