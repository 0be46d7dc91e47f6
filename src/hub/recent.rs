//! A value that is kept for a moment: what many requests ask for is worked out once.

use std::{future::Future, time::Duration};

use tokio::{sync::Mutex, time::Instant};

/// How much longer than it took to make a value is good, at least: making it takes a twentieth of the time at most.
const WORTH: u32 = 20;

/// The last value.
#[derive(Debug)]
pub struct Recent<T>(Mutex<Option<Kept<T>>>);

#[derive(Debug)]
struct Kept<T> {
    value: T,
    made: Instant,
    took: Duration,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Recent<T> {
    /// The last value, if it is younger than `age` or was costly to make a moment ago; else `make` makes one, and
    /// whoever asks meanwhile waits for it. An error is not kept.
    pub async fn get<E>(&self, age: Duration, make: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let mut kept = self.0.lock().await;
        if let Some(last) = kept.as_ref()
            && last.made.elapsed() < age.max(last.took * WORTH)
        {
            return Ok(last.value.clone());
        }
        let began = Instant::now();
        let value = make.await?;
        *kept = Some(Kept {
            value: value.clone(),
            made: Instant::now(),
            took: began.elapsed(),
        });
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_value_is_made_once_per_moment_and_errors_are_not_kept() {
        let recent = Recent::default();
        let age = Duration::from_secs(3);
        assert_eq!(recent.get(age, async { Err::<u8, u8>(1) }).await, Err(1));
        assert_eq!(recent.get(age, async { Ok::<u8, u8>(2) }).await, Ok(2));
        assert_eq!(recent.get(age, async { Ok::<u8, u8>(3) }).await, Ok(2));
    }

    #[tokio::test]
    async fn what_is_costly_is_made_less_often() {
        let costly = async || {
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(50) {
                tokio::task::yield_now().await;
            }
            Ok::<u8, u8>(1)
        };
        let (recent, began) = (Recent::default(), Instant::now());
        let mut made = 0;
        while began.elapsed() < Duration::from_millis(400) {
            let make = async {
                made += 1;
                costly().await
            };
            assert_eq!(recent.get(Duration::ZERO, make).await, Ok(1));
            tokio::task::yield_now().await;
        }
        assert_eq!(made, 1, "not again within a second");
    }
}
