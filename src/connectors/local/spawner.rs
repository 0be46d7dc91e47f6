//! Starting children that cannot outlive us.
//!
//! `setpriv --pdeathsig KILL` ends a child when the *thread* that started it ends, so children are
//! started by one thread that lives as long as the process.

use std::{
    ffi::OsStr,
    io,
    process::Stdio,
    sync::{OnceLock, mpsc},
};

use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::oneshot,
};

type Order = Box<dyn FnOnce() + Send>;

static THREAD: OnceLock<mpsc::Sender<Order>> = OnceLock::new();

fn thread() -> &'static mpsc::Sender<Order> {
    THREAD.get_or_init(|| {
        let (orders, queue) = mpsc::channel::<Order>();
        std::thread::spawn(move || queue.into_iter().for_each(|order| order()));
        orders
    })
}

/// A command that runs `program` so that it dies with us: by SIGKILL when we are killed, on drop of
/// the child otherwise. It gets none of our environment but `PATH`, speaks English, and has a
/// process group of its own, so that Ctrl-C on a terminal leaves the ending to us.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--"])
        .arg(program)
        .env_clear()
        .env(
            "PATH",
            std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()),
        )
        .env("LC_ALL", "C")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// Starts `command` from the long-lived thread.
pub(crate) async fn spawn(mut command: Command) -> io::Result<Child> {
    let runtime = Handle::current();
    let (answer, started) = oneshot::channel();
    let order = Box::new(move || {
        let _runtime = runtime.enter();
        // Nobody listens any more: the child is dropped here, and thereby killed.
        let _ = answer.send(command.spawn());
    });
    let gone = || io::Error::other("the thread that starts processes is gone");
    thread().send(order).map_err(|_| gone())?;
    started.await.map_err(|_| gone())?
}
