//! From what ssh says to what a user should know. The texts are OpenSSH's own (7.x to 10.x, English).
//!
//! A server can add lines of its own (banners), so nothing here may decide about trust: whether a
//! host key was refused is known from the key check itself, and ssh stops by itself.

use super::{
    hop::{Hop, Login},
    master::NoConnection,
    unreached,
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
    Cause::Other(unreached::explain(hop, failure))
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
