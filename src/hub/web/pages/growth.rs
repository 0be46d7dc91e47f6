//! How storage grew, as a picture.

use chrono::{DateTime, Utc};

use super::filters::numbers::size_text;
use crate::hub::views::SnapshotView;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 180.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 712.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 148.0;

/// Fewer snapshots than this make no picture.
const ENOUGH: usize = 3;

/// A horizontal line with its label.
pub struct GridLine {
    /// Height in the picture.
    pub y: f64,
    /// What it stands for.
    pub label: String,
}

/// A line over an area, ready for the template.
pub struct Growth {
    /// Of the picture.
    pub width: f64,
    /// Of the picture.
    pub height: f64,
    /// Where the line begins.
    pub left: f64,
    /// Where it ends.
    pub right: f64,
    /// Lines to read values from.
    pub grid: Vec<GridLine>,
    /// Path of the line.
    pub line: String,
    /// Path of the area below it.
    pub area: String,
    /// The first day.
    pub from: String,
    /// The last day.
    pub to: String,
    /// In words.
    pub summary: String,
}

impl Growth {
    /// Draws what `newest` (newest first) added to what was stored before, up to `total` bytes now.
    pub fn draw(newest: &[SnapshotView], total: u64, now: DateTime<Utc>) -> Option<Self> {
        let first = newest.last().filter(|_| newest.len() >= ENOUGH)?.created_at;
        let span = (now - first).num_seconds().max(1) as f64;
        let x = |at: DateTime<Utc>| LEFT + (RIGHT - LEFT) * (at - first).num_seconds() as f64 / span;
        let (step, top) = scale(total as f64);
        let y = |bytes: f64| BOTTOM - (BOTTOM - TOP) * bytes / top;

        let added: u64 = newest.iter().map(|snapshot| snapshot.bytes_stored).sum();
        let before = total.saturating_sub(added);
        let mut stored = before as f64;
        let mut line = format!("M{:.1} {:.1}", LEFT, y(stored));
        for snapshot in newest.iter().rev() {
            stored += snapshot.bytes_stored as f64;
            line.push_str(&format!("H{:.1}V{:.1}", x(snapshot.created_at), y(stored)));
        }
        line.push_str(&format!("H{RIGHT:.1}"));
        let lines = (top / step).round() as u32;
        Some(Self {
            width: WIDTH,
            height: HEIGHT,
            left: LEFT,
            right: RIGHT,
            grid: (0..=lines)
                .map(|i| GridLine {
                    y: y(f64::from(i) * step),
                    label: size_text(f64::from(i) * step).replace(".00", "").replace(".0 ", " "),
                })
                .collect(),
            area: format!("{line}V{BOTTOM:.1}H{LEFT:.1}Z"),
            line,
            from: first.format("%-d %b").to_string(),
            to: "today".to_owned(),
            summary: match before {
                0 => format!("{} since {}", size_text(total as f64), first.format("%-d %b %Y")),
                _ => format!(
                    "{} now, {} more since {}",
                    size_text(total as f64),
                    size_text(added as f64),
                    first.format("%-d %b %Y")
                ),
            },
        })
    }
}

/// Distance of the grid's lines, round in binary units, and the top one: two to four lines.
fn scale(most: f64) -> (f64, f64) {
    let mut unit = 1.0;
    while most / unit >= 1024.0 {
        unit *= 1024.0;
    }
    let steps = [0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1024.0];
    let fits = |step: &&f64| most / (**step * unit) <= 4.0;
    let step = steps.iter().find(fits).copied().unwrap_or(1024.0) * unit;
    (step, step * (most / step).ceil().max(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_is_round_and_holds_the_most() {
        let gib = 1024.0 * 1024.0 * 1024.0;
        for most in [0.0, 1.0, 900.0, 3.3 * gib, 700.0 * gib, 1023.9 * gib, 5000.0 * gib] {
            let (step, top) = scale(most);
            assert!(top >= most && top / step <= 4.0 + 1e-9, "{most}: {step} {top}");
        }
    }
}
