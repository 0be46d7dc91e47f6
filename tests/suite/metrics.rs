//! What Prometheus reads, through a parser that forgives nothing; and logs as machines read them.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;

use super::support::{
    catalogue,
    eventually::{SOON, eventually},
    http::{Api, Reply},
    postgres::Database,
    site::Site,
    xvault::{Hub, Worker},
};

/// Name and labels of a sample, and its value.
type Samples = BTreeMap<(String, BTreeMap<String, String>), f64>;

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// `name="value",…`, with every quote and backslash where it belongs.
fn labels(text: &str) -> BTreeMap<String, String> {
    let (mut found, mut rest) = (BTreeMap::new(), text);
    while !rest.is_empty() {
        let (name, quoted) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {rest}"));
        assert!(is_name(name), "{name}");
        let (mut value, mut end) = (String::new(), None);
        let mut chars = quoted.char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    end = Some(i + 1);
                    break;
                }
                '\\' => match chars.next().expect("something escaped").1 {
                    'n' => value.push('\n'),
                    c @ ('"' | '\\') => value.push(c),
                    other => panic!("\\{other}"),
                },
                c => value.push(c),
            }
        }
        rest = &quoted[end.expect("a closing quote")..];
        assert!(found.insert(name.to_owned(), value).is_none(), "{name} twice");
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    found
}

/// Parses version 0.0.4 of the text format and holds its rules.
fn parse(text: &str) -> Samples {
    assert!(text.ends_with('\n'), "the last line is not ended");
    let (mut samples, mut kinds, mut current) = (Samples::new(), BTreeMap::new(), String::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').expect("a help text");
            assert!(is_name(name) && !words.is_empty(), "{line}");
            let kind = lines
                .next()
                .and_then(|next| next.strip_prefix(&format!("# TYPE {name} ")).map(str::to_owned));
            let kind = kind.unwrap_or_else(|| panic!("no type after {line}"));
            assert!(["gauge", "counter", "histogram"].contains(&kind.as_str()), "{kind}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
            assert!(
                kinds.insert(name.to_owned(), kind).is_none(),
                "{name} is declared twice"
            );
            current = name.to_owned();
            continue;
        }
        assert!(!line.starts_with('#'), "{line}");
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let (name, labelled) = match series.split_once('{') {
            Some((name, rest)) => (name, labels(rest.strip_suffix('}').expect("a closing brace"))),
            None => (series, BTreeMap::new()),
        };
        let suffixes: &[&str] = match kinds.get(&current).map(String::as_str) {
            Some("histogram") => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        let belongs = suffixes.iter().any(|suffix| name == format!("{current}{suffix}"));
        assert!(belongs, "{name} below {current}");
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        let doubled = samples.insert((name.to_owned(), labelled), value);
        assert!(doubled.is_none(), "a series stands twice: {line}");
    }
    let histograms = kinds.iter().filter(|(_, kind)| *kind == "histogram");
    histograms.for_each(|(name, _)| assert_whole(name, &samples));
    samples
}

/// Buckets grow, and the last is the count.
fn assert_whole(name: &str, samples: &Samples) {
    let series: BTreeSet<BTreeMap<String, String>> = samples
        .keys()
        .filter(|(sample, _)| *sample == format!("{name}_count"))
        .map(|(_, labels)| labels.clone())
        .collect();
    for labels in series {
        let mut buckets: Vec<(f64, f64)> = samples
            .iter()
            .filter_map(|((sample, with), count)| {
                let mut with = with.clone();
                let bound = with
                    .remove("le")
                    .filter(|_| *sample == format!("{name}_bucket") && with == labels)?;
                Some((bound.parse().expect("a number or +Inf"), *count))
            })
            .collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(
            buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1),
            "{name}: {buckets:?}"
        );
        let last = buckets.last().expect("buckets");
        let count = samples[&(format!("{name}_count"), labels)];
        assert!(last.0.is_infinite() && last.1 == count, "{name}: {buckets:?}");
    }
}

