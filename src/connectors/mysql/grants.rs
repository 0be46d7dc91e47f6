//! What a login may do, read from `SHOW GRANTS`, and what it lacks for a whole dump.
//!
//! A login without the right to see triggers, routines or some tables gets a dump without them and no error.
//! So the rights are checked before: what is not provably allowed counts as missing.
//!
//! Of several patterns that match a database, the server looks at the most exact one of an account only. So a
//! right is missing although a wider pattern gives it, and a new, more exact pattern would take all others away.

use super::server::{Flavour, Server};

/// Needed on each database.
const PER_DATABASE: &[&str] = &["SELECT", "SHOW VIEW", "TRIGGER", "EVENT"];

/// What a login may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Grants {
    rules: Vec<Rule>,
}

/// One line: rights on a place, given or (MySQL's partial revokes) taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    gives: bool,
    rights: Vec<String>,
    /// A pattern as in LIKE; `None`: everywhere.
    database: Option<String>,
    table: Option<String>,
    /// Account or role that the line is about.
    whose: String,
}

impl Grants {
    /// Reads the lines that the server shows. What is no grant on tables (roles, proxies, routines) is left out.
    pub(super) fn read(lines: &[String]) -> Self {
        Self {
            rules: lines.iter().filter_map(|line| rule(line)).collect(),
        }
    }

    /// True if `right` is held on the whole of `database`; `None`: everywhere.
    pub(super) fn covers(&self, right: &str, database: Option<&str>) -> bool {
        let everywhere = |rule: &Rule| rule.gives(right) && rule.is_on_everything();
        let held = self.rules.iter().any(everywhere)
            || database.is_some_and(|name| self.deciding(name).iter().any(|rule| rule.gives(right)));
        let taken = |rule: &Rule| !rule.gives && rule.names(right) && database.is_none_or(|name| rule.reaches(name));
        held && !self.rules.iter().any(taken)
    }

    /// For each account or role, the rules with the most exact pattern that matches `database`.
    fn deciding(&self, database: &str) -> Vec<&Rule> {
        let matching = || self.rules.iter().filter(|rule| rule.gives && rule.reaches(database));
        let decides = |rule: &&Rule| {
            let others = matching().filter(|other| other.whose == rule.whose);
            others.map(Rule::exactness).max() == Some(rule.exactness())
        };
        matching().filter(decides).collect()
    }

    /// Where to grant more on `database` so that nothing else is lost: the pattern that decides already.
    fn place_for(&self, database: &str, account: &str) -> String {
        let of_account = |rule: &&&Rule| rule.whose == account;
        let deciding = self.deciding(database);
        match deciding
            .iter()
            .find(of_account)
            .and_then(|rule| rule.database.as_deref())
        {
            Some(pattern) => format!("`{}`", pattern.replace('`', "``")),
            None => identifier(database),
        }
    }

    fn covers_table(&self, right: &str, database: &str, table: &str) -> bool {
        let exact = |rule: &Rule| {
            rule.gives(right) && rule.table.as_deref() == Some(table) && rule.database.as_deref() == Some(database)
        };
        self.covers(right, Some(database)) || self.rules.iter().any(exact)
    }
}

impl Server {
    /// True if the login holds a right on the whole of a database.
    pub(super) fn may(&self, right: &str, database: &str) -> bool {
        self.grants.covers(right, Some(database))
    }

    /// The statement that gives the login these rights on a database.
    pub(super) fn grant(&self, rights: &[&str], database: &str) -> String {
        let place = self.grants.place_for(database, &self.account);
        format!(
            "GRANT {} ON {place}.* TO {};",
            rights.join(", "),
            account(&self.account)
        )
    }

    /// The statements that give the login what a dump of these databases needs and it does not have.
    pub(super) fn missing_grants<'a>(&self, databases: impl Iterator<Item = &'a str>) -> Vec<String> {
        let mut missing = Vec::new();
        let to = account(&self.account);
        let routines = self.lacks_routines();
        for database in databases {
            let lacks = |right: &&&str| !self.grants.covers(right, Some(database));
            let mut rights: Vec<&str> = PER_DATABASE.iter().filter(lacks).copied().collect();
            if routines && self.has_show_create_routine() && !self.grants.covers("SHOW CREATE ROUTINE", Some(database))
            {
                rights.push("SHOW CREATE ROUTINE");
            }
            if !rights.is_empty() {
                missing.push(self.grant(&rights, database));
            }
        }
        if routines && !self.has_show_create_routine() {
            missing.push(match self.flavour {
                Flavour::Mariadb => format!("GRANT SELECT ON `mysql`.`proc` TO {to};"),
                Flavour::Mysql => format!("GRANT SHOW_ROUTINE ON *.* TO {to};"),
            });
        }
        missing
    }

    /// True if the text of routines that belong to others may not be read everywhere.
    fn lacks_routines(&self) -> bool {
        match self.flavour {
            Flavour::Mariadb => !self.grants.covers_table("SELECT", "mysql", "proc"),
            Flavour::Mysql => !self.grants.covers("SHOW_ROUTINE", None) && !self.grants.covers("SELECT", None),
        }
    }

    /// MariaDB 11.3 has a right of its own for it.
    fn has_show_create_routine(&self) -> bool {
        let mut parts = self.version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        self.flavour == Flavour::Mariadb && version >= (11, 3)
    }
}

