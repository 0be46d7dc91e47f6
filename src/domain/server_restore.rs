//! Restoring to a server: what was ordered, and what became (or would become) of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ids::SourceId;

/// What to do with files that are there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Existing {
    /// Overwrite those that differ in size, time or mode. An attempt that broke off is gone on with.
    #[default]
    Changed,
    /// Keep them all.
    Never,
    /// Overwrite them all, even where size, time and mode are the same.
    All,
}

impl Existing {
    /// Every choice.
    pub const CHOICES: &'static [Existing] = &[Self::Changed, Self::Never, Self::All];

    /// The stable text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Never => "never",
            Self::All => "all",
        }
    }
}

/// What a job that restores to a server was told. Holds nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerRestore {
    /// The source that is written to.
    pub target_source_id: SourceId,
    /// What to restore, as shown by the file browser; everything if empty.
    #[serde(default)]
    pub paths: Vec<String>,
    /// The directory that everything goes below, absolute; where it was if `None`.
    #[serde(default)]
    pub into: Option<String>,
    /// What to do with files that are there already.
    #[serde(default)]
    pub existing: Existing,
    /// True if owners are restored too.
    #[serde(default)]
    pub owners: bool,
    /// What databases are to be called, by what they were called.
    #[serde(default)]
    pub databases: BTreeMap<String, String>,
    /// Of databases: what the others' new names end in. The same in each attempt.
    #[serde(default)]
    pub suffix: String,
    /// The login to use instead of the target's.
    #[serde(default)]
    pub login: Option<String>,
    /// True if nothing may be changed: only what would be done is found out.
    pub dry_run: bool,
}

impl ServerRestore {
    /// What a database is to be called, at most [`MAX_DATABASE_NAME`] bytes.
    pub fn database_name(&self, database: &str) -> String {
        if let Some(name) = self.databases.get(database) {
            return name.clone();
        }
        let mut end = database.len().min(MAX_DATABASE_NAME.saturating_sub(self.suffix.len()));
        while !database.is_char_boundary(end) {
            end -= 1;
        }
        format!("{}{}", &database[..end], self.suffix)
    }
}

/// Longest name of a database that every server takes, in bytes.
pub const MAX_DATABASE_NAME: usize = 63;

/// What becomes of one thing out of the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestoreAction {
    /// It was not there.
    Create,
    /// Something else of the same kind was there.
    Overwrite,
    /// It is there already, as far as size, time and mode tell.
    Unchanged,
    /// Something is there, and was to be kept.
    Keep,
    /// Something of another kind is there, or a link leads away: never touched.
    Conflict,
    /// The server does not let it be written.
    Refused,
    /// It could not be read whole when it was backed up, so it must not replace anything.
    Incomplete,
}

impl RestoreAction {
    /// True if something that was asked for is not there afterwards.
    pub fn is_missing(self) -> bool {
        matches!(self, Self::Conflict | Self::Refused | Self::Incomplete)
    }
}

/// How many things, and the bytes of content they have together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RestoreCount {
    /// Files, directories and links.
    pub entries: u64,
    /// Bytes of content.
    pub bytes: u64,
}

/// What becomes of one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RestoreLine {
    /// What is done.
    pub action: RestoreAction,
    /// Where, on the target; escaped as in the file browser. Directories end with a slash.
    pub path: String,
    /// Why, where that is worth telling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The result of a restore to a server, or the plan for one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RestoreReport {
    /// True if nothing was changed.
    pub dry_run: bool,
    /// The server, `host:port`.
    pub place: String,
    /// The directory everything goes below, as the server resolves it; escaped.
    pub into: String,
    /// Of each action, how many; those without any are left out.
    pub counts: BTreeMap<RestoreAction, RestoreCount>,
    /// The first few of each action.
    pub sample: Vec<RestoreLine>,
    /// Of a dry run: what the login seems not to be allowed to do, or the server not able to; a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub obstacles: Vec<String>,
    /// What could not be given to what was written, such as modes; a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_set: Vec<String>,
    /// Bytes free on the target's file system before, where it tells that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
}

impl RestoreReport {
    /// Notes what becomes of one thing.
    pub fn note(&mut self, action: RestoreAction, bytes: u64, line: RestoreLine) {
        let count = self.counts.entry(action).or_default();
        count.entries += 1;
        count.bytes += bytes;
        if count.entries <= Self::SAMPLE {
            self.sample.push(line);
        }
    }

    /// Lines kept of each action.
    pub const SAMPLE: u64 = 50;

    /// How many things an action is done to.
    pub fn count(&self, action: RestoreAction) -> RestoreCount {
        self.counts.get(&action).copied().unwrap_or_default()
    }

    /// How many things are written.
    pub fn written(&self) -> RestoreCount {
        let (new, over) = (self.count(RestoreAction::Create), self.count(RestoreAction::Overwrite));
        RestoreCount {
            entries: new.entries + over.entries,
            bytes: new.bytes + over.bytes,
        }
    }

    /// How many things that were asked for are not there afterwards.
    pub fn missing(&self) -> u64 {
        let missing = self.counts.iter().filter(|(action, _)| action.is_missing());
        missing.map(|(_, count)| count.entries).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_names_of_databases_end_in_the_time_and_are_never_too_long() {
        let mut order: ServerRestore =
            serde_json::from_str(r#"{"target_source_id": "src_0", "dry_run": true}"#).unwrap();
        order.suffix = "_restored_20261123_0300".into();
        order.databases.insert("a".into(), "b".into());
        assert_eq!(order.database_name("a"), "b");
        assert_eq!(order.database_name("shop"), "shop_restored_20261123_0300");
        let long = order.database_name(&"\u{fc}".repeat(60));
        assert!(
            long.len() <= MAX_DATABASE_NAME && long.ends_with(&order.suffix),
            "{long}"
        );
    }
}
