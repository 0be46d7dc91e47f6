//! Faults in a form, shown beside the fields they are about.

use askama::filters::{Html, Safe, escape};

use super::filters::context::icon_tag;
use crate::domain::field_error::FieldError;

/// What is wrong with a form; empty if nothing is.
#[derive(Debug, Clone, Default)]
pub struct FieldErrors(Vec<FieldError>);

impl From<Vec<FieldError>> for FieldErrors {
    fn from(errors: Vec<FieldError>) -> Self {
        Self(errors)
    }
}

impl FieldErrors {
    /// True if nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One sentence above the form.
    pub fn summary(&self) -> String {
        match self.0.len() {
            1 => "One thing needs another look.".to_owned(),
            n => format!("{n} things need another look."),
        }
    }

    /// Every fault, without its field.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|error| error.detail.as_str())
    }

    /// Faults of none of these fields, so that nothing is swallowed.
    pub fn elsewhere(&self, pointers: &[&str]) -> Vec<String> {
        let homeless = |error: &&FieldError| !pointers.iter().any(|pointer| is_at(&error.pointer, pointer));
        let text = |error: &FieldError| format!("{}: {}", error.pointer, error.detail);
        self.0.iter().filter(homeless).map(text).collect()
    }

    /// True if something is wrong at or below `prefix`.
    pub fn any_below(&self, prefix: &str) -> bool {
        self.0.iter().any(|error| error.pointer.starts_with(prefix))
    }

    /// ARIA attributes of the input `id` at `pointer`.
    pub fn aria(&self, id: &str, pointer: &str) -> Safe<String> {
        let wrong = self.0.iter().any(|error| is_at(&error.pointer, pointer));
        Safe(match wrong {
            true => format!(r#" aria-invalid="true" aria-describedby="{id}-error""#),
            false => String::new(),
        })
    }

    /// The faults at `pointer`, to stand below the input `id`. Of a list, which line it is.
    pub fn note(&self, id: &str, pointer: &str) -> Safe<String> {
        let mut sentences = Vec::new();
        for error in self.0.iter().filter(|error| is_at(&error.pointer, pointer)) {
            let line = error
                .pointer
                .strip_prefix(pointer)
                .and_then(|rest| rest.strip_prefix('/'));
            let detail = escape(&error.detail, Html)
                .map(|text| text.to_string())
                .unwrap_or_default();
            sentences.push(match line.and_then(|line| line.parse::<usize>().ok()) {
                Some(line) => format!("Line {}: {detail}", line + 1),
                None => capitalised(&detail),
            });
        }
        Safe(match sentences.is_empty() {
            true => String::new(),
            false => format!(
                r#"<p class="error" id="{id}-error">{}<span>{}</span></p>"#,
                icon_tag("cross"),
                sentences.join("<br>")
            ),
        })
    }
}

/// The field itself, or an item of the list it holds.
fn is_at(pointer: &str, field: &str) -> bool {
    match pointer.strip_prefix(field) {
        Some("") => true,
        Some(rest) => rest.strip_prefix('/').is_some_and(|rest| rest.parse::<usize>().is_ok()),
        None => false,
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_stand_at_their_field_and_are_escaped() {
        let errors = FieldErrors::from(vec![
            FieldError::new("/config/paths/2", "is <b>bad</b>"),
            FieldError::new("/config/port", "must be a number"),
        ]);
        let note = errors.note("paths", "/config/paths").to_string();
        assert!(note.contains("Line 3: is &#60;b&#62;bad"), "{note}");
        assert!(errors.aria("port", "/config/port").to_string().contains("port-error"));
        assert_eq!(errors.note("config", "/config").to_string(), "");
        assert_eq!(errors.elsewhere(&["/config/paths"]), ["/config/port: must be a number"]);
    }
}
