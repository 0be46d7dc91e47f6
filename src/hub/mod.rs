//! The control plane: actions, scheduler, web. Never touches a customer's host and carries no backup data.
//!
//! [`actions`] are the only writers; API and pages both call them, so rules cannot fork. What they answer
//! stands in [`views`].

pub mod actions;
pub mod live;
mod meters;
mod once;
pub mod rate_limit;
mod recent;
pub mod scheduler;
pub mod state;
pub mod views;
pub mod web;

pub use state::{Hub, HubSettings};
