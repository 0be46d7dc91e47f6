//! One 10 KiB file out of a 5 GiB snapshot, against extracting the whole; both with
//! `xvault artifact extract`.

use std::{fs, path::Path, time::Duration};

use crate::{
    Scale,
    peers::timed,
    product::Product,
    report::{Report, median},
    support::{scratch::temp_dir, sshd::Sshd},
    tree,
};

const BYTES: u64 = 5 << 30;
const WANTED: &str = "middle/zz-wanted";
const ROUNDS: usize = 5;

pub async fn measure(scale: &Scale, report: &mut Report) {
    eprintln!("single_file");
    let server = Sshd::start();
    tree::mixed(&server.home(), scale.of(BYTES));
    tree::file(&server.home().join(WANTED), 10 << 10, false, 99);
    let path = server.home_seen();
    let product = Product::start().await;
    let source = product.source("ssh", &server, &path).await;
    let (job, _) = product.backup(&source).await;
    let artifact = product.artifact(&job).await;

    let directory = temp_dir("bench");
    let identity = directory.path().join("identity");
    fs::write(&identity, product.identity().await).expect("an identity file");
    let wanted = format!("{}/{WANTED}", path.trim_start_matches('/'));
    let out = directory.path().join("out");

    let mut one = Vec::new();
    for _ in 0..ROUNDS {
        one.push(extract(&artifact, &identity, &out, Some(&wanted)));
        let original = fs::read(server.home().join(WANTED)).expect("the original");
        assert!(fs::read(out.join(&wanted)).expect("the extracted file") == original);
        fs::remove_dir_all(&out).expect("our own files");
    }
    let whole = extract(&artifact, &identity, &out, None).as_secs_f64();
    let one = median(one).as_secs_f64();
    report.note("5 GiB snapshot, extract all", format!("{whole:.2} s"));
    report.note(
        "the same, extract one file of 10 KiB",
        format!("{:.1} ms", one * 1000.0),
    );
    report.at_least("all over one", whole / one, 50.0);
}

fn extract(artifact: &Path, identity: &Path, out: &Path, path: Option<&str>) -> Duration {
    timed(&format!(
        "{} artifact extract --identity {} --output {} {} {} >/dev/null",
        env!("CARGO_BIN_EXE_xvault"),
        identity.display(),
        out.display(),
        artifact.display(),
        path.unwrap_or("")
    ))
}
