//! Listening, serving, stopping.

use std::{net::SocketAddr, time::Duration};

use tokio::net::TcpListener;

use crate::hub::Hub;

/// How long answers under way may take after the stop signal; longer than any request may.
const LAST_ANSWERS: Duration = Duration::from_secs(35);

/// Serves API and pages until the hub is told to stop, and finishes what is under way.
pub async fn serve(hub: Hub, listener: TcpListener) -> std::io::Result<()> {
    let stop = hub.shutdown.clone();
    let service = super::router(hub).into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
    tokio::select! {
        served = async { serving.await } => served,
        () = async { stop.cancelled().await; tokio::time::sleep(LAST_ANSWERS).await } => {
            tracing::warn!("answers that were still under way are cut off");
            Ok(())
        }
    }
}
