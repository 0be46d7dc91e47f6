//! The data plane: claims jobs and moves data.
