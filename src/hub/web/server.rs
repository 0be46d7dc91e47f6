//! Listening, serving, stopping.

use std::time::Duration;

use axum::{extract::ConnectInfo, http::Extensions};
use tokio::net::TcpListener;

use crate::{
    hub::Hub,
    serving::{self, Bounds},
};

/// How long answers under way may take after the stop signal; longer than any request may.
const LAST_ANSWERS: Duration = Duration::from_secs(35);

/// Serves API and pages until the hub is told to stop, and finishes what is under way.
pub async fn serve(hub: Hub, listener: TcpListener) {
    let stop = hub.shutdown.clone();
    let serving = serving::serve(
        listener,
        super::router(hub),
        Bounds::default(),
        stop.clone(),
        |stream, address| {
            let mut extensions = Extensions::new();
            extensions.insert(ConnectInfo(address));
            (stream, extensions)
        },
    );
    tokio::select! {
        () = serving => {}
        () = async { stop.cancelled().await; tokio::time::sleep(LAST_ANSWERS).await } => {
            tracing::warn!("answers that were still under way are cut off");
        }
    }
}
