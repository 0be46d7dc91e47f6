//! `xvault dev`: a private PostgreSQL, a hub and a worker in one process tree, from nothing.
//!
//! The three are child processes: what runs here is what runs in production, and a crash of one is
//! seen, said and repaired. They end with us, even if we are killed. All state lies in one directory.
//! Knows the commands `migrate`, `hub` and `worker` by their names and variables only.

pub mod account;
mod banner;
pub mod binaries;
pub mod cluster;
pub mod leash;
mod ports;
pub mod stale;
mod state;
mod supervisor;
mod tree;

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::shutdown::Shutdown;
use banner::Banner;
use state::State;
use tree::Tree;

/// Ports people expect.
const HUB_PORT: u16 = 8080;
const WORKER_PORT: u16 = 8081;

/// Flags of `xvault dev`. Variables of hub and worker that it does not set itself are passed on.
#[derive(Debug, Clone, clap::Args)]
pub struct DevArgs {
    /// Where everything is kept
    #[arg(long, env = "XVAULT_DATA_DIR", value_name = "DIR", default_value = ".xvault")]
    data_dir: PathBuf,
    /// Address and port for API and pages [default: 127.0.0.1 and the first free port from 8080]
    #[arg(long, env = "XVAULT_HUB_LISTEN", value_name = "ADDR:PORT", value_parser = crate::config::listen)]
    hub_listen: Option<SocketAddr>,
    /// Address and port for downloads [default: 127.0.0.1 and the first free port from 8081]
    #[arg(long, env = "XVAULT_WORKER_LISTEN", value_name = "ADDR:PORT", value_parser = crate::config::listen)]
    worker_listen: Option<SocketAddr>,
    /// E-mail address of the first user
    #[arg(
        long,
        env = "XVAULT_ADMIN_EMAIL",
        value_name = "EMAIL",
        default_value = "admin@xvault.local"
    )]
    admin_email: String,
}

/// Runs until a signal.
pub fn run(args: DevArgs) -> anyhow::Result<()> {
    // One thread, which is the one that children are bound to (see `leash`).
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(args))
}

async fn serve(args: DevArgs) -> anyhow::Result<()> {
    let shutdown = Shutdown::on_signals().context("cannot listen for signals")?;
    let state = State::open(&args.data_dir)?;
    let hub = ports::choose(args.hub_listen, HUB_PORT, None)?;
    let worker = ports::choose(args.worker_listen, WORKER_PORT, Some(hub.address.port()))?;
    let tree = Tree::plant(&state, hub.address, worker.address, &args.admin_email)?;

    let (database_stop, hub_stop, worker_stop) = (
        CancellationToken::new(),
        CancellationToken::new(),
        CancellationToken::new(),
    );
    tree.make_cluster()?;
    let mut database = tokio::spawn(tree.database().run(database_stop.clone()));
    let prepared = tokio::select! {
        prepared = tree.prepare_database() => prepared,
        ended = &mut database => return ended?.and(Err(anyhow::anyhow!("PostgreSQL ended"))),
        () = shutdown.token().cancelled_owned() => Ok(()),
    };
    let mut hub_task = tokio::spawn(tree.hub().run(hub_stop.clone()));
    let mut worker_task = tokio::spawn(tree.worker().run(worker_stop.clone()));

    let outcome = match prepared {
        Ok(()) => tokio::select! {
            ended = &mut database => ended?,
            ended = &mut hub_task => ended?,
            ended = &mut worker_task => ended?,
            () = shutdown.token().cancelled_owned() => Ok(()),
            never = announce(&tree, Banner { state: &state, hub, worker, tree: &tree }) => never,
        },
        error => error,
    };
    // In this order, so that the worker can still hand its jobs back.
    for (stop, task) in [
        (worker_stop, worker_task),
        (hub_stop, hub_task),
        (database_stop, database),
    ] {
        stop.cancel();
        if !task.is_finished() {
            task.await??;
        }
    }
    outcome
}

/// Prints the banner once hub and worker answer; then waits for ever.
async fn announce(tree: &Tree, banner: Banner<'_>) -> anyhow::Result<()> {
    tree.ready().await;
    print!("{banner}");
    std::future::pending().await
}
