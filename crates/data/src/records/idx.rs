//! The header of an IDX file, MNIST's format: a big-endian magic number, one 32-bit length per dimension. Bytes follow.

use crate::{DataError, Result};

/// Unsigned bytes, three dimensions.
pub(super) const IMAGES: (u32, &str) = (0x0803, "IDX images");
/// Unsigned bytes, one dimension.
pub(super) const LABELS: (u32, &str) = (0x0801, "IDX labels");

/// The dimensions in a header of 4 + 4 D bytes. They are untrusted.
pub(super) fn parse_header<const D: usize>(
    header: &[u8],
    name: &str,
    (expected, kind): (u32, &'static str),
    gzip: bool,
) -> Result<[u64; D]> {
    let mut words = header.chunks_exact(4).map(|w| w.iter().fold(0_u32, |n, &b| n << 8 | u32::from(b)));
    let truncated = || wrong_length(name, format!("{} bytes", header.len()), 4 + 4 * D as u128, gzip);
    let found = words.next().ok_or_else(truncated)?;
    if found != expected {
        return Err(DataError::Magic { file: name.to_string(), found, expected, kind });
    }
    let mut dims = [0; D];
    for dim in &mut dims {
        *dim = words.next().ok_or_else(truncated)? as u64;
    }
    if dims.contains(&0) {
        return Err(DataError::Empty { file: name.to_string(), found: format!("dimensions {dims:?}"), expected: "1 in each" });
    }
    Ok(dims)
}

fn wrong_length(name: &str, found: String, expected: u128, gzip: bool) -> DataError {
    DataError::Length { file: name.to_string(), found, expected, gzip }
}
