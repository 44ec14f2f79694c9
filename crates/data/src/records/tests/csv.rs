use super::*;
use flate2::{Compression, write::GzEncoder};
use std::io::Write;

pub(in super::super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut e = GzEncoder::new(Vec::new(), Compression::fast());
    e.write_all(bytes).unwrap();
    e.finish().unwrap()
}

const TEXT: &str = "\u{feff}extra,y, r ,\"a\",c\r\nx,no,-1,1,u\r\n\r\nx,yes,3,2,v\n\"x\ny\",no,9,-100,7.0\n,\"yes\" ,1,1e9,u";

fn refused(text: &str) -> String {
    message(&alone(&Folder::new().put("f.csv", text)), &schema(), &[], true)
}

#[test]
fn columns_by_name_in_the_schemas_order() {
    let folder = Folder::new();
    let train = vec![vec![0, 4096, 0, 0, 0, 1, 0], vec![2048, 0, 4096, 0, 4096, 0, 1], vec![32767, 4096, 0, 0, 2048, 0, 1]];
    let test = vec![vec![-32767, 0, 0, 4096, 4096, 1, 0]];
    let twice = [gzip(&TEXT.as_bytes()[..40]), gzip(&TEXT.as_bytes()[40..])].concat();
    for (name, bytes) in [("f.csv", TEXT.as_bytes()), ("f.CSV.gz", &gzip(TEXT.as_bytes())), ("g.csv", &twice)] {
        let path = folder.put(name, bytes);
        for rows in [1, 2, 100] {
            let records = Records::open(&alone(&path), &schema(), &[], true).unwrap();
            assert_eq!((records.width(), all(records, rows).unwrap()), (7, (train.clone(), test.clone(), None)));
        }
        // Some of the columns, without the label.
        let some = Records::open(&alone(&path), &schema(), &["r".to_string(), "a".to_string()], false).unwrap();
        assert_eq!((some.width(), all(some, 2).unwrap().0[1].clone()), (2, vec![2048, 4096]));
    }
}

#[test]
fn cells_that_are_refused_name_line_and_column() {
    for (row, found) in [
        ("x,v,1,no", "line 5, column \"a\": found \"x\", expected a number"),
        (",v,1,no", "line 5, column \"a\": found a missing value, expected a number"),
        ("NaN,v,1,no", "line 5, column \"a\": found \"NaN\", expected a finite number"),
        ("1,v,inf,no", "line 5, column \"r\": found \"inf\", expected a finite number"),
        ("1,w,1,no", "line 5, column \"c\": found \"w\", expected one of: \"u\", \"v\", \"7\""),
        ("1,v,1,maybe", "line 5, column \"y\": found \"maybe\", expected one of: \"no\", \"yes\""),
        ("1,v,1,NA", "line 5, column \"y\": found a missing value, expected one of: \"no\", \"yes\""),
        ("1,v,1", "line 5: found 3 fields, expected 4 as in the header"),
    ] {
        assert_eq!(refused(&format!("a,c,r,y\n1,u,0,no\n\n\r\n{row}\n")), format!("f.csv: {found}"));
        let folder = Folder::new();
        let packed = folder.put("f.csv.gz", gzip(format!("a,c,r,y\n1,u,0,no\n\n\r\n{row}\n").as_bytes()));
        assert_eq!(message(&alone(&packed), &schema(), &[], true), format!("f.csv.gz: {found}"));
    }
}

