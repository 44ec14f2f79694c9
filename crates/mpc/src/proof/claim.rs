//! Claims, and what becomes of many: one sum under random weights.

use super::vector::Vector;
use super::{Element, Ring};
use crate::Prg;
use std::ops::Range;
use std::sync::Arc;
use trefoil_ring::Tensor;

/// For every k: the sum over t of x_t\[k\] y_t\[k\], plus what is linear at each verifier, is 0. One of the three's part of it; all have as many terms, and as many words in each.
///
/// Or the same of matrices: the sum of some products of two, of each of which one verifier knows the left factor and the other the right one.
///
/// It holds secrets, and has no `Debug`.
#[derive(Clone)]
pub struct Claim {
    terms: Terms,
    /// A verifier's linear part.
    linear: Vec<u64>,
}

#[derive(Clone)]
enum Terms {
    /// A term's words at the prover and the first verifier, and at the prover and the second; and by how many bits small x are shifted.
    Words { x: Vec<Vec<u64>>, y: Vec<Vec<u64>>, small: Option<u8> },
    /// Element (i, j) is weighed by s_i t_j, since s (X Y) t = (s X) (Y t): two vectors, whatever the shape is.
    Matrices { shape: [usize; 2], terms: Vec<Term>, own: Vec<(Sign, Factor, Factor)> },
}

/// A matrix, or its transpose.
#[derive(Clone)]
pub struct Factor {
    /// The matrix.
    pub x: Arc<Tensor>,
    /// Whether it is the transpose that is meant.
    pub transposed: bool,
}

impl Factor {
    /// Rows and columns, as meant.
    fn shape(&self) -> [usize; 2] {
        let [rows, columns] = [self.x.nrows(), self.x.ncols()];
        if self.transposed { [columns, rows] } else { [rows, columns] }
    }
}

/// Which factor of a product of matrices the first verifier knows; the second knows the other one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// The left one.
    Left,
    /// The right one.
    Right,
}

/// How a product counts that one verifier knows whole.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It is added.
    Plus,
    /// It is taken off.
    Minus,
}

/// A product of two matrices, as far as a party knows it.
#[derive(Clone)]
struct Term {
    first: First,
    left: Option<Factor>,
    right: Option<Factor>,
}

impl Term {
    /// Columns of the left factor, and rows of the right one.
    fn inner(&self) -> usize {
        self.left.as_ref().map(|left| left.shape()[1]).or(self.right.as_ref().map(|right| right.shape()[0])).unwrap_or_default()
    }
}

impl Claim {
    /// At the prover, who knows all factors and is asked for nothing else.
    pub fn at_prover(x: Vec<Vec<u64>>, y: Vec<Vec<u64>>) -> Claim {
        Claim { terms: Terms::Words { x, y, small: None }, linear: vec![] }
    }

    /// At the first verifier.
    pub fn at_first(x: Vec<Vec<u64>>, linear: Vec<u64>) -> Claim {
        Claim { terms: Terms::Words { x, y: vec![], small: None }, linear }
    }

    /// At the second verifier.
    pub fn at_second(y: Vec<Vec<u64>>, linear: Vec<u64>) -> Claim {
        Claim { terms: Terms::Words { x: vec![], y, small: None }, linear }
    }

    /// The same of words x that are small numbers shifted by so many bits, which all three compute with as such, and have to say so: bits, if y are bits too; or any, if the shift is by 48 at least, so that
    /// only 16 bits of x and of y count.
    pub fn small(mut self, shift: u8) -> Claim {
        if let Terms::Words { small, .. } = &mut self.terms {
            *small = Some(shift);
        }
        self
    }

    /// Of matrices of a shape, row by row. At the prover nothing is linear.
    pub fn of_matrices(shape: [usize; 2], linear: Vec<u64>) -> Claim {
        Claim { terms: Terms::Matrices { shape, terms: vec![], own: vec![] }, linear }
    }

    /// With a product of matrices more, of which the prover knows both factors and each verifier its own.
    pub fn term(mut self, first: First, left: Option<Factor>, right: Option<Factor>) -> Claim {
        if let Terms::Matrices { terms, .. } = &mut self.terms {
            terms.push(Term { first, left, right });
        }
        self
    }

    /// With a product more of which this verifier knows both factors: linear to it, and not multiplied out.
    pub fn own(mut self, sign: Sign, left: Factor, right: Factor) -> Claim {
        if let Terms::Matrices { own, .. } = &mut self.terms {
            own.push((sign, left, right));
        }
        self
    }

