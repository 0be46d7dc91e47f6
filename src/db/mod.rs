//! The only SQL, a file per table. Functions take a connection, so the caller owns the transaction.
