//! Claims, and what becomes of many: one sum under random weights.

use super::Element;
use crate::Prg;

/// For every k: the sum over t of x_t\[k\] y_t\[k\], plus what is linear at each verifier, is 0. One of the three's part of it; all have as many terms, and as many words in each.
///
/// It holds secrets, and has no `Debug`.
#[derive(Clone, Default)]
pub struct Claim {
    /// A term's words at the prover and the first verifier.
    x: Vec<Vec<u64>>,
    /// A term's words at the prover and the second verifier.
    y: Vec<Vec<u64>>,
    /// A verifier's linear part.
    linear: Vec<u64>,
}

impl Claim {
    /// At the prover, who knows all factors and is asked for nothing else.
    pub fn at_prover(x: Vec<Vec<u64>>, y: Vec<Vec<u64>>) -> Claim {
        Claim { x, y, linear: vec![] }
    }

    /// At the first verifier.
    pub fn at_first(x: Vec<Vec<u64>>, linear: Vec<u64>) -> Claim {
        Claim { x, y: vec![], linear }
    }

    /// At the second verifier.
    pub fn at_second(y: Vec<Vec<u64>>, linear: Vec<u64>) -> Claim {
        Claim { x: vec![], y, linear }
    }

    fn factors(&self) -> &[Vec<u64>] {
        if self.x.is_empty() { &self.y } else { &self.x }
    }

    fn len(&self) -> usize {
        self.factors().first().map_or(self.linear.len(), Vec::len)
    }
}

/// All claims of a proof, cut into groups of 2^v: claim k is slot k mod 2^v of a group, and each term of a group is a row.
pub(super) struct Grouped<'a> {
    claims: &'a [Claim],
    slots: usize,
}

impl<'a> Grouped<'a> {
    pub(super) fn new(claims: &'a [Claim], variables: u32) -> Self {
        Grouped { claims, slots: 1 << variables }
    }

    fn groups(&self, claim: &Claim) -> usize {
        claim.len().div_ceil(self.slots)
    }

    pub(super) fn rows(&self) -> usize {
        self.claims.iter().map(|claim| self.groups(claim) * claim.factors().len()).sum()
    }

    /// The words of one side, row after row; claims that would fill up the last group are 0 = 0.
    pub(super) fn words(&self, second: bool) -> Vec<u64> {
        let mut words = vec![];
        for claim in self.claims {
            let side = if second { &claim.y } else { &claim.x };
            for group in 0..self.groups(claim) {
                for factor in side {
                    let slot = |j| factor.get(group * self.slots + j).copied().unwrap_or_default();
                    words.extend((0..self.slots).map(slot));
                }
            }
        }
        words
    }

    /// Weights from the seed that the first verifier releases once it has all that the claims are about.
    pub(super) fn weights<E: Element>(&self, seed: &[u8; 32]) -> Weights<E> {
        let groups = self.claims.iter().map(|claim| self.groups(claim)).sum();
        let mut drawn = Prg::from_seed(seed).words(groups + self.slots).into_iter().map(E::challenge);
        let groups = drawn.by_ref().take(groups).collect();
        // The first slot has 1: the proof gives its sum up for it.
        let slots = std::iter::once(E::one()).chain(drawn.skip(1)).collect();
        Weights { groups, slots }
    }

    /// The weight of each row, which is that of its group.
    pub(super) fn of_rows<E: Element>(&self, weights: &Weights<E>) -> Vec<E> {
        let mut groups = weights.groups.iter();
        let mut rows = vec![];
        for claim in self.claims {
            for weight in groups.by_ref().take(self.groups(claim)) {
                rows.extend(std::iter::repeat_n(*weight, claim.factors().len()));
            }
        }
        rows
    }

    /// A verifier's share of what the weighted sum of all terms has to be: minus its linear parts.
    pub(super) fn tau<E: Element>(&self, weights: &Weights<E>) -> E {
        let mut groups = weights.groups.iter();
        let mut sum = E::ZERO;
        for claim in self.claims {
            for (weight, linear) in groups.by_ref().take(self.groups(claim)).zip(claim.linear.chunks(self.slots)) {
                let of_slots = linear.iter().zip(&weights.slots).fold(E::ZERO, |sum, (word, slot)| sum + slot.times(*word));
                sum = sum + *weight * of_slots;
            }
        }
        E::ZERO - sum
    }
}

/// The weight of claim k is that of its group times that of its slot.
pub(super) struct Weights<E> {
    groups: Vec<E>,
    pub(super) slots: Vec<E>,
}
