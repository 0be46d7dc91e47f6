//! Answering `GET` and `HEAD /downloads/{export_id}/{token}`.

use std::{io, sync::Arc};

use axum::{
    extract::{ConnectInfo, Path, State},
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header},
    response::IntoResponse,
};
use secrecy::SecretString;

use super::{
    body::{Body, Opened},
    connection::{Afterwards, Connection, Fate},
    range::{self, Wanted},
};
use crate::{
    crypto::tokens,
    db::{self, DbError, exports},
    domain::{export::Export, ids::ExportId},
    worker::{node::Node, server::problem},
};

type Answer = Response<axum::body::Body>;

/// Sends an export, or the part of it that was asked for.
pub async fn download(
    State(node): State<Arc<Node>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    Path((id, token)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Answer {
    let token = SecretString::from(token);
    let export = match find(&node, &id, &token).await {
        Ok(Some(export)) => export,
        Ok(None) => {
            return problem(
                StatusCode::NOT_FOUND,
                "There is no such download; check that the link is complete",
            );
        }
        Err(error) => {
            tracing::warn!(%error, "cannot look up an export");
            return problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "The catalogue is away; try again in a moment",
            );
        }
    };
    if !export.is_available(node.clock.now()) {
        return gone(&export);
    }
    let total = export.new.bytes;
    let wanted = match condition(&headers, &etag(&export)) {
        true => range::wanted(text(&headers, header::RANGE), total),
        false => Wanted::Everything,
    };
    let (status, first, length) = match wanted {
        Wanted::Everything => (StatusCode::OK, 0, total),
        Wanted::Part { first, last } => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Wanted::Unsatisfiable => {
            let mut answer = problem(StatusCode::RANGE_NOT_SATISFIABLE, "The download has no such bytes");
            set(&mut answer, header::CONTENT_RANGE, format!("bytes */{total}"));
            return answer;
        }
    };
    let body = match method {
        Method::HEAD => axum::body::Body::empty(),
        _ => match body(&node, &export, token, connection, first, length).await {
            Ok(Some(body)) => body,
            Ok(None) => return gone(&export),
            Err(error) => {
                tracing::error!(export = %export.new.id, %error, "cannot read an export");
                return problem(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "The export cannot be read; restore the snapshot again",
                );
            }
        },
    };
    let mut answer = (status, body).into_response();
    describe(&mut answer, &export, length);
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {first}-{}/{total}", first + length - 1);
        set(&mut answer, header::CONTENT_RANGE, range);
    }
    answer
}

/// The export, if the token in the link is its token. Whoever has another one learns nothing.
async fn find(node: &Node, id: &str, token: &SecretString) -> Result<Option<Export>, DbError> {
    let Ok(id) = id.parse::<ExportId>() else {
        return Ok(None);
    };
    let asked = async { exports::on_worker(&mut *node.pool.acquire().await?, &node.id, &id).await };
    let export = db::answered(asked).await?;
    Ok(export.filter(|export| tokens::matches(&export.new.token_hash, &tokens::hash(token))))
}

async fn body(
    node: &Arc<Node>,
    export: &Export,
    token: SecretString,
    connection: Connection,
    first: u64,
    length: u64,
) -> io::Result<Option<axum::body::Body>> {
    let path = node.export_path(&export.new.id);
    let opened = tokio::task::spawn_blocking(move || Opened::open(&path, &token))
        .await
        .map_err(io::Error::other)??;
    let Some(delivery) = node.ledger.begin(&export.new.id, first, export.new.bytes) else {
        return Ok(None);
    };
    let (node, id) = (node.clone(), export.new.id.clone());
    let complete = move |afterwards| drop(tokio::spawn(settle(node, id, afterwards)));
    let body = Body::new(opened, first, length, delivery, connection, complete);
    Ok(Some(axum::body::Body::from_stream(body)))
}

/// Ends the life of a link once it is certain that its download arrived.
async fn settle(node: Arc<Node>, id: ExportId, afterwards: Afterwards) {
    if afterwards.settled().await == Fate::Broken {
        tracing::info!(export = %id, "the client went away before the end; the link still works");
        return;
    }
    let done = async {
        let mut conn = node.pool.acquire().await?;
        exports::set_downloaded(&mut conn, &id).await
    };
    match db::answered(done).await {
        Ok(_) => {
            tracing::info!(export = %id, "downloaded");
            let path = node.export_path(&id);
            if let Err(error) = tokio::fs::remove_file(&path).await {
                tracing::warn!(path = %path.display(), %error, "could not remove the export; the next sweep will");
            }
            node.ledger.close(&id);
        }
        // The ledger still refuses further downloads, and the link expires by itself.
        Err(error) => tracing::warn!(export = %id, %error, "could not note that the export was downloaded"),
    }
}

fn gone(export: &Export) -> Answer {
    let why = match export.downloaded_at {
        Some(_) => "This link was used: it works for one complete download. Restore the snapshot again for a new one",
        None => "This link was used or has expired. Restore the snapshot again for a new one",
    };
    problem(StatusCode::GONE, why)
}

/// True if the range may be honoured: `If-Range` is absent or names what we have.
fn condition(headers: &HeaderMap, etag: &str) -> bool {
    text(headers, header::IF_RANGE).is_none_or(|given| given == etag)
}

fn etag(export: &Export) -> String {
    format!("\"{}\"", export.new.sha256)
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn describe(answer: &mut Answer, export: &Export, length: u64) {
    let kind = match export.new.format.as_str() {
        "zip" => "application/zip",
        "tar.gz" => "application/gzip",
        "tar.zst" => "application/zstd",
        "file" => "application/octet-stream",
        _ => "application/x-tar",
    };
    // The file name is ours: letters, digits, dots, dashes and underscores.
    let disposition = format!("attachment; filename=\"{}\"", export.new.file_name);
    set(answer, header::CONTENT_LENGTH, length.to_string());
    set(answer, header::CONTENT_TYPE, kind.to_owned());
    set(answer, header::CONTENT_DISPOSITION, disposition);
    set(answer, header::ETAG, etag(export));
    set(answer, header::ACCEPT_RANGES, "bytes".to_owned());
    set(answer, header::CACHE_CONTROL, "no-store".to_owned());
    // A proxy that reads ahead would make half a download look like a whole one.
    set(
        answer,
        header::HeaderName::from_static("x-accel-buffering"),
        "no".to_owned(),
    );
    set(answer, header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned());
}

fn set(answer: &mut Answer, name: header::HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        answer.headers_mut().insert(name, value);
    }
}
