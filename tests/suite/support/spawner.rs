//! Starts child processes from one thread that lives as long as the test process.
//!
//! The kernel sends a child its parent-death signal when the *thread* that spawned it ends, and each
//! test has a thread of its own.

use std::{
    io,
    process::{Child, Command},
    sync::{OnceLock, mpsc},
    thread,
};

type Request = (Command, mpsc::Sender<io::Result<Child>>);

/// Spawns `command` from the lasting thread.
pub fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<mpsc::Sender<Request>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests) = mpsc::channel::<Request>();
        thread::spawn(move || {
            for (mut command, answer) in requests {
                // Nobody waits for the answer only if the test has panicked.
                let _ = answer.send(command.spawn());
            }
        });
        sender
    });
    let (answer, child) = mpsc::channel();
    spawner
        .send((command, answer))
        .expect("the spawner lives as long as we do");
    child.recv().expect("the spawner answers")
}
