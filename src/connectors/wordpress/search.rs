//! Directories of a server that look like document roots of WordPress sites: a bounded look at the usual places.

use std::time::Duration;

use super::remote::Remote;
use crate::{
    connectors::program::Limits,
    domain::{error_code::ErrorCode, job::JobError},
};

/// A directory with WordPress in it and a configuration, or that of a project around it. `wp-load.php` is WordPress
/// itself; a configuration one level up belongs to the directory above if that is one that a web server shows.
const SEARCH: &str = r#"find "$HOME" /var/www /srv /usr/share/nginx /usr/local/www /opt -maxdepth 6 \
  \( -name node_modules -o -name vendor -o -name .git -o -name uploads -o -name cache -o -name wp-includes -o -name wp-admin \) -prune \
  -o -name wp-load.php -type f -print 2>/dev/null | head -n 200 | while IFS= read -r f; do
  d=${f%/*}; p=${d%/*}
  if [ -e "$d/wp-config.php" ]; then printf '%s\n' "$d"
  elif [ -e "$p/wp-config.php" ] && [ ! -e "$p/wp-settings.php" ]; then
    if [ -e "$p/index.php" ]; then printf '%s\n' "$p"; else printf '%s\n' "$d"; fi
  fi; done"#;

const LIMITS: Limits = Limits {
    bytes: 256 * 1024,
    time: Duration::from_secs(20),
};

/// Most that are shown.
const MAX: usize = 50;

/// The sites that were found; none if looking took too long.
///
/// # Errors
/// Those of a lost connection.
pub(super) async fn document_roots(remote: &Remote<'_>) -> Result<Vec<String>, JobError> {
    let answer = match remote.script(SEARCH, &[], LIMITS).await {
        Ok(answer) => answer,
        Err(_) if !remote.session().is_lost().await => return Ok(Vec::new()),
        Err(error) if error.code == ErrorCode::Cancelled => return Err(error),
        Err(_) => return Err(remote.session().interruption()),
    };
    let text = String::from_utf8_lossy(&answer);
    let mut roots: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with('/'))
        .map(str::to_owned)
        .collect();
    roots.sort();
    roots.dedup();
    roots.truncate(MAX);
    Ok(roots)
}
