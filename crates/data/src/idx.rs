//! The IDX format of MNIST: a big-endian magic number, one 32-bit length per dimension, then bytes.
//!
//! Plain or gzip is decided by the first bytes. The lengths in the header are untrusted: they are compared with the
//! length of the content before anything of their size is allocated.

use crate::file::{self, CAP, Inflate};
use crate::{DataError, Result};
use std::path::Path;

/// Unsigned bytes, three dimensions.
pub(crate) const IMAGES: (u32, &str) = (0x0803, "IDX images");
/// Unsigned bytes, one dimension.
pub(crate) const LABELS: (u32, &str) = (0x0801, "IDX labels");

/// Deflate turns a byte into at most this many: a header that promises more lies.
const MAX_INFLATION: u128 = 1032;

/// Grey images of one size.
#[derive(Clone, PartialEq, Eq)]
pub struct Images {
    /// Number of images, at least 1.
    pub count: usize,
    /// Pixels from top to bottom, at least 1.
    pub height: usize,
    /// Pixels from left to right, at least 1.
    pub width: usize,
    /// count x height x width, row by row.
    pub pixels: Vec<u8>,
}

/// Reads a file of images; see [`parse_images`].
///
/// # Errors
/// As [`parse_images`], and [`DataError::Io`].
pub fn read_images(path: &Path) -> Result<Images> {
    parse_images(&file::read(path)?, &path.display().to_string())
}

/// Reads a file of labels; see [`parse_labels`].
///
/// # Errors
/// As [`parse_labels`], and [`DataError::Io`].
pub fn read_labels(path: &Path, classes: usize) -> Result<Vec<usize>> {
    parse_labels(&file::read(path)?, &path.display().to_string(), classes)
}

/// Images from the bytes of an IDX file, plain or gzip. `name` is for messages.
///
/// # Errors
/// A wrong magic number, a content shorter or longer than the header says, a dimension of 0, more than 1 GiB, broken gzip.
pub fn parse_images(bytes: &[u8], name: &str) -> Result<Images> {
    let ([count, height, width], pixels) = parse(bytes, name, IMAGES)?;
    Ok(Images { count, height, width, pixels })
}

/// Labels below `classes` from the bytes of an IDX file, plain or gzip. `name` is for messages.
///
/// # Errors
/// As [`parse_images`], and [`DataError::Label`] with the first label that is not below `classes`.
pub fn parse_labels(bytes: &[u8], name: &str, classes: usize) -> Result<Vec<usize>> {
    let ([_], labels) = parse(bytes, name, LABELS)?;
    let check = |(record, &l): (usize, &u8)| match usize::from(l) {
        label if label < classes => Ok(label),
        found => Err(DataError::Label { file: name.to_string(), record, found, classes }),
    };
    labels.iter().enumerate().map(check).collect()
}

