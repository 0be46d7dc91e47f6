//! The port of a data connection, out of the answers to `EPSV` and `PASV`. The address in the latter is
//! ignored: a server could point us at any other machine.

use super::{error::FtpError, reply::Reply};

/// The port that the server listens on.
///
/// # Errors
/// `Protocol` if the answer names none.
pub fn port(reply: &Reply) -> Result<u16, FtpError> {
    let text = reply.last();
    let port = match reply.code {
        229 => extended(text),
        _ => classic(text),
    };
    port.filter(|port| *port > 0)
        .ok_or_else(|| FtpError::Protocol(format!("no port of a data connection in \"{reply}\"")))
}

/// `Entering Extended Passive Mode (|||6446|)`; the separator may be any character.
fn extended(text: &[u8]) -> Option<u16> {
    let open = text.iter().position(|byte| *byte == b'(')?;
    let inner = &text[open + 1..];
    let separator = *inner.first()?;
    let mut fields = inner.split(|byte| *byte == separator);
    number(fields.nth(3)?)?.try_into().ok()
}

/// `Entering Passive Mode (192,0,2,1,25,46)`; not every server has the brackets.
fn classic(text: &[u8]) -> Option<u16> {
    let digit_or_comma = |byte: &u8| byte.is_ascii_digit() || *byte == b',';
    let lists = text.split(|byte| !digit_or_comma(byte));
    let list = lists
        .into_iter()
        .find(|list| list.split(|byte| *byte == b',').count() == 6)?;
    let numbers: Option<Vec<u32>> = list.split(|byte| *byte == b',').map(number).collect();
    let [.., high @ 0..=255, low @ 0..=255] = numbers?[..] else {
        return None;
    };
    u16::try_from(high * 256 + low).ok()
}

fn number(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port_of(code: u16, text: &str) -> Option<u16> {
        let lines = vec![text.as_bytes().to_vec()];
        port(&Reply { code, lines }).ok()
    }

    #[test]
    fn ports_of_real_servers() {
        assert_eq!(port_of(229, "Entering Extended Passive Mode (|||6446|)"), Some(6446));
        assert_eq!(port_of(229, "Extended Passive Mode Entered (!!!1024!)."), Some(1024));
        assert_eq!(
            port_of(227, "Entering Passive Mode (127,0,0,1,25,46)."),
            Some(25 * 256 + 46)
        );
        assert_eq!(port_of(227, "Entering Passive Mode. 10,0,0,1,4,1"), Some(1025));
    }

    #[test]
    fn answers_without_a_port() {
        for text in ["", "(", "(|||)", "(|||0|)", "(|||70000|)", "(|||-1|)", "(|1|2|)"] {
            assert_eq!(port_of(229, text), None, "{text}");
        }
        for text in [
            "",
            "1,2,3,4,5",
            "1,2,3,4,256,1",
            "1,2,3,4,,1",
            "1,2,3,4,0,0",
            "1,2,3,4,5,6,7",
        ] {
            assert_eq!(port_of(227, text), None, "{text}");
        }
    }
}
