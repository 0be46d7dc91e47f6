//! The source files of the crate, parsed into tokens.

use std::{fs, path::Path};

use proc_macro2::TokenStream;

/// One file below `src/`.
pub struct File {
    /// Relative to the crate.
    pub path: String,
    /// Its module, the crate's name left out; empty for `lib.rs` and `main.rs`.
    pub module: Vec<String>,
    pub tokens: TokenStream,
    pub text: String,
}

/// Every file below `src/`.
pub fn files() -> Vec<File> {
    let mut files = Vec::new();
    collect(Path::new("src"), &mut files);
    assert!(files.len() > 20, "the sources were not found");
    files
}

fn collect(directory: &Path, files: &mut Vec<File>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(root.join(directory))
        .expect("a source directory")
        .flatten()
    {
        let path = directory.join(entry.file_name());
        if entry.path().is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(root.join(&path)).expect("a source file");
            files.push(File {
                module: module(&path),
                tokens: text
                    .parse()
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display())),
                path: path.display().to_string(),
                text,
            });
        }
    }
}

fn module(path: &Path) -> Vec<String> {
    let inside = path.strip_prefix("src").expect("below src").with_extension("");
    let mut module: Vec<_> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    module
}
