//! One capture over FTP: log in, find the roots, walk, fetch, hand on.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::mpsc;

use super::{
    crew,
    dial::Dialer,
    emit,
    error::FtpError,
    not_carried,
    roots::{self, Found},
    tasks::Tasks,
    walk::{Root, Walk},
};
use crate::{
    connectors::{
        CaptureReport, CaptureSink,
        roots::{Resolved, Roots},
    },
    domain::{entry::Captured, error_code::ErrorCode, exclude::ExcludeSet, job::JobError},
};

/// Things found ahead of being handed on. Files up to 64 KiB wait in memory, so this bounds it.
const FOUND_AHEAD: usize = 128;

/// Captures a source. May be dropped at any await: its connections end with it.
///
/// # Errors
/// Every way this can fail has its own code; see [`ErrorCode`].
pub async fn capture(dialer: Arc<Dialer>, sink: &CaptureSink) -> Result<CaptureReport, JobError> {
    let place = dialer.place().to_owned();
    run(dialer, sink).await.map_err(|error| error.into_job_error(&place))
}

async fn run(dialer: Arc<Dialer>, sink: &CaptureSink) -> Result<CaptureReport, FtpError> {
    let source = dialer.source();
    let excludes = ExcludeSet::new(&source.config.exclude).map_err(|(_, invalid)| {
        JobError::new(
            ErrorCode::Internal,
            format!("an exclude pattern of the source {invalid}"),
            "Correct the source's exclude patterns.",
        )
    })?;
    let mut connection = dialer.connect().await?;
    let login_dir = roots::login_dir(&mut connection).await?;
    let mut found = Vec::with_capacity(source.config.paths.len());
    for path in &source.config.paths {
        found.push(roots::find(&mut connection, source, path, &login_dir).await?);
    }
    let mlsd = connection.features.mlsd;
    let (roots, walked) = plan(found, &login_dir, &excludes);
    for note in &roots.notes {
        sink.send(Captured::Problem(note.clone())).await?;
    }
    let workers = usize::from(source.config.connections);
    let tasks = Arc::new(Tasks::new(workers));
    let mut crew = crew::start(&dialer, &tasks, workers, connection);
    let (slots_sender, slots) = mpsc::channel(FOUND_AHEAD);
    tokio::try_join!(
        Walk::new(&tasks, &roots, &excludes, source.now, slots_sender).run(walked),
        emit::run(slots, sink),
    )?;
    // All is handed on: what is left are farewells.
    while crew.join_next().await.is_some() {}
    Ok(CaptureReport {
        transport: not_carried::transport(source, mlsd),
        not_carried: not_carried::by_ftp(source, mlsd),
        site: None,
    })
}

/// What to read: none of it below another, each with what is known of it.
fn plan(found: Vec<Found>, login_dir: &[u8], excludes: &ExcludeSet) -> (Roots, Vec<Root>) {
    let resolved: Vec<_> = found
        .iter()
        .map(|found| Resolved {
            given: found.given.clone(),
            place: found.path.clone(),
            link: None,
        })
        .collect();
    let mut roots = Roots::plan(&resolved, login_dir, excludes);
    if found.iter().any(|found| found.is_system) {
        roots = roots.without_pseudo();
    }
    let mut facts: HashMap<_, _> = found.into_iter().map(|found| (found.path, found.facts)).collect();
    let walked = roots.paths.iter().filter_map(|path| {
        let (path, facts) = facts.remove_entry(path)?;
        Some(Root { path, facts })
    });
    let walked = walked.collect();
    (roots, walked)
}
