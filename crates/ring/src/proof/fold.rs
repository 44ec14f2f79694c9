//! Rows of slots folded into one element each: the sum of `eq[j]` times what stands in slot j.

// Loops that `wide` compiles are written out: what iterators call is not always inlined, and would then be compiled for any machine.
#![allow(clippy::needless_range_loop)]

use super::small::{ABREAST, Abreast};
use super::{DEGREE, Word, wide};

/// Coefficients with one that is 0, which fill wide registers.
const PADDED: usize = 48;
/// Bits of a power that a number shifted by it is made room for.
const SHIFTED: usize = 3 * PADDED;

fn padded<T: Word>(eq: &[[u64; DEGREE]]) -> Vec<[T; PADDED]> {
    let one = |eq: &[u64; DEGREE]| std::array::from_fn(|c| T::of(eq.get(c).copied().unwrap_or_default()));
    eq.iter().map(one).collect()
}

/// What words of a claim count as, whose factors on the first side are multiples of 2^shift: they count modulo 2^(64 - shift) only, and are computed with as numbers of 16 or 32 bits where that is enough.
pub fn counted(word: u64, shift: u8) -> u64 {
    match shift {
        48.. => i16::of(word).extended(),
        32..48 => i32::of(word).extended(),
        _ => word,
    }
}

/// Rows of words, as many a row as `eq` has elements; and each then times its row's weight, coefficient c in bit c, unless `weights` are none. They go to `to` from place `at` on, eight
/// abreast, which has room for them. Weights are known to all, and places may depend on them.
pub fn fold_words(words: &[u64], eq: &[[u64; DEGREE]], weights: &[u64], to: &mut [Abreast], at: usize) {
    fold::<u64>(words, [0; 2], eq, weights, to, at);
}

/// The same of words that are small numbers shifted by so many bits; coefficients of the sums are shifted, too.
pub fn fold_shifted(words: &[u64], shift: u8, eq: &[[u64; DEGREE]], weights: &[u64], to: &mut [Abreast], at: usize) {
    match shift {
        48.. => fold::<i16>(words, [shift; 2], eq, weights, to, at),
        32..48 => fold::<i32>(words, [shift; 2], eq, weights, to, at),
        _ => fold_words(words, eq, weights, to, at),
    }
}

/// The same of words of the other side of such claims: coefficients of the sums are as they [count](counted).
pub fn fold_counted(words: &[u64], shift: u8, eq: &[[u64; DEGREE]], to: &mut [Abreast], at: usize) {
    match shift {
        48.. => fold::<i16>(words, [0; 2], eq, &[], to, at),
        32..48 => fold::<i32>(words, [0; 2], eq, &[], to, at),
        _ => fold_words(words, eq, &[], to, at),
    }
}

/// Words are shifted back, and sums forth, by so many bits.
fn fold<T: Word>(words: &[u64], [back, forth]: [u8; 2], eq: &[[u64; DEGREE]], weights: &[u64], to: &mut [Abreast], at: usize) {
    let eq = padded::<T>(eq);
    wide::run(
        #[inline(always)]
        || {
            for (i, row) in words.chunks_exact(eq.len()).enumerate() {
                let mut sum = fold_row(row, back, &eq);
                if let Some(weight) = weights.get(i) {
                    sum = weighed(&sum, *weight);
                }
                let (to, lane) = (&mut to[(at + i) / ABREAST], (at + i) % ABREAST);
                for c in 0..DEGREE {
                    to.0[c].0[lane] = sum[c].extended() << forth;
                }
            }
        },
    );
}

/// Four slots at a time, so that sums are loaded and stored once for four.
#[inline(always)]
fn fold_row<T: Word>(row: &[u64], shift: u8, eq: &[[T; PADDED]]) -> [T; PADDED] {
    let mut sums = [T::default(); PADDED];
    let ((words, last), (eqs, of_last)) = (row.as_chunks::<4>(), eq.as_chunks::<4>());
    for k in 0..words.len() {
        let (x, eq) = (words[k].map(|word| T::of(word >> shift)), &eqs[k]);
        for c in 0..PADDED {
            let low = x[0].times(eq[0][c]).plus(x[1].times(eq[1][c]));
            let high = x[2].times(eq[2][c]).plus(x[3].times(eq[3][c]));
            sums[c] = sums[c].plus(low).plus(high);
        }
    }
    for k in 0..last.len() {
        for c in 0..PADDED {
            sums[c] = sums[c].plus(T::of(last[k] >> shift).times(of_last[k][c]));
        }
    }
    sums
}

/// An element times a weight: shifted by each power that the weight has, and X^47 = - X^5 - 1.
#[inline(always)]
fn weighed<T: Word>(element: &[T; PADDED], weight: u64) -> [T; PADDED] {
    let mut shifted = [T::default(); SHIFTED];
    shifted[PADDED..2 * PADDED].copy_from_slice(element);
    let mut product = [T::default(); 2 * PADDED];
    let mut left = weight & (u64::MAX >> (64 - DEGREE));
    while left != 0 {
        let power = left.trailing_zeros() as usize;
        left &= left - 1;
        let Some(from) = shifted[PADDED - power..].first_chunk::<{ 2 * PADDED }>() else { continue };
        for k in 0..2 * PADDED {
            product[k] = product[k].plus(from[k]);
        }
    }
    // The highest powers first: what they become may be too high again.
    for (first, end) in [(2 * DEGREE - 5, 2 * DEGREE - 1), (DEGREE, 2 * DEGREE - 5)] {
        for k in first..end {
            let top = product[k];
            product[k - DEGREE] = product[k - DEGREE].minus(top);
            product[k - DEGREE + 5] = product[k - DEGREE + 5].minus(top);
        }
    }
    let mut reduced = [T::default(); PADDED];
    reduced[..DEGREE].copy_from_slice(&product[..DEGREE]);
    reduced
}
