//! Trees to back up, the same ones in every run.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
};

/// Bytes that depend on the seed only (splitmix64).
pub struct Bytes {
    state: u64,
}

const WORDS: [&str; 16] = [
    "backup",
    "restore",
    "the",
    "of",
    "request",
    "GET",
    "200",
    "index.html",
    "error",
    "warning",
    "connection",
    "from",
    "127.0.0.1",
    "POST",
    "/wp-content/uploads",
    "user",
];

impl Bytes {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Bytes that do not compress.
    pub fn noise(&mut self, into: &mut [u8]) {
        for chunk in into.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }

    /// Bytes like those of a log or a source file.
    fn text(&mut self, into: &mut [u8]) {
        let mut at = 0;
        while at < into.len() {
            let pick = self.next();
            let word = WORDS[usize::try_from(pick % 16).expect("below 16")].as_bytes();
            let number = (pick >> 8) % 10_000;
            let piece = [
                word,
                format!(" {number} ").as_bytes(),
                if pick.is_multiple_of(11) { b"\n" } else { b"" },
            ]
            .concat();
            let length = piece.len().min(into.len() - at);
            into[at..at + length].copy_from_slice(&piece[..length]);
            at += length;
        }
    }
}

/// A file of `size` bytes; `text` compresses about as logs do, the rest not at all.
pub fn file(path: &Path, size: u64, text: bool, seed: u64) {
    let mut bytes = Bytes::new(seed);
    let mut out = BufWriter::new(File::create(path).expect("a file"));
    let mut block = vec![0; 1 << 20];
    let mut left = size;
    while left > 0 {
        let length = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        match text {
            true => bytes.text(&mut block[..length]),
            false => bytes.noise(&mut block[..length]),
        }
        out.write_all(&block[..length]).expect("room on the disk");
        left -= length as u64;
    }
    out.flush().expect("room on the disk");
}

/// `count` files of `size` bytes, 1,000 to a directory.
pub fn small_files(root: &Path, count: u64, size: u64) {
    let mut content = vec![0; usize::try_from(size).expect("small")];
    let mut bytes = Bytes::new(7);
    for n in 0..count {
        let directory = root.join(format!("d{:04}", n / 1000));
        if n % 1000 == 0 {
            fs::create_dir_all(&directory).expect("a directory");
        }
        bytes.noise(&mut content);
        fs::write(directory.join(format!("f{n:07}")), &content).expect("room on the disk");
    }
}

/// About `total` bytes as a server holds them: a tenth in small files, four tenths in files of a
/// megabyte, the rest in large ones; half of each is text.
pub fn mixed(root: &Path, total: u64) {
    let parts = [
        ("small", total / 10, 8 << 10),
        ("middle", total * 4 / 10, 1 << 20),
        ("large", total / 2, 64 << 20),
    ];
    for (name, bytes, size) in parts {
        let size = bytes.clamp(1, size);
        for n in 0..bytes / size {
            let directory = root.join(name).join(format!("{:03}", n / 500));
            fs::create_dir_all(&directory).expect("a directory");
            file(&directory.join(format!("{n:06}")), size, n % 2 == 0, n);
        }
    }
}
