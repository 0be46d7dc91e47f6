//! JSON into types, with faults that point at the field and repeat nothing of what was sent: it may be secret.

use std::marker::PhantomData;

use serde::de::{DeserializeOwned, DeserializeSeed};
use serde_json::Value;

use super::ActionError;
use crate::domain::field_error::FieldError;

/// Reads a value that stands at `root` in the request (`""` for the whole of it).
pub fn parse<T: DeserializeOwned>(root: &str, value: Value) -> Result<T, ActionError> {
    parse_seed(root, PhantomData::<T>, value)
}

/// As [`parse`], for what can be read only with `seed`.
pub fn parse_seed<T, S>(root: &str, seed: S, value: Value) -> Result<T, ActionError>
where
    S: for<'de> DeserializeSeed<'de, Value = T>,
{
    let mut faults = Vec::new();
    find_nul(root, &value, &mut faults);
    ActionError::unless_valid(faults)?;
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(value, &mut track);
    seed.deserialize(tracked).map_err(|error| {
        let pointer = format!("{root}{}", pointer(&track.path()));
        ActionError::invalid(pointer, without_values(&error.to_string()))
    })
}

/// PostgreSQL stores no NUL in text, and no name, path or password has a use for one.
fn find_nul(pointer: &str, value: &Value, faults: &mut Vec<FieldError>) {
    match value {
        Value::String(text) if text.contains('\0') => faults.push(FieldError::new(pointer, "has a NUL character")),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                find_nul(&format!("{pointer}/{i}"), item, faults);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                if name.contains('\0') {
                    faults.push(FieldError::new(pointer, "has a field whose name has a NUL character"));
                }
                find_nul(&format!("{pointer}/{}", escaped(name)), field, faults);
            }
        }
        _ => {}
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", escaped(key))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// RFC 6901.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// serde quotes what it did not expect (``invalid type: string "hunter2", expected …``); keep its kind only.
fn without_values(message: &str) -> String {
    let Some((what, rest)) = message.split_once(": ") else {
        return message.to_owned();
    };
    match (what, rest.rsplit_once(", expected ")) {
        ("invalid type" | "invalid value", Some((got, expected))) => {
            let kind = got.split([' ', '`', '"']).next().unwrap_or_default();
            format!("{what}: {kind}, expected {expected}")
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{domain::source::SourceConfig, hub::actions::sources::NewSource};

    fn read(value: Value) -> Result<SourceConfig, ActionError> {
        let new: NewSource = parse("", value)?;
        parse_seed("/config", new.kind, new.config)
    }

    fn fault(value: Value) -> (String, String) {
        match read(value) {
            Err(ActionError::Invalid(mut faults)) => {
                let fault = faults.remove(0);
                (fault.pointer, fault.detail)
            }
            other => panic!("{other:?}"),
        }
    }

    fn source() -> Value {
        json!({"name": "web", "kind": "ssh", "credentials": {"password": "x"},
               "config": {"host": "h", "user": "u", "paths": ["/srv"]}})
    }

    #[test]
    fn a_fault_points_at_its_field() {
        assert!(read(source()).is_ok());
        let mut port = source();
        port["config"]["port"] = json!(70000);
        assert_eq!(fault(port).0, "/config/port");
        let mut path = source();
        path["config"]["paths"][0] = json!(7);
        assert_eq!(fault(path).0, "/config/paths/0");
        let mut unknown = source();
        unknown["config"]["prot"] = json!(22);
        assert!(fault(unknown).1.contains("unknown field `prot`"));
        let mut nul = source();
        nul["config"]["exclude"] = json!(["a\0b"]);
        assert_eq!(fault(nul), ("/config/exclude/0".into(), "has a NUL character".into()));
    }

    #[test]
    fn a_fault_repeats_no_secret() {
        let mut wrong = source();
        wrong["credentials"] = json!("hunter2, expected nothing");
        let (pointer, detail) = fault(wrong);
        assert_eq!(pointer, "/credentials");
        assert!(
            detail.starts_with("invalid type: string, expected") && !detail.contains("hunter2"),
            "{detail}"
        );
    }
}
