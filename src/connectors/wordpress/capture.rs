//! One capture: the configuration, the database, the files, and what was captured when.

use std::cmp::max;

use tokio_util::sync::CancellationToken;

use super::{
    connector::{JobClock, WordpressSource},
    database::{self, SiteDatabase},
    locate::locate,
    places::Places,
    remote::Remote,
    settings::{self, Settings},
};
use crate::{
    connectors::{
        CaptureReport, CaptureSink,
        open::ConnectorContext,
        ssh::{self, session::SshSession},
    },
    domain::{
        entry::{EntryPath, InvalidPath, ProblemKind},
        error_code::ErrorCode,
        exclude::ExcludeSet,
        job::JobError,
        site::Site,
    },
};

/// What the dump of a site's database never holds.
pub(super) const NOT_CAPTURED: &[&str] =
    &["Changes between the dump of the database and the end of reading the files: they are in the files only."];

/// What is known before the database is opened.
pub(super) struct Found {
    pub(super) settings: Settings,
    pub(super) wordpress: Option<String>,
    pub(super) target: (String, u16),
}

impl Found {
    /// Looks at a site's files.
    pub(super) async fn look(
        session: &SshSession,
        source: &WordpressSource,
        cancel: &CancellationToken,
    ) -> Result<Self, JobError> {
        let remote = Remote::new(session, cancel).await?;
        let located = locate(&remote, &source.config.path).await?;
        let settings = Settings::find(&remote, located).await?;
        let wordpress = settings::version(&remote, &settings).await?;
        let target = database::target(&remote, &settings).await?;
        Ok(Self {
            settings,
            wordpress,
            target,
        })
    }
}

/// Captures a site: first its database, then its files. A file that comes between is an upload that no row
/// mentions; the other way round, rows would mention files that are missing.
pub(super) async fn capture(
    source: &WordpressSource,
    ctx: &ConnectorContext,
    clock: JobClock,
    sink: &CaptureSink,
    cancel: &CancellationToken,
) -> Result<CaptureReport, JobError> {
    let ssh = source.ssh(vec![source.config.path.clone()]);
    let connecting = cancel.run_until_cancelled(SshSession::connect(&ssh, ctx));
    let session = connecting.await.ok_or_else(cancelled)??;
    let found = match Found::look(&session, source, cancel).await {
        Ok(found) => found,
        Err(error) => {
            session.close().await;
            return Err(error);
        }
    };
    let Found {
        settings,
        wordpress,
        target,
    } = found;
    let database = SiteDatabase::open(source, &settings, target, ctx, session, cancel).await?;
    let (facts, upload_path) = (
        database.facts(&settings, wordpress),
        database.options.upload_path.clone(),
    );
    let (out_of_sight, _) = database.owned.out_of_sight();
    let dumped = database.dump(&settings, clock, sink, cancel).await;
    let Some(session) = database.into_session() else {
        return Err(JobError::new(
            ErrorCode::Internal,
            "the database was reached without its host",
            "",
        ));
    };
    let captured = async {
        let database_as_of = dumped?;
        let remote = Remote::new(&session, cancel).await?;
        let places = Places::find(&remote, &settings, &source.config.path, upload_path.as_deref()).await?;
        notes(&settings, &places, sink).await?;
        let files_from = clock.now();
        let mut report = files(&session, source, &places, sink, cancel).await?;
        let files_until = max(clock.now(), files_from);
        let mut site = Site {
            facts,
            database_as_of,
            files_from,
            files_until,
            apart_seconds: (files_until - database_as_of).num_seconds().unsigned_abs(),
        };
        site.facts.directories = places.real;
        // Strings, numbers and times always serialise.
        let mut json = serde_json::to_vec_pretty(&site).unwrap_or_default();
        json.push(b'\n');
        sink.document(record_path()?, json).await?;
        report.transport = format!("{}+{}", report.transport, site.facts.database_transport);
        report.not_carried.extend(out_of_sight);
        report
            .not_carried
            .extend(NOT_CAPTURED.iter().map(|&sentence| sentence.to_owned()));
        report.site = Some(site);
        Ok(report)
    };
    let result = captured.await;
    session.close().await;
    result
}

fn cancelled() -> JobError {
    JobError::new(ErrorCode::Cancelled, "the backup was cancelled", "")
}

fn record_path() -> Result<EntryPath, JobError> {
    EntryPath::new(b"wordpress.json")
        .map_err(|invalid: InvalidPath| JobError::new(ErrorCode::Internal, invalid.to_string(), ""))
}

/// What the owner should know of how the site was found.
async fn notes(settings: &Settings, places: &Places, sink: &CaptureSink) -> Result<(), JobError> {
    if settings.asked_php {
        let text =
            "part of it could only be worked out by the server's own PHP, which was allowed to read and nothing else";
        let path = settings.located.config.as_bytes();
        sink.problem(ProblemKind::Note, path, text).await?;
    }
    for (name, real) in &places.refused {
        let text = format!("leads to {real}, which is more than this site; that is not captured");
        sink.problem(ProblemKind::Note, name.as_bytes(), text).await?;
    }
    Ok(())
}

async fn files(
    session: &SshSession,
    source: &WordpressSource,
    places: &Places,
    sink: &CaptureSink,
    cancel: &CancellationToken,
) -> Result<CaptureReport, JobError> {
    let excludes = ExcludeSet::new(&source.config.exclude).map_err(|(_, invalid)| {
        JobError::new(
            ErrorCode::Internal,
            format!("an exclude pattern of the source {invalid}"),
            "Correct the source's exclude patterns.",
        )
        .permanent()
    })?;
    let source = source.ssh(places.paths.clone());
    ssh::capture_over(session, &source, &excludes, sink, cancel).await
}
