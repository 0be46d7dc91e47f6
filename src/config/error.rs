//! The one-line answer to a wrong setting.

use super::variables;

/// A setting is missing or wrong. Prints as one line: variable, problem, example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    variable: String,
    problem: String,
}

impl ConfigError {
    /// Says what is wrong with `variable`. `problem` must not contain the value of a secret.
    pub fn new(variable: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            variable: variable.into(),
            problem: problem.into(),
        }
    }

    /// `variable` is needed and not set.
    pub fn missing(variable: &str) -> Self {
        Self::new(variable, "is not set")
    }

    /// The variable at fault.
    pub fn variable(&self) -> &str {
        &self.variable
    }
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A value may hold line breaks, and this must stay one line.
        let problem = self.problem.replace(['\n', '\r'], " ");
        write!(f, "{} {problem}", self.variable)?;
        let name = &self.variable;
        match variables::variable(name) {
            Some(known) if known.name == name => write!(f, "; example: {name}={}", known.example),
            // The file form of a secret.
            Some(known) => write!(f, "; example: {name}=/run/secrets/{}", known.name.to_lowercase()),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}
