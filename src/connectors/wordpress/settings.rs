//! From `wp-config.php` to settings: worked out here, asked of PHP where that is certain to help, never guessed.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::{
    address::Address,
    ask_php, faults,
    locate::Located,
    php::{Answer, Known, Seen, Value, Why, work_out},
    remote::Remote,
};
use crate::domain::{
    error_code::ErrorCode,
    job::JobError,
    source::{DatabaseConfig, DatabaseTls, Databases},
};

/// What a backup has to know; where one of these is open, there is none.
pub(super) const NEEDED: &[&str] = &[
    "DB_NAME",
    "DB_USER",
    "DB_PASSWORD",
    "DB_HOST",
    "$table_prefix",
    "ABSPATH",
    "WP_CONTENT_DIR",
    "WP_PLUGIN_DIR",
    "WPMU_PLUGIN_DIR",
    "UPLOADS",
    "CUSTOM_USER_TABLE",
    "CUSTOM_USER_META_TABLE",
];

/// Most files that a configuration may consist of.
const MAX_FILES: usize = 60;
/// Most times that it is walked through: each time it has learned of at least one more file.
const MAX_ROUNDS: usize = 40;

/// What a site's configuration says.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) located: Located,
    pub(super) database: String,
    pub(super) user: String,
    pub(super) password: SecretString,
    /// `DB_HOST` as it is written.
    pub(super) host: String,
    pub(super) address: Address,
    pub(super) prefix: String,
    pub(super) multisite: bool,
    /// `ABSPATH`, with a slash at its end.
    pub(super) abspath: String,
    pub(super) content: String,
    /// Directories that are set to lie elsewhere.
    pub(super) elsewhere: Vec<String>,
    /// `UPLOADS`, below `ABSPATH`.
    pub(super) uploads: Option<String>,
    /// Tables outside of the prefix that belong to the site all the same.
    pub(super) shared_tables: Vec<String>,
    /// The files that the configuration consists of.
    pub(super) files: Vec<String>,
    pub(super) asked_php: bool,
}

impl Settings {
    /// Finds out what the configuration says.
    ///
    /// # Errors
    /// `config_unresolved`, naming what is open and why.
    pub(super) async fn find(remote: &Remote<'_>, located: Located) -> Result<Self, JobError> {
        let answer = answer(remote, &located, &located.config, located.seen.clone()).await?;
        let mut values: BTreeMap<&str, Option<Value>> = NEEDED.iter().map(|&name| (name, answer.get(name))).collect();
        let open = values.iter().filter_map(|(name, value)| match value {
            Some(Value::Unknown(why)) => Some((*name, why.clone())),
            _ => None,
        });
        let open: Vec<_> = open.collect();
        let asked_php = !open.is_empty();
        if asked_php {
            // PHP would answer from the login's environment as if it were the web server's, and pass over what the login
            // may not read: that would be a guess.
            let guess = open.iter().find(|(_, why)| !matches!(why, Why::Code(_)));
            let told = match guess {
                Some((name, why)) => Err((*name, why.clone())),
                None => ask_php::ask(remote, &located, &answer.files)
                    .await?
                    .map_err(|why| (open[0].0, why.unwrap_or_else(|| open[0].1.clone()))),
            };
            let told = told.map_err(|(name, why)| faults::unresolved(remote.place(), &located.config, name, &why))?;
            for (name, _) in &open {
                values.insert(name, told.get(*name).cloned());
            }
        }
        let multisite = [answer.get("MULTISITE"), answer.get("SUBDOMAIN_INSTALL")];
        let multisite = multisite.iter().flatten().any(|value| value.truth() == Ok(true));
        let values = Values {
            place: remote.place(),
            config: &located.config,
            values,
        };
        let (database, user, host) = (
            values.text("DB_NAME")?,
            values.text("DB_USER")?,
            values.text("DB_HOST")?,
        );
        let password = values.text("DB_PASSWORD")?.into();
        let prefix = values.text("$table_prefix")?;
        if database.is_empty() || !prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(values.unusable("names no database, or a table prefix that WordPress refuses"));
        }
        let address = Address::read(&host).ok_or_else(|| values.unusable("has a DB_HOST that names no host"))?;
        let abspath = match &located.abspath {
            Some(abspath) => abspath.clone(),
            None => values
                .optional("ABSPATH")?
                .unwrap_or_else(|| format!("{}/", located.root)),
        };
        let content = values
            .optional("WP_CONTENT_DIR")?
            .unwrap_or_else(|| format!("{abspath}wp-content"));
        let directories = [values.optional("WP_PLUGIN_DIR")?, values.optional("WPMU_PLUGIN_DIR")?];
        let tables = [
            values.optional("CUSTOM_USER_TABLE")?,
            values.optional("CUSTOM_USER_META_TABLE")?,
        ];
        Ok(Self {
            database,
            user,
            password,
            host,
            address,
            prefix,
            multisite,
            content,
            elsewhere: directories.into_iter().flatten().collect(),
            uploads: values.optional("UPLOADS")?,
            shared_tables: tables.into_iter().flatten().collect(),
            abspath,
            files: answer.files,
            asked_php,
            located,
        })
    }

    /// The database, as one that is reached over the site's server at `host`.
    pub(super) fn database_config(&self, host: String, port: u16) -> DatabaseConfig {
        DatabaseConfig {
            host,
            port,
            user: self.user.clone(),
            databases: Databases::Named(vec![self.database.clone()]),
            // As the site itself does, from the same machine.
            tls: Some(DatabaseTls::None),
            ca: None,
            over_ssh: None,
        }
    }
}

