//! A database dumped by the login of the application that it belongs to: with the rights that login has, and if the
//! database holds more than that application, only its part.

use tokio_util::sync::CancellationToken;

use super::{
    access::{Access, quoted},
    capture,
    server::{self, Content, Database, Server},
    tools::Extent,
};
use crate::{
    connectors::{
        CaptureSink, ProbedDatabase,
        database::{lacks, listed},
        dump_name::dump_path,
    },
    domain::{entry::ProblemKind, error_code::ErrorCode, job::JobError},
};

/// A database as the application's login sees it.
pub struct Owned {
    server: Server,
    database: Database,
    content: Content,
    /// Procedures and functions whose text the login may not read.
    hidden_routines: Vec<String>,
}

impl Owned {
    /// Looks at a database.
    ///
    /// # Errors
    /// `database_not_found`, `missing_privilege` if the login may not read all of it, and those of a question.
    pub async fn look(access: &Access, name: &str, cancel: &CancellationToken) -> Result<Self, JobError> {
        let server = server::look(access, cancel).await?;
        let found = server::databases(access, cancel).await?;
        // Where the server's file system knows no letter case, its databases have none either.
        let exact = found.iter().find(|database| database.name == name);
        let database = exact.or_else(|| found.iter().find(|database| database.name.eq_ignore_ascii_case(name)));
        let Some(database) = database.cloned() else {
            let (place, user) = (access.place(), access.user());
            return Err(JobError::new(
                ErrorCode::DatabaseNotFound,
                format!("{place} has no database {name:?} that {user} can see"),
                "Check DB_NAME, and the rights of DB_USER.",
            ));
        };
        if !server.may("SELECT", &database.name) {
            let missing = [server.grant(&["SELECT"], &database.name)];
            return Err(lacks(access.place(), access.user(), &missing));
        }
        let content = server::content(access, &database.name, cancel).await?;
        let sql = format!(
            "SELECT ROUTINE_NAME FROM information_schema.ROUTINES \
             WHERE ROUTINE_SCHEMA = {} AND ROUTINE_DEFINITION IS NULL ORDER BY 1;",
            quoted(&database.name)
        );
        let hidden_routines = access.query(&sql, cancel).await?.concat();
        Ok(Self {
            server,
            database,
            content,
            hidden_routines,
        })
    }

    /// Its name, as the server has it.
    pub fn name(&self) -> &str {
        &self.database.name
    }

    /// `MariaDB 10.11.6-MariaDB`
    pub fn server(&self) -> String {
        format!("{} {}", self.server.flavour.name(), self.server.version)
    }

    /// Its tables and views.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.content.tables.iter().map(|table| table.name.as_str())
    }

    /// For a probe: a backup would dump it.
    pub fn probed(&self) -> ProbedDatabase {
        ProbedDatabase {
            name: self.database.name.clone(),
            bytes: self.database.bytes,
            tables: Some(self.database.tables),
            chosen: true,
        }
    }

    /// What the login may not read, and a dump by it therefore lacks, one sentence each; a statement that would change it.
    pub fn out_of_sight(&self) -> (Vec<String>, Option<String>) {
        let lacking: Vec<_> = [
            ("SHOW VIEW", "Views: their definitions need the right SHOW VIEW."),
            ("TRIGGER", "Triggers: they need the right TRIGGER."),
            ("EVENT", "Events: they need the right EVENT."),
        ]
        .into_iter()
        .filter(|(right, _)| !self.server.may(right, &self.database.name))
        .collect();
        let mut sentences: Vec<_> = lacking.iter().map(|(_, sentence)| (*sentence).to_owned()).collect();
        if !self.hidden_routines.is_empty() {
            let names = listed(&self.hidden_routines);
            sentences.push(format!(
                "Procedures and functions: these belong to another login: {names}."
            ));
        }
        let rights: Vec<_> = lacking.iter().map(|(right, _)| *right).collect();
        let grant = (!rights.is_empty()).then(|| self.server.grant(&rights, &self.database.name));
        (sentences, grant)
    }

    /// Dumps `only` these tables and views of it, or everything.
    ///
    /// # Errors
    /// The reason why there is no dump.
    pub async fn dump(
        &self,
        access: &Access,
        only: Option<&[String]>,
        sink: &CaptureSink,
        cancel: &CancellationToken,
    ) -> Result<(), JobError> {
        let mut content = self.content.clone();
        if let Some(only) = only {
            content.tables.retain(|table| only.contains(&table.name));
            content.broken_views.retain(|(name, _)| only.contains(name));
            content.floats.retain(|column| {
                let table = column.split('.').next().unwrap_or_default();
                only.iter().any(|name| name == table)
            });
            self.set_aside_views(access, only, &mut content, cancel).await?;
        }
        let name = &self.database.name;
        let mut ignored: Vec<_> = content.broken_views.iter().map(|(view, _)| view.clone()).collect();
        if !self.server.may("SHOW VIEW", name) {
            let views = content.tables.iter().filter(|table| table.kind == "VIEW");
            let unread: Vec<_> = views
                .map(|view| view.name.clone())
                .filter(|view| !ignored.contains(view))
                .collect();
            if !unread.is_empty() {
                let path = dump_path(name, "sql")?;
                let text = format!(
                    "the login may not read the definition of these views: {}",
                    listed(&unread)
                );
                sink.problem(ProblemKind::Unreadable, path.as_bytes(), text).await?;
                content.tables.retain(|table| !unread.contains(&table.name));
                ignored.extend(unread);
            }
        }
        // Routines and events of a database with several applications: nobody can tell whose they are.
        let routines = only.is_none() && self.hidden_routines.is_empty();
        let events = only.is_none() && self.server.may("EVENT", name);
        content.routines = if routines { content.routines } else { 0 };
        content.events = if events { content.events } else { 0 };
        let is_dumped = |table: &&String| !ignored.contains(table);
        let extent = Extent {
            only: only.map_or_else(Vec::new, |only| only.iter().filter(is_dumped).cloned().collect()),
            ignored,
            routines,
            events,
        };
        capture::notes(&self.database, &content, sink).await?;
        capture::dump(access, &self.server, &self.database, &content, &extent, sink, cancel).await
    }

    /// Views of the part that refer to something outside of it could not be loaded: they are kept as definitions.
    async fn set_aside_views(
        &self,
        access: &Access,
        only: &[String],
        content: &mut Content,
        cancel: &CancellationToken,
    ) -> Result<(), JobError> {
        if !content.tables.iter().any(|table| table.kind == "VIEW") {
            return Ok(());
        }
        let others: Vec<_> = self
            .tables()
            .filter(|table| !only.iter().any(|name| name == table))
            .collect();
        let name = quoted(&self.database.name);
        let sql =
            format!("SELECT TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS WHERE TABLE_SCHEMA = {name};");
        for row in access.query(&sql, cancel).await? {
            let [view, definition] = row.try_into().unwrap_or_default();
            let refers = |table: &&str| definition.contains(&format!("`{}`", table.replace('`', "``")));
            let ours = only.contains(&view) && content.broken_views.iter().all(|(broken, _)| *broken != view);
            if ours && others.iter().any(refers) {
                content.broken_views.push((view, definition));
            }
        }
        Ok(())
    }
}
