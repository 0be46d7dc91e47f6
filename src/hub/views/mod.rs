//! What actions answer: serialised by the API, shown by the pages. Never holds a secret, except those that
//! are shown exactly once and say so.

mod alert;
mod job;
mod people;
mod snapshot;
mod source;
mod worker;

pub use alert::{AlertKind, AlertView, Severity};
pub use job::{JobEventView, JobView, RestoreTarget, WaitingFor};
pub use people::{ApiKeyCreated, ApiKeyView, MeView, MemberCreated, MemberView, TenantRef, TenantView, UserRef};
pub use snapshot::SnapshotView;
pub use source::{CredentialView, IdentityView, SourceView};
pub use worker::{
    DiskView, HeldView, RetiredView, RunningJobView, StorageView, WaitingJobsView, WorkerDetailView, WorkerView,
};
