//! The header of NumPy's `.npy`, versions 1 to 3: booleans, integers, floating-point numbers and texts, in either order of bytes and of
//! dimensions.

use super::element::Element;
use super::stream::Stream;
use crate::Result;
use crate::error::{mismatch, quote};

/// The first bytes.
const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// NumPy writes some 100 bytes; more than this is not for one array of numbers.
const LONGEST: usize = 1 << 16;

/// In the header of an array with named fields.
const STRUCTURED: &[u8] = b"'descr': [";

/// What a header says.
pub(super) struct Header {
    pub(super) shape: Vec<u64>,
    pub(super) element: Element,
    /// The first dimension is the one that goes fastest.
    pub(super) fortran: bool,
    /// Of the header.
    pub(super) length: u64,
}

/// Reads it.
pub(super) fn header(stream: &mut Stream) -> Result<Header> {
    let mut start = [0; 12];
    let refuse = |stream: &Stream, found: String| Err(mismatch(&stream.file, found, "a NumPy file (.npy)"));
    if stream.fill(&mut start[..8])? < 8 || !start.starts_with(MAGIC) {
        return refuse(stream, "other first bytes".to_string());
    }
    let wide = match start[6] {
        1 => 2,
        2 | 3 => 4,
        other => return refuse(stream, format!("version {other}")),
    };
    if stream.fill(&mut start[8..8 + wide])? < wide {
        return refuse(stream, "the beginning of a header".to_string());
    }
    // The bytes beyond `wide` are 0.
    let length = u32::from_le_bytes([start[8], start[9], start[10], start[11]]) as usize;
    if length > LONGEST {
        return refuse(stream, format!("a header of {length} bytes"));
    }
    let mut text = vec![0; length];
    if stream.fill(&mut text)? < length {
        return refuse(stream, "the beginning of a header".to_string());
    }
    let Some(dict) = std::str::from_utf8(&text).ok().and_then(parse) else {
        if text.windows(STRUCTURED.len()).any(|part| part == STRUCTURED) {
            let expected = "one type for all (numpy.lib.recfunctions.structured_to_unstructured makes it)";
            return Err(mismatch(&stream.file, "a structured array, whose fields have names", expected));
        }
        return refuse(stream, format!("the header {}", quote(&String::from_utf8_lossy(&text))));
    };
    let Some(element) = Element::of(dict.descr) else {
        let object = if dict.descr == "|O" { ", which are Python's objects" } else { "" };
        let found = format!("elements of type {}{object}", quote(dict.descr));
        return Err(mismatch(&stream.file, found, "booleans, integers, floats or texts (astype makes them)"));
    };
    Ok(Header { shape: dict.shape, element, fortran: dict.fortran, length: (8 + wide + length) as u64 })
}

struct Dict<'a> {
    descr: &'a str,
    fortran: bool,
    shape: Vec<u64>,
}

/// `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }` with the three keys in any order, each once.
fn parse(text: &str) -> Option<Dict<'_>> {
    let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    let (mut descr, mut fortran, mut shape) = (None, None, None);
    while !rest.is_empty() {
        let (key, after) = string(rest)?;
        let value = after.trim_start().strip_prefix(':')?.trim_start();
        let (repeated, after) = match key {
            "descr" => {
                let (text, after) = string(value)?;
                (descr.replace(text).is_some(), after)
            }
            "fortran_order" => {
                let (flag, after) =
                    value.strip_prefix("False").map(|a| (false, a)).or_else(|| value.strip_prefix("True").map(|a| (true, a)))?;
                (fortran.replace(flag).is_some(), after)
            }
            "shape" => {
                let (inside, after) = value.strip_prefix('(')?.split_once(')')?;
                (shape.replace(dimensions(inside)?).is_some(), after)
            }
            _ => return None,
        };
        if repeated {
            return None;
        }
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(more) => more.trim_start(),
            None if after.is_empty() => after,
            None => return None,
        };
    }
    Some(Dict { descr: descr?, fortran: fortran?, shape: shape? })
}

/// A quoted text without escapes, and what follows it.
fn string(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| "'\"".contains(*c))?;
    text[1..].split_once(quote)
}

/// `3, 4` or `3,`.
fn dimensions(inside: &str) -> Option<Vec<u64>> {
    let inside = inside.trim();
    let inside = inside.strip_suffix(',').unwrap_or(inside);
    if inside.is_empty() {
        return Some(Vec::new());
    }
    let digits = |d: &str| if d.bytes().all(|b| b.is_ascii_digit()) { d.parse().ok() } else { None };
    inside.split(',').map(|d| digits(d.trim())).collect()
}
