//! Division: floor(2^f x / y) for 0 <= x <= y, 0 < y and 2^f y < 2^62.
//!
//! Source: SecureNN, algorithm 8 (F_DIV), long division. u = q = 0; for i = 0..=f:
//! b = DReLU(2^f x - u - 2^(f-i) y), u += b 2^(f-i) y, q += b 2^(f-i).
//!
//! |            | rounds        | bytes an element          |
//! |------------|---------------|---------------------------|
//! | paper      | 10 (f)        | 704 (f)                   |
//! | here       | 8 (f + 1)     | 432 (f + 1), 16 f less because y is opened once |
//!
//! Deviations: the paper's y / 2^i is not local on shares; multiples 2^(f-i) y are. Its loop starts at 1, which misses x = y.
//! y = 0 gives all ones: the caller guards it.

use super::{Share, drelu::drelu, matmul::matmul};
use crate::{Party, Result};
use trefoil_engine::Kind;

/// Rounds and bytes for `n` elements.
pub const fn cost(n: usize, f: u8) -> (u64, u64) {
    let (rounds, bytes) = super::relu::cost(n);
    let f = f as u64;
    (rounds * (f + 1), bytes * (f + 1) - 16 * f * n as u64)
}

/// floor(2^f x / y), element by element.
///
/// # Errors
/// Those of the network.
pub fn division(p: &mut Party, x: &Share, y: &Share, f: u8) -> Result<Share> {
    let mut rest = x.scale(1 << f); // 2^f x - u
    let mut q = x.scale(0);
    for i in (0..=f).rev() {
        let b = drelu(p, &rest.sub(&y.scale(1 << i)))?;
        let by = matmul(p, &[(Kind::Mul, &b, y, y.shape)])?.swap_remove(0);
        rest = rest.sub(&by.scale(1 << i));
        q = q.add(&b.scale(1 << i));
    }
    Ok(q)
}
