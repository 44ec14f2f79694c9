//! What a proof about words computes with: sums of words under weights of a Galois ring, and the first stage of a sum-check.
//!
//! Source: Boneh, Boyle, Corrigan-Gibbs, Gilboa, Ishai (CRYPTO 2019) and Boyle, Gilboa, Ishai, Nof (ASIACRYPT 2020, for rings); what is proven with it, and what a
//! step would take, is in docs/verified.md. The ring is GR = Z_2^64\[X\] / (X^47 + X^5 + 1). Weights and challenges are elements with coefficients 0 and 1, 2^47 of
//! them, of which differences are units.
//!
//! All parties know weights once they are drawn, so places in tables may depend on them; words are secret, and nothing here depends on them.

/// Coefficients of an element of the ring.
pub const DEGREE: usize = 47;
/// Slots of a row of terms, 2^5: so many are folded into one before the ring is extended.
pub const SLOTS: usize = 1 << VARIABLES;
/// Points of {0, 1, inf}^5.
pub const POINTS: usize = 3usize.pow(VARIABLES as u32);

// The same code for instructions that not every machine has.
#[allow(unsafe_code)]
mod wide;

pub mod binary;
pub mod fold;
pub mod galois;
pub mod small;
mod vector;

pub use vector::{Element, Vector};

const VARIABLES: usize = 5;
/// Rows whose sums stand in a table, one for each choice of them.
const TABLE: usize = 4;
/// Columns at a time: a table and the sums of all coefficients stay in the first-level cache.
const WIDTH: usize = 64;
/// Tables for whose rows products are made at a time.
const TABLES: usize = 16;

/// How long the first half of a vector is, of which two halves are folded into one: of a long one whole groups of [`ABREAST`](small::ABREAST), so that halves lie as the whole does.
pub fn half(len: usize) -> usize {
    let half = len.div_ceil(2);
    if len > small::ABREAST { half.next_multiple_of(small::ABREAST) } else { half }
}

/// What sums are made of: words, or their low 32 or 16 bits with a sign, of which as many more fit into a register.
trait Word: Copy + Default {
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    fn of(word: u64) -> Self;
    fn extended(self) -> u64;
}

macro_rules! word {
    ($number:ty) => {
        impl Word for $number {
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            #[inline(always)]
            fn of(word: u64) -> Self {
                word as $number
            }
            #[inline(always)]
            fn extended(self) -> u64 {
                self as u64
            }
        }
    };
}

word!(u64);
word!(i32);
word!(i16);

/// Words of some columns. Aligned, so that wide loads do not straddle two cache lines.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Words<T, const N: usize>([T; N]);

impl<T: Word, const N: usize> Words<T, N> {
    #[inline(always)]
    fn zero() -> Words<T, N> {
        Words([T::default(); N])
    }

    #[inline(always)]
    fn plus(self, other: &Words<T, N>) -> Words<T, N> {
        Words(std::array::from_fn(|j| self.0[j].plus(other.0[j])))
    }
}

/// Of four rows the choice of them in each coefficient.
type Choices = [u8; DEGREE];

/// s_i, coefficient c in bit c: what the rows of a matrix are weighed by.
pub struct Weights {
    rows: usize,
    choices: Vec<Choices>,
}

impl Weights {
    /// One for each row. Bits above the lowest 47 count for nothing.
    pub fn new(weights: &[u64]) -> Weights {
        let choice =
            |rows: &[u64], c: usize| rows.iter().enumerate().fold(0, |choice, (i, s)| choice | ((s >> c & 1) as u8) << i);
        let of = |rows: &[u64]| std::array::from_fn(|c| choice(rows, c));
        Weights { rows: weights.len(), choices: weights.chunks(TABLE).map(of).collect() }
    }

    /// sum of s_i x_i over the rows of `x`, `columns` words each: `[47, columns]`, the coefficients of X^0 first.
    ///
    /// Panics if there are not as many rows as weights.
    pub fn sum(&self, x: &[u64], columns: usize) -> Vec<u64> {
        assert_eq!(x.len(), self.rows * columns, "as many rows as weights");
        let mut sums = vec![0; DEGREE * columns];
        wide::run(
            #[inline(always)]
            || add::<u64, WIDTH>(&mut sums, &self.choices, x, columns),
        );
        sums
    }