    /// How many words its terms have, as all three know it.
    pub(crate) fn size(&self) -> usize {
        match &self.terms {
            Terms::Words { .. } => self.words().iter().product(),
            Terms::Matrices { shape: [rows, columns], terms, .. } => {
                rows * columns + terms.iter().map(|term| term.inner() * (rows + columns)).sum::<usize>()
            }
        }
    }

    /// How many terms of words it has, and how long they are; none if it is one of matrices.
    fn words(&self) -> [usize; 2] {
        match &self.terms {
            Terms::Words { x, y, .. } => {
                let side = if x.is_empty() { y } else { x };
                [side.len(), side.first().map_or(self.linear.len(), Vec::len)]
            }
            Terms::Matrices { .. } => [0, 0],
        }
    }
}

/// All claims of a proof. Those of words are cut into groups of 2^v: claim k is slot k mod 2^v of a group, and each term of a group is a row. Behind the rows come the vectors that
/// matrices have become.
pub(super) struct Grouped<'a> {
    claims: &'a [Claim],
    slots: usize,
    /// [`Ring::CLAIMS`].
    in_word: usize,
}

/// One of both vectors, or all that is known to one of both verifiers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    X,
    Y,
}

impl<'a> Grouped<'a> {
    pub(super) fn new<R: Ring>(claims: &'a [Claim], variables: u32) -> Self {
        Grouped { claims, slots: 1 << variables, in_word: R::CLAIMS }
    }

    fn groups(&self, claim: &Claim) -> usize {
        claim.words()[1].div_ceil(self.slots)
    }

    /// How many elements each of both vectors has after the first stage.
    pub(super) fn len(&self) -> usize {
        let of = |claim: &Claim| match &claim.terms {
            Terms::Words { .. } => self.groups(claim) * claim.words()[0] * self.in_word,
            Terms::Matrices { terms, .. } => terms.iter().map(Term::inner).sum(),
        };
        self.claims.iter().map(of).sum()
    }

    /// The words of one side, row after row; claims that would fill up the last group are 0 = 0.
    pub(super) fn rows(&self, side: Side) -> Vec<u64> {
        let known = |claim: &Claim| if let Terms::Words { x, y, .. } = &claim.terms { [x.len(), y.len()] } else { [0, 0] };
        let of_claim = |claim: &Claim| self.groups(claim) * known(claim)[side as usize] * self.slots;
        let mut words = Vec::with_capacity(self.claims.iter().map(of_claim).sum());
        for claim in self.claims {
            let Terms::Words { x, y, .. } = &claim.terms else { continue };
            let factors = if side == Side::X { x } else { y };
            for group in 0..self.groups(claim) {
                factors.iter().for_each(|factor| self.push(&mut words, factor, group));
            }
        }
        words
    }

    /// A group's words.
    fn push(&self, rows: &mut Vec<u64>, words: &[u64], group: usize) {
        let end = rows.len() + self.slots;
        let words = words.get(group * self.slots..).unwrap_or_default();
        rows.extend_from_slice(words.get(..self.slots).unwrap_or(words));
        rows.resize(end, 0);
    }

    /// Which rows are of small words, and by how many bits they are shifted.
    pub(super) fn small(&self) -> Vec<(Range<usize>, u8)> {
        let mut all: Vec<(Range<usize>, u8)> = vec![];
        let mut first = 0;
        for claim in self.claims {
            let end = first + self.groups(claim) * claim.words()[0];
            if let Terms::Words { small: Some(shift), .. } = claim.terms {
                all.push((first..end, shift));
            }
            first = end;
        }
        all
    }

    /// Weights from the seed that the first verifier releases once it has all that the claims are about.
    pub(super) fn weights<E: Element>(&self, seed: &[u8; 32]) -> Weights<E> {
        let groups = self.claims.iter().map(|claim| self.groups(claim)).sum();
        let shape = |claim: &Claim| if let Terms::Matrices { shape, .. } = claim.terms { shape } else { [0, 0] };
        let shapes: Vec<[usize; 2]> = self.claims.iter().map(shape).collect();
        let all = groups + self.slots + shapes.iter().flatten().sum::<usize>();
        let mut drawn = Prg::from_seed(seed).words(all).into_iter();
        let mut take = |n: usize| drawn.by_ref().take(n).collect::<Vec<_>>();
        let groups = take(groups);
        // The first slot has 1: the proof gives its sum up for it.
        let slots = std::iter::once(E::one()).chain(take(self.slots).into_iter().skip(1).map(E::challenge)).collect();
        let matrices = shapes.into_iter().map(|[rows, columns]| [take(rows), take(columns)]).collect();
        Weights { groups, slots, matrices }
    }

