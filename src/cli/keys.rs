//! `xvault keys`: the master key.

use anyhow::Context;
use clap::Subcommand;
use secrecy::ExposeSecret;

use crate::{
    config::{DatabaseConfig, Environment, master_key as configured_key},
    crypto::envelope::MasterKey,
    db,
    hub::actions::master_key,
};

/// What to do with the master key.
#[derive(Debug, Clone, Subcommand)]
pub enum KeysCommand {
    /// Print a new random master key
    Generate,
    /// Wrap every tenant's key with XVAULT_NEW_MASTER_KEY instead of XVAULT_MASTER_KEY. Stop the hubs first
    /// and start them with the new key; no backup is touched
    Rotate,
}

/// Runs the command.
pub fn run(command: &KeysCommand) -> anyhow::Result<()> {
    match command {
        KeysCommand::Generate => {
            println!("{}", MasterKey::generate_base64().expose_secret());
            Ok(())
        }
        KeysCommand::Rotate => super::block_on(rotate()),
    }
}

async fn rotate() -> anyhow::Result<()> {
    let env = Environment::process();
    let old = MasterKey::from_base64(&configured_key("XVAULT_MASTER_KEY", &env)?)?;
    let new = MasterKey::from_base64(&configured_key("XVAULT_NEW_MASTER_KEY", &env)?)?;
    let pool = db::pool(DatabaseConfig::load(&env)?.url.expose_secret(), 1)?;
    let mut tx = pool.begin().await.context("cannot reach the database")?;
    let tenants = master_key::rotate(&mut tx, &old, &new).await?;
    tx.commit().await.context("nothing was changed")?;
    println!("the keys of {tenants} tenants are wrapped by the new master key; start the hubs with it now");
    Ok(())
}
