//! States and kinds: a shape, a word and a colour each, so that colour alone never tells.

use askama::{
    Result, Values,
    filters::{Html, Safe, escape},
};

use super::{Deep, context::icon_tag};
use crate::domain::{
    entry::Problem,
    job::{JobKind, JobState},
};

/// Tone (a CSS class), drawing and word of every state there is.
const BADGES: &[(&str, &str, &str, &str)] = &[
    // jobs
    ("queued", "", "queued", "Queued"),
    ("running", "busy", "running", "Running"),
    ("succeeded", "good", "check", "Succeeded"),
    ("partial", "warn", "partial", "Partial"),
    ("failed", "bad", "cross", "Failed"),
    ("cancelled", "", "cancelled", "Cancelled"),
    // snapshots
    ("complete", "good", "check", "Complete"),
    ("damaged", "bad", "cross", "Damaged"),
    ("missing", "bad", "cross", "Missing"),
    ("deleting", "", "cancelled", "Being deleted"),
    // workers
    ("active", "good", "check", "Online"),
    ("paused", "warn", "partial", "Paused"),
    ("draining", "warn", "partial", "Drained"),
    ("stopping", "", "queued", "Shutting down"),
    ("stopped", "", "cancelled", "Stopped"),
    ("away", "bad", "cross", "Away"),
    ("retired", "", "cancelled", "Retired"),
    // sources
    ("protected", "good", "check", "Protected"),
    ("incomplete", "warn", "partial", "Last backup partial"),
    ("failing", "bad", "cross", "Last backup failed"),
    ("unapproved", "warn", "key", "Identity to approve"),
    ("unprotected", "", "queued", "Not backed up yet"),
    ("removed", "", "cancelled", "Removed"),
    // links of restores
    ("ready", "good", "check", "Ready"),
    ("downloaded", "", "check", "Downloaded"),
    ("expired", "", "cancelled", "Expired"),
    ("hidden", "", "key", "Not for your role"),
    // paths, sign-ins, people
    ("ok", "good", "check", "Found"),
    ("not_found", "bad", "cross", "Not found"),
    ("permission_denied", "bad", "cross", "No permission"),
    ("error", "bad", "cross", "Error"),
    ("accepted", "good", "check", "Accepted"),
    ("invited", "", "queued", "Invited"),
    ("due", "warn", "partial", "Not downloaded yet"),
];

/// A state as a badge.
#[askama::filter_fn]
pub fn badge<T: std::fmt::Display>(state: T, _: &dyn Values) -> Result<Safe<String>> {
    let state = state.to_string();
    let known = BADGES.iter().find(|(name, ..)| *name == state);
    let &(_, tone, icon, word) = known.unwrap_or(&("", "", "info", &state));
    Ok(Safe(tag(tone, icon, &escape(word, Html)?.to_string())))
}

/// What a problem means, as a badge.
#[askama::filter_fn]
pub fn badge_problem<T: Deep<Problem>>(problem: T, _: &dyn Values) -> Result<Safe<String>> {
    let (tone, icon, word) = match problem.deep().kind {
        crate::domain::entry::ProblemKind::NotWritten => ("bad", "cross", "Not restored"),
        kind if kind.makes_partial() => ("bad", "cross", "Not stored"),
        crate::domain::entry::ProblemKind::Changed => ("", "info", "Changed meanwhile"),
        crate::domain::entry::ProblemKind::Vanished => ("", "info", "Vanished meanwhile"),
        crate::domain::entry::ProblemKind::SpecialSkipped => ("", "info", "Skipped"),
        _ => ("", "info", "Note"),
    };
    Ok(Safe(tag(tone, icon, word)))
}

fn tag(tone: &str, icon: &str, word: &str) -> String {
    format!(r#"<span class="badge {tone}">{}{word}</span>"#, icon_tag(icon))
}

/// True while a worker holds the job.
#[askama::filter_fn]
pub fn is_running<T: Deep<JobState>>(state: T, _: &dyn Values) -> Result<bool> {
    Ok(*state.deep() == JobState::Running)
}

/// What a job does, as a noun.
#[askama::filter_fn]
pub fn kind<T: Deep<JobKind>>(kind: T, _: &dyn Values) -> Result<&'static str> {
    Ok(kind_word(*kind.deep()))
}

