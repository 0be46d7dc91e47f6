//! Exports: a restore made ready for download.

use chrono::{DateTime, Utc};

use super::{
    ids::{ExportId, JobId, SnapshotId, TenantId, WorkerId},
    job::ExportFormat,
};

/// What a finished restore tells the catalogue.
#[derive(Debug, Clone)]
pub struct NewExport {
    /// Its id, chosen when the restore was ordered.
    pub id: ExportId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// The restore that made it.
    pub job_id: JobId,
    /// What it was made from.
    pub snapshot_id: SnapshotId,
    /// The worker that has the file.
    pub worker_id: WorkerId,
    /// Its form.
    pub format: ExportFormat,
    /// Name the browser shall save it under.
    pub file_name: String,
    /// SHA-256 of the download token.
    pub token_hash: Vec<u8>,
    /// Length of the download in bytes.
    pub bytes: u64,
    /// SHA-256 of the download, lower-case hex.
    pub sha256: String,
}

/// An export as catalogued.
#[derive(Debug, Clone)]
pub struct Export {
    /// What the restore told.
    pub new: NewExport,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When the link dies.
    pub expires_at: DateTime<Utc>,
    /// When it was downloaded completely; the link is dead since then.
    pub downloaded_at: Option<DateTime<Utc>>,
}

/// Longest name of a file kept in that of a download, in bytes.
const MAX_NAME: usize = 100;

/// What the download of a restore is called: only letters, digits, dots, dashes and underscores.
pub fn file_name(taken_at: DateTime<Utc>, id: &SnapshotId, format: ExportFormat, paths: &[String]) -> String {
    let taken_at = taken_at.format("%Y%m%d-%H%M%S");
    let (ExportFormat::File, [path]) = (format, paths) else {
        return format!("xvault-{taken_at}-{id}.{}", format.as_str());
    };
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') {
            c
        } else {
            '_'
        }
    };
    let name: String = name.chars().map(plain).collect();
    // Of a long name the end says more.
    format!("xvault-{taken_at}-{}", &name[name.len().saturating_sub(MAX_NAME)..])
}

impl Export {
    /// True while its link works.
    pub fn is_available(&self, now: DateTime<Utc>) -> bool {
        self.downloaded_at.is_none() && now < self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn downloads_have_plain_names() {
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let id: SnapshotId = "snp_1".parse().unwrap();
        let name = |format, paths: &[&str]| {
            let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            file_name(at, &id, format, &paths)
        };
        assert_eq!(
            name(ExportFormat::TarZst, &["a"]),
            "xvault-20231114-221320-snp_1.tar.zst"
        );
        assert_eq!(
            name(ExportFormat::File, &["databases/shop.sql"]),
            "xvault-20231114-221320-shop.sql"
        );
        assert_eq!(
            name(ExportFormat::File, &["/x/\u{e4} \"b\".dump"]),
            "xvault-20231114-221320-___b_.dump"
        );
        assert_eq!(name(ExportFormat::File, &[&"n".repeat(300)]).len(), 23 + MAX_NAME);
    }
}
