//! One `ssh` process that holds one connection; everything else goes through its control socket.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    process::{Child, Command},
    sync::watch,
    task::JoinHandle,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::hop::{Hop, Login};
use crate::connectors::{
    local::{Said, spawner},
    private_dir::PrivateDir,
};

/// Seconds for TCP and the server's greeting together; ssh's own limit.
const CONNECT_TIMEOUT: u32 = 20;
/// For everything until the login is done; a server may be slow, but not for ever.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(60);
/// How often the control socket is looked for when ssh says nothing.
const POLL: Duration = Duration::from_millis(20);

/// How the TCP connection is made.
#[derive(Debug, Clone)]
pub(super) enum Route {
    /// By ourselves, to a checked address.
    Direct(IpAddr),
    /// By the jump host whose master listens on this socket, to a checked address.
    Through(PathBuf, IpAddr),
}

/// Everything one attempt to connect needs.
pub(super) struct Attempt<'a> {
    pub(super) hop: &'a Hop,
    pub(super) login: &'a Login,
    pub(super) route: Route,
    /// Host key algorithms to accept.
    pub(super) algorithms: String,
    /// Value of `KnownHostsCommand`.
    pub(super) known_hosts: String,
    /// Where the control socket goes.
    pub(super) ctl: PathBuf,
    pub(super) askpass: &'a Path,
}

/// A connection that did not come about: what ssh said, and whether our patience ran out.
#[derive(Debug)]
pub(super) struct NoConnection {
    pub(super) said: String,
    pub(super) timed_out: bool,
}

/// A running `ssh` that is logged in. Ends with this value.
#[derive(Debug)]
pub(super) struct Master {
    ctl: PathBuf,
    log: Said,
    ended: watch::Receiver<bool>,
    stop: DropGuard,
    supervisor: JoinHandle<()>,
}

impl Master {
    /// Connects and logs in. The session's directory is kept until the process has ended.
    pub(super) async fn start(attempt: &Attempt<'_>, dir: Arc<PrivateDir>) -> Result<Self, NoConnection> {
        let local = |error: std::io::Error| NoConnection {
            said: format!("could not run ssh on the worker: {error}"),
            timed_out: false,
        };
        let mut child = spawner::spawn(attempt.command()).await.map_err(local)?;
        let log = Said::default();
        let Some(stderr) = child.stderr.take() else {
            return Err(local(std::io::Error::other("it has no standard error")));
        };
        let collector = tokio::spawn(log.clone().collect(stderr));
        let timed_out = tokio::select! {
            biased;
            () = appears(&attempt.ctl, &log) => return Ok(Self::supervise(child, log, attempt.ctl.clone(), dir)),
            _ = child.wait() => false,
            () = tokio::time::sleep(LOGIN_TIMEOUT) => true,
        };
        // Ended already, or it ends here by being dropped.
        drop(child);
        // A proxy process may hold the other end of the pipe a little longer.
        let _ = tokio::time::timeout(Duration::from_secs(2), collector).await;
        Err(NoConnection {
            said: log.text(),
            timed_out,
        })
    }

    fn supervise(mut child: Child, log: Said, ctl: PathBuf, dir: Arc<PrivateDir>) -> Self {
        let (ending, ended) = watch::channel(false);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let supervisor = tokio::spawn(async move {
            tokio::select! {
                _ = child.wait() => {}
                () = stopped.cancelled() => drop(child.kill().await),
            }
            ending.send_replace(true);
            drop(dir);
        });
        Self {
            ctl,
            log,
            ended,
            stop: stop.drop_guard(),
            supervisor,
        }
    }

    /// The control socket.
    pub(super) fn ctl(&self) -> &Path {
        &self.ctl
    }

    /// What ssh said so far.
    pub(super) fn log(&self) -> Said {
        self.log.clone()
    }

    /// Becomes true when the connection is over.
    pub(super) fn ended(&self) -> watch::Receiver<bool> {
        self.ended.clone()
    }

