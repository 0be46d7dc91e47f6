//! Which files were stored, in fixed memory: a hard link may only point to one of them.
//!
//! A Bloom filter: "no" is certain, so a link whose target was left out is always seen; "yes" is wrong
//! about once in two million for a million names, and more often beyond that.

use crate::domain::entry::EntryPath;

/// 4 MiB.
const BITS: u64 = 1 << 25;
/// Bits set per name; near the best for a million names.
const PROBES: u64 = 12;

pub(crate) struct Names(Vec<u64>);

impl Names {
    pub(crate) fn new() -> Self {
        Self(vec![0; (BITS / 64) as usize])
    }

    pub(crate) fn insert(&mut self, path: &EntryPath) {
        for bit in bits(path) {
            self.0[(bit / 64) as usize] |= 1 << (bit % 64);
        }
    }

    pub(crate) fn contains(&self, path: &EntryPath) -> bool {
        bits(path).all(|bit| self.0[(bit / 64) as usize] & (1 << (bit % 64)) != 0)
    }
}

/// Two halves of a hash give as many independent positions as wanted.
fn bits(path: &EntryPath) -> impl Iterator<Item = u64> + use<> {
    let hash = blake3::hash(path.as_bytes());
    let half = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&hash.as_bytes()[at..at + 8]);
        u64::from_le_bytes(bytes)
    };
    let (first, step) = (half(0), half(8) | 1);
    (0..PROBES).map(move |probe| first.wrapping_add(probe.wrapping_mul(step)) % BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_inserted_is_found_and_nothing_else() {
        let path = |n: u32| EntryPath::new(format!("dir/{n}").as_bytes()).unwrap();
        let mut names = Names::new();
        (0..50_000).for_each(|n| names.insert(&path(n)));
        assert!((0..50_000).all(|n| names.contains(&path(n))));
        assert!((50_000..150_000).all(|n| !names.contains(&path(n))));
    }
}
