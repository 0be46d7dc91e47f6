//! The artifact format, against stock age, zstd, tar, bsdtar and unzip.

mod browse;
mod cli;
mod damage;
mod export;
mod fixture;
mod forged;
mod real_dump;
mod round_trip;
mod storage;
mod streams;
mod vectors;
mod writer;