    /// Ends the process and waits until it is gone.
    pub(super) async fn close(self) {
        drop(self.stop);
        // It fails only if the runtime is going down, which kills the child as well.
        let _ = self.supervisor.await;
    }
}

/// Waits for ssh to make its control socket, which it does once the login is done.
async fn appears(ctl: &Path, log: &Said) {
    while !ctl.exists() {
        tokio::select! {
            () = log.grown() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

impl Attempt<'_> {
    fn command(&self) -> Command {
        let mut command = spawner::command("ssh");
        // -F none: neither the system's nor a user's configuration takes part.
        command.args(["-F", "none", "-M", "-N", "-T", "-S"]).arg(&self.ctl);
        for option in self.options() {
            command.arg("-o").arg(option);
        }
        command.args(["-p", &self.hop.port.to_string(), "-l", &self.hop.user]);
        match self.login {
            Login::Key(key) => {
                command.args(["-i", &key.key.path()]);
                key.passphrase.answer_for(&mut command, self.askpass);
            }
            Login::Password(password) => password.answer_for(&mut command, self.askpass),
        }
        command.arg("--").arg(&self.hop.host);
        command
    }

    fn options(&self) -> Vec<String> {
        let mut options: Vec<String> = [
            // who they are
            "StrictHostKeyChecking=yes",
            "UserKnownHostsFile=/dev/null",
            "GlobalKnownHostsFile=/dev/null",
            "CheckHostIP=no",
            "VerifyHostKeyDNS=no",
            "UpdateHostKeys=no",
            "CanonicalizeHostname=no",
            // who we are
            "IdentityAgent=none",
            "IdentitiesOnly=yes",
            "NumberOfPasswordPrompts=1",
            "HostbasedAuthentication=no",
            "GSSAPIAuthentication=no",
            "BatchMode=no",
            // nothing of ours goes there
            "ForwardAgent=no",
            "ForwardX11=no",
            "ClearAllForwardings=yes",
            "PermitLocalCommand=no",
            "ControlPersist=no",
            "EscapeChar=none",
            // a dead connection is noticed within a minute
            "ServerAliveInterval=15",
            "ServerAliveCountMax=4",
            "TCPKeepAlive=yes",
            "ConnectionAttempts=1",
            // with hardware support, which is nearly everywhere, AES-GCM costs a third of the default
            "Ciphers=^aes128-gcm@openssh.com,aes256-gcm@openssh.com",
            "Compression=no",
            // names the server's version and tells the stages of a login apart
            "LogLevel=DEBUG1",
        ]
        .map(str::to_owned)
        .to_vec();
        let methods = match self.login {
            Login::Key(_) => ["PubkeyAuthentication=yes", "PreferredAuthentications=publickey"],
            Login::Password(_) => [
                "PubkeyAuthentication=no",
                "PreferredAuthentications=password,keyboard-interactive",
            ],
        };
        options.extend(methods.map(str::to_owned));
        options.push(format!("ConnectTimeout={CONNECT_TIMEOUT}"));
        options.push(format!("HostKeyAlgorithms={}", self.algorithms));
        options.push(format!("HostKeyAlias={}", self.hop.host));
        options.push(format!("KnownHostsCommand={}", self.known_hosts));
        match &self.route {
            Route::Direct(address) => options.push(format!("HostName={address}")),
            Route::Through(jump, address) => {
                options.push(format!("HostName={address}"));
                let place = match address {
                    IpAddr::V4(v4) => format!("{v4}:{}", self.hop.port),
                    IpAddr::V6(v6) => format!("[{v6}]:{}", self.hop.port),
                };
                // Should the jump host's master be gone, `false` keeps this ssh from connecting by itself.
                options.push(format!(
                    "ProxyCommand=setpriv --pdeathsig KILL -- ssh -F none -S {} -o ProxyCommand=false \
                     -o LogLevel=INFO -W {place} jump.invalid",
                    jump.display()
                ));
            }
        }
        options
    }
}
