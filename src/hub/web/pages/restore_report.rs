//! What a restore to a server did, or would do, as a page shows it.

use crate::{
    domain::server_restore::{RestoreAction, RestoreLine, RestoreReport},
    hub::views::JobView,
};

/// A report with the words for it.
pub struct Report {
    pub report: RestoreReport,
    /// What happens to how many, in the order of the actions.
    pub rows: Vec<Row>,
    /// True if there is less room than is needed.
    pub too_little_room: bool,
}

/// All things of one action.
pub struct Row {
    pub word: &'static str,
    pub about: &'static str,
    /// Class of its colour.
    pub tone: &'static str,
    pub entries: u64,
    pub bytes: u64,
    /// Where it begins in the picture, and how wide it is, of 1000.
    pub begin: u64,
    pub width: u64,
    pub lines: Vec<RestoreLine>,
    /// How many there are beside `lines`.
    pub more: u64,
}

impl Report {
    /// That of a finished job, if it is a restore to a server.
    pub fn of(job: &JobView) -> Option<Self> {
        job.target.as_ref().filter(|_| job.state.is_final())?;
        let report: RestoreReport = serde_json::from_value(job.result.clone()?).ok()?;
        let all: u64 = report.counts.values().map(|count| count.entries).sum();
        let mut begin = 0;
        let mut rows = Vec::new();
        for (&action, count) in &report.counts {
            // At least a sliver.
            let width = (count.entries.saturating_mul(1000) / all.max(1)).max(4);
            let (word, about, tone) = words(action, report.dry_run);
            let lines: Vec<_> = report
                .sample
                .iter()
                .filter(|line| line.action == action)
                .cloned()
                .collect();
            rows.push(Row {
                word,
                about,
                tone,
                entries: count.entries,
                bytes: count.bytes,
                begin,
                width,
                more: count.entries.saturating_sub(lines.len() as u64),
                lines,
            });
            begin += width;
        }
        let needed = report.written().bytes;
        Some(Self {
            too_little_room: report.free_bytes.is_some_and(|free| free < needed),
            report,
            rows,
        })
    }

    /// True if there is something to be done.
    pub fn writes(&self) -> bool {
        self.report.written().entries > 0
    }
}

fn words(action: RestoreAction, dry_run: bool) -> (&'static str, &'static str, &'static str) {
    match (action, dry_run) {
        (RestoreAction::Create, true) => ("Will be created", "Not there now.", "good"),
        (RestoreAction::Create, false) => ("Created", "Was not there.", "good"),
        (RestoreAction::Overwrite, true) => ("Will be overwritten", "There, and different.", "warn"),
        (RestoreAction::Overwrite, false) => ("Overwritten", "Was there, and different.", "warn"),
        (RestoreAction::Unchanged, _) => ("There already", "Same size, time and mode. Left alone.", "quiet"),
        (RestoreAction::Keep, _) => ("Kept", "There already, and what is there is kept.", "quiet"),
        (RestoreAction::Conflict, _) => ("In the way", "Something else has that name. Never touched.", "bad"),
        (RestoreAction::Refused, true) => ("Cannot be restored", "The server does not let it.", "bad"),
        (RestoreAction::Refused, false) => ("Refused", "The server did not let it be written.", "bad"),
        (RestoreAction::Incomplete, _) => (
            "Not in the backup",
            "Could not be read whole when it was backed up.",
            "bad",
        ),
    }
}
