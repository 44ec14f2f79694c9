//! ReLU: max(a, 0) over Z_L, for -2^62 <= a < 2^62.
//!
//! Source: SecureNN, algorithm 7 (F_RELU): DReLU(a) a, one elementwise product with a bit, so without truncation.
//!
//! |            | rounds | bytes an element                                        |
//! |------------|--------|---------------------------------------------------------|
//! | paper      | 10     | 704 (528 with 7-bit residues and one share of each pair from a generator) |
//! | here       | 8      | 432: DReLU 392, product 40                              |

use super::{Share, drelu, drelu::drelu, matmul, matmul::matmul};
use crate::{Party, Result};
use trefoil_engine::Kind;

/// Rounds and bytes for `n` elements.
pub const fn cost(n: usize) -> (u64, u64) {
    let ((r, b), (s, c)) = (drelu::cost(n), matmul::cost(2 * n, n));
    (r + s, b + c)
}

/// max(a, 0) and the bit \[a >= 0\], which the backward pass needs.
///
/// # Errors
/// Those of the network.
pub fn relu(p: &mut Party, a: &Share) -> Result<(Share, Share)> {
    let b = drelu(p, a)?;
    let mut y = matmul(p, &[(Kind::Mul, &b, a, a.shape)])?;
    Ok((y.swap_remove(0), b))
}
