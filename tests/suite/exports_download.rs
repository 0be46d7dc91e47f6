//! Restores and their links: the same files come back, once.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
};

use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::support::{
    eventually::{SOON, eventually},
    http::client,
    scratch::temp_dir,
    site::{Site, names_at_depth},
    tree::{self, Carried},
};

/// Content that does not compress, longer than any buffer on the way.
fn noise(length: u32) -> Vec<u8> {
    (0..length)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect()
}

/// A site with one snapshot of a file of this length.
async fn site_with(length: u32) -> (Site, String) {
    let site = Site::start().await;
    fs::write(site.sshd.home().join("noise"), noise(length)).unwrap();
    let snapshot = site.snapshot().await;
    (site, snapshot)
}

/// An export of everything as plain tar: its link, length and hash.
async fn export(site: &Site, snapshot: &str) -> (String, u64, String) {
    let job = site.restore(snapshot, json!({"format": "tar"})).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    let text = |name: &str| {
        job["result"][name]
            .as_str()
            .unwrap_or_else(|| panic!("{name}: {job}"))
            .to_owned()
    };
    (
        text("download_url"),
        job["result"]["bytes"].as_u64().unwrap(),
        text("sha256"),
    )
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn status(url: &str) -> StatusCode {
    client().get(url).send().await.unwrap().status()
}

fn exports_of(site: &Site) -> Vec<String> {
    names_at_depth(&site.stack.worker.directories.data().join("exports"), 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_files_come_back_in_every_format() {
    let site = Site::start().await;
    let home = site.sshd.home();
    tree::build(&home);
    let snapshot = site.snapshot().await;
    for (format, unpack) in [("tar", "tar xf"), ("tar.zst", "tar --zstd -xf"), ("tar.gz", "tar xzf")] {
        let job = site.restore(&snapshot, json!({"format": format})).await;
        let url = job["result"]["download_url"]
            .as_str()
            .unwrap_or_else(|| panic!("{job}"));
        let bytes = client().get(url).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(job["result"]["sha256"], sha256(&bytes));
        let out = temp_dir("out");
        let archive = out.path().join("archive");
        fs::write(&archive, &bytes).unwrap();
        let (program, flags) = unpack.split_once(' ').unwrap();
        let unpacked = Command::new(program)
            .args(flags.split(' '))
            .arg(&archive)
            .args(["--numeric-owner", "-p", "-C"])
            .arg(out.path())
            .status()
            .unwrap();
        assert!(unpacked.success(), "{format}");
        let restored = out.path().join(home.strip_prefix("/").unwrap());
        assert_same(&home, &restored);
    }
}

fn assert_same(left: &Path, right: &Path) {
    tree::assert_same(&tree::read(left), &tree::read(right), Carried::Sftp);
}

#[tokio::test(flavor = "multi_thread")]
async fn chosen_paths_come_alone_and_wrong_ones_are_told() {
    let site = Site::start().await;
    let home = site.sshd.home();
    fs::create_dir(home.join("keep")).unwrap();
    fs::write(home.join("keep/a"), "a").unwrap();
    fs::write(home.join("other"), "b").unwrap();
    let snapshot = site.snapshot().await;
    let inside = |name: &str| format!("{}/{name}", home.strip_prefix("/").unwrap().display());
    let job = site
        .restore(&snapshot, json!({"format": "zip", "paths": [inside("keep")]}))
        .await;
    assert_eq!(job["state"], "succeeded", "{job}");
    let url = job["result"]["download_url"].as_str().unwrap();
    let bytes = client().get(url).send().await.unwrap().bytes().await.unwrap();
    let mut names: Vec<String> = zip::ZipArchive::new(std::io::Cursor::new(bytes))
        .unwrap()
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .collect();
    names.retain(|name| !name.ends_with('/'));
    assert_eq!(names, [inside("keep/a")]);

    let job = site
        .restore(&snapshot, json!({"format": "tar", "paths": [inside("nowhere")]}))
        .await;
    assert_eq!(job["error"]["code"], "path_not_found", "{job}");
    assert!(job["result"]["download_url"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_comes_as_it_is_under_its_own_name() {
    let (site, snapshot) = site_with(100_000).await;
    fs::write(site.sshd.home().join("empty"), "").unwrap();
    let inside = |name: &str| format!("{}/{name}", site.sshd.home().strip_prefix("/").unwrap().display());
    let order = json!({"format": "file", "paths": [inside("noise")]});
    let job = site.restore(&snapshot, order).await;
    let url = job["result"]["download_url"]
        .as_str()
        .unwrap_or_else(|| panic!("{job}"));
    let answer = client().get(url).send().await.unwrap();
    let disposition = answer.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert!(disposition.ends_with("-noise\""), "{disposition}");
    assert_eq!(answer.headers()["content-type"], "application/octet-stream");
    assert_eq!(answer.bytes().await.unwrap(), noise(100_000));

    let snapshot = site.snapshot().await;
    let order = json!({"format": "file", "paths": [inside("empty")]});
    let job = site.restore(&snapshot, order).await;
    assert_eq!(job["error"]["code"], "export_limit", "{job}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_works_for_one_complete_download() {
    let (site, snapshot) = site_with(500_000).await;
    let (url, length, hash) = export(&site, &snapshot).await;
    let head = client().head(&url).send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["content-length"], length.to_string());
    assert_eq!(head.headers()["x-content-type-options"], "nosniff");
    assert_eq!(head.headers()["cache-control"], "no-store");
    assert!(
        head.headers()["content-disposition"]
            .to_str()
            .unwrap()
            .starts_with("attachment; filename=\"xvault-")
    );

    let bytes = client().get(&url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!((bytes.len() as u64, sha256(&bytes)), (length, hash));
    assert_eq!(status(&url).await, 410);
    eventually("the file is gone", SOON, async || exports_of(&site).is_empty()).await;
    assert_eq!(status(&url).await, 410);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_its_token_and_the_file_is_sealed() {
    let (site, snapshot) = site_with(100_000).await;
    let (url, ..) = export(&site, &snapshot).await;
    let wrong = format!("{}A", &url[..url.len() - 1]);
    let other = format!("{}B", &url[..url.len() - 1]);
    let wrong = if wrong == url { other } else { wrong };
    assert_eq!(status(&wrong).await, 404);
    assert_eq!(status(&url.replace("/exp_", "/exp_0")).await, 404);
    assert_eq!(status(&url.replace("/exp_", "/..%2f")).await, 404);

    let file = site
        .stack
        .worker
        .directories
        .data()
        .join("exports")
        .join(&exports_of(&site)[0]);
    let sealed = fs::read(file).unwrap();
    assert!(sealed.starts_with(b"age-encryption.org/v1"));
    let needle = &noise(100_000)[1000..1064];
    assert!(!sealed.windows(needle.len()).any(|window| window == needle));
    assert_eq!(status(&url).await, 200, "looking did not use it up");
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_honoured_and_pieces_add_up() {
    let (site, snapshot) = site_with(300_000).await;
    let (url, length, hash) = export(&site, &snapshot).await;
    let part = async |range: &str| client().get(&url).header("range", range).send().await.unwrap();

    let tail = part("bytes=-100").await;
    assert_eq!(tail.status(), 206);
    assert_eq!(
        tail.headers()["content-range"],
        format!("bytes {}-{}/{length}", length - 100, length - 1)
    );
    let tail = tail.bytes().await.unwrap();
    assert_eq!(tail.len(), 100);
    let beyond = part(&format!("bytes={length}-")).await;
    assert_eq!(beyond.status(), 416);
    assert_eq!(beyond.headers()["content-range"], format!("bytes */{length}"));

    let mut whole = part("bytes=0-149999").await.bytes().await.unwrap().to_vec();
    assert_eq!(
        status_of(part("bytes=10-20").await),
        206,
        "the end was sent, but not everything"
    );
    whole.extend(part("bytes=150000-").await.bytes().await.unwrap());
    assert_eq!((whole.len() as u64, sha256(&whole)), (length, hash));
    assert_eq!(&whole[whole.len() - 100..], tail);
    assert_eq!(status(&url).await, 410, "now it was");
}

fn status_of(response: reqwest::Response) -> StatusCode {
    response.status()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_breaks_off_can_be_resumed_or_begun_again() {
    let (site, snapshot) = site_with(200_000).await;
    let (url, length, hash) = export(&site, &snapshot).await;
    // All of it fits into the buffers on the way, so the worker has sent everything each time.
    for _ in 0..3 {
        let url = url.clone();
        tokio::task::spawn_blocking(move || break_off(&url)).await.unwrap();
    }
    let file = temp_dir("curl");
    let file = file.path().join("export");
    let first = client().get(&url).header("range", "bytes=0-999").send().await.unwrap();
    fs::write(&file, first.bytes().await.unwrap()).unwrap();
    let resumed = Command::new("curl")
        .args(["--silent", "--show-error", "--fail", "-C", "-", "-o"])
        .arg(&file)
        .arg(&url)
        .status()
        .expect("curl");
    assert!(resumed.success());
    let bytes = fs::read(&file).unwrap();
    assert_eq!((bytes.len() as u64, sha256(&bytes)), (length, hash));
    eventually("the link is used up", SOON, async || status(&url).await == 410).await;
}

/// Asks for everything, reads a little and goes away.
fn break_off(url: &str) {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    let mut some = [0; 4096];
    stream.read_exact(&mut some).unwrap();
    assert!(
        some.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&some[..60])
    );
    // Unread bytes are in the way of a clean end: the kernel resets the connection.
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_outlive_a_restart_of_the_worker_and_leftovers_do_not() {
    let (mut site, snapshot) = site_with(100_000).await;
    let (url, _, hash) = export(&site, &snapshot).await;
    site.stack.worker.process.kill();
    let exports = site.stack.worker.directories.data().join("exports");
    let stale = ["exp_0123456789abcdef", ".exp_0123456789abcdef.half"];
    for name in stale {
        fs::write(exports.join(name), "left behind").unwrap();
    }
    site.stack.worker.restart().await;
    eventually("leftovers are gone", SOON, async || exports_of(&site).len() == 1).await;
    let bytes = client().get(&url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(sha256(&bytes), hash);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_can_be_browsed_with_its_key_only() {
    let (site, snapshot) = site_with(1000).await;
    let home = site.sshd.home_seen();
    let path = format!(
        "/api/v1/snapshots/{snapshot}/files?path={}",
        home.trim_start_matches('/')
    );
    let page = site.api.get(&path).await.expect(200);
    assert_eq!(page["items"][0]["name"], "noise", "{page}");
    let found = site.api.get(&format!("/api/v1/snapshots/{snapshot}")).await.expect(200);
    let order: Value = json!({
        "key": {
            "tenant_id": site.api.get("/api/v1/me").await.expect(200)["tenant"]["id"],
            "source_id": found["source_id"],
            "snapshot_id": snapshot,
        },
        "index_key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "path": "",
        "limit": 10,
    });
    let url = format!("{}/internal/v1/browse", site.stack.worker.url);
    let answer = client().post(url).json(&order).send().await.unwrap();
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
}
