//! Counts the rows of each table while a dump passes.
//!
//! The client programs put a table's rows between `LOCK TABLES` and `UNLOCK TABLES`, as `INSERT` statements. Stored
//! programs, whose text may look like anything, cannot lock tables and come outside. Line breaks in values are escaped.

use memchr::{memchr, memchr2};

use crate::{
    connectors::program::Onlooker,
    domain::dump_rows::{MAX_TABLES, TableRows},
};

/// Longest beginning of a line that is looked at: a name has at most 64 characters.
const BEGINNING: usize = 640;

const LOCK: &[u8] = b"LOCK TABLES `";
const UNLOCK: &[u8] = b"UNLOCK TABLES;";
const INSERT: &[u8] = b"INSERT INTO `";

/// Rows by table.
#[derive(Debug, Default)]
pub(super) struct RowCounter {
    tables: Vec<TableRows>,
    too_many: bool,
    /// True between `LOCK TABLES` and `UNLOCK TABLES`: the last table's rows come.
    locked: bool,
    at: At,
}

/// Where in the text.
#[derive(Debug, PartialEq, Eq)]
enum At {
    /// At the beginning of a line, of which this came so far.
    Line(Vec<u8>),
    /// In a line that says nothing.
    Rest,
    /// In an `INSERT`, before its values; in backquotes or not.
    Names(bool),
    /// In its values.
    Values,
    /// In a string there; behind a backslash or not.
    Text(bool),
}

impl Default for At {
    fn default() -> Self {
        Self::Line(Vec::new())
    }
}

impl RowCounter {
    /// Rows by table in the dump's order; `None` if there are too many tables, or the dump ended in the middle of one.
    pub(super) fn tables(self) -> Option<Vec<TableRows>> {
        (!self.too_many && !self.locked).then_some(self.tables)
    }

    /// What to do with a line that begins like this, and how much of the beginning belongs to that.
    fn begin(&mut self, line: &[u8]) -> (At, usize) {
        if self.locked && line.starts_with(INSERT) {
            return (At::Names(true), INSERT.len());
        }
        if line.starts_with(UNLOCK) {
            self.locked = false;
        } else if let Some(name) = line.strip_prefix(LOCK).and_then(name) {
            self.locked = true;
            self.too_many |= self.tables.len() == MAX_TABLES;
            if !self.too_many {
                self.tables.push(TableRows {
                    schema: None,
                    name,
                    rows: 0,
                });
            }
        }
        (At::Rest, 0)
    }

    fn count(&mut self, rows: u64) {
        if let Some(table) = self.tables.last_mut() {
            table.rows += rows;
        }
    }
}

impl Onlooker for RowCounter {
    fn see(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let (at, used) = match &mut self.at {
                At::Line(line) => {
                    let end = memchr(b'\n', data).unwrap_or(data.len());
                    let taken = end.min(BEGINNING - line.len());
                    line.extend_from_slice(&data[..taken]);
                    if taken == data.len() && line.len() < BEGINNING {
                        return;
                    }
                    let line = std::mem::take(line);
                    let (at, belongs) = self.begin(&line);
                    // What came before this piece is seen again.
                    self.at = at;
                    let before = line.len() - taken;
                    if before > belongs {
                        self.see(&line[belongs..before]);
                    }
                    data = &data[belongs.saturating_sub(before)..];
                    continue;
                }
                At::Rest => after(memchr(b'\n', data), data, At::default, At::Rest),
                At::Names(true) => after(memchr(b'`', data), data, || At::Names(false), At::Names(true)),
                At::Names(false) => {
                    let found = memchr2(b'`', b'V', data);
                    let quote = found.is_some_and(|at| data[at] == b'`');
                    let next = || if quote { At::Names(true) } else { At::Values };
                    after(found, data, next, At::Names(false))
                }
                At::Values | At::Text(_) => {
                    let (at, used, rows) = values(&self.at, data);
                    self.count(rows);
                    (at, used)
                }
            };
            self.at = at;
            data = &data[used..];
        }
    }
}

