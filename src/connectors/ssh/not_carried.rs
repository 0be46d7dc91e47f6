//! What a transport cannot carry, in sentences for the probe's result and the manifest.

use super::remote_tar::TarFlavour;

/// Over SFTP version 3.
pub fn by_sftp() -> Vec<String> {
    sentences(&[
        "Hard links: SFTP does not tell them apart, so each name is stored as a file of its own.",
        "Extended attributes, ACLs and capabilities.",
        "Fractions of a second in modification times.",
        "Holes in sparse files: they are stored as zeros.",
    ])
}

/// Over the remote tar of this kind.
pub fn by_tar(flavour: TarFlavour) -> Vec<String> {
    match flavour {
        TarFlavour::Gnu | TarFlavour::Bsd => Vec::new(),
        TarFlavour::Busybox => sentences(&[
            "Extended attributes, ACLs and capabilities: busybox tar does not know them.",
            "Fractions of a second in modification times.",
            "Holes in sparse files: they are stored as zeros.",
        ]),
    }
}

/// Over any transport: what the account or the moment keeps from us.
pub fn by_account(user: &str) -> Vec<String> {
    let mut all = Vec::new();
    if user != "root" {
        all.push(format!(
            "Files that {user} may not read; such a backup is marked partial and lists them."
        ));
    }
    all.extend(sentences(&[
        "FIFOs, sockets and devices: they are skipped and counted.",
        "A consistent state of files that are written meanwhile, such as those of a running database: dump \
         databases to files first.",
    ]));
    all
}

fn sentences(all: &[&str]) -> Vec<String> {
    all.iter().map(|&sentence| sentence.to_owned()).collect()
}
