//! Sealing and opening, without the disk where possible: `cargo bench -p trefoil-store`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use trefoil_store::StorageKey;
use trefoil_store::sealed::{self, Reader};

fn main() {
    divan::main();
}

const BYTES: usize = 64 << 20;

/// A file of 64 MiB, its writing, synchronising and renaming included.
#[divan::bench(args = [4 << 10, 1 << 20, 16 << 20])]
fn write(bencher: Bencher, record: usize) {
    let (folder, key) = (tempfile::tempdir().expect("a folder"), StorageKey::derive(b"bench"));
    let (path, bytes) = (folder.path().join("f"), vec![7; record]);
    bencher.counter(BytesCount::new(BYTES)).bench_local(|| {
        sealed::write_atomically(&path, &key, b"", std::iter::repeat_n(&bytes, BYTES / record)).expect("written");
    });
}

/// The same from memory.
#[divan::bench(args = [4 << 10, 1 << 20, 16 << 20])]
fn read(bencher: Bencher, record: usize) {
    let (folder, key) = (tempfile::tempdir().expect("a folder"), StorageKey::derive(b"bench"));
    let (path, bytes) = (folder.path().join("f"), vec![7; record]);
    sealed::write_atomically(&path, &key, b"", std::iter::repeat_n(&bytes, BYTES / record)).expect("written");
    let file = std::fs::read(&path).expect("read");
    bencher.counter(BytesCount::new(BYTES)).bench_local(|| {
        let mut reader = Reader::from(&file[..], file.len() as u64, "f", &key).expect("opened");
        while let Some(record) = reader.next().expect("whole") {
            black_box(record);
        }
    });
}
