//! Waiting for a condition instead of for time.

use std::time::Duration;

use tokio::time::Instant;

/// How long to wait for what takes well below a second on an idle machine.
pub const SOON: Duration = Duration::from_secs(60);

/// Asks again and again until the answer is true; panics with `what` after `deadline`.
pub async fn eventually(what: &str, deadline: Duration, mut ask: impl AsyncFnMut() -> bool) {
    eventually_some(what, deadline, async || ask().await.then_some(())).await;
}

/// Asks again and again until there is an answer; panics with `what` after `deadline`.
pub async fn eventually_some<T>(what: &str, deadline: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "waited {deadline:?} in vain: {what}");
        // Not synchronisation: only how often the question is asked.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
