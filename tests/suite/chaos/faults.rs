//! Harm, and its end.

use std::{fmt, time::Duration};

use rand::{Rng, rngs::StdRng};
use rustix::process::Signal;

use super::fleet::{Fleet, HUBS, SOURCES, WORKERS};

/// What is done to one part of the fleet, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    KillWorker(usize),
    StopWorker(usize),
    TermWorker(usize),
    FillDisk(usize),
    Cut(Line),
    Silence(Line),
    Forget(Line),
    KillHub(usize),
    TermHub(usize),
    StopHub(usize),
    CrashPostgres,
    PausePostgres,
    KillSessions,
}

/// A cable, by the number of its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    WorkerToDatabase(usize),
    WorkerToHub(usize),
    HubToDatabase(usize),
    ToSource(usize),
}

/// Harm with its times, from the beginning of the round.
#[derive(Debug, Clone)]
pub struct Harm {
    pub fault: Fault,
    pub from: Duration,
    pub until: Duration,
}

impl Harm {
    /// Any harm.
    pub fn draw(random: &mut StdRng) -> Self {
        let fault = Fault::draw(random);
        let from = Duration::from_millis(random.random_range(50..700));
        let lasts = match fault {
            // Longer than a lease half of the time.
            Fault::StopWorker(_) => random.random_range(500..4000),
            _ => random.random_range(100..1500),
        };
        Self {
            fault,
            from,
            until: from + Duration::from_millis(lasts),
        }
    }
}

impl Fault {
    fn draw(random: &mut StdRng) -> Self {
        let worker = random.random_range(0..WORKERS);
        let hub = random.random_range(0..HUBS);
        let line = Line::draw(random);
        match random.random_range(0..20) {
            0..=2 => Self::KillWorker(worker),
            3..=4 => Self::StopWorker(worker),
            5..=6 => Self::TermWorker(worker),
            7 => Self::FillDisk(worker),
            8..=9 => Self::Cut(line),
            10..=11 => Self::Silence(line),
            12 => Self::Forget(line),
            13 => Self::KillHub(hub),
            14 => Self::TermHub(hub),
            15 => Self::StopHub(hub),
            16 => Self::CrashPostgres,
            17 => Self::PausePostgres,
            _ => Self::KillSessions,
        }
    }

    /// Two faults of one round must not have the same victim.
    pub fn victim(self) -> String {
        match self {
            Self::KillWorker(i) | Self::StopWorker(i) | Self::TermWorker(i) => format!("worker {i}"),
            Self::FillDisk(i) => format!("disk of worker {i}"),
            Self::Cut(line) | Self::Silence(line) | Self::Forget(line) => line.to_string(),
            Self::KillHub(i) | Self::TermHub(i) | Self::StopHub(i) => format!("hub {i}"),
            Self::CrashPostgres | Self::PausePostgres => "postgres".to_owned(),
            Self::KillSessions => "sshd".to_owned(),
        }
    }

    /// Does it.
    pub async fn begin(self, fleet: &mut Fleet) {
        match self {
            Self::KillWorker(i) => fleet.kill_worker(i),
            Self::StopWorker(i) => fleet.machines[i].worker.process.signal(Signal::STOP),
            Self::TermWorker(i) => {
                fleet.machines[i].worker.process.signal(Signal::TERM);
                fleet.machines[i].leaving = Some(std::time::Instant::now());
            }
            Self::FillDisk(i) => fleet.machines[i].disk.fill(100_000),
            Self::Cut(line) => line.of(fleet).cut(),
            Self::Silence(line) => line.of(fleet).silence(),
            Self::Forget(line) => line.of(fleet).forget(),
            Self::KillHub(i) => fleet.kill_hub(i),
            Self::TermHub(i) => {
                fleet.hubs[i].hub.process.signal(Signal::TERM);
                fleet.hubs[i].leaving = Some(std::time::Instant::now());
            }
            Self::StopHub(i) => fleet.hubs[i].hub.process.signal(Signal::STOP),
            Self::CrashPostgres => fleet.server.crash(),
            Self::PausePostgres => fleet.server.pause(true),
            Self::KillSessions => fleet.sshd.kill_connections(),
        }
    }

    /// Ends it.
    pub async fn end(self, fleet: &mut Fleet) {
        match self {
            Self::StopWorker(i) => fleet.machines[i].worker.process.signal(Signal::CONT),
            Self::FillDisk(i) => fleet.machines[i].disk.empty(),
            Self::Cut(line) | Self::Silence(line) => line.of(fleet).mend(),
            Self::StopHub(i) => fleet.hubs[i].hub.process.signal(Signal::CONT),
            Self::CrashPostgres => tokio::task::block_in_place(|| fleet.server.resume()),
            Self::PausePostgres => fleet.server.pause(false),
            Self::KillWorker(_)
            | Self::TermWorker(_)
            | Self::Forget(_)
            | Self::KillHub(_)
            | Self::TermHub(_)
            | Self::KillSessions => {}
        }
    }
}

impl Line {
    fn draw(random: &mut StdRng) -> Self {
        let worker = random.random_range(0..WORKERS);
        match random.random_range(0..6) {
            0..=1 => Self::WorkerToDatabase(worker),
            2 => Self::WorkerToHub(worker),
            3 => Self::HubToDatabase(random.random_range(0..HUBS)),
            _ => Self::ToSource(random.random_range(0..SOURCES)),
        }
    }

    fn of(self, fleet: &Fleet) -> &crate::support::cable::Cable {
        match self {
            Self::WorkerToDatabase(i) => &fleet.machines[i].database,
            Self::WorkerToHub(i) => &fleet.machines[i].hub,
            Self::HubToDatabase(i) => &fleet.hubs[i].database,
            Self::ToSource(i) => &fleet.sources[i].cable,
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WorkerToDatabase(i) => write!(f, "worker {i} – database"),
            Self::WorkerToHub(i) => write!(f, "worker {i} – hub"),
            Self::HubToDatabase(i) => write!(f, "hub {i} – database"),
            Self::ToSource(i) => write!(f, "workers – source {i}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillWorker(_) | Self::KillHub(_) => write!(f, "kill {}", self.victim()),
            Self::StopWorker(_) | Self::StopHub(_) => write!(f, "stop {}", self.victim()),
            Self::TermWorker(_) | Self::TermHub(_) => write!(f, "end {}", self.victim()),
            Self::FillDisk(_) => write!(f, "fill {}", self.victim()),
            Self::Cut(line) => write!(f, "cut {line}"),
            Self::Silence(line) => write!(f, "silence {line}"),
            Self::Forget(line) => write!(f, "forget {line}"),
            Self::CrashPostgres => write!(f, "crash postgres"),
            Self::PausePostgres => write!(f, "pause postgres"),
            Self::KillSessions => write!(f, "kill sessions of sshd"),
        }
    }
}
