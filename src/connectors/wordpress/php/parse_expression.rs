//! From tokens to expressions, by the precedence of operators.

use super::{
    parse::Parser,
    syntax::Expr,
    text::Part,
    token::{Nonsense, Placed, Token},
    value::Value,
};

/// Binds weaker than every operator.
pub(super) const LOWEST: u8 = 0;
const ASSIGNMENT: u8 = 4;
const CHOICE: u8 = 5;
const NOT: u8 = 18;
const UNARY: u8 = 20;

const ASSIGNMENTS: &[&str] = &[
    "=", ".=", "??=", "+=", "-=", "*=", "/=", "%=", "**=", "&=", "|=", "^=", "<<=", ">>=",
];

/// How strongly a binary operator binds, and whether to the right.
fn binding(sign: &str) -> Option<(u8, bool)> {
    Some(match sign {
        "or" => (1, false),
        "xor" => (2, false),
        "and" => (3, false),
        "??" => (6, true),
        "||" => (7, false),
        "&&" => (8, false),
        "|" => (9, false),
        "^" => (10, false),
        "&" => (11, false),
        "==" | "!=" | "===" | "!==" | "<>" | "<=>" => (12, false),
        "<" | "<=" | ">" | ">=" => (13, false),
        "." => (14, false),
        "<<" | ">>" => (15, false),
        "+" | "-" => (16, false),
        "*" | "/" | "%" => (17, false),
        "instanceof" => (19, false),
        "**" => (21, true),
        _ => return None,
    })
}

