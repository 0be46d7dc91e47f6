//! Who runs PostgreSQL: it refuses to run as root, so root hands it to an unprivileged account.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use anyhow::{Context, bail};

/// Accounts tried in this order; the first is what Debian's package makes.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// `CAP_DAC_OVERRIDE` and `CAP_DAC_READ_SEARCH` as `setpriv` names them, with their bits. The second
/// is the smaller right and goes first; containers usually hold only the other one.
const PASS_DIRECTORIES: [(&str, u32); 2] = [("dac_read_search", 2), ("dac_override", 1)];

/// A system account that PostgreSQL runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Numeric user.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
}

impl Account {
    /// The account to use: none unless we are root. The owner of an existing cluster wins, so that
    /// it can be opened again after a package was installed or removed.
    pub fn choose(cluster: &Path) -> anyhow::Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        if let Ok(existing) = fs::metadata(cluster).as_ref().map(|m| (m.uid(), m.gid()))
            && existing.0 != 0
        {
            let (uid, gid) = existing;
            return Ok(Some(Self { uid, gid }));
        }
        let passwd = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
        match CANDIDATES.iter().find_map(|name| lookup(&passwd, name)) {
            Some(account) => Ok(Some(account)),
            None => bail!("PostgreSQL cannot run as root, and there is no account {CANDIDATES:?} to run it as"),
        }
    }

    /// The capability this account needs to reach `directory`, if a parent is closed to it (as
    /// `/root` is); `Ok(None)` if it needs none.
    pub fn capability_to_reach(&self, directory: &Path) -> anyhow::Result<Option<&'static str>> {
        let Some(closed) = directory.ancestors().skip(1).find(|parent| !self.may_pass(parent)) else {
            return Ok(None);
        };
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        match PASS_DIRECTORIES.iter().find(|(_, bit)| holds(&status, *bit)) {
            Some((name, _)) => Ok(Some(name)),
            None => bail!(
                "user {} cannot enter {}: choose a directory that it can reach with --data-dir",
                self.uid,
                closed.display()
            ),
        }
    }

    fn may_pass(&self, directory: &Path) -> bool {
        fs::metadata(directory).is_ok_and(|m| {
            let bit = match (m.uid() == self.uid, m.gid() == self.gid) {
                (true, _) => 0o100,
                (false, true) => 0o010,
                (false, false) => 0o001,
            };
            m.mode() & bit != 0
        })
    }
}

fn lookup(passwd: &str, name: &str) -> Option<Account> {
    let fields: Vec<_> = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&name))?;
    Some(Account {
        uid: fields.get(2)?.parse().ok()?,
        gid: fields.get(3)?.parse().ok()?,
    })
}

fn holds(status: &str, bit: u32) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & (1 << bit) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read_from_passwd() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\npostgres:x:101:104:PostgreSQL:/var/lib/postgresql:/bin/bash\n";
        assert_eq!(lookup(passwd, "postgres"), Some(Account { uid: 101, gid: 104 }));
        assert_eq!(lookup(passwd, "nobody"), None);
    }

    #[test]
    fn capabilities_are_read_from_the_mask() {
        let status = "Name:\tx\nCapEff:\t0000000000000004\n";
        assert!(holds(status, 2));
        assert!(!holds(status, 1));
    }
}
