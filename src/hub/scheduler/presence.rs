//! This hub's sign of life: its row in `hubs`.

use std::time::Duration;

use crate::{
    db::{
        DbError,
        hubs::{self, HubBeat},
    },
    hub::Hub,
};

/// How often.
pub const EVERY: Duration = Duration::from_secs(10);

/// How long the row of a hub that was killed is kept.
const KEEP: Duration = Duration::from_secs(60 * 60);

/// One round.
pub async fn once(hub: Hub) -> Result<u64, DbError> {
    let beat = HubBeat {
        id: hub.process_id.to_string(),
        hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        url: hub.settings.url.to_string(),
    };
    hubs::beat(&mut *hub.pool.acquire().await?, &beat, KEEP).await?;
    Ok(0)
}

/// Takes the row away when the hub stops.
pub async fn leave(hub: &Hub) -> Result<(), DbError> {
    hubs::stopped(&mut *hub.pool.acquire().await?, &hub.process_id.to_string()).await
}
