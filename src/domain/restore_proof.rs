//! The proof that the dumps in a snapshot can be loaded, and hold what was counted when they were made.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// All databases of a snapshot were loaded into a throw-away server and compared with their records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RestoreProof {
    /// When the last was compared.
    pub checked_at: DateTime<Utc>,
    /// How long it took, from making a server to the last comparison.
    pub duration_seconds: u64,
    /// Each database.
    pub databases: Vec<ProvenDatabase>,
}

/// One database that was loaded and is what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProvenDatabase {
    /// Its name.
    pub name: String,
    /// The server it was loaded into, for example `PostgreSQL 15.14`.
    pub server: String,
    /// Tables, each with as many rows as were dumped.
    pub tables: u64,
    /// Their rows together.
    pub rows: u64,
    /// Large objects of PostgreSQL, as many as were dumped.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub large_objects: u64,
    /// What only a superuser could have loaded, in the server's words; at most [`ProvenDatabase::MAX_LEFT_OUT`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

impl ProvenDatabase {
    /// Most sentences in `left_out`.
    pub const MAX_LEFT_OUT: usize = 20;
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
