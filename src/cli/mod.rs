//! The command line: one file per command. Each parses, loads its configuration, builds what the
//! library needs and prints; rules live in the library.

mod admin;
mod artifact;
pub mod dev;
mod hub;
mod keys;
mod limits;
mod migrate;
mod recover;
mod worker;

use std::{future::Future, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};

use crate::{config, telemetry};

/// Agentless, encrypted backups of servers, sites and databases.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    log: config::LogArgs,
    #[command(subcommand)]
    command: Command,
}

/// One variant per command; its doc comment is the help.
#[derive(Subcommand)]
enum Command {
    /// Look into a snapshot's directory: offline, with an age identity
    #[command(subcommand)]
    Artifact(artifact::ArtifactCommand),
    /// Start everything on this machine: a private PostgreSQL, a hub and a worker
    Dev(dev::DevArgs),
    /// Serve the API and the pages, order jobs, keep the catalogue
    Hub(hub::HubArgs),
    /// Bring the database up to date, and the rights of workers in it
    Migrate,
    /// Make or rotate the master key
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Look after workers, worker tokens, tenants and passwords
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// Enter into the catalogue what a worker's storage has and the catalogue has lost. Run it where the disk
    /// is, with the worker stopped and the hub's database role
    Recover(recover::RecoverArgs),
    /// Claim jobs, move data, serve downloads
    Worker(Box<worker::WorkerArgs>),
}

impl Command {
    /// Runs it to its end.
    fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Artifact(command) => artifact::run(command),
            Self::Dev(args) => dev::run(args),
            Self::Hub(args) => block_on(hub::run(args)),
            Self::Migrate => migrate::run(),
            Self::Keys(command) => keys::run(&command),
            Self::Admin(command) => admin::run(command),
            Self::Recover(args) => block_on(recover::run(args)),
            Self::Worker(args) => block_on(worker::run(*args)),
        }
    }
}

/// Runs the command named on the command line. Exit codes: 0 done, 1 failed, 2 wrong usage or
/// configuration.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    telemetry::init(&cli.log.log, cli.log.log_format);
    // Fails only if a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match cli.command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xvault: {error:#}");
            let configuration = error.downcast_ref::<config::ConfigError>().is_some();
            ExitCode::from(if configuration { 2 } else { 1 })
        }
    }
}

fn refuse(error: &clap::Error) -> ExitCode {
    match config::explain(error, &Cli::command()) {
        Some(line) => eprintln!("xvault: {line}"),
        // Nothing is left to do if even this cannot be printed.
        None => drop(error.print()),
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Runs a command that serves or waits.
fn block_on(future: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(future)
}
