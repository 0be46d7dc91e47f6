//! Child processes of this worker: started so that they cannot outlive it, what they are told in
//! secret, and what they say. Knows nothing of what the programs do, nor of other hosts.

pub(crate) mod said;
pub(crate) mod secret_file;
pub(crate) mod spawner;

pub(crate) use said::Said;
pub(crate) use secret_file::SecretFile;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By a signal.
    Signal,
}

impl Exit {
    /// True for exit code 0.
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}
