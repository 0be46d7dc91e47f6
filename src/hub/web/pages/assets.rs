//! Files of `static/`, embedded in the binary. Their addresses hold a hash of their content, so browsers
//! may keep them for ever and never see an old one.

use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

use axum::{
    extract::Path,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

struct Asset {
    url: String,
    etag: String,
    media_type: &'static str,
    body: Cow<'static, [u8]>,
}

static ASSETS: LazyLock<HashMap<String, Asset>> = LazyLock::new(|| {
    let load = |name: Cow<'static, str>| {
        let file = Files::get(&name)?;
        let hash = blake3::hash(&file.data).to_hex();
        let asset = Asset {
            url: format!("/static/{}/{name}", &hash[..12]),
            etag: format!("\"{}\"", &hash[..32]),
            media_type: media_type(&name),
            body: file.data,
        };
        Some((name.into_owned(), asset))
    };
    Files::iter().filter_map(load).collect()
});

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// Address of a file; templates name only files that exist, which a test holds.
pub fn url(name: &str) -> &str {
    ASSETS.get(name).map_or("/static/missing", |asset| &asset.url)
}

/// `GET /static/{hash}/{name}`
pub async fn get(Path((hash, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.get(&name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // A page of another version names another hash: it gets what there is, but must ask again next time.
    let caching = if asset.url.split('/').nth(2) == Some(&hash) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let caching = [(header::ETAG, asset.etag.as_str()), (header::CACHE_CONTROL, caching)];
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|tag| tag.as_bytes() == asset.etag.as_bytes());
    if known {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(header::CONTENT_TYPE, asset.media_type)], asset.body.clone()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_immutable_under_its_hash_only() {
        let url = url("app.css");
        let hash = url.split('/').nth(2).unwrap().to_owned();
        let cached = |response: &Response| response.headers()[header::CACHE_CONTROL].to_str().unwrap().to_owned();

        let right = get(Path((hash, "app.css".into())), HeaderMap::new()).await;
        assert!(cached(&right).contains("immutable"));
        let stale = get(Path(("0".into(), "app.css".into())), HeaderMap::new()).await;
        assert_eq!(cached(&stale), "no-cache");

        let again = HeaderMap::from_iter([(header::IF_NONE_MATCH, right.headers()[header::ETAG].clone())]);
        assert_eq!(
            get(Path(("0".into(), "app.css".into())), again).await.status(),
            StatusCode::NOT_MODIFIED
        );
        let none = get(Path(("0".into(), "../Cargo.toml".into())), HeaderMap::new()).await;
        assert_eq!(none.status(), StatusCode::NOT_FOUND);
    }
}
