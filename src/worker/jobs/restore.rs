//! Makes an export of a snapshot: decrypted, checked, packed anew, and sealed for the holder of the
//! download link, in one stream into a file in the data directory.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
    sync::Arc,
};

use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::{blocking, brief_lacks, key_unavailable, snapshot_key, verify::catalogued};
use crate::{
    artifact::{self, ExportReport, Gauge, Keys, Stored},
    crypto::{age_keys, tokens},
    db::jobs::Finished,
    domain::{
        error_code::ErrorCode,
        export::{self, NewExport},
        ids::ExportId,
        job::{ExportFormat, JobError, Warnings},
        snapshot::{Snapshot, SnapshotKey},
    },
    worker::{
        attempt::Attempt,
        node::Node,
        outcome::{Effect, Outcome},
    },
};

/// Kept free beside an export, in bytes: the disk is shared with others.
const MARGIN: u64 = 64 * 1024 * 1024;

/// Makes the export of this job.
pub async fn run(
    node: &Arc<Node>,
    attempt: &Arc<Attempt>,
    export_id: &ExportId,
    format: ExportFormat,
    paths: &[String],
) -> Result<Outcome, JobError> {
    let key = snapshot_key(attempt)?;
    let snapshot = catalogued(node, attempt).await?;
    let brief = attempt.brief(node).await?;
    let keys = brief.file_keys.ok_or_else(|| key_unavailable("Restoring"))?;
    let keys = Keys::try_from(&keys).map_err(|_| brief_lacks("usable file keys"))?;
    let token = brief.export_token.ok_or_else(|| brief_lacks("the export's token"))?;
    attempt.phase(node, "exporting", "Reading the snapshot").await;

    let place = node.export_path(export_id);
    let order = Order {
        key,
        keys,
        format,
        paths: paths.to_vec(),
        // Only the whole has a size that is known before.
        expected: paths.is_empty().then_some(snapshot.new.bytes_source),
        recipient: token.clone(),
        aside: node
            .exports_dir()
            .join(format!(".{export_id}.{}", attempt.lease.lease_id)),
    };
    let storage = node.storage.clone();
    let made = blocking(attempt, move |gauge| {
        let made = order.make(storage.as_ref(), gauge);
        if made.is_err() {
            // What is left of it would be removed at the next start; better now.
            let _ = fs::remove_file(&order.aside);
        }
        made.and_then(|made| {
            fs::rename(&order.aside, &place).map_err(|error| failed(&place, &error))?;
            sync_directory(&place).map_err(|error| failed(&place, &error))?;
            Ok(made)
        })
    })
    .await?;
    Ok(outcome(
        node,
        attempt,
        export_id,
        (format, paths),
        &token,
        &snapshot,
        made,
    ))
}

/// Everything the blocking part needs.
struct Order {
    key: SnapshotKey,
    keys: Keys,
    format: ExportFormat,
    paths: Vec<String>,
    expected: Option<u64>,
    recipient: SecretString,
    aside: std::path::PathBuf,
}

/// A finished export.
struct Made {
    report: ExportReport,
    sha256: String,
    bytes: u64,
}

