//! What the server said is in directories, so that not every name costs a listing.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use chrono::{DateTime, Utc};

use super::super::{
    connection::Connection,
    error::FtpError,
    listed::{Facts, Listed},
    listing::Listing,
    roots::parent,
};

/// Names that are remembered, over all directories. A restore goes through a tree in order and comes back seldom.
const MAX_NAMES: usize = 200_000;

/// What one directory holds.
#[derive(Debug, Default)]
pub struct Names {
    facts: HashMap<Vec<u8>, Facts>,
    /// Names with a dot in front are not shown.
    without_hidden: bool,
}

/// What is known of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It is there.
    There(Facts),
    /// Nothing is.
    Free,
    /// The listing does not tell.
    Untold,
}

/// Listings that were made.
#[derive(Debug, Default)]
pub struct Directories {
    known: HashMap<Vec<u8>, Arc<Names>>,
    order: VecDeque<Vec<u8>>,
    names: usize,
    /// Paths that were changed since.
    touched: HashSet<Vec<u8>>,
}

impl Names {
    /// Lists a directory.
    ///
    /// # Errors
    /// `Refused` if it cannot be listed.
    pub async fn of(connection: &mut Connection, directory: &[u8], now: DateTime<Utc>) -> Result<Self, FtpError> {
        let listing = Listing::of(connection, directory, now).await?;
        let mut names = Self {
            facts: HashMap::new(),
            without_hidden: listing.without_hidden,
        };
        for line in listing.lines() {
            match line {
                Ok(Listed { name, facts }) => drop(names.facts.insert(name, facts)),
                // Any name could stand in it.
                Err(line) => {
                    let what =
                        format!("a directory that is written to has a line in its listing that makes no sense: {line}");
                    return Err(FtpError::Protocol(what));
                }
            }
        }
        Ok(names)
    }

    /// What is known of a name.
    pub fn get(&self, name: &[u8]) -> Known {
        match self.facts.get(name) {
            Some(facts) => Known::There(facts.clone()),
            None if self.without_hidden && name.starts_with(b".") => Known::Untold,
            None => Known::Free,
        }
    }
}

impl Directories {
    /// What a directory held when it was listed, unless `path` in it was changed since.
    pub fn get(&self, directory: &[u8], path: &[u8]) -> Option<Arc<Names>> {
        let names = self.known.get(directory).filter(|_| !self.touched.contains(path));
        names.cloned()
    }

    /// Remembers a listing that was made now.
    pub fn remember(&mut self, directory: &[u8], names: Names) -> Arc<Names> {
        self.forget(directory);
        self.touched.retain(|path| parent(path) != directory);
        let names = Arc::new(names);
        self.names += names.facts.len();
        self.known.insert(directory.to_vec(), Arc::clone(&names));
        self.order.push_back(directory.to_vec());
        while self.names > MAX_NAMES && self.order.len() > 1 {
            let Some(oldest) = self.order.front().cloned() else {
                break;
            };
            self.forget(&oldest);
        }
        names
    }

    fn forget(&mut self, directory: &[u8]) {
        if let Some(names) = self.known.remove(directory) {
            self.names -= names.facts.len();
            self.order.retain(|known| known != directory);
            self.touched.retain(|path| parent(path) != directory);
        }
    }

    /// A path was changed.
    pub fn touch(&mut self, path: &[u8]) {
        if self.known.contains_key(parent(path)) {
            self.touched.insert(path.to_vec());
        }
    }
}
