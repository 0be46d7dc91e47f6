//! Which ports hub and worker listen on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context, bail};

/// How many ports after the usual one are tried.
const ATTEMPTS: u16 = 100;

/// A chosen address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Where to listen.
    pub address: SocketAddr,
    /// The usual port, if it was taken.
    pub instead_of: Option<u16>,
}

/// The address asked for, which must be free, or else the first free port of loopback from `usual`
/// on that is not `taken`.
pub fn choose(asked: Option<SocketAddr>, usual: u16, taken: Option<u16>) -> anyhow::Result<Choice> {
    if let Some(address) = asked {
        TcpListener::bind(address).with_context(|| format!("cannot listen on {address}: choose another port"))?;
        return Ok(Choice {
            address,
            instead_of: None,
        });
    }
    for port in usual..usual.saturating_add(ATTEMPTS) {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        if Some(port) != taken && TcpListener::bind(address).is_ok() {
            let instead_of = (port != usual && Some(usual) != taken).then_some(usual);
            return Ok(Choice { address, instead_of });
        }
    }
    bail!("no port from {usual} on is free; name one with --hub-listen and --worker-listen")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_port_is_passed_over_and_said() {
        let busy = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = busy.local_addr().unwrap().port();
        let choice = choose(None, port, None).unwrap();
        assert_ne!(choice.address.port(), port);
        assert_eq!(choice.instead_of, Some(port));
    }

    #[test]
    fn a_busy_port_that_was_asked_for_is_refused() {
        let busy = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = busy.local_addr().unwrap();
        let refusal = choose(Some(address), 1, None).unwrap_err().to_string();
        assert_eq!(refusal, format!("cannot listen on {address}: choose another port"));
    }
}
