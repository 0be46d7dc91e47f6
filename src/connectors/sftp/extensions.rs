//! What a server offers beyond version 3 of the protocol: OpenSSH's extensions, by their names.

use super::{error::SftpError, packet::Fields};

/// The extensions that are used where they are offered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extensions {
    /// `limits@openssh.com`: tells sizes and counts it can take.
    pub limits: bool,
    /// `posix-rename@openssh.com`: renames onto something in one step.
    pub posix_rename: bool,
    /// `fsync@openssh.com`: makes a file durable.
    pub fsync: bool,
    /// `statvfs@openssh.com`: tells what room is left.
    pub statvfs: bool,
    /// `hardlink@openssh.com`: gives a file another name.
    pub hardlink: bool,
    /// `lsetstat@openssh.com`: changes a link itself.
    pub lsetstat: bool,
}

impl Extensions {
    /// Reads the rest of a greeting.
    pub fn read(greeting: &mut Fields) -> Result<Self, SftpError> {
        let mut found = Self::default();
        while !greeting.is_empty() {
            let (name, _version) = (greeting.string()?, greeting.string()?);
            match name.as_ref() {
                b"limits@openssh.com" => found.limits = true,
                b"posix-rename@openssh.com" => found.posix_rename = true,
                b"fsync@openssh.com" => found.fsync = true,
                b"statvfs@openssh.com" => found.statvfs = true,
                b"hardlink@openssh.com" => found.hardlink = true,
                b"lsetstat@openssh.com" => found.lsetstat = true,
                _ => {}
            }
        }
        Ok(found)
    }
}