/// Goes through values as far as they reach: where that is, how much was used, and the tuples that began. Nearly all of a
/// dump passes here.
fn values(at: &At, data: &[u8]) -> (At, usize, u64) {
    let (mut text, mut escaped) = (matches!(at, At::Text(_)), matches!(at, At::Text(true)));
    let (mut rows, mut i) = (0, 0);
    while i < data.len() {
        if escaped {
            escaped = false;
        } else if text {
            match memchr2(b'\'', b'\\', &data[i..]) {
                None => return (At::Text(false), data.len(), rows),
                Some(found) => i += found,
            }
            escaped = data[i] == b'\\';
            text = escaped;
        } else {
            match data[i] {
                b'(' => rows += 1,
                b'\'' => text = true,
                b';' => return (At::Rest, i + 1, rows),
                _ => {}
            }
        }
        i += 1;
    }
    let at = if text { At::Text(escaped) } else { At::Values };
    (at, data.len(), rows)
}

/// Behind what was found, or at the end of `data` as before.
fn after(found: Option<usize>, data: &[u8], next: impl FnOnce() -> At, stay: At) -> (At, usize) {
    match found {
        Some(at) => (next(), at + 1),
        None => (stay, data.len()),
    }
}

/// The name up to its closing backquote, of which it may hold doubled ones.
fn name(quoted: &[u8]) -> Option<String> {
    let mut name = Vec::new();
    let mut rest = quoted;
    loop {
        let end = memchr(b'`', rest)?;
        name.extend_from_slice(&rest[..end]);
        match rest.get(end + 1) {
            Some(b'`') => name.push(b'`'),
            _ => return String::from_utf8(name).ok(),
        }
        rest = &rest[end + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "-- Host: x\nCREATE TABLE `a` (\n  `t` text COMMENT 'LOCK TABLES `no` WRITE;'\n);\n\
        LOCK TABLES `a` WRITE;\n/*!40000 ALTER TABLE `a` DISABLE KEYS */;\n\
        INSERT INTO `a` VALUES (1,'it\\'s (x); \\\\'),(2,NULL),(3,_binary '')(4,'''');\nINSERT INTO `a` VALUES (5,0x28);\n\
        /*!40000 ALTER TABLE `a` ENABLE KEYS */;\nUNLOCK TABLES;\n\
        DELIMITER ;;\nCREATE TRIGGER x BEFORE INSERT ON a FOR EACH ROW BEGIN\nINSERT INTO `b` VALUES (1),(2);\nEND ;;\nDELIMITER ;\n\
        LOCK TABLES `we``ird V(` WRITE;\nUNLOCK TABLES;\n\
        LOCK TABLES `v` WRITE;\nINSERT INTO `v` (`VA`, `b`) VALUES\n(1,'a'),\n(2,'b');\nUNLOCK TABLES;\n-- Dump completed";

    fn counted(dump: &[u8], piece: usize) -> Option<Vec<(String, u64)>> {
        let mut counter = RowCounter::default();
        for piece in dump.chunks(piece) {
            counter.see(piece);
        }
        let tables = counter.tables()?;
        Some(tables.into_iter().map(|table| (table.name, table.rows)).collect())
    }

    #[test]
    fn rows_are_counted_however_the_dump_is_cut() {
        let expected = [("a", 5), ("we`ird V(", 0), ("v", 2)].map(|(name, rows)| (name.to_owned(), rows));
        for piece in 1..DUMP.len() {
            assert_eq!(
                counted(DUMP.as_bytes(), piece).unwrap(),
                expected,
                "in pieces of {piece}"
            );
        }
    }

    #[test]
    fn what_is_not_understood_is_not_counted() {
        assert_eq!(counted(b"LOCK TABLES `a` WRITE;\nINSERT INTO `a` VALUES (1", 9), None);
        let long = format!(
            "{}\nLOCK TABLES `a` WRITE;\nUNLOCK TABLES;\n",
            "x".repeat(3 * BEGINNING)
        );
        assert_eq!(counted(long.as_bytes(), 100).unwrap(), [("a".to_owned(), 0)]);
    }
}
