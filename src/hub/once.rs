//! A request that shall have its effect once, however often it is sent (`Idempotency-Key`).
//!
//! What it does and what it is answered become one transaction. While such a request is carried out,
//! [`Hub::begin`](super::Hub::begin) takes its key and [`Hub::commit`](super::Hub::commit) only lays the transaction by;
//! whoever carries the request out adds the answer to it and commits both. So there is no moment at which a hub can die
//! that leaves an effect without its answer. Actions need not know of it.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::actions::ActionError;
use crate::db::{
    Transaction,
    idempotency_keys::{self, RequestKey},
};

tokio::task_local! {
    static CURRENT: Arc<Once>;
}

/// A request that is being carried out.
#[derive(Debug)]
pub struct Once {
    key: RequestKey,
    laid_by: Mutex<Option<Transaction>>,
    taken: AtomicBool,
}

impl Once {
    /// The request with this key.
    pub fn new(key: RequestKey) -> Arc<Self> {
        Arc::new(Self {
            key,
            laid_by: Mutex::default(),
            taken: AtomicBool::new(false),
        })
    }

    /// The one that the present task carries out, if it does.
    pub fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// Carries the request out.
    pub async fn carry_out<T>(self: &Arc<Self>, work: impl Future<Output = T>) -> T {
        CURRENT.scope(Arc::clone(self), work).await
    }

    /// The transaction of this request: the one that was laid by, or a new one that holds the key. Fails if the same
    /// request is being carried out elsewhere; see [`Once::is_taken`].
    pub async fn begin(&self, pool: &PgPool, now: DateTime<Utc>) -> Result<Transaction, ActionError> {
        if let Some(transaction) = self.take() {
            return Ok(transaction);
        }
        let mut transaction = Transaction::begin(pool).await?;
        if !idempotency_keys::hold(&mut transaction, &self.key, now).await? {
            self.taken.store(true, Ordering::Relaxed);
            return Err(ActionError::Conflict(
                "the same request is being carried out just now".into(),
            ));
        }
        Ok(transaction)
    }

    /// Keeps a transaction until the answer is known.
    pub fn lay_by(&self, transaction: Transaction) {
        *self.laid_by() = Some(transaction);
    }

    /// What was laid by.
    pub fn take(&self) -> Option<Transaction> {
        self.laid_by().take()
    }

    /// True if nothing was done because somebody else is doing it.
    pub fn is_taken(&self) -> bool {
        self.taken.load(Ordering::Relaxed)
    }

    fn laid_by(&self) -> std::sync::MutexGuard<'_, Option<Transaction>> {
        // A panic elsewhere does not make the transaction another one.
        self.laid_by.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
