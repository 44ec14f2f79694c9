//! The parsers against the committed corpus and against arbitrary bytes: no panic, and no memory out of proportion to
//! the input. Files whose names begin with `ok-` must be read, those with `bad-` refused. The fuzz targets start from
//! the same folders.

use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::path::Path;
use trefoil_data::{Result, csv, idx};

/// Counts the bytes that the current thread holds, and their peak.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn held(change: isize) {
    // A thread that ends has no counters any more.
    let _ = HELD.try_with(|h| {
        h.set(h.get() + change);
        let _ = PEAK.try_with(|p| p.set(p.get().max(h.get())));
    });
}

// SAFETY: every call goes to `System` as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        held(layout.size() as isize);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        held(-(layout.size() as isize));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The result of `f`, and the most bytes that it held at once.
fn measured<T>(f: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = f();
    (result, (PEAK.get() - before) as usize)
}

#[test]
fn the_measure_counts() {
    assert!((5000..6000).contains(&measured(|| vec![1_u8; 5000].len()).1));
}

/// Both IDX parsers. What deflate can make of the input is within its size class; 1 MiB is for buffers.
fn parse_idx(bytes: &[u8], name: &str) -> (Result<()>, Result<()>) {
    let ((images, labels), peak) =
        measured(|| (idx::parse_images(bytes, name).map(drop), idx::parse_labels(bytes, name, 10).map(drop)));
    assert!(peak <= (1 << 20) + 16 * bytes.len().max(inflated(bytes)), "{name}: {peak} bytes for {}", bytes.len());
    (images, labels)
}

/// Upper bound of the decompressed length.
fn inflated(bytes: &[u8]) -> usize {
    if bytes.starts_with(&[0x1f, 0x8b]) { 1032 * bytes.len() } else { 0 }
}

fn parse_csv(bytes: &[u8], name: &str) -> Result<()> {
    let (result, peak) = measured(|| csv::parse(bytes, name, "y").and_then(|r| r.dataset(name, name, 0)).map(drop));
    assert!(peak <= (1 << 20) + 256 * bytes.len(), "{name}: {peak} bytes for {}", bytes.len());
    result
}

/// Runs `read` on each file of a folder: true means that it was read.
fn replay(folder: &str, read: impl Fn(&[u8], &str) -> bool) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(folder);
    let mut count = [0, 0];
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let ok = name.starts_with("ok-");
        assert!(ok || name.starts_with("bad-"), "{name}");
        assert_eq!(read(&fs::read(entry.path()).unwrap(), &name), ok, "{folder}/{name}");
        count[usize::from(ok)] += 1;
    }
    assert!(count[0] > 10 && count[1] > 3, "{folder}: {count:?}");
}

fn one_line(e: &trefoil_data::DataError, name: &str) {
    let text = e.to_string();
    assert!(text.starts_with(&format!("{name}: ")) && text.contains("expected") && !text.contains('\n'), "{text}");
}

#[test]
fn idx_corpus() {
    replay("idx", |bytes, name| {
        let (images, labels) = parse_idx(bytes, name);
        [&images, &labels].into_iter().filter_map(|r| r.as_ref().err()).for_each(|e| one_line(e, name));
        images.is_ok() || labels.is_ok()
    });
}

#[test]
fn csv_corpus() {
    replay("csv", |bytes, name| match parse_csv(bytes, name) {
        Ok(()) => true,
        Err(e) => {
            one_line(&e, name);
            false
        }
    });
}

/// A file of the corpus with a few bytes changed, and a piece cut off.
fn mutated(folder: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(folder);
    let mut paths: Vec<_> = fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let files: Vec<Vec<u8>> = paths.iter().map(|p| fs::read(p).unwrap()).collect();
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
        let _ = parse_idx(&bytes, "f");
        let _ = parse_csv(&bytes, "f");
        let _ = parse_csv(&[b"a,y\n", &bytes[..]].concat(), "f");
        for magic in [&b"\x1f\x8b\x08\x00"[..], b"\x00\x00\x08\x01", b"\x00\x00\x08\x03"] {
            let _ = parse_idx(&[magic, &bytes].concat(), "f");
        }
    }

    #[test]
    fn csv_like_text(text in "a,b,y\n([-0-9.e,y\" \n]{0,12}\n){0,8}") {
        let _ = parse_csv(text.as_bytes(), "f");
    }

    #[test]
    fn mutated_idx(bytes in mutated("idx")) {
        let _ = parse_idx(&bytes, "f");
    }

    #[test]
    fn mutated_csv(bytes in mutated("csv")) {
        let _ = parse_csv(&bytes, "f");
    }
}
