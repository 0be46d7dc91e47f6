//! What a server says it can do.

use super::reply::Reply;

/// The answer to `FEAT`, as far as it matters here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Features {
    /// Listings for programs (`MLSD`).
    pub mlsd: bool,
    /// Exact times (`MDTM`).
    pub mdtm: bool,
    /// Exact sizes (`SIZE`).
    pub size: bool,
    /// Times (`MFMT`) can be set.
    pub mfmt: bool,
    /// Times and modes can be set at once (`MFF`).
    pub mff: bool,
    /// Names in UTF-8 can be asked for.
    pub utf8: bool,
}

impl Features {
    /// Reads the answer. A server too old to answer may know `MDTM` and `SIZE` all the same.
    pub fn read(reply: &Reply) -> Self {
        if !reply.is_positive() {
            return Self {
                mdtm: true,
                size: true,
                ..Self::default()
            };
        }
        let mut features = Self::default();
        for line in &reply.lines {
            let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
            match words.next().map(<[u8]>::to_ascii_uppercase).as_deref() {
                Some(b"MLST" | b"MLSD") => features.mlsd = true,
                Some(b"MDTM") => features.mdtm = true,
                Some(b"SIZE") => features.size = true,
                Some(b"MFMT") => features.mfmt = true,
                Some(b"MFF") => {
                    let facts = line.to_ascii_lowercase();
                    let names = |fact: &[u8]| facts.windows(fact.len()).any(|window| window == fact);
                    features.mff = names(b"modify;") && names(b"unix.mode;");
                }
                Some(b"UTF8") => features.utf8 = true,
                _ => {}
            }
        }
        features
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feat_of_proftpd_and_of_servers_without_it() {
        let lines = [
            "Features:",
            " AUTH TLS",
            " MDTM",
            " MLST modify*;perm*;",
            " MFF modify;UNIX.group;UNIX.mode;",
            " UTF8",
            "End",
        ];
        let reply = Reply {
            code: 211,
            lines: lines.iter().map(|line| line.as_bytes().to_vec()).collect(),
        };
        let features = Features::read(&reply);
        assert!(features.mlsd && features.mdtm && features.utf8 && features.mff && !features.size && !features.mfmt);
        let features = Features::read(&Reply {
            code: 500,
            lines: vec![],
        });
        assert!(!features.mlsd && features.mdtm && features.size);
    }
}
