//! Use cases: each checks the role, keeps to the actor's tenant, writes in one transaction, answers with a
//! view. The only writers on the hub; knows nothing of HTTP or HTML.

mod actor;
mod error;
mod list;

pub use actor::{Actor, Via};
pub use error::ActionError;
pub use list::{List, ListQuery};
