//! The head of an archive and its table of contents.

use super::{DumpId, Tables};
use crate::domain::dump_rows::MAX_TABLES;

/// Versions 1.x of the format that are understood: PostgreSQL 13 to 18 write 14 to 16.
const VERSIONS: std::ops::RangeInclusive<u8> = 14..=16;

/// Reads the contents piece by piece.
#[derive(Debug, Default)]
pub(super) struct Contents {
    version: u8,
    /// Entries to come; `None` before the head was read.
    left: Option<i32>,
    tables: Tables,
}

/// Not all of it is there yet, or it is not what it should be.
enum Stop {
    More,
    Nonsense,
}

impl Contents {
    /// Reads what is whole; says how much of `data` that was. `None` if it makes no sense.
    pub(super) fn read(&mut self, data: &[u8]) -> Option<usize> {
        let mut used = 0;
        while self.left != Some(0) {
            let mut cursor = Cursor { data: &data[used..] };
            let before = cursor.data.len();
            let read = match self.left {
                None => self.head(&mut cursor),
                Some(left) => self.entry(&mut cursor).map(|()| self.left = Some(left - 1)),
            };
            match read {
                Ok(()) => used += before - cursor.data.len(),
                Err(Stop::More) => break,
                Err(Stop::Nonsense) => return None,
            }
        }
        Some(used)
    }

    /// The tables, once everything was read.
    pub(super) fn end(self) -> Result<Tables, Self> {
        match self.left {
            Some(0) => Ok(self.tables),
            _ => Err(self),
        }
    }

    fn head(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        let head = cursor.take(11)?;
        let [major, minor, _, int_size, offset_size, format] = head[5..11] else {
            return Err(Stop::Nonsense);
        };
        let known = head.starts_with(b"PGDMP") && VERSIONS.contains(&minor);
        if !known || [major, int_size, offset_size, format] != [1, 4, 8, 1] {
            return Err(Stop::Nonsense);
        }
        // How it is compressed: not at all.
        let compression = match minor {
            ..15 => cursor.int()?,
            _ => cursor.take(1)?[0].into(),
        };
        if compression != 0 {
            return Err(Stop::Nonsense);
        }
        // When it was made, and by what.
        for _ in 0..7 {
            cursor.int()?;
        }
        for _ in 0..3 {
            cursor.text()?;
        }
        let entries = cursor.int()?;
        if entries < 0 {
            return Err(Stop::Nonsense);
        }
        (self.version, self.left) = (minor, Some(entries));
        Ok(())
    }

    fn entry(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        let id: DumpId = cursor.int()?;
        // Whether it has data; its table and row in the catalogue.
        cursor.int()?;
        cursor.text()?;
        cursor.text()?;
        let (tag, kind) = (cursor.text()?, cursor.text()?);
        // Its section; the statements that make it, drop it, and fill it.
        cursor.int()?;
        for _ in 0..3 {
            cursor.text()?;
        }
        let schema = cursor.text()?;
        // Tablespace and access method.
        cursor.text()?;
        cursor.text()?;
        if self.version >= 16 {
            cursor.int()?;
        }
        // Owner, and whether its rows have oids.
        cursor.text()?;
        cursor.text()?;
        // What it depends on.
        while cursor.text()?.is_some() {}
        // Where its data would be.
        cursor.take(9)?;
        if kind == Some(b"TABLE DATA") {
            let name = |text: Option<&[u8]>| String::from_utf8(text.unwrap_or_default().to_vec());
            let (Ok(schema), Ok(table)) = (name(schema), name(tag)) else {
                return Err(Stop::Nonsense);
            };
            if self.tables.0.len() == MAX_TABLES {
                return Err(Stop::Nonsense);
            }
            self.tables.0.insert(id, (schema, table));
        }
        Ok(())
    }
}

struct Cursor<'a> {
    data: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        let (taken, rest) = self.data.split_at_checked(count).ok_or(Stop::More)?;
        self.data = rest;
        Ok(taken)
    }

    fn int(&mut self) -> Result<i32, Stop> {
        number(self.take(5)?).ok_or(Stop::Nonsense)
    }

    fn text(&mut self) -> Result<Option<&'a [u8]>, Stop> {
        match usize::try_from(self.int()?) {
            Ok(length) => self.take(length).map(Some),
            Err(_) => Ok(None),
        }
    }
}

/// A number: its sign, then four bytes, the lowest first.
pub(super) fn number(bytes: &[u8]) -> Option<i32> {
    let [sign, number @ ..] = bytes else { return None };
    let number = i32::try_from(u32::from_le_bytes(number.try_into().ok()?)).ok()?;
    Some(if *sign == 0 { number } else { -number })
}
