//! HTTP: the JSON API, the pages, and what both need. Knows requests and answers; decisions are made by
//! [`crate::hub::actions`].

pub mod api;
pub mod auth;
pub mod error;
pub mod extract;
mod idempotency;
mod internal;
mod layers;
mod metrics;
pub mod pages;
pub mod pagination;
pub mod problem;
pub mod router;
pub mod server;
pub mod sse;

pub use router::router;
