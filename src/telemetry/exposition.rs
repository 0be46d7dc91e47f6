//! Prometheus' text format, version 0.0.4.

use std::fmt::{Display, Write};

/// What an answer in this format says it is.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A text in the making. Each metric is declared once, followed by its lines.
#[derive(Debug, Default)]
pub struct Exposition(String);

impl Exposition {
    /// Declares a value that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str) {
        self.declare(name, "gauge", help);
    }

    /// Declares a value that only grows, until its process starts anew. Its name ends with `_total`.
    pub fn counter(&mut self, name: &str, help: &str) {
        self.declare(name, "counter", help);
    }

    /// Declares a distribution.
    pub fn histogram(&mut self, name: &str, help: &str) {
        self.declare(name, "histogram", help);
    }

    fn declare(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A value of the metric declared last.
    pub fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, text)| format!("{name}=\"{}\"", escaped(text)))
            .collect();
        let _ = match labels.is_empty() {
            true => writeln!(self.0, "{name} {value}"),
            false => writeln!(self.0, "{name}{{{}}} {value}", labels.join(",")),
        };
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.0
    }
}

/// A distribution over fixed bounds.
#[derive(Debug, Clone)]
pub struct Histogram {
    bounds: &'static [f64],
    /// How many fell below each bound but not below the one before; the last is for all above.
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    /// An empty one over `bounds`, which grow.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
        }
    }

    /// Adds a value.
    pub fn observe(&mut self, value: f64) {
        let place = self.bounds.iter().position(|bound| value <= *bound);
        self.counts[place.unwrap_or(self.bounds.len())] += 1;
        self.sum += value;
    }

    /// Writes it below the declaration of `name`.
    pub fn write(&self, text: &mut Exposition, name: &str, labels: &[(&str, &str)]) {
        let mut so_far = 0;
        for (i, count) in self.counts.iter().enumerate() {
            so_far += count;
            let bound = self.bounds.get(i).map_or("+Inf".to_owned(), ToString::to_string);
            let labels = [labels, &[("le", bound.as_str())]].concat();
            text.line(&format!("{name}_bucket"), &labels, so_far);
        }
        text.line(&format!("{name}_sum"), labels, self.sum);
        text.line(&format!("{name}_count"), labels, so_far);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_buckets_add_up() {
        let mut text = Exposition::default();
        text.line("m", &[("hostname", "a\"b\\c\nd")], 1);
        let mut histogram = Histogram::new(&[1.0, 5.0]);
        for value in [0.5, 1.0, 3.0, 9.0] {
            histogram.observe(value);
        }
        histogram.write(&mut text, "h", &[("k", "v")]);
        let expected = "m{hostname=\"a\\\"b\\\\c\\nd\"} 1\n\
             h_bucket{k=\"v\",le=\"1\"} 2\nh_bucket{k=\"v\",le=\"5\"} 3\nh_bucket{k=\"v\",le=\"+Inf\"} 4\n\
             h_sum{k=\"v\"} 13.5\nh_count{k=\"v\"} 4\n";
        assert_eq!(text.into_text(), expected);
    }
}
