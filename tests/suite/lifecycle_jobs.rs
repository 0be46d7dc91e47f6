//! The life of a job: leases, reports, retries, cancelling, and workers that go silent.

use std::time::Duration;

use sqlx::PgConnection;
use xvault::{
    db::{
        job_events,
        jobs::{self, AfterFailure, Cancellation, Claimed, Offer, Renewal, Retry},
        sources,
    },
    domain::{
        error_code::ErrorCode,
        ids::{JobId, TenantId, WorkerId},
        job::{Job, JobError, JobState, Progress},
        job_event::JobEventKind,
    },
    queue::{self, orders, route::WORK},
};

use super::support::{
    catalogue,
    eventually::{SOON, eventually},
    postgres::Database,
};

const LEASE: Duration = Duration::from_secs(60);

struct World {
    conn: sqlx::pool::PoolConnection<sqlx::Postgres>,
    tenant: TenantId,
    worker: WorkerId,
    database: Database,
}

impl World {
    async fn new() -> Self {
        let database = Database::new().await;
        let mut conn = database.pool().await.acquire().await.unwrap();
        Self {
            tenant: catalogue::tenant(&mut conn).await,
            worker: catalogue::worker(&mut conn).await,
            conn,
            database,
        }
    }

    /// A backup in the hands of a worker.
    async fn running(&mut self) -> Claimed {
        catalogue::backup(&mut self.conn, &self.tenant).await;
        self.claim().await.expect("a due job")
    }

    async fn claim(&mut self) -> Option<Claimed> {
        jobs::claim(&mut self.conn, &Offer::new(WORK, &self.worker, LEASE))
            .await
            .unwrap()
    }

    async fn job(&mut self, id: &JobId) -> Job {
        jobs::get(&mut self.conn, &self.tenant, id).await.unwrap().unwrap()
    }

    async fn last_event(&mut self, id: &JobId) -> JobEventKind {
        let events = job_events::list(&mut self.conn, &self.tenant, id, 0).await.unwrap();
        events.last().unwrap().kind
    }

    async fn lease_runs_out(&mut self, id: &JobId) {
        sqlx::query("update jobs set lease_expires_at = now() - interval '1 second' where id = $1")
            .bind(id)
            .execute(&mut *self.conn)
            .await
            .unwrap();
    }
}

fn error(code: ErrorCode) -> JobError {
    JobError::new(code, "server.example refused", "Look at it")
}

