//! How much of each export has been delivered: what "one complete download" is counted by.
//!
//! A download may come in pieces. What counts is the contiguous beginning that was delivered; the
//! piece that carries it to the end completes the download. One delivery per export at a time: a
//! newer request ends the older one, which is most likely a connection the client gave up.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

use super::connection::{Afterwards, Fate};
use crate::domain::ids::ExportId;

/// The deliveries of one worker.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    exports: Arc<Mutex<HashMap<ExportId, Account>>>,
}

#[derive(Debug, Default)]
struct Account {
    /// Bytes from the beginning on that have been delivered without a gap.
    delivered: u64,
    /// Ends the delivery under way.
    current: CancellationToken,
    /// Set once the last byte was handed over: the client's end will tell whether it arrived.
    handed_over: Option<Afterwards>,
}

/// One answer under way.
#[derive(Debug)]
pub struct Delivery {
    ledger: Ledger,
    export: ExportId,
    /// Fires when a newer request for the same export came.
    pub superseded: CancellationToken,
    position: u64,
    total: u64,
}

impl Ledger {
    /// Begins to deliver an export of `total` bytes from byte `first` on. `None` if an earlier
    /// delivery reached the end and nothing says that the client did not get it.
    pub fn begin(&self, export: &ExportId, first: u64, total: u64) -> Option<Delivery> {
        let mut accounts = self.accounts();
        let account = accounts.entry(export.clone()).or_default();
        match &account.handed_over {
            Some(afterwards) if afterwards.now() == Fate::Fine => return None,
            _ => account.handed_over = None,
        }
        account.current.cancel();
        account.current = CancellationToken::new();
        Some(Delivery {
            ledger: self.clone(),
            export: export.clone(),
            superseded: account.current.clone(),
            position: first,
            total,
        })
    }

    /// Forgets an export that is gone.
    pub fn close(&self, export: &ExportId) {
        self.accounts().remove(export);
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<ExportId, Account>> {
        // A panic elsewhere does not make this map less true.
        self.exports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Delivery {
    /// Counts bytes handed to the connection.
    pub fn sent(&mut self, bytes: u64) {
        let mut accounts = self.ledger.accounts();
        let start = self.position;
        self.position += bytes;
        if let Some(account) = accounts.get_mut(&self.export)
            && start <= account.delivered
        {
            account.delivered = account.delivered.max(self.position);
        }
    }

    /// Notes that the answer's last byte was handed over, and says whether it completes the download.
    pub fn handed_over(&self, afterwards: &Afterwards) -> bool {
        let mut accounts = self.ledger.accounts();
        match accounts.get_mut(&self.export) {
            Some(account) if self.carried_to_the_end(account) && !self.superseded.is_cancelled() => {
                account.handed_over = Some(afterwards.clone());
                true
            }
            _ => false,
        }
    }

    /// True if this very answer ends with the last byte and nothing before it is missing. An earlier
    /// answer that reached the end proves nothing: its client may be the one that now asks for the rest.
    fn carried_to_the_end(&self, account: &Account) -> bool {
        self.position == self.total && account.delivered == self.total
    }
}
