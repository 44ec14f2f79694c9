//! What a file's first bytes look like, for who has given another kind of file than its name says.

/// What files of a kind begin with, and what they are.
const KINDS: [(&[u8], &str); 22] = [
    (b"PK\x03\x04", "a ZIP archive (a spreadsheet, .xlsx or .ods, is one)"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old spreadsheet (.xls)"),
    (b"PAR1", "Parquet"),
    (b"ARROW1", "Arrow IPC"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89PNG\r\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89HDF\r\n", "HDF5"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"Obj\x01", "Avro"),
    (b"%PDF-", "a PDF document"),
    (b"{\\rtf", "an RTF document"),
    (b"<stata_dta>", "a Stata file"),
    (b"$FL2@(#)", "an SPSS file"),
    (b"\x1f\x8b", "gzip within gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x80\x04\x95", "a Python pickle"),
    (b"\xff\xfe\0\0", "text in UTF-32"),
    (b"\0\0\xfe\xff", "text in UTF-32"),
];

/// Where a tar archive says that it is one.
const TAR: std::ops::Range<usize> = 257..262;

/// The kind of a file that begins so, where it is no file of texts.
pub(super) fn looks(start: &[u8]) -> Option<&'static str> {
    let begins = |with: &str| start.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()));
    let known = KINDS.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, kind)| *kind);
    let page = || ["<!doctype html", "<html"].iter().any(|tag| begins(tag)).then_some("a web page");
    let tar = || (start.get(TAR) == Some(b"ustar")).then_some("a tar archive");
    known.or_else(tar).or_else(page).or_else(|| begins("<?xml").then_some("XML"))
}

/// Whether these bytes begin JSON.
pub(super) fn is_json(start: &[u8]) -> bool {
    let inner =
        |text: &[u8], open: u8| text.strip_prefix(&[open]).map(<[u8]>::trim_ascii_start).unwrap_or_default().first().copied();
    let text = start.trim_ascii_start();
    inner(text, b'{') == Some(b'"') || matches!(inner(text, b'['), Some(b'{' | b'['))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_look_like_nothing_else() {
        for text in ["a,b\n1,2\n", "PK,y\n1,2\n", "\"a\",\"b\"\n", "{a},b\n", "[x],y\n", "<5,y\n", "", "P"] {
            assert!(looks(text.as_bytes()).is_none() && !is_json(text.as_bytes()), "{text}");
        }
        assert_eq!(
            (looks(b"<HTML><head>"), looks(&[&[b'a'; 257][..], b"ustar"].concat())),
            (Some("a web page"), Some("a tar archive"))
        );
        assert!(is_json(b" [\n {\"a\": 1}]") && is_json(b"{ \"a\": 1}") && is_json(b"[[1]]"));
    }
}
