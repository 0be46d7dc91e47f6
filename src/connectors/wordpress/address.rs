//! What `DB_HOST` means, read as WordPress and PHP's MySQL client read it.

/// Where a database is, as the site's server sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// Over TCP.
    Tcp(String, u16),
    /// The socket at this path; `None`: PHP's default one.
    Socket(Option<String>),
}

/// MySQL's usual port.
const PORT: u16 = 3306;

impl Address {
    /// Reads `DB_HOST`; `None` where WordPress finds no host either.
    pub(super) fn read(text: &str) -> Option<Self> {
        // What follows `:/` is a socket, whatever stands before it.
        let (host, socket) = match text.find(":/") {
            Some(colon) => (&text[..colon], Some(&text[colon + 1..])),
            None => (text, None),
        };
        let (host, port) = if host.matches(':').count() > 1 {
            six(host)?
        } else {
            let (host, port) = host.split_once(':').unwrap_or((host, ""));
            (host.split('/').next().unwrap_or_default(), port)
        };
        // Without a name, or with this one, PHP's client takes a socket and ignores a port; with any other it takes
        // TCP and ignores a socket.
        if host.is_empty() || host.eq_ignore_ascii_case("localhost") {
            return Some(Self::Socket(socket.map(str::to_owned)));
        }
        let digits: String = port.chars().take_while(char::is_ascii_digit).collect();
        let port = match digits.parse::<u16>() {
            Ok(port @ 1..) => port,
            _ if digits.chars().all(|c| c == '0') => PORT,
            _ => return None,
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        let usable = !host.starts_with('-') && host.chars().all(plain);
        usable.then(|| Self::Tcp(host.to_owned(), port))
    }
}

/// An IPv6 address, in brackets if a port follows.
fn six(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('[').unwrap_or(text);
    let end = text
        .find(|c: char| !c.is_ascii_hexdigit() && c != ':')
        .unwrap_or(text.len());
    let port = text[end..].strip_prefix("]:").unwrap_or_default();
    (end > 0).then(|| (&text[..end], port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_means_what_wordpress_takes_it_for() {
        let tcp = |host: &str, port| Some(Address::Tcp(host.into(), port));
        let socket = |path: Option<&str>| Some(Address::Socket(path.map(str::to_owned)));
        for (text, address) in [
            ("localhost", socket(None)),
            ("LocalHost:3307", socket(None)),
            ("", socket(None)),
            ("localhost:/run/s.sock", socket(Some("/run/s.sock"))),
            (":/run/s.sock", socket(Some("/run/s.sock"))),
            ("127.0.0.1", tcp("127.0.0.1", 3306)),
            ("db.example.com:3307", tcp("db.example.com", 3307)),
            ("db.example.com:3307:/run/s.sock", tcp("db.example.com", 3307)),
            ("db:", tcp("db", 3306)),
            ("::1", tcp("::1", 3306)),
            ("[::1]:3307", tcp("::1", 3307)),
            ("[2001:db8::5]", tcp("2001:db8::5", 3306)),
            ("-x", None),
            ("a b", None),
            ("db:99999", None),
        ] {
            assert_eq!(Address::read(text), address, "{text}");
        }
    }
}
