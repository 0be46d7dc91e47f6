//! People who order work all the time, through whichever hub answers, and remember what was promised.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rand::{Rng, rngs::StdRng};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::fleet::{Fleet, HUBS, SOURCES};
use crate::support::http::Api;

/// How long somebody tries until a hub answers: a hub that vanished in the middle of a transaction keeps the order's key
/// for a quarter of a minute, and the database may be away meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// What somebody wants.
#[derive(Debug, Clone)]
pub struct Order {
    what: What,
    hub: usize,
    key: u64,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Backup(usize),
    Restore(usize),
    Verify(usize),
    Delete(usize),
    Cancel(usize),
}

impl Order {
    /// Anything.
    pub fn draw(random: &mut StdRng) -> Self {
        let any = random.random_range(0..10_000);
        let what = match random.random_range(0..20) {
            0..=9 => What::Backup(any % SOURCES),
            10..=12 => What::Restore(any),
            13..=15 => What::Verify(any),
            16..=17 => What::Delete(any),
            _ => What::Cancel(any),
        };
        Self {
            what,
            hub: random.random_range(0..HUBS),
            key: random.random(),
        }
    }
}

/// Everybody.
pub struct People {
    hubs: Arc<Vec<Api>>,
    sources: Arc<Vec<String>>,
    accepted: Arc<Mutex<Vec<String>>>,
    refused: Arc<AtomicU32>,
    unanswered: Arc<AtomicU32>,
    surprises: Arc<Mutex<Vec<String>>>,
    waiting: TaskTracker,
}

/// One of them.
#[derive(Clone)]
struct Person {
    hubs: Arc<Vec<Api>>,
    sources: Arc<Vec<String>>,
    surprises: Arc<Mutex<Vec<String>>>,
    order: Order,
}

impl People {
    /// People of the fleet's tenant.
    pub fn new(fleet: &Fleet) -> Self {
        let api = |hub: &str| Api::anonymous(hub).with_token(&fleet.key);
        Self {
            hubs: Arc::new(fleet.hubs.iter().map(|machine| api(&machine.hub.url)).collect()),
            sources: Arc::new(fleet.sources.iter().map(|source| source.id.clone()).collect()),
            accepted: Arc::default(),
            refused: Arc::default(),
            unanswered: Arc::default(),
            surprises: Arc::default(),
            waiting: TaskTracker::new(),
        }
    }

    /// Somebody orders this, and tries until there is an answer.
    pub fn order(&self, order: &Order) {
        let person = Person {
            hubs: Arc::clone(&self.hubs),
            sources: Arc::clone(&self.sources),
            surprises: Arc::clone(&self.surprises),
            order: order.clone(),
        };
        let (accepted, refused) = (Arc::clone(&self.accepted), Arc::clone(&self.refused));
        let unanswered = Arc::clone(&self.unanswered);
        self.waiting.spawn(async move {
            match tokio::time::timeout(PATIENCE, person.insist()).await {
                Ok(Some(job)) => accepted.lock().expect("no panic").push(job),
                Ok(None) => drop(refused.fetch_add(1, Ordering::Relaxed)),
                Err(_) => drop(unanswered.fetch_add(1, Ordering::Relaxed)),
            }
        });
    }

    /// Jobs that a hub has promised.
    pub fn accepted(&self) -> Vec<String> {
        self.accepted.lock().expect("no panic").clone()
    }

    /// Orders that nobody answered.
    pub fn unanswered(&self) -> u32 {
        self.unanswered.load(Ordering::Relaxed)
    }

    /// Answers that no order should get.
    pub fn take_surprises(&self) -> Vec<String> {
        std::mem::take(&mut self.surprises.lock().expect("no panic"))
    }

    /// Waits until everybody has an answer.
    pub async fn settle(&self) {
        let end = Instant::now() + PATIENCE + ANSWER;
        while !self.waiting.is_empty() && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The first hub, for who looks at the end.
    pub fn hub(&self) -> &Api {
        &self.hubs[0]
    }

    /// What became of the orders so far.
    pub fn summary(&self) -> String {
        let accepted = self.accepted.lock().expect("no panic").len();
        let refused = self.refused.load(Ordering::Relaxed);
        format!(
            "{accepted} orders accepted, {refused} refused, {} under way",
            self.waiting.len()
        )
    }
}

impl Person {
    /// The job of the order; `None` if it was refused, or there is nothing to do it with.
    async fn insist(&self) -> Option<String> {
        let mut chosen: Option<(Method, String, Value)> = None;
        for turn in self.order.hub.. {
            let hub = &self.hubs[turn % HUBS];
            if chosen.is_none()
                && let Some(choice) = self.choose(hub).await
            {
                // Nothing to choose from.
                chosen = Some(choice?);
            }
            if let Some((method, path, body)) = &chosen
                && let Some(answer) = self.ask(hub, method, path, body).await
            {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        None
    }

    /// The request; `None` if the hub does not answer.
    async fn choose(&self, hub: &Api) -> Option<Option<(Method, String, Value)>> {
        let pick = async |list: &str, n: usize| -> Option<Option<String>> {
            let request = hub.request(Method::GET, list).timeout(ANSWER);
            let answer: Value = request.send().await.ok()?.error_for_status().ok()?.json().await.ok()?;
            let items = answer["items"].as_array()?;
            Some(
                items
                    .get(n.checked_rem(items.len()).unwrap_or(0))
                    .and_then(|item| Some(item["id"].as_str()?.to_owned())),
            )
        };
        let snapshots = "/api/v1/snapshots?limit=200";
        Some(match self.order.what {
            What::Backup(n) => Some((
                Method::POST,
                format!("/api/v1/sources/{}/backups", self.sources[n]),
                json!({}),
            )),
            What::Restore(n) => pick(snapshots, n).await?.map(|id| {
                (
                    Method::POST,
                    format!("/api/v1/snapshots/{id}/restores"),
                    json!({"format": "tar.zst"}),
                )
            }),
            What::Verify(n) => pick(snapshots, n)
                .await?
                .map(|id| (Method::POST, format!("/api/v1/snapshots/{id}/verify"), json!({}))),
            What::Delete(n) => pick(snapshots, n)
                .await?
                .map(|id| (Method::DELETE, format!("/api/v1/snapshots/{id}"), Value::Null)),
            What::Cancel(n) => pick("/api/v1/jobs?limit=12", n)
                .await?
                .map(|id| (Method::POST, format!("/api/v1/jobs/{id}/cancel"), json!({}))),
        })
    }

    /// Sends it; `None` if it has to be sent again.
    async fn ask(&self, hub: &Api, method: &Method, path: &str, body: &Value) -> Option<Option<String>> {
        let request = hub
            .request(method.clone(), path)
            .header("idempotency-key", format!("chaos-{}", self.order.key))
            .timeout(ANSWER)
            .json(body);
        let response = request.send().await.ok()?;
        let status = response.status();
        let answer: Value = response.json().await.ok()?;
        let in_progress = answer["type"]
            .as_str()
            .is_some_and(|kind| kind.ends_with("in_progress"));
        match status {
            StatusCode::ACCEPTED => {
                let job = answer["job"]["id"].as_str().or(answer["id"].as_str());
                Some(job.map(str::to_owned))
            }
            _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => None,
            _ if in_progress => None,
            StatusCode::CONFLICT | StatusCode::NOT_FOUND => Some(None),
            _ => {
                let surprise = format!("{method} {path} answered {status}: {answer}");
                self.surprises.lock().expect("no panic").push(surprise);
                Some(None)
            }
        }
    }
}
