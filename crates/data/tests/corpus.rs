//! The parsers against the committed corpus and against arbitrary bytes: no panic, and no memory out of proportion to
//! the input. Files whose names begin with `ok-` must be read, those with `bad-` refused. The fuzz targets start from
//! the same folders.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unsafe_code)]

use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::path::Path;
use trefoil_data::records::{Raw, RawColumn, idx_pixels};
use trefoil_data::schema::{Column, Schema};
use trefoil_data::{DataError, Records, Result, Samples, Source, guessed};

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

/// A schema of so many pixels and ten classes.
fn images(pixels: usize) -> Schema {
    let classes: Vec<String> = (0..10).map(|class| format!("'{class}'")).collect();
    let text = format!("task = 'classification'\nlabel = 'y'\nclasses = [{}]\nholdout = 0\n", classes.join(", "));
    toml::from_str(&format!("{text}columns = [{{ kind = 'pixels', name = 'p', count = {pixels} }}]")).unwrap()
}

/// As images, and as the labels of three or five images. Memory does not grow with the file.
fn parse_idx(bytes: &[u8], name: &str) -> [Result<(), String>; 2] {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    let read = |source: Source, labelled: bool| -> Result<()> {
        let mut records = Records::open(&source, &images(idx_pixels(&source.path)?), &[], labelled)?;
        while records.next(10)?.is_some() {}
        Ok(())
    };
    let labels = |count: u32| {
        let images = folder.path().join(format!("{count}-images"));
        let header = [0x0803, count, 1, 1].map(u32::to_be_bytes).concat();
        fs::write(&images, [&header[..], &vec![0; count as usize]].concat()).unwrap();
        read(Source { labels: Some(path.clone()), ..Source::of(images) }, true)
    };
    let (result, peak) = measured(|| [read(Source::of(&path), false), labels(3).or_else(|_| labels(5))]);
    // For buffers and the columns' names.
    assert!(peak <= 1 << 23, "{name}: {peak} bytes for {}", bytes.len());
    result.map(|r| r.map_err(|e| e.to_string().replace(&format!("{}/", folder.path().display()), "")))
}

