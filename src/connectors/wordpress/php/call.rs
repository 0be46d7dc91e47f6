//! What calls do: definitions, the environment, files, Bedrock's `Config` and phpdotenv.

use super::{
    dotenv, functions,
    machine::{Machine, Seen},
    syntax::Expr,
    value::{Value, Why},
};

impl Machine<'_> {
    pub(super) fn call(&mut self, name: &str, arguments: &[Expr]) -> Value {
        if let Some(declared) = self.functions.get(name).cloned() {
            for argument in arguments {
                self.value(argument);
            }
            let text = format!("the function {name}(), which the configuration declares");
            let why = match declared.reads_environment {
                true => Why::Environment(format!("{text} and which reads the environment")),
                false => Why::Code(text),
            };
            if declared.acts {
                self.loosen(why.clone());
            }
            return Value::Unknown(why);
        }
        let values: Vec<_> = arguments.iter().map(|argument| self.value(argument)).collect();
        let first = values.first().cloned().unwrap_or(Value::Null);
        match name {
            "define" => self.call_define(&first, values.get(1).cloned().unwrap_or(Value::Null)),
            "defined" => match text_of(&first) {
                Ok(name) => self.is_defined(&name),
                Err(why) => Value::Unknown(why),
            },
            "constant" => match text_of(&first) {
                Ok(name) => self.value(&Expr::Constant(name)),
                Err(why) => Value::Unknown(why),
            },
            "getenv" if values.is_empty() => Value::Unknown(Why::Environment("the environment as a whole".into())),
            "getenv" => match text_of(&first) {
                Ok(name) => self.environment(&name, Value::Bool(false)),
                Err(why) => Value::Unknown(why),
            },
            "env" => self.call_env(&first, values.get(1)),
            "putenv" => {
                if let Ok(text) = first.text()
                    && let Some(equals) = text.iter().position(|&b| b == b'=')
                {
                    let value = Value::Text(text[equals + 1..].to_vec());
                    self.set_environment(&text[..equals], &value);
                }
                Value::Bool(true)
            }
            "file_exists" => self.exists(&first, true),
            "is_file" | "is_readable" => self.exists(&first, false),
            "function_exists" => Value::code("whether a function exists"),
            "eval" | "extract" | "parse_str" => {
                let why = Why::Code(format!("{name}()"));
                self.loosen(why.clone());
                Value::Unknown(why)
            }
            _ => functions::apply(name, &values),
        }
    }

    fn call_define(&mut self, name: &Value, value: Value) -> Value {
        match text_of(name) {
            Ok(name) => self.define(&name, value),
            Err(why) => self.loosen(Why::Code(format!("a constant whose name depends on {why}"))),
        }
        Value::Bool(true)
    }

    /// `env()` of the libraries that Bedrock and its kin use.
    fn call_env(&mut self, name: &Value, default: Option<&Value>) -> Value {
        let name = match text_of(name) {
            Ok(name) => name,
            Err(why) => return Value::Unknown(why),
        };
        let absent = default.cloned().unwrap_or(Value::Null);
        match self.environment(&name, absent) {
            Value::Text(text) => match text.to_ascii_lowercase().as_slice() {
                b"true" | b"(true)" => Value::Bool(true),
                b"false" | b"(false)" => Value::Bool(false),
                b"null" | b"(null)" => Value::Null,
                b"empty" | b"(empty)" => Value::from(""),
                _ => Value::Text(unquoted(&text).to_vec()),
            },
            other => other,
        }
    }

    pub(super) fn set_environment(&mut self, name: &[u8], value: &Value) {
        match (self.doubts().cloned(), value.text()) {
            (None, Ok(text)) => {
                self.dotenv.get_or_insert_default().insert(name.to_vec(), text);
            }
            (Some(why), _) | (None, Err(why)) => {
                self.dotenv_doubt.get_or_insert(why);
            }
        }
    }

    fn exists(&mut self, path: &Value, directories: bool) -> Value {
        let path = match text_of(path) {
            Ok(path) => path,
            Err(why) => return Value::Unknown(why),
        };
        match self.look(&path) {
            Some(Seen::File { .. }) => Value::Bool(true),
            Some(Seen::Other) => Value::Bool(directories),
            Some(Seen::Absent) => Value::Bool(false),
            Some(Seen::Unreadable(why)) => Value::code(format!("{path}, which {why}")),
            None => Value::code(path),
        }
    }

    pub(super) fn static_call(&mut self, class: &str, name: &str, arguments: &[Expr]) -> Value {
        let values: Vec<_> = arguments.iter().map(|argument| self.value(argument)).collect();
        match (class, name) {
            ("config", "define") => {
                let value = values.get(1).cloned().unwrap_or(Value::Null);
                let value = self.doubts().cloned().map_or(value, Value::Unknown);
                match values.first().map(text_of) {
                    Some(Ok(name)) => {
                        self.prepared.insert(name, value);
                    }
                    _ => self.loosen(Why::Code("Config::define() with a name that is worked out".into())),
                }
                Value::Null
            }
            ("config", "get") => match values.first().map(text_of) {
                Some(Ok(name)) => self.prepared.get(&name).cloned().unwrap_or(Value::Null),
                _ => Value::code("Config::get()"),
            },
            ("config", "apply") => {
                for (name, value) in self.prepared.clone() {
                    self.define(&name, value);
                }
                Value::Null
            }
            ("dotenv", name) if name.starts_with("create") => loader(&values),
            _ => Value::code(format!("{class}::{name}()")),
        }
    }

    pub(super) fn new_object(&mut self, class: &str, arguments: &[Expr]) -> Value {
        let values: Vec<_> = arguments.iter().map(|argument| self.value(argument)).collect();
        match class {
            "dotenv" => loader(&values),
            _ => Value::code(format!("an object of {class}")),
        }
    }

    pub(super) fn method(&mut self, of: &Expr, name: &str, arguments: &[Expr]) -> Value {
        for argument in arguments {
            self.value(argument);
        }
        let of = self.value(of);
        match (of, name.to_ascii_lowercase().as_str()) {
            (Value::Loader(files), "load" | "safeload" | "overload") => {
                self.load(&files);
                Value::Bool(true)
            }
            (loader @ Value::Loader(_), _) => loader,
            (Value::Unknown(why), _) => Value::Unknown(why),
            (_, name) => Value::code(format!("{name}()")),
        }
    }

    /// Takes `.env` files into the environment; of two the later one counts.
    fn load(&mut self, files: &[Vec<u8>]) {
        if let Some(why) = self.doubts().cloned() {
            self.dotenv_doubt.get_or_insert(why);
            return;
        }
        for file in files {
            let Ok(path) = String::from_utf8(file.clone()) else {
                continue;
            };
            match self.look(&path) {
                Some(Seen::File { real, content }) => {
                    self.files.push(real.clone());
                    let values = self.dotenv.get_or_insert_default();
                    if let Err(line) = dotenv::read(&content, values) {
                        let why = format!("{real}, which cannot be read in line {line}");
                        self.dotenv_doubt.get_or_insert(Why::Code(why));
                    }
                }
                Some(Seen::Unreadable(why)) => {
                    self.dotenv_doubt
                        .get_or_insert(Why::Unreadable(format!("{path}, which {why}")));
                }
                Some(Seen::Absent | Seen::Other) | None => {}
            }
        }
    }
}