async fn waiting_tickets(conn: &mut PgConnection) -> i64 {
    sqlx::query_scalar("select count(*) from apalis.jobs where status = 'Pending'")
        .fetch_one(conn)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_report_needs_the_lease_of_the_current_attempt() {
    let mut world = World::new().await;
    let first = world.running().await;
    let id = first.job.id.clone();
    let held = jobs::held_by(&mut world.conn, &id, &first.lease.worker_id, first.lease.lease_id);
    assert!(held.await.unwrap().is_some());

    world.lease_runs_out(&id).await;
    let held = jobs::held_by(&mut world.conn, &id, &first.lease.worker_id, first.lease.lease_id);
    assert!(held.await.unwrap().is_none(), "no secrets for an expired lease");
    queue::reap(&mut world.conn, 10, Duration::ZERO).await.unwrap();
    let second = world.claim().await.unwrap();
    assert_eq!((second.job.id.clone(), second.job.attempt), (id.clone(), 2));
    assert_ne!(second.lease.lease_id, first.lease.lease_id);

    let conn = &mut *world.conn;
    let progress = Progress::default();
    assert_eq!(
        jobs::renew(conn, &first.lease, LEASE, &progress).await.unwrap(),
        Renewal::Lost
    );
    assert!(!jobs::finish(conn, &first.lease, &catalogue::done()).await.unwrap());
    let failed = queue::fail(
        conn,
        &first.lease,
        &error(ErrorCode::ConnectFailed),
        &Retry::after(LEASE),
    )
    .await;
    assert_eq!(failed.unwrap(), AfterFailure::Refused);
    let back = queue::hand_back(conn, &first.lease, "stopping").await;
    assert_eq!(back.unwrap(), AfterFailure::Refused);
    assert_eq!(world.job(&id).await.state, JobState::Running);

    assert!(
        jobs::finish(&mut world.conn, &second.lease, &catalogue::done())
            .await
            .unwrap()
    );
    let job = world.job(&id).await;
    assert_eq!(job.state, JobState::Succeeded);
    assert!(job.finished_at.is_some() && job.error.is_none());
    assert!(
        !jobs::finish(&mut world.conn, &second.lease, &catalogue::done())
            .await
            .unwrap(),
        "only once"
    );
}

#[tokio::test]
async fn transient_failures_come_back_until_the_attempts_are_used_up() {
    let mut world = World::new().await;
    let mut claimed = world.running().await;
    let id = claimed.job.id.clone();
    for attempt in 1..claimed.job.max_attempts {
        let tickets = waiting_tickets(&mut world.conn).await;
        let failed = error(ErrorCode::ConnectFailed);
        let after = queue::fail(
            &mut world.conn,
            &claimed.lease,
            &failed,
            &Retry::after(Duration::from_secs(600)),
        )
        .await;
        assert!(matches!(after.unwrap(), AfterFailure::Retry { .. }));
        let job = world.job(&id).await;
        assert_eq!((job.state, job.attempt), (JobState::Queued, attempt));
        assert_eq!(job.error.unwrap().code, ErrorCode::ConnectFailed);
        assert_eq!(world.last_event(&id).await, JobEventKind::Retry);
        assert_eq!(waiting_tickets(&mut world.conn).await, tickets + 1);
        assert!(world.claim().await.is_none(), "the pause holds");
        sqlx::query("update jobs set run_at = now()")
            .execute(&mut *world.conn)
            .await
            .unwrap();
        claimed = world.claim().await.unwrap();
        assert!(claimed.job.error.is_none(), "a new attempt begins clean");
    }
    let failed = error(ErrorCode::ConnectFailed);
    let after = queue::fail(&mut world.conn, &claimed.lease, &failed, &Retry::after(LEASE))
        .await
        .unwrap();
    assert_eq!(after, AfterFailure::Failed);
    assert_eq!(world.job(&id).await.state, JobState::Failed);
}

#[tokio::test]
async fn permanent_failures_fail_at_once() {
    let mut world = World::new().await;
    for failed in [
        error(ErrorCode::IdentityChanged),
        // As seen where it arose, whatever is usual for the code.
        error(ErrorCode::Internal).permanent(),
    ] {
        let claimed = world.running().await;
        let after = queue::fail(&mut world.conn, &claimed.lease, &failed, &Retry::after(LEASE))
            .await
            .unwrap();
        assert_eq!(after, AfterFailure::Failed);
        let job = world.job(&claimed.job.id).await;
        assert_eq!((job.state, job.attempt), (JobState::Failed, 1));
        let told = job.error.unwrap();
        assert_eq!((told.code, told.message), (failed.code, failed.message));
    }

    let claimed = world.running().await;
    let failed = error(ErrorCode::ProtocolError).transient();
    let after = queue::fail(&mut world.conn, &claimed.lease, &failed, &Retry::after(LEASE))
        .await
        .unwrap();
    assert!(matches!(after, AfterFailure::Retry { .. }));
}

#[tokio::test]
async fn cancelling_is_at_once_or_a_request() {
    let mut world = World::new().await;
    let waiting = catalogue::backup(&mut world.conn, &world.tenant).await.id;
    let stranger = catalogue::tenant(&mut world.conn).await;
    let asked = jobs::request_cancel(&mut world.conn, &stranger, &waiting).await;
    assert_eq!(asked.unwrap(), Cancellation::NotFound);
    let asked = jobs::request_cancel(&mut world.conn, &world.tenant, &waiting).await;
    assert_eq!(asked.unwrap(), Cancellation::Cancelled);
    assert!(world.claim().await.is_none());

    let claimed = world.running().await;
    let id = claimed.job.id.clone();
    for _ in 0..2 {
        let asked = jobs::request_cancel(&mut world.conn, &world.tenant, &id).await;
        assert_eq!(asked.unwrap(), Cancellation::Requested);
    }
    let renewal = jobs::renew(&mut world.conn, &claimed.lease, LEASE, &Progress::default()).await;
    assert_eq!(renewal.unwrap(), Renewal::Held { cancel_requested: true });
    let failed = error(ErrorCode::TransferInterrupted);
    let after = queue::fail(&mut world.conn, &claimed.lease, &failed, &Retry::after(LEASE))
        .await
        .unwrap();
    assert_eq!(after, AfterFailure::Cancelled);
    let job = world.job(&id).await;
    assert_eq!((job.state, job.error), (JobState::Cancelled, None));
    let asked = jobs::request_cancel(&mut world.conn, &world.tenant, &id).await;
    assert_eq!(asked.unwrap(), Cancellation::AlreadyOver(JobState::Cancelled));
}

#[tokio::test]
async fn a_job_given_back_is_due_at_once_and_the_attempt_does_not_count() {
    let mut world = World::new().await;
    let claimed = world.running().await;
    let after = queue::hand_back(&mut world.conn, &claimed.lease, "stopping")
        .await
        .unwrap();
    assert!(matches!(after, AfterFailure::Retry { .. }));
    assert_eq!(world.last_event(&claimed.job.id).await, JobEventKind::HandedBack);
    let again = world.claim().await.unwrap();
    assert_eq!((again.job.id, again.job.attempt), (claimed.job.id, 1));
}

#[tokio::test]
async fn jobs_of_silent_workers_go_back_or_end() {
    let mut world = World::new().await;
    let alive = world.running().await.job.id;
    let (again, over, cancelled) = (
        world.running().await.job.id,
        world.running().await.job.id,
        world.running().await.job.id,
    );
    for id in [&again, &over, &cancelled] {
        world.lease_runs_out(id).await;
    }
    sqlx::query("update jobs set attempt = max_attempts where id = $1")
        .bind(&over)
        .execute(&mut *world.conn)
        .await
        .unwrap();
    jobs::request_cancel(&mut world.conn, &world.tenant, &cancelled)
        .await
        .unwrap();
    let settling = queue::reap(&mut world.conn, 10, Duration::from_secs(1_000_000)).await;
    assert_eq!(settling.unwrap(), [], "the database has just started");

    let before = waiting_tickets(&mut world.conn).await;
    assert_eq!(queue::reap(&mut world.conn, 10, Duration::ZERO).await.unwrap().len(), 3);
    assert_eq!(waiting_tickets(&mut world.conn).await, before + 1);
    assert_eq!(world.job(&alive).await.state, JobState::Running);
    assert_eq!(world.job(&again).await.state, JobState::Queued);
    assert_eq!(world.job(&cancelled).await.state, JobState::Cancelled);
    let over = world.job(&over).await;
    assert_eq!(over.state, JobState::Failed);
    assert_eq!(over.error.unwrap().code, ErrorCode::WorkerLost);
}

#[tokio::test]
async fn an_order_and_the_report_of_the_backup_before_it_never_wait_for_each_other() {
    let mut world = World::new().await;
    let running = world.running().await;
    let pool = world.database.pool().await;
    let source = running.job.source_id.clone();
    let mut report = pool.begin().await.unwrap();
    assert!(
        jobs::finish(&mut report, &running.lease, &catalogue::done())
            .await
            .unwrap()
    );
    let mut order = pool.begin().await.unwrap();
    sources::lock(&mut order, &world.tenant, &source).await.unwrap();
    let new = orders::backup(world.tenant.clone(), source.clone());
    let goes_on = async {
        let waits = "select exists (select from pg_stat_activity \
             where datname = current_database() and wait_event = 'transactionid')";
        eventually(
            "the order waits to learn whether the backup is over",
            SOON,
            async || sqlx::query_scalar(waits).fetch_one(&pool).await.unwrap(),
        )
        .await;
        // What the row of a snapshot asks of the source it belongs to.
        let locked = sqlx::query("select from sources where id = $1 for key share").bind(&source);
        locked.execute(&mut *report).await.unwrap();
        report.commit().await.unwrap();
    };
    let (ordered, ()) = tokio::join!(queue::enqueue(&mut order, &new), goes_on);
    ordered.unwrap();
}
