//! What FTP cannot carry, in sentences for the probe's result and the manifest.

use super::source::FtpSource;

/// For this source, with listings for programs (`mlsd`) or without.
pub fn by_ftp(source: &FtpSource, mlsd: bool) -> Vec<String> {
    let mut all = Vec::new();
    if !source.has_tls() {
        all.push("Secrecy on the way: plain FTP sends the password and every file readable.".to_owned());
    }
    if !mlsd {
        all.push(
            "Exact times of directories: listings of this server name minutes or days, in a zone they do not tell."
                .to_owned(),
        );
    }
    let always = [
        "Hard links: FTP does not tell them apart, so each name is stored as a file of its own.",
        "Extended attributes, ACLs and capabilities; owners where the server names them in words only.",
        "Names with line breaks: FTP has no way to ask for them.",
        "Holes in sparse files: they are stored as zeros.",
        "Files that the account may not read, and those that the server hides; unread ones make a backup partial.",
        "FIFOs, sockets and devices: they are skipped and counted.",
        "A consistent state of files that are written meanwhile, such as those of a running database: dump \
         databases to files first.",
    ];
    all.extend(always.map(str::to_owned));
    all
}

/// How it is read: `ftp` or `ftps`, and which listings there are.
pub fn transport(source: &FtpSource, mlsd: bool) -> String {
    let protocol = if source.has_tls() { "ftps" } else { "ftp" };
    let listings = if mlsd { "mlsd" } else { "list" };
    format!("{protocol}-{listings}")
}
