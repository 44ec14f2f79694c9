use super::csv::gzip;
use super::*;

/// A file as numpy.save writes it.
pub(super) fn npy(descr: &str, shape: &str, body: &[u8]) -> Vec<u8> {
    let mut dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + dict.len() + 1) % 64 != 0 {
        dict.push(' ');
    }
    dict.push('\n');
    let length = (dict.len() as u16).to_le_bytes();
    [&b"\x93NUMPY\x01\x00"[..], &length, dict.as_bytes(), body].concat()
}

pub(super) fn f64s(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn idx(magic: u32, dims: &[u32], body: &[u8]) -> Vec<u8> {
    std::iter::once(&magic).chain(dims).flat_map(|d| d.to_be_bytes()).chain(body.iter().copied()).collect()
}

fn pixels(count: usize) -> Schema {
    let mut s = schema();
    s.columns = vec![Column::pixels("p", count)];
    s.classes = (0..3).map(|i| i.to_string()).collect();
    s
}

fn open(x: &[u8], y: &[u8], schema: &Schema, ending: &str) -> Result<All> {
    let folder = Folder::new();
    let labels = Some(folder.put(&format!("y{ending}"), y));
    let source = Source { labels, ..Source::of(folder.put(&format!("x{ending}"), x)) };
    all(Records::open(&source, schema, &[], true)?, 2)
}

fn refused(x: &[u8], y: &[u8], schema: &Schema, ending: &str) -> String {
    let text = open(x, y, schema, ending).unwrap_err().to_string();
    // What follows the folder's name.
    let at = text.find("/x").into_iter().chain(text.find("/y")).min().unwrap();
    text[at + 2..].to_string()
}

#[test]
fn every_element_type() {
    let row = vec![4096, -8192, 4096];
    let labels = npy("<f8", "(1,)", &f64s(&[1.0]));
    let words = |v: [i32; 2]| v.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
    for (descr, body) in [
        ("<f8", f64s(&[1.0, -2.0])),
        ("<f4", [1.0_f32, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect()),
        ("<i4", words([1, -2])),
        ("<i8", [1_i64, -2].iter().flat_map(|v| v.to_le_bytes()).collect()),
    ] {
        let x = npy(descr, "(1, 2)", &body);
        assert_eq!(open(&x, &labels, &regression(2), ".npy").unwrap().0, std::slice::from_ref(&row));
        assert_eq!(open(&gzip(&x), &gzip(&labels), &regression(2), ".npy.gz").unwrap().0, std::slice::from_ref(&row));
    }
    let wide = |version: u8| {
        let narrow = npy("<i4", "(1, 2)", &words([1, -2]));
        [&b"\x93NUMPY"[..], &[version, 0], &narrow[8..10], &[0, 0], &narrow[10..]].concat()
    };
    for version in [2, 3] {
        assert_eq!(open(&wide(version), &labels, &regression(2), ".npy").unwrap().0, std::slice::from_ref(&row));
    }
}

/// The same array in both orders, plain and packed.
#[test]
fn columns_one_after_the_other() {
    let fortran = |bytes: &[u8]| {
        let head = String::from_utf8_lossy(&bytes[10..128]).replace("False", "True ");
        [&bytes[..10], head.as_bytes(), &bytes[128..]].concat()
    };
    let rows: Vec<f64> = (0..300 * 6).map(|v| f64::from(v % 50) / 8.0 - 3.0).collect();
    let labels = npy("<f8", "(300,)", &f64s(&vec![1.0; 300]));
    let expected = open(&npy("<f8", "(300, 2, 3)", &f64s(&rows)), &labels, &regression(6), ".npy").unwrap();
    // The value of record r, at (i, j), is in the file at r + 300 (i + 2 j).
    let columns: Vec<f64> = (0..300 * 6).map(|at| rows[6 * (at % 300) + 3 * (at / 300 % 2) + at / 600]).collect();
    let x = fortran(&npy("<f8", "(300, 2, 3)", &f64s(&columns)));
    assert_eq!(open(&x, &fortran(&labels), &regression(6), ".npy").unwrap(), expected);
    assert_eq!(open(&gzip(&x), &gzip(&labels), &regression(6), ".npy.gz").unwrap(), expected);
    let cut = refused(&x[..x.len() - 1], &labels, &regression(6), ".npy");
    assert_eq!(cut, format!(".npy: found {} bytes, expected {} bytes", x.len() - 1, x.len()));
}

#[test]
fn images_in_either_format() {
    let body: Vec<u8> = (0..20).map(|v| 250 - v).collect();
    let rows = |i: usize, label: usize| {
        let mut row: Vec<i64> = body[4 * i..4 * i + 4].iter().map(|&v| v.into()).collect();
        row.extend((0..3).map(|c| i64::from(c == label)));
        row
    };
    let expected = (vec![rows(0, 0), rows(1, 2), rows(2, 1), rows(4, 1)], vec![rows(3, 0)], None);
    let labels = [0, 2, 1, 0, 1];
    let x = idx(0x0803, &[5, 2, 2], &body);
    let y = idx(0x0801, &[5], &labels);
    let s = pixels(4);
    assert_eq!(open(&x, &y, &s, "").unwrap(), expected);
    assert_eq!(open(&gzip(&x), &gzip(&y), &s, "-ubyte.gz").unwrap(), expected);
    let x = npy("|u1", "(5, 2, 2)", &body);
    let y = npy("|u1", "(5,)", &labels);
    assert_eq!(open(&x, &y, &s, ".npy").unwrap(), expected);
}

#[test]
fn npy_files_that_are_refused() {
    let s = regression(2);
    let y = npy("<f8", "(2,)", &f64s(&[0.0; 2]));
    let x = npy("<f8", "(2, 2)", &f64s(&[0.0; 4]));
    open(&x, &y, &s, ".npy").unwrap();
    let refused_x = |x: &[u8]| refused(x, &y, &s, ".npy");
    assert_eq!(refused_x(&x[..x.len() - 1]), ".npy: found 159 bytes, expected 160 bytes");
    assert_eq!(refused_x(&[&x[..], &[0]].concat()), ".npy: found 161 bytes, expected 160 bytes");
    assert_eq!(refused_x(&x[..4]), ".npy: found other first bytes, expected a NumPy file (.npy)");
    assert_eq!(refused_x(&x[..9]), ".npy: found the beginning of a header, expected a NumPy file (.npy)");
    assert_eq!(refused_x(&x[..40]), ".npy: found the beginning of a header, expected a NumPy file (.npy)");
    assert_eq!(refused_x(b"\x93NUMPY\x04\x00aaaaaa"), ".npy: found version 4, expected a NumPy file (.npy)");
    assert_eq!(
        refused_x(b"\x93NUMPY\x02\x00\xff\xff\xff\xff"),
        ".npy: found a header of 4294967295 bytes, expected a NumPy file (.npy)"
    );
    let wide = npy("<f8", "(2, 3)", &f64s(&[0.0; 6]));
    assert_eq!(refused_x(&wide), ".npy: found an array of shape [2, 3], expected 2 columns as in the schema");
    let huge = npy("<f8", "(2, 18446744073709551615, 9)", &[]);
    assert!(refused_x(&huge).contains("expected 2 columns as in the schema"));
    let many = npy("<f8", "(18446744073709551615, 2)", &[]);
    assert!(refused_x(&many).contains("found 128 bytes, expected 295147905179352825968 bytes"), "{}", refused_x(&many));
    assert_eq!(refused_x(&y), ".npy: found an array of shape [2], expected records x columns");
    assert!(
        refused_x(&npy("|O", "(2, 2)", &[0; 32])).contains("found elements of type \"|O\", which are Python's objects, expected")
    );
    let texts = npy("<U9", "(2, 18446744073709551615)", &[]);
    assert!(refused_x(&texts).contains("expected 2 columns as in the schema"));
    for header in [
        "{}",
        "{'descr': '<f8', 'fortran_order': False}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), 'more': 1}",
        "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (2, 2)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2, -2)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 99999999999999999999)}",
        "{'descr': '<f8' 'fortran_order': False, 'shape': (2, 2)}",
        "{\u{e9}",
    ] {
        let file = [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat();
        assert!(refused_x(&file).starts_with(".npy: found the header "), "{header}");
    }

    let refused_y = |y: &[u8]| refused(&x, y, &s, ".npy");
    assert!(
        refused_y(&npy("<f8", "(1,)", &f64s(&[0.0]))).starts_with(".npy: found 1 labels, expected 2 as there are records in ")
    );
    assert_eq!(refused_y(&x), ".npy: found an array of shape [2, 2], expected one label a record");
    let nan = npy("<f8", "(2,)", &f64s(&[0.0, f64::NAN]));
    assert_eq!(refused_y(&nan), ".npy: record 2, column \"y\": found NaN, expected a finite number");
    let nan = npy("<f8", "(2, 2)", &f64s(&[0.0, 1.0, 2.0, f64::INFINITY]));
    assert_eq!(refused_x(&nan), ".npy: record 2, column \"x1\": found inf, expected a finite number");
    assert!(refused_x(&npy("<f8", "(0, 2)", &[])).starts_with(".npy: found 2 labels, expected 0 as there are records in "));
}

#[test]
fn idx_files_that_are_refused() {
    let (s, y) = (pixels(4), idx(0x0801, &[1], &[2]));
    let refused_x = |x: &[u8]| refused(x, &y, &s, "");
    assert_eq!(
        refused_x(&idx(0x0803, &[1, 2, 3], &[0; 6])),
        ": found an array of shape [1, 2, 3], expected 4 columns as in the schema"
    );
    assert_eq!(refused_x(&idx(0x0803, &[1, 2, 2], &[0; 3])), ": found 19 bytes, expected 20 bytes");
    assert_eq!(refused_x(&gzip(&idx(0x0803, &[1, 2, 2], &[0; 3]))), ": found 19 bytes, expected 20 bytes after decompression");
    assert_eq!(
        refused_x(&gzip(&idx(0x0803, &[1, 2, 2], &[0; 5]))),
        ": found more than 20 bytes, expected 20 bytes after decompression"
    );
    assert_eq!(refused_x(&y), ": found magic number 0x00000801, expected 0x00000803 (IDX images)");
    assert_eq!(
        refused_x(&idx(0x0803, &[u32::MAX; 3], &[])),
        ": found an array of shape [4294967295, 4294967295, 4294967295], expected 4 columns as in the schema"
    );
    let x = idx(0x0803, &[1, 2, 2], &[0; 4]);
    assert_eq!(
        refused(&x, &idx(0x0801, &[1], &[3]), &s, ""),
        ": record 1, column \"y\": found \"3\", expected one of: \"0\", \"1\", \"2\""
    );
    assert_eq!(refused(&x, &x, &s, ""), ": found magic number 0x00000803, expected 0x00000801 (IDX labels)");
}

#[test]
fn labels_and_identifiers() {
    let folder = Folder::new();
    let path = folder.put("x.npy", npy("<f8", "(1, 2)", &f64s(&[0.0; 2])));
    let message_of = |source: &Source, labelled| message(source, &regression(2), &[], labelled);
    let both = Source { labels: Some(path.clone()), ..Source::of(&path) };
    assert_eq!(message_of(&both, false), "x.npy: found a file with labels, expected none, another owner has the labels");
    assert_eq!(
        message_of(&alone(&path), true),
        "x.npy: found no file with its labels, expected one beside NumPy or IDX features"
    );
    assert_eq!(
        message(&alone(&path), &vertical(), &["a"], false),
        "x.npy: found a file without identifiers, expected CSV, JSON lines, Parquet or Arrow for a vertical partition"
    );
    assert_eq!(all(Records::open(&alone(&path), &regression(2), &[], false).unwrap(), 2).unwrap().0, [[0, 0]]);
}
