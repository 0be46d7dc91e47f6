//! The database.

use secrecy::{ExposeSecret, SecretString};

use super::{ConfigError, Environment};

const URL: &str = "XVAULT_DATABASE_URL";

/// Where PostgreSQL is and who we are there.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// `postgres://user:password@host:port/database`, checked to parse.
    pub url: SecretString,
}

impl DatabaseConfig {
    /// Reads `XVAULT_DATABASE_URL` or the file that `XVAULT_DATABASE_URL_FILE` names.
    pub fn load(env: &Environment) -> Result<Self, ConfigError> {
        let url = env.required_secret(URL)?;
        let text = url.expose_secret();
        if !(text.starts_with("postgres://") || text.starts_with("postgresql://")) {
            return Err(ConfigError::new(URL, "does not start with postgres://"));
        }
        // The URL itself is not shown: it holds the password.
        url::Url::parse(text).map_err(|error| ConfigError::new(URL, format!("is not a URL ({error})")))?;
        Ok(Self { url })
    }
}

/// What `xvault migrate` needs.
#[derive(Debug, Clone)]
pub struct MigrateConfig {
    /// A role that owns the schema.
    pub database: DatabaseConfig,
    /// Password of the login role that workers use; without it that role is left to the operator.
    pub worker_db_password: Option<SecretString>,
}

impl MigrateConfig {
    /// Reads `XVAULT_DATABASE_URL` and `XVAULT_WORKER_DATABASE_PASSWORD`.
    pub fn load(env: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            database: DatabaseConfig::load(env)?,
            worker_db_password: env.secret("XVAULT_WORKER_DATABASE_PASSWORD")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_url_is_named_but_not_shown() {
        let env = Environment::fixed([(URL, "mysql://root:hunter2@db/x")]);
        let line = DatabaseConfig::load(&env).unwrap_err().to_string();
        assert!(
            line.starts_with("XVAULT_DATABASE_URL does not start with postgres://; example: XVAULT_DATABASE_URL="),
            "{line}"
        );
        assert!(!line.contains("hunter2"));
    }

    #[test]
    fn debug_output_hides_the_password() {
        let env = Environment::fixed([(URL, "postgres://x:hunter2@db/x")]);
        assert!(!format!("{:?}", DatabaseConfig::load(&env).unwrap()).contains("hunter2"));
    }
}
