//! A hub that starts while its database does not answer as it should.

use sqlx::{Connection, PgConnection};

use super::support::{
    cable::{Cable, Far},
    eventually::{SOON, eventually},
    postgres::Database,
    xvault::Hub,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_without_a_word_while_the_hub_starts_delays_it_by_seconds() {
    let database = Database::new().await;
    let cable = Cable::to(Far::Socket(database.socket()), None).await;
    let url = Database::through(&database.url, "127.0.0.1", cable.port);
    let pool = database.pool().await;
    let mut holder: PgConnection = pool.acquire().await.unwrap().detach();
    let mut hold = holder.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(hashtext('xvault roles'))")
        .execute(&mut *hold)
        .await
        .unwrap();

    let harm = async {
        let waiting = "select exists (select from pg_stat_activity where datname = current_database() and wait_event = 'advisory')";
        eventually("the hub waits for its turn", SOON, async || {
            sqlx::query_scalar(waiting).fetch_one(&pool).await.unwrap()
        })
        .await;
        // What it waits for happens, and it will never hear of it.
        cable.forget();
        hold.rollback().await.unwrap();
    };
    let hub_url = [("XVAULT_DATABASE_URL", url)];
    let (hub, ()) = tokio::join!(Hub::start(&database, &hub_url), harm);
    hub.admin().await.get("/api/v1/sources").await.expect(200);
}
