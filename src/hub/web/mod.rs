//! HTTP.
pub mod pages;
