//! The records of a zip file (APPNOTE 6.3), made for writing in one pass: sizes and checksum follow
//! the data.

use crate::domain::entry::Mtime;

/// Made by UNIX, so that the high half of the external attributes is a mode.
const MADE_BY: u16 = (3 << 8) | 45;
const FLAG_DESCRIPTOR: u16 = 1 << 3;
const FLAG_UTF8: u16 = 1 << 11;
/// What a 32-bit field holds when the real value stands in the zip64 extra field.
const IN_ZIP64: u32 = u32::MAX;
/// Sizes from here on are kept in 64 bits; below the real limit, as deflate may add a little.
const LARGE: u64 = 0xF000_0000;

/// One entry of the archive.
pub(super) struct ZipEntry<'a> {
    /// With a closing slash for directories.
    pub(super) name: &'a [u8],
    /// With type bits.
    pub(super) mode: u32,
    pub(super) uid: u64,
    pub(super) gid: u64,
    pub(super) mtime: Mtime,
    /// Deflated with sizes and checksum behind the data; else stored with them in front.
    pub(super) deflated: bool,
    /// The largest size it can have; decides the width of the fields behind the data.
    pub(super) large: bool,
    /// Where its local header begins.
    pub(super) start: u64,
    pub(super) sums: Sums,
}

/// What is known once the data has passed.
#[derive(Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) crc: u32,
    pub(super) compressed: u64,
    pub(super) size: u64,
}

/// True if an entry of `size` bytes needs 64-bit fields.
pub(super) fn is_large(size: u64) -> bool {
    size >= LARGE
}

impl ZipEntry<'_> {
    fn flags(&self) -> u16 {
        let utf8 = !self.name.is_ascii() && std::str::from_utf8(self.name).is_ok();
        (if self.deflated { FLAG_DESCRIPTOR } else { 0 }) | (if utf8 { FLAG_UTF8 } else { 0 })
    }

    /// Version, flags, method, time and date: what both headers share.
    fn common(&self, out: &mut Vec<u8>) {
        let (time, date) = dos_time(self.mtime);
        let method: u16 = if self.deflated { 8 } else { 0 };
        let version: u16 = if self.large { 45 } else { 20 };
        for value in [version, self.flags(), method, time, date] {
            out.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// Modification time (`UT`) and numeric owner (`ux`).
    fn unix_extras(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Ok(seconds) = i32::try_from(self.mtime.seconds) {
            extra(0x5455, &[&[1][..], &seconds.to_le_bytes()].concat(), &mut out);
        }
        if let (Ok(uid), Ok(gid)) = (u32::try_from(self.uid), u32::try_from(self.gid)) {
            let owner = [&[1, 4][..], &uid.to_le_bytes(), &[4], &gid.to_le_bytes()].concat();
            extra(0x7875, &owner, &mut out);
        }
        out
    }

    /// The header in front of the data.
    pub(super) fn local(&self, out: &mut Vec<u8>) {
        let mut extras = Vec::new();
        if self.large {
            extra(1, &[0; 16], &mut extras);
        }
        extras.extend(self.unix_extras());
        let placeholder = if self.large { IN_ZIP64 } else { 0 };
        let (crc, compressed, size) = if self.deflated {
            (0, placeholder, placeholder)
        } else {
            // Stored entries are link targets, directories and empty files: small.
            (self.sums.crc, self.sums.compressed as u32, self.sums.size as u32)
        };
        out.extend_from_slice(b"PK\x03\x04");
        self.common(out);
        for value in [crc, compressed, size] {
            out.extend_from_slice(&value.to_le_bytes());
        }
        self.lengths(&extras, out);
        out.extend_from_slice(self.name);
        out.extend_from_slice(&extras);
    }

    fn lengths(&self, extras: &[u8], out: &mut Vec<u8>) {
        // Names are at most 32 KiB, extras a few dozen bytes.
        for length in [self.name.len(), extras.len()] {
            out.extend_from_slice(&(length as u16).to_le_bytes());
        }
    }

    /// What follows deflated data.
    pub(super) fn descriptor(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"PK\x07\x08");
        out.extend_from_slice(&self.sums.crc.to_le_bytes());
        for value in [self.sums.compressed, self.sums.size] {
            if self.large {
                out.extend_from_slice(&value.to_le_bytes());
            } else {
                // is_large() was false, and deflate adds far less than what is left to 4 GiB.
                out.extend_from_slice(&(value as u32).to_le_bytes());
            }
        }
    }

    /// The record in the directory at the end.
    pub(super) fn central(&self, out: &mut Vec<u8>) {
        let mut wide = Vec::new();
        let mut field = |value: u64, force: bool| match u32::try_from(value) {
            Ok(value) if !force && value != IN_ZIP64 => value,
            _ => {
                wide.extend_from_slice(&value.to_le_bytes());
                IN_ZIP64
            }
        };
        let size = field(self.sums.size, self.large);
        let compressed = field(self.sums.compressed, self.large);
        let start = field(self.start, false);
        let mut extras = Vec::new();
        if !wide.is_empty() {
            extra(1, &wide, &mut extras);
        }
        extras.extend(self.unix_extras());
        let directory = u32::from(self.name.ends_with(b"/")) << 4;

        out.extend_from_slice(b"PK\x01\x02");
        out.extend_from_slice(&MADE_BY.to_le_bytes());
        self.common(out);
        for value in [self.sums.crc, compressed, size] {
            out.extend_from_slice(&value.to_le_bytes());
        }
        self.lengths(&extras, out);
        // No comment, first disk, no internal attributes.
        out.extend_from_slice(&[0; 6]);
        out.extend_from_slice(&((self.mode << 16) | directory).to_le_bytes());
        out.extend_from_slice(&start.to_le_bytes());
        out.extend_from_slice(self.name);
        out.extend_from_slice(&extras);
    }
}

