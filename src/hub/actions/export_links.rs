//! Download links of exports. The token is derived, never stored: whoever has the tenant's data key can
//! make it again, and the database alone cannot.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::{
    crypto::{envelope::DataKey, tokens},
    domain::{dump, export::Export, ids::ExportId, worker::Worker},
};

/// The token of an export.
pub(super) fn token(key: &DataKey, export: &ExportId) -> SecretString {
    let info = [b"xvault export token v1", export.as_str().as_bytes()].concat();
    tokens::encode("", &key.derive(&info))
}

/// Where an export is downloaded.
fn url(worker: &Worker, key: &DataKey, export: &ExportId) -> String {
    let base = worker.url.trim_end_matches('/');
    format!("{base}/downloads/{export}/{}", token(key, export).expose_secret())
}

/// How the link of a finished restore is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkState {
    Ready,
    Downloaded,
    Expired,
    /// The caller may look but not restore.
    Hidden,
}

impl LinkState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Downloaded => "downloaded",
            Self::Expired => "expired",
            Self::Hidden => "hidden",
        }
    }
}

/// The `result` of a succeeded restore. `link` is what the URL is made of, for callers who may have it.
pub(super) fn result(
    export: &Export,
    paths: &[String],
    now: chrono::DateTime<chrono::Utc>,
    link: Option<(&Worker, &DataKey)>,
) -> serde_json::Value {
    let state = match link {
        _ if export.downloaded_at.is_some() => LinkState::Downloaded,
        _ if !export.is_available(now) => LinkState::Expired,
        None => LinkState::Hidden,
        Some(_) => LinkState::Ready,
    };
    let url = link
        .filter(|_| state == LinkState::Ready)
        .map(|(worker, key)| url(worker, key, &export.new.id));
    json!({
        "export_id": export.new.id,
        "download_url": url,
        "download_state": state.as_str(),
        "file_name": export.new.file_name,
        "bytes": export.new.bytes,
        "sha256": export.new.sha256,
        "expires_at": export.expires_at,
        "format": export.new.format,
        "load": dump::loads(export.new.format, &export.new.file_name, paths),
    })
}
