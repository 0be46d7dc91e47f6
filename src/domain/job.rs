//! Jobs: kinds, states and what a finished job leaves behind.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    entry::Problem,
    error_code::ErrorCode,
    ids::{JobId, SnapshotId, SourceId, TenantId, WorkerId},
};

macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ::serde::Serialize, ::serde::Deserialize, ::utoipa::ToSchema)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every value.
            pub const ALL: &'static [$name] = &[$(Self::$variant,)*];

            /// The stable text form, as in the database and the API.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(format!("unknown value {text:?}; one of: {}", [$($text),*].join(", "))),
                }
            }
        }
    };
}
pub(crate) use text_enum;

text_enum! {
    /// What a job does.
    JobKind {
        /// Capture a source into a new snapshot.
        Backup = "backup",
        /// Make an export of a snapshot.
        Restore = "restore",
        /// Re-read a snapshot and check it.
        Verify = "verify",
        /// Remove a snapshot's files.
        Delete = "delete",
        /// Look at a source without capturing it.
        Probe = "probe",
    }
}

text_enum! {
    /// Where a job stands; see the state machine in `docs/architecture.md`.
    JobState {
        /// Waiting for a worker, or for its next attempt's time.
        Queued = "queued",
        /// Held by a worker under a lease.
        Running = "running",
        /// Done; warnings allowed.
        Succeeded = "succeeded",
        /// Stored, but something could not be read.
        Partial = "partial",
        /// Ended without result.
        Failed = "failed",
        /// Ended by a person.
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// What keeps a due job waiting although workers may be free.
    HeldBy {
        /// Its server answered that it has too many connections, and is left alone for a while.
        HostBusy = "host_busy",
        /// As many jobs as allowed run on its server.
        HostLimit = "host_limit",
        /// As many jobs as allowed run for its tenant.
        TenantLimit = "tenant_limit",
        /// No worker has the free disk that it needs.
        StorageFull = "storage_full",
    }
}

text_enum! {
    /// How far a verification goes.
    VerifyLevel {
        /// Everything inside is read and compared with its hashes; where the tenant keeps the key, the stored files are.
        Content = "content",
        /// Then each dump of a database is loaded into a throw-away server, and its rows are counted.
        Restore = "restore",
    }
}

impl Default for VerifyLevel {
    /// `content`
    fn default() -> Self {
        Self::Content
    }
}

impl JobState {
    /// True if the job will not change any more.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// How far a running job is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Progress {
    /// Bytes of content moved so far.
    pub bytes: u64,
    /// Files (entries of any kind) handled so far.
    pub files: u64,
    /// Bytes to expect, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
}

/// Why a job failed, in words for the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, utoipa::ToSchema)]
#[error("{code}: {message}")]
pub struct JobError {
    /// The stable cause.
    #[schema(value_type = String)]
    pub code: ErrorCode,
    /// What happened, naming the host or path. Never holds a secret.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// Whether it may pass by itself, where that is not as usual for the code.
    #[serde(skip)]
    transient: Option<bool>,
}

impl JobError {
    /// An error with a hint.
    pub fn new(code: ErrorCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: hint.into(),
            transient: None,
        }
    }

    /// Says that here, unlike usually for the code, only a person can change anything.
    pub fn permanent(self) -> Self {
        Self {
            transient: Some(false),
            ..self
        }
    }

    /// Says that here, unlike usually for the code, it may pass by itself.
    pub fn transient(self) -> Self {
        Self {
            transient: Some(true),
            ..self
        }
    }

    /// True if the same job may succeed later with nothing changed by a person: only then is it tried again.
    pub fn is_transient(&self) -> bool {
        self.transient.unwrap_or_else(|| self.code.is_transient())
    }
}

/// Things worth telling that did not fail the job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Warnings {
    /// How many there were.
    pub count: u64,
    /// The first of them, at most [`Warnings::SAMPLE`].
    pub sample: Vec<Problem>,
}

impl Warnings {
    /// How many are kept in full; all of them stand in the snapshot's encrypted index.
    pub const SAMPLE: usize = 100;

    /// Counts a problem and keeps it if there is room.
    pub fn push(&mut self, problem: Problem) {
        self.count += 1;
        if self.sample.len() < Self::SAMPLE {
            self.sample.push(problem);
        }
    }
}

