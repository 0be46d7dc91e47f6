//! What is known at a point of a configuration, and how certain it is.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    parse,
    syntax::Declared,
    token,
    value::{Value, Why},
};

/// Deepest chain of files that include each other.
const MAX_INCLUDES: usize = 8;

/// What reading a path gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// A file: where it really lies, with all links resolved, and what is in it.
    File {
        /// Its path, absolute.
        real: String,
        /// All of it.
        content: Vec<u8>,
    },
    /// Something else is there.
    Other,
    /// Nothing is there.
    Absent,
    /// It is there and cannot be read; the end of a sentence says why.
    Unreadable(String),
}

/// What was found out for the machine.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// What lies at the paths it asked for.
    pub files: BTreeMap<String, Seen>,
    /// The environment variables it asked for, as the login has them.
    pub environment: BTreeMap<String, Option<Vec<u8>>>,
    /// Constants that WordPress defines before its configuration.
    pub constants: BTreeMap<String, String>,
    /// `$_SERVER['DOCUMENT_ROOT']`
    pub document_root: String,
}

/// What has to be found out before the answer is final.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wants {
    /// Paths.
    pub files: BTreeSet<String>,
    /// Environment variables.
    pub variables: BTreeSet<String>,
}

/// What a configuration says.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Constants and variables (these with their dollar) by name.
    values: BTreeMap<String, Value>,
    /// Why anything may have been defined elsewhere, if so.
    loose: Option<Why>,
    /// The files it consists of, where they really lie: PHP, and `.env` files.
    pub files: Vec<String>,
    /// If this is not empty, the answer is not final.
    pub wants: Wants,
}

impl Answer {
    /// A constant, or a variable with its dollar. `None`: certainly not set.
    pub fn get(&self, name: &str) -> Option<Value> {
        let loose = || self.loose.clone().map(Value::Unknown);
        self.values.get(name).cloned().or_else(loose)
    }
}

/// A constant.
#[derive(Debug, Clone)]
pub(super) struct Constant {
    pub(super) value: Value,
    /// False if it may not be defined at all.
    pub(super) sure: bool,
}

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// The next one follows.
    Next,
    /// The file is over.
    Return,
    /// The configuration is over.
    End,
}

pub(super) struct Machine<'a> {
    pub(super) known: &'a Known,
    pub(super) constants: BTreeMap<String, Constant>,
    pub(super) variables: BTreeMap<String, Value>,
    /// What Bedrock's `Config::define` was told; in force once it is applied.
    pub(super) prepared: BTreeMap<String, Value>,
    pub(super) functions: BTreeMap<String, Declared>,
    /// The site's own environment, out of `.env` files; `None` until one is loaded.
    pub(super) dotenv: Option<BTreeMap<Vec<u8>, Vec<u8>>>,
    /// Why it is not certain which `.env` files are loaded.
    pub(super) dotenv_doubt: Option<Why>,
    pub(super) wants: Wants,
    /// Why what is walked through may not happen; the innermost reason last.
    pub(super) doubt: Vec<Why>,
    /// Why the rest of this file may not happen.
    pub(super) file_doubt: Option<Why>,
    /// Why constants may have been defined by something that was not seen.
    pub(super) loose: Option<Why>,
    /// The files that are walked through, outermost first.
    pub(super) stack: Vec<String>,
    pub(super) files: Vec<String>,
}

/// Walks through the file at `entry`, which is among the known ones.
pub fn work_out(entry: &str, known: &Known) -> Answer {
    let given = known.constants.iter().map(|(name, value)| {
        let value = Value::from(value.as_str());
        (name.clone(), Constant { value, sure: true })
    });
    let mut machine = Machine {
        known,
        constants: given.collect(),
        variables: BTreeMap::new(),
        prepared: BTreeMap::new(),
        functions: BTreeMap::new(),
        dotenv: None,
        dotenv_doubt: None,
        wants: Wants::default(),
        doubt: Vec::new(),
        file_doubt: None,
        loose: None,
        stack: Vec::new(),
        files: Vec::new(),
    };
    machine.include(entry, true);
    let constants = machine
        .constants
        .into_iter()
        .map(|(name, constant)| (name, constant.value));
    let variables = machine
        .variables
        .into_iter()
        .map(|(name, value)| (format!("${name}"), value));
    Answer {
        values: constants.chain(variables).collect(),
        loose: machine.loose,
        files: machine.files,
        wants: machine.wants,
    }
}

