//! Every variable xVault reads: the table behind error messages, and behind the tests that hold the
//! operations guide and the compose file to it.

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Name in the environment.
    pub name: &'static str,
    /// A value that works, shown in error messages.
    pub example: &'static str,
    /// True if it has no flag, is never printed, and may come from the file that `{name}_FILE` names.
    pub secret: bool,
}

const fn plain(name: &'static str, example: &'static str) -> Variable {
    Variable {
        name,
        example,
        secret: false,
    }
}

const fn secret(name: &'static str, example: &'static str) -> Variable {
    Variable {
        name,
        example,
        secret: true,
    }
}

/// Every variable, sorted by name.
pub const VARIABLES: &[Variable] = &[
    plain("XVAULT_ADMIN_EMAIL", "admin@example.com"),
    secret("XVAULT_ADMIN_PASSWORD", "a-long-passphrase-of-your-own"),
    secret(
        "XVAULT_DATABASE_URL",
        "postgres://xvault:password@127.0.0.1:5432/xvault",
    ),
    plain("XVAULT_DATA_DIR", "/var/lib/xvault"),
    plain("XVAULT_EGRESS_ALLOW", "10.0.0.0/8,fd00::/8"),
    plain("XVAULT_HUB_LISTEN", "127.0.0.1:8080"),
    plain("XVAULT_HUB_URL", "https://backups.example.com"),
    plain("XVAULT_LOG", "info"),
    plain("XVAULT_LOG_FORMAT", "json"),
    secret("XVAULT_MASTER_KEY", "$(openssl rand -base64 32)"),
    secret("XVAULT_METRICS_TOKEN", "$(openssl rand -hex 32)"),
    plain("XVAULT_MIN_FREE", "5GiB"),
    secret("XVAULT_NEW_MASTER_KEY", "$(openssl rand -base64 32)"),
    plain("XVAULT_ORPHAN_GRACE", "24h"),
    plain("XVAULT_SHUTDOWN_GRACE", "30s"),
    plain("XVAULT_STORAGE_DIR", "/var/lib/xvault/backups"),
    plain("XVAULT_TMP_DIR", "/tmp/xvault"),
    plain("XVAULT_VERIFY_SHARE", "3.5%"),
    plain("XVAULT_WORKER_CONCURRENCY", "4"),
    secret("XVAULT_WORKER_DATABASE_PASSWORD", "$(openssl rand -hex 32)"),
    plain("XVAULT_WORKER_ID", "wrk_eu1"),
    plain("XVAULT_WORKER_INTERNAL_URL", "http://worker:8081"),
    plain("XVAULT_WORKER_LISTEN", "127.0.0.1:8081"),
    secret("XVAULT_WORKER_TOKEN", "$(xvault admin worker-token)"),
    plain("XVAULT_WORKER_URL", "https://worker-1.example.com"),
];

/// Looks a variable up by its name; `{name}_FILE` of a secret finds the secret.
pub fn variable(name: &str) -> Option<&'static Variable> {
    let file_of = name.strip_suffix("_FILE");
    VARIABLES
        .iter()
        .find(|v| v.name == name || (v.secret && Some(v.name) == file_of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_free_of_doubles() {
        assert!(VARIABLES.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn only_secrets_have_a_file_form() {
        assert!(variable("XVAULT_MASTER_KEY_FILE").is_some());
        assert!(variable("XVAULT_HUB_LISTEN_FILE").is_none());
    }
}
