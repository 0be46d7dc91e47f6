//! What a page is made for, and files it refers to.

use askama::{Result, Values, filters::Safe, get_value};

use super::super::{assets, theme::Theme};

/// Runtime value: the time ([`chrono::DateTime<Utc>`](chrono::DateTime)) the page is made at.
pub const NOW: &str = "now";
/// Runtime value: the visitor's [`Theme`].
pub const THEME: &str = "theme";
/// Runtime value: path and query (`String`) of the page, to come back to.
pub const HERE: &str = "here";

/// The visitor's colours; the input is ignored.
#[askama::filter_fn]
pub fn theme(_: &str, values: &dyn Values) -> Result<Theme> {
    get_value(values, THEME).copied()
}

/// Path and query of the page; the input is ignored.
#[askama::filter_fn]
pub fn here(_: &str, values: &dyn Values) -> Result<String> {
    get_value::<String>(values, HERE).cloned()
}

/// A drawing out of `static/icons.svg`; decoration, so hidden from screen readers.
#[askama::filter_fn]
pub fn icon(name: &str, _: &dyn Values) -> Result<Safe<String>> {
    Ok(Safe(icon_tag(name)))
}

/// The same for code. `name` is one of ours, never a visitor's.
pub fn icon_tag(name: &str) -> String {
    let sheet = assets::url("icons.svg");
    format!(r##"<svg class="icon" aria-hidden="true"><use href="{sheet}#{name}"/></svg>"##)
}

/// Address of a file in `static/`, with its content hash.
#[askama::filter_fn]
pub fn asset(name: &str, _: &dyn Values) -> Result<String> {
    Ok(assets::url(name).to_owned())
}