/// The dimensions, and exactly as many bytes as they say.
fn parse<const D: usize>(bytes: &[u8], name: &str, magic: (u32, &'static str)) -> Result<([usize; D], Vec<u8>)> {
    if !file::is_gzip(bytes) {
        let header = bytes.get(..4 + 4 * D).unwrap_or(bytes);
        let (dims, body) = parse_header(header, name, magic, false)?;
        let found = bytes.len() as u128;
        if found != header.len() as u128 + body {
            return Err(wrong_length(name, format!("{found} bytes"), header.len() as u128 + body, false));
        }
        return Ok((dims, bytes[header.len()..].to_vec()));
    }

    let mut stream = Inflate::new(bytes, name);
    let mut header = Vec::new();
    stream.read(4 + 4 * D as u64, &mut header)?;
    let (dims, body) = parse_header(&header, name, magic, true)?;
    let expected = header.len() as u128 + body;
    if expected > CAP.into() {
        return Err(DataError::TooLarge { file: name.to_string(), found: expected, cap: CAP });
    }
    let most = bytes.len() as u128 * MAX_INFLATION;
    if expected > most {
        return Err(wrong_length(name, format!("at most {most} bytes"), expected, true));
    }
    let mut content = Vec::new();
    stream.read(body as u64 + 1, &mut content)?;
    match content.len() as u128 {
        n if n < body => Err(wrong_length(name, format!("{} bytes", header.len() as u128 + n), expected, true)),
        n if n > body => Err(wrong_length(name, format!("more than {expected} bytes"), expected, true)),
        _ => stream.finish().map(|()| (dims, content)),
    }
}

/// The dimensions in a header of 4 + 4 D bytes, and their product.
pub(crate) fn parse_header<const D: usize>(
    header: &[u8],
    name: &str,
    (expected, kind): (u32, &'static str),
    gzip: bool,
) -> Result<([usize; D], u128)> {
    let mut words = header.chunks_exact(4).map(|w| w.iter().fold(0_u32, |n, &b| n << 8 | u32::from(b)));
    let truncated = || wrong_length(name, format!("{} bytes", header.len()), 4 + 4 * D as u128, gzip);
    let found = words.next().ok_or_else(truncated)?;
    if found != expected {
        return Err(DataError::Magic { file: name.to_string(), found, expected, kind });
    }
    let mut dims = [0; D];
    for dim in &mut dims {
        *dim = words.next().ok_or_else(truncated)? as usize;
    }
    if dims.contains(&0) {
        return Err(DataError::Empty { file: name.to_string(), found: format!("dimensions {dims:?}"), expected: "1 in each" });
    }
    // Three 32-bit factors fit.
    Ok((dims, dims.iter().map(|&d| d as u128).product()))
}

fn wrong_length(name: &str, found: String, expected: u128, gzip: bool) -> DataError {
    DataError::Length { file: name.to_string(), found, expected, gzip }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn idx(magic: u32, dims: &[u32], body: &[u8]) -> Vec<u8> {
        let head = std::iter::once(&magic).chain(dims).flat_map(|d| d.to_be_bytes());
        head.chain(body.iter().copied()).collect()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut e = GzEncoder::new(Vec::new(), Compression::best());
        e.write_all(bytes).unwrap();
        e.finish().unwrap()
    }

    fn refused(bytes: &[u8]) -> String {
        parse_images(bytes, "f").err().unwrap().to_string()
    }

    #[test]
    fn plain_and_gzip_agree() {
        let plain = idx(0x0803, &[2, 1, 3], &[0, 1, 2, 3, 4, 255]);
        let a = parse_images(&plain, "f").unwrap();
        assert_eq!((a.count, a.height, a.width), (2, 1, 3));
        assert_eq!(a.pixels, [0, 1, 2, 3, 4, 255]);
        assert!(parse_images(&gzip(&plain), "f").unwrap() == a);
        assert_eq!(parse_labels(&idx(0x0801, &[3], &[0, 9, 4]), "f", 10).unwrap(), [0, 9, 4]);
    }

    #[test]
    fn every_cut_and_every_excess_is_refused() {
        let plain = idx(0x0803, &[2, 2, 2], &[9; 8]);
        let packed = gzip(&plain);
        for cut in 0..plain.len() {
            assert!(parse_images(&plain[..cut], "f").is_err());
            assert!(parse_images(&gzip(&plain[..cut]), "f").is_err());
        }
        for cut in 0..packed.len() {
            assert!(parse_images(&packed[..cut], "f").is_err());
        }
        let more = [&plain[..], &[0]].concat();
        assert_eq!(refused(&more), "f: found 25 bytes, expected 24 bytes");
        assert_eq!(refused(&gzip(&more)), "f: found more than 24 bytes, expected 24 bytes after decompression");
        assert!(refused(&[&packed[..], &[0]].concat()).contains("1 bytes after its end"));
    }

    #[test]
    fn messages_name_file_found_and_expected() {
        assert_eq!(refused(&[]), "f: found 0 bytes, expected 16 bytes");
        assert_eq!(refused(&idx(0x0803, &[2, 28, 28], &[0; 800])), "f: found 816 bytes, expected 1584 bytes");
        assert_eq!(refused(&idx(0x0801, &[1], &[0])), "f: found magic number 0x00000801, expected 0x00000803 (IDX images)");
        assert_eq!(refused(&idx(0x0803, &[5, 0, 1], &[])), "f: found dimensions [5, 0, 1], expected at least 1 in each");
        let label = parse_labels(&idx(0x0801, &[3], &[0, 1, 10]), "f", 10).unwrap_err().to_string();
        assert_eq!(label, "f: record 2: found label 10, expected 0 to 9");
    }

    #[test]
    fn huge_dimensions_are_refused_unallocated() {
        let huge = idx(0x0803, &[u32::MAX; 3], &[0; 5]);
        assert!(refused(&huge).starts_with("f: found 21 bytes, expected 792281"));
        assert!(refused(&gzip(&huge)).contains("expected at most 1073741824"));
        let promises = gzip(&idx(0x0803, &[1_000_000, 28, 28], &[]));
        assert!(refused(&promises).contains("found at most "), "{}", refused(&promises));
    }
}
