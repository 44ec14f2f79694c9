//! `wire::read` on bytes of any kind: no panic, no short tensor, no allocation beyond what has arrived.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unsafe_code)]

use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{self, BufReader, Cursor, ErrorKind, Read};
use std::path::Path;
use trefoil_net::{At, Error, Frame, Id, Part, Ring, wire};
use trefoil_ring::residue::Residue;

/// Remembers the largest allocation of each thread.
struct Watched;

thread_local!(static LARGEST: Cell<usize> = const { Cell::new(0) });

fn note(size: usize) {
    // A thread that is ending has none any more.
    let _ = LARGEST.try_with(|l| l.set(l.get().max(size)));
}

// SAFETY: all of it is the system's allocator; `note` does not allocate.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: passed on as it came.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        // SAFETY: passed on as it came.
        unsafe { System.dealloc(p, layout) }
    }
    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: passed on as it came.
        unsafe { System.realloc(p, layout, size) }
    }
}

#[global_allocator]
static WATCHED: Watched = Watched;

const MAX: usize = 1 << 40; // what is declared is never the limit here

/// Reads all frames of `bytes`, and checks what was allocated for them.
fn read_all(bytes: &[u8]) -> Result<Vec<Frame>, Error> {
    LARGEST.set(0);
    let mut from = bytes;
    let mut frames = Vec::new();
    let result = loop {
        match wire::read(&mut from, Id::P1, MAX) {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => break Ok(frames),
            Err(e) => break Err(e),
        }
    };
    let largest = LARGEST.get();
    assert!(largest <= 2 * bytes.len() + (1 << 20) + 16384, "{largest} bytes for an input of {}", bytes.len());
    if let Err(e) = &result {
        let e = e.to_string();
        assert!(e.starts_with("P1: ") && !e.contains('\n'), "{e}");
    }
    result
}

fn encode(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    wire::write(frame, &mut bytes).unwrap();
    bytes
}

fn sample() -> Frame {
    let parts = vec![
        Part::words(&[1, u64::MAX]),
        Part::odds(&[0, u64::MAX - 1]),
        Part::bits(&[1, 0, 1, 1, 0, 1, 1, 1, 1], 1),
        Part::bits(&[], 63),
        Part::residues(&[Residue::ONE; 3]),
    ];
    Frame { at: At { step: 1 << 40, op: 12 }, depth: 99, label: "mätmul.open".into(), parts }
}

/// A header with one part of `ring`, `width` and `len`, and no payload.
fn declared(ring: u8, width: u8, len: u64) -> Vec<u8> {
    let mut header = vec![1];
    header.extend([0; 16]);
    header.extend([1, b'x', 1, ring, width]);
    header.extend(len.to_le_bytes());
    [&(header.len() as u32).to_le_bytes()[..], &header].concat()
}

#[test]
fn round_trip() {
    let two = [encode(&sample()), encode(&sample())].concat();
    assert_eq!(read_all(&two).unwrap(), [sample(), sample()]);
    assert_eq!(read_all(&[]).unwrap(), []);
}

#[test]
fn too_much_to_write() {
    let long = Frame { label: "x".repeat(256).into(), ..sample() };
    let many = Frame { parts: vec![Part::words(&[]); 256], ..sample() };
    for frame in [long, many] {
        assert!(wire::write(&frame, &mut Vec::new()).unwrap_err().to_string().contains("at most 255"));
    }
}

#[test]
fn a_large_payload_arrives_in_steps() {
    let large = Frame { parts: vec![Part::words(&vec![7; 1 << 20])], ..sample() };
    assert_eq!(read_all(&encode(&large)).unwrap(), [large]);
}

/// Gives `bytes`, then fails.
struct Reset<'a>(Cursor<&'a [u8]>);

impl Read for Reset<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.0.read(out)? {
            0 => Err(ErrorKind::ConnectionReset.into()),
            n => Ok(n),
        }
    }
}

