//! Names waiting for their turn, packed: a directory of a million directories costs some 20 MiB.

/// A queue of names in one allocation.
#[derive(Debug, Default)]
pub struct NameQueue {
    packed: Vec<u8>,
    front: usize,
}

impl NameQueue {
    /// Adds a name; returns the bytes it takes.
    pub fn push(&mut self, name: &[u8]) -> usize {
        // Names come out of packets of at most 257 KiB.
        self.packed.extend_from_slice(&(name.len() as u32).to_ne_bytes());
        self.packed.extend_from_slice(name);
        name.len() + 4
    }

    /// Takes the oldest name.
    pub fn pop(&mut self) -> Option<Vec<u8>> {
        let length = u32::from_ne_bytes(*self.packed.get(self.front..)?.first_chunk()?) as usize;
        let start = self.front + 4;
        self.front = start + length;
        Some(self.packed[start..self.front].to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_in_first_out() {
        let mut queue = NameQueue::default();
        assert_eq!(queue.pop(), None);
        queue.push(b"a");
        queue.push(b"\xff\n");
        assert_eq!(queue.pop().as_deref(), Some(&b"a"[..]));
        assert_eq!(queue.pop().as_deref(), Some(&b"\xff\n"[..]));
        assert_eq!(queue.pop(), None);
    }
}
