//! `xvault recover`: enters into the catalogue again what a worker's storage has and the catalogue has lost.

use anyhow::{Context, bail};
use secrecy::ExposeSecret;

use crate::{
    config::{Environment, RecoverConfig},
    db,
    storage::local_fs::LocalFs,
    worker::{
        Identity,
        recover::{Found, Mode, Summary, Verdict, recover},
    },
};

pub use crate::config::RecoverArgs;

/// Runs the command.
pub async fn run(args: RecoverArgs) -> anyhow::Result<()> {
    let config = RecoverConfig::load(args, &Environment::process())?;
    let identity = identity(&config)?;
    if !config.storage_dir.is_dir() {
        bail!(
            "{} is not a directory; is its disk mounted?",
            config.storage_dir.display()
        );
    }
    let storage = LocalFs::open(&config.storage_dir, identity.id.clone()).context("stop the worker first")?;
    let pool = db::pool(config.database.url.expose_secret(), 2)?;
    let mode = Mode {
        apply: config.apply,
        adopt: config.adopt,
    };
    println!("storage {} of worker {}", config.storage_dir.display(), identity.id);
    let summary = recover(&pool, &storage, &identity.id, mode, &mut tell).await?;
    conclude(&summary, &config)
}

/// The identity of the worker that has the storage; made by the worker, never here.
fn identity(config: &RecoverConfig) -> anyhow::Result<Identity> {
    if !Identity::is_in(&config.data_dir) {
        bail!(
            "{} holds no worker's identity; start the worker with this data directory once, stop it, and run this again",
            config.data_dir.display()
        );
    }
    Ok(Identity::take(&config.data_dir, None)?)
}

fn tell(found: &Found) {
    let key = &found.key;
    let (word, rest) = match &found.verdict {
        Verdict::Known => return,
        Verdict::Enter(recovered, note) => {
            let new = &recovered.snapshot;
            let note = note.as_ref().map_or(String::new(), |note| format!("; {note}"));
            let facts = format!(
                "{}, {} entries, {} bytes stored, taken {}{note}",
                new.state,
                new.files,
                new.bytes_stored,
                recovered.created_at.to_rfc3339()
            );
            ("enter", facts)
        }
        Verdict::Move { from } => ("move", format!("from worker {from}")),
        Verdict::Leave(why) => ("leave", why.clone()),
        Verdict::Refuse(why) => ("refuse", why.clone()),
    };
    println!(
        "{word:<7} {} of source {} (tenant {}): {rest}",
        key.snapshot_id, key.source_id, key.tenant_id
    );
}

fn conclude(summary: &Summary, config: &RecoverConfig) -> anyhow::Result<()> {
    let Summary {
        known,
        entered,
        moved,
        left,
        refused,
        absent,
    } = summary;
    println!("{known} in the catalogue, {entered} to enter, {moved} to move, {left} to leave, {refused} refused");
    if *absent > 0 {
        println!("{absent} snapshots that the catalogue has of this worker are not here; they are shown as missing");
    }
    match config.apply {
        true => println!("done; start the worker"),
        false => println!("nothing was written; --apply does it"),
    }
    if *refused > 0 {
        bail!("{refused} snapshots could not be entered; the lines above say why");
    }
    Ok(())
}