#[track_caller]
fn value(samples: &Samples, name: &str, labels: &[(&str, &str)]) -> f64 {
    let labels = labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let key = (name.to_owned(), labels.collect());
    *samples
        .get(&key)
        .unwrap_or_else(|| panic!("no {key:?} in {samples:#?}"))
}

async fn scrape(url: &str) -> Samples {
    let reply = Api::anonymous(url).get("/metrics").await;
    assert_eq!(
        reply.headers["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert_eq!(reply.status, 200, "{}", reply.text());
    parse(&reply.text())
}

#[tokio::test(flavor = "multi_thread")]
async fn hub_and_worker_tell_what_happens() {
    let site = Site::start().await;
    std::fs::write(site.sshd.home().join("file"), "content").unwrap();
    site.snapshot().await;
    let pool = site.stack.database.pool().await;
    // As hostile as a host's name can be.
    sqlx::query("update workers set hostname = 'a\"b\\c' || chr(10) || 'd', running = 0")
        .execute(&pool)
        .await
        .unwrap();
    let hub = scrape(&site.stack.hub.url).await;
    assert_eq!(value(&hub, "xvault_snapshots", &[("state", "complete")]), 1.0);
    assert!(value(&hub, "xvault_snapshot_bytes", &[("state", "complete")]) > 0.0);
    assert_eq!(value(&hub, "xvault_queue_depth", &[("queue", "work")]), 0.0);
    assert_eq!(value(&hub, "xvault_workers", &[("state", "active")]), 1.0);
    assert_eq!(value(&hub, "xvault_lease_losses_total", &[("after", "queued")]), 0.0);
    for (name, labels) in hub.keys() {
        let known = [
            "kind", "state", "queue", "worker", "hostname", "role", "version", "after",
        ];
        let unbounded = labels.keys().find(|label| !known.contains(&label.as_str()));
        assert!(unbounded.is_none(), "{name} {labels:?}");
    }

    let worker = scrape(&site.stack.worker.url).await;
    let backup = [("kind", "backup"), ("outcome", "succeeded")];
    assert_eq!(value(&worker, "xvault_attempt_seconds_count", &backup), 1.0);
    assert_eq!(value(&worker, "xvault_attempt_bytes_total", &backup), 7.0);
    let probe = [("kind", "probe"), ("outcome", "succeeded")];
    assert_eq!(value(&worker, "xvault_attempt_seconds_count", &probe), 1.0);
    assert_eq!(value(&worker, "xvault_running_jobs", &[("kind", "backup")]), 0.0);
    assert_eq!(value(&worker, "xvault_takes_backups", &[]), 1.0);
    assert!(value(&worker, "process_resident_memory_bytes", &[]) > 1e6);
}

/// Names of metrics in a text, without what histograms append.
fn names_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| word.starts_with("xvault_") || word.starts_with("process_"));
    ours.map(|word| {
        let bare = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| word.strip_suffix(end));
        bare.unwrap_or(word).to_owned()
    })
    .collect()
}