#[test]
fn cut_at_every_byte() {
    let bytes = encode(&sample());
    for n in 0..bytes.len() {
        let ended = read_all(&bytes[..n]);
        if n == 0 {
            assert!(ended.unwrap().is_empty());
        } else {
            assert!(matches!(ended, Err(Error::Cut { peer: Id::P1 })), "{n}: {ended:?}");
        }
        let reset = wire::read(&mut BufReader::new(Reset(Cursor::new(&bytes[..n]))), Id::P1, MAX);
        assert!(matches!(reset, Err(Error::Cut { .. })), "{n}: {reset:?}");
    }
}

#[test]
fn header_lengths() {
    for len in [0_u32, 1, 18, 2825, 1 << 31, u32::MAX] {
        let bytes = [&len.to_le_bytes()[..], &[1; 4000]].concat();
        let e = read_all(&bytes).unwrap_err().to_string();
        assert_eq!(e, format!("P1: bad frame: header length: found {len}, expected 19 to 2824"));
    }
}

#[test]
fn part_lengths() {
    for (ring, width) in [(0, 64), (1, 64), (2, 7), (3, 1), (3, 63)] {
        let empty = read_all(&declared(ring, width, 0)).unwrap();
        assert_eq!((empty[0].parts.len(), empty[0].parts[0].len()), (1, 0));
        for len in [1, 1 << 20, 1 << 32] {
            assert!(matches!(read_all(&declared(ring, width, len)), Err(Error::Cut { .. })));
        }
        // Over the maximum: refused from the header alone.
        let max = 1000;
        let bits = u64::from(width);
        for len in [max * 8 / bits + 1, 1 << 32, 1 << 61, u64::MAX] {
            let bytes = [declared(ring, width, len), vec![0; 2000]].concat();
            let e = wire::read(&mut bytes.as_slice(), Id::P1, max as usize).unwrap_err().to_string();
            assert!(e.contains("payload: found") && e.ends_with("at most 1000"), "{e}");
        }
    }
}

#[test]
fn rings() {
    for (ring, width) in [(0, 63), (1, 0), (2, 8), (3, 0), (3, 64), (4, 64), (255, 255)] {
        let e = read_all(&declared(ring, width, 0)).unwrap_err().to_string();
        assert!(e.contains(&format!("ring: found {ring}, {width} bits")), "{e}");
    }
}

/// Files named `ok-*` are frames, all others are not.
#[test]
fn corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/frame");
    let mut seen = [0, 0];
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let good = path.file_name().unwrap().to_str().unwrap().starts_with("ok-");
        let read = read_all(&std::fs::read(&path).unwrap());
        assert_eq!(read.is_ok(), good, "{}: {read:?}", path.display());
        seen[usize::from(good)] += 1;
    }
    assert!(seen[0] >= 10 && seen[1] >= 4, "{seen:?}");
}

fn part() -> impl Strategy<Value = Part> {
    let words = prop::collection::vec(any::<u64>(), 0..40);
    (0..3, 1..=63_u8, words).prop_map(|(ring, k, x)| match ring {
        0 => Part::words(&x),
        1 => Part::odds(&x.iter().map(|v| v % u64::MAX).collect::<Vec<_>>()),
        _ => Part::bits(&x, k),
    })
}

prop_compose! {
    fn any_frame()(
        step in any::<u64>(), op in any::<u32>(), depth in any::<u32>(),
        label in ".{0,40}", parts in prop::collection::vec(part(), 0..6),
    ) -> Frame {
        Frame { at: At { step, op }, depth, label: label.into(), parts }
    }
}

proptest! {
    #[test]
    fn any_frame_survives(frame in any_frame()) {
        prop_assert_eq!(read_all(&encode(&frame)).unwrap(), [frame]);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        let _ = read_all(&bytes);
    }

    /// One byte of a frame changed: another frame or an error, never a part that does not fit its length.
    #[test]
    fn one_byte_changed(frame in any_frame(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut bytes = encode(&frame);
        let at = at.index(bytes.len());
        bytes[at] = to;
        for frame in read_all(&bytes).unwrap_or_default() {
            for part in &frame.parts {
                prop_assert_eq!(part.ring().bytes(part.len() as u64), Some(part.bytes().len()));
                prop_assert!(!matches!(part.ring(), Ring::Bits(0 | 64..)));
            }
        }
    }
}
