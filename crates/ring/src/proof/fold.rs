//! Rows of slots folded into one element each: the sum of `eq[j]` times what stands in slot j.

// Loops that `wide` compiles are written out: what iterators call is not always inlined, and would then be compiled for any machine.
#![allow(clippy::needless_range_loop)]

use super::small::{ABREAST, Abreast};
use super::{DEGREE, SLOTS, wide};

/// Coefficients with one that is 0, which fill wide registers.
const PADDED: usize = 48;
type Padded = [u64; PADDED];

fn padded(eq: &[[u64; DEGREE]]) -> Vec<Padded> {
    let one = |eq: &[u64; DEGREE]| std::array::from_fn(|c| eq.get(c).copied().unwrap_or_default());
    eq.iter().map(one).collect()
}

/// Rows of words, as many a row as `eq` has elements; and each then times its row's weight, coefficient c in bit c, unless `weights` are none. They go to `to` from place `at` on, eight
/// abreast, which has room for them. Weights are known to all, and places may depend on them.
pub fn fold_words(words: &[u64], eq: &[[u64; DEGREE]], weights: &[u64], to: &mut [Abreast], at: usize) {
    let eq = padded(eq);
    wide::run(
        #[inline(always)]
        || {
            for (i, row) in words.chunks_exact(eq.len()).enumerate() {
                let mut sum = fold_words_of(row, &eq);
                if let Some(weight) = weights.get(i) {
                    sum = weighed(&sum, *weight);
                }
                let (to, lane) = (&mut to[(at + i) / ABREAST], (at + i) % ABREAST);
                for c in 0..DEGREE {
                    to.0[c].0[lane] = sum[c];
                }
            }
        },
    );
}

/// Four slots at a time, so that sums are loaded and stored once for four.
#[inline(always)]
fn fold_words_of(row: &[u64], eq: &[Padded]) -> Padded {
    let mut sums = [0u64; PADDED];
    let ((words, last), (eqs, of_last)) = (row.as_chunks::<4>(), eq.as_chunks::<4>());
    for k in 0..words.len() {
        let (x, eq) = (&words[k], &eqs[k]);
        for c in 0..PADDED {
            let low = x[0].wrapping_mul(eq[0][c]).wrapping_add(x[1].wrapping_mul(eq[1][c]));
            let high = x[2].wrapping_mul(eq[2][c]).wrapping_add(x[3].wrapping_mul(eq[3][c]));
            sums[c] = sums[c].wrapping_add(low).wrapping_add(high);
        }
    }
    for k in 0..last.len() {
        for c in 0..PADDED {
            sums[c] = sums[c].wrapping_add(last[k].wrapping_mul(of_last[k][c]));
        }
    }
    sums
}

/// An element times a weight: shifted by each power that the weight has, and X^47 = - X^5 - 1.
#[inline(always)]
fn weighed(element: &Padded, weight: u64) -> Padded {
    let mut shifted = [0u64; 3 * PADDED];
    shifted[PADDED..2 * PADDED].copy_from_slice(element);
    let mut product = [0u64; 2 * PADDED];
    let mut left = weight & (u64::MAX >> (64 - DEGREE));
    while left != 0 {
        let power = left.trailing_zeros() as usize;
        left &= left - 1;
        let Some(from) = shifted[PADDED - power..].first_chunk::<{ 2 * PADDED }>() else { continue };
        for k in 0..2 * PADDED {
            product[k] = product[k].wrapping_add(from[k]);
        }
    }
    // The highest powers first: what they become may be too high again.
    for (first, end) in [(2 * DEGREE - 5, 2 * DEGREE - 1), (DEGREE, 2 * DEGREE - 5)] {
        for k in first..end {
            let top = product[k];
            product[k - DEGREE] = product[k - DEGREE].wrapping_sub(top);
            product[k - DEGREE + 5] = product[k - DEGREE + 5].wrapping_sub(top);
        }
    }
    let mut reduced = [0; PADDED];
    reduced[..DEGREE].copy_from_slice(&product[..DEGREE]);
    reduced
}

/// Rows of bits folded: for each row the sum of `eq[j]` over the slots j whose bit is 1. Bits are secret, so each counts by a mask and none by a place in a table.
pub fn fold_bits(rows: &[[u32; ABREAST]], eq: &[[u64; DEGREE]; SLOTS]) -> Vec<Abreast> {
    let padded = padded(eq);
    let mut folded = vec![Abreast::ZERO; rows.len()];
    wide::run(
        #[inline(always)]
        || {
            for (folded, rows) in folded.iter_mut().zip(rows) {
                for i in 0..ABREAST {
                    let sums = fold_row(rows[i], &padded);
                    for c in 0..DEGREE {
                        folded.0[c].0[i] = sums[c];
                    }
                }
            }
        },
    );
    folded
}

/// Four slots at a time, so that sums are loaded and stored once for four.
#[inline(always)]
fn fold_row(row: u32, eq: &[Padded]) -> Padded {
    let mut sums = [0u64; PADDED];
    for (k, eq) in eq.as_chunks::<4>().0.iter().enumerate() {
        let mask = |j: usize| 0u64.wrapping_sub(u64::from(row >> (4 * k + j) & 1));
        let masks = [mask(0), mask(1), mask(2), mask(3)];
        for c in 0..PADDED {
            let low = (eq[0][c] & masks[0]).wrapping_add(eq[1][c] & masks[1]);
            let high = (eq[2][c] & masks[2]).wrapping_add(eq[3][c] & masks[3]);
            sums[c] = sums[c].wrapping_add(low).wrapping_add(high);
        }
    }
    sums
}
