//! Lines of `MLSD` (RFC 3659): facts, a blank, the name.

use super::{
    dates,
    listed::{Facts, Kind, Listed, Senseless, checked_name, number},
};

/// Reads one line. The name is everything behind the first blank, blanks included.
pub fn parse(line: &[u8]) -> Result<Listed, Senseless> {
    let blank = line.iter().position(|byte| *byte == b' ').ok_or(Senseless)?;
    let (said, name) = (&line[..blank], &line[blank + 1..]);
    let mut facts = Facts::of(Kind::Special);
    let mut kind = None;
    for fact in said.split(|byte| *byte == b';').filter(|fact| !fact.is_empty()) {
        let equals = fact.iter().position(|byte| *byte == b'=').ok_or(Senseless)?;
        let (key, value) = (fact[..equals].to_ascii_lowercase(), &fact[equals + 1..]);
        match key.as_slice() {
            b"type" => kind = Some(kind_of(value)),
            b"size" => facts.size = number(value),
            b"modify" => {
                facts.mtime = dates::exact(value);
                facts.exact = facts.mtime.is_some();
            }
            b"unix.mode" => {
                let octal = std::str::from_utf8(value)
                    .ok()
                    .and_then(|text| u32::from_str_radix(text, 8).ok());
                facts.mode = octal.map(|mode| mode & 0o7777);
            }
            b"unix.uid" | b"unix.owner" => facts.uid = number(value).or(facts.uid),
            b"unix.gid" | b"unix.group" => facts.gid = number(value).or(facts.gid),
            b"unique" => facts.unique = Some(value.to_vec()),
            _ => {}
        }
    }
    facts.kind = kind.ok_or(Senseless)?;
    let name = match facts.kind {
        Kind::Dots => name.to_vec(),
        _ => checked_name(name)?,
    };
    if matches!(name.as_slice(), b"." | b"..") {
        facts.kind = Kind::Dots;
    }
    Ok(Listed { name, facts })
}

fn kind_of(value: &[u8]) -> Kind {
    let lower = value.to_ascii_lowercase();
    match lower.as_slice() {
        b"file" => Kind::File,
        b"dir" => Kind::Directory,
        b"cdir" | b"pdir" => Kind::Dots,
        b"os.unix=symlink" | b"os.unix=slink" => Kind::Symlink(None),
        _ if lower.starts_with(b"os.unix=slink:") => Kind::Symlink(Some(value[b"os.unix=slink:".len()..].to_vec())),
        _ => Kind::Special,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_proftpd() {
        let line = b"modify=20261122103005;perm=adfr;size=12;type=file;unique=801U2F;UNIX.group=1000;\
            UNIX.groupname=web;UNIX.mode=0640;UNIX.owner=33;UNIX.ownername=www-data;  two blanks ";
        let listed = parse(line).unwrap();
        assert_eq!(listed.name, b" two blanks ");
        assert_eq!(listed.facts.kind, Kind::File);
        assert_eq!((listed.facts.size, listed.facts.mode), (Some(12), Some(0o640)));
        assert_eq!((listed.facts.uid, listed.facts.gid), (Some(33), Some(1000)));
        assert_eq!(listed.facts.unique.as_deref(), Some(&b"801U2F"[..]));
        assert!(listed.facts.exact);
    }

    #[test]
    fn kinds() {
        let kind = |text: &str| parse(text.as_bytes()).map(|listed| listed.facts.kind);
        assert_eq!(kind("Type=dir; a"), Ok(Kind::Directory));
        assert_eq!(kind("type=cdir; /srv/www"), Ok(Kind::Dots));
        assert_eq!(kind("type=dir; .."), Ok(Kind::Dots));
        assert_eq!(kind("type=OS.unix=symlink; a"), Ok(Kind::Symlink(None)));
        assert_eq!(
            kind("type=OS.unix=slink:/Srv; a"),
            Ok(Kind::Symlink(Some(b"/Srv".to_vec())))
        );
        assert_eq!(kind("type=OS.unix=chr-1/3; null"), Ok(Kind::Special));
    }

    #[test]
    fn lines_without_sense() {
        for line in [
            "",
            "name",
            "type=file;name",
            "size=1; a",
            "type=file; ",
            "type=file; ../x",
            "type=file; a\0",
            "x; a",
        ] {
            assert_eq!(parse(line.as_bytes()), Err(Senseless), "{line}");
        }
        assert_eq!(parse(b"type=file;size=-1; \xff").unwrap().facts.size, None);
    }
}
