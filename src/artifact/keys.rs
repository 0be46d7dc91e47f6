//! The keys that open one artifact.

use crate::{
    crypto::age_keys::{FileKey, KeyError},
    domain::brief,
};

/// The file keys of the two encrypted files of one snapshot.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Of `backup.tar.zst.enc`.
    pub backup: FileKey,
    /// Of `index.enc`.
    pub index: FileKey,
}

impl TryFrom<&brief::FileKeys> for Keys {
    type Error = KeyError;

    fn try_from(brief: &brief::FileKeys) -> Result<Self, KeyError> {
        Ok(Self {
            backup: FileKey::from_base64(&brief.backup)?,
            index: FileKey::from_base64(&brief.index)?,
        })
    }
}
