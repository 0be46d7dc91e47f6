//! One round: harm and orders on one time line, drawn beforehand.

use std::{collections::BTreeSet, time::Duration};

use rand::{Rng, rngs::StdRng};
use tokio::time::{Instant, sleep_until};

use super::{
    faults::Harm,
    findings::Findings,
    fleet::Fleet,
    orders::{Order, People},
};

/// What a round does.
pub struct Round {
    harms: Vec<Harm>,
    orders: Vec<(Duration, Order)>,
}

enum Step {
    Begin(usize),
    End(usize),
    Order(usize),
}

impl Round {
    /// Any round.
    pub fn draw(random: &mut StdRng) -> Self {
        let mut victims = BTreeSet::new();
        let mut harms: Vec<Harm> = (0..random.random_range(1..=3)).map(|_| Harm::draw(random)).collect();
        harms.retain(|harm| victims.insert(harm.fault.victim()));
        let orders = (0..random.random_range(3..=7))
            .map(|_| (Duration::from_millis(random.random_range(0..1000)), Order::draw(random)))
            .collect();
        Self { harms, orders }
    }

    /// Does it; says what was done.
    pub async fn play(self, fleet: &mut Fleet, people: &People, findings: &mut Findings) -> String {
        fleet.tend(findings);
        let mut steps: Vec<(Duration, Step)> = Vec::new();
        for (i, harm) in self.harms.iter().enumerate() {
            steps.push((harm.from, Step::Begin(i)));
            steps.push((harm.until, Step::End(i)));
        }
        steps.extend(self.orders.iter().enumerate().map(|(i, (at, _))| (*at, Step::Order(i))));
        steps.sort_by_key(|(at, _)| *at);
        let start = Instant::now();
        for (at, step) in steps {
            sleep_until(start + at).await;
            match step {
                Step::Begin(i) => self.harms[i].fault.begin(fleet).await,
                Step::End(i) => self.harms[i].fault.end(fleet).await,
                Step::Order(i) => people.order(&self.orders[i].1),
            }
        }
        let harms: Vec<String> = self
            .harms
            .iter()
            .map(|harm| format!("{} for {} ms", harm.fault, (harm.until - harm.from).as_millis()))
            .collect();
        format!("{}; {}", harms.join(", "), people.summary())
    }
}
