//! Stable error codes of jobs: a public contract, one cause each, never reused.

use std::{fmt, str::FromStr};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $retry:literal;)*) => {
        /// Why a job failed. The text form is what clients match on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $name,)* }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [ErrorCode] = &[$(Self::$name,)*];

            /// The stable text form.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// True if the same job may succeed later with nothing changed by a person, as far as the code alone
            /// tells; see [`JobError::is_transient`](super::job::JobError::is_transient).
            pub fn is_transient(self) -> bool {
                match self { $(Self::$name => $retry,)* }
            }
        }

        impl FromStr for ErrorCode {
            type Err = UnknownCode;
            fn from_str(text: &str) -> Result<Self, UnknownCode> {
                match text { $($text => Ok(Self::$name),)* _ => Err(UnknownCode(text.to_owned())) }
            }
        }
    };
}

/// The text names no error code of this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown error code {0:?}")]
pub struct UnknownCode(String);

codes! {
    /// The host name has no address.
    DnsFailed = "dns_failed", true;
    /// The host refused, did not answer, or is not reachable.
    ConnectFailed = "connect_failed", true;
    /// The jump host is set up not to forward the connection.
    ForwardingForbidden = "forwarding_forbidden", false;
    /// The host has too many connections for now.
    SourceBusy = "source_busy", true;
    /// The host's address is one that workers must not reach.
    AddressForbidden = "address_forbidden", false;
    /// Nobody has approved the host's identity yet.
    IdentityNotTrusted = "identity_not_trusted", false;
    /// The host presents another identity than the approved one.
    IdentityChanged = "identity_changed", false;
    /// TLS could not be agreed.
    TlsFailed = "tls_failed", false;
    /// The password was refused.
    AuthFailed = "auth_failed", false;
    /// The server does not accept the key.
    KeyRejected = "key_rejected", false;
    /// The private key cannot be used: wrong passphrase, or not a key.
    KeyUnusable = "key_unusable", false;
    /// A path to capture or restore does not exist.
    PathNotFound = "path_not_found", false;
    /// Nothing of what was asked for may be read.
    PermissionDenied = "permission_denied", false;
    /// A right in the database is missing.
    MissingPrivilege = "missing_privilege", false;
    /// The connection broke, or the stream ended early.
    TransferInterrupted = "transfer_interrupted", true;
    /// A database that is to be dumped does not exist.
    DatabaseNotFound = "database_not_found", false;
    /// The server's own disk is full.
    SourceFull = "source_full", true;
    /// Something on the server holds a lock that a dump has to wait for, for too long.
    SourceLocked = "source_locked", true;
    /// The server is of a version that this program does not back up.
    ServerUnsupported = "server_unsupported", false;
    /// The schema was changed while it was dumped.
    SchemaChanged = "schema_changed", true;
    /// The server wants the password in a way that only TLS would protect.
    TlsRequired = "tls_required", false;
    /// The program that dumps such a database is neither on the worker nor on the source.
    ClientMissing = "client_missing", false;
    /// The site's configuration file is not where WordPress looks for it.
    ConfigNotFound = "config_not_found", false;
    /// What the site's configuration says cannot be worked out without guessing.
    ConfigUnresolved = "config_unresolved", false;
    /// The database refuses the login that the site's configuration names.
    DatabaseRefused = "database_refused", false;
    /// The source has no client program, and does not let the worker's reach the database either.
    DatabaseUnreachable = "database_unreachable", false;
    /// The site's database does not hold the site's tables.
    TablesNotFound = "tables_not_found", false;
    /// The login may only transfer files, and this kind of source has to run commands.
    ShellRequired = "shell_required", false;
    /// A database dump ended with an error or without its end marker.
    DumpFailed = "dump_failed", true;
    /// A server, or the program that loads a dump into it, refused part of the dump.
    LoadFailed = "load_failed", false;
    /// The worker has no server that a dump could be loaded into to prove it.
    ServerMissing = "server_missing", false;
    /// Nothing in the snapshot can be loaded to prove it, or nothing says what should be in it.
    NothingToProve = "nothing_to_prove", false;
    /// A dump does not hold what was counted when it was made.
    RestoreMismatch = "restore_mismatch", false;
    /// The worker has too little room for a database of its own.
    WorkspaceFull = "workspace_full", true;
    /// Loading a dump took longer than any honest one does.
    LoadTooLong = "load_too_long", false;
    /// The capture came back with nothing in it.
    NothingCaptured = "nothing_captured", false;
    /// The source exceeds a limit: sizes, depths or counts no honest source has.
    SourceLimit = "source_limit", false;
    /// The server speaks the protocol wrongly or lacks what is needed.
    ProtocolError = "protocol_error", false;
    /// The place backups are stored at is full.
    StorageFull = "storage_full", true;
    /// The storage failed for another reason than space.
    StorageFailed = "storage_failed", true;
    /// A stored snapshot does not match its hashes.
    SnapshotDamaged = "snapshot_damaged", false;
    /// The disk fails to give bytes of a snapshot. Whether they are still what was stored is not known.
    SnapshotUnreadable = "snapshot_unreadable", true;
    /// A newer program stored the snapshot in a way that this one does not know. It is not damaged.
    SnapshotTooNew = "snapshot_too_new", false;
    /// Files of a snapshot are not where the catalogue says.
    SnapshotMissing = "snapshot_missing", false;
    /// The key that opens the snapshot is not here.
    KeyUnavailable = "key_unavailable", false;
    /// The chosen export format cannot hold what was chosen.
    ExportLimit = "export_limit", false;
    /// No room is left on the server that a restore writes to.
    TargetFull = "target_full", false;
    /// The file system that a restore writes to takes no writes.
    TargetReadOnly = "target_read_only", false;
    /// The login may write nothing of what was to be restored.
    TargetDenied = "target_denied", false;
    /// The directory to restore into is none, or cannot be reached.
    TargetPathUnusable = "target_path_unusable", false;
    /// A restore wrote nothing, and nothing was there already.
    NothingRestored = "nothing_restored", false;
    /// The worker that ran the job disappeared.
    WorkerLost = "worker_lost", true;
    /// The worker whose disk the job needs was retired.
    WorkerRetired = "worker_retired", false;
    /// A person cancelled the job.
    Cancelled = "cancelled", false;
    /// A fault in xVault itself.
    Internal = "internal", true;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for ErrorCode {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_parses_back() {
        for &code in ErrorCode::ALL {
            assert_eq!(code.as_str().parse::<ErrorCode>(), Ok(code));
        }
    }

    /// Which causes time alone may cure. A code that is added has to be thought about here too.
    #[test]
    fn what_is_tried_again_by_itself_is_what_may_pass_by_itself() {
        use ErrorCode::*;
        for &code in ErrorCode::ALL {
            let expected = match code {
                // Networks, servers and names come back.
                DnsFailed | ConnectFailed | SourceBusy | TransferInterrupted | DumpFailed | SchemaChanged
                | SourceLocked => true,
                // Space is freed, disks are mounted and recover, another worker has room or a sound disk.
                StorageFull | StorageFailed | SnapshotUnreadable | SourceFull | WorkspaceFull => true,
                // Another worker does it; a fault of ours may have been a race.
                WorkerLost | Internal => true,
                // Somebody has to change the source, its server or its credentials.
                AddressForbidden | ForwardingForbidden | IdentityNotTrusted | IdentityChanged | TlsFailed
                | AuthFailed | KeyRejected | KeyUnusable | PathNotFound | PermissionDenied | MissingPrivilege
                | NothingCaptured | SourceLimit | ProtocolError | DatabaseNotFound | TlsRequired | ClientMissing
                | ServerUnsupported | LoadFailed | LoadTooLong | ConfigNotFound | ConfigUnresolved
                | DatabaseRefused | DatabaseUnreachable | TablesNotFound | ShellRequired => false,
                // Likewise of the server that a restore writes to.
                TargetFull | TargetReadOnly | TargetDenied | TargetPathUnusable | NothingRestored => false,
                // The snapshot or the order stays as it is.
                SnapshotDamaged | SnapshotTooNew | SnapshotMissing | KeyUnavailable | ExportLimit | NothingToProve
                | RestoreMismatch | ServerMissing => false,
                // Somebody decided it.
                WorkerRetired | Cancelled => false,
            };
            assert_eq!(code.is_transient(), expected, "{code}");
        }
    }
}
