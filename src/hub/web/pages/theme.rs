//! Light, dark, or as the system says: kept in a cookie, so it works without JavaScript.

use askama::filters::Safe;
use axum::http::{HeaderMap, header};

/// Name of the cookie.
pub const COOKIE: &str = "xvault_theme";

/// A visitor's choice of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// As the system says.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// Every choice, in the order of the switch.
    pub const ALL: [Theme; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// By name; anything unknown is [`Theme::Auto`].
    pub fn parse(name: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|theme| theme.name() == name)
            .unwrap_or_default()
    }

    /// The choice in a request's cookie.
    pub fn of(headers: &HeaderMap) -> Self {
        Self::parse(cookie(headers, COOKIE).unwrap_or_default())
    }

    /// Name in cookie and form.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// What the switch says.
    pub fn label(self) -> &'static str {
        match self {
            Self::Auto => "Colours of the system",
            Self::Light => "Light colours",
            Self::Dark => "Dark colours",
        }
    }

    /// Drawing in the switch.
    pub fn icon(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "sun",
            Self::Dark => "moon",
        }
    }

    /// For `<meta name="color-scheme">`.
    pub fn color_scheme(self) -> &'static str {
        match self {
            Self::Auto => "light dark",
            other => other.name(),
        }
    }

    /// Attribute of `<html>`.
    pub fn attribute(self) -> Safe<String> {
        Safe(match self {
            Self::Auto => String::new(),
            other => format!(r#" data-theme="{}""#, other.name()),
        })
    }

    /// Every choice, for templates.
    pub fn choices(self) -> [Theme; 3] {
        Self::ALL
    }
}

/// Value of a cookie in a request.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers
        .get_all(header::COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = all
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}