impl Rule {
    fn names(&self, right: &str) -> bool {
        self.rights.iter().any(|held| held == right || held == "ALL PRIVILEGES")
    }

    fn gives(&self, right: &str) -> bool {
        self.gives && self.names(right)
    }

    fn is_on_everything(&self) -> bool {
        self.database.is_none() && self.table.is_none()
    }

    /// True if it is about the whole of a database, and of this one.
    fn reaches(&self, database: &str) -> bool {
        self.table.is_none() && self.database.as_ref().is_some_and(|pattern| like(pattern, database))
    }

    /// How exact its pattern is, as the server counts: by what stands before the first wildcard.
    fn exactness(&self) -> usize {
        let pattern = self.database.as_deref().unwrap_or_default();
        let mut escaped = false;
        let wildcard = |&(_, c): &(usize, char)| {
            let wild = !escaped && matches!(c, '_' | '%');
            escaped = !escaped && c == '\\';
            wild
        };
        pattern.char_indices().find(wildcard).map_or(usize::MAX, |(i, _)| i)
    }
}

/// `GRANT SELECT, UPDATE (a, b) ON `shop`.* TO …`
fn rule(line: &str) -> Option<Rule> {
    let (gives, rest) = match line.strip_prefix("GRANT ") {
        Some(rest) => (true, rest),
        None => (false, line.strip_prefix("REVOKE ")?),
    };
    let (rights, place) = rest.split_once(" ON ")?;
    let (database, rest) = part(place)?;
    let (table, rest) = part(rest.strip_prefix('.')?)?;
    let rest = rest.strip_prefix(" TO ").or_else(|| rest.strip_prefix(" FROM "))?;
    Some(Rule {
        whose: grantee(rest)?,
        gives,
        rights: rights_of(rights),
        database,
        table,
    })
}

/// `dump@%` of `` `dump`@`%` … ``; a role may stand there without a host.
fn grantee(text: &str) -> Option<String> {
    let (user, rest) = part(text)?;
    let user = user.unwrap_or_default();
    match rest.strip_prefix('@') {
        Some(rest) => Some(format!("{user}@{}", part(rest)?.0.unwrap_or_default())),
        None => Some(user),
    }
}

/// `*` or an identifier, and what follows it.
fn part(text: &str) -> Option<(Option<String>, &str)> {
    if let Some(rest) = text.strip_prefix('*') {
        return Some((None, rest));
    }
    let text = text.strip_prefix('`')?;
    let mut name = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('`')?;
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('`') {
            Some(more) => {
                name.push('`');
                rest = more;
            }
            None => return Some((Some(name), rest)),
        }
    }
}

/// Rights on whole tables; those on some columns do not help.
fn rights_of(list: &str) -> Vec<String> {
    let mut depth = 0_u32;
    let mut rights = vec![String::new()];
    for c in list.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                rights.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = rights.last_mut() {
            last.push(c);
        }
    }
    let whole = rights
        .iter()
        .map(|right| right.trim())
        .filter(|right| !right.contains('('));
    whole.map(str::to_owned).collect()
}

/// A pattern of a grant: `_` and `%` are wildcards unless a backslash stands before them.
fn like(pattern: &str, name: &str) -> bool {
    let mut chars = pattern.chars();
    match chars.next() {
        None => name.is_empty(),
        Some('%') => {
            let rest = chars.as_str();
            let mut ends = name.char_indices().map(|(i, _)| i).chain([name.len()]);
            ends.any(|i| like(rest, &name[i..]))
        }
        Some(c) => {
            let (wanted, rest) = match (c, chars.clone().next()) {
                ('_', _) => (None, chars.as_str()),
                ('\\', Some(escaped)) => (Some(escaped), &chars.as_str()[escaped.len_utf8()..]),
                (c, _) => (Some(c), chars.as_str()),
            };
            let mut name = name.chars();
            match name.next() {
                Some(found) if wanted.is_none_or(|wanted| wanted == found) => like(rest, name.as_str()),
                _ => false,
            }
        }
    }
}

/// `'dump'@'%'` of `dump@%`.
pub(super) fn account(current_user: &str) -> String {
    let (user, host) = current_user.rsplit_once('@').unwrap_or((current_user, "%"));
    let quoted = |part: &str| format!("'{}'", part.replace('\'', "''"));
    format!("{}@{}", quoted(user), quoted(host))
}

