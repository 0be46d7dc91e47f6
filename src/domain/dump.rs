//! Dumps of databases as files of a snapshot: what they are called, and how people load them.

use serde::{Deserialize, Serialize};

use super::{
    entry::{EntryPath, InvalidPath},
    job::ExportFormat,
};

/// The directory they lie in.
const DIRECTORY: &str = "databases/";

/// What roles and other things of a whole PostgreSQL server are called.
const GLOBALS: &str = "globals";

/// Most commands given for one download.
const MAX_LOADS: usize = 20;

/// Most dumps of a snapshot that the catalogue lists; its index has all.
pub const MAX_LISTED: usize = 200;

/// What a file of a snapshot is a dump of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dump {
    /// A MySQL or MariaDB database, as SQL: `databases/{name}.sql`.
    MySql(String),
    /// A PostgreSQL database in the custom format: `databases/{name}.dump`.
    Postgres(String),
    /// What PostgreSQL's databases share (roles, tablespaces), as SQL: `databases/globals.sql`.
    PostgresGlobals,
}

/// A dump in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DumpFile {
    /// Where it lies, in the form that pages show: `databases/shop.sql`.
    pub path: String,
    /// How long it is.
    pub bytes: u64,
}

/// How a dump is loaded into a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Load {
    /// What it does, one sentence.
    pub what: String,
    /// For a POSIX shell, to be run where the file is.
    pub command: String,
}

impl Dump {
    /// Where it lies in a snapshot.
    ///
    /// # Errors
    /// For an empty name, or one that is longer than any path.
    pub fn path(&self) -> Result<EntryPath, InvalidPath> {
        match self {
            Self::MySql(database) => path_of(database, "sql"),
            Self::Postgres(database) => path_of(database, "dump"),
            Self::PostgresGlobals => EntryPath::new(format!("{DIRECTORY}{GLOBALS}.sql").as_bytes()),
        }
    }

    /// What the file at this path, in the form that pages show, is a dump of.
    pub fn at(path: &str) -> Option<Self> {
        let name = path.trim_start_matches('/').strip_prefix(DIRECTORY)?;
        if name.contains('/') {
            return None;
        }
        let dump = match (name.strip_suffix(".sql"), name.strip_suffix(".dump")) {
            (Some(GLOBALS), _) => Self::PostgresGlobals,
            (Some(name), _) => Self::MySql(unescaped(name)?),
            (_, Some(name)) => Self::Postgres(unescaped(name)?),
            _ => return None,
        };
        Some(dump)
    }

    /// How it is loaded from `file`, into a new database beside the one it was made of.
    pub fn load(&self, file: &str) -> Load {
        let file = word(file);
        match self {
            Self::MySql(database) => {
                let new = format!("{database}_restored");
                let create = format!("CREATE DATABASE `{}`", new.replace('`', "``"));
                Load {
                    what: format!("Loads {database} into the new database {new} of MySQL or MariaDB"),
                    command: format!(
                        "mysql -u root -p -e {} && mysql -u root -p --default-character-set=utf8mb4 -- {} < {file}",
                        word(&create),
                        word(&new)
                    ),
                }
            }
            Self::Postgres(database) => {
                let new = format!("{database}_restored");
                // An argument with an equals sign would be taken for a connection string.
                let to = format!("dbname='{}'", new.replace('\\', "\\\\").replace('\'', "\\'"));
                Load {
                    what: format!("Loads {database} into the new database {new} of PostgreSQL"),
                    command: format!(
                        "createdb --template=template0 -- {} && pg_restore --exit-on-error --dbname={} {file}",
                        word(&new),
                        word(&to)
                    ),
                }
            }
            Self::PostgresGlobals => Load {
                what: "Makes the roles that PostgreSQL's databases need; those that exist already stay as they are"
                    .into(),
                command: format!("psql --dbname=postgres --file={file}"),
            },
        }
    }
}

