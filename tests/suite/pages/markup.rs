//! What holds for the markup of every page.

use super::browser::{Page, attribute, has, tags};

/// Language, title, one heading, labels, no inline script or style, no broken reference.
#[track_caller]
pub fn assert_sound(page: &Page) {
    let html = &page.html;
    let at = &page.path;
    assert!(
        html.starts_with("<!doctype html>"),
        "{at}: {}",
        &html[..html.len().min(80)]
    );
    assert!(html.contains("<html lang=\"en\""), "{at}: no language");
    let title = html
        .split_once("<title>")
        .and_then(|(_, rest)| rest.split_once("</title>"))
        .expect("a title")
        .0;
    assert!(
        title.ends_with(" · xVault") && title.len() > " · xVault".len(),
        "{at}: title {title:?}"
    );
    assert_eq!(tags(html, "h1").len(), 1, "{at}: headings");
    assert_eq!(tags(html, "main").len(), 1, "{at}: main");
    assert!(html.contains("<a class=\"skip\" href=\"#main\">"), "{at}: no skip link");

    assert!(!html.contains(" style="), "{at}: inline style");
    assert!(tags(html, "style").is_empty(), "{at}: inline style");
    for script in tags(html, "script") {
        assert!(
            attribute(&script, "src").is_some_and(|src| src.starts_with("/static/")),
            "{at}: {script}"
        );
    }
    for handler in [" onclick", " onload", " onsubmit", " onerror", "javascript:"] {
        assert!(!html.contains(handler), "{at}: {handler}");
    }
    assert!(!html.contains("/static/missing"), "{at}: a file that does not exist");

    for name in ["input", "select", "textarea"] {
        for tag in tags(html, name) {
            let kind = attribute(&tag, "type").unwrap_or_default();
            let wrapped = matches!(kind.as_str(), "radio" | "checkbox") && attribute(&tag, "id").is_none();
            if kind == "hidden" || attribute(&tag, "aria-label").is_some() || wrapped {
                continue;
            }
            let id = attribute(&tag, "id").unwrap_or_else(|| panic!("{at}: no id: {tag}"));
            assert!(html.contains(&format!("for=\"{id}\"")), "{at}: no label for {tag}");
        }
    }
    for bar in tags(html, "progress") {
        assert!(attribute(&bar, "aria-label").is_some(), "{at}: {bar}");
    }
    for image in tags(html, "svg") {
        let described = attribute(&image, "aria-label").is_some() || attribute(&image, "aria-hidden").is_some();
        assert!(
            described || attribute(&image, "viewBox").is_some_and(|b| b == "0 0 8 20"),
            "{at}: {image}"
        );
    }
    let mut ids: Vec<String> = html
        .match_indices(" id=\"")
        .map(|(i, _)| html[i + 5..].split('"').next().unwrap_or_default().to_owned())
        .collect();
    ids.sort();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count, "{at}: an id stands twice: {ids:?}");

    let posts = tags(html, "form")
        .into_iter()
        .filter(|tag| attribute(tag, "method").as_deref() == Some("post"));
    for form in posts {
        let action = attribute(&form, "action").expect("an action");
        let carries_token = page
            .form(&action)
            .fields
            .iter()
            .any(|(name, value)| name == "csrf" && !value.is_empty());
        assert!(
            carries_token || action == "/theme",
            "{at}: the form to {action} has no token"
        );
    }
    assert!(
        tags(html, "input")
            .iter()
            .all(|tag| !(attribute(tag, "type").as_deref() == Some("password") && has(tag, "value"))),
        "{at}: a password is echoed"
    );
}

/// What the browser is told to enforce.
#[track_caller]
pub fn assert_locked_down(page: &Page) {
    let policy = page.headers["content-security-policy"].to_str().expect("ASCII");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers["cache-control"], "no-store", "{}", page.path);
}
