//! A worker on another host, whose network cable is pulled and plugged in again.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::support::{
    eventually::{SOON, eventually},
    far_host::FarHost,
    gate::Gate,
    postgres::Database,
    wired::Wired,
};

/// Until a worker that is connected again takes and does a job.
const BACK_AT_WORK: Duration = Duration::from_secs(45);

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_cut_off_loses_its_job_and_works_again_when_it_is_back() {
    let host = Arc::new(FarHost::new());
    let gate = Gate::closed();
    let wired = Wired::across(Some(Arc::clone(&host)), Database::new().await, gate.setup(), &[]).await;
    let site = &wired.site;
    let job = site.back_up().await;
    site.until(&job, "data flows", |job| job["phase"] == "transferring")
        .await;

    host.unplug();
    gate.open();
    let mut second = wired.second_worker().await;
    // Its lease runs out, and the other one does the job.
    wired.one_good_snapshot(&job, 2..=2).await;
    assert!(second.process.stop().await.success());

    host.plug_in();
    let plugged_in = Instant::now();
    let next = site.over(&site.back_up().await).await;
    assert_eq!(next["state"], "succeeded", "{next}");
    assert!(
        plugged_in.elapsed() < BACK_AT_WORK,
        "it took {:?}",
        plugged_in.elapsed()
    );
    let snapshots = site.snapshots().await;
    assert_eq!(snapshots.len(), 2);
    // What it had begun before is gone, here and at the source.
    wired.leaves(&site.stack.worker, &snapshots).await;
    let output = || site.stack.worker.process.output();
    eventually("it knows that it lost the first one", SOON, async || {
        output().contains("the lease is lost") || output().contains("the report was refused")
    })
    .await;
}
