//! What the documents state and a test can check.

use std::{fs, path::Path};

use xvault::config::VARIABLES;

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_operations_guide_names_every_variable_and_no_other() {
    let guide = read("docs/operations.md");
    for known in VARIABLES {
        let row = guide
            .lines()
            .find(|line| line.starts_with('|') && line.contains(&format!("`{}`", known.name)));
        let row = row.unwrap_or_else(|| panic!("{} is missing in the table", known.name));
        let place = row.find(known.name).expect("found above");
        let marked = row[place..]
            .split('`')
            .nth(1)
            .is_some_and(|rest| rest.starts_with(" (secret)"));
        assert_eq!(marked, known.secret, "{} (secret or not)", known.name);
    }
    let words = guide.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
    for word in words.filter(|word| word.starts_with("XVAULT_") && word.len() > "XVAULT_".len()) {
        assert!(xvault::config::variable(word).is_some(), "nothing reads {word}");
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    for name in [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "docs/architecture.md",
        "docs/format.md",
        "docs/operations.md",
        "docs/security.md",
    ] {
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let base = base.parent().expect("a file in a directory");
        for target in read(name).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or("");
            let local = !file.is_empty() && !file.contains("://");
            assert!(!local || base.join(file).exists(), "{name} links to {target}");
        }
    }
}
