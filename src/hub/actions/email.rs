//! E-mail addresses as sign-in names.

/// Lower case and trimmed; `None` if it cannot be an address. Deliberately shallow: whether mail arrives
/// only sending shows.
pub fn normalise(text: &str) -> Option<String> {
    let email = text.trim().to_lowercase();
    let (local, domain) = email.rsplit_once('@')?;
    let odd = |c: char| c.is_whitespace() || c.is_control();
    let fits = (3..=254).contains(&email.chars().count());
    (fits && !local.is_empty() && !domain.is_empty() && !email.contains(odd)).then_some(email)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_blanks_around_do_not_matter() {
        assert_eq!(normalise(" Ada@Example.ORG ").as_deref(), Some("ada@example.org"));
    }

    #[test]
    fn what_cannot_be_an_address_is_refused() {
        let long = format!("{}@example.org", "a".repeat(300));
        for bad in ["", "ada", "@example.org", "ada@", "a b@c", "a\0@b", "a\n@b", &long] {
            assert_eq!(normalise(bad), None, "{bad:?}");
        }
    }
}
