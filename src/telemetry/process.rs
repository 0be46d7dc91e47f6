//! What the system knows of this process, under the names that Prometheus' own clients use.

use std::fs;

use super::exposition::Exposition;

/// Adds version, memory and open files. What cannot be read is left out.
pub fn write(text: &mut Exposition, role: &str) {
    text.gauge("xvault_build_info", "Version and role of this process; always 1");
    let version = env!("CARGO_PKG_VERSION");
    text.line("xvault_build_info", &[("version", version), ("role", role)], 1);
    let pages = fs::read_to_string("/proc/self/statm").ok();
    let resident = pages.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    if let Some(pages) = resident {
        let page = rustix::param::page_size() as u64;
        text.gauge("process_resident_memory_bytes", "Memory of this process");
        text.line("process_resident_memory_bytes", &[], pages * page);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        text.gauge("process_open_fds", "Open files and connections of this process");
        text.line("process_open_fds", &[], files.count());
    }
}
