//! `xvault dev`, as a new user meets it.

use std::{net::TcpListener, path::Path};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{
    eventually, eventually::SOON, http::Api, ports::free_port, scratch::temp_dir, sshd::descendants, xvault::Process,
};

/// A running `xvault dev`.
struct Dev {
    process: Process,
}

impl Dev {
    fn spawn(directory: &Path, more: &[&str]) -> Process {
        let directory = directory.to_str().expect("UTF-8");
        let (hub, worker) = (address(), address());
        let mut args = vec!["dev", "--data-dir", directory];
        match more {
            [] => args.extend(["--hub-listen", &hub, "--worker-listen", &worker]),
            more => args.extend(more),
        }
        Process::start(&args, &[])
    }

    async fn start(directory: &Path) -> Self {
        let mut dev = Self {
            process: Self::spawn(directory, &[]),
        };
        dev.ready().await;
        dev
    }

    async fn ready(&mut self) {
        self.says("xVault is ready").await;
        self.says("Ctrl-C stops it").await;
    }

    async fn says(&mut self, text: &str) {
        let process = &mut self.process;
        eventually(&format!("xvault dev says {text:?}"), SOON, async || {
            let ended = process.try_ended();
            assert!(ended.is_none(), "{ended:?}: {}", process.output());
            process.output().contains(text)
        })
        .await;
    }

    /// What the banner says behind a word.
    fn said(&self, word: &str) -> String {
        let output = self.process.output();
        let line = output.lines().find_map(|line| line.trim().strip_prefix(word));
        line.unwrap_or_else(|| panic!("no {word} in {output}"))
            .trim()
            .to_owned()
    }

    fn children(&self) -> Vec<u32> {
        descendants(self.process.pid().as_raw_nonzero().get().unsigned_abs())
    }

    /// The process id of its child with this argument.
    fn child(&self, argument: &str) -> u32 {
        let has = |pid: &u32| {
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            command.split(|&b| b == 0).any(|word| word == argument.as_bytes())
        };
        self.children().into_iter().find(has).expect("the child runs")
    }
}

fn address() -> String {
    format!("127.0.0.1:{}", free_port())
}

async fn all_gone(pids: Vec<u32>) {
    assert!(pids.len() > 3, "PostgreSQL alone has more processes than {pids:?}");
    eventually("every child ends", SOON, async || {
        pids.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists())
    })
    .await;
}

#[tokio::test]
async fn it_keeps_its_state_over_an_interrupt() {
    let directory = temp_dir("dev");
    let mut dev = Dev::start(directory.path()).await;
    let (email, password) = (dev.said("E-mail"), dev.said("Password"));
    let api = Api::anonymous(&dev.said("Address")).sign_in(&email, &password).await;
    let source = json!({
        "name": "kept", "kind": "ssh",
        "config": {"host": "127.0.0.1", "user": "root", "paths": ["/srv"]},
        "credentials": {"password": "x"},
    });
    api.post("/api/v1/sources", source).await.expect(201);

    let children = dev.children();
    dev.process.signal(Signal::INT);
    assert!(dev.process.ended().await.success(), "{}", dev.process.output());
    all_gone(children).await;

    let dev = Dev::start(directory.path()).await;
    assert!(dev.said("Password").starts_with("as on the first start"));
    assert!(!dev.process.output().contains(&password));
    let api = Api::anonymous(&dev.said("Address")).sign_in(&email, &password).await;
    let sources = api.get("/api/v1/sources").await.expect(200);
    assert_eq!(sources["items"][0]["name"], "kept");
}

#[tokio::test]
async fn nothing_outlives_it_when_it_is_killed_and_it_starts_again_at_once() {
    let directory = temp_dir("dev");
    let mut dev = Dev::start(directory.path()).await;
    let children = dev.children();
    dev.process.kill();
    let _dev = Dev::start(directory.path()).await;
    all_gone(children).await;
}

#[tokio::test]
async fn a_crashed_child_comes_back() {
    let directory = temp_dir("dev");
    let mut dev = Dev::start(directory.path()).await;
    let url = dev.said("Address");
    for name in ["hub", "worker", "-D"] {
        let pid = i32::try_from(dev.child(name)).expect("a pid");
        let signal = if name == "-D" { Signal::QUIT } else { Signal::KILL };
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).expect("a pid"), signal).expect("a signal");
        dev.says(match name {
            "hub" => "the hub ended (signal: 9 (SIGKILL)); starting it again",
            "worker" => "the worker ended (signal: 9 (SIGKILL)); starting it again",
            _ => "the database ended",
        })
        .await;
        dev.process.ready(&url).await;
    }
}

#[tokio::test]
async fn a_second_one_on_the_same_directory_is_refused() {
    let directory = temp_dir("dev");
    let dev = Dev::start(directory.path()).await;
    let mut second = Dev::spawn(directory.path(), &[]);
    assert_eq!(second.ended().await.code(), Some(1));
    let pid = dev.process.pid().as_raw_nonzero();
    eventually("the refusal is read", SOON, async || {
        second.output().contains(&format!(
            "already runs on {} (process {pid})",
            directory.path().display()
        ))
    })
    .await;
}

#[tokio::test]
async fn busy_ports_are_avoided_and_said() {
    // Held by us or by somebody else: taken either way.
    let _taken = TcpListener::bind("127.0.0.1:8080");
    let directory = temp_dir("dev");
    let worker = address();
    let mut dev = Dev {
        process: Dev::spawn(directory.path(), &["--worker-listen", &worker]),
    };
    dev.ready().await;
    let said = dev.process.output();
    assert!(said.contains("Port 8080 is taken: the hub listens on"), "{said}");
}

#[tokio::test]
async fn a_busy_port_that_was_asked_for_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let directory = temp_dir("dev");
    let mut dev = Dev::spawn(directory.path(), &["--hub-listen", &address]);
    assert_eq!(dev.ended().await.code(), Some(1));
    eventually("the refusal is read", SOON, async || {
        dev.output().contains(&format!("cannot listen on {address}"))
    })
    .await;
}