/// The version of WordPress, which a file of its own says.
pub(super) async fn version(remote: &Remote<'_>, settings: &Settings) -> Result<Option<String>, JobError> {
    let path = format!("{}wp-includes/version.php", settings.abspath);
    let seen = remote.read(&path).await?;
    if !matches!(seen, Seen::File { .. }) {
        return Ok(None);
    }
    let answer = answer(remote, &settings.located, &path, seen).await?;
    let text = answer.get("$wp_version").and_then(|version| version.text().ok());
    let text = text.and_then(|text| String::from_utf8(text).ok());
    Ok(text.filter(|text| text.len() <= 40 && !text.chars().any(char::is_control)))
}

/// Walks through a file until everything that it asks for is known.
async fn answer(remote: &Remote<'_>, located: &Located, entry: &str, seen: Seen) -> Result<Answer, JobError> {
    let mut known = Known {
        document_root: located.root.clone(),
        ..Known::default()
    };
    if let Some(abspath) = &located.abspath {
        known.constants.insert("ABSPATH".into(), abspath.clone());
    }
    known.files.insert(entry.to_owned(), seen);
    for _ in 0..MAX_ROUNDS {
        let answer = work_out(entry, &known);
        if answer.wants.files.is_empty() && answer.wants.variables.is_empty() {
            return Ok(answer);
        }
        for path in &answer.wants.files {
            if known.files.len() >= MAX_FILES {
                return Err(too_much(remote, entry));
            }
            known.files.insert(path.clone(), remote.read(path).await?);
        }
        known
            .environment
            .extend(remote.environment(answer.wants.variables).await?);
    }
    Err(too_much(remote, entry))
}

fn too_much(remote: &Remote<'_>, entry: &str) -> JobError {
    JobError::new(
        ErrorCode::SourceLimit,
        format!(
            "{entry} on {} includes more files than a configuration has",
            remote.place()
        ),
        "Check that this is the site's configuration.",
    )
}

struct Values<'a> {
    place: &'a str,
    config: &'a str,
    values: BTreeMap<&'static str, Option<Value>>,
}

impl Values<'_> {
    fn unusable(&self, what: &str) -> JobError {
        faults::unusable(self.place, self.config, what)
    }

    fn text(&self, name: &'static str) -> Result<String, JobError> {
        match self.values.get(name).cloned().flatten() {
            None => Err(self.unusable(&format!("does not set {name}"))),
            Some(value) => self.as_text(name, &value),
        }
    }

    /// A text that may be absent or empty.
    fn optional(&self, name: &'static str) -> Result<Option<String>, JobError> {
        match self.values.get(name).cloned().flatten() {
            None => Ok(None),
            Some(value) => Ok(Some(self.as_text(name, &value)?).filter(|text| !text.is_empty())),
        }
    }

    fn as_text(&self, name: &str, value: &Value) -> Result<String, JobError> {
        let text = value
            .text()
            .map_err(|why| faults::unresolved(self.place, self.config, name, &why))?;
        let text = String::from_utf8(text).ok().filter(|text| !text.contains('\0'));
        text.ok_or_else(|| self.unusable(&format!("sets {name} to something that is no UTF-8 text")))
    }
}
