//! Random harm to real processes while people order work, and an audit of what is left.
//!
//! `just chaos [rounds] [seed]` runs many rounds; without these variables it is a short test of the
//! suite. The same seed makes the same decisions; what they hit depends on time.

mod audit;
mod faults;
mod findings;
mod fleet;
mod leftovers;
mod orders;
mod round;

use std::time::Instant;

use rand::{SeedableRng, rngs::StdRng};

use findings::Findings;
use fleet::Fleet;
use orders::People;
use round::Round;

/// Rounds between two looks at everything.
const AUDIT_EVERY: u32 = 20;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is not a number")),
    )
}

/// A seed that was not tried before.
fn fresh_seed() -> u64 {
    u64::from(rand::random::<u32>())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_survives_what_it_survived_before() {
    run(6, 1).await;
}

/// `just chaos` runs this one, for longer.
#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_survives_anything() {
    let rounds = number("CHAOS_ROUNDS").map_or(6, |rounds| u32::try_from(rounds).expect("a moderate number of rounds"));
    run(rounds, number("CHAOS_SEED").unwrap_or_else(fresh_seed)).await;
}

async fn run(rounds: u32, seed: u64) {
    println!("chaos: {rounds} rounds, seed {seed}; to replay: just chaos {rounds} {seed}");
    let began = Instant::now();
    let mut random = StdRng::seed_from_u64(seed);
    let mut fleet = Fleet::start().await;
    let people = People::new(&fleet);
    let mut findings = Findings::default();
    for number in 1..=rounds {
        let round = Round::draw(&mut random);
        let done = round.play(&mut fleet, &people, &mut findings).await;
        println!("{:6.1} s  round {number:3}: {done}", began.elapsed().as_secs_f64());
        if number % AUDIT_EVERY == 0 || number == rounds {
            let seen = audit::all(&mut fleet, &people, &mut findings).await;
            println!("{:6.1} s  audit: {seen}", began.elapsed().as_secs_f64());
        }
    }
    let seen = audit::every_byte(&mut fleet, &people, &mut findings).await;
    println!("{:6.1} s  last audit: {seen}", began.elapsed().as_secs_f64());
    findings.must_be_none(&mut fleet, &format!("just chaos {rounds} {seed}"));
}