/// A name between backticks. In a grant, wildcards in the name of a database must be escaped.
fn identifier(database: &str) -> String {
    let escaped = database.replace('`', "``").replace('_', r"\_").replace('%', r"\%");
    format!("`{escaped}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(version: &str, lines: &[&str]) -> Server {
        let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        Server {
            flavour: Flavour::of(version),
            version: version.into(),
            account: "dump@10.0.0.%".into(),
            grants: Grants::read(&lines),
        }
    }

    fn missing(version: &str, lines: &[&str], database: &str) -> Vec<String> {
        server(version, lines).missing_grants([database].into_iter())
    }

    const MARIADB: &str = "10.11.19-MariaDB-0+deb12u1";

    #[test]
    fn what_the_documentation_grants_is_enough() {
        let usage = "GRANT USAGE ON *.* TO `dump`@`%` IDENTIFIED BY PASSWORD '*14E6'";
        let shop = "GRANT SELECT, SHOW VIEW, EVENT, TRIGGER ON `shop`.* TO `dump`@`%`";
        let proc = "GRANT SELECT ON `mysql`.`proc` TO `dump`@`%`";
        assert_eq!(missing(MARIADB, &[usage, shop, proc], "shop"), Vec::<String>::new());
        assert_eq!(
            missing(MARIADB, &[usage, shop], "shop"),
            ["GRANT SELECT ON `mysql`.`proc` TO 'dump'@'10.0.0.%';"]
        );
        assert_eq!(
            missing(MARIADB, &[usage, shop, proc], "shop_2"),
            [r"GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `shop\_2`.* TO 'dump'@'10.0.0.%';"]
        );
        let mysql = "GRANT SHOW_ROUTINE ON *.* TO `dump`@`%`";
        assert_eq!(missing("9.1.0", &[usage, shop, mysql], "shop"), Vec::<String>::new());
        assert_eq!(
            missing("8.0.40", &[usage, shop], "shop"),
            ["GRANT SHOW_ROUTINE ON *.* TO 'dump'@'10.0.0.%';"]
        );
        assert_eq!(
            missing("11.4.2-MariaDB", &[usage, shop], "shop"),
            ["GRANT SHOW CREATE ROUTINE ON `shop`.* TO 'dump'@'10.0.0.%';"]
        );
    }

    #[test]
    fn everything_is_enough_unless_it_is_taken_back() {
        let all = "GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION";
        let proxy = "GRANT PROXY ON ''@'%' TO 'root'@'localhost' WITH GRANT OPTION";
        assert_eq!(missing(MARIADB, &[all, proxy], "a`b"), Vec::<String>::new());
        let revoked = "REVOKE SELECT ON `a``b`.* FROM `root`@`localhost`";
        let told = missing("8.4.0", &[all, revoked], "a`b");
        assert_eq!(told, ["GRANT SELECT ON `a``b`.* TO 'dump'@'10.0.0.%';"]);
    }

    #[test]
    fn rights_on_parts_are_not_rights_on_the_whole() {
        let column = "GRANT SELECT (a, b), SHOW VIEW, TRIGGER, EVENT ON `shop`.* TO `x`@`%`";
        let table = "GRANT SELECT ON `shop`.`items` TO `x`@`%`";
        let proc = "GRANT SELECT ON `mysql`.* TO `x`@`%`";
        assert_eq!(
            missing(MARIADB, &[column, table, proc], "shop"),
            ["GRANT SELECT ON `shop`.* TO 'dump'@'10.0.0.%';"]
        );
    }

    #[test]
    fn the_most_exact_pattern_decides_and_is_the_one_to_grant_on() {
        let wide = "GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `shop%`.* TO `dump`@`10.0.0.%`";
        let exact = r"GRANT SELECT ON `shop\_1`.* TO `dump`@`10.0.0.%`";
        let proc = "GRANT SELECT ON `mysql`.`proc` TO `dump`@`10.0.0.%`";
        assert_eq!(missing(MARIADB, &[wide, proc], "shop_1"), Vec::<String>::new());
        assert_eq!(
            missing(MARIADB, &[wide, exact, proc], "shop_1"),
            [r"GRANT SHOW VIEW, TRIGGER, EVENT ON `shop\_1`.* TO 'dump'@'10.0.0.%';"]
        );
        let partly = wide.replace(", EVENT", "");
        assert_eq!(
            missing(MARIADB, &[&partly, proc], "shop_1"),
            ["GRANT EVENT ON `shop%`.* TO 'dump'@'10.0.0.%';"]
        );
        // What a role has comes on top.
        let role = r"GRANT SHOW VIEW, TRIGGER, EVENT ON `shop\_1`.* TO `backup`";
        assert_eq!(
            missing(MARIADB, &[wide, exact, role, proc], "shop_1"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn patterns_match_as_the_server_matches_them() {
        assert!(like("shop%", "shop_1") && like(r"shop\_1", "shop_1") && like("a_c", "abc") && like("%", ""));
        assert!(!like(r"shop\_1", "shopx1") && !like("a_c", "ac") && !like("shop", "shop1"));
    }
}
