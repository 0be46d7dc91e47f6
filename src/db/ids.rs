//! How ids and the domain's text enums travel to and from the database: as `text`.

use sqlx::{
    Decode, Encode, Postgres, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef},
};

use crate::domain::{
    error_code::ErrorCode,
    ids::{
        ExportId, InvitationId, JobId, KeyId, ScheduleId, SessionId, SnapshotId, SourceId, StorageId, TenantId, UserId,
        WorkerId,
    },
    job::{ExportFormat, HeldBy, JobKind, JobState},
    snapshot::{SnapshotState, VerifyDepth},
    source::SourceKind,
    user::Role,
};

macro_rules! as_text {
    ($($name:ty),* $(,)?) => {$(
        impl Type<Postgres> for $name {
            fn type_info() -> PgTypeInfo {
                <str as Type<Postgres>>::type_info()
            }

            fn compatible(ty: &PgTypeInfo) -> bool {
                <str as Type<Postgres>>::compatible(ty)
            }
        }

        impl PgHasArrayType for $name {
            fn array_type_info() -> PgTypeInfo {
                <&str as PgHasArrayType>::array_type_info()
            }
        }

        impl Encode<'_, Postgres> for $name {
            fn encode_by_ref(&self, buf: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
                <&str as Encode<Postgres>>::encode(self.as_str(), buf)
            }
        }

        impl Decode<'_, Postgres> for $name {
            fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
                Ok(<&str as Decode<Postgres>>::decode(value)?.parse::<$name>()?)
            }
        }
    )*};
}

as_text!(
    TenantId,
    UserId,
    SourceId,
    ScheduleId,
    JobId,
    SnapshotId,
    WorkerId,
    StorageId,
    ExportId,
    KeyId,
    SessionId,
    InvitationId,
    JobKind,
    HeldBy,
    JobState,
    SnapshotState,
    VerifyDepth,
    ExportFormat,
    SourceKind,
    Role,
    ErrorCode,
);
