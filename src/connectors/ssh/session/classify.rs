//! From what ssh says to what a user should know. The texts are OpenSSH's own (7.x to 10.x, English).
//!
//! A server can add lines of its own (banners), so nothing here may decide about trust: whether a
//! host key was refused is known from the key check itself, and ssh stops by itself.

use super::{
    hop::{Hop, Login},
    master::NoConnection,
};
use crate::{
    connectors::HostKey,
    domain::{error_code::ErrorCode, job::JobError},
};

/// Why an attempt to connect failed.
#[derive(Debug)]
pub(super) enum Cause {
    /// The host's key was not the approved one.
    HostKey(HostKey),
    /// The host has no key of the kinds asked for.
    NoHostKey(JobError),
    /// The credential was refused.
    Login(JobError),
    /// Anything else.
    Other(JobError),
}

/// Sorts a failed attempt. `presented` is the host key that came, if it came to that.
pub(super) fn cause(hop: &Hop, login: &Login, failure: &NoConnection, presented: Option<HostKey>) -> Cause {
    let said = failure.said.as_str();
    let has = |text: &str| said.contains(text);
    if let Some(key) = presented.filter(|_| has("Host key verification failed")) {
        return Cause::HostKey(key);
    }
    if has("no matching host key type found") {
        return Cause::NoHostKey(outdated(hop, "no host key of a kind that is still considered safe"));
    }
    if has("Unable to negotiate with") {
        return Cause::Other(outdated(hop, "no encryption in common with this worker's ssh"));
    }
    if has("could not run ssh on the worker") {
        let hint = "The worker needs ssh (package openssh-client) and setpriv (util-linux) in its PATH.";
        return Cause::Other(JobError::new(ErrorCode::Internal, clean(said, 300), hint));
    }
    if has("Permission denied (") || has("Too many authentication failures") || has("Authentication failed.") {
        return Cause::Login(refused_login(hop, login, said));
    }
    if has("Authenticated to ") || has("Authentication succeeded") {
        return Cause::Other(interrupted(hop, said));
    }
    Cause::Other(no_connection(hop, failure))
}

/// The connection was there and is gone.
pub(super) fn interrupted(place: &impl std::fmt::Display, said: &str) -> JobError {
    let reason = if said.contains("not responding") {
        "it stopped answering"
    } else if said.contains("Connection reset") {
        "it was reset"
    } else {
        "the server closed it"
    };
    JobError::new(
        ErrorCode::TransferInterrupted,
        format!("the connection to {place} was lost: {reason}"),
        "Nothing incomplete was kept. Check the server and the network; it is tried again by itself.",
    )
}

fn refused_login(hop: &Hop, login: &Login, said: &str) -> JobError {
    let accepts = accepted_methods(said)
        .map(|methods| format!(" (it accepts: {methods})"))
        .unwrap_or_default();
    let user = &hop.user;
    match login {
        Login::Key(key) => JobError::new(
            ErrorCode::KeyRejected,
            format!("{hop} does not accept the key {} for {user}{accepts}", key.fingerprint),
            "Add the public key to that account's authorized_keys, or check the login name.",
        ),
        Login::Password(_) => JobError::new(
            ErrorCode::AuthFailed,
            format!("{hop} refused the password of {user}{accepts}"),
            "Check login name and password, and that the server allows logging in with a password.",
        ),
    }
}

/// Connection phase: table of what ssh prints, what happened, and what may help.
fn no_connection(hop: &Hop, failure: &NoConnection) -> JobError {
    const NOT_SSH: &str = "Check the port: something other than an SSH server answers there.";
    const BUSY: &str =
        "It may limit simultaneous logins (MaxStartups) or block this worker's address; it is tried again.";
    let said = failure.said.as_str();
    let table: &[(&str, ErrorCode, &str, &str)] = &[
        (
            "Exceeded MaxStartups",
            ErrorCode::ConnectFailed,
            "has too many logins in progress",
            BUSY,
        ),
        (
            "Not allowed at this time",
            ErrorCode::ConnectFailed,
            "takes no connections from here for now",
            BUSY,
        ),
        (
            "administratively prohibited",
            ErrorCode::ConnectFailed,
            "cannot be reached: the jump host forbids forwarding",
            "Allow TCP forwarding for this login on the jump host (AllowTcpForwarding, PermitOpen).",
        ),
        (
            "Connection refused",
            ErrorCode::ConnectFailed,
            "refused the connection",
            "Check host and port, and that an SSH server runs there.",
        ),
        (
            "timed out during banner exchange",
            ErrorCode::ConnectFailed,
            "accepted the connection but did not greet",
            "Check that an SSH server runs on that port and is not overloaded.",
        ),
        (
            "No route to host",
            ErrorCode::ConnectFailed,
            "has no route from here",
            "Check the address and that the host is up.",
        ),
        (
            "Network is unreachable",
            ErrorCode::ConnectFailed,
            "is in a network that cannot be reached from here",
            "Check the address; the worker may lack IPv6.",
        ),
        (
            "timed out",
            ErrorCode::ConnectFailed,
            "did not answer in time",
            "Check the address, that the host is up, and that its firewall lets this worker in.",
        ),
        (
            "banner line contains invalid characters",
            ErrorCode::ProtocolError,
            "does not speak SSH",
            NOT_SSH,
        ),
        (
            "Bad remote protocol version",
            ErrorCode::ProtocolError,
            "does not speak SSH",
            NOT_SSH,
        ),
        (
            "Protocol major versions differ",
            ErrorCode::ProtocolError,
            "speaks only SSH 1",
            "SSH 1 is broken and no longer supported; update the server.",
        ),
        (
            "kex_exchange_identification: No SSH identification",
            ErrorCode::ProtocolError,
            "does not speak SSH",
            NOT_SSH,
        ),
        (
            "kex_exchange_identification: banner line 0:",
            ErrorCode::ProtocolError,
            "does not speak SSH",
            NOT_SSH,
        ),
        (
            "Bad packet length",
            ErrorCode::ProtocolError,
            "sends packets that are not SSH",
            NOT_SSH,
        ),
        (
            "kex_exchange_identification: ",
            ErrorCode::ConnectFailed,
            "closed the connection before greeting",
            BUSY,
        ),
        (
            "open failed",
            ErrorCode::ConnectFailed,
            "cannot be reached from the jump host",
            "Check host and port as the jump host sees them, and that it may forward connections.",
        ),
        (
            "stdio forwarding",
            ErrorCode::ConnectFailed,
            "cannot be reached from the jump host",
            "Check host and port as the jump host sees them, and that it may forward connections.",
        ),
        (
            "Connection closed by",
            ErrorCode::ConnectFailed,
            "closed the connection during the login",
            BUSY,
        ),
        (
            "Connection reset",
            ErrorCode::ConnectFailed,
            "reset the connection during the login",
            BUSY,
        ),
        (
            "Disconnected from",
            ErrorCode::ConnectFailed,
            "ended the connection during the login",
            BUSY,
        ),
    ];
    if let Some((_, code, what, hint)) = table.iter().find(|(text, ..)| said.contains(text)) {
        return JobError::new(*code, format!("{hop} {what}"), *hint);
    }
    if failure.timed_out {
        let hint = "The server is overloaded, or something holds up its login (a slow name lookup, for example).";
        return JobError::new(
            ErrorCode::ConnectFailed,
            format!("{hop} did not finish the login in time"),
            hint,
        );
    }
    let last = said
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with("debug"));
    JobError::new(
        ErrorCode::ConnectFailed,
        format!(
            "{hop} could not be reached: {}",
            clean(last.unwrap_or("ssh gave no reason"), 200)
        ),
        "Check host, port and login name.",
    )
}

