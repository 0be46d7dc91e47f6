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
    /// The login to use instead of the target's.
    #[serde(default)]
    pub login: Option<String>,
    /// True if nothing may be changed: only what would be done is found out.
    pub dry_run: bool,
}

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
    /// Bytes free on the target's file system before, where it tells that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
}

impl RestoreReport {
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
