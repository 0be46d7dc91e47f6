//! Names that people give to things.

use crate::domain::field_error::FieldError;

/// Longest name in characters; the schema holds the same limit.
const MAX_CHARS: usize = 200;

/// What is wrong with a name.
pub(super) fn faults(pointer: &str, name: &str) -> Vec<FieldError> {
    let detail = if name.trim().is_empty() {
        "is empty".to_owned()
    } else if name.chars().count() > MAX_CHARS {
        format!("is longer than {MAX_CHARS} characters")
    } else if name.chars().any(char::is_control) {
        "has a control character".to_owned()
    } else {
        return Vec::new();
    };
    vec![FieldError::new(pointer, detail)]
}
