//! How client programs sign in.

use secrecy::SecretString;

use super::DatabaseSource;
use crate::domain::source::CredentialField;

/// A login at a server, by the names the user gave.
pub struct Login {
    /// Name or address; a path if it is a socket.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Login name.
    pub user: String,
    /// `None`: the server asks for none.
    pub password: Option<SecretString>,
}

impl Login {
    /// A login at a server on this worker that asks for no password.
    pub fn on_worker(user: &str) -> Self {
        Self {
            host: String::new(),
            port: 0,
            user: user.to_owned(),
            password: None,
        }
    }
}

impl From<&DatabaseSource> for Login {
    fn from(source: &DatabaseSource) -> Self {
        Self {
            host: source.config.host.clone(),
            port: source.config.port,
            user: source.config.user.clone(),
            password: source.credentials.get(CredentialField::Password).cloned(),
        }
    }
}
