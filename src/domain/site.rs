//! What a WordPress site is, and which moments a snapshot of it is of. `wordpress.json` in the artifact is this.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A snapshot of a site: the database as of one moment, the files as of a while after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Site {
    /// What it is.
    #[serde(flatten)]
    pub facts: SiteFacts,
    /// The moment that the database is of.
    pub database_as_of: DateTime<Utc>,
    /// When reading the files began.
    pub files_from: DateTime<Utc>,
    /// When the last file had been read.
    pub files_until: DateTime<Utc>,
    /// Most seconds between database and files: whatever was changed within them may be in the files only.
    pub apart_seconds: u64,
}

/// A site as it was found. Fields that are absent are empty: results of older versions stay readable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct SiteFacts {
    /// Version of WordPress, if its files say one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wordpress: Option<String>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// The address of WordPress itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub siteurl: Option<String>,
    /// True for a network of sites.
    pub multisite: bool,
    /// How many sites the network has; 1 of a single one.
    pub sites: u64,
    /// What the names of its tables begin with.
    pub table_prefix: String,
    /// Name of its database.
    pub database: String,
    /// `DB_HOST` as the configuration says it.
    pub database_host: String,
    /// Name and version of the database server.
    pub database_server: String,
    /// How many tables and views belong to it.
    pub tables: u64,
    /// Tables of others in the same database, which are not dumped; the first ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_tables: Vec<String>,
    /// Where its configuration really lies.
    pub config_file: String,
    /// The document root, with all links resolved.
    pub document_root: String,
    /// Everything that is captured of its files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub directories: Vec<String>,
    /// How the database is read: `mysql-on-host` or `mysql-forwarded`.
    pub database_transport: String,
    /// True if part of the configuration could only be worked out by the server's PHP.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub asked_php: bool,
}

impl SiteFacts {
    /// Most tables of others that are named.
    pub const MAX_OTHERS: usize = 100;
}
