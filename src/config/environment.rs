//! Where secrets come from: the variable itself, or the file that `{name}_FILE` names.

use std::{collections::HashMap, ffi::OsString, io::Read, path::Path};

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::ConfigError;

/// Longest secret file that is read, in bytes; none of the secrets comes near it.
const MAX_FILE: u64 = 64 * 1024;

/// The process environment, or a fixed one in tests.
#[derive(Default)]
pub struct Environment {
    fixed: Option<HashMap<String, String>>,
}

impl Environment {
    /// The environment of this process.
    pub fn process() -> Self {
        Self::default()
    }

    /// An environment of exactly these variables.
    pub fn fixed<K: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (K, V)>) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self {
            fixed: Some(variables.collect()),
        }
    }

    fn get(&self, name: &str) -> Option<OsString> {
        match &self.fixed {
            None => std::env::var_os(name),
            Some(fixed) => fixed.get(name).map(OsString::from),
        }
    }

    /// The secret `name`, or the content of the file that `{name}_FILE` names without the line end
    /// that editors add; `None` if neither is set.
    pub fn secret(&self, name: &str) -> Result<Option<SecretString>, ConfigError> {
        let file_name = format!("{name}_FILE");
        let (name, text) = match (self.get(name), self.get(&file_name)) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(ConfigError::new(name, format!("and {file_name} are both set, use one"))),
            (Some(value), None) => {
                let text = value
                    .into_string()
                    .map_err(|_| ConfigError::new(name, "is not UTF-8"))?;
                (name, Zeroizing::new(text))
            }
            (None, Some(path)) => (
                file_name.as_str(),
                read(Path::new(&path))
                    .map_err(|error| ConfigError::new(&file_name, format!("names {}: {error}", path.display())))?,
            ),
        };
        let trimmed = text.trim_end_matches(['\n', '\r']);
        if trimmed.is_empty() {
            return Err(ConfigError::new(name, "is empty"));
        }
        Ok(Some(SecretString::from(trimmed)))
    }

    /// As [`Environment::secret`], for a secret that must be there.
    pub fn required_secret(&self, name: &str) -> Result<SecretString, ConfigError> {
        self.secret(name)?.ok_or_else(|| ConfigError::missing(name))
    }
}

fn read(path: &Path) -> std::io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    std::fs::File::open(path)?.take(MAX_FILE).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_file_gives_its_content_without_the_line_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cret \n").unwrap();
        let env = Environment::fixed([("XVAULT_WORKER_TOKEN_FILE", file.path().to_str().unwrap())]);
        let secret = env.required_secret("XVAULT_WORKER_TOKEN").unwrap();
        assert_eq!(secret.expose_secret(), "s3cret ");
    }

    #[test]
    fn what_is_wrong_is_one_line_with_an_example() {
        let both = Environment::fixed([("XVAULT_WORKER_TOKEN", "a"), ("XVAULT_WORKER_TOKEN_FILE", "/x")]);
        let none = Environment::fixed([("XVAULT_WORKER_TOKEN_FILE", "/nowhere/token")]);
        let empty = Environment::fixed([("XVAULT_WORKER_TOKEN", "\n")]);
        for (env, expected) in [
            (
                both,
                "XVAULT_WORKER_TOKEN and XVAULT_WORKER_TOKEN_FILE are both set, use one; example: XVAULT_WORKER_TOKEN=",
            ),
            (
                none,
                "XVAULT_WORKER_TOKEN_FILE names /nowhere/token: No such file or directory (os error 2); \
                 example: XVAULT_WORKER_TOKEN_FILE=/run/secrets/xvault_worker_token",
            ),
            (empty, "XVAULT_WORKER_TOKEN is empty; example: XVAULT_WORKER_TOKEN="),
            (
                Environment::fixed([("A", "b")]),
                "XVAULT_WORKER_TOKEN is not set; example: XVAULT_WORKER_TOKEN=",
            ),
        ] {
            let line = env.required_secret("XVAULT_WORKER_TOKEN").unwrap_err().to_string();
            assert!(line.starts_with(expected), "{line}");
            assert_eq!(line.lines().count(), 1);
        }
    }
}
