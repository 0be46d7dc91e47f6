//! How long a dropped connection is worth another try.

use std::time::Duration;

/// Pauses before each further try, in seconds: a restarted server is back within them.
const PAUSES: [u64; 6] = [0, 1, 2, 4, 8, 15];

/// What is left of the patience with one task.
#[derive(Debug, Default)]
pub struct Patience {
    used: usize,
}

impl Patience {
    /// Waits for the time to try again; `false` if there is none.
    pub async fn wait(&mut self) -> bool {
        let Some(pause) = PAUSES.get(self.used) else {
            return false;
        };
        self.used += 1;
        tokio::time::sleep(Duration::from_secs(*pause)).await;
        true
    }

    /// Something went forward: all of it again.
    pub fn restore(&mut self) {
        self.used = 0;
    }
}
