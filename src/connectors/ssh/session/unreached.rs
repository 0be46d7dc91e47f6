//! A connection that did not come about, in words: what ssh printed, what that means, what may help.

use super::{classify::clean, hop::Hop, master::NoConnection};
use crate::domain::{error_code::ErrorCode, job::JobError};

/// Part of ssh's text, what the host did, and the hint.
type Row = (&'static str, &'static str, &'static str);

const BUSY: &str = "It may limit simultaneous logins (MaxStartups) or block this worker's address; it is tried again.";
const OTHER_SERVICE: &str = "Check the port: something other than an SSH server answers there.";
const FROM_JUMP: &str = "Check host and port as the jump host sees them, and that it may forward connections.";

/// An SSH server that does not want to, for now.
const BUSY_SERVER: &[Row] = &[
    ("Exceeded MaxStartups", "has too many logins in progress", BUSY),
    (
        "Not allowed at this time",
        "takes no connections from here for now",
        BUSY,
    ),
];

/// The jump host is set up not to get through.
const FORBIDDEN: &[Row] = &[(
    "administratively prohibited",
    "cannot be reached: the jump host forbids forwarding",
    "Allow TCP forwarding for this login on the jump host (AllowTcpForwarding, PermitOpen).",
)];

/// Nothing answered.
const NO_ANSWER: &[Row] = &[
    (
        "Connection refused",
        "refused the connection",
        "Check host and port, and that an SSH server runs there.",
    ),
    (
        "timed out during banner exchange",
        "accepted the connection but did not greet",
        "Check that an SSH server runs on that port and is not overloaded.",
    ),
    (
        "No route to host",
        "has no route from here",
        "Check the address and that the host is up.",
    ),
    (
        "Network is unreachable",
        "is in a network that cannot be reached from here",
        "Check the address; the worker may lack IPv6.",
    ),
    (
        "timed out",
        "did not answer in time",
        "Check the address, that the host is up, and that its firewall lets this worker in.",
    ),
];

/// Something answered that is no SSH server, or none of this century.
const NOT_SSH: &[Row] = &[
    (
        "banner line contains invalid characters",
        "does not speak SSH",
        OTHER_SERVICE,
    ),
    ("Bad remote protocol version", "does not speak SSH", OTHER_SERVICE),
    ("No SSH identification string", "does not speak SSH", OTHER_SERVICE),
    (
        "kex_exchange_identification: banner line 0:",
        "does not speak SSH",
        OTHER_SERVICE,
    ),
    ("Bad packet length", "sends packets that are not SSH", OTHER_SERVICE),
    (
        "Protocol major versions differ",
        "speaks only SSH 1",
        "SSH 1 is broken; update the server.",
    ),
];

/// The jump host did not get through.
const NOT_FORWARDED: &[Row] = &[
    ("open failed", "cannot be reached from the jump host", FROM_JUMP),
    ("stdio forwarding", "cannot be reached from the jump host", FROM_JUMP),
];

/// The connection was cut on the way to the login: what a server does that has too many of them. (Up to version 9.7
/// OpenSSH says nothing else when it drops connections because of MaxStartups.)
const CUT_SHORT: &[Row] = &[
    (
        "kex_exchange_identification: ",
        "closed the connection before greeting",
        BUSY,
    ),
    ("Connection closed by", "closed the connection during the login", BUSY),
    ("Connection reset", "reset the connection during the login", BUSY),
    ("Disconnected from", "ended the connection during the login", BUSY),
];

/// Explains a failure of which only ssh's text and our patience tell.
pub(super) fn explain(hop: &Hop, failure: &NoConnection) -> JobError {
    let said = failure.said.as_str();
    for (code, rows) in [
        (ErrorCode::SourceBusy, BUSY_SERVER),
        (ErrorCode::ForwardingForbidden, FORBIDDEN),
        (ErrorCode::ConnectFailed, NO_ANSWER),
        (ErrorCode::ProtocolError, NOT_SSH),
        (ErrorCode::ConnectFailed, NOT_FORWARDED),
        (ErrorCode::SourceBusy, CUT_SHORT),
    ] {
        if let Some((_, what, hint)) = rows.iter().find(|(text, ..)| said.contains(text)) {
            return JobError::new(code, format!("{hop} {what}"), *hint);
        }
    }
    if failure.timed_out {
        return JobError::new(
            ErrorCode::ConnectFailed,
            format!("{hop} did not finish the login in time"),
            "The server is overloaded, or something holds up its login (a slow name lookup, for example).",
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
        explain(
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
                ErrorCode::SourceBusy,
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
                ErrorCode::SourceBusy,
                "too many logins",
            ),
            (
                "channel 0: open failed: administratively prohibited: open failed\r\n\
                 stdio forwarding failed\r\nkex_exchange_identification: Connection closed by remote host",
                ErrorCode::ForwardingForbidden,
                "forbids",
            ),
            (
                "channel 0: open failed: connect failed: Name or service not known\r\nstdio forwarding failed",
                ErrorCode::ConnectFailed,
                "from the jump host",
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
}