    /// The weight of each row, which is that of its group.
    pub(super) fn of_rows<E>(&self, weights: &Weights<E>) -> Vec<u64> {
        let mut groups = weights.groups.iter();
        let mut rows = vec![];
        for claim in self.claims {
            for weight in groups.by_ref().take(self.groups(claim)) {
                rows.extend(std::iter::repeat_n(*weight, claim.words()[0]));
            }
        }
        rows
    }

    /// The vectors of all matrices that stand on one side, one behind the other.
    pub(super) fn vectors<R: Ring>(&self, weights: &Weights<R::Element>, side: Side) -> Vec<R::Element> {
        let mut all = vec![];
        for (claim, weights) in self.claims.iter().zip(&weights.matrices) {
            let Terms::Matrices { terms, .. } = &claim.terms else { continue };
            for term in terms {
                let left = (term.first == First::Left) == (side == Side::X);
                let factor = if left { &term.left } else { &term.right };
                all.extend(factor.iter().flat_map(|factor| vector::<R>(factor, left, weights)));
            }
        }
        all
    }

    /// A verifier's shares of what the weighted sums of all terms have to be: minus its linear parts. Of words, and of matrices.
    pub(super) fn tau<R: Ring>(&self, weights: &Weights<R::Element>) -> [R::Element; 2] {
        let mut rows = Vec::with_capacity(self.slots * weights.groups.len());
        for claim in self.claims {
            (0..self.groups(claim)).for_each(|group| self.push(&mut rows, &claim.linear, group));
        }
        let of_slots = R::Vector::weighed(&weights.groups, &rows, self.slots);
        let of_words = R::Element::inner(&of_slots, &weights.slots);
        let mut of_matrices = R::Element::ZERO;
        for (claim, weights) in self.claims.iter().zip(&weights.matrices) {
            let Terms::Matrices { shape, own, .. } = &claim.terms else { continue };
            let [s, t] = weights;
            if claim.linear.len() == shape[0] * shape[1] {
                let of_columns = R::Vector::weighed(s, &claim.linear, shape[1]);
                let t: Vec<R::Element> = t.iter().copied().map(R::Element::challenge).collect();
                of_matrices = of_matrices + inner::<R>(&of_columns, &t);
            }
            for (sign, left, right) in own {
                let product = inner::<R>(&vector::<R>(left, true, weights), &vector::<R>(right, false, weights));
                of_matrices = if *sign == Sign::Plus { of_matrices + product } else { of_matrices - product };
            }
        }
        [of_words, of_matrices].map(|sum| R::Element::ZERO - sum)
    }
}

fn inner<R: Ring>(x: &[R::Element], y: &[R::Element]) -> R::Element {
    let vector = |elements: &[R::Element]| {
        let mut vector = R::Vector::default();
        elements.iter().for_each(|element| vector.push(*element));
        vector
    };
    vector(x).inner(&vector(y))
}

/// s X of a left factor, X t of a right one.
fn vector<R: Ring>(factor: &Factor, left: bool, [s, t]: &[Vec<u64>; 2]) -> Vec<R::Element> {
    let weights = if left { s } else { t };
    let x = &factor.x;
    if left == factor.transposed {
        let columns = transposed(x);
        R::Vector::weighed(weights, &columns, x.nrows())
    } else {
        match x.as_slice() {
            Some(words) => R::Vector::weighed(weights, words, x.ncols()),
            None => R::Vector::weighed(weights, &x.iter().copied().collect::<Vec<_>>(), x.ncols()),
        }
    }
}

/// Column after column. Some rows and columns at a time, so that neither is far apart.
fn transposed(x: &Tensor) -> Vec<u64> {
    const TILE: usize = 8;
    let (rows, columns) = x.dim();
    let mut out = vec![0; rows * columns];
    for i in (0..rows).step_by(TILE) {
        for j in (0..columns).step_by(TILE) {
            for i in i..rows.min(i + TILE) {
                (j..columns.min(j + TILE)).for_each(|j| out[j * rows + i] = x[[i, j]]);
            }
        }
    }
    out
}

/// The weight of claim k is that of its group times that of its slot; of an element of matrices, that of its row times that of its column.
pub(super) struct Weights<E> {
    groups: Vec<u64>,
    pub(super) slots: Vec<E>,
    /// s and t of each claim.
    matrices: Vec<[Vec<u64>; 2]>,
}