impl Machine<'_> {
    /// Why what is walked through now may not happen, if so.
    pub(super) fn doubts(&self) -> Option<&Why> {
        self.doubt.first().or(self.file_doubt.as_ref())
    }

    /// Walks through something that may not happen.
    pub(super) fn doubting<T>(&mut self, why: Why, walk: impl FnOnce(&mut Self) -> T) -> T {
        self.doubt.push(why);
        let result = walk(self);
        self.doubt.pop();
        result
    }

    /// `define`: the first one wins.
    pub(super) fn define(&mut self, name: &str, value: Value) {
        let earlier = self.constants.get(name);
        if earlier.is_some_and(|constant| constant.sure) {
            return;
        }
        let earlier = earlier.and_then(|constant| match &constant.value {
            Value::Unknown(why) => Some(why),
            _ => None,
        });
        let sure = self.doubts().is_none();
        let why = self.doubts().or(self.loose.as_ref()).or(earlier).cloned();
        let value = why.map_or(value, Value::Unknown);
        self.constants.insert(name.to_owned(), Constant { value, sure });
    }

    /// Whether a constant is defined.
    pub(super) fn is_defined(&self, name: &str) -> Value {
        match self.constants.get(name) {
            Some(constant) if constant.sure => Value::Bool(true),
            Some(constant) => match &constant.value {
                Value::Unknown(why) => Value::Unknown(why.clone()),
                _ => Value::Bool(true),
            },
            None => self.loose.clone().map_or(Value::Bool(false), Value::Unknown),
        }
    }

    /// `$name = value`: the last one wins.
    pub(super) fn assign(&mut self, name: &str, value: Value) {
        let value = self.doubts().cloned().map_or(value, Value::Unknown);
        self.variables.insert(name.to_owned(), value);
    }

    /// Anything may have been defined or changed by something that was not seen.
    pub(super) fn loosen(&mut self, why: Why) {
        for value in self.variables.values_mut() {
            *value = Value::Unknown(why.clone());
        }
        self.loose.get_or_insert(why);
    }

    /// What lies at a path; `None` until it is found out.
    pub(super) fn look(&mut self, path: &str) -> Option<Seen> {
        let seen = self.known.files.get(path).cloned();
        if seen.is_none() {
            self.wants.files.insert(path.to_owned());
        }
        seen
    }

    /// A variable of the environment; `absent` is what PHP would give if it is not set.
    pub(super) fn environment(&mut self, name: &str, absent: Value) -> Value {
        if let Some(why) = &self.dotenv_doubt {
            return Value::Unknown(why.clone());
        }
        if let Some(value) = self.dotenv.as_ref().and_then(|dotenv| dotenv.get(name.as_bytes())) {
            return Value::Text(value.clone());
        }
        match self.known.environment.get(name) {
            Some(Some(value)) => Value::Text(value.clone()),
            // A site with an environment of its own has all of it there.
            Some(None) if self.dotenv.is_some() => absent,
            Some(None) => Value::Unknown(Why::Environment(format!(
                "the environment variable {name}, which is not set for this login"
            ))),
            None => {
                self.wants.variables.insert(name.to_owned());
                Value::code(format!("the environment variable {name}"))
            }
        }
    }

    /// Walks through a file. Whatever keeps it from being seen leaves everything after it open.
    pub(super) fn include(&mut self, path: &str, required: bool) -> (Flow, Value) {
        const ENDS: &[&str] = &["wp-settings.php", "wp-load.php", "wp-blog-header.php"];
        let name = path.rsplit('/').next().unwrap_or(path);
        if ENDS.contains(&name) {
            // What may not happen ends nothing.
            let flow = if self.doubts().is_none() { Flow::End } else { Flow::Next };
            return (flow, Value::Bool(true));
        }
        // Libraries define no site's database, and there are thousands of files of them.
        if path.contains("/vendor/") {
            return (Flow::Next, Value::code("a library"));
        }
        let (real, content) = match self.look(path) {
            Some(Seen::File { real, content }) => (real, content),
            Some(Seen::Unreadable(why)) => {
                self.loosen(Why::Unreadable(format!("{path}, which {why}")));
                return (Flow::Next, Value::code(path));
            }
            Some(Seen::Absent | Seen::Other) if required => {
                self.loosen(Why::Code(format!("{path}, which is not there")));
                return (Flow::Next, Value::Bool(false));
            }
            Some(Seen::Absent | Seen::Other) => return (Flow::Next, Value::Bool(false)),
            None => return (Flow::Next, Value::code(path)),
        };
        if self.files.contains(&real) {
            return (Flow::Next, Value::Bool(true));
        }
        if self.stack.len() >= MAX_INCLUDES {
            self.loosen(Why::Code(format!(
                "{path}, which is included by too many files in a row"
            )));
            return (Flow::Next, Value::Bool(true));
        }
        self.files.push(real.clone());
        let statements = match parse::statements(&content) {
            Ok(statements) => statements,
            Err(nonsense) => {
                let text = format!("{real}, which {} (line {})", nonsense.what, nonsense.line);
                let asks = ["getenv", "_ENV", "_SERVER"].map(|name| token::find(&content, name.as_bytes()).is_some());
                self.loosen(match asks.contains(&true) {
                    true => Why::Environment(format!("{text} and reads the environment")),
                    false => Why::Code(text),
                });
                return (Flow::Next, Value::Bool(true));
            }
        };
        self.stack.push(real);
        let outer = self.file_doubt.clone();
        let flow = self.walk(&statements);
        self.file_doubt = outer;
        self.stack.pop();
        match flow {
            Flow::End => (Flow::End, Value::Bool(true)),
            // What a file returns is not looked at.
            Flow::Return => (Flow::Next, Value::code(path)),
            Flow::Next => (Flow::Next, Value::Int(1)),
        }
    }
}
