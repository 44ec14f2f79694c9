//! MaxPool: the largest of each row, and its place (DMaxPool).
//!
//! Source: SecureNN, algorithms 9 and 10. Input: one window a row, over Z_L, differences below 2^62. Output: the maximum, one column;
//! for DMaxPool also a one-hot row of shared bits, which is the derivative.
//!
//! |            | rounds                      | bytes a row of n                |
//! |------------|-----------------------------|---------------------------------|
//! | paper      | 9 (n - 1)                   | (n - 1) (DReLU + 2 SelectShare) |
//! | here       | 8 ceil(log2 n)              | (n - 1) 432 for n a power of 2; |
//! |            |                             | DMaxPool (n - 1) (432 + 40 n)   |
//!
//! Deviation: a tournament, not n - 1 sequential comparisons. The place travels with the value: at each level the product of the
//! comparison's bit with the one-hot places of both sides joins the round of the value's product.

use super::{Share, drelu::drelu, matmul::matmul};
use crate::{Party, Result};
use trefoil_engine::{Index, Kind};

/// The maximum of each row.
///
/// # Errors
/// Those of the network.
pub fn maxpool(p: &mut Party, x: &Share) -> Result<Share> {
    let mut x = x.clone();
    while x.shape[1] > 1 {
        let (a, b) = sides(&x);
        let (gain, _) = super::relu::relu(p, &a.sub(&b))?;
        x = b.add(&gain);
    }
    Ok(x)
}

/// Rounds and bytes of [`maxpool`] for `rows` rows of `n` elements.
pub const fn cost(rows: usize, mut n: usize) -> (u64, u64) {
    let mut sum = (0, 0);
    while n > 1 {
        n = n.div_ceil(2);
        let (rounds, bytes) = super::relu::cost(rows * n);
        sum = (sum.0 + rounds, sum.1 + bytes);
    }
    sum
}

/// Rounds and bytes of [`dmaxpool`]: each pair's product carries n places beside the value.
pub const fn dmaxpool_cost(rows: usize, n: usize) -> (u64, u64) {
    let (mut sum, mut left) = ((0, 0), n);
    while left > 1 {
        left = left.div_ceil(2);
        let pairs = rows * left;
        let ((r, b), (s, c)) = (super::drelu::cost(pairs), super::matmul::cost(2 * pairs * (n + 1), pairs * (n + 1)));
        sum = (sum.0 + r + s, sum.1 + b + c);
    }
    sum
}

/// The maximum of each row, and the place of the first maximum as a one-hot row of bits over Z_L.
///
/// # Errors
/// Those of the network.
pub fn dmaxpool(p: &mut Party, x: &Share) -> Result<(Share, Share)> {
    let [rows, n] = x.shape;
    let mut x = x.clone();
    // places[k] has, for the k-th value still in the tournament, its one-hot row.
    let mut places: Vec<Share> = (0..n).map(|k| one_hot(p, rows, n, k)).collect();
    while x.shape[1] > 1 {
        let m = x.shape[1];
        let (a, b) = sides(&x);
        let bit = drelu(p, &a.sub(&b))?;
        let gain = a.sub(&b);
        let pairs = m.div_ceil(2);
        let wide: Vec<Share> = (0..pairs).map(|k| bit.gather(Index::Cols(&vec![k; n]))).collect();
        let moves: Vec<Share> = (0..pairs).map(|k| places[2 * k].sub(&places[(2 * k + 1).min(m - 1)])).collect();
        let mut factors = vec![(Kind::Mul, &bit, &gain, gain.shape)];
        factors.extend(wide.iter().zip(&moves).map(|(b, d)| (Kind::Mul, b, d, [rows, n])));
        let mut products = matmul(p, &factors)?.into_iter();
        x = products.next().map_or(b.clone(), |gain| b.add(&gain));
        places = products.enumerate().map(|(k, d)| places[(2 * k + 1).min(m - 1)].add(&d)).collect();
    }
    Ok((x, places.swap_remove(0)))
}

/// Even and odd columns; the last one meets itself where their number is odd.
fn sides(x: &Share) -> (Share, Share) {
    let n = x.shape[1];
    let left: Vec<usize> = (0..n).step_by(2).collect();
    let right: Vec<usize> = left.iter().map(|&j| (j + 1).min(n - 1)).collect();
    (x.gather(Index::Cols(&left)), x.gather(Index::Cols(&right)))
}

fn one_hot(p: &Party, rows: usize, n: usize, k: usize) -> Share {
    Share::public(p, &trefoil_ring::Tensor::from_shape_fn((rows, n), |(_, j)| u64::from(j == k)))
}
