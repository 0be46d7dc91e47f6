//! A snapshot's directory and the keys that open it.

use std::{fs, path::Path};

use anyhow::{Context, bail};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::Target;
use crate::{
    artifact::{Directory, Keys, age_header, manifest},
    crypto::age_keys::{FileKey, KeyError, TenantIdentity, unwrap_file_key},
    domain::{job::JobError, snapshot::ArtifactFile},
};

/// Reads the identity file and unwraps the keys of the snapshot's files.
pub(super) fn open(target: &Target) -> anyhow::Result<(Directory, Keys)> {
    let identities = read_identities(&target.identity)?;
    let files = Directory(target.directory.clone());
    let keys = Keys {
        backup: key(target, &files, &identities, ArtifactFile::Backup)?,
        index: key(target, &files, &identities, ArtifactFile::Index)?,
    };
    Ok((files, keys))
}

fn key(
    target: &Target,
    files: &Directory,
    identities: &[TenantIdentity],
    file: ArtifactFile,
) -> anyhow::Result<FileKey> {
    let header = age_header(files, file).map_err(told)?;
    for identity in identities {
        match unwrap_file_key(identity, &header) {
            Ok(key) => return Ok(key),
            Err(KeyError::WrongIdentity) => {}
            Err(error) => bail!("{}: {error}", target.directory.join(file.name()).display()),
        }
    }
    let has: Vec<String> = identities.iter().map(TenantIdentity::recipient).collect();
    let wants = manifest(files).map_err(told)?.encryption.recipients;
    bail!(
        "{} does not open this snapshot: it holds the identity of {}, and the snapshot is encrypted for {}",
        target.identity.display(),
        has.join(", "),
        wants.join(", ")
    )
}

/// The format of `age-keygen`: one identity a line, comments and blank lines between.
fn read_identities(path: &Path) -> anyhow::Result<Vec<TenantIdentity>> {
    let text = fs::read_to_string(path).map(Zeroizing::new);
    let text = text.with_context(|| format!("cannot read the identity file {}", path.display()))?;
    let mut identities = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let identity = TenantIdentity::from_secret(&SecretString::from(line));
        // The line itself may be half a secret, so only its number is told.
        identities.push(identity.with_context(|| format!("{}, line {}", path.display(), number + 1))?);
    }
    if identities.is_empty() {
        bail!("{} holds no age identity (a line AGE-SECRET-KEY-1…)", path.display());
    }
    Ok(identities)
}

/// Message and hint of a failure.
pub(super) fn told(error: JobError) -> anyhow::Error {
    if error.hint.is_empty() {
        anyhow::anyhow!("{}", error.message)
    } else {
        anyhow::anyhow!("{}\n  {}", error.message, error.hint)
    }
}
