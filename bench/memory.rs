//! Peak memory of the worker during one 10 GiB file and during 1,000,000 small files.

use std::fs;

use crate::{Scale, product::Product, report::Report, support::sshd::Sshd, tree};

const FILE: u64 = 10 << 30;
const FILES: u64 = 1_000_000;
const SMALL: u64 = 64;
const LIMIT_MIB: f64 = 128.0;
/// The larger may exceed the smaller by this factor.
const SPREAD: f64 = 1.2;

pub async fn measure(scale: &Scale, report: &mut Report) {
    eprintln!("memory");
    let server = Sshd::start();
    let large = server.home().join("large");
    fs::create_dir(&large).expect("a directory");
    tree::file(&large.join("one"), scale.of(FILE), false, 1);
    let one = peak(&server, "large").await;
    fs::remove_dir_all(large).expect("our own files");

    let small = server.home().join("small");
    tree::small_files(&small, scale.of(FILES), SMALL);
    let many = peak(&server, "small").await;

    report.at_most("peak memory of the worker, one 10 GiB file, in MiB", one, LIMIT_MIB);
    report.at_most("peak memory of the worker, 1,000,000 files, in MiB", many, LIMIT_MIB);
    report.at_most("the larger over the smaller", one.max(many) / one.min(many), SPREAD);
}

/// MiB, of a worker that did nothing else.
async fn peak(server: &Sshd, directory: &str) -> f64 {
    let product = Product::start().await;
    let path = format!("{}/{directory}", server.home_seen());
    let source = product.source("ssh", server, &path).await;
    let (_, taken) = product.backup(&source).await;
    eprintln!("  {directory}: {:.1} s", taken.as_secs_f64());
    product.worker_peak_mib()
}