/// A chosen form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub enum ExportFormat {
    /// Plain tar.
    #[serde(rename = "tar")]
    Tar,
    /// tar in zstd.
    #[serde(rename = "tar.zst")]
    TarZst,
    /// tar in gzip.
    #[serde(rename = "tar.gz")]
    TarGz,
    /// zip.
    #[serde(rename = "zip")]
    Zip,
    /// The one file that was chosen, as it is.
    #[serde(rename = "file")]
    File,
}

impl ExportFormat {
    /// Every format.
    pub const ALL: &'static [ExportFormat] = &[Self::Tar, Self::TarZst, Self::TarGz, Self::Zip, Self::File];

    /// File name extension and API name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tar => "tar",
            Self::TarZst => "tar.zst",
            Self::TarGz => "tar.gz",
            Self::Zip => "zip",
            Self::File => "file",
        }
    }
}

impl std::str::FromStr for ExportFormat {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .iter()
            .copied()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| format!("unknown format {text:?}; one of: tar, tar.zst, tar.gz, zip, file"))
    }
}

/// What a job needs beyond its columns. A public format: versioned by its `type` and `v` from the
/// first day; old ones must load for ever. Holds nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum JobPayload {
    /// For [`JobKind::Backup`].
    Backup {
        /// Payload version, 1.
        v: u8,
    },
    /// For [`JobKind::Restore`].
    Restore {
        /// Payload version, 1.
        v: u8,
        /// The export this job makes.
        export_id: super::ids::ExportId,
        /// Its form.
        format: ExportFormat,
        /// What to restore, as shown by the file browser; everything if empty.
        #[serde(default)]
        paths: Vec<String>,
    },
    /// For [`JobKind::Restore`] to a server instead of for download.
    RestoreToServer {
        /// Payload version, 1.
        v: u8,
        /// What to restore, where, and how.
        order: super::server_restore::ServerRestore,
    },
    /// For [`JobKind::Verify`].
    Verify {
        /// Payload version, 1.
        v: u8,
        /// How far.
        #[serde(default)]
        level: VerifyLevel,
    },
    /// For [`JobKind::Delete`].
    Delete {
        /// Payload version, 1.
        v: u8,
    },
    /// For [`JobKind::Probe`].
    Probe {
        /// Payload version, 1.
        v: u8,
    },
}

/// A job as stored.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// What it does.
    pub kind: JobKind,
    /// Where it stands.
    pub state: JobState,
    /// Queue it waits in: `work`, or `worker.{worker_id}` for data on one worker's disk.
    pub queue: String,
    /// The source it is about.
    pub source_id: SourceId,
    /// The snapshot it reads, or (for a backup) made.
    pub snapshot_id: Option<SnapshotId>,
    /// The rest of the order.
    pub payload: JobPayload,
    /// Attempts begun so far.
    pub attempt: i32,
    /// Attempts allowed. Grows while its server is busy, because that is no fault of the job.
    pub max_attempts: i32,
    /// Tries that ended because its server was busy.
    pub deferrals: i32,
    /// Not before this time.
    pub run_at: DateTime<Utc>,
    /// The worker that holds or last held it.
    pub worker_id: Option<WorkerId>,
    /// True once somebody asked to cancel it.
    pub cancel_requested: bool,
    /// What it is doing just now: `connecting`, `transferring`, `finishing`, …
    pub phase: Option<String>,
    /// How far it is.
    pub progress: Progress,
    /// Why it (or its last attempt) failed.
    pub error: Option<JobError>,
    /// What is worth telling.
    pub warnings: Warnings,
    /// What it found or made.
    pub result: Option<serde_json::Value>,
    /// When it was ordered.
    pub created_at: DateTime<Utc>,
    /// When the current or last attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Job {
    /// What a restore to a server was told; `None` of every other job.
    pub fn server_restore(&self) -> Option<&super::server_restore::ServerRestore> {
        match &self.payload {
            JobPayload::RestoreToServer { order, .. } => Some(order),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_of_version_1_still_load() {
        for text in [
            r#"{"type":"backup","v":1}"#,
            r#"{"type":"restore","v":1,"export_id":"exp_0","format":"tar.zst","paths":["etc"]}"#,
            r#"{"type":"restore","v":1,"export_id":"exp_0","format":"zip"}"#,
            r#"{"type":"restore_to_server","v":1,"order":{"target_source_id":"src_0","dry_run":true}}"#,
            r#"{"type":"verify","v":1}"#,
            r#"{"type":"verify","v":1,"level":"restore"}"#,
            r#"{"type":"delete","v":1}"#,
            r#"{"type":"probe","v":1}"#,
        ] {
            serde_json::from_str::<JobPayload>(text).unwrap();
        }
    }
}
