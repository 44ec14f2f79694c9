//! How a proof computes: as it is read, in any ring, and on kernels.

use super::stage;
use super::{Element, Galois, OfWords};
use std::ops::Range;
use trefoil_ring::proof as kernels;
use trefoil_ring::proof::fold::counted;
use trefoil_ring::proof::small::{Block, ROWS};

/// The ring that claims are proven in, and how its vectors are computed with.
pub trait Ring {
    /// An element.
    type Element: Element;
    /// Many of them.
    type Vector: Vector<Self::Element>;
    /// How many claims stand side by side in a word, each with an element of its own once rows are folded.
    const CLAIMS: usize = 1;
}

/// As it is read.
impl<const BITS: u32, const DEGREE: usize, const TAPS: u64> Ring for Galois<BITS, DEGREE, TAPS> {
    type Element = Self;
    type Vector = Vec<Self>;
}

/// [`OfWords`] on the kernels of [`trefoil_ring::proof`]: every message is the same.
pub struct Words;

impl Ring for Words {
    type Element = OfWords;
    type Vector = kernels::Vector;
}

/// A vector, and the sums that become one. Weights are [challenges](Element::challenge), given by their bits.
pub trait Vector<E>: Default {
    /// The sum of rows of so many words, each times its weight.
    fn weighed(weights: &[u64], rows: &[u64], columns: usize) -> Vec<E>;
    /// The weighed sum of products of rows of both sides, at all points (`stage.rs`). Of some rows the words of x are [small](super::Claim::small) numbers, shifted.
    fn sums(weights: &[u64], x: &[u64], y: &[u64], variables: u32, small: &[(Range<usize>, u8)]) -> Vec<E>;
    /// Rows more, each the sum of its words times `eq`; of the first side if there are weights, one for each row, and then times its weight, or else of the second. Of some rows the words of x are
    /// [small](super::Claim::small) numbers, shifted, so that those of y [count](counted) modulo a smaller power of 2 only.
    fn push_folded(&mut self, words: &[u64], eq: &[E], weights: Option<&[u64]>, small: &[(Range<usize>, u8)]);
    /// An element more.
    fn push(&mut self, element: E);
    /// The first, or 0.
    fn first(&self) -> E;
    /// The sum of products with another of the same length.
    fn inner(&self, other: &Self) -> E;
    /// <x_low, y_low> and <x_high - x_low, y_high - y_low> for the [halves](Element::half) of both; what is missing of the second is 0.
    fn halves(&self, other: &Self) -> [E; 2];
    /// low + r (high - low).
    fn bind(&mut self, r: E);
}

impl<E: Element> Vector<E> for Vec<E> {
    fn weighed(weights: &[u64], rows: &[u64], columns: usize) -> Vec<E> {
        let mut sums = vec![E::ZERO; columns];
        for (weight, row) in weights.iter().zip(rows.chunks(columns.max(1))) {
            let weight = E::challenge(*weight);
            sums.iter_mut().zip(row).for_each(|(sum, word)| *sum = *sum + weight.times(*word));
        }
        sums
    }

    fn sums(weights: &[u64], x: &[u64], y: &[u64], variables: u32, _: &[(Range<usize>, u8)]) -> Vec<E> {
        stage::sums(weights, x, y, variables)
    }

    fn push_folded(&mut self, words: &[u64], eq: &[E], weights: Option<&[u64]>, small: &[(Range<usize>, u8)]) {
        for (i, row) in words.chunks(eq.len()).enumerate() {
            let sum = row.iter().zip(eq).fold(E::ZERO, |sum, (word, eq)| sum + eq.times(*word));
            self.push(match (weights, small.iter().find(|(rows, _)| rows.contains(&i))) {
                (Some(weights), _) => E::challenge(weights[i]) * sum,
                (None, Some((_, shift))) => {
                    E::of(&sum.coefficients().iter().map(|word| counted(*word, *shift)).collect::<Vec<_>>())
                }
                (None, None) => sum,
            });
        }
    }

    fn push(&mut self, element: E) {
        Vec::push(self, element);
    }

    fn first(&self) -> E {
        self.as_slice().first().copied().unwrap_or(E::ZERO)
    }

    fn inner(&self, other: &Self) -> E {
        E::inner(self, other)
    }

    fn halves(&self, other: &Self) -> [E; 2] {
        let low = |z: &Self| z[..E::half(z.len())].to_vec();
        [low(self).inner(&low(other)), differences(self).inner(&differences(other))]
    }

    fn bind(&mut self, r: E) {
        let differences = differences(self);
        self.truncate(differences.len());
        self.iter_mut().zip(differences).for_each(|(low, difference)| *low = *low + r * difference);
    }
}