/// The paths of those dumps that a choice of paths means: itself, or what lies below it; nothing chosen is everything.
/// A snapshot without a list (its row was rebuilt from the disk) has what was chosen by name.
pub fn chosen(listed: &[DumpFile], picks: &[String]) -> Vec<String> {
    if listed.is_empty() {
        return picks.to_vec();
    }
    let means = |pick: &String, path: &str| {
        let below = path.strip_prefix(pick.trim_matches('/'));
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let all = listed.iter().map(|dump| dump.path.clone());
    all.filter(|path| picks.is_empty() || picks.iter().any(|pick| means(pick, path)))
        .collect()
}

/// How the dumps among the chosen paths of a download are loaded. The download itself is called
/// `file_name`; of other forms than a plain file the paths inside are named, to be unpacked first.
pub fn loads(format: ExportFormat, file_name: &str, paths: &[String]) -> Vec<Load> {
    let dumps = paths.iter().filter_map(|path| Some((path, Dump::at(path)?)));
    let mut dumps: Vec<_> = dumps.take(MAX_LOADS).collect();
    // The roles come first: what is in a database belongs to them.
    dumps.sort_by_key(|(_, dump)| *dump != Dump::PostgresGlobals);
    let load = |(path, dump): (&String, Dump)| match format {
        ExportFormat::File => dump.load(file_name),
        _ => dump.load(path.trim_start_matches('/')),
    };
    dumps.into_iter().map(load).collect()
}

/// The path `databases/{name}.{extension}` of what belongs to a database. Names of databases may hold anything; what a
/// file's name may not hold, or could be taken for something else, is written as `%` and two hex digits.
///
/// # Errors
/// For an empty name, or one that is longer than any path.
pub fn path_of(database: &str, extension: &str) -> Result<EntryPath, InvalidPath> {
    if database.is_empty() {
        return Err(InvalidPath::Empty);
    }
    let mut name = String::with_capacity(database.len());
    for (i, c) in database.chars().enumerate() {
        let plain = !c.is_control() && !matches!(c, '/' | '\\' | '%');
        let first = i == 0 && (c == '.' || c == '-' || database == GLOBALS);
        if plain && !first {
            name.push(c);
        } else {
            let mut bytes = [0; 4];
            let bytes = c.encode_utf8(&mut bytes).bytes();
            name.extend(bytes.map(|byte| format!("%{byte:02X}")));
        }
    }
    EntryPath::new(format!("{DIRECTORY}{name}.{extension}").as_bytes())
}

/// The name that [`path_of`] made this of.
fn unescaped(name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = tail;
    }
    String::from_utf8(bytes).ok().filter(|name| !name.is_empty())
}

/// `text` as one word of a shell's command line.
fn word(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/');
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_has_a_path_that_leads_back_to_it() {
        for name in [
            "shop",
            "globals",
            "a/b",
            "..",
            "100%",
            "w\u{f6}rk \u{1f980}",
            "new\nline",
            "back\\slash",
            "x.sql",
        ] {
            for dump in [Dump::MySql(name.into()), Dump::Postgres(name.into())] {
                let path = dump.path().unwrap().to_string();
                assert_eq!(path.matches('/').count(), 1, "{path}");
                assert_eq!(Dump::at(&path), Some(dump));
            }
        }
        assert_eq!(
            Dump::at(&Dump::PostgresGlobals.path().unwrap().to_string()),
            Some(Dump::PostgresGlobals)
        );
        assert!(Dump::MySql(String::new()).path().is_err());
        for other in [
            "srv/shop.sql",
            "databases/shop.json",
            "databases/a/b.sql",
            "databases/.sql",
            "databases/%zz.sql",
        ] {
            assert_eq!(Dump::at(other), None, "{other}");
        }
    }

    #[test]
    fn every_name_is_one_component_of_its_own() {
        for (name, path) in [
            ("shop", "databases/shop.sql"),
            ("größe 2", "databases/größe 2.sql"),
            ("../etc", "databases/%2E.%2Fetc.sql"),
            ("100%\n", "databases/100%25%0A.sql"),
            ("-rf", "databases/%2Drf.sql"),
            ("globals", "databases/%67lobals.sql"),
        ] {
            assert_eq!(path_of(name, "sql").unwrap().as_bytes(), path.as_bytes());
        }
    }

    #[test]
    fn a_choice_means_what_lies_below_it() {
        let listed = ["databases/a.sql", "databases/b.sql"].map(|path| DumpFile {
            path: path.into(),
            bytes: 1,
        });
        let of = |picks: &[&str]| chosen(&listed, &picks.iter().map(|&pick| pick.to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&[]), ["databases/a.sql", "databases/b.sql"]);
        assert_eq!(of(&["/databases/"]), of(&[]));
        assert_eq!(of(&["databases/b.sql", "srv"]), ["databases/b.sql"]);
        assert!(of(&["data", "databases/b"]).is_empty());
        assert_eq!(chosen(&[], &["databases/x.sql".to_owned()]), ["databases/x.sql"]);
    }

    #[test]
    fn commands_quote_what_a_name_may_hold() {
        let load = Dump::MySql("it's `x`".into()).load("a file.sql");
        assert!(
            load.command.contains(r"'CREATE DATABASE `it'\''s ``x``_restored`'"),
            "{}",
            load.command
        );
        assert!(
            load.command.ends_with(r"-- 'it'\''s `x`_restored' < 'a file.sql'"),
            "{}",
            load.command
        );
        let load = Dump::Postgres("host=evil".into()).load("x.dump");
        assert!(
            load.command.contains("--dbname='dbname='\\''host=evil_restored'\\'''"),
            "{}",
            load.command
        );
    }
}
