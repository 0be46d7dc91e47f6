//! Which schema this binary understands, and whether the database has it.
//!
//! Old and new processes run side by side during an upgrade. So migrations only add, and a binary
//! works on a newer schema too, as long as the schema's own note (`schema_compatibility`) allows it.

use sqlx::{PgConnection, migrate::Migrator};

use super::DbError;

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// How a database's schema and this binary fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaFit {
    /// It has everything this binary knows.
    Fits,
    /// It has what this binary knows, and additions of a newer one that allows older ones beside it.
    Newer,
    /// It lacks migrations that this binary needs.
    TooOld {
        /// The newest migration the database has.
        has: i64,
        /// The newest one this binary knows.
        needs: i64,
    },
    /// A newer version changed what this binary relies on.
    TooNew {
        /// The newest migration this binary knows.
        knows: i64,
        /// The newest one it would have to know.
        needs: i64,
    },
}

impl SchemaFit {
    /// True if this binary may work on the database.
    pub fn is_fine(self) -> bool {
        matches!(self, Self::Fits | Self::Newer)
    }
}

impl std::fmt::Display for SchemaFit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fits => write!(f, "the database's schema is up to date"),
            Self::Newer => write!(f, "the database's schema is newer than this version and allows it"),
            Self::TooOld { has, needs } => write!(
                f,
                "the database's schema is older ({has}) than this version of xVault needs ({needs}); \
                 run `xvault migrate` of this version, or start a hub of it"
            ),
            Self::TooNew { knows, needs } => write!(
                f,
                "the database's schema is newer than this version of xVault understands (it knows {knows}, \
                 the schema needs {needs}); install the version that the hubs run"
            ),
        }
    }
}

/// The newest migration this binary knows.
pub fn known() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Compares the database with this binary. Fails with an error that `is_unprepared` where there is no
/// schema yet.
pub async fn fit(conn: &mut PgConnection) -> Result<SchemaFit, DbError> {
    let applied: Vec<i64> = sqlx::query_scalar("select version from _sqlx_migrations where success")
        .fetch_all(&mut *conn)
        .await?;
    let lacks = MIGRATIONS.iter().any(|migration| !applied.contains(&migration.version));
    let (has, knows) = (applied.iter().max().copied().unwrap_or(0), known());
    // Its table came with a migration; a database without it is older than that.
    let needs = match lacks {
        true => 0,
        false => {
            sqlx::query_scalar("select oldest_binary from schema_compatibility")
                .fetch_one(conn)
                .await?
        }
    };
    Ok(if needs > knows {
        SchemaFit::TooNew { knows, needs }
    } else if lacks {
        SchemaFit::TooOld { has, needs: knows }
    } else if has > knows {
        SchemaFit::Newer
    } else {
        SchemaFit::Fits
    })
}
