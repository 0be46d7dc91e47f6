//! Limits failed sign-ins per e-mail and per address, in the memory of this hub process.
//!
//! Token buckets: an attempt takes a token, a successful one gives it back. Attempts that run at the same
//! time each take their own, so guessing in parallel gains nothing.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, Utc};

/// Attempts at once and seconds until one comes back, for one e-mail address.
const PER_EMAIL: Rate = Rate {
    burst: 10,
    refill_s: 60,
};

/// The same for one network address; wider, since many people may share one.
const PER_ADDRESS: Rate = Rate {
    burst: 100,
    refill_s: 3,
};

/// Most keys remembered; beyond it, those that are full again are forgotten.
const MAX_KEYS: usize = 50_000;

#[derive(Debug, Clone, Copy)]
struct Rate {
    burst: u32,
    refill_s: u32,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: DateTime<Utc>,
}

impl Bucket {
    fn filled(self, rate: Rate, now: DateTime<Utc>) -> Self {
        let seconds = (now - self.at).num_milliseconds().max(0) as f64 / 1000.0;
        let tokens = (self.tokens + seconds / f64::from(rate.refill_s)).min(f64::from(rate.burst));
        Self { tokens, at: now }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Email(String),
    Address(IpAddr),
}

impl Key {
    fn rate(&self) -> Rate {
        match self {
            Self::Email(_) => PER_EMAIL,
            Self::Address(_) => PER_ADDRESS,
        }
    }
}

/// Failed sign-ins seen by this process.
#[derive(Debug, Default)]
pub struct LoginLimits {
    buckets: Mutex<HashMap<Key, Bucket>>,
}

impl LoginLimits {
    /// Takes a token of the e-mail and of the address; if one has none left, says in how many seconds it will.
    pub fn take(&self, email: &str, address: IpAddr, now: DateTime<Utc>) -> Result<(), u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_KEYS {
            buckets.retain(|key, bucket| bucket.filled(key.rate(), now).tokens < f64::from(key.rate().burst));
        }
        let keys = keys(email, address);
        let filled = keys.map(|key| {
            let full = Bucket {
                tokens: f64::from(key.rate().burst),
                at: now,
            };
            let bucket = buckets.get(&key).copied().unwrap_or(full).filled(key.rate(), now);
            (key, bucket)
        });
        for (key, bucket) in &filled {
            if bucket.tokens < 1.0 {
                let wait = (1.0 - bucket.tokens) * f64::from(key.rate().refill_s);
                return Err((wait.ceil() as u64).max(1));
            }
        }
        for (key, mut bucket) in filled {
            bucket.tokens -= 1.0;
            buckets.insert(key, bucket);
        }
        Ok(())
    }

    /// Gives back what a successful sign-in took.
    pub fn give_back(&self, email: &str, address: IpAddr) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys(email, address) {
            if let Some(bucket) = buckets.get_mut(&key) {
                bucket.tokens += 1.0;
            }
        }
    }
}

fn keys(email: &str, address: IpAddr) -> [Key; 2] {
    [Key::Email(email.to_owned()), Key::Address(network(address))]
}

/// One customer usually holds a whole IPv6 /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const HOME: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

    #[test]
    fn an_email_runs_dry_and_recovers() {
        let (limits, start) = (LoginLimits::default(), DateTime::UNIX_EPOCH);
        for _ in 0..PER_EMAIL.burst {
            limits.take("a@b.c", HOME, start).unwrap();
        }
        assert_eq!(limits.take("a@b.c", HOME, start), Err(u64::from(PER_EMAIL.refill_s)));
        assert!(limits.take("other@b.c", HOME, start).is_ok());
        let later = start + TimeDelta::seconds(i64::from(PER_EMAIL.refill_s));
        assert!(limits.take("a@b.c", HOME, later).is_ok());
        assert!(limits.take("a@b.c", HOME, later).is_err());
    }

    #[test]
    fn an_address_runs_dry_whatever_the_emails() {
        let (limits, now) = (LoginLimits::default(), DateTime::UNIX_EPOCH);
        let same_network: IpAddr = "::2".parse().unwrap();
        for n in 0..PER_ADDRESS.burst {
            limits.take(&format!("{n}@b.c"), HOME, now).unwrap();
        }
        assert!(limits.take("x@b.c", same_network, now).is_err());
        assert!(limits.take("x@b.c", "192.0.2.1".parse().unwrap(), now).is_ok());
    }

    #[test]
    fn success_costs_nothing() {
        let (limits, now) = (LoginLimits::default(), DateTime::UNIX_EPOCH);
        for _ in 0..PER_ADDRESS.burst * 2 {
            limits.take("a@b.c", HOME, now).unwrap();
            limits.give_back("a@b.c", HOME);
        }
    }
}
