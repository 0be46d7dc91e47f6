//! Snapshots as directories on the disk of one worker.
