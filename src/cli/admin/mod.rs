//! `xvault admin`: what an operator does at the command line. Passwords come from XVAULT_ADMIN_PASSWORD, so that
//! none shows in the process list.

mod worker;

use anyhow::Context;
use clap::Subcommand;
use secrecy::ExposeSecret;

use super::limits::{self, LimitsArgs};
use crate::{
    clock::Clock,
    config::{ConfigError, DatabaseConfig, Environment, master_key as configured_key},
    crypto::envelope::MasterKey,
    db::{self, Notifier, Transaction},
    hub::actions::{
        master_key, members,
        tenants::{self, CheckedTenant, NewOwner, NewTenant},
        workers,
    },
};

/// What to administrate.
#[derive(Debug, Clone, Subcommand)]
pub enum AdminCommand {
    /// Make a token with which workers show themselves to the hub, and print it once
    WorkerToken {
        /// What the token is called
        #[arg(long, default_value = "worker")]
        label: String,
        /// End every token with this label instead
        #[arg(long)]
        revoke: bool,
    },
    /// Look at workers, drain and retire them
    #[command(subcommand)]
    Worker(worker::WorkerCommand),
    /// Make a tenant and its first owner, whose password is in XVAULT_ADMIN_PASSWORD
    CreateTenant {
        /// Name of the tenant
        #[arg(long)]
        name: String,
        /// E-mail address the owner signs in with
        #[arg(long)]
        owner_email: String,
    },
    /// Show or set how many jobs may run at once: per tenant, per server, and for single tenants
    Limits(LimitsArgs),
    /// Set somebody's password to the one in XVAULT_ADMIN_PASSWORD and end their sessions
    ResetPassword {
        /// E-mail address they sign in with
        #[arg(long)]
        email: String,
    },
}

/// Runs the command.
pub fn run(command: AdminCommand) -> anyhow::Result<()> {
    super::block_on(administrate(command))
}

async fn administrate(command: AdminCommand) -> anyhow::Result<()> {
    let env = Environment::process();
    let password = || {
        let missing = || ConfigError::new("XVAULT_ADMIN_PASSWORD", "is not set");
        env.secret("XVAULT_ADMIN_PASSWORD")?.ok_or_else(missing)
    };
    let pool = db::pool(DatabaseConfig::load(&env)?.url.expose_secret(), 1)?;
    let mut tx = Transaction::begin(&pool).await.context("cannot reach the database")?;
    let done = match command {
        AdminCommand::WorkerToken { label, revoke: true } => {
            format!("ended {} tokens", workers::revoke_tokens(&mut tx, &label).await?)
        }
        AdminCommand::WorkerToken { label, revoke: false } => {
            workers::create_token(&mut tx, &label).await?.expose_secret().to_owned()
        }
        AdminCommand::Worker(command) => worker::run(&mut tx, Clock::default().now(), command).await?,
        AdminCommand::CreateTenant { name, owner_email } => {
            let key = MasterKey::from_base64(&configured_key("XVAULT_MASTER_KEY", &env)?)?;
            master_key::check(&mut tx, &key).await?;
            let owner = NewOwner {
                email: owner_email,
                password: password()?,
            };
            let new = CheckedTenant::new(&NewTenant { name, owner })?;
            tenants::provision(&mut tx, &key, new, false, "operator")
                .await?
                .id
                .to_string()
        }
        AdminCommand::Limits(args) => limits::change(&mut tx, &args).await?,
        AdminCommand::ResetPassword { email } => {
            members::reset_password(&mut tx, &email, &password()?).await?;
            format!("{email} signs in with the new password now")
        }
    };
    let notifier = Notifier::default();
    tx.commit(&notifier).await.context("nothing was changed")?;
    // Whoever does not hear of it finds out a little later.
    let _ = notifier.send(&pool).await;
    println!("{done}");
    Ok(())
}
