//! Finds paths in token streams, so that `use`, paths inside expressions and macro arguments are
//! all seen.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::source::File;

impl File {
    /// Every path into this crate, absolute and without the leading `crate`.
    pub fn imports(&self) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        walk(&self.tokens, &self.module, &mut found);
        found
    }
}

/// Every path that starts with one of `roots`: names of crates.
pub fn external(tokens: &TokenStream, roots: &[&str]) -> Vec<Vec<String>> {
    // Behind `::` or a dot the name is part of something else.
    paths(tokens, roots, &|trees, at| !is_behind(trees, at))
}

/// Every path from one of `names` on, whatever stands before it: `chrono::Utc::now` is `Utc::now`.
pub fn mentions(tokens: &TokenStream, names: &[&str]) -> Vec<Vec<String>> {
    paths(tokens, names, &|_, _| true)
}

fn paths(tokens: &TokenStream, starts: &[&str], counts: &dyn Fn(&[TokenTree], usize) -> bool) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let trees: Vec<_> = tokens.clone().into_iter().collect();
    for (at, tree) in trees.iter().enumerate() {
        match tree {
            TokenTree::Group(group) => found.extend(paths(&group.stream(), starts, counts)),
            TokenTree::Ident(ident) if starts.contains(&ident.to_string().as_str()) && counts(&trees, at) => {
                expand(&trees[at..], &[], &mut found);
            }
            _ => {}
        }
    }
    found
}

/// True behind `::` or `.`; false behind the single colon of `name: Root`.
fn is_behind(trees: &[TokenTree], at: usize) -> bool {
    let punct = |back: usize| match at.checked_sub(back).map(|before| &trees[before]) {
        Some(TokenTree::Punct(punct)) => punct.as_char(),
        _ => ' ',
    };
    punct(1) == '.' || (punct(1) == ':' && punct(2) == ':')
}

fn walk(tokens: &TokenStream, module: &[String], found: &mut Vec<Vec<String>>) {
    let trees: Vec<_> = tokens.clone().into_iter().collect();
    let mut at = 0;
    while at < trees.len() {
        match &trees[at] {
            TokenTree::Group(group) => {
                let inner = inline_module(&trees, at);
                let module: Vec<_> = module.iter().cloned().chain(inner).collect();
                walk(&group.stream(), &module, found);
            }
            TokenTree::Ident(ident) if *ident == "crate" && is_path(&trees[at..]) => {
                expand(&trees[at + 3..], &[], found);
                at += 2;
            }
            TokenTree::Ident(ident) if *ident == "super" && is_path(&trees[at..]) => {
                let mut base = module.to_vec();
                while matches!(&trees[at], TokenTree::Ident(ident) if *ident == "super") && is_path(&trees[at..]) {
                    base.pop();
                    at += 3;
                }
                expand(&trees[at..], &base, found);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
}

/// The name before a brace group of `mod name { … }`.
fn inline_module(trees: &[TokenTree], at: usize) -> Option<String> {
    match (trees.get(at.checked_sub(2)?)?, &trees[at - 1]) {
        (TokenTree::Ident(keyword), TokenTree::Ident(name)) if *keyword == "mod" => Some(name.to_string()),
        _ => None,
    }
}

/// An identifier followed by `::`.
fn is_path(trees: &[TokenTree]) -> bool {
    let colon = |tree: Option<&TokenTree>| matches!(tree, Some(TokenTree::Punct(p)) if p.as_char() == ':');
    colon(trees.get(1)) && colon(trees.get(2))
}

/// Reads the path that starts at `trees`, every branch of a `{…}` in it, and adds them to `found`.
fn expand(trees: &[TokenTree], base: &[String], found: &mut Vec<Vec<String>>) {
    match trees.first() {
        Some(TokenTree::Ident(name)) => {
            let mut path = base.to_vec();
            path.push(name.to_string());
            if is_path(trees) && matches!(trees.get(3), Some(TokenTree::Ident(_) | TokenTree::Group(_))) {
                expand(&trees[3..], &path, found);
            } else {
                found.push(path);
            }
        }
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let inner: Vec<_> = group.stream().into_iter().collect();
            let comma = |tree: &TokenTree| matches!(tree, TokenTree::Punct(p) if p.as_char() == ',');
            for part in inner.split(comma) {
                expand(part, base, found);
            }
        }
        // `super::*` and the like: the base itself.
        _ if !base.is_empty() => found.push(base.to_vec()),
        _ => {}
    }
}