impl Order {
    fn make(&self, storage: &dyn crate::storage::Storage, gauge: &Gauge) -> Result<Made, JobError> {
        self.check_space()?;
        let fault = |error: &io::Error| failed(&self.aside, error);
        let file = File::create(&self.aside).map_err(|error| fault(&error))?;
        let identity = age_keys::export_identity(&self.recipient);
        let recipient = identity.to_public();
        let sealed = age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))
            .map_err(io::Error::other)
            .and_then(|encryptor| encryptor.wrap_output(BufWriter::with_capacity(256 * 1024, file)))
            .map_err(|error| fault(&error))?;
        let mut out = Measured {
            inner: sealed,
            sha256: Sha256::new(),
            bytes: 0,
            fault: None,
        };
        let files = Stored {
            storage,
            key: &self.key,
        };
        let exported = artifact::export(&files, &self.keys, &self.paths, self.format, &mut out, gauge);
        let report = match (exported, out.fault.take()) {
            (Ok(report), _) => report,
            // The reason of our own side is better than its echo.
            (Err(_), Some(error)) => return Err(fault(&error)),
            (Err(error), None) => return Err(error),
        };
        let (bytes, sha256) = (out.bytes, hex(&out.sha256.finalize()));
        out.inner
            .finish()
            .and_then(|buffered| buffered.into_inner().map_err(io::IntoInnerError::into_error))
            .and_then(|file| file.sync_all())
            .map_err(|error| fault(&error))?;
        if bytes == 0 && report.files > 0 {
            return Err(JobError::new(
                ErrorCode::ExportLimit,
                "the chosen file is empty: there is nothing to download",
                "Choose another file, or another format",
            ));
        }
        if report.files == 0 {
            return Err(JobError::new(
                ErrorCode::PathNotFound,
                "none of the chosen paths is in the snapshot",
                "Choose paths in the snapshot's file browser",
            ));
        }
        Ok(Made { report, sha256, bytes })
    }

    /// Fails early where the end is foreseeable.
    fn check_space(&self) -> Result<(), JobError> {
        let directory = self.aside.parent().unwrap_or(Path::new("/"));
        let Ok(space) = rustix::fs::statvfs(directory) else {
            return Ok(());
        };
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        match self.expected {
            Some(expected) if expected.saturating_add(MARGIN) > free => Err(JobError::new(
                ErrorCode::StorageFull,
                format!(
                    "the export needs about {} MiB, and {} has {} MiB free",
                    expected >> 20,
                    directory.display(),
                    free >> 20
                ),
                "Free some space in the worker's data directory, or restore fewer paths",
            )),
            _ => Ok(()),
        }
    }
}

/// Counts and hashes what passes, and keeps the reason why it could not.
struct Measured<W> {
    inner: W,
    sha256: Sha256,
    bytes: u64,
    fault: Option<io::Error>,
}

impl<W: Write> Write for Measured<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self.inner.write(data) {
            Ok(n) => {
                self.sha256.update(&data[..n]);
                self.bytes += n as u64;
                Ok(n)
            }
            Err(error) => {
                let echo = io::Error::new(error.kind(), error.to_string());
                self.fault = Some(error);
                Err(echo)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn failed(path: &Path, error: &io::Error) -> JobError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => JobError::new(
            ErrorCode::StorageFull,
            format!("no space is left for the export {}", path.display()),
            "Free some space in the worker's data directory, or restore fewer paths",
        ),
        _ => JobError::new(
            ErrorCode::StorageFailed,
            format!("the export {} could not be written: {error}", path.display()),
            "Check the worker's data directory",
        ),
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn outcome(
    node: &Node,
    attempt: &Attempt,
    export_id: &ExportId,
    (format, paths): (ExportFormat, &[String]),
    token: &SecretString,
    snapshot: &Snapshot,
    made: Made,
) -> Outcome {
    let key = &snapshot.new.key;
    let file_name = export::file_name(snapshot.created_at, &key.snapshot_id, format, paths);
    Outcome {
        end: Finished {
            partial: false,
            snapshot_id: None,
            result: serde_json::json!({
                "export_id": export_id,
                "format": format.as_str(),
                "file_name": file_name,
                "files": made.report.files,
                "bytes": made.bytes,
                "sha256": made.sha256,
            }),
            warnings: Warnings::default(),
            progress: attempt.progress(),
            message: format!(
                "{} entries are ready for download, {} bytes",
                made.report.files, made.bytes
            ),
        },
        effect: Effect::Exported(Box::new(NewExport {
            id: export_id.clone(),
            tenant_id: key.tenant_id.clone(),
            job_id: attempt.job.id.clone(),
            snapshot_id: key.snapshot_id.clone(),
            worker_id: node.id.clone(),
            format,
            file_name,
            token_hash: tokens::hash(token),
            bytes: made.bytes,
            sha256: made.sha256,
        })),
    }
}
