//! Stage 1 of a proof about bits, over GF(2^64) = GF(2)\[X\] / (X^64 + X^4 + X^3 + X + 1).
//!
//! Sixty-four claims stand side by side in a word, and the word is read as one element: claim k is weighed by X^k, which no two errors cancel under, and the element by
//! a random weight. So a term costs an AND of words that 64 claims share, and the extension enters once a word and point. The weights X^k add nothing to what escapes:
//! a word of errors that is not 0 is an element that is not 0.

use super::wide;

/// Slots of a row of bits, 2^6.
pub const BIT_SLOTS: usize = 1 << VARIABLES;
/// Points of {0, 1, inf}^6.
pub const BIT_POINTS: usize = 3usize.pow(VARIABLES as u32);
const VARIABLES: usize = 6;

/// G(p) = sum of a_i (x_i(p) AND y_i(p)) at all points of {0, 1, inf}^6, as [`Weights::stage`](super::Weights::stage) counts them: a row has [`BIT_SLOTS`] words, bit k of all of them
/// belonging to the row's claim k.
///
/// Panics if there are not as many rows as weights.
pub fn stage(weights: &[u64], x: &[u64], y: &[u64]) -> Vec<u64> {
    assert!(x.len() == weights.len() * BIT_SLOTS && y.len() == x.len(), "as many rows as weights");
    let mut sums = vec![0; BIT_POINTS];
    for ((&weight, x), y) in weights.iter().zip(x.as_chunks().0).zip(y.as_chunks().0) {
        let mut both = [0; BIT_POINTS];
        wide::run(
            #[inline(always)]
            || both.iter_mut().zip(points(x)).zip(points(y)).for_each(|((both, x), y)| *both = x & y),
        );
        wide::add_carryless(&mut sums, weight, &both);
    }
    sums.into_iter().map(reduce).collect()
}

/// A row's 64 claims, each folded into one element: for claim k the sum of `eq[j]` over the slots j whose bit k is 1. Bits are secret, so each counts by a mask.
pub fn fold(row: &[u64; BIT_SLOTS], eq: &[u64; BIT_SLOTS]) -> [u64; 64] {
    let mut folded = [0; 64];
    wide::run(
        #[inline(always)]
        || {
            for (bits, eq) in row.iter().zip(eq) {
                folded
                    .iter_mut()
                    .enumerate()
                    .for_each(|(k, sum): (usize, &mut u64)| *sum ^= eq & 0u64.wrapping_sub(bits >> k & 1));
            }
        },
    );
    folded
}

/// The product of two elements.
pub fn multiply(a: u64, b: u64) -> u64 {
    let mut sum = [0];
    wide::add_carryless(&mut sum, a, &[b]);
    reduce(sum[0])
}

/// The sum of products of two vectors, reduced once.
pub fn inner(x: &[u64], y: &[u64]) -> u64 {
    reduce(wide::inner_carryless(x, y))
}

/// The sum of rows of so many words, each times its weight.
pub fn weighed(weights: &[u64], rows: &[u64], columns: usize) -> Vec<u64> {
    let mut sums = vec![0; columns];
    weights.iter().zip(rows.chunks(columns.max(1))).for_each(|(weight, row)| wide::add_carryless(&mut sums, *weight, row));
    sums.into_iter().map(reduce).collect()
}

/// a times each.
pub fn scale(a: u64, b: &mut [u64]) {
    let mut products = vec![0; b.len()];
    wide::add_carryless(&mut products, a, b);
    b.iter_mut().zip(products).for_each(|(b, product)| *b = reduce(product));
}

/// X^64 = X^4 + X^3 + X + 1, twice: the first leaves four bits above.
fn reduce(product: u128) -> u64 {
    let once = |high: u64| {
        let high = u128::from(high);
        high ^ high << 1 ^ high << 3 ^ high << 4
    };
    let first = product as u64 as u128 ^ once((product >> 64) as u64);
    first as u64 ^ once((first >> 64) as u64) as u64
}

