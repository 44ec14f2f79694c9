//! Terms of small words: bits, and lifts, whose claims count modulo 2^16 only. Four of them fit where one word does.

// Loops that `wide` compiles are written out: what iterators call is not always inlined, and would then be compiled for any machine.
#![allow(clippy::needless_range_loop)]

use super::{DEGREE, POINTS, SLOTS, TABLE, VARIABLES, Weights, add, wide};

/// Rows whose points are computed side by side: as many as a wide register has small words.
pub const ROWS: usize = 32;
/// Blocks of rows between two sums of words: with terms of bits a product is at most 16^2 at a point, and 96 rows of them stay below 2^15.
const BLOCKS: usize = 3;
/// Columns at a time: all points.
const ALL_POINTS: usize = 256;

/// The small words of some rows, slot by slot.
pub type Block = [[i16; ROWS]; SLOTS];

/// Elements of an extension ring beside one another: as many as a wide register has words.
pub const ABREAST: usize = 8;

/// A coefficient of eight elements. Aligned, so that it is one wide load.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(align(64))]
pub struct Lanes(pub [u64; ABREAST]);

/// Eight elements of GR, coefficient by coefficient.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Abreast(pub [Lanes; DEGREE]);

impl Lanes {
    /// Eight times 0.
    pub const ZERO: Lanes = Lanes([0; ABREAST]);

    #[inline(always)]
    pub(super) fn add(&mut self, other: &Lanes) {
        for i in 0..ABREAST {
            self.0[i] = self.0[i].wrapping_add(other.0[i]);
        }
    }

    #[inline(always)]
    pub(super) fn subtract(&mut self, other: &Lanes) {
        for i in 0..ABREAST {
            self.0[i] = self.0[i].wrapping_sub(other.0[i]);
        }
    }

    #[inline(always)]
    pub(super) fn add_product(&mut self, x: &Lanes, y: &Lanes) {
        for i in 0..ABREAST {
            self.0[i] = self.0[i].wrapping_add(x.0[i].wrapping_mul(y.0[i]));
        }
    }
}

impl Abreast {
    /// Eight times 0.
    pub const ZERO: Abreast = Abreast([Lanes::ZERO; DEGREE]);
}

impl Weights {
    /// [`Weights::stage`] of small words: exact if all of them are 0 or 1, modulo 2^16 for any. The claims of such terms are multiples of 2^48 where they are more than bits.
    ///
    /// Panics unless the weights are those of so many blocks of rows.
    pub fn small_stage(&self, x: &[Block], y: &[Block]) -> Vec<u64> {
        assert!(x.len() * ROWS == self.rows && y.len() == x.len(), "as many rows as weights");
        let mut sums = vec![0; DEGREE * POINTS];
        wide::run(
            #[inline(always)]
            || self.add_small_stage(&mut sums, x, y),
        );
        sums
    }

    #[inline(always)]
    fn add_small_stage(&self, sums: &mut [u64], x: &[Block], y: &[Block]) {
        let [mut at_x, mut at_y, mut spare] = [[[0; ROWS]; POINTS]; 3];
        let mut products = vec![0; BLOCKS * ROWS * POINTS];
        let blocks = x.chunks(BLOCKS).zip(y.chunks(BLOCKS));
        for (choices, (x, y)) in self.choices.chunks(BLOCKS * ROWS / TABLE).zip(blocks) {
            for (k, products) in products.chunks_exact_mut(ROWS * POINTS).enumerate().take(x.len()) {
                abreast_points(&x[k], &mut at_x, &mut spare);
                abreast_points(&y[k], &mut at_y, &mut spare);
                for p in 0..POINTS {
                    for i in 0..ROWS {
                        at_x[p][i] = at_x[p][i].wrapping_mul(at_y[p][i]);
                    }
                }
                for i in 0..ROWS {
                    for p in 0..POINTS {
                        products[i * POINTS + p] = at_x[p][i];
                    }
                }
            }
            add::<i16, ALL_POINTS>(sums, choices, &products[..x.len() * ROWS * POINTS], POINTS);
        }
    }
}

/// [`points`](super::points) of all rows of a block.
#[inline(always)]
fn abreast_points(values: &Block, to: &mut [[i16; ROWS]; POINTS], spare: &mut [[i16; ROWS]; POINTS]) {
    spare[..SLOTS].copy_from_slice(values);
    let mut inner = 1;
    for v in 0..VARIABLES {
        let (from, to): (&mut [_; POINTS], &mut [_; POINTS]) = if v % 2 == 0 { (spare, to) } else { (to, spare) };
        for outer in 0..SLOTS >> (v + 1) {
            for i in 0..inner {
                let (at_0, at_1) = (from[2 * outer * inner + i], from[(2 * outer + 1) * inner + i]);
                let [to_0, to_1, inf] = [0, 1, 2].map(|third| (3 * outer + third) * inner + i);
                to[to_0] = at_0;
                to[to_1] = at_1;
                for row in 0..ROWS {
                    to[inf][row] = at_1[row].wrapping_sub(at_0[row]);
                }
            }
        }
        inner *= 3;
    }
}
