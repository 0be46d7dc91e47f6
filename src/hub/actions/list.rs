//! Lists: newest first, cut into pages. The cursor of a page is the id of its last item.

use std::str::FromStr;

use serde::Serialize;

use super::ActionError;
use crate::db::Page;

/// Which page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Most items, 1 to [`Page::MAX_LIMIT`].
    pub limit: i64,
    /// Go on after this id.
    pub cursor: Option<String>,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self {
            limit: Page::DEFAULT_LIMIT,
            cursor: None,
        }
    }
}

impl ListQuery {
    /// A page of `limit` items.
    pub fn first(limit: i64) -> Self {
        Self { limit, cursor: None }
    }

    /// What to ask the database for: one row more than the page holds, to know whether there are more.
    pub(super) fn page<Id: FromStr>(&self) -> Result<Page, ActionError> {
        if !(1..=Page::MAX_LIMIT).contains(&self.limit) {
            let detail = format!("must be between 1 and {}", Page::MAX_LIMIT);
            return Err(ActionError::invalid("/limit", detail));
        }
        if let Some(cursor) = &self.cursor
            && cursor.parse::<Id>().is_err()
        {
            return Err(ActionError::invalid(
                "/cursor",
                "is not a cursor that this list gave out",
            ));
        }
        Ok(Page {
            limit: self.limit + 1,
            after: self.cursor.clone(),
        })
    }
}

/// One page of a list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct List<T> {
    /// Newest first.
    pub items: Vec<T>,
    /// Give this as `cursor` for the next page; `null` at the end.
    pub next_cursor: Option<String>,
}

impl<T> List<T> {
    /// Makes a page of the rows that [`ListQuery::page`] asked for.
    pub(super) fn cut(mut items: Vec<T>, query: &ListQuery, id: impl Fn(&T) -> &str) -> Self {
        let limit = usize::try_from(query.limit).unwrap_or(0);
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = if more {
            items.last().map(|item| id(item).to_owned())
        } else {
            None
        };
        Self { items, next_cursor }
    }

    /// The same page with each item in another form.
    pub(super) fn map<U>(self, form: impl FnMut(T) -> U) -> List<U> {
        List {
            items: self.items.into_iter().map(form).collect(),
            next_cursor: self.next_cursor,
        }
    }
}