#[test]
fn files_that_are_refused() {
    assert_eq!(refused(""), "f.csv: found no lines, expected at least a header and one record");
    assert_eq!(refused("a,c,r,y\n"), "f.csv: found no records, expected at least one record");
    assert_eq!(refused("1,2\n"), "f.csv: found only numbers in the first line, expected a header with the columns' names");
    assert_eq!(refused("a,c,y\n1,u,no\n"), "f.csv: found no column \"r\", expected it among the file's: \"a\", \"c\", \"y\"");
    assert_eq!(refused("a,c,r,y,r\n"), "f.csv: found more than one column \"r\", expected one");
    let folder = Folder::new();
    let path = folder.put("f.csv", TEXT);
    let both = Source { labels: Some(path.clone()), ..Source::of(path) };
    assert!(message(&both, &schema(), &[], true).contains("found a second file with labels, expected none"));
    let packed = gzip(TEXT.as_bytes());
    for broken in [&packed[..packed.len() - 9], &[&packed[..], b"more"].concat(), b"\x1f\x8b"] {
        let text = message(&alone(&folder.put("b.csv.gz", broken)), &schema(), &[], true);
        assert!(text.starts_with("b.csv.gz: found a broken gzip stream ("), "{text}");
    }
}

#[test]
fn nothing_comes_after_an_error() {
    let folder = Folder::new();
    let path = folder.put("f.csv", "a,c,r,y\n1,u,0,no\n1,u,0,never\n1,u,0,yes\n");
    let mut records = Records::open(&alone(&path), &schema(), &[], true).unwrap();
    assert!(records.next(2).unwrap_err().to_string().contains("line 3"));
    assert!(records.next(2).unwrap_err().to_string().ends_with("found an error before, expected the file to be opened again"));
}

#[test]
fn a_quote_that_is_not_closed_does_not_fill_the_memory() {
    let text = refused(&format!("a,c,r,y\n1,\"{}", "u,0,no\n".repeat(3 << 20)));
    assert_eq!(
        text,
        "f.csv: found no end of the record in line 2 in 16777216 bytes, expected a record in fewer (a quote that is not closed?)"
    );
}

#[test]
fn identifiers_are_ascending_and_their_digest_is_the_same_for_all_owners() {
    let folder = Folder::new();
    let digest = |name: &str, ids: &[&str], column: &str| {
        let text: String = ids.iter().map(|id| format!("{id},1,no\n")).collect();
        let path = folder.put(name, format!("id,{column},y\n{text}"));
        Records::open(&alone(&path), &vertical(), &[column.to_string()], false).and_then(|r| all(r, 2)).map(|r| r.2.unwrap())
    };
    let one = digest("a.csv", &["2", "07", "10"], "a").unwrap();
    assert_eq!(digest("b.csv", &["2", "7", "10"], "r").unwrap(), one);
    assert_ne!(digest("b.csv", &["2", "7", "11"], "r").unwrap(), one);
    let expected: Vec<u8> =
        ["2", "7", "10"].iter().flat_map(|id| [&(id.len() as u64).to_le_bytes(), id.as_bytes()].concat()).collect();
    assert_eq!(one, *<sha2::Sha256 as sha2::Digest>::digest(expected));
    // Texts by their bytes, numbers among them too.
    digest("t.csv", &["a", "a10", "a9", "b"], "a").unwrap();
    digest("t.csv", &["-", "10", "9", "b"], "a").unwrap();

    let refused = |ids: &[&str]| {
        let text = digest("f.csv", ids, "a").unwrap_err().to_string();
        text.split_once("f.csv: ").unwrap().1.to_string()
    };
    let ascend = "of the record before: identifiers ascend, each once";
    assert_eq!(refused(&["1", "2", "2"]), format!("line 4, column \"id\": found \"2\", expected one above \"2\" {ascend}"));
    assert_eq!(refused(&["2", "10", "9"]), format!("line 4, column \"id\": found \"9\", expected one above \"10\" {ascend}"));
    assert_eq!(refused(&["b", "10"]), format!("line 3, column \"id\": found \"10\", expected one above \"b\" {ascend}"));
    assert_eq!(refused(&["1", "b"]), "line 3, column \"id\": found \"b\", expected an integer as the identifiers before");
    assert_eq!(refused(&["1", ""]), "line 3, column \"id\": found a missing value, expected an identifier");
}
