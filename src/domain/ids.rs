//! Opaque identifiers: a type prefix and 32 hex digits of a UUIDv7.
//!
//! Only `[a-zA-Z0-9_-]` may appear, because ids become path components and object keys (promise 10).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The text is not an id of the wanted type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}…")]
pub struct InvalidId {
    /// Prefix an id of the wanted type starts with.
    pub prefix: &'static str,
}

/// Longest accepted id in bytes, prefix included.
const MAX_LEN: usize = 64;

fn checked(text: &str, prefix: &'static str) -> Result<String, InvalidId> {
    let body = text.strip_prefix(prefix).ok_or(InvalidId { prefix })?;
    let opaque = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if body.is_empty() || text.len() > MAX_LEN || !body.bytes().all(opaque) {
        return Err(InvalidId { prefix });
    }
    Ok(text.to_owned())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, ::utoipa::ToSchema)]
        #[schema(pattern = "^[a-zA-Z0-9_-]+$")]
        pub struct $name(String);

        impl $name {
            /// What every id of this type starts with.
            pub const PREFIX: &'static str = $prefix;

            /// A fresh id; later ids sort after earlier ones.
            pub fn generate() -> Self {
                Self(format!("{}{}", $prefix, uuid::Uuid::now_v7().simple()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                checked(text, $prefix).map(Self)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A tenant: the wall no data crosses.
    TenantId = "tnt_";
    /// A person.
    UserId = "usr_";
    /// One server, site or database to back up.
    SourceId = "src_";
    /// A schedule of a source.
    ScheduleId = "sch_";
    /// One unit of work.
    JobId = "job_";
    /// One stored backup.
    SnapshotId = "snp_";
    /// A worker process's lasting identity, made on first boot.
    WorkerId = "wrk_";
    /// One storage of a worker: stands in its marker file, so that another disk is noticed.
    StorageId = "stg_";
    /// A restore made ready for download.
    ExportId = "exp_";
    /// An API key or a tenant's age identity.
    KeyId = "key_";
    /// A sign-in and the tokens that continue it.
    SessionId = "ses_";
    /// An invitation to join a tenant.
    InvitationId = "inv_";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_id_parses_back() {
        let id = JobId::generate();
        assert_eq!(id.as_str().parse::<JobId>(), Ok(id));
    }

    #[test]
    fn nothing_that_could_leave_a_directory_is_an_id() {
        for bad in [
            "", "job_", "src_a", "job_../x", "job_a/b", "job_a\0", "job_ä", "job_a b",
        ] {
            assert!(bad.parse::<JobId>().is_err(), "{bad:?}");
        }
        assert!(format!("job_{}", "a".repeat(80)).parse::<JobId>().is_err());
    }
}
