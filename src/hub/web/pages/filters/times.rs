//! Times: relative for people, exact in UTC in the `title`.

use askama::{
    Result, Values,
    filters::{Html, Safe, escape},
    get_value,
};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::{Deep, context::NOW};

/// `3 minutes ago` or `in 3 minutes`.
#[askama::filter_fn]
pub fn ago<T: Deep<DateTime<Utc>>>(at: T, values: &dyn Values) -> Result<Safe<String>> {
    let now: &DateTime<Utc> = get_value(values, NOW)?;
    Ok(Safe(time_tag(*at.deep(), &ago_text(*now - *at.deep()))))
}

/// `22 Nov 2026, 16:27 UTC`.
#[askama::filter_fn]
pub fn date<T: Deep<DateTime<Utc>>>(at: T, _: &dyn Values) -> Result<Safe<String>> {
    let text = at.deep().format("%-d %b %Y, %H:%M UTC").to_string();
    Ok(Safe(time_tag(*at.deep(), &text)))
}

/// `16:27:05`.
#[askama::filter_fn]
pub fn clock<T: Deep<DateTime<Utc>>>(at: T, _: &dyn Values) -> Result<Safe<String>> {
    let text = at.deep().format("%H:%M:%S").to_string();
    Ok(Safe(time_tag(*at.deep(), &text)))
}

/// RFC 3339, for scripts.
#[askama::filter_fn]
pub fn rfc3339<T: Deep<DateTime<Utc>>>(at: T, _: &dyn Values) -> Result<String> {
    Ok(at.deep().to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// How long something that began then and ended at `to` took; until now if it has not ended.
#[askama::filter_fn]
pub fn took<T: Deep<DateTime<Utc>>, E: Deep<Option<DateTime<Utc>>>>(
    from: T,
    values: &dyn Values,
    to: E,
) -> Result<String> {
    let now: &DateTime<Utc> = get_value(values, NOW)?;
    Ok(duration_text(to.deep().unwrap_or(*now) - *from.deep()))
}

/// The end of an id, which tells neighbours apart (its beginning is the time); all of it in the title.
#[askama::filter_fn]
pub fn short_id<T: AsRef<str>>(id: T, _: &dyn Values) -> Result<Safe<String>> {
    let id = id.as_ref();
    let tail = id.get(id.len().saturating_sub(8)..).unwrap_or(id);
    let (full, tail) = (escape(id, Html)?, escape(tail, Html)?);
    Ok(Safe(format!(r#"<code title="{full}">…{tail}</code>"#)))
}

/// `4 min 12 s`: two units at most.
pub fn duration_text(length: TimeDelta) -> String {
    let s = length.num_seconds().max(0);
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {} min", s / 3600, s / 60 % 60),
        _ => format!("{} d {} h", s / 86_400, s / 3600 % 24),
    }
}

fn ago_text(age: TimeDelta) -> String {
    let seconds = age.num_seconds();
    let (amount, unit) = match seconds.abs() {
        0..10 => return "just now".to_owned(),
        s @ 10..60 => (s, "second"),
        s @ 60..3600 => (s / 60, "minute"),
        s @ 3600..86_400 => (s / 3600, "hour"),
        s @ 86_400..2_592_000 => (s / 86_400, "day"),
        s @ 2_592_000..31_536_000 => (s / 2_592_000, "month"),
        s => (s / 31_536_000, "year"),
    };
    let plural = if amount == 1 { "" } else { "s" };
    match seconds {
        s if s < 0 => format!("in {amount} {unit}{plural}"),
        _ => format!("{amount} {unit}{plural} ago"),
    }
}

fn time_tag(at: DateTime<Utc>, text: &str) -> String {
    let machine = at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let exact = at.format("%Y-%m-%d %H:%M:%S UTC");
    format!(r#"<time datetime="{machine}" title="{exact}">{text}</time>"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!(ago_text(TimeDelta::seconds(3)), "just now");
        assert_eq!(ago_text(TimeDelta::seconds(61)), "1 minute ago");
        assert_eq!(ago_text(TimeDelta::hours(-50)), "in 2 days");
        assert_eq!(duration_text(TimeDelta::seconds(3_725)), "1 h 2 min");
        assert_eq!(duration_text(TimeDelta::seconds(-4)), "0 s");
    }
}
