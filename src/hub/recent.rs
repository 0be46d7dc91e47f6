//! A value that is kept for a moment: what many requests ask for is worked out once.

use std::{future::Future, time::Duration};

use tokio::{sync::Mutex, time::Instant};

/// The last value and when it was made.
#[derive(Debug)]
pub struct Recent<T>(Mutex<Option<(Instant, T)>>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Recent<T> {
    /// The last value, if it is younger than `age`; else `make` makes one, and whoever asks meanwhile
    /// waits for it. An error is not kept.
    pub async fn get<E>(&self, age: Duration, make: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let mut kept = self.0.lock().await;
        if let Some((made, value)) = kept.as_ref()
            && made.elapsed() < age
        {
            return Ok(value.clone());
        }
        let value = make.await?;
        *kept = Some((Instant::now(), value.clone()));
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
        let old = Duration::ZERO;
        assert_eq!(recent.get(old, async { Ok::<u8, u8>(3) }).await, Ok(3));
    }
}
