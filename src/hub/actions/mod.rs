//! Use cases: each checks the role, keeps to the actor's tenant, writes in one transaction, answers with a
//! view. The only writers on the hub; knows nothing of HTTP or HTML.

mod actor;
pub mod alerts;
pub mod api_keys;
mod audit;
pub mod auth;
pub mod brief;
pub mod browse;
mod credentials;
pub mod email;
mod error;
mod export_links;
mod file_keys;
pub mod fleet;
pub mod identity;
pub mod input;
pub mod invitations;
mod job_login;
mod job_views;
pub mod jobs;
mod list;
pub mod master_key;
pub mod me;
pub mod members;
mod names;
pub mod recovery_sheet;
pub mod restores;
pub mod restores_to_source;
pub mod retirement;
pub mod seed;
pub mod snapshots;
mod source_views;
pub mod sources;
pub mod tenants;
pub mod workers;

pub use actor::{Actor, Via};
pub use credentials::CredentialsPatch;
pub use error::ActionError;
pub use job_login::JobLogin;
pub use list::{List, ListQuery};
