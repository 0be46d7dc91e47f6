//! What should not be.

use super::fleet::Fleet;

/// Lines of each process shown with findings.
const TAIL: usize = 400;

/// Findings of a run, each in a sentence.
#[derive(Default)]
pub struct Findings {
    all: Vec<String>,
}

impl Findings {
    /// Notes one, and says it at once.
    pub fn add(&mut self, finding: String) {
        println!("          FOUND: {finding}");
        self.all.push(finding);
    }

    /// Notes `finding` unless `holds`.
    pub fn expect(&mut self, holds: bool, finding: impl FnOnce() -> String) {
        if !holds {
            self.add(finding());
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Panics with all of them and what the processes said.
    pub fn must_be_none(self, fleet: &mut Fleet, replay: &str) {
        if self.all.is_empty() {
            return;
        }
        for (name, output) in fleet.outputs() {
            let lines: Vec<&str> = output.lines().collect();
            let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
            println!("--- {name} ---\n{tail}");
        }
        panic!(
            "{} findings; to replay: {replay}\n{}",
            self.all.len(),
            self.all.join("\n")
        );
    }
}
