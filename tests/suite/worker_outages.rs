//! What a worker does while the database or the hub is away.

use std::{
    fs,
    time::{Duration, Instant},
};

use super::support::{
    eventually::{SOON, eventually},
    gate::Gate,
    postgres::Server,
    site::Site,
    sshd::Setup,
    wired::Wired,
    xvault::Variable,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_does_not_end_a_transfer() {
    let mut server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let gate = Gate::closed();
    let database = server.database().await;
    // Long enough to outlive the outage: then the very same attempt goes on and reports.
    let lease: [Variable; 1] = [("XVAULT_LEASE", "60s".to_owned())];
    let site = Site::on(database, gate.setup(), &lease).await;
    fs::write(site.sshd.home().join("noise"), vec![7; 4_000_000]).unwrap();
    let job = site.back_up().await;
    site.until(&job, "data flows", |job| job["phase"] == "transferring")
        .await;

    server = tokio::task::spawn_blocking(move || {
        server.kill();
        // The rest of the data comes while there is no database.
        gate.open();
        server.resume();
        server
    })
    .await
    .unwrap();
    let job = site.over(&job).await;
    assert_eq!(
        (&job["state"], &job["attempt"]),
        (&"succeeded".into(), &1.into()),
        "{job}"
    );
    assert_eq!(site.stored().0, site.snapshots().await);
    drop(site);
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_to_the_hub_that_broke_without_a_word_delays_a_job_by_seconds() {
    let wired = Wired::start(Setup::default(), &[]).await;
    // The probe of the source left a connection behind that is kept for the next brief.
    wired.hub.forget();
    let ordered = Instant::now();
    let job = wired.site.back_up().await;
    wired.survived(&job, 1..=1).await;
    assert!(
        ordered.elapsed() < Duration::from_secs(25),
        "it took {:?}",
        ordered.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_connections_broke_without_a_word_still_stops_in_time() {
    let mut wired = Wired::start(Setup::default(), &[]).await;
    wired.database.forget();
    let told = Instant::now();
    assert!(wired.site.stack.worker.process.stop().await.success());
    assert!(told.elapsed() < Duration::from_secs(30), "it took {:?}", told.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_of_disk_and_catalogue_whose_answer_was_lost_is_made_again() {
    let wired = Wired::start(Setup::default(), &[]).await;
    let pool = wired.site.stack.database.pool().await;
    let mut hold = wired.hold_table("workers").await;
    hold.keeps_waiting("update workers set storage_id").await;
    wired.database.forget();
    hold.release().await;
    // Whatever the statement did, its answer never comes.
    sqlx::query("update workers set reconciled_at = null")
        .execute(&pool)
        .await
        .unwrap();
    eventually("disk and catalogue are compared again", SOON, async || {
        sqlx::query_scalar("select reconciled_at is not null from workers")
            .fetch_one(&pool)
            .await
            .unwrap()
    })
    .await;
}
