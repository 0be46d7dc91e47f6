//! A 2 GiB mixed tree from a loopback sshd, against `ssh tar c | zstd -3 -T2 | age -r … > file`.

use std::fs;

use crate::{
    Scale,
    peers::{Login, age_recipient},
    product::Product,
    report::{Report, median},
    support::{scratch::temp_dir, sshd::Sshd},
    tree,
};

const BYTES: u64 = 2 << 30;
const ROUNDS: usize = 3;

pub async fn measure(scale: &Scale, report: &mut Report) {
    eprintln!("whole_tree");
    let server = Sshd::start();
    tree::mixed(&server.home(), scale.of(BYTES));
    let path = server.home_seen();

    let directory = temp_dir("bench");
    let login = Login::new(&server, directory.path());
    let (recipient, file) = (age_recipient(), directory.path().join("peer.age"));
    let product = Product::start().await;
    let source = product.source("ssh", &server, &path).await;

    // Once for the page cache, which both sides then read from.
    login.tar_zstd_age(&path, &recipient, &file);
    let (mut peer, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        peer.push(login.tar_zstd_age(&path, &recipient, &file));
        let (job, taken) = product.backup(&source).await;
        ours.push(taken);
        fs::remove_dir_all(product.artifact(&job).await).expect("our own artifact");
    }
    let (peer, ours) = (median(peer).as_secs_f64(), median(ours).as_secs_f64());
    report.note("2 GiB mixed tree, ssh tar, zstd -3 -T2, age", format!("{peer:.2} s"));
    report.note("the same, xVault, from request to snapshot", format!("{ours:.2} s"));
    report.at_most("time of xVault over time of the pipe (aim: 0.85)", ours / peer, 1.0);
}