#[inline(always)]
fn points(values: &[u64; BIT_SLOTS]) -> [u64; BIT_POINTS] {
    let (mut now, mut next) = ([0; BIT_POINTS], [0; BIT_POINTS]);
    now[..BIT_SLOTS].copy_from_slice(values);
    let mut inner = 1;
    for v in 0..VARIABLES {
        let outer = BIT_SLOTS >> (v + 1);
        for (from, to) in now[..2 * outer * inner].chunks_exact(2 * inner).zip(next.chunks_exact_mut(3 * inner)) {
            let (at_0, at_1) = from.split_at(inner);
            to[..2 * inner].copy_from_slice(from);
            at_1.iter().zip(at_0).zip(&mut to[2 * inner..]).for_each(|((b, a), inf)| *inf = b ^ a);
        }
        std::mem::swap(&mut now, &mut next);
        inner *= 3;
    }
    now
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By the definition, bit by bit.
    fn slow(a: u64, b: u64) -> u64 {
        let times_x = |x: u64| x << 1 ^ if x >> 63 == 1 { 0b11011 } else { 0 };
        let mut power = b;
        (0..64).fold(0, |sum, i| {
            let sum = sum ^ if a >> i & 1 == 1 { power } else { 0 };
            power = times_x(power);
            sum
        })
    }

    fn words(n: usize, seed: u64) -> Vec<u64> {
        (0..n as u64).map(|i| (i ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23).wrapping_mul(seed | 1)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn products(a: u64, b: u64) {
            prop_assert_eq!(multiply(a, b), slow(a, b));
            prop_assert_eq!(wide::carryless(a, b), wide::inner_carryless(&[a], &[b]));
            prop_assert_eq!(inner(&[a, b, 3], &[b, b, a]), slow(a, b) ^ slow(b, b) ^ slow(3, a));
            prop_assert_eq!(weighed(&[a, 5], &[1, b, a, 7], 2), [a ^ slow(5, a), slow(a, b) ^ slow(5, 7)]);
            let mut scaled = [1, b, a];
            scale(a, &mut scaled);
            prop_assert_eq!(scaled, [a, slow(a, b), slow(a, a)]);
        }

        /// At a corner of {0, 1}^6 stands the weighted AND of a slot.
        #[test]
        fn the_first_stage(rows in 0usize..9, seed: u64) {
            let (a, x, y) = (words(rows, seed), words(rows * BIT_SLOTS, !seed), words(rows * BIT_SLOTS, seed ^ 5));
            let sums = stage(&a, &x, &y);
            for slot in [0, 1, 2, 37, 63] {
                let point = (0..VARIABLES).fold(0, |point, v| point + (slot >> v & 1) * 3usize.pow(v as u32));
                let sum = (0..rows).fold(0, |sum, i| sum ^ slow(a[i], x[i * BIT_SLOTS + slot] & y[i * BIT_SLOTS + slot]));
                prop_assert_eq!(sums[point], sum);
            }
            // All variables at infinity: the sum of all slots.
            let all = |x: &[u64], i: usize| x[i * BIT_SLOTS..][..BIT_SLOTS].iter().fold(0, |sum, x| sum ^ x);
            prop_assert_eq!(sums[BIT_POINTS - 1], (0..rows).fold(0, |sum, i| sum ^ slow(a[i], all(&x, i) & all(&y, i))));
        }

        #[test]
        fn folded(seed: u64) {
            let (row, eq) = (words(BIT_SLOTS, seed), words(BIT_SLOTS, !seed));
            let folded = fold(row[..].try_into().unwrap(), eq[..].try_into().unwrap());
            for (k, folded) in folded.into_iter().enumerate() {
                prop_assert_eq!(folded, (0..BIT_SLOTS).filter(|j| row[*j] >> k & 1 == 1).fold(0, |sum, j| sum ^ eq[j]));
            }
        }
    }
}
