//! Tenants and sources to order jobs of, and a past.

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use xvault::{
    db::{Notifier, Transaction},
    domain::ids::{JobId, SourceId, TenantId},
    queue::{self, orders},
};

use crate::support::catalogue;

const TENANTS: usize = 8;
const SOURCES_PER_TENANT: usize = 125;

/// Sources, each at a server of its own.
#[derive(Clone)]
pub struct Catalogue {
    pool: PgPool,
    notifier: Notifier,
    sources: Vec<(TenantId, SourceId)>,
}

impl Catalogue {
    pub async fn make(pool: &PgPool) -> Self {
        let mut conn = pool.acquire().await.expect("a connection");
        let mut sources = Vec::new();
        for _ in 0..TENANTS {
            let tenant = catalogue::tenant(&mut conn).await;
            for _ in 0..SOURCES_PER_TENANT {
                sources.push((tenant.clone(), catalogue::source(&mut conn, &tenant).await));
            }
        }
        let notifier = Notifier::default();
        tokio::spawn(notifier.clone().run(pool.clone(), CancellationToken::new()));
        Self {
            pool: pool.clone(),
            notifier,
            sources,
        }
    }

    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Orders the probe of some source: row, event and ticket in one transaction.
    pub async fn order(&self, number: u64) -> JobId {
        let place = usize::try_from(number).expect("small") * 7 % self.sources.len();
        let (tenant, source) = self.sources[place].clone();
        let mut tx = Transaction::begin(&self.pool).await.expect("a transaction");
        let new = orders::probe(tenant, source);
        let job = queue::enqueue(&mut tx, &new).await.expect("an order");
        tx.changed_job(&job.id);
        tx.added_work(&new.queue);
        tx.commit(&self.notifier).await.expect("a commit");
        job.id
    }

    /// Adds finished jobs with their events.
    pub async fn grow_old(&self, jobs: u64) {
        eprintln!("  writing {jobs} finished jobs");
        for statement in [
            "insert into jobs (id, tenant_id, kind, state, queue, source_id, payload, attempt, host, created_at, started_at,
                 finished_at, result)
             select 'job_' || lpad(to_hex(n), 32, '0'), s.tenant_id, 'probe', 'succeeded', 'work', s.id,
                 '{\"type\": \"probe\", \"v\": 1}', 1, s.config->>'host' || ':22', now(), now(), now(), '{}'
             from generate_series(1, $1) n join (
                 select *, row_number() over () - 1 as place, count(*) over () as of from sources
             ) s on s.place = n % s.of",
            "insert into job_events (job_id, attempt, kind, message)
             select id, 1, event, 'as it happened' from jobs, unnest(array['queued', 'claimed', 'succeeded']) event
             where id <= 'job_' || lpad(to_hex($1), 32, '0')",
        ] {
            let count = i64::try_from(jobs).expect("a count");
            sqlx::query(statement).bind(count).execute(&self.pool).await.expect("history");
        }
        for statement in ["vacuum analyze jobs", "vacuum analyze job_events", "checkpoint"] {
            sqlx::query(statement).execute(&self.pool).await.expect("tidy tables");
        }
    }
}
