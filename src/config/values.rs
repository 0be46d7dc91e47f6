//! Readers of single values. Their errors say what is wrong with the value; the variable's name and
//! an example are added by [`super::explain`].

use std::{net::SocketAddr, time::Duration};

use ipnet::IpNet;
use url::Url;

/// Address and port to listen on; the host must be an address, not a name.
pub fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "is not an IP address with a port".to_owned())
}

/// An `http` or `https` URL that others reach us by.
pub(super) fn base_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL ({error})"))?;
    match url.scheme() {
        "http" | "https" if url.host().is_some() => {}
        "http" | "https" => return Err("names no host".to_owned()),
        other => {
            return Err(format!(
                "starts with {other}:// but must start with http:// or https://"
            ));
        }
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must end before any ? or #".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user name or password".to_owned());
    }
    if url.path() != "/" {
        return Err("must not have a path: xVault needs a host name of its own".to_owned());
    }
    Ok(url)
}

/// One network in CIDR form; a bare address is a network of one.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from))
        .map_err(|_| "is not a network in CIDR form".to_owned())
}

/// Bytes: a number, or a number with `KiB`, `MiB`, `GiB` or `TiB`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim() {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return Err("is not a size: a whole number and B, KiB, MiB, GiB or TiB".to_owned()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "is not a size: a whole number and B, KiB, MiB, GiB or TiB".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "is too large".to_owned())
}

/// A length of time: a whole number with `s`, `m` or `h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "is not a length of time: a whole number and s, m or h".to_owned();
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    let seconds = number.checked_mul(unit).ok_or_else(wrong)?;
    Ok(Duration::from_secs(seconds))
}

/// A share in percent, as a fraction: `0%` to `100%`.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let percent = text.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
    match percent {
        Some(percent) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err("is not a share from 0% to 100%".to_owned()),
    }
}

/// How many jobs run at once: 1 to 256.
pub(super) fn concurrency(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=256) => Ok(number),
        _ => Err("is not a number from 1 to 256".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("5GiB"), Ok(5 << 30));
        assert_eq!(size("1024"), Ok(1024));
        for bad in ["", "GiB", "5GB", "-1", "5 parsecs", "99999999999TiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        for bad in ["", "s", "5", "5d", "1.5h", "5ß"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn shares() {
        assert_eq!(share("3.5%"), Ok(0.035));
        assert_eq!(share("0%"), Ok(0.0));
        for bad in ["", "3.5", "%", "-1%", "101%", "NaN%", "inf%"] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn networks() {
        assert_eq!(network(" 10.0.0.0/8").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(network("::1").unwrap().to_string(), "::1/128");
        assert!(network("10.0.0.0/33").is_err());
    }

    #[test]
    fn urls() {
        assert!(base_url("https://backups.example.com").is_ok());
        for bad in [
            "backups.example.com",
            "ftp://a",
            "https://a/b",
            "https://u:p@a",
            "https://a?x",
        ] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
    }
}
