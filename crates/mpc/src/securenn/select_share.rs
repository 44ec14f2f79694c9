//! SelectShare: x where the shared bit a is 0, y where it is 1, as x + a (y - x).
//!
//! Source: SecureNN, algorithm 2. a, x, y over Z_L, of one shape. One elementwise product, no truncation: a is an integer.
//!
//! |            | rounds | words an element |
//! |------------|--------|------------------|
//! | paper      | 2      | 10 (5 l bits x 2)|
//! | here       | 1      | 5                |
//!
//! Deviation: the paper's final fresh zero sharing is left out, since the product's share is uniform already (matmul.rs).

use super::{Share, matmul, matmul::matmul};
use crate::{Party, Result};
use trefoil_engine::Kind;

/// Rounds and bytes for `n` elements.
pub const fn cost(n: usize) -> (u64, u64) {
    matmul::cost(2 * n, n)
}

/// x + a (y - x).
///
/// # Errors
/// Those of the network.
pub fn select_share(p: &mut Party, a: &Share, x: &Share, y: &Share) -> Result<Share> {
    let mut products = matmul(p, &[(Kind::Mul, a, &y.sub(x), x.shape)])?;
    Ok(products.swap_remove(0).add(x))
}