impl Parser<'_> {
    /// An expression whose operators all bind at least this strongly.
    pub(super) fn expression(&mut self, least: u8) -> Result<Expr, Nonsense> {
        self.deeper(|parser| parser.any_expression(least))
    }

    fn any_expression(&mut self, least: u8) -> Result<Expr, Nonsense> {
        let mut left = self.operand()?;
        // `!$a = b` is allowed: what can be assigned to takes the assignment, however weakly that binds.
        if let Some(Token::Sign(sign)) = self.peek()
            && ASSIGNMENTS.contains(sign)
            && matches!(
                left,
                Expr::Variable(_) | Expr::Part(..) | Expr::List(_) | Expr::Opaque(..)
            )
        {
            self.next();
            self.take("&");
            let value = self.expression(ASSIGNMENT)?;
            left = Expr::Assign(Box::new(left), sign, Box::new(value));
        }
        loop {
            if self.is_sign("?") && least <= CHOICE {
                self.next();
                let chosen = match self.is_sign(":") {
                    true => None,
                    false => Some(Box::new(self.expression(ASSIGNMENT)?)),
                };
                self.expect(":")?;
                let other = self.expression(CHOICE + 1)?;
                left = Expr::Choice(Box::new(left), chosen, Box::new(other));
                continue;
            }
            let sign: &'static str = match self.peek() {
                Some(Token::Sign(sign)) => sign,
                Some(Token::Name(_)) => match self.keyword().as_str() {
                    "or" => "or",
                    "and" => "and",
                    "xor" => "xor",
                    "instanceof" => "instanceof",
                    _ => return Ok(left),
                },
                _ => return Ok(left),
            };
            let Some((strength, to_the_right)) = binding(sign) else {
                return Ok(left);
            };
            if strength < least {
                return Ok(left);
            }
            self.next();
            let right = self.expression(strength + u8::from(!to_the_right))?;
            left = Expr::Binary(sign, Box::new(left), Box::new(right));
        }
    }

    fn operand(&mut self) -> Result<Expr, Nonsense> {
        let expression = match self.next() {
            Some(Token::Variable(name)) => Expr::Variable(name.clone()),
            Some(Token::Number(text)) => number(text),
            Some(Token::Text(parts)) => joined(parts, self.depth)?,
            Some(Token::Sign(sign)) => match *sign {
                "!" => return Ok(Expr::Not(Box::new(self.expression(NOT)?))),
                "-" => return Ok(Expr::Negative(Box::new(self.expression(UNARY)?))),
                "@" | "+" | "&" => return self.expression(UNARY),
                "~" | "++" | "--" => Expr::Opaque("arithmetic", vec![self.expression(UNARY)?]),
                "(" => self.group()?,
                "[" => Expr::List(self.items("]")?),
                _ => return Err(self.nonsense("cannot be read as PHP")),
            },
            Some(Token::Name(name)) => self.named(name)?,
            None => return Err(self.nonsense("ends too early")),
        };
        self.after(expression)
    }

    /// A group in brackets, or a cast.
    fn group(&mut self) -> Result<Expr, Nonsense> {
        if matches!(self.ahead(1), Some(Token::Sign(")"))) {
            let kind = match self.keyword().as_str() {
                "string" | "binary" => Some("string"),
                "int" | "integer" => Some("int"),
                "bool" | "boolean" => Some("bool"),
                "object" | "array" => Some("array"),
                "float" | "double" => Some("float"),
                _ => None,
            };
            if let Some(kind) = kind {
                self.next();
                self.next();
                return Ok(Expr::Cast(kind, Box::new(self.expression(UNARY)?)));
            }
        }
        let inside = self.expression(LOWEST)?;
        self.expect(")")?;
        Ok(inside)
    }

    /// What follows an operand: parts of it, calls.
    fn after(&mut self, mut expression: Expr) -> Result<Expr, Nonsense> {
        loop {
            if self.take("[") {
                let key = match self.is_sign("]") {
                    true => None,
                    false => Some(Box::new(self.expression(LOWEST)?)),
                };
                self.expect("]")?;
                expression = Expr::Part(Box::new(expression), key);
            } else if self.take("->") || self.take("?->") {
                let name = match self.next() {
                    Some(Token::Name(name) | Token::Variable(name)) => name.clone(),
                    _ => return Err(self.nonsense("cannot be read as PHP")),
                };
                expression = match self.is_sign("(") {
                    true => Expr::Method(Box::new(expression), name, self.arguments()?),
                    false => {
                        let key = Expr::Value(Value::from(name.as_str()));
                        Expr::Part(Box::new(expression), Some(Box::new(key)))
                    }
                };
            } else if self.is_sign("(") {
                let mut parts = self.arguments()?;
                parts.insert(0, expression);
                expression = Expr::Opaque("a call of something that is worked out first", parts);
            } else if self.take("++") || self.take("--") {
                expression = Expr::Opaque("arithmetic", vec![expression]);
            } else if self.take("::") {
                self.next();
                expression = Expr::Opaque("something of a class", vec![expression]);
            } else {
                return Ok(expression);
            }
        }
    }

    fn named(&mut self, name: &str) -> Result<Expr, Nonsense> {
        let keyword = name.to_ascii_lowercase();
        match keyword.as_str() {
            "true" => return Ok(Expr::Value(Value::Bool(true))),
            "false" => return Ok(Expr::Value(Value::Bool(false))),
            "null" => return Ok(Expr::Value(Value::Null)),
            "__dir__" => return Ok(Expr::Directory),
            "__file__" => return Ok(Expr::File),
            "array" | "list" if self.take("(") => return Ok(Expr::List(self.items(")")?)),
            "isset" => return Ok(Expr::Isset(self.arguments()?)),
            "empty" => {
                let one = self.arguments()?.pop();
                let one = one.ok_or_else(|| self.nonsense("cannot be read as PHP"))?;
                return Ok(Expr::Empty(Box::new(one)));
            }
            "exit" | "die" => {
                if self.is_sign("(") {
                    self.arguments()?;
                }
                return Ok(Expr::Exit);
            }
            "include" | "include_once" | "require" | "require_once" => {
                let path = Box::new(self.expression(ASSIGNMENT)?);
                let required = keyword.starts_with("require");
                return Ok(Expr::Include { required, path });
            }
            "print" | "clone" | "throw" | "yield" => {
                return Ok(Expr::Opaque("print", vec![self.expression(ASSIGNMENT)?]));
            }
            "new" => return self.new_object(),
            "function" | "fn" | "static" | "match" => return self.unread(&keyword),
            _ => {}
        }
        if self.take("::") {
            return self.of_class(name);
        }
        Ok(match self.is_sign("(") {
            true => Expr::Call(last_part(name).to_ascii_lowercase(), self.arguments()?),
            false => Expr::Constant(last_part(name).to_owned()),
        })
    }

    fn new_object(&mut self) -> Result<Expr, Nonsense> {
        let Some(Token::Name(class)) = self.next() else {
            return Err(self.nonsense("makes an object in a form that is not understood"));
        };
        let arguments = match self.is_sign("(") {
            true => self.arguments()?,
            false => Vec::new(),
        };
        if class.eq_ignore_ascii_case("class") {
            while !self.is_over() && !self.is_sign("{") {
                self.next();
            }
            self.skip_group("{", "}")?;
        }
        Ok(Expr::New(last_part(class).to_ascii_lowercase(), arguments))
    }

    fn of_class(&mut self, class: &str) -> Result<Expr, Nonsense> {
        let class = last_part(class).to_ascii_lowercase();
        match self.next() {
            Some(Token::Name(name)) if self.is_sign("(") => {
                let name = name.to_ascii_lowercase();
                Ok(Expr::StaticCall(class, name, self.arguments()?))
            }
            Some(Token::Name(_) | Token::Variable(_)) => Ok(Expr::Opaque("something of a class", Vec::new())),
            _ => Err(self.nonsense("cannot be read as PHP")),
        }
    }

    /// Closures and `match`: their content is passed over.
    fn unread(&mut self, keyword: &str) -> Result<Expr, Nonsense> {
        let keyword = match keyword {
            "static" => self.keyword(),
            other => other.to_owned(),
        };
        while !self.is_over() && !self.is_sign("{") && !self.is_sign("=>") {
            match self.is_sign("(") {
                true => {
                    self.skip_group("(", ")")?;
                }
                false => {
                    self.next();
                }
            }
        }
        if self.take("=>") {
            self.expression(ASSIGNMENT)?;
        } else {
            self.skip_group("{", "}")?;
        }
        Ok(match keyword.as_str() {
            "match" => Expr::Opaque("a match", Vec::new()),
            _ => Expr::Opaque("a function without a name", Vec::new()),
        })
    }

    fn arguments(&mut self) -> Result<Vec<Expr>, Nonsense> {
        self.expect("(")?;
        let items = self.items(")")?;
        Ok(items.into_iter().map(|(_, value)| value).collect())
    }

    /// The items of a list up to its closing sign; a last comma is allowed.
    fn items(&mut self, close: &str) -> Result<Vec<(Option<Expr>, Expr)>, Nonsense> {
        let mut items = Vec::new();
        while !self.take(close) {
            self.take("...");
            let named = matches!(self.peek(), Some(Token::Name(_))) && matches!(self.ahead(1), Some(Token::Sign(":")));
            if named {
                self.next();
                self.next();
            }
            let first = self.expression(LOWEST)?;
            items.push(match self.take("=>") {
                true => (Some(first), self.expression(LOWEST)?),
                false => (None, first),
            });
            if !self.take(",") {
                self.expect(close)?;
                break;
            }
        }
        Ok(items)
    }
}