/// The same for code.
pub fn kind_word(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Backup => "Backup",
        JobKind::Restore => "Restore",
        JobKind::Verify => "Verification",
        JobKind::Delete => "Deletion",
        JobKind::Probe => "Connection check",
    }
}

/// What a running job is doing, as a sentence's beginning.
#[askama::filter_fn]
pub fn phase<T: Deep<Option<String>>>(phase: T, _: &dyn Values) -> Result<String> {
    Ok(phase_text(phase.deep().as_deref()))
}

/// The same for code.
pub fn phase_text(phase: Option<&str>) -> String {
    capitalised(&phase.unwrap_or("starting").replace('_', " "))
}

/// A word of ours with a capital letter.
#[askama::filter_fn]
pub fn word<T: std::fmt::Display>(word: T, _: &dyn Values) -> Result<String> {
    Ok(capitalised(&word.to_string()))
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

/// How a source is read, in words.
#[askama::filter_fn]
pub fn transport<T: AsRef<str>>(transport: T, _: &dyn Values) -> Result<String> {
    let named = |transport: &str| match transport {
        "ssh-tar" => "tar over SSH".to_owned(),
        "sftp" => "SFTP".to_owned(),
        "ftps-mlsd" | "ftps-list" => "FTP with TLS".to_owned(),
        "ftp-mlsd" | "ftp-list" => "plain FTP".to_owned(),
        "mysql" | "postgres" => "the worker's client program".to_owned(),
        "mysql-forwarded" | "postgres-forwarded" => "the worker's client program, through SSH".to_owned(),
        "mysql-on-host" | "postgres-on-host" => "the client program of the SSH host".to_owned(),
        other => other.to_owned(),
    };
    // A site is read in two ways: its files, then its database.
    Ok(match transport.as_ref().split_once('+') {
        Some((files, database)) => format!("{}; the database by {}", named(files), named(database)),
        None => named(transport.as_ref()),
    })
}

/// Name of a credential field.
#[askama::filter_fn]
pub fn credential<T: AsRef<str>>(field: T, _: &dyn Values) -> Result<String> {
    let name = field.as_ref();
    let (rest, whose) = match (name.strip_prefix("jump_"), name.strip_prefix("ssh_")) {
        (Some(rest), _) => (rest, " (jump host)"),
        (_, Some(rest)) => (rest, " (SSH host)"),
        _ => (name, ""),
    };
    Ok(format!("{}{whose}", capitalised(&rest.replace('_', " "))))
}

/// The last backups of a source, oldest first: full marks for good ones, a half one for partial, a low one
/// for failed, so height tells as well as colour.
#[askama::filter_fn]
pub fn history<T: AsRef<[JobState]>>(states: T, _: &dyn Values) -> Result<Safe<String>> {
    const MARKS: usize = 10;
    let states = states.as_ref();
    let mut html = String::new();
    for _ in states.len()..MARKS {
        html.push_str(
            r#"<svg viewBox="0 0 8 20"><rect class="none" x="1" y="15" width="6" height="3" rx="1.5"/></svg>"#,
        );
    }
    let (mut good, mut partial, mut failed) = (0, 0, 0);
    for state in states.iter().rev().take(MARKS).rev() {
        let (class, top) = match state {
            JobState::Succeeded => ("good", 2),
            JobState::Partial => ("warn", 7),
            JobState::Failed => ("bad", 12),
            _ => ("none", 12),
        };
        match state {
            JobState::Succeeded => good += 1,
            JobState::Partial => partial += 1,
            JobState::Failed => failed += 1,
            _ => {}
        }
        let height = 18 - top;
        html.push_str(&format!(
            r#"<svg viewBox="0 0 8 20"><rect class="{class}" x="1" y="{top}" width="6" height="{height}" rx="1.5"/></svg>"#
        ));
    }
    let label = match states.len() {
        0 => "no backups yet".to_owned(),
        _ => format!("last backups: {good} succeeded, {partial} partial, {failed} failed"),
    };
    Ok(Safe(format!(
        r#"<span class="history" role="img" aria-label="{label}" title="{label}">{html}</span>"#
    )))
}
