//! One sentence shown once after a redirect. The cookie holds a code, never text.

use axum::http::HeaderMap;

use super::theme::cookie;

/// Name of the cookie.
pub const COOKIE: &str = "xvault_flash";

macro_rules! flashes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $tone:literal, $text:literal;)*) => {
        /// What just happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Flash { $($(#[$doc])* $name,)* }

        impl Flash {
            /// Name in the cookie.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// CSS class.
            pub fn tone(self) -> &'static str {
                match self { $(Self::$name => $tone,)* }
            }

            /// The sentence.
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            fn parse(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
        }
    };
}

flashes! {
    /// A source was added; its probe runs.
    SourceAdded = "source-added", "good", "Source added. Its connection is being checked.";
    /// A source was changed; its probe runs.
    SourceSaved = "source-saved", "good", "Saved. The connection is being checked again.";
    /// A source was removed.
    SourceRemoved = "source-removed", "good", "Source removed. Its snapshots stay.";
    /// An identity was pinned and a probe signs in.
    Approved = "approved", "good", "Identity approved. The sign-in is being checked.";
    /// An identity was pinned.
    Ready = "ready", "good", "Identity approved. The source is ready to be backed up.";
    /// The source already has an active backup.
    AlreadyRunning = "already-running", "info", "A backup of this source is already running: this one.";
    /// A job is to be cancelled.
    Cancelling = "cancelling", "info", "The job is being cancelled.";
    /// A job was over before.
    TooLateToCancel = "too-late", "info", "The job had already ended.";
    /// A snapshot is pinned.
    Pinned = "pinned", "good", "Pinned. Retention never removes this snapshot.";
    /// A snapshot is no longer pinned.
    Unpinned = "unpinned", "good", "Unpinned.";
    /// A member's role was changed.
    RoleChanged = "role-changed", "good", "Role changed.";
    /// A member was added who has a password already.
    MemberAdded = "member-added", "good", "Member added. They sign in with the password they have.";
    /// A member was removed.
    MemberRemoved = "member-removed", "good", "Member removed.";
    /// An API key was revoked.
    KeyRevoked = "key-revoked", "good", "Key revoked. It is dead at once.";
    /// A worker takes no new backups.
    Drained = "drained", "good", "Drained. It heeds that within seconds and finishes what it runs.";
    /// A worker takes work again.
    Undrained = "undrained", "good", "It takes work again within seconds.";
    /// A worker is gone for ever.
    Retired = "retired", "good", "Retired. Its snapshots are marked as missing.";
    /// Files were to be restored, but none was chosen.
    NothingChosen = "nothing-chosen", "warn", "Choose at least one file or directory first.";
}

impl Flash {
    /// The one in a request's cookie.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        Self::parse(cookie(headers, COOKIE)?)
    }

    /// Drawing beside the sentence.
    pub fn icon(self) -> &'static str {
        match self.tone() {
            "good" => "check",
            "warn" => "warning",
            _ => "info",
        }
    }
}
