//! Use cases: each checks the role, keeps to the actor's tenant, writes in one transaction, answers with a
//! view. The only writers on the hub; knows nothing of HTTP or HTML.

mod actor;
pub mod api_keys;
mod audit;
pub mod auth;
pub mod email;
mod error;
mod list;
mod names;

pub use actor::{Actor, Via};
pub use error::ActionError;
pub use list::{List, ListQuery};
