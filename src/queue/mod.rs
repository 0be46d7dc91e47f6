//! The only apalis: tickets, enqueueing in the caller's transaction, routing, consumption.
