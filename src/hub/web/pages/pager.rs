//! Links through a list: back to its beginning, on to its next page.

use crate::hub::actions::ListQuery;

use super::form::Form;

/// Items on a page.
const PAGE: i64 = 50;

/// The two links; either may be missing.
#[derive(Debug, Default)]
pub struct Pager {
    /// Back to the beginning.
    pub first: Option<String>,
    /// On.
    pub next: Option<String>,
}

/// The page of a list that an address asks for.
pub fn asked_for(query: &Form) -> ListQuery {
    ListQuery {
        limit: PAGE,
        cursor: query.given("cursor").map(str::to_owned),
    }
}

impl Pager {
    /// Links for the list at `path` with the filters in `keep`.
    pub fn new(path: &str, keep: &[(&str, &str)], asked: &ListQuery, next_cursor: Option<&str>) -> Self {
        let link = |cursor: Option<&str>| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(keep.iter().filter(|(_, value)| !value.is_empty()));
            query.extend_pairs(cursor.map(|cursor| ("cursor", cursor)));
            format!("{path}?{}", query.finish())
        };
        Self {
            first: asked.cursor.as_ref().map(|_| link(None)),
            next: next_cursor.map(|cursor| link(Some(cursor))),
        }
    }
}
