//! The `jobs` table: the truth about every unit of work. (The queue's rows are only tickets.)
//!
//! A transition is one guarded UPDATE plus its event, in the caller's transaction; whoever holds an
//! old lease is refused. Tickets are the queue's business: see `queue::requeue`.

mod cancel;
mod claim;
mod fail;
mod finish;
mod held;
mod lease;
mod order;
mod read;
mod reap;
mod row;

pub use cancel::{Cancellation, request_cancel};
pub use claim::{Claimed, Offer, claim, has_due, has_due_for_others};
pub use fail::{AfterFailure, Retry, fail, hand_back};
pub use finish::{Finished, finish};
pub use held::{HeldBack, held_back};
pub use lease::{Lease, Renewal, enter_phase, held_by, renew, running_on};
pub use order::{NewJob, active_backup, insert};
pub use read::{JobFilter, get, list};
pub use reap::{Reaped, reap};
