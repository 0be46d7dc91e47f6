//! What was in a dump when it was made: stands in `databases/{name}.json`, and is what a load is compared with.

use serde::{Deserialize, Serialize};

/// What passed when a database was dumped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpRows {
    /// Bytes of the dump.
    pub bytes: u64,
    /// The tables whose rows are in it, in the dump's order. `None`: they were not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<Vec<TableRows>>,
    /// Large objects of PostgreSQL in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub large_objects: Option<u64>,
}

/// A table and its rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TableRows {
    /// Its schema; MySQL has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
}

impl TableRows {
    /// `schema.name`, for messages.
    pub fn title(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
    }
}

/// Tables that are counted in one dump, at most; what has more is not counted.
pub const MAX_TABLES: usize = 100_000;
