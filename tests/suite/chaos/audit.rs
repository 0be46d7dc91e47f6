//! The look at everything once nothing is harmed any more: what was promised, what is catalogued,
//! what is stored.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool, Row};

use super::{
    findings::Findings,
    fleet::{Fleet, blocking, in_time},
    leftovers,
    orders::People,
};
use crate::support::scratch::temp_dir;

/// How long until every job has ended, once nothing harms: ssh takes a minute to notice that its connection carries nothing
/// any more, and then the job is tried again.
const ENDED: Duration = Duration::from_secs(120);

/// Tickets that may wait though no job does: each harms nothing and goes with the next claim.
const SPARE_TICKETS: i64 = 100;

/// Snapshots opened with stock tools.
const SAMPLE: usize = 3;

/// Statements that must find nothing: what each finds, and how it reads as a finding.
const MUST_FIND_NOTHING: &[(&str, &str)] = &[
    (
        "a lease on a job that does not run",
        "select id from jobs where (state = 'running') <> (lease_id is not null)",
    ),
    (
        "more attempts than allowed",
        "select id from jobs where attempt > max_attempts",
    ),
    (
        "a successful backup without its one snapshot",
        "select j.id from jobs j where j.kind = 'backup' and j.state in ('succeeded', 'partial') \
           and (select count(*) from snapshots s where s.job_id = j.id) <> 1 \
           and not exists (select from jobs d where d.kind = 'delete' and d.snapshot_id = j.snapshot_id and d.state = 'succeeded')",
    ),
    (
        "a snapshot whose backup was not successful",
        "select s.id from snapshots s join jobs j on j.id = s.job_id where j.state not in ('succeeded', 'partial')",
    ),
    (
        "a job that ended more than once",
        "select job_id as id from job_events where kind in ('succeeded', 'partial', 'failed', 'cancelled') \
         group by job_id having count(*) > 1",
    ),
    (
        "a job that ended without saying so",
        "select id from jobs j where state not in ('queued', 'running') and not exists (select from job_events e \
         where e.job_id = j.id and e.kind = j.state)",
    ),
    (
        "a snapshot that is whole but not marked so",
        "select s.id || ' ' || s.state as id from snapshots s where s.state in ('damaged', 'missing')",
    ),
    (
        "a snapshot that is being removed by nobody",
        "select s.id from snapshots s where s.state = 'deleting' and not exists (select from jobs j \
         where j.kind = 'delete' and j.snapshot_id = s.id and (j.state in ('queued', 'running', 'failed')))",
    ),
    (
        "an export of a restore that was not successful",
        "select e.id from exports e join jobs j on j.id = e.job_id where j.state <> 'succeeded'",
    ),
];

/// Waits for the end of all work and looks at everything but the content of artifacts.
pub async fn all(fleet: &mut Fleet, people: &People, findings: &mut Findings) -> String {
    let known = findings.count();
    let mut began = Instant::now();
    let mut took = Vec::new();
    let mut stage = |name: &str| {
        took.push(format!(
            "{name} {:.1} s",
            std::mem::replace(&mut began, Instant::now()).elapsed().as_secs_f64()
        ))
    };
    fleet.ready(findings).await;
    stage("ready");
    people
        .take_surprises()
        .into_iter()
        .for_each(|surprise| findings.add(surprise));

    let pool = fleet.pool().await;
    let all_ended = in_time(findings, "not every job has ended", ENDED, async || {
        active(&pool).await.is_empty()
    });
    // People still order: what has begun since is no finding.
    if !all_ended.await {
        for job in active(&pool).await {
            findings.add(format!("still active: {job}"));
        }
    }
    stage("ends");
    println!("{}", last_to_end(&pool).await);
    promises(&pool, people, findings).await;
    for (what, sql) in MUST_FIND_NOTHING {
        let rows = sqlx::query(AssertSqlSafe(*sql))
            .fetch_all(&pool)
            .await
            .expect("an audit's statement");
        let found: Vec<String> = rows.iter().map(|row| row.get("id")).collect();
        findings.expect(found.is_empty(), || format!("{what}: {}", found.join(", ")));
    }
    let spare: i64 = one(
        &pool,
        "select count(*) from apalis.jobs where status = 'Pending' and run_at <= now()",
    )
    .await;
    findings.expect(spare <= SPARE_TICKETS, || format!("{spare} tickets wait for nothing"));
    leftovers::none(fleet, &pool, findings).await;
    stage("leftovers");

    let jobs: i64 = one(&pool, "select count(*) from jobs").await;
    let failed: i64 = one(&pool, "select count(*) from jobs where state = 'failed'").await;
    let snapshots: i64 = one(&pool, "select count(*) from snapshots").await;
    pool.close().await;
    let new = findings.count() - known;
    format!(
        "{jobs} jobs ({failed} failed), {snapshots} snapshots, {new} findings; {}",
        took.join(", ")
    )
}

