//! Fixed point: real numbers as words of Z_(2^64).
//!
//! `x` becomes `round(2^frac * x)` mod 2^64 (to nearest, ties away from zero), so a negative `x`
//! becomes `2^64 - |2^frac * x|`. Values with `|x| >= 2^(62 - frac)`, NaN and infinities are
//! errors: the truncating protocols need 62-bit magnitudes, and nothing wraps silently.

use crate::Tensor;
use ndarray::Array2;

/// The largest number of fraction bits.
pub const MAX_FRAC: u8 = 62;

/// A number that has no fixed-point form. The text holds the number: it is for its owner only.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RangeError {
    /// The number is not finite or too large.
    #[error("fixed point: {value} is outside the open range of +-{bound}")]
    Value {
        /// The number given.
        value: f64,
        /// The least magnitude that is refused, `2^(62 - frac)`.
        bound: f64,
    },
    /// The same for an element of a matrix.
    #[error("fixed point: element ({row}, {column}) is {value}, outside the open range of +-{bound}")]
    Element {
        /// Row of the first such element, in row-major order.
        row: usize,
        /// Its column.
        column: usize,
        /// The number given.
        value: f64,
        /// The least magnitude that is refused, `2^(62 - frac)`.
        bound: f64,
    },
    /// More fraction bits than a word has room for.
    #[error("fixed point: {frac} fraction bits, expected at most {MAX_FRAC}")]
    FractionBits {
        /// The number of fraction bits given.
        frac: u8,
    },
}

/// The word of `x` with `frac` fraction bits.
///
/// # Errors
/// `x` is NaN, infinite or `|x| >= 2^(62 - frac)`; `frac > 62`.
pub fn encode(x: f64, frac: u8) -> Result<u64, RangeError> {
    let bound = bound(frac)?;
    word(x, frac, bound).ok_or(RangeError::Value { value: x, bound })
}

/// The words of `x`, elementwise, with `frac` fraction bits. Shape is kept, layout is row-major.
///
/// # Errors
/// As [`encode`], naming the first element that is refused.
pub fn encode_all(x: &Array2<f64>, frac: u8) -> Result<Tensor, RangeError> {
    let bound = bound(frac)?;
    let mut out = Tensor::zeros(x.dim());
    for ((at, &value), out) in x.indexed_iter().zip(&mut out) {
        *out = word(value, frac, bound).ok_or(RangeError::Element { row: at.0, column: at.1, value, bound })?;
    }
    Ok(out)
}

/// The number that `word`, read as two's complement with `frac` fraction bits, stands for.
/// Magnitudes of 2^53 units and more are rounded to the nearest `f64`.
pub fn decode(word: u64, frac: u8) -> f64 {
    word.cast_signed() as f64 * unit(frac)
}

/// [`decode`], elementwise.
pub fn decode_all(words: &Tensor, frac: u8) -> Array2<f64> {
    let unit = unit(frac);
    words.mapv(|word| word.cast_signed() as f64 * unit)
}

/// `2^-frac`, exactly.
fn unit(frac: u8) -> f64 {
    2f64.powi(-i32::from(frac))
}

fn bound(frac: u8) -> Result<f64, RangeError> {
    if frac > MAX_FRAC {
        return Err(RangeError::FractionBits { frac });
    }
    Ok((1u64 << (MAX_FRAC - frac)) as f64)
}

/// Scaling by a power of two is exact, and near the bound every `f64` is a multiple of 2^9 units:
/// rounding never reaches 2^62. NaN fails the comparison.
fn word(x: f64, frac: u8, bound: f64) -> Option<u64> {
    let scaled = x * (1u64 << frac) as f64;
    (x.abs() < bound).then(|| (scaled.round() as i64).cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use proptest::prelude::*;

    #[test]
    fn known_words() {
        assert_eq!(encode(1.0, 16), Ok(1 << 16));
        assert_eq!(encode(-1.0, 16), Ok(0u64.wrapping_sub(1 << 16)));
        assert_eq!(encode(-0.0, 16), Ok(0));
        assert_eq!(encode(f64::MIN_POSITIVE, 62), Ok(0));
        // Ties go away from zero.
        assert_eq!(encode(0.5, 0), Ok(1));
        assert_eq!(encode(1.5, 0), Ok(2));
        assert_eq!(encode(2.5, 0), Ok(3));
        assert_eq!(encode(-2.5, 0), Ok(3u64.wrapping_neg()));
    }

    #[test]
    fn the_range_is_open_and_never_wraps() {
        for frac in 0..=MAX_FRAC {
            let bound = 2f64.powi(62 - i32::from(frac));
            let largest = bound.next_down();
            assert_eq!(encode(largest, frac), Ok((1 << 62) - (1 << 9)));
            assert_eq!(encode(-largest, frac), Ok(0u64.wrapping_sub((1 << 62) - (1 << 9))));
            for value in [bound, -bound, f64::MAX, f64::INFINITY, f64::NEG_INFINITY] {
                assert_eq!(encode(value, frac), Err(RangeError::Value { value, bound }));
            }
            assert!(matches!(encode(f64::NAN, frac), Err(RangeError::Value { value, .. }) if value.is_nan()));
        }
        assert_eq!(encode(0.0, 63), Err(RangeError::FractionBits { frac: 63 }));
    }

    #[test]
    fn a_matrix_error_names_the_element() {
        let x = array![[0.0, 1.0], [2.0, -4.0], [9.0, 0.0]];
        let error = encode_all(&x, 60).unwrap_err();
        assert_eq!(error, RangeError::Element { row: 1, column: 1, value: -4.0, bound: 4.0 });
        assert_eq!(error.to_string(), "fixed point: element (1, 1) is -4, outside the open range of +-4");
    }

    #[test]
    fn any_layout_in_standard_layout_out() {
        let x = array![[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]].reversed_axes();
        let words = encode_all(&x, 8).unwrap();
        assert!(words.is_standard_layout());
        assert_eq!(decode_all(&words, 8), x);
        assert_eq!(encode_all(&Array2::zeros((0, 3)), 8).unwrap().dim(), (0, 3));
    }

    proptest! {
        #[test]
        fn a_round_trip_is_within_half_a_unit(x in -1e9f64..1e9, frac in 0u8..=32) {
            let back = decode(encode(x, frac).unwrap(), frac);
            prop_assert!((back - x).abs() <= unit(frac) / 2.0);
        }

        #[test]
        fn words_below_2_53_survive(n in -(1i64 << 53)..(1i64 << 53), frac in 0u8..=62) {
            let word = n.cast_unsigned();
            prop_assert_eq!(encode(decode(word, frac), frac), Ok(word));
        }
    }
}
