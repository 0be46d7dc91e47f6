//! Artifacts to test with, and the tools to look into them.

use std::{
    fs,
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use tempfile::TempDir;
use xvault::{
    artifact::{ArtifactWriter, CaptureFacts, Files, Keys, WriterOptions, Written},
    crypto::age_keys::{TenantIdentity, unwrap_file_key},
    domain::{
        entry::{Captured, Entry, EntryKind, EntryPath, FileEnd, Mtime},
        ids::{JobId, SnapshotId, SourceId, TenantId, WorkerId},
        job::JobError,
        snapshot::{ArtifactFile, SnapshotKey},
        source::SourceKind,
    },
    storage::{ReadSeek, Storage, StorageError, local_fs::LocalFs},
};

use crate::support::scratch::temp_dir;

/// A storage, a tenant's identity, and a place for the tools.
pub struct Bench {
    pub dir: TempDir,
    pub storage: LocalFs,
    pub identity: TenantIdentity,
    pub key: SnapshotKey,
}

impl Bench {
    pub fn new(name: &str) -> Self {
        let dir = temp_dir(name);
        let storage = LocalFs::open(&dir.path().join("storage"), WorkerId::generate()).unwrap();
        let bench = Self {
            storage,
            identity: TenantIdentity::generate(),
            key: SnapshotKey {
                tenant_id: TenantId::generate(),
                source_id: SourceId::generate(),
                snapshot_id: SnapshotId::generate(),
            },
            dir,
        };
        fs::write(
            bench.identity_file(),
            format!("# made by a test\n{}\n", bench.identity.secret().expose_secret()),
        )
        .unwrap();
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn identity_file(&self) -> PathBuf {
        self.path("identity.txt")
    }

    /// The snapshot's directory.
    pub fn snapshot(&self) -> PathBuf {
        self.path("storage").join(self.key.prefix())
    }

    pub fn file(&self, file: ArtifactFile) -> PathBuf {
        self.snapshot().join(file.name())
    }

    pub fn writer(&self) -> ArtifactWriter {
        let stage = self.storage.stage(&self.key).unwrap();
        writer(stage, &self.key, &self.identity)
    }

    /// Writes a whole artifact.
    pub fn write(&self, items: impl IntoIterator<Item = Captured>) -> Result<Written, JobError> {
        let mut writer = self.writer();
        for item in items {
            writer.push(item)?;
        }
        writer.finish(facts())
    }

    /// The keys, as the hub unwraps them from the headers a backup reports.
    pub fn keys(&self, written: &Written) -> Keys {
        let key = |header: &[u8]| unwrap_file_key(&self.identity, header).unwrap();
        Keys {
            backup: key(&written.snapshot.backup_header),
            index: key(&written.snapshot.index_header),
        }
    }

    /// `age -d | zstd -d` of one of the encrypted files.
    pub fn stock_content(&self, file: ArtifactFile) -> Vec<u8> {
        let script = "set -o pipefail; age -d -i \"$1\" \"$2\" | zstd -dc";
        let output = Command::new("bash")
            .args(["-c", script, "-"])
            .args([self.identity_file(), self.file(file)])
            .output()
            .expect("bash, age and zstd (packages age, zstd)");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// What is left in the storage, the lock aside.
    pub fn leftovers(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        files_below(&self.path("storage"), &mut found);
        found.retain(|path| !path.ends_with(".lock"));
        found
    }
}

pub fn files_below(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files_below(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}

pub fn writer(stage: Box<dyn xvault::storage::Stage>, key: &SnapshotKey, identity: &TenantIdentity) -> ArtifactWriter {
    let options = WriterOptions {
        threads: 2,
        created_at: DateTime::<Utc>::from_timestamp(1_700_000_000, 0).unwrap(),
        tool_version: "0.0.0-test".into(),
    };
    ArtifactWriter::new(stage, key.clone(), JobId::generate(), &[identity.recipient()], options).unwrap()
}

pub fn facts() -> CaptureFacts {
    CaptureFacts {
        transport: "ssh-tar".into(),
        not_carried: vec!["birth times".into()],
        kind: SourceKind::Ssh,
    }
}

pub fn path(bytes: impl AsRef<[u8]>) -> EntryPath {
    EntryPath::new(bytes.as_ref()).unwrap()
}

pub fn entry(name: impl AsRef<[u8]>, kind: EntryKind) -> Entry {
    Entry {
        path: path(name),
        mode: if kind == EntryKind::Directory { 0o755 } else { 0o644 },
        kind,
        uid: 0,
        gid: 0,
        mtime: Mtime {
            seconds: 1_600_000_000,
            nanos: 0,
        },
        pax: Vec::new(),
    }
}

/// The items of a file.
pub fn file(name: impl AsRef<[u8]>, content: &[u8]) -> Vec<Captured> {
    file_of(
        entry(
            name,
            EntryKind::File {
                size: content.len() as u64,
            },
        ),
        content,
        FileEnd::Complete,
    )
}

pub fn file_of(entry: Entry, content: &[u8], end: FileEnd) -> Vec<Captured> {
    let data = content
        .chunks(256 * 1024)
        .map(|chunk| Captured::Data(Bytes::copy_from_slice(chunk)));
    std::iter::once(Captured::Entry(entry))
        .chain(data)
        .chain([Captured::End(end)])
        .collect()
}

pub fn directory(name: impl AsRef<[u8]>) -> Captured {
    Captured::Entry(entry(name, EntryKind::Directory))
}

pub fn symlink(name: impl AsRef<[u8]>, target: &[u8]) -> Captured {
    Captured::Entry(entry(
        name,
        EntryKind::Symlink {
            target: target.to_vec(),
        },
    ))
}

pub fn hard_link(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Captured {
    Captured::Entry(entry(name, EntryKind::HardLink { target: path(target) }))
}

/// Bytes that do not compress, the same for the same seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Runs a tool that must succeed, with `input` on its standard input.
pub fn run(program: &str, args: &[&std::ffi::OsStr], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(args)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || {
        // A tool that has seen enough closes its end.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Unpacks a tar with `program` into a fresh directory.
pub fn unpack(program: &str, tar: &[u8], into: &Path) {
    fs::create_dir(into).unwrap();
    let args = [
        "-x".as_ref(),
        "-p".as_ref(),
        "-f".as_ref(),
        "-".as_ref(),
        "-C".as_ref(),
        into.as_os_str(),
    ];
    run(program, &args, tar);
}

/// Files that count the bytes read from the encrypted archive.
pub struct Counting<'a> {
    pub inner: &'a dyn Files,
    pub read: Arc<AtomicU64>,
}

impl Files for Counting<'_> {
    fn open(&self, file: ArtifactFile) -> Result<Box<dyn ReadSeek>, StorageError> {
        let inner = self.inner.open(file)?;
        if file != ArtifactFile::Backup {
            return Ok(inner);
        }
        Ok(Box::new(CountingFile {
            inner,
            read: Arc::clone(&self.read),
        }))
    }

    fn place(&self) -> String {
        self.inner.place()
    }
}

struct CountingFile {
    inner: Box<dyn ReadSeek>,
    read: Arc<AtomicU64>,
}

impl Read for CountingFile {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Seek for CountingFile {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.inner.seek(to)
    }
}
