//! DReLU: the bit \[a >= 0\] over Z_L, for -2^62 <= a < 2^62.
//!
//! Source: SecureNN, algorithm 6 (F_DRELU): 1 - ComputeMSB(ShareConvert(2a)). Doubling keeps the sign, and makes the input of
//! ShareConvert even, so never L - 1.
//!
//! |            | rounds | bytes an element                                        |
//! |------------|--------|---------------------------------------------------------|
//! | paper      | 8      | 8 l log p + 19 l bits: 600 with 7-bit residues          |
//! | here       | 7      | 392: ShareConvert 200, ComputeMSB 192                   |

use super::{Share, compute_msb, compute_msb::compute_msb, share_convert, share_convert::share_convert};
use crate::{Party, Price, Result};

/// Rounds and bytes for `n` elements.
pub const fn cost(n: usize) -> Price {
    share_convert::cost(n).then(compute_msb::cost(n))
}

/// \[a >= 0\], element by element.
///
/// # Errors
/// Those of the network.
pub fn drelu(p: &mut Party, a: &Share) -> Result<Share> {
    let n = a.len();
    let doubled: Vec<u64> = a.words().iter().map(|a| a.wrapping_mul(2)).collect();
    let y = share_convert(p, n, &doubled)?;
    let msb = compute_msb(p, n, &y)?;
    let msb = Share::from_words(a.shape, a.value.is_some().then_some(msb));
    Ok(msb.minus_from(p, 1))
}
