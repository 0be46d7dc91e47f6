//! Another host: a network namespace with an address of its own and one cable to us, which can be pulled.

use std::{path::Path, process::Command};

/// A host; gone with the value, and its processes' network with it.
pub struct FarHost {
    /// Its address.
    pub address: String,
    /// Ours, as it sees us.
    pub our_address: String,
    name: String,
}

impl FarHost {
    /// A host with a cable plugged in.
    pub fn new() -> Self {
        remove_abandoned();
        let pid = std::process::id();
        let name = format!("xvt{pid}");
        let net = format!("10.{}.{}", 128 + (pid >> 8) % 100, pid % 256);
        let host = Self {
            address: format!("{net}.2"),
            our_address: format!("{net}.1"),
            name,
        };
        let (ours, theirs) = (host.our_end(), format!("{}b", host.name));
        ip(&["netns", "add", &host.name]);
        ip(&["link", "add", &ours, "type", "veth", "peer", "name", &theirs]);
        ip(&["link", "set", &theirs, "netns", &host.name]);
        ip(&["addr", "add", &format!("{}/30", host.our_address), "dev", &ours]);
        ip(&["link", "set", &ours, "up"]);
        let there = ["-n", host.name.as_str()];
        for rest in [
            &["addr", "add", &format!("{}/30", host.address), "dev", &theirs][..],
            &["link", "set", &theirs, "up"],
            &["link", "set", "lo", "up"],
        ] {
            ip(&[&there, rest].concat());
        }
        host
    }

    /// Pulls the cable: nothing arrives any more, and nobody is told.
    pub fn unplug(&self) {
        ip(&["link", "set", &self.our_end(), "down"]);
    }

    /// Plugs it in again.
    pub fn plug_in(&self) {
        ip(&["link", "set", &self.our_end(), "up"]);
    }

    /// The same command, there.
    pub fn command(&self, here: &Command) -> Command {
        let mut there = Command::new("ip");
        there
            .args(["netns", "exec", &self.name])
            .arg(here.get_program())
            .args(here.get_args());
        for (name, value) in here.get_envs() {
            match value {
                Some(value) => there.env(name, value),
                None => there.env_remove(name),
            };
        }
        there
    }

    fn our_end(&self) -> String {
        format!("{}a", self.name)
    }
}

impl Drop for FarHost {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

fn ip(args: &[&str]) {
    let output = Command::new("ip").args(args).output().expect("ip (package iproute2)");
    assert!(
        output.status.success(),
        "tests with two hosts make a network namespace, which needs root and CAP_SYS_ADMIN \
         (docker run --privileged): ip {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn remove(name: &str) {
    // Either may be gone already; the other end of the cable goes with ours.
    let _ = Command::new("ip")
        .args(["link", "delete", &format!("{name}a")])
        .output();
    let _ = Command::new("ip").args(["netns", "delete", name]).output();
}

/// What killed test processes left.
fn remove_abandoned() {
    let Ok(entries) = std::fs::read_dir("/run/netns") else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix("xvt").and_then(|pid| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            remove(&name);
        }
    }
}
