//! Lists: newest first, cut into pages. The cursor of a page is the id of its last item.

use std::str::FromStr;

use serde::Serialize;

use super::ActionError;

/// Largest page.
pub const MAX_LIMIT: i64 = 200;

/// Which page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Most items, 1 to [`MAX_LIMIT`].
    pub limit: i64,
    /// Go on after this id.
    pub cursor: Option<String>,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self {
            limit: 50,
            cursor: None,
        }
    }
}

impl ListQuery {
    /// A page of `limit` items.
    pub fn first(limit: i64) -> Self {
        Self { limit, cursor: None }
    }

    /// The cursor as the id it has to be.
    pub(super) fn after<Id: FromStr>(&self) -> Result<Option<Id>, ActionError> {
        let parse = |text: &String| {
            text.parse()
                .map_err(|_| ActionError::invalid("/cursor", "is not a cursor that this list gave out"))
        };
        self.cursor.as_ref().map(parse).transpose()
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
    /// Makes a page of rows that were asked for with one more than the limit.
    pub(super) fn cut<Row>(
        mut rows: Vec<Row>,
        limit: i64,
        id: impl Fn(&Row) -> String,
        view: impl Fn(Row) -> T,
    ) -> Self {
        let limit = usize::try_from(limit).unwrap_or(0);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = if more { rows.last().map(id) } else { None };
        Self {
            items: rows.into_iter().map(view).collect(),
            next_cursor,
        }
    }
}
