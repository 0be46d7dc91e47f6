//! Finds out over SFTP where the configured paths really are, before anything is read.

use super::{
    attributes::FileType,
    client::SftpClient,
    error::{NO_SUCH_FILE, PERMISSION_DENIED, SftpError, is_trouble},
};
use crate::{
    connectors::roots::{Resolved, absolute},
    domain::{error_code::ErrorCode, escaped::escape, job::JobError},
};

/// The login directory as the server names it.
pub async fn login_dir(client: &SftpClient) -> Result<Vec<u8>, SftpError> {
    Ok(client.real_path(b".").await?.one_name().await?.to_vec())
}

/// Resolves one configured path and makes sure that it can be read.
///
/// # Errors
/// `path_not_found` or `permission_denied`, naming the path.
pub async fn resolve(client: &SftpClient, place: &str, given: &str, login_dir: &[u8]) -> Result<Resolved, SftpError> {
    let path = absolute(given, login_dir);
    let refused = |error: SftpError| match error.code() {
        Some(code) => SftpError::Stopped(not_readable(place, &path, code, &error)),
        None => error,
    };
    let attributes = client.lstat(&path).await?.attributes().await.map_err(refused)?;
    let real = real_place(client, &path).await.map_err(refused)?;
    if attributes.file_type() != Some(FileType::Symlink) {
        check_readable(client, &path, attributes.file_type())
            .await
            .map_err(refused)?;
        return Ok(Resolved {
            given: given.to_owned(),
            place: real,
            link: None,
        });
    }
    let target = match client.stat(&path).await?.attributes().await {
        Ok(target) => target,
        Err(error) if error.code() == Some(NO_SUCH_FILE) => {
            return Ok(Resolved {
                given: given.to_owned(),
                place: real,
                link: Some(None),
            });
        }
        Err(error) => return Err(refused(error)),
    };
    check_readable(client, &path, target.file_type())
        .await
        .map_err(refused)?;
    let target = client.real_path(&path).await?.one_name().await.map_err(refused)?;
    Ok(Resolved {
        given: given.to_owned(),
        place: real,
        link: Some(Some(checked(&target)?)),
    })
}

/// The real path of the directory above, and the last component as it is.
async fn real_place(client: &SftpClient, path: &[u8]) -> Result<Vec<u8>, SftpError> {
    let slash = path.iter().rposition(|&b| b == b'/').unwrap_or(0);
    let (parent, name) = (&path[..slash.max(1)], &path[slash + 1..]);
    let mut real = checked(&client.real_path(parent).await?.one_name().await?)?;
    if name.is_empty() {
        return Ok(real);
    }
    if real != b"/" {
        real.push(b'/');
    }
    real.extend_from_slice(name);
    Ok(real)
}

/// What a server says a path really is must itself be a path.
pub(super) fn checked(path: &[u8]) -> Result<Vec<u8>, SftpError> {
    let honest = path.starts_with(b"/") && !path.contains(&0) && path.split(|&b| b == b'/').all(|part| part != b"..");
    if !honest {
        let text = format!("it resolves a path to {}", escape(path));
        return Err(SftpError::Protocol(text));
    }
    let mut clean = path.to_vec();
    while clean.len() > 1 && clean.ends_with(b"/") {
        clean.pop();
    }
    Ok(clean)
}

async fn check_readable(client: &SftpClient, path: &[u8], file_type: Option<FileType>) -> Result<(), SftpError> {
    let handle = match file_type {
        Some(FileType::Directory) => client.open_dir(path).await?.handle().await?,
        Some(FileType::Regular) => client.open(path).await?.handle().await?,
        _ => return Ok(()),
    };
    client.close(&handle).await
}

fn not_readable(place: &str, path: &[u8], code: u32, error: &SftpError) -> JobError {
    let path = escape(path);
    match code {
        NO_SUCH_FILE => JobError::new(
            ErrorCode::PathNotFound,
            format!("{path} does not exist on {place}"),
            "Correct the source's paths.",
        ),
        PERMISSION_DENIED => JobError::new(
            ErrorCode::PermissionDenied,
            format!("the account on {place} may not read {path}"),
            "Grant the login read access, or use another account.",
        ),
        _ => {
            let error = JobError::new(
                ErrorCode::PermissionDenied,
                format!("{place} does not let {path} be read: {error}"),
                "Check that path on the server.",
            );
            match is_trouble(code) {
                true => error.transient(),
                false => error,
            }
        }
    }
}
