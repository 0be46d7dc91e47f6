//! A disk that fails to give the bytes of snapshots, and recovers.
//!
//! Real I/O errors need a broken disk; a program is as surprised when its C library reports one. The library preloaded
//! here does so for reads of artifacts while a file says that the disk is bad.

use std::{fs, path::PathBuf, process::Command};

use super::{scratch::temp_dir, xvault::Variable};

const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ssize_t read(int fd, void *buffer, size_t length) {
    static ssize_t (*next)(int, void *, size_t);
    if (!next) next = (ssize_t (*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
    const char *bad = getenv("BAD_DISK");
    if (bad && access(bad, F_OK) == 0) {
        char link[64], path[4096];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, path, sizeof path - 1);
        if (n > 0) {
            path[n] = 0;
            if (strstr(path, "/backup.tar.zst.enc")) { errno = EIO; return -1; }
        }
    }
    return next(fd, buffer, length);
}
"#;

/// A disk that is good so far.
pub struct BadDisk {
    directory: tempfile::TempDir,
}

impl BadDisk {
    pub fn new() -> Self {
        let disk = Self {
            directory: temp_dir("bad-disk"),
        };
        let source = disk.path("read.c");
        fs::write(&source, SOURCE).expect("a file");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .args([&disk.path("read.so"), &source])
            .arg("-ldl")
            .output()
            .expect("cc (package gcc)");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        disk
    }

    /// What a worker on this disk is started with.
    pub fn variables(&self) -> [Variable; 2] {
        [
            ("LD_PRELOAD", self.path("read.so").display().to_string()),
            ("BAD_DISK", self.path("bad").display().to_string()),
        ]
    }

    /// From now on no artifact can be read.
    pub fn fail(&self) {
        fs::write(self.path("bad"), "").expect("a file");
    }

    /// It is good again.
    pub fn recover(&self) {
        fs::remove_file(self.path("bad")).expect("it was bad");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}