/// Guessed, and read by what was guessed.
fn parse_csv(bytes: &[u8], name: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("{name}.csv"));
    fs::write(&path, bytes).unwrap();
    let (result, peak) =
        measured(|| guessed::load(&Source::of(&path), "y").map(|d| [d.train, d.test].map(|part: Samples| part.rows())));
    assert!(peak <= (1 << 20) + 256 * bytes.len(), "{name}: {peak} bytes for {}", bytes.len());
    result.map(drop).map_err(|e| e.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

/// A regression with one number `x0` and, if asked for, one category.
fn schema(category: bool) -> Schema {
    let mut text = "task = 'regression'\nlabel = 'y'\ntarget = { mean = 0, deviation = 1 }\n".to_string()
        + "columns = [{ kind = 'number', name = 'x0', mean = 0, deviation = 1 }";
    text += if category { ", { kind = 'category', name = 'c', values = ['u', 'v'] }]" } else { "]" };
    toml::from_str(&text).unwrap()
}

/// Puts `bytes` where [`Records`] finds them and reads them to the end; the message has only the file's name.
fn read_records(bytes: &[u8], name: &str, schema: &Schema, labelled: bool, most: usize) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    let source = Source::of(path);
    let (result, peak) = measured(|| -> Result<()> {
        let mut records = Records::open(&source, schema, &[], labelled)?;
        while let Some(chunk) = records.next(10)? {
            assert_eq!(chunk.values.len(), chunk.rows * records.width());
            assert!(chunk.values.iter().all(|v| (-32768..32768).contains(v)));
        }
        Ok(())
    });
    assert!(peak <= (1 << 20) + most, "{name}: {peak} bytes for {}", bytes.len());
    result.map_err(|e| e.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

/// Two columns of numbers.
fn read_npy(bytes: &[u8], name: &str) -> Result<(), String> {
    let mut s = schema(false);
    s.columns.push(Column::number("x1", 0.0, 1.0));
    read_records(bytes, &format!("{name}.npy"), &s, false, 0)
}

/// Two columns of numbers and a label. Not held to a limit but that of a file: the archive says how long an array is.
fn read_npz(bytes: &[u8], name: &str) -> Result<(), String> {
    let mut s = schema(false);
    s.columns.push(Column::number("x1", 0.0, 1.0));
    read_records(bytes, &format!("{name}.npz"), &s, true, 1200 * bytes.len())
}

/// A number and a label. A value takes more in memory than in a line.
fn read_jsonl(bytes: &[u8], name: &str) -> Result<(), String> {
    read_records(bytes, &format!("{name}.jsonl"), &schema(false), true, 256 * bytes.len())
}

/// Not held to a limit: the library allocates what a page's header says, and a panic of its own, which is caught, takes
/// memory for its backtrace.
fn read_parquet(bytes: &[u8], name: &str) -> Result<(), String> {
    read_records(bytes, &format!("{name}.parquet"), &schema(true), true, 1 << 40)
}

/// What is compressed may take more than a file, and unpacking LZ4 its buffers.
fn read_arrow(bytes: &[u8], name: &str) -> Result<(), String> {
    read_records(bytes, &format!("{name}.arrow"), &schema(true), true, (12 << 20) + 300 * bytes.len())
}

fn read_csv(bytes: &[u8], name: &str) -> Result<(), String> {
    read_records(bytes, &format!("{name}.csv"), &schema(false), true, 8 * bytes.len())
}

/// An image of 16 grey levels.
fn read_png(bytes: &[u8], name: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("{name}.png"));
    fs::write(&path, bytes).unwrap();
    let columns: Vec<RawColumn> = (0..16).map(|i| RawColumn::new(format!("p{i}"), vec![])).collect();
    let (result, peak) = measured(|| -> Result<()> {
        let (mut raw, mut values) = (Raw::open(&Source::of(&path), &columns, false, None, Some([1, 4, 4]))?, Vec::new());
        while raw.next(&mut values)? {}
        assert!(values.len() == 16 && values.iter().all(|v| (0.0..256.0).contains(v)), "{name}: {values:?}");
        Ok(())
    });
    assert!(peak <= (1 << 20) + 8 * bytes.len(), "{name}: {peak} bytes for {}", bytes.len());
    result.map_err(|e| e.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

fn read_schema(bytes: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
    let schema: Schema = toml::from_str(text).map_err(|e| e.to_string())?;
    schema.check().map_err(|e: DataError| {
        assert!(e.to_string().starts_with("[data] ") && !e.to_string().contains('\n'), "{e}");
        e.to_string()
    })?;
    // What is in order has the sizes that it says, and is the same after it was written.
    assert_eq!(schema.width_of(&[]).unwrap(), schema.features());
    assert_eq!(toml::from_str::<Schema>(&toml::to_string(&schema).unwrap()).unwrap(), schema);
    Ok(())
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

fn one_line_text(text: &str, name: &str) {
    assert!(text.starts_with(&format!("{name}: ")) && text.contains("expected") && !text.contains('\n'), "{text}");
}

#[test]
fn idx_corpus() {
    replay("idx", |bytes, name| {
        let [images, labels] = parse_idx(bytes, name);
        if let Err(e) = &images {
            one_line_text(e, name);
        }
        images.is_ok() || labels.is_ok()
    });
}

#[test]
fn csv_corpus() {
    replay("csv", |bytes, name| match parse_csv(bytes, name) {
        Ok(()) => true,
        Err(e) => {
            assert!(e.contains("expected") && !e.contains('\n'), "{e}");
            false
        }
    });
}

#[test]
fn npy_corpus() {
    replay("npy", |bytes, name| read_npy(bytes, name).map_err(|e| one_line_text(&e, &format!("{name}.npy"))).is_ok());
}

#[test]
fn npz_corpus() {
    replay("npz", |bytes, name| read_npz(bytes, name).map_err(|e| one_line_text(&e, &format!("{name}.npz"))).is_ok());
}

#[test]
fn jsonl_corpus() {
    replay("jsonl", |bytes, name| read_jsonl(bytes, name).map_err(|e| one_line_text(&e, &format!("{name}.jsonl"))).is_ok());
}

#[test]
fn parquet_corpus() {
    replay("parquet", |bytes, name| read_parquet(bytes, name).map_err(|e| one_line_text(&e, &format!("{name}.parquet"))).is_ok());
}

#[test]
fn arrow_corpus() {
    replay("arrow", |bytes, name| read_arrow(bytes, name).map_err(|e| one_line_text(&e, &format!("{name}.arrow"))).is_ok());
}

#[test]
fn png_corpus() {
    replay("png", |bytes, name| read_png(bytes, name).map_err(|e| one_line_text(&e, &format!("{name}.png"))).is_ok());
}

#[test]
fn schema_corpus() {
    replay("schema", |bytes, _| read_schema(bytes).is_ok());
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
    fn mutated_png(bytes in mutated("png")) {
        let _ = read_png(&bytes, "f");
    }

    #[test]
    fn mutated_csv(bytes in mutated("csv")) {
        let _ = parse_csv(&bytes, "f");
    }

    #[test]
    fn mutated_npy(bytes in mutated("npy")) {
        let _ = read_npy(&bytes, "f");
    }

    #[test]
    fn mutated_npz(bytes in mutated("npz")) {
        let _ = read_npz(&bytes, "f");
    }

    #[test]
    fn mutated_arrow(bytes in mutated("arrow")) {
        let _ = read_arrow(&bytes, "f");
    }

    #[test]
    fn mutated_jsonl(bytes in mutated("jsonl")) {
        let _ = read_jsonl(&bytes, "f");
    }

    #[test]
    fn mutated_schema(bytes in mutated("schema")) {
        let _ = read_schema(&bytes);
    }

    #[test]
    fn csv_as_records(text in "x0,y\n([-0-9.e,y\" \n]{0,12}\n){0,8}", bytes in mutated("csv")) {
        let _ = read_csv(text.as_bytes(), "f");
        let _ = read_csv(&bytes, "f");
    }
}