    /// G(p) = sum of s_i x_i(p) y_i(p) at all points p of {0, 1, inf}^5, where a row's [`SLOTS`] words are values of a multilinear polynomial at {0, 1}^5:
    /// `[47, POINTS]`, the points counted in base 3 with inf as 2, the lowest bit of a slot the lowest digit.
    ///
    /// Panics if there are not as many rows as weights.
    pub fn stage(&self, x: &[u64], y: &[u64]) -> Vec<u64> {
        assert!(x.len() == self.rows * SLOTS && y.len() == x.len(), "as many rows as weights");
        let mut sums = vec![0; DEGREE * POINTS];
        wide::run(
            #[inline(always)]
            || self.add_stage(&mut sums, x, y),
        );
        sums
    }

    #[inline(always)]
    fn add_stage(&self, sums: &mut [u64], x: &[u64], y: &[u64]) {
        let mut products = vec![];
        let block = TABLE * TABLES * SLOTS;
        for ((choices, x), y) in self.choices.chunks(TABLES).zip(x.chunks(block)).zip(y.chunks(block)) {
            products.clear();
            for (x, y) in x.as_chunks().0.iter().zip(y.as_chunks().0) {
                let (x, y): ([u64; POINTS], [u64; POINTS]) = (points(x), points(y));
                products.extend(x.iter().zip(y).map(|(x, y)| x.wrapping_mul(y)));
            }
            add::<u64, WIDTH>(sums, choices, &products, POINTS);
        }
    }
}

/// Adds the weighted rows of `x` to `sums`.
#[inline(always)]
fn add<T: Word, const WIDTH: usize>(sums: &mut [u64], choices: &[Choices], x: &[T], columns: usize) {
    let mut table = [Words::<T, WIDTH>::zero(); 1 << TABLE];
    for first in (0..columns).step_by(WIDTH) {
        let width = WIDTH.min(columns - first);
        let mut own = [Words::zero(); DEGREE];
        for (choices, rows) in choices.iter().zip(x.chunks(TABLE * columns)) {
            let mut rows = rows.chunks_exact(columns);
            for i in 0..TABLE {
                let row = rows.next().map_or(&[][..], |row| &row[first..][..width]);
                let to = &mut table[1 << i].0;
                to[..row.len()].copy_from_slice(row);
                to[row.len()..].fill(T::default());
            }
            for choice in [3, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15] {
                let (rest, lowest): (usize, usize) = (choice & (choice - 1), choice & choice.wrapping_neg());
                table[choice] = table[rest].plus(&table[lowest]);
            }
            for (own, choice) in own.iter_mut().zip(choices) {
                *own = own.plus(&table[usize::from(*choice) % (1 << TABLE)]);
            }
        }
        for (sums, own) in sums.chunks_exact_mut(columns).zip(&own) {
            sums[first..][..width].iter_mut().zip(&own.0).for_each(|(sum, x)| *sum = sum.wrapping_add(x.extended()));
        }
    }
}

/// Of the multilinear polynomial with these values at {0, 1}^5 those at {0, 1, inf}^5. At inf stands the coefficient of the variable.
#[inline(always)]
fn points<T: Word>(values: &[T; SLOTS]) -> [T; POINTS] {
    let (mut now, mut next) = ([T::default(); POINTS], [T::default(); POINTS]);
    now[..SLOTS].copy_from_slice(values);
    let mut inner = 1;
    for v in 0..VARIABLES {
        let outer = SLOTS >> (v + 1);
        for (from, to) in now[..2 * outer * inner].chunks_exact(2 * inner).zip(next.chunks_exact_mut(3 * inner)) {
            let (at_0, at_1) = from.split_at(inner);
            to[..2 * inner].copy_from_slice(from);
            at_1.iter().zip(at_0).zip(&mut to[2 * inner..]).for_each(|((b, a), inf)| *inf = b.minus(*a));
        }
        std::mem::swap(&mut now, &mut next);
        inner *= 3;
    }
    now
}

