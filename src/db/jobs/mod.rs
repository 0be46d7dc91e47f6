//! The `jobs` table: the truth about every unit of work. (The queue's rows are only tickets.)
//!
//! A transition is one guarded UPDATE plus its event, in the caller's transaction; whoever holds an
//! old lease is refused. Tickets are the queue's business: see `queue::requeue`.

mod cancel;
mod claim;
mod finish;
mod lease;
mod order;
mod read;
mod reap;
mod row;

pub use cancel::{Cancellation, request_cancel};
pub use claim::{Claimed, claim, has_due};
pub use finish::{AfterFailure, Finished, fail, finish, hand_back};
pub use lease::{Lease, Renewal, enter_phase, held_by, renew, running_on};
pub use order::{NewJob, active_backup, insert};
pub use read::{JobFilter, get, list};
pub use reap::{Reaped, reap};

/// The index that allows one active backup per source.
pub const ONE_ACTIVE_BACKUP: &str = "jobs_one_active_backup";