fn outdated(hop: &Hop, what: &str) -> JobError {
    JobError::new(
        ErrorCode::ProtocolError,
        format!("{hop} offers {what}"),
        "Update the SSH server; it needs ed25519, ECDSA or rsa-sha2 host keys and current ciphers (OpenSSH 7.2 or later).",
    )
}

/// `publickey,password` out of `Permission denied (publickey,password).`
fn accepted_methods(said: &str) -> Option<&str> {
    let (_, rest) = said.rsplit_once("Permission denied (")?;
    let (methods, _) = rest.split_once(')')?;
    let plain = |c: char| c.is_ascii_lowercase() || matches!(c, ',' | '-' | '.' | '@');
    (methods.len() <= 100 && methods.chars().all(plain)).then_some(methods)
}

/// `OpenSSH_9.2p1 Debian-2+deb12u7` out of ssh's account of the greeting.
pub(super) fn server_version(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("remote software version ")?;
    let version = clean(rest.lines().next()?, 100);
    (!version.is_empty()).then_some(version)
}

/// At most `most` characters of text a server may have had a hand in, without control characters.
pub(in crate::connectors::ssh) fn clean(text: &str, most: usize) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop() -> Hop {
        Hop {
            host: "web1".into(),
            port: 2222,
            user: "deploy".into(),
            is_jump: false,
            logins: Vec::new(),
        }
    }

    fn sorted(said: &str) -> JobError {
        no_connection(
            &hop(),
            &NoConnection {
                said: said.to_owned(),
                timed_out: false,
            },
        )
    }

    #[test]
    fn connection_failures_are_told_apart() {
        for (said, code, words) in [
            (
                "ssh: connect to host 192.0.2.1 port 2222: Connection refused",
                ErrorCode::ConnectFailed,
                "refused",
            ),
            (
                "ssh: connect to host 192.0.2.1 port 22: Connection timed out",
                ErrorCode::ConnectFailed,
                "in time",
            ),
            (
                "kex_exchange_identification: Connection closed by remote host",
                ErrorCode::ConnectFailed,
                "before",
            ),
            (
                "debug1: kex_exchange_identification: banner line 0: HTTP/1.1 400 Bad Request\r\n\
                 kex_exchange_identification: Connection closed by remote host",
                ErrorCode::ProtocolError,
                "does not speak SSH",
            ),
            (
                "debug1: kex_exchange_identification: banner line 0: Exceeded MaxStartups\r\n\
                 kex_exchange_identification: Connection closed by remote host",
                ErrorCode::ConnectFailed,
                "too many logins",
            ),
            (
                "debug1: x\r\nsomething \x1b[31mnew\r\n",
                ErrorCode::ConnectFailed,
                "something [31mnew",
            ),
        ] {
            let error = sorted(said);
            assert_eq!(error.code, code, "{said}");
            assert!(
                error.message.contains("web1:2222") && error.message.contains(words),
                "{error}"
            );
        }
    }

    #[test]
    fn server_texts_are_cleaned() {
        assert_eq!(
            accepted_methods("x: Permission denied (publickey,password)."),
            Some("publickey,password")
        );
        assert_eq!(accepted_methods("Permission denied (<script>)."), None);
        let said = "debug1: Remote protocol version 2.0, remote software version OpenSSH_9.2p1 Debian-2\r\n";
        assert_eq!(server_version(said).as_deref(), Some("OpenSSH_9.2p1 Debian-2"));
    }
}
