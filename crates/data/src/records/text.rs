//! The text of a CSV file as UTF-8, whatever it is encoded in.
//!
//! A byte order mark says UTF-8 or UTF-16. Without one a file is UTF-8, unless an encoding is given. Bytes that are none of their
//! encoding are an error and never replaced: a category with a replaced letter would be another category.

use super::stream::{Stream, failed};
use crate::Result;
use crate::error::mismatch;
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::io::BufRead;

/// Bytes decoded at once.
const PIECE: usize = 1 << 16;

/// What a text file's bytes and numbers mean, where that is not to be found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Its encoding; without one UTF-8, or what a byte order mark says.
    pub encoding: Option<&'static Encoding>,
    /// What stands between fields; without one it is found from the header.
    pub delimiter: Option<u8>,
    /// Numbers have a comma where others have a point.
    pub decimal_comma: bool,
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
