//! The text of a CSV file as UTF-8, whatever it is encoded in.
//!
//! A byte order mark says UTF-8 or UTF-16. Without one a file is UTF-8, unless an encoding is given. Bytes that are none of their
//! encoding are an error and never replaced: a category with a replaced letter would be another category.

use super::stream::{Stream, failed};
use crate::Result;
use crate::error::mismatch;
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::fmt;
use std::io::BufRead;

/// Bytes decoded at once.
const PIECE: usize = 1 << 16;

/// What a file's bytes and the numbers in its texts mean, where that is not to be found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// CSV: its encoding; without one UTF-8, or what a byte order mark says.
    pub encoding: Option<&'static Encoding>,
    /// CSV: what stands between fields; without one it is found from the header.
    pub delimiter: Option<u8>,
    /// How its numbers are written.
    pub numerals: Numerals,
}

/// How numbers are written in texts of any format, where it is not as in a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numerals {
    /// They have a comma where others have a point.
    pub decimal_comma: bool,
    /// What may stand between their thousands.
    pub thousands: Option<Thousands>,
}

/// What stands between groups of three digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thousands {
    /// `1,234`
    Comma,
    /// `1.234`
    Point,
    /// `1'234`, or a quote.
    Apostrophe,
    /// `1 234`, or a blank where no line is broken, or a thin one.
    Blank,
}

impl Thousands {
    /// All of them.
    pub const ALL: [Thousands; 4] = [Thousands::Comma, Thousands::Point, Thousands::Apostrophe, Thousands::Blank];

    /// The characters that it may be; the first is the usual one.
    #[must_use]
    pub fn marks(self) -> &'static [char] {
        match self {
            Thousands::Comma => &[','],
            Thousands::Point => &['.'],
            Thousands::Apostrophe => &['\'', '\u{2019}'],
            Thousands::Blank => &[' ', '\u{a0}', '\u{202f}', '\u{2009}'],
        }
    }
}

impl Numerals {
    /// Whether no mark means two things.
    #[must_use]
    pub fn is_possible(self) -> bool {
        match self.thousands {
            Some(Thousands::Comma) => !self.decimal_comma,
            Some(Thousands::Point) => self.decimal_comma,
            _ => true,
        }
    }

    /// What stands between thousands, in words.
    pub(crate) fn between(self) -> &'static str {
        match self.thousands {
            None => "",
            Some(Thousands::Comma) => "commas",
            Some(Thousands::Point) => "points",
            Some(Thousands::Apostrophe) => "apostrophes",
            Some(Thousands::Blank) => "blanks",
        }
    }
}

impl fmt::Display for Numerals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.decimal_comma, self.between()) {
            (false, "") => f.write_str("a number"),
            (true, "") => f.write_str("a number with a decimal comma"),
            (false, between) => write!(f, "a number, with {between} between thousands or none"),
            (true, between) => write!(f, "a number with a decimal comma, and {between} between thousands or none"),
        }
    }
}

/// An encoding by its usual names: `latin1`, `utf-16le`, `windows-1250` and others of the WHATWG's list.
#[must_use]
pub fn encoding(name: &str) -> Option<&'static Encoding> {
    Encoding::for_label(name.as_bytes())
}

/// A file's text, piece by piece.
pub(super) struct Text {
    pub(super) stream: Stream,
    /// None where the bytes are taken as they are.
    decoder: Option<Decoder>,
    ended: bool,
}

impl Text {
    pub(super) fn new(mut stream: Stream, given: Option<&'static Encoding>) -> Result<Text> {
        let first = stream.peek()?;
        let start: [u8; 3] = std::array::from_fn(|i| first.get(i).copied().unwrap_or(b' '));
        let marked = Encoding::for_bom(&start).map(|(encoding, _)| encoding);
        if marked.is_none() && given.is_none() && start[..2].contains(&0) {
            let order = if start[0] == 0 { "utf-16be" } else { "utf-16le" };
            let expected = format!("UTF-8, or --encoding {order}");
            return Err(mismatch(&stream.file, "text that looks like UTF-16 without a byte order mark", expected));
        }
        if let (Some(marked), Some(given)) = (marked.filter(|m| [UTF_16LE, UTF_16BE].contains(m)), given)
            && marked != given
        {
            let found = format!("a byte order mark of {}", marked.name());
            return Err(mismatch(&stream.file, found, format!("{} as the option says", given.name())));
        }
        let encoding = marked.or(given).unwrap_or(UTF_8);
        let mut text = Text { stream, decoder: None, ended: false };
        if encoding != UTF_8 {
            text.decoder = Some(encoding.new_decoder_with_bom_removal());
        } else if marked == Some(UTF_8) {
            text.stream.consume(3);
        }
        Ok(text)
    }

    /// Whether bytes are taken as they are, so that they may be no UTF-8.
    pub(super) fn is_plain(&self) -> bool {
        self.decoder.is_none()
    }

    /// Appends what comes next; nothing at the end.
    pub(super) fn read(&mut self, out: &mut Vec<u8>) -> Result<usize> {
        let before = out.len();
        while out.len() == before && !self.ended {
            let (file, gzip) = (&self.stream.file, self.stream.gzip);
            let piece = match self.stream.reader.fill_buf() {
                Ok(piece) => piece,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(failed(file, gzip, e)),
            };
            let piece = &piece[..piece.len().min(PIECE)];
            let Some(decoder) = &mut self.decoder else {
                out.extend_from_slice(piece);
                self.ended = piece.is_empty();
                let n = piece.len();
                self.stream.consume(n);
                continue;
            };
            let last = piece.is_empty();
            let room = decoder.max_utf8_buffer_length_without_replacement(piece.len()).unwrap_or(4 * PIECE);
            out.resize(before + room, 0);
            let (result, read, written) = decoder.decode_to_utf8_without_replacement(piece, &mut out[before..], last);
            out.truncate(before + written);
            if let DecoderResult::Malformed(..) = result {
                let name = decoder.encoding().name();
                return Err(mismatch(file, format!("bytes that are no {name}"), format!("{name} throughout")));
            }
            self.ended = last;
            self.stream.consume(read);
        }
        Ok(out.len() - before)
    }
}
