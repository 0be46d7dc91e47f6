//! The state machine: chunks in, events out.

use bytes::Bytes;

use super::{
    MAX_FILE, TarError,
    header::{BLOCK, Header},
    input::{Input, bounded},
    meta::{Described, Facts, MetaKind},
    numbers,
    sparse::{MapReader, Plan, SparseMap, Stretch},
};
use crate::{
    connectors::CHUNK,
    domain::entry::{Entry, EntryKind, EntryPath, InvalidPath, MAX_PATH},
};

static ZEROS: [u8; CHUNK] = [0; CHUNK];

/// What a tar stream holds, in its order.
#[derive(Debug, PartialEq, Eq)]
pub enum TarEvent {
    /// The next entry; after a file come its `Data` and one `FileEnd`.
    Entry(Entry),
    /// More of the file announced last, at most [`CHUNK`] bytes.
    Data(Bytes),
    /// All bytes of the file announced last were given.
    FileEnd,
    /// Something that cannot be stored, skipped.
    Special {
        /// Its name in the archive.
        path: Vec<u8>,
        /// What it is, for example `a FIFO`.
        what: &'static str,
    },
    /// An entry whose name or link target is unusable, skipped with its data.
    Refused {
        /// Its name in the archive.
        path: Vec<u8>,
        /// Why.
        why: InvalidPath,
    },
}

#[derive(Debug)]
enum State {
    /// Before a header; true after one block of zeros.
    Header(bool),
    /// In the body of a describing header.
    Meta {
        kind: MetaKind,
        length: usize,
        data: Vec<u8>,
    },
    /// In the extra map blocks of GNU's old sparse format.
    OldMap { facts: Box<Facts>, map: SparseMap },
    /// In the map that stands before the data in GNU's sparse format 1.0.
    Map {
        facts: Box<Facts>,
        reader: MapReader,
        left: u64,
    },
    /// In a file's content, which ends with `padding` bytes to a full block.
    Content { plan: Plan, padding: u64 },
    /// In bytes nobody needs.
    Skip(u64),
    /// After the end marker.
    Ended,
}

/// Reads one tar stream.
#[derive(Debug)]
pub struct TarStream {
    input: Input,
    described: Described,
    state: State,
}

impl Default for TarStream {
    fn default() -> Self {
        Self {
            input: Input::default(),
            described: Described::default(),
            state: State::Header(false),
        }
    }
}

