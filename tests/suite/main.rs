//! The integration suite: one binary, so that real servers start once.
//! A missing server binary fails a test with the package to install; nothing is skipped.

#![allow(missing_docs, reason = "tests are their own documentation")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod api;
mod architecture;
mod artifact;
mod compose;
mod configuration;
mod dev_tree;
mod documents;

#[allow(dead_code, reason = "the harness offers what any module of the suite may need")]
mod support;

mod capture_ftp;
mod capture_ftp_hostile;
mod capture_sftp;
mod capture_sftp_hostile;
mod capture_ssh;
mod ftp_probe;
mod ftp_target;
mod mysql;
mod postgres;
mod programs;
mod relay;
mod ssh_channels;
mod ssh_jump;
mod ssh_probe;
mod ssh_session;
mod throwaway;
mod tls;
mod wordpress;

mod chaos;
mod exports_download;
mod fairness_of_workers;
mod hub_start;
mod lifecycle_jobs;
mod metrics;
mod notices;
mod pages;
mod postgres_crash;
mod queue_elsewhere;
mod queue_fairness;
mod queue_limits;
mod queue_ordering;
mod queue_tickets;
mod reconcile_faults;
mod reconcile_orphans;
mod reconcile_storage;
mod recover;
mod restore_proof;
mod rolling_restart;
mod schema_fit;
mod server_restores;
mod serving;
mod two_hosts;
mod verify_schedule;
mod worker_backups;
mod worker_cancels;
mod worker_drain;
mod worker_outages;
mod worker_phases;
