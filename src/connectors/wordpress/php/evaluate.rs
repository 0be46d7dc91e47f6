//! Walks through statements and expressions.

use super::{
    machine::{Flow, Machine},
    syntax::{Expr, Statement},
    value::{Value, Why},
};

impl Machine<'_> {
    pub(super) fn walk(&mut self, statements: &[Statement]) -> Flow {
        for statement in statements {
            let flow = self.statement(statement);
            if flow != Flow::Next {
                return flow;
            }
        }
        Flow::Next
    }

    fn statement(&mut self, statement: &Statement) -> Flow {
        match statement {
            Statement::Expression(Expr::Exit) => match self.doubts() {
                // A site that ends here shows nothing; the one to back up goes on.
                Some(_) => Flow::Next,
                None => Flow::End,
            },
            Statement::Expression(Expr::Include { required, path }) => match self.included(*required, path) {
                (Flow::End, _) => Flow::End,
                _ => Flow::Next,
            },
            Statement::Expression(expression) => {
                self.value(expression);
                Flow::Next
            }
            Statement::If(branches, otherwise) => self.branches(branches, otherwise),
            Statement::Block(all) => self.walk(all),
            Statement::Maybe(all) => {
                let why = Why::Code("a loop, a switch or the like".into());
                self.doubting(why, |machine| machine.walk(all));
                Flow::Next
            }
            Statement::Function(declared) => {
                self.functions.insert(declared.name.clone(), declared.clone());
                Flow::Next
            }
            Statement::Const(all) => {
                for (name, value) in all {
                    let value = self.value(value);
                    self.define(name, value);
                }
                Flow::Next
            }
            Statement::Return => match self.doubts().cloned() {
                None => Flow::Return,
                Some(why) => {
                    self.file_doubt.get_or_insert(why);
                    Flow::Next
                }
            },
        }
    }

    fn branches(&mut self, branches: &[(Expr, Vec<Statement>)], otherwise: &[Statement]) -> Flow {
        let Some(((condition, body), rest)) = branches.split_first() else {
            return self.walk(otherwise);
        };
        match self.value(condition).truth() {
            Ok(true) => self.walk(body),
            Ok(false) => self.branches(rest, otherwise),
            Err(why) => self.doubting(why, |machine| {
                machine.walk(body);
                machine.branches(rest, otherwise);
                Flow::Next
            }),
        }
    }

    /// The value of an expression, with everything it does.
    pub(super) fn value(&mut self, expression: &Expr) -> Value {
        match expression {
            Expr::Value(value) => value.clone(),
            Expr::Joined(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.value(part)).collect();
                joined(&parts)
            }
            Expr::Variable(name) => match self.variables.get(name) {
                Some(value) => value.clone(),
                None => self.loose.clone().map_or(Value::Null, Value::Unknown),
            },
            Expr::Constant(name) => self.constant(name),
            Expr::Directory => self.file().map_or(Value::Null, parent),
            Expr::File => self.file().map_or(Value::Null, Value::from),
            Expr::Part(of, key) => self.part(of, key.as_deref()),
            Expr::Call(name, arguments) => self.call(name, arguments),
            Expr::StaticCall(class, name, arguments) => self.static_call(class, name, arguments),
            Expr::New(class, arguments) => self.new_object(class, arguments),
            Expr::Method(of, name, arguments) => self.method(of, name, arguments),
            Expr::Not(inner) => match self.value(inner).truth() {
                Ok(truth) => Value::Bool(!truth),
                Err(why) => Value::Unknown(why),
            },
            Expr::Negative(inner) => match self.value(inner) {
                Value::Int(number) => Value::Int(number.saturating_neg()),
                _ => Value::code("arithmetic"),
            },
            Expr::Binary(sign, left, right) => self.binary(sign, left, right),
            Expr::Choice(condition, chosen, other) => self.choice(condition, chosen.as_deref(), other),
            Expr::Assign(target, sign, value) => self.assigned(target, sign, value),
            Expr::Isset(all) => self.isset(all),
            Expr::Empty(inner) => match self.value(inner).truth() {
                Ok(truth) => Value::Bool(!truth),
                Err(why) => Value::Unknown(why),
            },
            Expr::Include { required, path } => self.included(*required, path).1,
            Expr::Exit => Value::Null,
            Expr::List(items) => {
                let mut list = Value::List(Vec::new());
                for (key, value) in items {
                    let key = key.as_ref().map(|key| self.value(key));
                    let value = self.value(value);
                    list.put(key, value);
                }
                list
            }
            Expr::Cast(kind, inner) => cast(kind, self.value(inner)),
            Expr::Opaque(what, parts) => {
                for part in parts {
                    self.value(part);
                }
                Value::code(*what)
            }
        }
    }

    fn file(&self) -> Option<&str> {
        self.stack.last().map(String::as_str)
    }

    fn constant(&mut self, name: &str) -> Value {
        if let Some(constant) = self.constants.get(name) {
            return constant.value.clone();
        }
        match (name, &self.loose) {
            ("DIRECTORY_SEPARATOR", _) => "/".into(),
            ("PATH_SEPARATOR", _) => ":".into(),
            ("PHP_EOL", _) => "\n".into(),
            ("MYSQLI_CLIENT_SSL", _) => Value::Int(2048),
            (_, Some(why)) => Value::Unknown(why.clone()),
            (name, None) => Value::code(format!("the constant {name}")),
        }
    }

    fn part(&mut self, of: &Expr, key: Option<&Expr>) -> Value {
        let Some(key) = key.map(|key| self.value(key)) else {
            return Value::Null;
        };
        if let Expr::Variable(name) = of {
            match (name.as_str(), key.text()) {
                ("_ENV", Ok(key)) => return self.environment(&String::from_utf8_lossy(&key), Value::Null),
                ("_SERVER", Ok(key)) => return self.server(&String::from_utf8_lossy(&key)),
                ("GLOBALS", Ok(key)) => {
                    let name = String::from_utf8_lossy(&key).into_owned();
                    return self.value(&Expr::Variable(name));
                }
                ("_GET" | "_POST" | "_COOKIE" | "_REQUEST" | "_SESSION" | "_FILES", _) => {
                    return Value::Unknown(Why::Environment(format!("the web request (${name})")));
                }
                _ => {}
            }
        }
        self.value(of).at(&key)
    }

    /// `$_SERVER[name]`: of the request, or of the environment.
    fn server(&mut self, name: &str) -> Value {
        const OF_REQUEST: &[&str] = &[
            "HTTP_",
            "REQUEST_",
            "REMOTE_",
            "SERVER_",
            "QUERY_",
            "PHP_",
            "SCRIPT_",
            "GATEWAY_",
            "REDIRECT_",
            "PATH_",
            "AUTH_",
            "CONTENT_",
            "CONTEXT_",
            "SSL_",
        ];
        if name == "DOCUMENT_ROOT" {
            return Value::from(self.known.document_root.as_str());
        }
        if name == "HTTPS" || OF_REQUEST.iter().any(|prefix| name.starts_with(prefix)) {
            return Value::Unknown(Why::Environment(format!("the web request ($_SERVER['{name}'])")));
        }
        self.environment(name, Value::Null)
    }

    fn assigned(&mut self, target: &Expr, sign: &'static str, value: &Expr) -> Value {
        let value = match sign {
            "=" => self.value(value),
            "??=" => self.binary("??", target, value),
            ".=" => self.binary(".", target, value),
            "+=" => self.binary("+", target, value),
            _ => {
                self.value(value);
                Value::code("arithmetic")
            }
        };
        self.store(target, value.clone());
        value
    }

    fn store(&mut self, target: &Expr, value: Value) {
        match target {
            Expr::Variable(name) => self.assign(name, value),
            Expr::Part(of, key) => {
                let key = key.as_deref().map(|key| self.value(key));
                let Expr::Variable(name) = of.as_ref() else {
                    return self.store(of, Value::code("an array that is changed in parts"));
                };
                match (name.as_str(), key.as_ref().map(Value::text)) {
                    // Of a request nothing is kept; the environment is what a site's files make it.
                    ("_SERVER" | "_GET" | "_POST" | "_COOKIE" | "_REQUEST" | "_SESSION" | "_FILES", _) => {}
                    ("_ENV", Some(Ok(key))) => self.set_environment(&key, &value),
                    ("GLOBALS", Some(Ok(key))) => self.assign(&String::from_utf8_lossy(&key), value),
                    _ => {
                        let mut list = self.value(of);
                        list.put(key, value);
                        self.assign(name, list);
                    }
                }
            }
            Expr::List(items) => {
                for (_, target) in items {
                    self.store(target, Value::code("an array that is taken apart"));
                }
            }
            _ => {}
        }
    }

    fn isset(&mut self, all: &[Expr]) -> Value {
        let mut unknown = None;
        for one in all {
            match self.value(one) {
                Value::Null => return Value::Bool(false),
                Value::Unknown(why) => unknown = Some(why),
                _ => {}
            }
        }
        unknown.map_or(Value::Bool(true), Value::Unknown)
    }

    fn included(&mut self, required: bool, path: &Expr) -> (Flow, Value) {
        let path = self.value(path).text();
        let path =
            path.and_then(|path| String::from_utf8(path).map_err(|_| Why::Code("a path that is not UTF-8".into())));
        match path {
            Ok(path) => {
                let path = match (path.starts_with('/'), self.file()) {
                    (false, Some(file)) => format!("{}/{path}", directory(file)),
                    _ => path,
                };
                self.include(&path, required)
            }
            Err(why) => {
                let text = format!("a file that is included by a name that depends on {why}");
                let why = match why {
                    Why::Environment(_) => Why::Environment(text),
                    Why::Unreadable(_) => Why::Unreadable(text),
                    Why::Code(_) => Why::Code(text),
                };
                self.loosen(why.clone());
                (Flow::Next, Value::Unknown(why))
            }
        }
    }
}

pub(super) fn directory(file: &str) -> &str {
    match file.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((directory, _)) => directory,
    }
}

fn parent(file: &str) -> Value {
    Value::from(directory(file))
}

pub(super) fn joined(parts: &[Value]) -> Value {
    let parts: Result<Vec<_>, _> = parts.iter().map(Value::text).collect();
    parts.map_or_else(Value::Unknown, |parts| Value::Text(parts.concat()))
}

fn cast(kind: &str, value: Value) -> Value {
    match (kind, value) {
        (_, unknown @ Value::Unknown(_)) => unknown,
        ("string", value) => value.text().map_or_else(Value::Unknown, Value::Text),
        ("bool", value) => value.truth().map_or_else(Value::Unknown, Value::Bool),
        ("int", value @ Value::Int(_)) => value,
        ("int", Value::Text(text)) => match std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()) {
            Some(number) => Value::Int(number),
            None => Value::code("arithmetic"),
        },
        ("array", value @ Value::List(_)) => value,
        _ => Value::code("a conversion"),
    }
}