/// A document of ours.
fn document(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    std::fs::read_to_string(path).expect("a document")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_names_each_metric_and_the_rules_use_no_other() {
    let site = Site::start().await;
    let mut told = BTreeSet::new();
    for url in [&site.stack.hub.url, &site.stack.worker.url] {
        let text = Api::anonymous(url).get("/metrics").await.text();
        let declared = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        told.extend(declared.map(str::to_owned));
    }
    let guide = document("operations.md");
    let table: Vec<&str> = guide
        .lines()
        .filter(|line| line.starts_with("| `xvault_") || line.starts_with("| `process_"))
        .collect();
    assert_eq!(names_in(&table.join("\n")), told);
    let rules = document("alerts.yml");
    let used: String = rules
        .lines()
        .filter(|line| line.contains("xvault_"))
        .map(|line| format!("{line}\n"))
        .collect();
    let unknown: Vec<String> = names_in(&used).difference(&told).cloned().collect();
    assert_eq!(unknown, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_want_the_token_or_this_machine() {
    let database = Database::new().await;
    let token = [("XVAULT_METRICS_TOKEN", "the token of Prometheus".to_owned())];
    let open = Hub::start(&database, &[]).await;
    let closed = Hub::start(&database, &token).await;
    let open_worker = Worker::start(&database, &open, &[]).await;
    let closed_worker = Worker::start(&database, &open, &token).await;
    for url in [&open.url, &open_worker.url] {
        let api = Api::anonymous(url);
        assert_eq!(api.get("/metrics").await.status, 200);
        // Somebody whom a proxy on this machine let through.
        let passed_on = api
            .request(Method::GET, "/metrics")
            .header("x-forwarded-for", "192.0.2.1");
        assert_eq!(Reply::of(passed_on).await.status, 403, "{url}");
    }
    for url in [&closed.url, &closed_worker.url] {
        let api = Api::anonymous(url);
        assert!(api.get("/metrics").await.status.is_client_error());
        assert!(api.with_token("another").get("/metrics").await.status.is_client_error());
        assert_eq!(
            api.with_token("the token of Prometheus").get("/metrics").await.status,
            200
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_about_a_job_says_whose_it_is() {
    let site = Site::with(Default::default(), &[("XVAULT_LOG_FORMAT", "json".to_owned())]).await;
    std::fs::write(site.sshd.home().join("file"), "content").unwrap();
    let job = site.over(&site.back_up().await).await;
    let id = job["id"].as_str().unwrap();
    let tenant = site.api.get("/api/v1/me").await.expect(200)["tenant"]["id"].clone();
    let worker = &site.stack.worker.process;
    eventually("the end is logged", SOON, async || {
        worker.output().contains("Stored 2 entries")
    })
    .await;
    let mut lines = 0;
    for line in worker.output().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for field in ["timestamp", "level", "target", "message"] {
            assert!(line[field].is_string(), "{line}");
        }
        if line["job"] == id {
            lines += 1;
            assert_eq!(
                (&line["kind"], &line["tenant"], &line["attempt"]),
                (&"backup".into(), &tenant, &1.into())
            );
            assert_eq!(line["worker"], job["worker_id"]);
        }
    }
    assert!(lines >= 2, "{}", worker.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_reads_nothing_of_the_jobs_that_are_over() {
    const OVER: i64 = 50_000;
    let database = Database::new().await;
    let pool = database.pool().await;
    let mut conn = pool.acquire().await.unwrap();
    let tenant = catalogue::tenant(&mut conn).await;
    let source = catalogue::source(&mut conn, &tenant).await;
    sqlx::query(
        "insert into jobs (id, tenant_id, kind, state, queue, source_id, payload, attempt, started_at, finished_at) \
         select 'job_' || lpad(to_hex(n), 32, '0'), $1, 'backup', 'succeeded', 'work', $2, \
             '{\"type\": \"backup\", \"v\": 1}', 1, now(), now() from generate_series(1, $3::bigint) n",
    )
    .bind(&tenant)
    .bind(&source)
    .bind(OVER)
    .execute(&mut *conn)
    .await
    .unwrap();
    catalogue::backup(&mut conn, &tenant).await;
    sqlx::raw_sql("analyze jobs").execute(&mut *conn).await.unwrap();
    drop(conn);
    // Sessions tell what they have read when they end.
    pool.close().await;
    let read = async || -> i64 {
        let pool = database.pool().await;
        let read = sqlx::query_scalar(
            "select seq_tup_read + coalesce(idx_tup_fetch, 0) from pg_stat_user_tables where relname = 'jobs'",
        );
        let read = read.fetch_one(&pool).await.unwrap();
        pool.close().await;
        read
    };
    let before = read().await;

    let mut hub = Hub::start(&database, &[]).await;
    let text = Api::anonymous(&hub.url).get("/metrics").await.text();
    assert!(
        text.contains("xvault_jobs{kind=\"backup\",state=\"queued\"} 1\n"),
        "{text}"
    );
    assert!(hub.process.stop().await.success());
    let after = read().await;
    assert!(after - before < OVER / 50, "{} rows of jobs were read", after - before);
}