/// What phpdotenv is told: directories, then names of files, after things of its own.
fn loader(values: &[Value]) -> Value {
    let paths = |value: &Value| -> Option<Vec<Vec<u8>>> {
        match value {
            Value::Text(text) => Some(vec![text.clone()]),
            Value::List(list) => list.iter().map(|(_, value)| value.text().ok()).collect(),
            _ => None,
        }
    };
    let mut known = values.iter().filter_map(paths);
    let Some(directories) = known.next() else {
        return Value::code("a .env file whose place is worked out");
    };
    let names = known.next().unwrap_or_else(|| vec![b".env".to_vec()]);
    let all = directories.iter().flat_map(|directory| {
        let join = |name: &Vec<u8>| [directory.as_slice(), b"/", name].concat();
        names.iter().map(join).collect::<Vec<_>>()
    });
    Value::Loader(all.collect())
}

fn text_of(value: &Value) -> Result<String, Why> {
    let text = value.text()?;
    String::from_utf8(text).map_err(|_| Why::Code("a text that is not UTF-8".into()))
}

fn unquoted(text: &[u8]) -> &[u8] {
    let inner = |quote: &[u8]| text.strip_prefix(quote)?.strip_suffix(quote);
    inner(b"\"").or_else(|| inner(b"'")).unwrap_or(text)
}
