//! The stop signal of a process.