/// What a hub accepted must exist.
async fn promises(pool: &PgPool, people: &People, findings: &mut Findings) {
    let accepted = people.accepted();
    let lost: Vec<String> =
        sqlx::query_scalar("select id from unnest($1::text[]) id where id not in (select id from jobs)")
            .bind(&accepted)
            .fetch_all(pool)
            .await
            .expect("jobs");
    findings.expect(lost.is_empty(), || format!("accepted but lost: {}", lost.join(", ")));
}

async fn active(pool: &PgPool) -> Vec<String> {
    let sql = "select id || ' ' || kind || ' ' || state || ' in ' || queue || ', attempt ' || attempt || ', worker ' \
               || coalesce(worker_id, 'none') || ', due ' || run_at || ', now ' || now() as id \
               from jobs where state in ('queued', 'running') order by id limit 20";
    let rows = sqlx::query_scalar(sql).fetch_all(pool).await;
    rows.unwrap_or_else(|error| vec![format!("the database does not answer: {error}")])
}

async fn one(pool: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql)
        .fetch_one(pool)
        .await
        .expect("an audit's statement")
}

/// Has every snapshot verified by the product, and some opened by stock tools.
pub async fn every_byte(fleet: &mut Fleet, people: &People, findings: &mut Findings) -> String {
    // A hub that died with a request leaves its key taken for a minute.
    people.settle().await;
    findings.expect(people.unanswered() == 0, || {
        format!("{} orders got no answer", people.unanswered())
    });
    all(fleet, people, findings).await;
    let known = findings.count();
    let pool = fleet.pool().await;
    let snapshots: Vec<(String, String)> =
        sqlx::query_as("select id, local_path from snapshots where state in ('complete', 'partial') order by id")
            .fetch_all(&pool)
            .await
            .expect("snapshots");
    let mut jobs: Vec<String> = Vec::new();
    for (id, _) in &snapshots {
        let answer = people
            .hub()
            .post(&format!("/api/v1/snapshots/{id}/verify"), json!({}))
            .await
            .expect(202);
        jobs.push(answer["job"]["id"].as_str().expect("an id").to_owned());
    }
    let over = "select count(*) from unnest($1::text[]) v join jobs j on j.id = v where j.state = 'succeeded'";
    let succeeded = async || -> bool {
        let done: i64 = sqlx::query_scalar(over)
            .bind(&jobs)
            .fetch_one(&pool)
            .await
            .expect("jobs");
        usize::try_from(done).is_ok_and(|done| done == jobs.len())
    };
    in_time(findings, "not every snapshot verifies", ENDED * 2, succeeded).await;

    let sheet = people
        .hub()
        .post("/api/v1/tenant/recovery-sheet", Value::Null)
        .await
        .text();
    let places: Vec<String> = snapshots
        .iter()
        .rev()
        .map(|(_, place)| place.clone())
        .take(SAMPLE)
        .collect();
    let unreadable = blocking(move || opened(&sheet, &places)).await;
    unreadable.into_iter().for_each(|fault| findings.add(fault));
    pool.close().await;
    format!(
        "{} snapshots verified, {} findings",
        snapshots.len(),
        findings.count() - known
    )
}

/// Opens artifacts with age, zstd and tar; says which do not open.
fn opened(sheet: &str, places: &[String]) -> Vec<String> {
    let directory = temp_dir("sheet");
    let identity = directory.path().join("recovery-sheet.txt");
    std::fs::write(&identity, sheet).expect("a file");
    let script = "set -e -o pipefail; age -d -i \"$1\" \"$2/backup.tar.zst.enc\" | zstd -d | tar tf - | grep -c noise";
    let faults = places.iter().filter_map(|place| {
        let mut command = Command::new("bash");
        command.args(["-c", script, "open"]).arg(&identity).arg(place);
        let output = command.output().expect("bash");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (!output.status.success()).then(|| format!("stock tools cannot open {place}: {said}"))
    });
    faults.collect()
}

/// What happened to the job that ended last, with the seconds before its end.
async fn last_to_end(pool: &PgPool) -> String {
    let sql = "select to_char(extract(epoch from e.at - j.finished_at), '990.0') || ' s ' || e.kind || ': ' || e.message \
               from (select id, kind, finished_at from jobs where finished_at is not null order by finished_at desc limit 1) j \
               join job_events e on e.job_id = j.id order by e.seq";
    let events: Vec<String> = sqlx::query_scalar(sql).fetch_all(pool).await.unwrap_or_default();
    events.iter().map(|event| format!("\n          {event}")).collect()
}
