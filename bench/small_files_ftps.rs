//! 10,000 files of 4 KiB over FTP with TLS from vsftpd, which wants sessions resumed, against lftp.

use std::fs;

use crate::{
    Scale,
    peers::lftp_mirror,
    product::Product,
    report::{Report, median},
    support::{
        ftpd::{Ftpd, Server},
        scratch::temp_dir,
    },
    tree,
};

const FILES: u64 = 10_000;
const ROUNDS: usize = 3;

pub async fn measure(scale: &Scale, report: &mut Report) {
    eprintln!("small_files_ftps");
    let server = Ftpd::start(Server::Vsftpd);
    let files = scale.of(FILES);
    tree::small_files(server.home(), files, 4096);

    let directory = temp_dir("bench");
    let product = Product::start().await;
    let source = product.ftp_source(&server).await;
    let (mut lftp, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let copy = directory.path().join("copy");
        lftp.push(lftp_mirror(&server, &copy));
        fs::remove_dir_all(&copy).expect("our own copy");
        ours.push(product.backup(&source).await.1);
    }
    #[allow(clippy::cast_precision_loss, reason = "a count far below 2^52")]
    let rate = |times| files as f64 / median(times).as_secs_f64();
    let (lftp, ours) = (rate(lftp), rate(ours));
    report.note(
        "10,000 files of 4 KiB over FTPS, lftp mirror --parallel=4",
        format!("{lftp:.0} files/s"),
    );
    report.note("the same, xVault, kind ftp", format!("{ours:.0} files/s"));
    report.at_least("xVault over lftp", ours / lftp, 2.0);
}
