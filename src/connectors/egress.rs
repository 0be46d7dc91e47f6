//! Which addresses a worker may reach. Tenants choose hosts, so without this a source could point a
//! worker at its own network: the database, a metadata service, a neighbour.
//!
//! Names are resolved here, once, and the checked address is the one that is connected to: a name
//! that resolves differently a moment later gains nothing.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::domain::{error_code::ErrorCode, job::JobError};

/// How long the resolver may take.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(15);

/// Most addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(first: u16, second: u16, third: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0), prefix)
}

/// IPv4 ranges that are not the public internet (IANA special-purpose registry).
const FORBIDDEN_V4: &[(Ipv4Net, &str)] = &[
    (v4(0, 0, 0, 0, 8), "unspecified"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "carrier-grade NAT"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(169, 254, 0, 0, 16), "link-local or metadata"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "protocol assignments"),
    (v4(192, 0, 2, 0, 24), "documentation"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "benchmarking"),
    (v4(198, 51, 100, 0, 24), "documentation"),
    (v4(203, 0, 113, 0, 24), "documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
];

/// IPv6 ranges that are not the public internet. What embeds an IPv4 address is judged by that one.
const FORBIDDEN_V6: &[(Ipv6Net, &str)] = &[
    (v6(0, 0, 0, 96), "unspecified, loopback or IPv4-compatible"),
    (v6(0x64, 0xff9b, 1, 48), "local-use translation"),
    (v6(0x100, 0, 0, 64), "discard-only"),
    (v6(0x2001, 0, 0, 32), "Teredo"),
    (v6(0x2001, 0xdb8, 0, 32), "documentation"),
    (v6(0xfc00, 0, 0, 7), "private"),
    (v6(0xfe80, 0, 0, 10), "link-local"),
    (v6(0xfec0, 0, 0, 10), "site-local"),
    (v6(0xff00, 0, 0, 8), "multicast"),
];

/// The addresses a worker may connect to: the public internet and what the operator opened.
#[derive(Debug, Clone, Default)]
pub struct EgressPolicy {
    allow: Vec<IpNet>,
}

impl EgressPolicy {
    /// Refuses everything that is not public, except what lies in `allow`.
    pub fn new(allow: Vec<IpNet>) -> Self {
        Self { allow }
    }

    /// Why `address` may not be reached; `None` if it may.
    pub fn forbidden(&self, address: IpAddr) -> Option<&'static str> {
        let address = address.to_canonical();
        if self.allow.iter().any(|net| net.contains(&address)) {
            return None;
        }
        match address {
            IpAddr::V4(v4) => find_v4(v4),
            IpAddr::V6(v6) => {
                let named = FORBIDDEN_V6.iter().find(|(net, _)| net.contains(&v6));
                match (named, embedded_v4(v6)) {
                    (Some((_, what)), _) => Some(what),
                    (None, Some(inner)) => self.forbidden(inner.into()),
                    (None, None) => None,
                }
            }
        }
    }

    /// The addresses of `host` that may be reached, in the resolver's order; at least one.
    ///
    /// # Errors
    /// `dns_failed` if there is no address, `address_forbidden` if none of them may be reached.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<IpAddr>, JobError> {
        let found = tokio::time::timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host((host, port))).await;
        let reason = match found {
            Ok(Ok(addresses)) => {
                let mut all: Vec<IpAddr> = Vec::new();
                for address in addresses.map(|a| a.ip().to_canonical()) {
                    if !all.contains(&address) {
                        all.push(address);
                    }
                }
                if !all.is_empty() {
                    return self.permitted(host, all);
                }
                "the name has no address".to_owned()
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("the resolver did not answer within {} s", RESOLVE_TIMEOUT.as_secs()),
        };
        Err(JobError::new(
            ErrorCode::DnsFailed,
            format!("{host} could not be resolved: {reason}"),
            "Check the spelling of the host name and that its DNS record exists.",
        ))
    }

    fn permitted(&self, host: &str, all: Vec<IpAddr>) -> Result<Vec<IpAddr>, JobError> {
        let mut refused = None;
        let mut permitted = Vec::new();
        for address in all {
            match self.forbidden(address) {
                Some(what) => refused = Some((address, what)),
                None => permitted.push(address),
            }
        }
        match refused {
            Some((address, what)) if permitted.is_empty() => Err(JobError::new(
                ErrorCode::AddressForbidden,
                format!("{host} is at {address}, an address workers must not reach ({what})"),
                "Use a public address, or ask the operator to add the range to XVAULT_EGRESS_ALLOW.",
            )),
            _ => {
                permitted.truncate(MAX_ADDRESSES);
                Ok(permitted)
            }
        }
    }
}

fn find_v4(address: Ipv4Addr) -> Option<&'static str> {
    let found = FORBIDDEN_V4.iter().find(|(net, _)| net.contains(&address));
    found.map(|(_, what)| *what)
}

/// The IPv4 address a translated (NAT64) or tunnelled (6to4) address leads to.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let part = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(part(high, low)),
        [0x2002, high, low, ..] => Some(part(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(policy: &EgressPolicy, address: &str) -> bool {
        policy.forbidden(address.parse().unwrap()).is_none()
    }

    #[test]
    fn only_the_public_internet_is_open() {
        let policy = EgressPolicy::default();
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.31.255.255",
            "192.168.1.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "fe80::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
        ] {
            assert!(!allowed(&policy, address), "{address}");
        }
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.32.0.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(allowed(&policy, address), "{address}");
        }
    }

    #[test]
    fn the_operator_can_open_ranges() {
        let policy = EgressPolicy::new(vec!["127.0.0.0/8".parse().unwrap(), "fd00:1::/32".parse().unwrap()]);
        for address in ["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fd00:1::5"] {
            assert!(allowed(&policy, address), "{address}");
        }
        for address in ["::1", "10.0.0.1", "fd00:2::5"] {
            assert!(!allowed(&policy, address), "{address}");
        }
    }

    #[tokio::test]
    async fn names_are_checked_by_what_they_resolve_to() {
        let error = EgressPolicy::default().resolve("localhost", 22).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::AddressForbidden);
        assert!(error.message.contains("localhost"), "{error}");
        // Forms only the C library understands are resolved first and then judged like any other.
        let error = EgressPolicy::default().resolve("0x7f.1", 22).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::AddressForbidden);

        let open = EgressPolicy::new(vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        assert!(!open.resolve("localhost", 22).await.unwrap().is_empty());

        let error = open.resolve("no-such-host.invalid", 22).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::DnsFailed);
        assert!(error.message.contains("no-such-host.invalid"), "{error}");
    }
}
