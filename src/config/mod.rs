//! Environment and flags, loaded and validated once.