fn extra(id: u16, data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(&(data.len() as u16).to_le_bytes());
    out.extend_from_slice(data);
}

/// The end of the archive: `entries` records of `length` bytes begin at `start`.
pub(super) fn end(entries: u64, length: u64, start: u64, out: &mut Vec<u8>) {
    let small = u16::try_from(entries).ok().filter(|&n| n != u16::MAX);
    let fits = [length, start].iter().all(|&value| value < u64::from(IN_ZIP64));
    if small.is_none() || !fits {
        out.extend_from_slice(b"PK\x06\x06");
        out.extend_from_slice(&44u64.to_le_bytes());
        out.extend_from_slice(&MADE_BY.to_le_bytes());
        out.extend_from_slice(&45u16.to_le_bytes());
        out.extend_from_slice(&[0; 8]);
        for value in [entries, entries, length, start] {
            out.extend_from_slice(&value.to_le_bytes());
        }
        out.extend_from_slice(b"PK\x06\x07\0\0\0\0");
        out.extend_from_slice(&(start + length).to_le_bytes());
        out.extend_from_slice(&1u32.to_le_bytes());
    }
    let narrow = |value: u64| u32::try_from(value).unwrap_or(IN_ZIP64);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    for _ in 0..2 {
        out.extend_from_slice(&small.unwrap_or(u16::MAX).to_le_bytes());
    }
    out.extend_from_slice(&narrow(length).to_le_bytes());
    out.extend_from_slice(&narrow(start).to_le_bytes());
    out.extend_from_slice(&[0; 2]);
}

/// Time and date as MS-DOS had them, in UTC; 1980-01-01 for what it cannot hold.
fn dos_time(mtime: Mtime) -> (u16, u16) {
    use chrono::{DateTime, Datelike, Timelike};
    let moment = DateTime::from_timestamp(mtime.seconds, 0).filter(|moment| (1980..2108).contains(&moment.year()));
    let Some(moment) = moment else {
        return (0, (1 << 5) | 1);
    };
    let time = (moment.hour() << 11) | (moment.minute() << 5) | (moment.second() / 2);
    let date = ((moment.year() as u32 - 1980) << 9) | (moment.month() << 5) | moment.day();
    (time as u16, date as u16)
}
