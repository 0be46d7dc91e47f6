//! One snapshot on the disk: what is to be done about it.

use std::collections::HashSet;

use crate::{
    artifact::{self, Expected, Manifest, Stored},
    db::recovery::{Catalogued, Recovered},
    domain::{
        ids::{JobId, SnapshotId, WorkerId},
        job::{JobState, Warnings},
        snapshot::{ArtifactFile, Locator, NewSnapshot, Snapshot, SnapshotKey, SnapshotState},
    },
    storage::Storage,
};

/// A snapshot on the disk.
#[derive(Debug)]
pub struct Found {
    /// Which.
    pub key: SnapshotKey,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// What becomes of it.
#[derive(Debug)]
pub enum Verdict {
    /// The catalogue has it, here.
    Known,
    /// The catalogue has lost it: it is entered. With what is worth knowing about it.
    Enter(Box<Recovered>, Option<String>),
    /// The catalogue has it at another place; it is moved here.
    Move {
        /// The worker that had it.
        from: WorkerId,
    },
    /// Nothing, and that is right; why.
    Leave(String),
    /// It cannot be entered; why, and what can be done.
    Refuse(String),
}

/// What a snapshot says about itself, if it is whole as far as a look tells.
pub fn read(storage: &dyn Storage, key: &SnapshotKey) -> Result<Manifest, String> {
    let manifest = artifact::look(&Stored { storage, key }, None).map_err(|error| error.message)?;
    if manifest.key != *key {
        return Err(format!(
            "its manifest says that it is snapshot {} of source {} of tenant {}",
            manifest.key.snapshot_id, manifest.key.source_id, manifest.key.tenant_id
        ));
    }
    match manifest.state {
        SnapshotState::Complete | SnapshotState::Partial => Ok(manifest),
        other => Err(format!("its manifest says that it is {other}, which no backup writes")),
    }
}

/// What to do about a snapshot that the catalogue has.
pub fn known(storage: &dyn Storage, snapshot: &Snapshot, me: &WorkerId, adopt: bool) -> Verdict {
    let new = &snapshot.new;
    let Locator::LocalFs { worker_id, .. } = &new.locator;
    if new.locator == storage.locator(&new.key) || (worker_id == me && !adopt) {
        return Verdict::Known;
    }
    if !adopt {
        return Verdict::Leave(format!(
            "the catalogue has it at worker {worker_id}; --adopt moves it here"
        ));
    }
    let expected = Expected {
        sha256: new.sha256.clone(),
        manifest_sha256: new.manifest_sha256.clone(),
    };
    let files = Stored { storage, key: &new.key };
    match artifact::look(&files, Some(&expected)) {
        Ok(_) => Verdict::Move {
            from: worker_id.clone(),
        },
        Err(error) => Verdict::Refuse(format!(
            "the catalogue has it at worker {worker_id}, and what lies here is not whole: {}",
            error.message
        )),
    }
}

/// What to do about a snapshot that the catalogue does not have. `entered` are the jobs whose snapshot was
/// entered before, in this run.
pub fn lost(
    storage: &dyn Storage,
    manifest: &Manifest,
    has: &Catalogued,
    entered: &HashSet<JobId>,
    place: &str,
) -> Verdict {
    let (key, job) = (&manifest.key, &manifest.job_id);
    if !has.tenant {
        return Verdict::Refuse(unknown_tenant(manifest, place));
    }
    if has.foreign {
        return Verdict::Refuse(
            "its ids belong to another tenant in the catalogue; the files were tampered with".to_owned(),
        );
    }
    if has.removed {
        return Verdict::Leave("it was deleted, and its files have come back; the worker removes them".to_owned());
    }
    let of_another = |other: &SnapshotId| {
        Verdict::Leave(format!(
            "job {job} made {other}, and this is what an earlier attempt left; the worker removes it"
        ))
    };
    if let Some(result) = &has.result {
        return of_another(result);
    }
    if entered.contains(job) {
        return Verdict::Leave(format!("a later snapshot of the same job {job} is entered"));
    }
    match (has.job, &has.made, &has.held_by) {
        (Some(JobState::Succeeded | JobState::Partial), Some(made), _) if *made != key.snapshot_id => {
            return of_another(made);
        }
        (Some(state @ (JobState::Failed | JobState::Cancelled)), ..) => {
            return Verdict::Leave(format!(
                "its job {job} ended as {state}, and this is what it left; the worker removes it"
            ));
        }
        (Some(JobState::Running), _, Some(worker)) => {
            return Verdict::Refuse(format!(
                "its job {job} runs on worker {worker} just now; try again when that is over"
            ));
        }
        _ => {}
    }
    match recovered(storage, manifest) {
        Ok(recovered) => {
            let note = (!has.openable).then(|| {
                "xVault does not have the key that opens it: only whoever holds that key can restore it".to_owned()
            });
            Verdict::Enter(Box::new(recovered), note)
        }
        Err(why) => Verdict::Refuse(why),
    }
}

fn unknown_tenant(manifest: &Manifest, place: &str) -> String {
    format!(
        "the catalogue does not have its tenant {}, so the key that opens it is not here and it cannot be entered. \
         Restore a dump of the catalogue that has the tenant and run this again; or open it by hand with the tenant's \
         recovery sheet: xvault artifact extract {place} --identity FILE --to DIR. The files stay as they are",
        manifest.key.tenant_id
    )
}

/// What the backup once told the catalogue, out of the snapshot's own files.
fn recovered(storage: &dyn Storage, manifest: &Manifest) -> Result<Recovered, String> {
    let files = Stored {
        storage,
        key: &manifest.key,
    };
    let header = |file| artifact::age_header(&files, file).map_err(|error| error.message);
    let stored = ArtifactFile::ALL.iter().map(|file| storage.head(&manifest.key, *file));
    let bytes_stored: Result<u64, _> = stored.sum();
    let text = |file: ArtifactFile| {
        let sum = manifest.files.get(file.name());
        sum.map(|sum| sum.sha256.clone())
            .ok_or_else(|| format!("its manifest lacks {}", file.name()))
    };
    Ok(Recovered {
        kind: manifest.source_kind.parse()?,
        created_at: manifest.created_at,
        snapshot: NewSnapshot {
            key: manifest.key.clone(),
            job_id: manifest.job_id.clone(),
            state: manifest.state,
            // Of a sparse file the manifest knows the length, not how much of it came over the wire.
            bytes_source: manifest.sizes.content,
            bytes_stored: bytes_stored.map_err(|error| error.to_string())?,
            files: manifest.counts.entries(),
            sha256: text(ArtifactFile::Backup)?,
            manifest_sha256: artifact::meta(&files).map_err(|error| error.message)?.manifest_sha256,
            locator: storage.locator(&manifest.key),
            encryption: manifest.encryption.clone(),
            backup_header: header(ArtifactFile::Backup)?,
            index_header: header(ArtifactFile::Index)?,
            warnings: Warnings {
                count: manifest.warnings.count,
                // Their text stands in the encrypted index.
                sample: Vec::new(),
            },
            // Like their names.
            dumps: Vec::new(),
        },
    })
}