/// Bytes from the end of `size` bytes to the end of their last block.
fn padding(size: u64) -> u64 {
    (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64
}

impl TarStream {
    /// Takes the next chunk. Memory is bounded if [`TarStream::next_event`] is called until it gives
    /// nothing before the next chunk is fed.
    pub fn feed(&mut self, chunk: Bytes) {
        // What follows the end marker is padding, or noise; nobody asked for it.
        if !matches!(self.state, State::Ended) {
            self.input.push(chunk);
        }
    }

    /// True between a file's entry and its end.
    pub fn in_file(&self) -> bool {
        matches!(self.state, State::Content { .. })
    }

    /// True once the end marker was read.
    pub fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// To be called at the end of the stream: an error if it was cut short.
    pub fn finish(&self) -> Result<(), TarError> {
        match &self.state {
            State::Ended => Ok(()),
            State::Content { .. } => Err(TarError::Truncated("inside a file")),
            State::Header(_) if !self.input.in_block() && !self.described.is_waiting() => {
                Err(TarError::Truncated("without its end marker"))
            }
            _ => Err(TarError::Truncated("inside a header")),
        }
    }

    /// The next event; nothing if more input is needed or the archive is over.
    pub fn next_event(&mut self) -> Result<Option<TarEvent>, TarError> {
        loop {
            let state = std::mem::replace(&mut self.state, State::Ended);
            let (state, step) = self.step(state)?;
            self.state = state;
            match step {
                Step::Event(event) => return Ok(Some(event)),
                Step::Starved => return Ok(None),
                Step::On => {}
            }
        }
    }

    fn step(&mut self, state: State) -> Result<(State, Step), TarError> {
        Ok(match state {
            State::Header(zero_before) => match self.input.take_block() {
                None => (State::Header(zero_before), Step::Starved),
                Some(block) if block.iter().all(|&b| b == 0) => {
                    if zero_before {
                        self.input.clear();
                        (State::Ended, Step::Starved)
                    } else {
                        (State::Header(true), Step::On)
                    }
                }
                Some(_) if zero_before => return Err(TarError::damaged("a lone block of zeros between entries")),
                Some(block) => self.header(&block)?,
            },
            State::Meta { kind, length, mut data } => {
                self.input.take_into(&mut data, length);
                if data.len() < length {
                    (State::Meta { kind, length, data }, Step::Starved)
                } else {
                    self.described.add(kind, data)?;
                    (State::Skip(padding(length as u64)), Step::On)
                }
            }
            State::OldMap { facts, mut map } => match self.input.take_block() {
                None => (State::OldMap { facts, map }, Step::Starved),
                Some(block) => {
                    add_old_parts(&mut map, &block[..21 * 24])?;
                    match block[504] {
                        0 => self.old_sparse(facts, map)?,
                        _ => (State::OldMap { facts, map }, Step::On),
                    }
                }
            },
            State::Map {
                facts,
                mut reader,
                left,
            } => match self.input.take_block() {
                None => (State::Map { facts, reader, left }, Step::Starved),
                Some(block) => {
                    let left = left
                        .checked_sub(BLOCK as u64)
                        .ok_or_else(|| TarError::damaged("a sparse map is longer than its file"))?;
                    match reader.block(&block)? {
                        None => (State::Map { facts, reader, left }, Step::On),
                        Some(map) => {
                            let size = facts.sparse.real_size.unwrap_or(0);
                            file(*facts, size, map.plan(size, left)?)
                        }
                    }
                }
            },
            State::Content { plan, padding } => self.content(plan, padding),
            State::Skip(left) => match self.input.discard(left) {
                0 => (State::Header(false), Step::On),
                left => (State::Skip(left), Step::Starved),
            },
            State::Ended => {
                self.input.clear();
                (State::Ended, Step::Starved)
            }
        })
    }

    fn header(&mut self, block: &[u8; BLOCK]) -> Result<(State, Step), TarError> {
        let header = Header::parse(block)?;
        if let Some(kind) = MetaKind::of(header.typeflag) {
            let length = self.described.announce(kind, header.size)?;
            let data = Vec::new();
            return Ok((State::Meta { kind, length, data }, Step::On));
        }
        let facts = Box::new(self.described.apply(header)?);
        let is_file = matches!(facts.typeflag, b'0' | 0 | b'7') && !facts.name.ends_with(b"/");
        if facts.typeflag == b'S' {
            let mut facts = facts;
            let size = numbers::field(&block[483..495], "real size")?;
            let size = u64::try_from(size).ok().filter(|&size| size <= MAX_FILE);
            facts.sparse.real_size = Some(size.ok_or_else(|| TarError::Limit("a sparse file beyond 16 TiB".into()))?);
            let mut map = SparseMap::default();
            add_old_parts(&mut map, &block[386..386 + 4 * 24])?;
            return match block[482] {
                0 => self.old_sparse(facts, map),
                _ => Ok((State::OldMap { facts, map }, Step::On)),
            };
        }
        if is_file && facts.sparse.major == Some(1) {
            let left = facts.stored;
            let reader = MapReader::default();
            return Ok((State::Map { facts, reader, left }, Step::On));
        }
        if is_file && facts.sparse.map_in_header {
            let size = facts.sparse.real_size.unwrap_or(facts.stored);
            let map = SparseMap::from_pairs(&facts.sparse.map)?;
            let plan = map.plan(size, facts.stored)?;
            return Ok(file(*facts, size, plan));
        }
        if is_file {
            let size = facts.stored;
            return Ok(file(*facts, size, Plan::dense(size)));
        }
        Ok(other(*facts))
    }

    fn old_sparse(&mut self, facts: Box<Facts>, map: SparseMap) -> Result<(State, Step), TarError> {
        let size = facts.sparse.real_size.unwrap_or(0);
        let plan = map.plan(size, facts.stored)?;
        Ok(file(*facts, size, plan))
    }

    fn content(&mut self, mut plan: Plan, padding: u64) -> (State, Step) {
        let data = match plan.stretch() {
            Stretch::Done => return (State::Skip(padding), Step::Event(TarEvent::FileEnd)),
            Stretch::Zeros(length) => Bytes::from_static(&ZEROS[..bounded(length, CHUNK)]),
            Stretch::Data(length) => match self.input.take_slice(bounded(length, CHUNK)) {
                Some(data) => data,
                None => return (State::Content { plan, padding }, Step::Starved),
            },
        };
        plan.advance(data.len() as u64);
        (State::Content { plan, padding }, Step::Event(TarEvent::Data(data)))
    }
}

enum Step {
    Event(TarEvent),
    Starved,
    On,
}

/// Parts as they stand in headers of GNU's old sparse format; unused places are empty.
fn add_old_parts(map: &mut SparseMap, bytes: &[u8]) -> Result<(), TarError> {
    for place in bytes.chunks_exact(24) {
        if place[0] == 0 {
            break;
        }
        let number = |bytes: &[u8]| {
            let number = numbers::field(bytes, "sparse map")?;
            u64::try_from(number).map_err(|_| TarError::damaged("a sparse map has a negative number"))
        };
        map.push(number(&place[..12])?, number(&place[12..])?)?;
    }
    Ok(())
}

fn entry(facts: Facts, kind: EntryKind) -> Result<Entry, TarEvent> {
    match EntryPath::new(&facts.name) {
        Ok(path) => Ok(Entry {
            path,
            kind,
            mode: facts.mode,
            uid: facts.uid,
            gid: facts.gid,
            mtime: facts.mtime,
            pax: facts.attributes,
        }),
        Err(why) => Err(TarEvent::Refused { path: facts.name, why }),
    }
}

fn file(facts: Facts, size: u64, plan: Plan) -> (State, Step) {
    let padding = padding(facts.stored);
    match entry(facts, EntryKind::File { size }) {
        Ok(entry) => (State::Content { plan, padding }, Step::Event(TarEvent::Entry(entry))),
        Err(refused) => (State::Skip(plan.stored() + padding), Step::Event(refused)),
    }
}

/// Everything that is not a regular file.
fn other(facts: Facts) -> (State, Step) {
    let skip = State::Skip(facts.stored + padding(facts.stored));
    let special = |what| TarEvent::Special {
        path: facts.name.clone(),
        what,
    };
    let refused = |why| TarEvent::Refused {
        path: facts.name.clone(),
        why,
    };
    let kind = match facts.typeflag {
        b'1' => match EntryPath::new(&facts.link) {
            Ok(target) => Ok(EntryKind::HardLink { target }),
            Err(why) => Err(refused(why)),
        },
        b'2' => match &facts.link {
            target if target.is_empty() => Err(refused(InvalidPath::Empty)),
            target if target.contains(&0) => Err(refused(InvalidPath::Nul)),
            target if target.len() > MAX_PATH => Err(refused(InvalidPath::TooLong)),
            target => Ok(EntryKind::Symlink { target: target.clone() }),
        },
        b'3' => Err(special("a character device")),
        b'4' => Err(special("a block device")),
        b'6' => Err(special("a FIFO")),
        b'5' | b'D' | b'0' | 0 | b'7' => Ok(EntryKind::Directory),
        _ => Err(special("of a type tar does not define")),
    };
    // The root itself has no name to store it under.
    let is_root =
        facts.name.iter().all(|b| matches!(b, b'/' | b'.')) && EntryPath::new(&facts.name) == Err(InvalidPath::Empty);
    let event = match kind {
        Ok(EntryKind::Directory) if is_root => return (skip, Step::On),
        Ok(kind) => entry(facts, kind).map_or_else(|refused| refused, TarEvent::Entry),
        Err(event) => event,
    };
    (skip, Step::Event(event))
}
