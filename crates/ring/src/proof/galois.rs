//! Folds over GR, eight elements abreast.

// Loops that `wide` compiles are written out: what iterators call is not always inlined, and would then be compiled for any machine.
#![allow(clippy::needless_range_loop)]

use super::small::{Abreast, Lanes};
use super::{DEGREE, wide};

/// Words of a piece after three halvings of 48 words, and of the product of two.
const PIECE: usize = 6;
const PIECE_PRODUCT: usize = 2 * PIECE - 1;
/// Groups of eight elements at a time.
const BLOCK: usize = 16;
/// Pieces: each halving makes three of one.
const PIECES: usize = 27;

/// What a fold's prover says of two vectors, whose first half are the first `half` groups of eight and whose second half is what follows, 0 where nothing does: g(0), the sum of
/// products of the first halves, and g(inf), that of the differences of both halves. By Karatsuba's method three times over: 27 products of six words in place of 47 of 47.
/// Sums of halves of an element are made once, and products are put together once at the end.
///
/// Panics if the vectors are not of one length.
pub fn halves(x: &[Abreast], y: &[Abreast], half: usize) -> [[u64; DEGREE]; 2] {
    assert_eq!(x.len(), y.len(), "vectors of one length");
    let [mut low, mut differences] = [[[Lanes::ZERO; PIECE_PRODUCT]; PIECES]; 2];
    let mut both = [[[Lanes::ZERO; PIECE]; PIECES]; 2];
    let n = half.min(x.len());
    wide::run(
        #[inline(always)]
        || {
            // Some elements of the one sum, then of the other: both at once would not stay in the first-level cache.
            for first in (0..n).step_by(BLOCK) {
                for i in first..n.min(first + BLOCK) {
                    add_pieces(&mut low, &x[i], &y[i], &mut both);
                }
                for i in first..n.min(first + BLOCK) {
                    let [x, y] = [difference(x, half, i), difference(y, half, i)];
                    add_pieces(&mut differences, &x, &y, &mut both);
                }
            }
        },
    );
    [low, differences].map(|sums| {
        let sums = sums.map(|piece| piece.map(|lanes| lanes.0.iter().fold(0, |sum: u64, lane| sum.wrapping_add(*lane))));
        reduced(&assembled(&sums))
    })
}

/// Adds a product to its sum, piece by piece.
#[inline(always)]
fn add_pieces(
    sums: &mut [[Lanes; PIECE_PRODUCT]; PIECES],
    x: &Abreast,
    y: &Abreast,
    [x_pieces, y_pieces]: &mut [[[Lanes; PIECE]; PIECES]; 2],
) {
    pieces(x, x_pieces);
    pieces(y, y_pieces);
    for i in 0..PIECES {
        add_product(&mut sums[i], &x_pieces[i], &y_pieces[i]);
    }
}

/// high - low.
#[inline(always)]
fn difference(z: &[Abreast], half: usize, i: usize) -> Abreast {
    let mut difference = if half + i < z.len() { z[half + i] } else { Abreast::ZERO };
    for c in 0..DEGREE {
        difference.0[c].subtract(&z[i].0[c]);
    }
    difference
}

/// low + r (high - low) in place of low: two halves of a vector bound to a challenge, whose coefficient c is bit c of `r`. Where `high` ends before `low`, it goes on with 0.
pub fn bind(low: &mut [Abreast], high: &[Abreast], r: u64) {
    wide::run(
        #[inline(always)]
        || {
            for i in 0..low.len() {
                bind_one(&mut low[i], high.get(i).unwrap_or(&Abreast::ZERO), r);
            }
        },
    );
}

/// The product of two elements.
pub fn multiply(a: &[u64; DEGREE], b: &[u64; DEGREE]) -> [u64; DEGREE] {
    let mut all = [0u64; 2 * DEGREE];
    for (i, a) in a.iter().enumerate() {
        b.iter().enumerate().for_each(|(j, b)| all[i + j] = all[i + j].wrapping_add(a.wrapping_mul(*b)));
    }
    reduced(&all)
}

#[inline(always)]
fn bind_one(low: &mut Abreast, high: &Abreast, r: u64) {
    let mut difference = [Lanes::ZERO; DEGREE];
    for c in 0..DEGREE {
        difference[c].add(&high.0[c]);
        difference[c].subtract(&low.0[c]);
    }
    let mut product = [Lanes::ZERO; 2 * DEGREE];
    for c in 0..DEGREE {
        if r >> c & 1 == 1 {
            for i in 0..DEGREE {
                product[c + i].add(&difference[i]);
            }
        }
    }
    for c in (DEGREE..2 * DEGREE).rev() {
        let top = product[c];
        product[c - DEGREE].subtract(&top);
        product[c - DEGREE + 5].subtract(&top);
    }
    for c in 0..DEGREE {
        low.0[c].add(&product[c]);
    }
}

