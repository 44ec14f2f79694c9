//! Sealed files and audit logs against the committed corpus and against arbitrary bytes: no panic, and no memory on the
//! word of a header. Files whose names begin with `ok-` must be read, those with `bad-` refused. The fuzz targets start
//! from the same folders. The sealed files were written under the key of the secret `corpus`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unsafe_code)]

use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use trefoil_store::sealed::Reader;
use trefoil_store::{Result, StorageKey, StoreError, audit};

/// Notes the largest piece of memory that was ever asked for.
struct Largest;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to `System` as it came.
unsafe impl GlobalAlloc for Largest {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Largest = Largest;

/// Nothing here has a megabyte. A log's line grows as it is read.
fn modest() {
    let largest = LARGEST.load(Ordering::Relaxed);
    assert!(largest < 1 << 20, "{largest} bytes at once");
}

fn open(bytes: &[u8], name: &str) -> Result<u64> {
    let mut reader = Reader::from(bytes, bytes.len() as u64, name, &StorageKey::derive(b"corpus"))?;
    while reader.next()?.is_some() {}
    Ok(reader.records())
}

fn check(bytes: &[u8], name: &str) -> Result<u64> {
    let mut entries = audit::Entries::from(bytes, name);
    entries.by_ref().try_for_each(|e| e.map(drop))?;
    Ok(entries.summary().entries)
}

/// The files of a folder, in the order of their names.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(folder);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths
}

fn replay(folder: &str, read: impl Fn(&[u8], &str) -> Result<u64>) {
    let mut count = [0, 0];
    for path in files(folder) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let found = read(&fs::read(&path).unwrap(), name).map_err(|e: StoreError| e.to_string());
        match &found {
            Ok(records) => assert!(name.starts_with(&format!("ok-{records}-")), "{name}: {records}"),
            Err(text) => {
                assert!(name.starts_with("bad-") && text.starts_with(&format!("{name}: ")) && !text.contains('\n'), "{text}");
            }
        }
        count[usize::from(found.is_ok())] += 1;
    }
    assert!(count[0] > 10 && count[1] > 5, "{folder}: {count:?}");
    modest();
}

#[test]
fn sealed_corpus() {
    replay("sealed", open);
}

#[test]
fn audit_corpus() {
    replay("audit", check);
}

/// A file of the corpus with a few bytes changed, and a piece cut off.
fn mutated(folder: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let files: Vec<Vec<u8>> = files(folder).iter().map(|p| fs::read(p).unwrap()).collect();
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (prop::sample::select(files), changes, any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(mut bytes, changes, end, cut)| {
            for (at, value) in changes.into_iter().filter(|_| !bytes.is_empty()).collect::<Vec<_>>() {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            if cut {
                bytes.truncate(end.index(bytes.len() + 1));
            }
            bytes
        },
    )
}

proptest! {
    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(open(&bytes, "f").is_err());
        prop_assert!(open(&[b"TREFSEAL\x01\0\0\0", &bytes[..]].concat(), "f").is_err());
        let _ = check(&bytes, "f");
        modest();
    }

    #[test]
    fn mutated_sealed(bytes in mutated("sealed")) {
        let _ = open(&bytes, "f");
        modest();
    }

    #[test]
    fn mutated_audit(bytes in mutated("audit")) {
        let _ = check(&bytes, "f");
        modest();
    }
}
