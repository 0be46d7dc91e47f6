//! Rules that fields of several kinds share.

use crate::domain::{exclude::ExcludeSet, field_error::FieldError};

/// Most include paths, and most exclude globs, of one source.
const MAX_PATTERNS: usize = 500;

/// Longest path or glob, in bytes.
const MAX_PATTERN: usize = 4096;

/// ssh takes the destination without `--`, so neither part may look like an option.
pub(super) fn check_host(pointer: &str, host: &str, errors: &mut Vec<FieldError>) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || host.len() > 253 || host.starts_with('-') || !host.chars().all(allowed) {
        errors.push(FieldError::new(
            pointer,
            "must be a host name or an IP address (IPv6 without brackets), for example web1.example.com",
        ));
    } else if host.contains(':') && host.parse::<std::net::Ipv6Addr>().is_err() {
        errors.push(FieldError::new(
            pointer,
            "has a colon but is no IPv6 address; the port has its own field",
        ));
    }
}

pub(super) fn check_port(pointer: &str, port: u16, errors: &mut Vec<FieldError>) {
    if port == 0 {
        errors.push(FieldError::new(pointer, "must be between 1 and 65535"));
    }
}

pub(super) fn check_user(pointer: &str, user: &str, errors: &mut Vec<FieldError>) {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | '+' | '\\' | '$');
    if user.is_empty() || user.len() > 128 || user.starts_with('-') || !user.chars().all(plain) {
        errors.push(FieldError::new(
            pointer,
            "must be a login name: letters, digits and . - _ @ + \\ $, not starting with a dash",
        ));
    }
}

/// What to capture: at least one path.
pub(super) fn check_paths(paths: &[String], errors: &mut Vec<FieldError>) {
    if paths.is_empty() {
        errors.push(FieldError::new(
            "/config/paths",
            "name at least one path, for example /srv/www",
        ));
    }
    check_list("/config/paths", paths, |_| None, errors);
}

/// What to leave out.
pub(super) fn check_exclude(globs: &[String], errors: &mut Vec<FieldError>) {
    let fault = |glob: &str| ExcludeSet::check(glob).err().map(|invalid| invalid.to_string());
    check_list("/config/exclude", globs, fault, errors);
}

/// Authorities in PEM. Whether each can be used is seen when it is: rules for that are not ours.
pub(super) fn check_ca(pointer: &str, ca: &str, errors: &mut Vec<FieldError>) {
    const MAX_CA: usize = 256 * 1024;
    if ca.len() > MAX_CA {
        errors.push(FieldError::new(pointer, "is longer than 256 KiB"));
    } else if !ca.contains("-----BEGIN CERTIFICATE-----") || !ca.contains("-----END CERTIFICATE-----") {
        let fault = "must be certificates in PEM form (-----BEGIN CERTIFICATE-----)";
        errors.push(FieldError::new(pointer, fault));
    }
}

fn check_list(pointer: &str, list: &[String], fault_of: impl Fn(&str) -> Option<String>, errors: &mut Vec<FieldError>) {
    if list.len() > MAX_PATTERNS {
        errors.push(FieldError::new(pointer, format!("at most {MAX_PATTERNS} entries")));
    }
    for (i, text) in list.iter().enumerate() {
        let fault = fault_of_path(text).or_else(|| fault_of(text));
        errors.extend(fault.map(|fault| FieldError::new(format!("{pointer}/{i}"), fault)));
    }
}

/// One path.
pub(super) fn check_path(pointer: &str, path: &str, errors: &mut Vec<FieldError>) {
    errors.extend(fault_of_path(path).map(|fault| FieldError::new(pointer, fault)));
}

fn fault_of_path(text: &str) -> Option<String> {
    if text.trim().is_empty() {
        Some("is empty".to_owned())
    } else if text.contains('\0') {
        Some("has a NUL byte".to_owned())
    } else if text.len() > MAX_PATTERN {
        Some(format!("is longer than {MAX_PATTERN} bytes"))
    } else if text.split('/').any(|part| part == "..") {
        Some("has a `..` component".to_owned())
    } else {
        None
    }
}