/// high - low.
fn differences<E: Element>(vector: &[E]) -> Vec<E> {
    let (low, high) = vector.split_at(E::half(vector.len()));
    low.iter().enumerate().map(|(i, low)| high.get(i).copied().unwrap_or(E::ZERO) - *low).collect()
}

impl Vector<OfWords> for kernels::Vector {
    fn weighed(weights: &[u64], rows: &[u64], columns: usize) -> Vec<OfWords> {
        beside(&kernels::Weights::new(weights).sum(rows, columns), columns)
    }

    fn sums(weights: &[u64], x: &[u64], y: &[u64], variables: u32, small: &[(Range<usize>, u8)]) -> Vec<OfWords> {
        if 1 << variables != kernels::SLOTS {
            return stage::sums(weights, x, y, variables);
        }
        let mut sums = vec![0u64; kernels::DEGREE * kernels::POINTS];
        let mut add = |more: Vec<u64>, shift: u8| {
            sums.iter_mut().zip(more).for_each(|(sum, more)| *sum = sum.wrapping_add(more << shift));
        };
        let words = |rows: &Range<usize>| rows.start * kernels::SLOTS..rows.end * kernels::SLOTS;
        let mut first = 0;
        for (rows, shift) in small {
            let before = first..rows.start;
            first = rows.end;
            add(kernels::Weights::new(&weights[before.clone()]).stage(&x[words(&before)], &y[words(&before)]), 0);
            let [x, y] = [(x, *shift), (y, 0)].map(|(z, shift)| blocks(&z[words(rows)], shift));
            let mut weights = weights[rows.clone()].to_vec();
            weights.resize(x.len() * ROWS, 0);
            add(kernels::Weights::new(&weights).small_stage(&x, &y), *shift);
        }
        let rest = first..weights.len();
        add(kernels::Weights::new(&weights[rest.clone()]).stage(&x[words(&rest)], &y[words(&rest)]), 0);
        beside(&sums, kernels::POINTS)
    }

    fn push_folded(&mut self, words: &[u64], eq: &[OfWords], weights: Option<&[u64]>, small: &[(Range<usize>, u8)]) {
        let eq: Vec<kernels::Element> = eq.iter().map(array).collect();
        let all = words.len() / eq.len();
        self.reserve(all);
        let words = |rows: &Range<usize>| &words[rows.start * eq.len()..rows.end * eq.len()];
        let weights = |rows: &Range<usize>| weights.map(|weights| &weights[rows.clone()]);
        let mut first = 0;
        for (rows, shift) in small {
            let before = first..rows.start;
            first = rows.end;
            kernels::Vector::push_folded(self, words(&before), &eq, weights(&before).unwrap_or_default());
            self.push_small(words(rows), *shift, &eq, weights(rows));
        }
        let rest = first..all;
        kernels::Vector::push_folded(self, words(&rest), &eq, weights(&rest).unwrap_or_default());
    }

    fn push(&mut self, element: OfWords) {
        kernels::Vector::push(self, &array(&element));
    }

    fn first(&self) -> OfWords {
        OfWords::of(&self.get(0))
    }

    fn inner(&self, other: &Self) -> OfWords {
        OfWords::of(&kernels::Vector::inner(self, other))
    }

    fn halves(&self, other: &Self) -> [OfWords; 2] {
        kernels::Vector::halves(self, other).map(|sum| OfWords::of(&sum))
    }

    fn bind(&mut self, r: OfWords) {
        kernels::Vector::bind(self, r.bits());
    }
}

/// Rows of words that are small once they are shifted back; the last block is filled up with zeros.
fn blocks(words: &[u64], shift: u8) -> Vec<Block> {
    let block = |words: &[u64]| {
        let mut block: Block = [[0; ROWS]; kernels::SLOTS];
        for (i, row) in words.chunks(kernels::SLOTS).enumerate() {
            block.iter_mut().zip(row).for_each(|(slot, word)| slot[i] = (word >> shift) as i16);
        }
        block
    };
    words.chunks(ROWS * kernels::SLOTS).map(block).collect()
}

fn array(element: &OfWords) -> kernels::Element {
    std::array::from_fn(|c| element.coefficients()[c])
}

/// Elements from their coefficients: first all of X^0, then those of X^1.
fn beside(coefficients: &[u64], n: usize) -> Vec<OfWords> {
    let element = |i: usize| coefficients.iter().skip(i).step_by(n).copied().collect::<Vec<_>>();
    (0..n).map(|i| OfWords::of(&element(i))).collect()
}
