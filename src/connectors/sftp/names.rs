//! Directories waiting for their turn, packed: a directory of a million directories costs some 40 MiB.

use super::attributes::Attributes;

/// A queue of names and attributes in one allocation.
#[derive(Debug, Default)]
pub struct NameQueue {
    packed: Vec<u8>,
    front: usize,
}

impl NameQueue {
    /// Adds a directory; its attributes are kept but for the size, which means nothing.
    pub fn push(&mut self, name: &[u8], attributes: &Attributes) {
        // Names come out of packets of at most 257 KiB.
        self.packed.extend_from_slice(&(name.len() as u32).to_ne_bytes());
        self.packed.extend_from_slice(&attributes.pack());
        self.packed.extend_from_slice(name);
    }

    /// Takes the oldest.
    pub fn pop(&mut self) -> Option<(Vec<u8>, Attributes)> {
        let (length, rest) = self.packed.get(self.front..)?.split_first_chunk()?;
        let (packed, rest) = rest.split_first_chunk()?;
        let name = rest.get(..u32::from_ne_bytes(*length) as usize)?.to_vec();
        self.front += Self::cost(&name);
        Some((name, Attributes::unpack(packed)))
    }

    /// Bytes that a waiting name takes.
    pub fn cost(name: &[u8]) -> usize {
        4 + Attributes::PACKED + name.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_in_first_out() {
        let bare = Attributes::default();
        let full = Attributes {
            size: None,
            owner: Some((7, u32::MAX)),
            permissions: Some(0o040_755),
            mtime: Some(1),
        };
        let mut queue = NameQueue::default();
        assert_eq!(queue.pop(), None);
        queue.push(b"a", &bare);
        queue.push(b"\xff\n", &full);
        assert_eq!(queue.pop(), Some((b"a".to_vec(), bare)));
        assert_eq!(queue.pop(), Some((b"\xff\n".to_vec(), full)));
        assert_eq!(queue.pop(), None);
    }
}
