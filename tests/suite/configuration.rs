//! Wrong settings, as an operator sees them in a terminal or a container's log.

use std::process::Output;

use crate::support::xvault::{MASTER_KEY, Variable, command};

fn run(args: &[&str], env: &[Variable]) -> Output {
    command(args, env).output().expect("the binary runs")
}

#[track_caller]
fn refused(args: &[&str], env: &[Variable], line: &str) {
    let output = run(args, env);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert_eq!(String::from_utf8_lossy(&output.stderr), format!("xvault: {line}\n"));
}

#[test]
fn a_wrong_value_stops_the_start_with_one_line() {
    refused(
        &["hub"],
        &[("XVAULT_HUB_LISTEN", "8080".to_owned())],
        "XVAULT_HUB_LISTEN = \"8080\" is not an IP address with a port; example: XVAULT_HUB_LISTEN=127.0.0.1:8080",
    );
    refused(
        &["worker"],
        &[],
        "XVAULT_HUB_URL is not set; example: XVAULT_HUB_URL=https://backups.example.com",
    );
    refused(
        &["hub"],
        &[],
        "XVAULT_DATABASE_URL is not set; example: \
         XVAULT_DATABASE_URL=postgres://xvault:password@127.0.0.1:5432/xvault",
    );
}

#[test]
fn a_wrong_secret_is_not_shown() {
    let env = [
        ("XVAULT_DATABASE_URL", "postgres://x:hunter2@127.0.0.1/x".to_owned()),
        ("XVAULT_MASTER_KEY", "hunter3".to_owned()),
    ];
    refused(
        &["hub"],
        &env,
        "XVAULT_MASTER_KEY is not base64; example: XVAULT_MASTER_KEY=$(openssl rand -base64 32)",
    );
}

#[test]
fn help_shows_variables_but_no_secret_value() {
    let env = [
        ("XVAULT_MASTER_KEY", MASTER_KEY.to_owned()),
        ("XVAULT_ADMIN_PASSWORD", "hunter2".to_owned()),
    ];
    for args in [["hub", "--help"], ["worker", "--help"], ["dev", "--help"]] {
        let output = run(&args, &env);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains("XVAULT_"), "{text}");
        assert!(!text.contains("hunter2") && !text.contains(MASTER_KEY), "{text}");
    }
}