#[cfg(test)]
mod tests {
    use super::small::ROWS;
    use super::*;
    use proptest::prelude::*;

    fn words(n: usize, seed: u64) -> Vec<u64> {
        let word =
            |i: usize| (i as u64).wrapping_add(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23).wrapping_mul(seed | 1);
        (0..n).map(word).collect()
    }

    /// Rows as blocks of small words.
    fn blocks(rows: &[u64]) -> Vec<small::Block> {
        let slot = |rows: &[u64], j: usize| std::array::from_fn(|i| rows[i * SLOTS + j] as i16);
        rows.chunks(ROWS * SLOTS).map(|rows| std::array::from_fn(|j| slot(rows, j))).collect()
    }

    /// By the definition: each digit of a point is 0, 1, or the coefficient of its variable.
    fn at(values: &[u64], mut point: usize) -> u64 {
        let mut values = values.to_vec();
        while values.len() > 1 {
            let pairs = values.chunks(2);
            values = match point % 3 {
                0 => pairs.map(|pair| pair[0]).collect(),
                1 => pairs.map(|pair| pair[1]).collect(),
                _ => pairs.map(|pair| pair[1].wrapping_sub(pair[0])).collect(),
            };
            point /= 3;
        }
        values[0]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn weighted_sums(rows in 0usize..150, columns in 1usize..200, seed: u64) {
            let (s, x) = (words(rows, seed), words(rows * columns, !seed));
            let sums = Weights::new(&s).sum(&x, columns);
            for c in 0..DEGREE {
                for j in [0, columns / 2, columns - 1] {
                    let sum = (0..rows).fold(0, |sum: u64, i| sum.wrapping_add((s[i] >> c & 1) * x[i * columns + j]));
                    prop_assert_eq!(sums[c * columns + j], sum);
                }
            }
        }

        #[test]
        fn the_first_stage(rows in 0usize..140, seed: u64) {
            let (s, x, y) = (words(rows, seed), words(rows * SLOTS, !seed), words(rows * SLOTS, seed ^ 5));
            let stage = Weights::new(&s).stage(&x, &y);
            for point in [0, 1, 2, 80, 121, 200, POINTS - 1] {
                for c in [0, 1, 22, DEGREE - 1] {
                    let product = |i: usize| at(&x[i * SLOTS..][..SLOTS], point).wrapping_mul(at(&y[i * SLOTS..][..SLOTS], point));
                    let sum = (0..rows).fold(0, |sum: u64, i| sum.wrapping_add((s[i] >> c & 1).wrapping_mul(product(i))));
                    prop_assert_eq!(stage[c * POINTS + point], sum);
                }
            }
        }

        #[test]
        fn the_first_stage_of_small_words(blocks_of_rows in 0usize..9, seed: u64) {
            let rows = blocks_of_rows * ROWS;
            let s = words(rows, seed);
            for (word, modulus) in [(1, u64::MAX), (0xffff, 0xffff)] {
                let of = |seed| words(rows * SLOTS, seed).iter().map(|x| x & word).collect::<Vec<_>>();
                let (x, y) = (of(!seed), of(seed ^ 5));
                let (narrow, wide) = (Weights::new(&s).small_stage(&blocks(&x), &blocks(&y)), Weights::new(&s).stage(&x, &y));
                prop_assert!(narrow.iter().zip(&wide).all(|(a, b)| a & modulus == b & modulus));
            }
        }
    }

    /// The largest sums that bits make, of both signs.
    #[test]
    fn bits_stay_exact_at_their_largest() {
        let weights = vec![u64::MAX; 4 * ROWS];
        let parity = |slot: usize, odd: u32| (slot.count_ones() % 2 == odd) as u64;
        for odd in [0, 1] {
            let x: Vec<u64> = (0..4 * ROWS * SLOTS).map(|i| parity(i % SLOTS, 0)).collect();
            let y: Vec<u64> = (0..4 * ROWS * SLOTS).map(|i| parity(i % SLOTS, odd)).collect();
            assert_eq!(Weights::new(&weights).small_stage(&blocks(&x), &blocks(&y)), Weights::new(&weights).stage(&x, &y));
        }
    }
}