/// A name without its namespace.
fn last_part(name: &str) -> &str {
    name.rsplit('\\').next().unwrap_or(name)
}

fn number(text: &str) -> Expr {
    let digits = text.replace('_', "").to_ascii_lowercase();
    let whole = if let Some(hex) = digits.strip_prefix("0x") {
        i64::from_str_radix(hex, 16)
    } else if let Some(binary) = digits.strip_prefix("0b") {
        i64::from_str_radix(binary, 2)
    } else if digits.len() > 1 && digits.starts_with('0') {
        i64::from_str_radix(digits.trim_start_matches("0o"), 8)
    } else {
        digits.parse()
    };
    match whole {
        Ok(number) => Expr::Value(Value::Int(number)),
        Err(_) => Expr::Value(Value::code("a number with a fraction")),
    }
}

fn joined(parts: &[Part], depth: usize) -> Result<Expr, Nonsense> {
    let one = |part: &Part| match part {
        Part::Literal(text) => Ok(Expr::Value(Value::Text(text.clone()))),
        Part::Code(tokens) => within(tokens, depth),
    };
    let mut all = parts.iter().map(one).collect::<Result<Vec<_>, _>>()?;
    Ok(match (parts, all.len()) {
        ([], _) => Expr::Value(Value::Text(Vec::new())),
        ([Part::Literal(_)], _) => all.swap_remove(0),
        _ => Expr::Joined(all),
    })
}

/// An expression within a string.
fn within(tokens: &[Placed], depth: usize) -> Result<Expr, Nonsense> {
    let mut parser = Parser::new(tokens);
    parser.depth = depth;
    let expression = parser.expression(LOWEST)?;
    match parser.is_over() {
        true => Ok(expression),
        false => Err(parser.nonsense("has a string that cannot be read")),
    }
}
