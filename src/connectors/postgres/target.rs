//! Archives into databases that are made for them.

use async_trait::async_trait;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::{
    access::Access,
    load::{Loading, identifier, literal},
};
use crate::{
    connectors::{
        database::{DumpTarget, LOAD_TIME, Origin, Server as _},
        program::Feed,
    },
    domain::{error_code::ErrorCode, job::JobError},
};

/// The database that statements about others are run in.
const ENTRY: &str = "postgres";

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct May {
    may: bool,
}

#[async_trait]
impl DumpTarget for Access {
    fn place(&self) -> &str {
        self.reach().place()
    }

    async fn names(&self, cancel: &CancellationToken) -> Result<Vec<String>, JobError> {
        let sql = "SELECT json_build_object('name', datname) FROM pg_database;";
        let rows: Vec<Named> = self.query(ENTRY, sql, cancel).await?;
        Ok(rows.into_iter().map(|row| row.name).collect())
    }

    async fn missing_rights(&self, _: &[String], cancel: &CancellationToken) -> Result<Vec<String>, JobError> {
        let sql =
            "SELECT json_build_object('may', rolsuper OR rolcreatedb) FROM pg_roles WHERE rolname = current_user;";
        let rows: Vec<May> = self.query(ENTRY, sql, cancel).await?;
        Ok(match rows.iter().any(|row| row.may) {
            true => Vec::new(),
            false => vec![format!("ALTER ROLE {} CREATEDB;", identifier(self.user()))],
        })
    }

    async fn make(&self, name: &str, origin: &Origin, cancel: &CancellationToken) -> Result<Vec<String>, JobError> {
        let (encoding, locale) = parts(name, origin)?;
        let (text, encoding_text) = (literal(locale), literal(encoding));
        let sql = format!(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING {encoding_text} LC_COLLATE {text} LC_CTYPE {text};",
            identifier(name)
        );
        match self.command(ENTRY, &sql, cancel).await {
            Ok(()) => Ok(Vec::new()),
            // The server may not have that locale; or the name is taken, which it says again.
            Err(error) if error.code == ErrorCode::ProtocolError => {
                self.create_database(name, encoding, None, cancel).await?;
                Ok(vec![format!(
                    "{name} has the server's own locale: the dump's, {locale:?}, is not there"
                )])
            }
            Err(error) => Err(error),
        }
    }

    async fn fill(
        &self,
        name: &str,
        origin: &Origin,
        feed: Feed,
        cancel: &CancellationToken,
    ) -> Result<Vec<String>, JobError> {
        let loading = Loading {
            // Of an archive whose maker is unknown any program may say whether it can read it.
            major: origin.major().unwrap_or(0),
            owners: false,
            as_far_as_rights_go: true,
            time: LOAD_TIME,
        };
        self.load(name, feed, loading, cancel).await
    }

    async fn discard(&self, name: &str, cancel: &CancellationToken) -> Result<(), JobError> {
        let sql = format!("DROP DATABASE IF EXISTS {};", identifier(name));
        self.command(ENTRY, &sql, cancel).await
    }

    async fn close(self: Box<Self>) {
        self.into_reach().close().await;
    }
}

fn parts<'o>(name: &str, origin: &'o Origin) -> Result<(&'o str, &'o str), JobError> {
    match origin {
        Origin::Postgres {
            encoding, collation, ..
        } => Ok((encoding, collation)),
        Origin::Mysql { .. } => Err(JobError::new(
            ErrorCode::LoadFailed,
            format!("the dump for {name} is not one of PostgreSQL"),
            "Restore it to a source of its own kind.",
        )),
    }
}
