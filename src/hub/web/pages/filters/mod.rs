//! Template filters: how numbers, times and states look. They read values, never the database.
//!
//! Some need to know the moment, the colours and the address a page is made for; these come as askama's
//! runtime values, see [`context`].

pub mod context;
pub mod numbers;
pub mod states;
pub mod times;

/// A value, or a reference to it: templates hand over either.
pub trait Deep<T> {
    /// The value itself.
    fn deep(&self) -> &T;
}

impl<T> Deep<T> for T {
    fn deep(&self) -> &T {
        self
    }
}

impl<T> Deep<T> for &T {
    fn deep(&self) -> &T {
        self
    }
}

impl<T> Deep<T> for &&T {
    fn deep(&self) -> &T {
        self
    }
}

impl<T> Deep<T> for &&&T {
    fn deep(&self) -> &T {
        self
    }
}

pub use context::{asset, here, icon, theme};
pub use numbers::{average, bar, count, mode, ratio, size, space};
pub use states::{badge, badge_problem, credential, history, is_running, kind, phase, transport, word};
pub use times::{ago, clock, date, rfc3339, short_id, took};
