//! 20,000 files of 4 KiB over an SFTP-only account, against `sftp -r` and rclone.

use std::fs;

use crate::{
    Scale,
    peers::Login,
    product::Product,
    report::{Report, median},
    support::{
        scratch::temp_dir,
        sshd::{Login as Kind, Setup, Sshd},
    },
    tree,
};

const FILES: u64 = 20_000;
const ROUNDS: usize = 3;

pub async fn measure(scale: &Scale, report: &mut Report) {
    eprintln!("small_files");
    let server = Sshd::with(Setup {
        login: Kind::SftpOnly,
        ..Setup::default()
    });
    let files = scale.of(FILES);
    tree::small_files(&server.home(), files, 4096);
    let path = server.home_seen();

    let directory = temp_dir("bench");
    let login = Login::new(&server, directory.path());
    let product = Product::start().await;
    let source = product.source("sftp", &server, &path).await;

    let (mut sftp, mut rclone, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let copy = directory.path().join("copy");
        fs::create_dir(&copy).expect("a directory");
        sftp.push(login.sftp(&path, &copy));
        fs::remove_dir_all(&copy).expect("our own copy");
        rclone.push(login.rclone(&path, &copy));
        fs::remove_dir_all(&copy).expect("our own copy");
        ours.push(product.backup(&source).await.1);
    }
    #[allow(clippy::cast_precision_loss, reason = "a count far below 2^52")]
    let rate = |times| files as f64 / median(times).as_secs_f64();
    let (sftp, rclone, ours) = (rate(sftp), rate(rclone), rate(ours));
    report.note("20,000 files of 4 KiB, sftp -r", format!("{sftp:.0} files/s"));
    report.note("the same, rclone, 16 transfers", format!("{rclone:.0} files/s"));
    report.note("the same, xVault, kind sftp", format!("{ours:.0} files/s"));
    report.at_least("xVault over sftp -r", ours / sftp, 5.0);
    report.at_least("xVault over rclone", ours / rclone, 8.0);
}