/// Of an element its halves and their sum, of each of these the same, and once more.
#[inline(always)]
fn pieces(x: &Abreast, pieces: &mut [[Lanes; PIECE]; PIECES]) {
    let (mut all, mut half, mut quarter) = ([Lanes::ZERO; 48], [Lanes::ZERO; 24], [Lanes::ZERO; 12]);
    all[..DEGREE].copy_from_slice(&x.0);
    for a in 0..3 {
        part(&mut half, &all, a);
        for b in 0..3 {
            part(&mut quarter, &half, b);
            for c in 0..3 {
                part(&mut pieces[9 * a + 3 * b + c], &quarter, c);
            }
        }
    }
}

/// The low half, the high one, or their sum.
#[inline(always)]
fn part<const N: usize>(to: &mut [Lanes; N], from: &[Lanes], which: usize) {
    let (low, high) = from.split_at(N);
    for i in 0..N {
        to[i] = if which == 1 { high[i] } else { low[i] };
        if which == 2 {
            to[i].add(&high[i]);
        }
    }
}

#[inline(always)]
fn add_product(sums: &mut [Lanes; PIECE_PRODUCT], x: &[Lanes; PIECE], y: &[Lanes; PIECE]) {
    for i in 0..PIECE {
        for j in 0..PIECE {
            sums[i + j].add_product(&x[i], &y[j]);
        }
    }
}

/// The polynomial of which these are the products of pieces: low + X^h (both - low - high) + X^2h high.
fn assembled(pieces: &[[u64; PIECE_PRODUCT]]) -> Vec<u64> {
    if let [piece] = pieces {
        return piece.to_vec();
    }
    let [low, high, both] = [0, 1, 2].map(|i| assembled(&pieces[i * pieces.len() / 3..][..pieces.len() / 3]));
    let half = low.len().div_ceil(2);
    let mut all = vec![0u64; low.len() + 2 * half];
    for (i, ((low, high), both)) in low.iter().zip(&high).zip(&both).enumerate() {
        all[i] = all[i].wrapping_add(*low);
        all[i + half] = all[i + half].wrapping_add(both.wrapping_sub(*low).wrapping_sub(*high));
        all[i + 2 * half] = all[i + 2 * half].wrapping_add(*high);
    }
    all
}

/// X^47 = - X^5 - 1.
fn reduced(polynomial: &[u64]) -> [u64; DEGREE] {
    let mut all = polynomial.to_vec();
    for c in (DEGREE..all.len()).rev() {
        let top = all[c];
        all[c - DEGREE] = all[c - DEGREE].wrapping_sub(top);
        all[c - DEGREE + 5] = all[c - DEGREE + 5].wrapping_sub(top);
    }
    std::array::from_fn(|c| all[c])
}

#[cfg(test)]
mod tests {
    use super::super::small::ABREAST;
    use super::*;
    use proptest::prelude::*;

    fn of(x: &[Abreast], i: usize) -> [u64; DEGREE] {
        std::array::from_fn(|c| x[i / ABREAST].0[c].0[i % ABREAST])
    }

    fn vector(seed: &[u64]) -> Vec<Abreast> {
        let mut state = 7u64;
        let mut word = |seed: u64| {
            state = (state ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
            state ^ state >> 31
        };
        seed.iter().map(|seed| Abreast(std::array::from_fn(|_| Lanes(std::array::from_fn(|_| word(*seed)))))).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn inner_products_of_halves(x in prop::collection::vec(any::<u64>(), 0..6)) {
            let (x, y) = (vector(&x), vector(&x.iter().map(|x| !x).collect::<Vec<_>>()));
            let half = x.len().div_ceil(2);
            let zero = [0u64; DEGREE];
            let at = |z: &[Abreast], i: usize| if i < ABREAST * z.len() { of(z, i) } else { zero };
            let less = |a: [u64; DEGREE], b: [u64; DEGREE]| std::array::from_fn(|c| a[c].wrapping_sub(b[c]));
            let sum = |factors: &dyn Fn(usize) -> [[u64; DEGREE]; 2]| (0..half * ABREAST).fold(zero, |sum, i| {
                let [x, y] = factors(i);
                let product = multiply(&x, &y);
                std::array::from_fn(|c| sum[c].wrapping_add(product[c]))
            });
            let low = sum(&|i| [at(&x, i), at(&y, i)]);
            let differences = sum(&|i| [&x, &y].map(|z| less(at(z, half * ABREAST + i), at(z, i))));
            prop_assert_eq!(halves(&x, &y, half), [low, differences]);
        }

        #[test]
        fn bound_vectors(seed in 1u64.., r in 0u64..1 << DEGREE) {
            let (low, high) = (vector(&[seed, seed]), vector(&[!seed]));
            let mut bound = low.clone();
            bind(&mut bound, &high, r);
            let r = std::array::from_fn(|c| r >> c & 1);
            for i in 0..2 * ABREAST {
                let (low, high) = (of(&low, i), if i < ABREAST { of(&high, i) } else { [0; DEGREE] });
                let product = multiply(&r, &std::array::from_fn(|c| high[c].wrapping_sub(low[c])));
                prop_assert_eq!(of(&bound, i), std::array::from_fn(|c| low[c].wrapping_add(product[c])));
            }
        }
    }
}
