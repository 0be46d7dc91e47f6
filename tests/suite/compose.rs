//! `docker-compose.yml`: there is no container engine in the test environment, so the suite reads
//! the file and starts the same processes with the environment that stands there.

use std::{collections::BTreeMap, fs};

use secrecy::ExposeSecret;
use xvault::config;

use crate::support::{
    http::Api,
    ports::free_port,
    postgres::{Server, WORKER_PASSWORD},
    scratch::temp_dir,
    xvault::{ADMIN_EMAIL, ADMIN_PASSWORD, MASTER_KEY, Process, Variable, WORKER_TOKEN, command},
};

type Services = BTreeMap<String, BTreeMap<String, String>>;

fn project_file(name: &str) -> String {
    let path = format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The `environment` of each service: enough YAML for this one file, which indents by two.
fn services() -> Services {
    let mut services = Services::new();
    let (mut section, mut service, mut key) = (String::new(), String::new(), String::new());
    for line in project_file("docker-compose.yml").lines() {
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let (name, value) = content.split_once(':').unwrap_or((content, ""));
        match line.len() - content.len() {
            0 => section = name.to_owned(),
            2 => service = name.to_owned(),
            4 => key = name.to_owned(),
            6 if section == "services" && key == "environment" => {
                let variables = services.entry(service.clone()).or_default();
                variables.insert(name.to_owned(), value.trim().to_owned());
            }
            _ => {}
        }
    }
    services
}

/// Replaces `${NAME}`, `${NAME:-default}` and `${NAME:?message}` as compose does.
fn interpolate(value: &str, dot_env: &BTreeMap<String, String>) -> String {
    let Some((before, rest)) = value.split_once("${") else {
        return value.to_owned();
    };
    let (inside, after) = rest.split_once('}').expect("a closing brace");
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside.split_once(":?").map_or(inside, |(name, _)| name), None),
    };
    let known = dot_env.get(name).map(String::as_str).or(default);
    let known = known.unwrap_or_else(|| panic!("{name} is neither in .env nor has a default"));
    format!("{before}{known}{}", interpolate(after, dot_env))
}

/// The names that `scripts/compose-env` writes.
fn dot_env_names() -> Vec<String> {
    let script = project_file("scripts/compose-env");
    let is_name = |name: &&str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    let names = script
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name);
    names.filter(is_name).map(str::to_owned).collect()
}

#[test]
fn every_variable_in_the_file_is_one_that_xvault_reads() {
    let services = services();
    assert_eq!(
        services.keys().collect::<Vec<_>>(),
        ["hub", "migrate", "postgres", "worker"]
    );
    for (service, variables) in services.iter().filter(|(service, _)| *service != "postgres") {
        for name in variables.keys() {
            assert!(
                config::variable(name).is_some(),
                "{service} sets {name}, which nothing reads"
            );
        }
    }
}

#[test]
fn every_service_gets_only_the_secrets_it_needs() {
    let secrets = |service: &str| {
        let variables = &services()[service];
        let secret = |name: &&String| config::variable(name).is_some_and(|known| known.secret);
        variables.keys().filter(secret).cloned().collect::<Vec<_>>()
    };
    assert_eq!(secrets("worker"), ["XVAULT_DATABASE_URL", "XVAULT_WORKER_TOKEN"]);
    assert_eq!(
        secrets("hub"),
        [
            "XVAULT_ADMIN_PASSWORD",
            "XVAULT_DATABASE_URL",
            "XVAULT_MASTER_KEY",
            "XVAULT_WORKER_TOKEN"
        ]
    );
    assert!(services()["worker"]["XVAULT_DATABASE_URL"].contains("//xvault_worker_login:"));
}

/// The three xVault containers as processes. What differs from containers is put right here: host
/// names, ports and the places of files.
#[tokio::test]
async fn the_processes_of_the_file_make_a_working_system() {
    let server = tokio::task::spawn_blocking(Server::start).await.expect("PostgreSQL");
    let database = server.empty_database().await;
    let dot_env: BTreeMap<String, String> = dot_env_names()
        .into_iter()
        .map(|name| {
            let value = match name.as_str() {
                "POSTGRES_PASSWORD" => "unused: the URL below has it",
                "XVAULT_MASTER_KEY" => MASTER_KEY,
                "XVAULT_WORKER_TOKEN" => WORKER_TOKEN,
                "XVAULT_WORKER_DATABASE_PASSWORD" => WORKER_PASSWORD,
                "XVAULT_ADMIN_EMAIL" => ADMIN_EMAIL,
                "XVAULT_ADMIN_PASSWORD" => ADMIN_PASSWORD,
                "XVAULT_HUB_URL" => "http://localhost:8080",
                "XVAULT_WORKER_URL" => "http://localhost:8081",
                other => panic!("scripts/compose-env writes {other}, which this test does not know"),
            };
            (name, value.to_owned())
        })
        .collect();

    let data = temp_dir("compose");
    let (hub_port, worker_port) = (free_port().to_string(), free_port().to_string());
    let environment = |service: &str| -> Vec<Variable> {
        let variables = &services()[service];
        let mut environment: Vec<Variable> = variables
            .iter()
            .map(|(name, value)| {
                let known = config::variable(name).expect("a known variable");
                let value = interpolate(value, &dot_env)
                    .replace("//hub:", "//127.0.0.1:")
                    .replace("//worker:", "//127.0.0.1:")
                    .replace("0.0.0.0", "127.0.0.1")
                    .replace("8080", &hub_port)
                    .replace("8081", &worker_port);
                match (name.as_str(), service) {
                    ("XVAULT_DATABASE_URL", "worker") => (known.name, database.worker_url.expose_secret().to_owned()),
                    ("XVAULT_DATABASE_URL", _) => (known.name, database.url.expose_secret().to_owned()),
                    _ => (known.name, value),
                }
            })
            .collect();
        if service == "worker" {
            for (name, directory) in [
                ("XVAULT_DATA_DIR", "data"),
                ("XVAULT_STORAGE_DIR", "backups"),
                ("XVAULT_TMP_DIR", "tmp"),
            ] {
                environment.push((name, data.path().join(directory).display().to_string()));
            }
        }
        environment
    };

    let migrated = command(&["migrate"], &environment("migrate"))
        .output()
        .expect("xvault migrate");
    assert!(
        migrated.status.success(),
        "{}",
        String::from_utf8_lossy(&migrated.stderr)
    );
    let hub_url = format!("http://127.0.0.1:{hub_port}");
    let mut hub = Process::start(&["hub"], &environment("hub"));
    hub.ready(&hub_url).await;
    let mut worker = Process::start(&["worker"], &environment("worker"));
    worker.ready(&format!("http://127.0.0.1:{worker_port}")).await;

    let api = Api::anonymous(&hub_url).sign_in(ADMIN_EMAIL, ADMIN_PASSWORD).await;
    crate::support::eventually(
        "the worker reports to the hub",
        crate::support::eventually::SOON,
        async || {
            let workers = api.get("/api/v1/workers").await.expect(200);
            workers["items"].as_array().is_some_and(|items| items.len() == 1)
        },
    )
    .await;
    assert!(worker.stop().await.success(), "{}", worker.output());
    assert!(hub.stop().await.success(), "{}", hub.output());
    drop(database);
}
