//! Arithmetic in the clear: the rings, fixed point, tensors, bit packing and the wrapping matrix product.
//!
//! No input or output, no secret randomness and no notion of a party. [`odd`] and [`residue`] run on
//! secrets, so they neither branch on values nor index tables by them.

pub mod bits;
pub mod compare;
pub mod fixed;
pub mod matrix;
pub mod odd;
pub mod planes;
pub mod proof;
pub mod public;
pub mod residue;
pub mod words;

/// A matrix over Z_(2^64), in standard (row-major) layout. A scalar is a tensor of one.
pub type Tensor = ndarray::Array2<u64>;

/// Packed bytes that are not the encoding of any sequence of values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// The number of bytes does not match the number of values.
    #[error("packed values: found {found} bytes, expected {expected} for {count} values of {bits} bits")]
    Length {
        /// Bytes given.
        found: usize,
        /// Bytes that `count` values take.
        expected: u128,
        /// Values asked for.
        count: usize,
        /// Bits of one value.
        bits: u8,
    },
    /// The bits after the last value are not all zero.
    #[error("packed values: the {bits} padding bits of the last byte are {found:#x}, expected 0")]
    Padding {
        /// The padding, shifted down to bit 0.
        found: u8,
        /// How many padding bits there are.
        bits: u8,
    },
    /// A value is outside its ring.
    #[error("packed values: value {index} is {found}, expected less than {bound}")]
    Value {
        /// Position of the value in the sequence.
        index: usize,
        /// The value found.
        found: u8,
        /// The first value that is too large.
        bound: u8,
    },
}

impl UnpackError {
    /// Checks that `bytes` has the length of `count` values of `bits` bits and zero padding.
    /// Nothing is allocated before this has passed.
    fn check(bytes: &[u8], count: usize, bits: u8) -> Result<(), Self> {
        let total = count as u128 * u128::from(bits);
        let (found, expected) = (bytes.len(), total.div_ceil(8));
        if found as u128 != expected {
            return Err(Self::Length { found, expected, count, bits });
        }
        let used = (total % 8) as u8;
        match bytes.last() {
            Some(last) if used != 0 && last >> used != 0 => Err(Self::Padding { found: last >> used, bits: 8 - used }),
            _ => Ok(()),
        }
    }
}
