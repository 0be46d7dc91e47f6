//! What must not be left on disks and in process tables once nothing runs.

use std::{collections::BTreeSet, fs, time::Duration};

use sqlx::PgPool;

use super::{
    findings::Findings,
    fleet::{Fleet, Machine, in_time},
};
use crate::support::{scratch::scratch, site::names_at_depth};

/// How long the sweep may take to find what crashes left.
const SWEPT: Duration = Duration::from_secs(30);

/// How long what was told to end may take to be gone.
const GONE: Duration = Duration::from_secs(15);

/// Most resident memory of one process, in KiB: unoptimised code, some jobs at a time.
const MEMORY_KIB: u64 = 300 * 1024;

/// Looks at every disk, every process and every machine's temporary files.
pub async fn none(fleet: &Fleet, pool: &PgPool, findings: &mut Findings) {
    for (i, machine) in fleet.machines.iter().enumerate() {
        disk(i, machine, pool, findings).await;
        let tmp = machine.worker.directories.tmp();
        let empty = async || names_at_depth(&tmp, 1).is_empty();
        in_time(
            findings,
            &format!("worker {i} leaves {:?}", names_at_depth(&tmp, 1)),
            GONE,
            empty,
        )
        .await;
    }
    let place = scratch().display().to_string();
    let ours = |command: &str| command.contains(&place) && command.contains("conn-") && command.starts_with("ssh");
    in_time(
        findings,
        &format!("an ssh is left: {:?}", processes(ours)),
        GONE,
        async || processes(ours).is_empty(),
    )
    .await;
    let remote = || fleet.sshd.processes().into_iter().map(command_of).collect::<Vec<_>>();
    let silent = format!("the server still runs {:?}", remote());
    in_time(findings, &silent, GONE, async || remote().is_empty()).await;
    for (name, process) in fleet.processes() {
        let used = resident(process.pid().as_raw_nonzero().get());
        findings.expect(used < MEMORY_KIB, || format!("{name} holds {used} KiB"));
    }
}

/// Compares a worker's disk with the catalogue, in both directions.
async fn disk(i: usize, machine: &Machine, pool: &PgPool, findings: &mut Findings) {
    let storage = machine.storage();
    let id = format!("wrk_{i}");
    let stored = || {
        names_at_depth(&storage.join("tenants"), 5)
            .into_iter()
            .collect::<BTreeSet<_>>()
    };
    let catalogued = async || -> BTreeSet<String> {
        let rows: Vec<String> = sqlx::query_scalar("select id from snapshots where worker_id = $1")
            .bind(&id)
            .fetch_all(pool)
            .await
            .expect("snapshots");
        rows.into_iter().collect()
    };
    let same = async || stored() == catalogued().await;
    let before: Vec<String> = stored().symmetric_difference(&catalogued().await).cloned().collect();
    in_time(
        findings,
        &format!("disk and catalogue of worker {i} differ: {before:?}"),
        SWEPT,
        same,
    )
    .await;
    // An attempt whose job is somebody else's by now may still be ending.
    let halves = || names_at_depth(&storage.join(".staging"), 1);
    let what = format!("worker {i} leaves {:?} in .staging", halves());
    in_time(findings, &what, GONE, async || halves().is_empty()).await;

    let exports = machine.worker.directories.data().join("exports");
    let offered: Vec<String> =
        sqlx::query_scalar("select id from exports where worker_id = $1 and downloaded_at is null")
            .bind(&id)
            .fetch_all(pool)
            .await
            .expect("exports");
    let offered: BTreeSet<String> = offered.into_iter().collect();
    let there = || names_at_depth(&exports, 1).into_iter().collect::<BTreeSet<_>>();
    let before: Vec<String> = there().symmetric_difference(&offered).cloned().collect();
    let same = async || there() == offered;
    in_time(
        findings,
        &format!("exports of worker {i} differ: {before:?}"),
        SWEPT,
        same,
    )
    .await;
}

/// Command lines that `wanted` picks.
fn processes(wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    pids.map(command_of).filter(|command| wanted(command)).collect()
}

fn command_of(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ").trim().to_owned()
}

/// Resident memory in KiB.
fn resident(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
