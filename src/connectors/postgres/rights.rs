//! What a login lacks for whole dumps, as the statements that give it.
//!
//! `pg_dump` fails on a table it may not read, and on one whose rows it may read only in part. So the rights are
//! asked for before anything is dumped.

use std::collections::BTreeSet;

use super::server::{Content, Database, Server};

/// The statements for one database; for `psql`, which each of them tells to connect to it where that matters.
pub(super) fn missing(server: &Server, database: &Database, content: &Content, user: &str) -> Vec<String> {
    let to = identifier(user);
    let mut missing = Vec::new();
    let closed = content.relations.iter().filter(|relation| !relation.readable);
    let schemas: BTreeSet<_> = closed.map(|relation| relation.schema.as_str()).collect();
    let mut inside = Vec::new();
    if server.major >= 14 && !schemas.is_empty() {
        missing.push(format!("GRANT pg_read_all_data TO {to};"));
    } else {
        inside.extend(schemas.into_iter().map(|schema| {
            let schema = identifier(schema);
            format!(
                "GRANT USAGE ON SCHEMA {schema} TO {to}; GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {to}; \
                 GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {to};"
            )
        }));
    }
    if content.relations.iter().any(|relation| relation.filtered) {
        missing.push(format!("ALTER ROLE {to} BYPASSRLS;"));
    }
    if content.counts.large_objects_closed > 0 {
        inside.push(format!(
            "DO $$DECLARE o oid; BEGIN FOR o IN SELECT oid FROM pg_largeobject_metadata LOOP \
             EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO %s', o, {}); END LOOP; END$$;",
            literal(&to)
        ));
    }
    let connect = format!("\\connect {}", identifier(&database.name));
    missing.extend(
        inside
            .into_iter()
            .map(|statement| format!("{connect} \\\\ {statement}")),
    );
    missing
}

/// The statement that lets the login into a database.
pub(super) fn to_connect(database: &str, user: &str) -> String {
    format!(
        "GRANT CONNECT ON DATABASE {} TO {};",
        identifier(database),
        identifier(user)
    )
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::postgres::server::{Counts, Relation};

    #[test]
    fn before_version_14_each_schema_is_granted() {
        let server = |major| Server {
            major,
            version: String::new(),
            reads_passwords: false,
            entry: "postgres".into(),
        };
        let database = Database {
            name: "a \"b\"".into(),
            encoding: "UTF8".into(),
            collation: "C".into(),
            open: true,
            bytes: 0,
        };
        let relation = |schema: &str| Relation {
            schema: schema.into(),
            name: "t".into(),
            kind: "table".into(),
            readable: false,
            filtered: false,
        };
        let content = Content {
            relations: vec![relation("s"), relation("s"), relation("p")],
            extensions: Vec::new(),
            counts: Counts::default(),
        };
        assert_eq!(
            missing(&server(14), &database, &content, "dump"),
            ["GRANT pg_read_all_data TO \"dump\";"]
        );
        let old = missing(&server(13), &database, &content, "dump");
        assert_eq!(old.len(), 2);
        let first = r#"\connect "a ""b""" \\ GRANT USAGE ON SCHEMA "p" TO "dump"; "#;
        assert!(old[0].starts_with(first), "{old:?}");
    }
}
