//! Values as PHP has them, and the lack of one.

use std::cmp::Ordering;

/// Why something has no certain value. As text it is the end of a sentence: "it depends on …".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It comes from the environment that the web server gives PHP, or from a web request: nobody else can know it.
    Environment(String),
    /// It stands in a file that could not be read.
    Unreadable(String),
    /// It takes running PHP.
    Code(String),
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Environment(what) | Self::Unreadable(what) | Self::Code(what) => f.write_str(what),
        }
    }
}

/// A value. Texts are bytes, as in PHP.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A string.
    Text(Vec<u8>),
    /// An array, or an object's properties, in order.
    List(Vec<(Value, Value)>),
    /// Something that loads these files into the environment (phpdotenv).
    Loader(Vec<Vec<u8>>),
    /// Not known.
    Unknown(Why),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.as_bytes().to_vec())
    }
}

impl Value {
    /// Not known, because of something that only PHP can do.
    pub fn code(why: impl Into<String>) -> Self {
        Self::Unknown(Why::Code(why.into()))
    }

    /// As a text, or why there is none.
    pub fn text(&self) -> Result<Vec<u8>, Why> {
        match self {
            Self::Null | Self::Bool(false) => Ok(Vec::new()),
            Self::Bool(true) => Ok(b"1".to_vec()),
            Self::Int(number) => Ok(number.to_string().into_bytes()),
            Self::Text(text) => Ok(text.clone()),
            Self::List(_) | Self::Loader(_) => Err(Why::Code("an array that is used as a text".into())),
            Self::Unknown(why) => Err(why.clone()),
        }
    }

    /// Whether it counts as true.
    pub fn truth(&self) -> Result<bool, Why> {
        match self {
            Self::Null => Ok(false),
            Self::Bool(value) => Ok(*value),
            Self::Int(number) => Ok(*number != 0),
            Self::Text(text) => Ok(!matches!(text.as_slice(), b"" | b"0")),
            Self::List(list) => Ok(!list.is_empty()),
            Self::Loader(_) => Ok(true),
            Self::Unknown(why) => Err(why.clone()),
        }
    }

    /// What stands under `key`; `Null` if nothing does.
    pub fn at(&self, key: &Value) -> Value {
        match (self, key) {
            (Self::Unknown(why), _) | (_, Self::Unknown(why)) => Self::Unknown(why.clone()),
            (Self::List(list), key) => {
                let key = normal_key(key);
                let found = list.iter().find(|(name, _)| *name == key);
                found.map_or(Self::Null, |(_, value)| value.clone())
            }
            (Self::Null, _) => Self::Null,
            _ => Self::code("a part of something that is no array"),
        }
    }

    /// Puts `value` under `key`, or at the end.
    pub(super) fn put(&mut self, key: Option<Value>, value: Value) {
        if matches!(self, Self::Null) {
            *self = Self::List(Vec::new());
        }
        let Self::List(list) = self else { return };
        let next = || {
            let numbers = list.iter().filter_map(|(key, _)| match key {
                Self::Int(number) => Some(*number),
                _ => None,
            });
            Self::Int(numbers.max().map_or(0, |most| most.saturating_add(1)))
        };
        let key = key.as_ref().map_or_else(next, normal_key);
        match list.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => *old = value,
            None => list.push((key, value)),
        }
    }

    /// `===`
    pub(super) fn is(&self, other: &Self) -> Value {
        match (self, other) {
            (Self::Unknown(why), _) | (_, Self::Unknown(why)) => Self::Unknown(why.clone()),
            (one, other) => Self::Bool(one == other),
        }
    }

    /// `==`, by the rules of PHP 8.
    pub(super) fn equals(&self, other: &Self) -> Value {
        let same = match (self, other) {
            (Self::Unknown(why), _) | (_, Self::Unknown(why)) => return Self::Unknown(why.clone()),
            (Self::Bool(_), _) | (_, Self::Bool(_)) => self.truth().ok() == other.truth().ok(),
            (Self::Null, Self::Text(text)) | (Self::Text(text), Self::Null) => text.is_empty(),
            (Self::Null, _) | (_, Self::Null) => self.truth().ok() == other.truth().ok(),
            (Self::Text(one), Self::Text(other)) if number(one).is_none() || number(other).is_none() => {
                if looks_numeric(one) && looks_numeric(other) {
                    return Self::code("a comparison of numbers with fractions");
                }
                one == other
            }
            (Self::Int(_) | Self::Text(_), Self::Int(_) | Self::Text(_)) => match self.order(other) {
                Some(order) => order == Ordering::Equal,
                None => self.text().ok() == other.text().ok(),
            },
            (one, other) => one == other,
        };
        Self::Bool(same)
    }

    /// The order of two whole numbers.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        Some(self.whole()?.cmp(&other.whole()?))
    }

    fn whole(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Text(text) => number(text),
            _ => None,
        }
    }
}

/// Texts that are whole numbers are the same key as those.
fn normal_key(key: &Value) -> Value {
    match key {
        Value::Text(text) => match number(text) {
            Some(number) if number.to_string().as_bytes() == text => Value::Int(number),
            _ => key.clone(),
        },
        Value::Bool(flag) => Value::Int(i64::from(*flag)),
        Value::Null => Value::Text(Vec::new()),
        other => other.clone(),
    }
}

fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

fn looks_numeric(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.trim().parse::<f64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_are_those_of_php() {
        let equal = |one: Value, other: Value| one.equals(&other);
        assert_eq!(equal("1".into(), Value::Int(1)), Value::Bool(true));
        assert_eq!(equal("01".into(), "1".into()), Value::Bool(true));
        assert_eq!(equal("abc".into(), Value::Int(0)), Value::Bool(false));
        assert_eq!(equal("".into(), Value::Null), Value::Bool(true));
        assert_eq!(equal("0".into(), Value::Bool(false)), Value::Bool(true));
        assert_eq!(Value::from("1").is(&Value::Int(1)), Value::Bool(false));
        assert!(matches!(equal("1.0".into(), "1".into()), Value::Unknown(_)));
    }

    #[test]
    fn keys_that_look_like_numbers_are_numbers() {
        let mut list = Value::Null;
        list.put(None, "a".into());
        list.put(Some("5".into()), "b".into());
        list.put(None, "c".into());
        assert_eq!(list.at(&Value::Int(6)), "c".into());
        assert_eq!(list.at(&"0".into()), "a".into());
        assert_eq!(list.at(&"x".into()), Value::Null);
    }
}
