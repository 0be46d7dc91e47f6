//! The data of an archive: a block for each table, and blocks of large objects.

use memchr::memchr_iter;

use super::{Counted, Tables, contents::number};
use crate::domain::dump_rows::TableRows;

/// What ends the rows of each table.
const END: &[u8] = b"\\.\n\n\n";

const DATA: u8 = 1;
const LARGE_OBJECTS: u8 = 3;

/// Counts while blocks pass.
#[derive(Debug)]
pub(super) struct Blocks {
    names: Tables,
    counted: Counted,
    at: At,
    /// The beginning of a number that was cut.
    held: Vec<u8>,
    /// Line breaks in the table's block so far, and its last bytes.
    lines: u64,
    tail: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum At {
    /// Before a block: its kind and number.
    Block,
    /// In a table's block, or in a large object: the length of what comes next, or zero at the end.
    Length(Inside),
    /// In that much of it.
    Chunk(Inside, usize),
    /// In a block of large objects: the next one's number, or zero at the end.
    Object,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Table,
    Object,
}

impl Blocks {
    pub(super) fn new(names: Tables) -> Self {
        Self {
            names,
            counted: Counted {
                tables: Vec::new(),
                large_objects: 0,
            },
            at: At::Block,
            held: Vec::new(),
            lines: 0,
            tail: Vec::new(),
        }
    }

    /// What was counted, unless a block has not ended.
    pub(super) fn counted(self) -> Option<Counted> {
        (matches!(self.at, At::Block) && self.held.is_empty()).then_some(self.counted)
    }

    /// Reads on; `None` if something makes no sense.
    pub(super) fn read(&mut self, mut data: &[u8]) -> Option<()> {
        while !data.is_empty() {
            let wanted = match self.at {
                At::Chunk(inside, length) => {
                    let (chunk, rest) = data.split_at(length.min(data.len()));
                    if inside == Inside::Table {
                        self.rows(chunk);
                    }
                    self.at = match length - chunk.len() {
                        0 => At::Length(inside),
                        left => At::Chunk(inside, left),
                    };
                    data = rest;
                    continue;
                }
                At::Block => 6,
                At::Length(_) | At::Object => 5,
            };
            let (piece, rest) = data.split_at((wanted - self.held.len()).min(data.len()));
            data = rest;
            self.held.extend_from_slice(piece);
            if self.held.len() == wanted {
                let held = std::mem::take(&mut self.held);
                self.at = self.step(&held)?;
                self.held = held;
                self.held.clear();
            }
        }
        Some(())
    }

    fn step(&mut self, held: &[u8]) -> Option<At> {
        Some(match self.at {
            At::Block => match (held[0], number(&held[1..])?) {
                (DATA, id) => {
                    let (schema, name) = self.names.0.remove(&id)?;
                    self.counted.tables.push(TableRows {
                        schema: Some(schema),
                        name,
                        rows: 0,
                    });
                    self.lines = 0;
                    self.tail.clear();
                    At::Length(Inside::Table)
                }
                (LARGE_OBJECTS, _) => At::Object,
                _ => return None,
            },
            At::Length(inside) => match (usize::try_from(number(held)?).ok()?, inside) {
                (0, Inside::Table) => {
                    let rows = self.lines.checked_sub(3).filter(|_| self.tail == END)?;
                    self.counted.tables.last_mut()?.rows = rows;
                    At::Block
                }
                (0, Inside::Object) => At::Object,
                (length, inside) => At::Chunk(inside, length),
            },
            // An object's number may be larger than a signed one holds.
            At::Object if held[1..] == [0; 4] => At::Block,
            At::Object => {
                self.counted.large_objects += 1;
                At::Length(Inside::Object)
            }
            At::Chunk(..) => return None,
        })
    }

    fn rows(&mut self, chunk: &[u8]) {
        self.lines += memchr_iter(b'\n', chunk).count() as u64;
        self.tail
            .extend_from_slice(&chunk[chunk.len().saturating_sub(END.len())..]);
        let surplus = self.tail.len().saturating_sub(END.len());
        self.tail.drain(..surplus);
    }
}
