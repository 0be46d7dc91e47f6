//! Operators, and what happens to their sides if one of them is not known.

use super::{evaluate::joined, machine::Machine, syntax::Expr, value::Value};

impl Machine<'_> {
    pub(super) fn binary(&mut self, sign: &str, left: &Expr, right: &Expr) -> Value {
        match sign {
            "||" | "or" => return self.logical(left, right, true),
            "&&" | "and" => return self.logical(left, right, false),
            "??" => {
                return match self.value(left) {
                    Value::Null => self.value(right),
                    Value::Unknown(why) => {
                        self.doubting(why.clone(), |machine| machine.value(right));
                        Value::Unknown(why)
                    }
                    value => value,
                };
            }
            _ => {}
        }
        let (left, right) = (self.value(left), self.value(right));
        let not = |value: Value| match value {
            Value::Bool(truth) => Value::Bool(!truth),
            other => other,
        };
        match sign {
            "." => joined(&[left, right]),
            "===" => left.is(&right),
            "!==" => not(left.is(&right)),
            "==" => left.equals(&right),
            "xor" => match (left.truth(), right.truth()) {
                (Ok(one), Ok(other)) => Value::Bool(one != other),
                (Err(why), _) | (_, Err(why)) => Value::Unknown(why),
            },
            "!=" | "<>" => not(left.equals(&right)),
            "<" | "<=" | ">" | ">=" => match (left.order(&right), sign) {
                (Some(order), "<") => Value::Bool(order.is_lt()),
                (Some(order), "<=") => Value::Bool(order.is_le()),
                (Some(order), ">") => Value::Bool(order.is_gt()),
                (Some(order), _) => Value::Bool(order.is_ge()),
                (None, _) => unknown_of(&[left, right], "a comparison"),
            },
            "+" | "-" | "*" | "|" => match (&left, &right) {
                (Value::Int(one), Value::Int(other)) => match sign {
                    "+" => one.checked_add(*other),
                    "-" => one.checked_sub(*other),
                    "*" => one.checked_mul(*other),
                    _ => Some(one | other),
                }
                .map_or_else(|| Value::code("arithmetic"), Value::Int),
                _ => unknown_of(&[left, right], "arithmetic"),
            },
            _ => unknown_of(&[left, right], "arithmetic"),
        }
    }

    /// `||` and `&&`: the right side happens unless the left one is `decisive`.
    fn logical(&mut self, left: &Expr, right: &Expr, decisive: bool) -> Value {
        match self.value(left).truth() {
            Ok(truth) if truth == decisive => Value::Bool(decisive),
            Ok(_) => match self.value(right).truth() {
                Ok(truth) => Value::Bool(truth),
                Err(why) => Value::Unknown(why),
            },
            Err(why) => {
                let other = self.doubting(why.clone(), |machine| machine.value(right));
                match other.truth() {
                    Ok(truth) if truth == decisive => Value::Bool(decisive),
                    _ => Value::Unknown(why),
                }
            }
        }
    }

    pub(super) fn choice(&mut self, condition: &Expr, chosen: Option<&Expr>, other: &Expr) -> Value {
        let value = self.value(condition);
        match value.truth() {
            Ok(true) => chosen.map_or(value, |chosen| self.value(chosen)),
            Ok(false) => self.value(other),
            Err(why) => {
                let one = chosen.map(|chosen| self.doubting(why.clone(), |machine| machine.value(chosen)));
                let other = self.doubting(why.clone(), |machine| machine.value(other));
                // It does not matter what is not known if both ways lead to the same.
                match one {
                    Some(one) if one == other && !matches!(one, Value::Unknown(_)) => one,
                    _ => Value::Unknown(why),
                }
            }
        }
    }
}

/// The reason of the first that is not known, or `what`.
fn unknown_of(values: &[Value], what: &str) -> Value {
    let unknown = values.iter().find(|value| matches!(value, Value::Unknown(_)));
    unknown.cloned().unwrap_or_else(|| Value::code(what))
}
