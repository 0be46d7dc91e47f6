//! The stop signal of a process.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Fires once, when the process should stop. Handed down from `main`; there is no global one.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    token: CancellationToken,
}

impl Shutdown {
    /// One that only [`Shutdown::trigger`] fires.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that SIGTERM and SIGINT fire. A second signal ends the process at once, for those who
    /// cannot wait for the grace period. Must be called inside a runtime.
    pub fn on_signals() -> std::io::Result<Self> {
        let shutdown = Self::new();
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let fired = shutdown.clone();
        tokio::spawn(async move {
            for first in [true, false] {
                let code = tokio::select! {
                    _ = terminate.recv() => 143,
                    _ = interrupt.recv() => 130,
                };
                if first {
                    tracing::info!("stopping");
                    fired.trigger();
                } else {
                    std::process::exit(code);
                }
            }
        });
        Ok(shutdown)
    }

    /// What to wait on.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Fires it.
    pub fn trigger(&self) {
        self.token.cancel();
    }
}
