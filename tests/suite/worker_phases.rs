//! A worker that is killed, stopped or cut off in each phase of a backup: one snapshot after all, and
//! nothing beside it.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::support::{
    eventually::{SOON, eventually, eventually_some},
    gate::Gate,
    postgres::Server,
    site::names_at_depth,
    sshd::Setup,
    wired::Wired,
    xvault::Variable,
};

/// A lease that outlives any trouble of a test: then the very same attempt must go on.
fn long_lease() -> [Variable; 1] {
    [("XVAULT_LEASE", "120s".to_owned())]
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_claims() {
    let mut wired = Wired::start(Setup::default(), &[]).await;
    let worker = &wired.site.stack.worker;
    worker.process.signal(Signal::STOP);
    let job = wired.site.back_up().await;
    let mut hold = wired.hold_table("jobs").await;
    worker.process.signal(Signal::CONT);
    hold.keeps_waiting("from claim_job(").await;
    wired.site.stack.worker.process.kill();
    // The server may still carry out what nobody waits for: then the lease has to run out.
    hold.release().await;
    wired.site.stack.worker.restart().await;
    wired.survived(&job, 1..=2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_asks_for_the_brief() {
    let (mut wired, job) = Wired::without_brief(&[]).await;
    wired.site.stack.worker.process.kill();
    wired.hub.mend();
    wired.site.stack.worker.restart().await;
    wired.survived(&job, 2..=2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_connects() {
    let (mut wired, job) = Wired::connecting(&[]).await;
    wired.site.stack.worker.process.kill();
    wired.source.mend();
    wired.site.stack.worker.restart().await;
    wired.survived(&job, 2..=2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_transfers() {
    let (mut wired, gate, job) = Wired::in_the_middle(&[]).await;
    wired.site.stack.worker.process.kill();
    gate.open();
    wired.site.stack.worker.restart().await;
    wired.survived(&job, 2..=2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_it_finishes() {
    let (mut wired, gate, job) = Wired::in_the_middle(&[]).await;
    let mut hold = wired.hold_job(&job).await;
    gate.open();
    hold.keeps_waiting("set phase =").await;
    assert_eq!(wired.site.stored().1.len(), 1, "staged");
    wired.site.stack.worker.process.kill();
    hold.release().await;
    wired.site.stack.worker.restart().await;
    wired.survived(&job, 2..=2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_the_rename() {
    let (mut wired, gate, job) = Wired::in_the_middle(&[]).await;
    let staging = wired.site.stack.worker.directories.storage().join(".staging");
    gate.open();
    // From here on it syncs, renames and reports; whatever of that it gets done must do.
    while !names_at_depth(&staging, 2).contains(&"meta.json".to_owned()) {
        assert!(wired.site.stored().0.is_empty(), "too slow to see it");
        std::thread::yield_now();
    }
    wired.site.stack.worker.process.kill();
    wired.site.stack.worker.restart().await;
    wired.survived(&job, 1..=2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_rename_and_report() {
    let (mut wired, gate, job) = Wired::in_the_middle(&[]).await;
    let mut hold = wired.hold_table("snapshots").await;
    gate.open();
    hold.keeps_waiting("insert into snapshots").await;
    assert_eq!(wired.site.stored().0.len(), 1, "in its place");
    wired.site.stack.worker.process.kill();
    hold.release().await;
    wired.site.stack.worker.restart().await;
    wired.survived(&job, 2..=2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_past_its_lease_it_is_refused_and_removes_what_it_stored() {
    let (wired, gate, job) = Wired::in_the_middle(&[]).await;
    let mut hold = wired.hold_job(&job).await;
    gate.open();
    hold.keeps_waiting("set phase =").await;
    let first = &wired.site.stack.worker;
    first.process.signal(Signal::STOP);
    hold.release().await;
    let second = wired.second_worker().await;
    wired.survived_by(&second, &job, 2..=2).await;
    first.process.signal(Signal::CONT);
    wired.leaves(first, &[]).await;
    let said = || first.process.output();
    eventually("it notices", SOON, async || said().contains("the lease is lost")).await;
    assert_eq!(wired.site.snapshots().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_for_less_than_its_lease_it_goes_on() {
    let (wired, gate, job) = Wired::in_the_middle(&long_lease()).await;
    wired.site.stack.worker.process.signal(Signal::STOP);
    gate.open();
    tokio::time::sleep(Duration::from_millis(500)).await;
    wired.site.stack.worker.process.signal(Signal::CONT);
    wired.survived(&job, 1..=1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_claimed_in_the_moment_of_the_stop_signal_is_handed_back() {
    let gate = Gate::closed();
    let mut wired = Wired::start(gate.setup(), &[("XVAULT_SHUTDOWN_GRACE", "0s".to_owned())]).await;
    let worker = &wired.site.stack.worker;
    worker.process.signal(Signal::STOP);
    let job = wired.site.back_up().await;
    let mut hold = wired.hold_table("jobs").await;
    worker.process.signal(Signal::CONT);
    hold.keeps_waiting("from claim_job(").await;
    worker.process.signal(Signal::TERM);
    let stopping = || worker.process.output();
    eventually("it stops", SOON, async || stopping().contains("stop")).await;
    hold.release().await;
    assert!(wired.site.stack.worker.process.ended().await.success());
    let handed_back = wired.site.job(&job).await;
    assert_eq!(
        (&handed_back["state"], &handed_back["attempt"]),
        (&json!("queued"), &json!(0))
    );
    gate.open();
    wired.site.stack.worker.restart().await;
    wired.survived(&job, 1..=1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_hub_does_not_end_a_transfer() {
    let (mut wired, gate, job) = Wired::in_the_middle(&[]).await;
    wired.site.stack.hub.process.kill();
    gate.open();
    wired.site.stack.hub.restart().await;
    wired.survived(&job, 1..=1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_brief_a_killed_hub_owes_waits_for_the_hub() {
    let mut wired = Wired::start(Setup::default(), &[]).await;
    wired.hub.cut();
    let job = wired.site.back_up().await;
    wired
        .site
        .until(&job, "it is claimed", |job| job["state"] == "running")
        .await;
    wired.site.stack.hub.process.kill();
    wired.hub.mend();
    wired.site.stack.hub.restart().await;
    wired.survived(&job, 1..=1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crashed_database_does_not_end_a_transfer() {
    let mut server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let gate = Gate::closed();
    let wired = Wired::on(server.database().await, gate.setup(), &long_lease()).await;
    let job = wired.site.back_up().await;
    wired
        .site
        .until(&job, "data flows", |job| job["phase"] == "transferring")
        .await;
    let server = tokio::task::spawn_blocking(move || {
        server.crash();
        gate.open();
        server.resume();
        server
    });
    let server = server.await.unwrap();
    wired.survived(&job, 1..=1).await;
    drop(wired);
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_database_does_not_end_a_transfer() {
    let (wired, gate, job) = Wired::in_the_middle(&long_lease()).await;
    wired.database.silence();
    gate.open();
    let staged = wired.site.stack.worker.directories.storage();
    // "finishing" cannot be told, and the work goes on.
    eventually_some("it is stored meanwhile", SOON, async || {
        names_at_depth(&staged.join("tenants"), 5).pop()
    })
    .await;
    wired.database.mend();
    wired.survived(&job, 1..=1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_broke_without_a_word_are_replaced() {
    let (wired, gate, job) = Wired::in_the_middle(&long_lease()).await;
    wired.database.forget();
    gate.open();
    wired.survived(&job, 1..=1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_source_is_tried_again() {
    let (wired, gate, job) = Wired::in_the_middle(&[]).await;
    wired.source.cut();
    gate.open();
    wired.source.mend();
    wired.survived(&job, 2..=3).await;
}
