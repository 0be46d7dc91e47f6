//! Writes (parts of) a snapshot to a server: files to where files are, dumps into new databases. A dry run changes nothing.

mod databases;
mod dumps;
mod files;

use std::sync::Arc;

use super::{brief_lacks, key_unavailable, opened::Opened, snapshot_key, verify::catalogued};
use crate::{
    artifact::Keys,
    db::jobs::Finished,
    domain::{
        entry::{Problem, ProblemKind},
        error_code::ErrorCode,
        job::{JobError, Warnings},
        server_restore::{RestoreAction, RestoreLine, RestoreReport, ServerRestore},
        source::SourceKind,
    },
    worker::{
        attempt::Attempt,
        node::Node,
        outcome::{Effect, Outcome},
    },
};

/// Restores what the job was told, where it was told.
pub async fn run(node: &Arc<Node>, attempt: &Arc<Attempt>, order: &ServerRestore) -> Result<Outcome, JobError> {
    let key = snapshot_key(attempt)?;
    catalogued(node, attempt).await?;
    let brief = attempt.brief(node).await?;
    let keys = brief.file_keys.ok_or_else(|| key_unavailable("Restoring"))?;
    let keys = Keys::try_from(&keys).map_err(|_| brief_lacks("usable file keys"))?;
    let target = brief.target.ok_or_else(|| brief_lacks("the source to write to"))?;
    let message = format!("Connecting to {}", target.config.target().host);
    attempt.phase(node, "connecting", &message).await;
    let snapshot = Opened {
        storage: node.storage.clone(),
        key,
        keys: Arc::new(keys),
    };
    let report = match target.config.kind() {
        SourceKind::Mysql | SourceKind::Postgres => databases::run(node, attempt, order, snapshot, target).await?,
        _ => files::run(node, attempt, order, snapshot, target).await?,
    };
    judge(attempt, report)
}

/// What a restore came to: nothing restored is a failure, something missing makes it partial.
fn judge(attempt: &Attempt, report: RestoreReport) -> Result<Outcome, JobError> {
    let missing = report.missing();
    let (written, same) = (report.written(), report.count(RestoreAction::Unchanged).entries);
    if !report.dry_run && written.entries + same == 0 && missing > 0 {
        return Err(nothing_restored(&report, missing));
    }
    let message = match report.dry_run {
        true => format!(
            "{} entries would be written to {}, {} bytes; {same} are there already, {missing} cannot be restored",
            written.entries, report.place, written.bytes
        ),
        false => format!(
            "{} entries were written to {}, {} bytes; {same} were there already, {missing} could not be restored",
            written.entries, report.place, written.bytes
        ),
    };
    let partial = !report.dry_run && missing > 0;
    let result = serde_json::to_value(&report).map_err(|error| {
        JobError::new(
            ErrorCode::Internal,
            format!("what the restore came to cannot be told: {error}"),
            "Report it",
        )
        .permanent()
    })?;
    Ok(Outcome {
        end: Finished {
            partial,
            snapshot_id: None,
            result,
            warnings: match report.dry_run {
                true => Warnings::default(),
                false => warnings(&report, missing),
            },
            progress: attempt.progress(),
            message,
        },
        effect: Effect::Nothing,
    })
}

fn warnings(report: &RestoreReport, missing: u64) -> Warnings {
    let lines = report.sample.iter().filter(|line| line.action.is_missing());
    let problem = |line: &RestoreLine| Problem {
        kind: ProblemKind::NotWritten,
        path: line.path.clone(),
        message: line.why.clone().unwrap_or_else(|| "was not written".to_owned()),
    };
    let not_set = report.not_set.iter().map(|what| Problem {
        kind: ProblemKind::Note,
        path: report.into.clone(),
        message: what.clone(),
    });
    Warnings {
        count: missing + report.not_set.len() as u64,
        sample: not_set.chain(lines.map(problem)).take(Warnings::SAMPLE).collect(),
    }
}

fn nothing_restored(report: &RestoreReport, missing: u64) -> JobError {
    let first = report.sample.iter().find(|line| line.action.is_missing());
    let first = first.map_or_else(String::new, |line| {
        format!(
            ", the first of them {}: {}",
            line.path,
            line.why.as_deref().unwrap_or("refused")
        )
    });
    let refused = report.count(RestoreAction::Refused).entries == missing;
    let (code, hint) = match refused {
        true => (
            ErrorCode::TargetDenied,
            "Give this one job a login that may write there, or choose another directory.",
        ),
        false => (
            ErrorCode::NothingRestored,
            "Choose another directory to restore into, or other paths.",
        ),
    };
    JobError::new(
        code,
        format!("nothing could be written to {}: {missing} entries{first}", report.place),
        hint,
    )
}
