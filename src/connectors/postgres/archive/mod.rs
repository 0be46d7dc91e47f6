//! Counts the rows of each table while an archive in the custom format passes.
//!
//! The table of contents comes first and names the tables; then each table's rows come as `COPY` text in a block of its own,
//! one line per row, in which line breaks are escaped. An archive that is not understood is not counted; that is all.

mod blocks;
mod contents;

use std::collections::HashMap;

use self::{blocks::Blocks, contents::Contents};
use crate::{connectors::program::Onlooker, domain::dump_rows::TableRows};

/// Most bytes of the table of contents held: one entry may be the text of a long function.
const MOST_HELD: usize = 16 * 1024 * 1024;

/// A number in the archive's blocks that says which entry of the contents they belong to.
type DumpId = i32;

/// Rows by table.
#[derive(Debug)]
pub(super) struct RowCounter(Reading);

#[derive(Debug)]
enum Reading {
    Contents(Contents, Vec<u8>),
    Blocks(Blocks),
    /// Something was not as expected.
    Lost,
}

/// The tables of an archive by the number of their data.
#[derive(Debug, Default)]
struct Tables(HashMap<DumpId, (String, String)>);

/// What was counted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counted {
    /// In the archive's order.
    pub(super) tables: Vec<TableRows>,
    pub(super) large_objects: u64,
}

impl Default for RowCounter {
    fn default() -> Self {
        Self(Reading::Contents(Contents::default(), Vec::new()))
    }
}

impl RowCounter {
    /// What was counted in a whole archive; `None` if it was not understood.
    pub(super) fn counted(self) -> Option<Counted> {
        match self.0 {
            Reading::Blocks(blocks) => blocks.counted(),
            Reading::Contents(..) | Reading::Lost => None,
        }
    }

    fn read(reading: Reading, data: &[u8]) -> Option<Reading> {
        match reading {
            Reading::Contents(mut contents, mut held) => {
                held.extend_from_slice(data);
                let used = contents.read(&held)?;
                held.drain(..used);
                match contents.end() {
                    Ok(tables) => {
                        let mut blocks = Blocks::new(tables);
                        blocks.read(&held)?;
                        Some(Reading::Blocks(blocks))
                    }
                    Err(contents) => (held.len() <= MOST_HELD).then_some(Reading::Contents(contents, held)),
                }
            }
            Reading::Blocks(mut blocks) => blocks.read(data).map(|()| Reading::Blocks(blocks)),
            Reading::Lost => None,
        }
    }
}

impl Onlooker for RowCounter {
    fn see(&mut self, data: &[u8]) {
        let reading = std::mem::replace(&mut self.0, Reading::Lost);
        self.0 = Self::read(reading, data).unwrap_or(Reading::Lost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number as the archive writes it.
    fn int(number: i32) -> Vec<u8> {
        [&[u8::from(number < 0)], &number.unsigned_abs().to_le_bytes()[..]].concat()
    }

    fn text(text: Option<&str>) -> Vec<u8> {
        match text {
            Some(text) => [int(text.len().cast_signed_i32()), text.as_bytes().to_vec()].concat(),
            None => int(-1),
        }
    }

    trait CastSigned {
        fn cast_signed_i32(self) -> i32;
    }
    impl CastSigned for usize {
        fn cast_signed_i32(self) -> i32 {
            i32::try_from(self).unwrap()
        }
    }

    /// An archive of this minor version with two tables and a block of large objects.
    fn archive(minor: u8) -> Vec<u8> {
        let mut all = [b"PGDMP", &[1, minor, 0, 4, 8, 1][..]].concat();
        all.extend(if minor >= 15 { vec![0] } else { int(0) });
        all.extend((0..7).flat_map(int));
        all.extend(["db", "15.1", "15.1"].into_iter().flat_map(|name| text(Some(name))));
        let entries = [
            (7, "a b", "TABLE DATA"),
            (8, "f", "FUNCTION"),
            (9, "e", "TABLE DATA"),
            (10, "BLOBS", "BLOBS"),
        ];
        all.extend(int(4));
        for (id, tag, kind) in entries {
            all.extend(
                [
                    int(id),
                    int(1),
                    text(Some("0")),
                    text(Some("1")),
                    text(Some(tag)),
                    text(Some(kind)),
                ]
                .concat(),
            );
            all.extend(
                [
                    int(3),
                    text(Some("a definition")),
                    text(None),
                    text(Some("COPY")),
                    text(Some("public")),
                ]
                .concat(),
            );
            all.extend([text(None), text(None)].concat());
            if minor >= 16 {
                all.extend(int(0));
            }
            all.extend(
                [
                    text(Some("owner")),
                    text(Some("false")),
                    text(Some("3")),
                    text(None),
                    vec![1],
                    vec![0; 8],
                ]
                .concat(),
            );
        }
        let chunk = |data: &str| text(Some(data));
        all.extend(
            [
                vec![1],
                int(7),
                chunk("1\tx\\ny\n"),
                chunk("\n2\t\\N\n"),
                chunk("\\.\n\n\n"),
                int(0),
            ]
            .concat(),
        );
        all.extend([vec![1], int(9), chunk("\\.\n"), chunk("\n\n"), int(0)].concat());
        all.extend(
            [
                vec![3],
                int(10),
                int(4711),
                chunk("a\nb"),
                int(0),
                int(4712),
                int(0),
                int(0),
            ]
            .concat(),
        );
        all
    }

    fn counted(archive: &[u8], piece: usize) -> Option<Counted> {
        let mut counter = RowCounter::default();
        archive.chunks(piece).for_each(|piece| counter.see(piece));
        counter.counted()
    }

    #[test]
    fn rows_are_counted_however_the_archive_is_cut_and_whatever_wrote_it() {
        let rows = |name: &str, rows| TableRows {
            schema: Some("public".into()),
            name: name.into(),
            rows,
        };
        let expected = Counted {
            tables: vec![rows("a b", 3), rows("e", 0)],
            large_objects: 2,
        };
        for minor in 14..=16 {
            let archive = archive(minor);
            for piece in 1..archive.len() {
                assert_eq!(
                    counted(&archive, piece).as_ref(),
                    Some(&expected),
                    "{minor}, in pieces of {piece}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_not_counted() {
        let whole = archive(14);
        for end in 0..whole.len() {
            // Between two blocks, an archive may end: that is for the exit status to tell.
            let between = counted(&whole[..end], 64).is_none_or(|counted| counted.tables.len() < 3);
            assert!(between, "cut at {end}");
        }
        assert_eq!(counted(&archive(99), 64), None);
        let strange: Vec<u8> = whole
            .iter()
            .map(|&byte| if byte == b'.' { b'x' } else { byte })
            .collect();
        assert_eq!(counted(&strange, 64), None);
    }
}
