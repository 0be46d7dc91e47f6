//! The hub.

use std::{net::SocketAddr, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use zeroize::Zeroizing;

use super::{ConfigError, DatabaseConfig, Environment, values};

/// Flags of `xvault hub`.
#[derive(Debug, Clone, clap::Args)]
pub struct HubArgs {
    /// Address and port for API and pages
    #[arg(long, env = "XVAULT_HUB_LISTEN", value_name = "ADDR:PORT", default_value = "127.0.0.1:8080", value_parser = values::listen)]
    hub_listen: SocketAddr,
    /// URL under which people and workers reach the hub [default: http:// and the address listened on]
    #[arg(long, env = "XVAULT_HUB_URL", value_name = "URL", value_parser = values::base_url)]
    hub_url: Option<Url>,
    /// E-mail address of the first user, made on the first start when no user exists; its password
    /// comes from XVAULT_ADMIN_PASSWORD
    #[arg(long, env = "XVAULT_ADMIN_EMAIL", value_name = "EMAIL")]
    admin_email: Option<String>,
    /// Which share of the snapshots is verified per day by itself; 0% for none
    #[arg(long, env = "XVAULT_VERIFY_SHARE", value_name = "PERCENT", default_value = "3.5%", value_parser = values::share)]
    verify_share: f64,
    /// How long workers have to renew their leases after a restart of the database
    #[arg(long, env = "XVAULT_SETTLING", value_name = "TIME", default_value = "15s", value_parser = values::duration, hide = true)]
    settling: Duration,
}

/// The first user.
#[derive(Debug, Clone)]
pub struct AdminSeed {
    /// Signs in with.
    pub email: String,
    /// And with.
    pub password: SecretString,
}

/// Everything a hub needs to know.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// A role that owns the schema.
    pub database: DatabaseConfig,
    /// Where to listen.
    pub listen: SocketAddr,
    /// How others reach it; `https` here makes cookies secure-only.
    pub url: Url,
    /// Base64 of 32 bytes, checked.
    pub master_key: SecretString,
    /// First user, if the operator named one.
    pub admin: Option<AdminSeed>,
    /// A worker token accepted beside those in the database.
    pub worker_token: Option<SecretString>,
    /// Password of the login role that workers use; without it that role is left to the operator.
    pub worker_db_password: Option<SecretString>,
    /// Opens `/metrics` to others than loopback.
    pub metrics_token: Option<SecretString>,
    /// Which share of the snapshots is verified per day, 0 to 1.
    pub verify_share: f64,
    /// How long workers have to renew their leases after a restart of the database; shortened in tests.
    pub settling: Duration,
}

impl HubConfig {
    /// Joins flags and secrets.
    pub fn load(args: HubArgs, env: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            database: DatabaseConfig::load(env)?,
            master_key: master_key("XVAULT_MASTER_KEY", env)?,
            admin: admin(args.admin_email, env)?,
            worker_token: env.secret("XVAULT_WORKER_TOKEN")?,
            worker_db_password: env.secret("XVAULT_WORKER_DATABASE_PASSWORD")?,
            metrics_token: env.secret("XVAULT_METRICS_TOKEN")?,
            verify_share: args.verify_share,
            settling: args.settling,
            listen: args.hub_listen,
            url: match args.hub_url {
                Some(url) => url,
                None => listened_url(args.hub_listen, "XVAULT_HUB_URL")?,
            },
        })
    }
}

fn admin(email: Option<String>, env: &Environment) -> Result<Option<AdminSeed>, ConfigError> {
    match (email, env.secret("XVAULT_ADMIN_PASSWORD")?) {
        (None, None) => Ok(None),
        (Some(email), Some(password)) => Ok(Some(AdminSeed { email, password })),
        (Some(_), None) => Err(ConfigError::new(
            "XVAULT_ADMIN_PASSWORD",
            "is not set, but XVAULT_ADMIN_EMAIL is",
        )),
        (None, Some(_)) => Err(ConfigError::new(
            "XVAULT_ADMIN_EMAIL",
            "is not set, but XVAULT_ADMIN_PASSWORD is",
        )),
    }
}

/// A master key (base64 of 32 bytes) out of the variable `name` or its file.
pub fn master_key(name: &str, env: &Environment) -> Result<SecretString, ConfigError> {
    let key = env.required_secret(name)?;
    match BASE64_STANDARD.decode(key.expose_secret()).map(Zeroizing::new) {
        Ok(bytes) if bytes.len() == 32 => Ok(key),
        Ok(bytes) => Err(ConfigError::new(
            name,
            format!("holds {} bytes but must hold 32, in base64", bytes.len()),
        )),
        Err(_) => Err(ConfigError::new(name, "is not base64")),
    }
}

/// The URL of a listening address, where nobody gave a better one.
pub(super) fn listened_url(listen: SocketAddr, variable: &str) -> Result<Url, ConfigError> {
    let reachable = !listen.ip().is_unspecified() && listen.port() != 0;
    match Url::parse(&format!("http://{listen}")) {
        Ok(url) if reachable => Ok(url),
        _ => Err(ConfigError::new(
            variable,
            format!("is not set, and {listen} is no address others could use"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        hub: HubArgs,
    }

    fn load(flags: &[&str], variables: &[(&str, &str)]) -> Result<HubConfig, ConfigError> {
        let args = Cli::try_parse_from(["hub"].iter().chain(flags)).unwrap().hub;
        let base = [
            ("XVAULT_DATABASE_URL", "postgres://x@localhost/x"),
            ("XVAULT_MASTER_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="),
        ];
        HubConfig::load(args, &Environment::fixed(base.iter().chain(variables).copied()))
    }

    #[test]
    fn the_url_follows_the_listening_address() {
        assert_eq!(load(&[], &[]).unwrap().url.as_str(), "http://127.0.0.1:8080/");
        let line = load(&["--hub-listen", "0.0.0.0:80"], &[]).unwrap_err().to_string();
        assert!(line.starts_with("XVAULT_HUB_URL is not set"), "{line}");
    }

    #[test]
    fn a_short_master_key_is_refused() {
        let line = load(&[], &[("XVAULT_MASTER_KEY", "c2hvcnQ=")]).unwrap_err().to_string();
        assert!(
            line.starts_with("XVAULT_MASTER_KEY holds 5 bytes but must hold 32"),
            "{line}"
        );
    }

    #[test]
    fn half_an_admin_is_refused() {
        let error = load(&["--admin-email", "a@b.c"], &[]).unwrap_err();
        assert_eq!(error.variable(), "XVAULT_ADMIN_PASSWORD");
        let error = load(&[], &[("XVAULT_ADMIN_PASSWORD", "x")]).unwrap_err();
        assert_eq!(error.variable(), "XVAULT_ADMIN_EMAIL");
    }

    #[test]
    fn debug_output_hides_every_secret() {
        let config = load(
            &["--admin-email", "a@b.c"],
            &[
                ("XVAULT_ADMIN_PASSWORD", "hunter2"),
                ("XVAULT_WORKER_TOKEN", "hunter3"),
                ("XVAULT_METRICS_TOKEN", "hunter4"),
            ],
        );
        let debug = format!("{:?}", config.unwrap());
        assert!(!debug.contains("hunter") && !debug.contains("MDEy"), "{debug}");
    }
}
