//! Dumps into databases that are made for them.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{access::Access, grants::account, load::identifier, server};
use crate::{
    connectors::{
        database::{DumpTarget, LOAD_TIME, Origin, Server as _},
        program::Feed,
    },
    domain::{error_code::ErrorCode, job::JobError},
};

/// What a dump does in its database.
const TO_LOAD: &[&str] = &[
    "CREATE",
    "DROP",
    "ALTER",
    "INDEX",
    "SELECT",
    "INSERT",
    "LOCK TABLES",
    "REFERENCES",
    "TRIGGER",
    "CREATE VIEW",
    "CREATE ROUTINE",
    "ALTER ROUTINE",
    "EVENT",
];

#[async_trait]
impl DumpTarget for Access {
    fn place(&self) -> &str {
        self.reach().place()
    }

    async fn names(&self, cancel: &CancellationToken) -> Result<Vec<String>, JobError> {
        Ok(self.query("SHOW DATABASES;", cancel).await?.concat())
    }

    async fn missing_rights(&self, names: &[String], cancel: &CancellationToken) -> Result<Vec<String>, JobError> {
        let server = server::look(self, cancel).await?;
        let to = account(&server.account);
        let missing = names.iter().filter_map(|name| {
            let lacks = |right: &&&str| !server.grants.covers(right, Some(name));
            let rights: Vec<&str> = TO_LOAD.iter().filter(lacks).copied().collect();
            let grant = || format!("GRANT {} ON {}.* TO {to};", rights.join(", "), identifier(name));
            (!rights.is_empty()).then(grant)
        });
        Ok(missing.collect())
    }

    async fn make(&self, name: &str, origin: &Origin, cancel: &CancellationToken) -> Result<Vec<String>, JobError> {
        let Origin::Mysql {
            character_set,
            collation,
        } = origin
        else {
            return Err(of_another_kind(name));
        };
        self.create_database(name, character_set, collation, cancel).await?;
        Ok(Vec::new())
    }

    async fn fill(
        &self,
        name: &str,
        _: &Origin,
        feed: Feed,
        cancel: &CancellationToken,
    ) -> Result<Vec<String>, JobError> {
        self.load(name, feed, LOAD_TIME, cancel).await?;
        Ok(Vec::new())
    }

    async fn discard(&self, name: &str, cancel: &CancellationToken) -> Result<(), JobError> {
        let sql = format!("DROP DATABASE IF EXISTS {};", identifier(name));
        self.query(&sql, cancel).await.map(drop)
    }

    async fn close(self: Box<Self>) {
        self.into_reach().close().await;
    }
}

fn of_another_kind(name: &str) -> JobError {
    JobError::new(
        ErrorCode::LoadFailed,
        format!("the dump for {name} is not one of MySQL or MariaDB"),
        "Restore it to a source of its own kind.",
    )
}
