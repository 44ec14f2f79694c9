//! A frame as bytes: `u32 header length | header | the parts' bytes`, all little-endian.
//!
//! header: `u8 version | u64 step | u32 op | u32 depth | u8 n, n bytes of label (UTF-8) | u8 parts`, then for each
//! part `u8 ring | u8 bits per element | u64 elements`. The bytes of the parts follow from rings and lengths.

use crate::{At, Fault, Frame, Id, Part, Result, Ring};
use std::io::{self, BufRead, ErrorKind, IoSlice, Read, Write};

const VERSION: u8 = 1;
const SHORTEST: usize = 1 + 8 + 4 + 4 + 1 + 1;
const PART: usize = 1 + 1 + 8;
const LONGEST: usize = SHORTEST + 255 + 255 * PART;
/// Room for a payload is made as it arrives: for so many bytes at first, and then for eight times what came already.
const STEP: usize = 1 << 20;

/// Writes `frame`; several frames may follow each other on one stream.
///
/// # Errors
/// `to` cannot be written to, or the label or the number of parts is over 255.
pub fn write(frame: &Frame, to: &mut impl Write) -> std::result::Result<(), Fault> {
    let head = head(frame)?;
    let mut slices: Vec<_> = std::iter::once(head.as_slice())
        .chain(frame.parts.iter().map(Part::bytes))
        .filter(|b| !b.is_empty())
        .map(IoSlice::new)
        .collect();
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        match to.write_vectored(rest) {
            Ok(0) => return Err(Fault::Cut),
            Ok(n) => IoSlice::advance_slices(&mut rest, n),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    to.flush().map_err(Fault::from)
}

/// The next frame of `peer`; `None` where the stream ends before it begins.
///
/// # Errors
/// The stream fails or ends within the frame, the header is malformed, or the payload is longer than `max` bytes. No
/// more is allocated than has arrived, within a factor of two and a mebibyte.
pub fn read(from: &mut impl BufRead, peer: Id, max: usize) -> Result<Option<Frame>> {
    read_header(from, max).and_then(|h| h.map(|h| h.read_parts(from)).transpose()).map_err(|fault| fault.of(peer))
}

/// The bytes that `frame` takes in a queue: its payload, and what goes with it.
pub(crate) fn footprint(frame: &Frame) -> usize {
    frame.payload() + 4 + SHORTEST + frame.label.len() + PART * frame.parts.len()
}

/// A checked header: what is still to come is known and within bounds.
pub(crate) struct Header {
    frame: Frame,
    parts: Vec<(Ring, u64, usize)>,
}

/// Reads the header of the next frame; `None` where the stream ends before it.
pub(crate) fn read_header(from: &mut impl Read, max: usize) -> std::result::Result<Option<Header>, Fault> {
    let mut len = [0; 4];
    let n = loop {
        match from.read(&mut len) {
            Ok(0) => return Ok(None),
            Ok(n) => break n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    };
    from.read_exact(&mut len[n..])?;
    let len = u32::from_le_bytes(len);
    let mut buffer = [0; LONGEST];
    let header = usize::try_from(len).ok().filter(|&n| n >= SHORTEST).and_then(|n| buffer.get_mut(..n));
    let Some(header) = header else {
        return Err(bad("header length", len, format_args!("{SHORTEST} to {LONGEST}")));
    };
    from.read_exact(header)?;
    parse(header, max).map(Some)
}

impl Header {
    /// See [`footprint`].
    pub(crate) fn footprint(&self) -> usize {
        footprint(&self.frame) + self.parts.iter().map(|(_, _, bytes)| PART + bytes).sum::<usize>()
    }

    /// The frame's label.
    pub(crate) fn label(&self) -> &str {
        &self.frame.label
    }

    /// Reads the payload that belongs to this header.
    pub(crate) fn read_parts(self, from: &mut impl BufRead) -> std::result::Result<Frame, Fault> {
        let mut frame = self.frame;
        for (ring, len, size) in self.parts {
            let mut bytes: Vec<u8> = Vec::new();
            while bytes.len() < size {
                let some = from.fill_buf()?;
                if some.is_empty() {
                    return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
                }
                let some = &some[..some.len().min(size - bytes.len())];
                if bytes.capacity() - bytes.len() < some.len() {
                    bytes.reserve_exact((size - bytes.len()).min(STEP.max(8 * bytes.len())));
                }
                bytes.extend_from_slice(some);
                let taken = some.len();
                from.consume(taken);
            }
            let part = Part::from_wire(ring, len, bytes);
            frame.parts.push(part.ok_or_else(|| bad("part", size, format_args!("{len} x {ring}")))?);
        }
        Ok(frame)
    }
}

fn head(frame: &Frame) -> std::result::Result<Vec<u8>, Fault> {
    let limit = |what, n: usize| u8::try_from(n).map_err(|_| bad(what, n, "at most 255"));
    let label = limit("bytes of label", frame.label.len())?;
    let parts = limit("number of parts", frame.parts.len())?;
    let size = SHORTEST + usize::from(label) + PART * usize::from(parts);
    let mut out = Vec::with_capacity(4 + size);
    out.extend((size as u32).to_le_bytes());
    out.push(VERSION);
    out.extend(frame.at.step.to_le_bytes());
    out.extend(frame.at.op.to_le_bytes());
    out.extend(frame.depth.to_le_bytes());
    out.push(label);
    out.extend(frame.label.as_bytes());
    out.push(parts);
    for part in &frame.parts {
        out.extend(tag(part.ring()));
        out.extend((part.len() as u64).to_le_bytes());
    }
    Ok(out)
}

fn parse(header: &[u8], max: usize) -> std::result::Result<Header, Fault> {
    let mut rest = header;
    let [version] = take(&mut rest)?;
    if version != VERSION {
        return Err(bad("version", version, VERSION));
    }
    let step = u64::from_le_bytes(take(&mut rest)?);
    let op = u32::from_le_bytes(take(&mut rest)?);
    let depth = u32::from_le_bytes(take(&mut rest)?);
    let [label] = take(&mut rest)?;
    let label = rest.split_off(..usize::from(label)).ok_or_else(short)?;
    let label = std::str::from_utf8(label).map_err(|e| bad("label", e, "UTF-8"))?.to_owned();
    let [count] = take(&mut rest)?;
    let mut parts = Vec::with_capacity(usize::from(count));
    let mut total = 0_u128;
    for _ in 0..count {
        let ring = ring(take(&mut rest)?)?;
        let len = u64::from_le_bytes(take(&mut rest)?);
        total += bytes(ring, len);
        if total > max as u128 {
            return Err(bad("payload", format_args!("{total} bytes or more"), format_args!("at most {max}")));
        }
        parts.push((ring, len, bytes(ring, len) as usize)); // at most `max`, a usize
    }
    if !rest.is_empty() {
        return Err(bad("header", format_args!("{} bytes more", rest.len()), "its end"));
    }
    let frame = Frame { at: At { step, op }, depth, label: label.into(), parts: Vec::with_capacity(parts.len()) };
    Ok(Header { frame, parts })
}

/// Exact where [`Ring::bytes`] has no answer: `len` may be anything here.
fn bytes(ring: Ring, len: u64) -> u128 {
    (u128::from(len) * u128::from(tag(ring)[1])).div_ceil(8)
}

/// The ring's number and the bits that an element takes.
fn tag(ring: Ring) -> [u8; 2] {
    match ring {
        Ring::Word => [0, 64],
        Ring::Odd => [1, 64],
        Ring::Residue => [2, 7],
        Ring::Bits(k) => [3, k],
    }
}

fn ring(tag: [u8; 2]) -> std::result::Result<Ring, Fault> {
    match tag {
        [0, 64] => Ok(Ring::Word),
        [1, 64] => Ok(Ring::Odd),
        [2, 7] => Ok(Ring::Residue),
        [3, k @ 1..=63] => Ok(Ring::Bits(k)),
        [ring, width] => Err(bad("ring", format_args!("{ring}, {width} bits"), "0 or 1, 64 bits; 2, 7; 3, 1 to 63")),
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> std::result::Result<[u8; N], Fault> {
    let (head, tail) = rest.split_first_chunk().ok_or_else(short)?;
    *rest = tail;
    Ok(*head)
}

fn short() -> Fault {
    bad("header", "its end", "more fields")
}

fn bad(what: &'static str, found: impl std::fmt::Display, expected: impl std::fmt::Display) -> Fault {
    Fault::Frame { what, found: found.to_string(), expected: expected.to_string() }
}
