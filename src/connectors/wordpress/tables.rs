//! Which tables of a database belong to a site, and what the site says of itself in them.

use tokio_util::sync::CancellationToken;

use super::settings::Settings;
use crate::{
    connectors::mysql::{Access, Owned},
    domain::job::JobError,
};

/// Of a site's own options.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    pub(super) home: Option<String>,
    pub(super) siteurl: Option<String>,
    /// Where uploads are, if the site says so there.
    pub(super) upload_path: Option<String>,
    /// How many sites a network has.
    pub(super) sites: u64,
}

/// The tables of a database that are a site's, and those that are not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Division {
    pub(super) ours: Vec<String>,
    pub(super) others: Vec<String>,
}

impl Division {
    /// Everything that begins with the prefix is the site's: its own tables, those of each site of a network
    /// (`{prefix}2_posts`), those that the network shares (`{prefix}blogs`), and those of plugins. So are the tables
    /// for users that several sites may share.
    pub(super) fn of<'a>(tables: impl Iterator<Item = &'a str>, prefix: &str, shared: &[String]) -> Self {
        // Some servers keep all names of tables in lower case.
        let prefix = prefix.to_ascii_lowercase();
        let is_ours = |table: &&str| {
            let shared = shared.iter().any(|name| name.eq_ignore_ascii_case(table));
            shared || table.to_ascii_lowercase().starts_with(&prefix)
        };
        let (ours, others): (Vec<_>, Vec<_>) = tables.partition(is_ours);
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        Self {
            ours: owned(ours),
            others: owned(others),
        }
    }

    /// The table of this name, as the server writes it.
    pub(super) fn find(&self, name: &str) -> Option<&str> {
        let exact = self.ours.iter().find(|table| *table == name);
        let found = exact.or_else(|| self.ours.iter().find(|table| table.eq_ignore_ascii_case(name)));
        found.map(String::as_str)
    }
}

/// Reads the site's options; `table` is where they are.
pub(super) async fn options(
    access: &Access,
    owned: &Owned,
    division: &Division,
    settings: &Settings,
    table: &str,
    cancel: &CancellationToken,
) -> Result<Options, JobError> {
    let place = |table: &str| {
        let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
        format!("{}.{}", quoted(owned.name()), quoted(table))
    };
    let mut sql = format!(
        "SELECT option_name, LEFT(option_value, 2000) FROM {} WHERE option_name IN ('home', 'siteurl', 'upload_path');",
        place(table)
    );
    if let Some(blogs) = division
        .find(&format!("{}blogs", settings.prefix))
        .filter(|_| settings.multisite)
    {
        sql += &format!("\nSELECT 'sites', COUNT(*) FROM {};", place(blogs));
    }
    let mut options = Options {
        sites: 1,
        ..Options::default()
    };
    for row in access.query(&sql, cancel).await? {
        let [name, value] = row.try_into().unwrap_or_default();
        let value = Some(value).filter(|value| !value.is_empty());
        match name.as_str() {
            "home" => options.home = value,
            "siteurl" => options.siteurl = value,
            "upload_path" => options.upload_path = value,
            "sites" => options.sites = value.and_then(|count| count.parse().ok()).unwrap_or(1),
            _ => {}
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sites_tables_are_told_by_its_prefix() {
        let tables = [
            "wp_posts",
            "WP_options",
            "wp_2_posts",
            "wp_blogs",
            "other_posts",
            "people",
            "wpx",
        ];
        let division = Division::of(tables.into_iter(), "wp_", &["People".into()]);
        assert_eq!(
            division.ours,
            ["wp_posts", "WP_options", "wp_2_posts", "wp_blogs", "people"]
        );
        assert_eq!(division.others, ["other_posts", "wpx"]);
        assert_eq!(division.find("wp_options"), Some("WP_options"));
        assert!(Division::of(tables.into_iter(), "", &[]).others.is_empty());
    }
}
