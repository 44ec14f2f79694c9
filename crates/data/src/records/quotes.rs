//! Quotes of a CSV record. Readers of CSV take any: a stray quote then swallows the lines up to the next one, and nobody is told.

/// A quoted field with more line ends than this is taken for two stray quotes with records between them.
const LINES: usize = 4;

/// What is wrong, and at which byte of the record.
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) found: String,
    pub(super) expected: String,
}

/// Whether each quoted field of a record, as it stands in the file, ends where its quote is closed, and within a few lines.
pub(super) fn check(raw: &[u8], delimiter: u8) -> Result<(), Fault> {
    let name = delimiter_name(delimiter);
    let mut at = 0;
    loop {
        if raw.get(at) == Some(&b'"') {
            let (end, lines) = closed(raw, at + 1);
            if end.is_none() || lines > LINES {
                let found = match end {
                    None => "a quote that is never closed".to_string(),
                    Some(_) => format!("a quoted field that spans {} lines", lines + 1),
                };
                let expected = format!("fields of at most {} lines, and a quote within a field written twice", LINES + 1);
                return Err(Fault { at, found, expected });
            }
            at = end.unwrap_or(raw.len());
            // Blanks are trimmed.
            while raw.get(at).is_some_and(|b| [b' ', b'\t'].contains(b) && *b != delimiter) {
                at += 1;
            }
            if raw.get(at).is_some_and(|b| *b != delimiter && !b"\r\n".contains(b)) {
                let found = "something behind a closing quote".to_string();
                let expected = format!("{name} or the line's end, and a quote within a field written twice");
                return Err(Fault { at, found, expected });
            }
        }
        match raw[at..].iter().position(|b| *b == delimiter) {
            Some(more) => at += more + 1,
            None => return Ok(()),
        }
    }
}

/// Behind the quote that closes a field, and how many lines end before that.
fn closed(raw: &[u8], mut at: usize) -> (Option<usize>, usize) {
    let mut lines = 0;
    while let Some(b) = raw.get(at) {
        match b {
            b'"' if raw.get(at + 1) == Some(&b'"') => at += 1,
            b'"' => return (Some(at + 1), lines),
            b'\n' => lines += 1,
            _ => {}
        }
        at += 1;
    }
    (None, lines)
}

/// For messages.
pub(super) fn delimiter_name(delimiter: u8) -> String {
    match delimiter {
        b',' => "a comma".to_string(),
        b';' => "a semicolon".to_string(),
        b'\t' => "a tab".to_string(),
        b'|' => "a vertical bar".to_string(),
        other => format!("{:?}", char::from(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_that_are_read_as_they_stand() {
        for raw in ["", "a,b", "\"a\",b", "a,\"b\"\r\n", "\"a\"\"b\",\"\"", "\"a\" ,b", "5\" rod,a", "\"a\nb\nc\",d", "\"\"\"\""]
        {
            assert!(check(raw.as_bytes(), b',').is_ok(), "{raw}");
        }
        assert!(check(b"\"a;b\";c", b';').is_ok());
        for (raw, at, found) in [
            ("\"a\"b,c", 3, "something behind a closing quote"),
            ("x,\"5\\\" rod\",c", 7, "something behind a closing quote"),
            ("x,\"a\" \"b\",c", 6, "something behind a closing quote"),
            ("x,\"a,c\n", 2, "a quote that is never closed"),
            ("x,\"\n\n\n\n\n\",c\n", 2, "a quoted field that spans 6 lines"),
        ] {
            let fault = check(raw.as_bytes(), b',').err().unwrap();
            assert_eq!((fault.at, fault.found.as_str()), (at, found), "{raw}");
        }
    }
}
