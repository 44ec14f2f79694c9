//! Which protocol of this suite serves which operation of the engine.

use super::matmul::{matmul, matmul_sums, open_masked};
use super::{Share, drelu::drelu, share::reconstruct, truncate};
use crate::secure::{self, Factors, Protocols, Secure, Shares};
use crate::{Party, Price, Result};
use serde::{Deserialize, Serialize};
use trefoil_engine::{Index, Kind};
use trefoil_ring::{Tensor, words};

/// The engine on this suite.
pub type SecureNn = Secure<Choices>;

/// A shared matrix with its format. A bit is a shared 0 or 1.
pub type Num = secure::Num<Share>;

/// How products lose their extra fraction bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Truncation {
    /// With P2's help: exact to one unit, cannot fail.
    #[default]
    Dealer,
    /// Without a message; fails with probability |v| / 2^64 an element. For study.
    Local,
}

/// What may be chosen.
pub struct Choices {
    truncation: Truncation,
}

impl SecureNn {
    /// An engine for `party`.
    pub fn new(party: Party, truncation: Truncation) -> SecureNn {
        Secure { party, suite: Choices { truncation } }
    }
}

impl Shares for Share {
    fn shape(&self) -> [usize; 2] {
        self.shape
    }
    fn linear(&self, shape: [usize; 2], f: impl Fn(&Tensor) -> Tensor) -> Share {
        self.map(shape, f)
    }
    fn zip(&self, y: &Share, f: impl Fn(u64, u64) -> u64 + Copy) -> Share {
        Share::zip(self, y, |x, y| words::zip(x, y, f))
    }
    fn gather(&self, index: Index<'_>) -> Share {
        Share::gather(self, index)
    }
    fn beside(x: &[&Share]) -> Option<Share> {
        Share::beside(x)
    }
}

/// x y for each pair, element by element.
fn multiply<'a>(p: &mut Party, pairs: impl Iterator<Item = (&'a Share, &'a Share)>) -> Result<Vec<Share>> {
    matmul(p, &pairs.map(|(x, y)| (Kind::Mul, x, y, x.shape)).collect::<Vec<_>>())
}

impl Protocols for Choices {
    type Host = Party;
    type Share = Share;
    type Bit = Share;
    const MOST_SHIFT: u8 = 62;
    const PAIRS: bool = false;

    fn public(p: &Party, x: &Tensor) -> Share {
        Share::public(p, x)
    }
    fn gather_bits(x: &Share, index: Index<'_>) -> Share {
        x.gather(index)
    }
    fn flip(p: &Party, x: &Share, flip: &[bool]) -> Share {
        let negated = x.minus_from(p, 1);
        x.zip(&negated, |x, n| Tensor::from_shape_fn(x.dim(), |at| if flip[at.1] { n[at] } else { x[at] }))
    }
    fn shape_of_bits(x: &Share) -> [usize; 2] {
        x.shape
    }

    fn prepare(&mut self, p: &mut Party, x: &Share) -> Result<()> {
        open_masked(p, &[x])
    }
    fn settle(&mut self, _: &mut Party, _: &[&Share]) -> Result<()> {
        Ok(())
    }
    fn ride(&mut self, _: &Share) {}
    fn products(&mut self, p: &mut Party, z: &[Factors<'_, Share>]) -> Result<Vec<Share>> {
        let mut out = matmul_sums(p, z)?;
        for (out, z) in out.iter_mut().zip(z) {
            if let Some(plus) = &z.plus {
                *out = out.zip(plus, |x, plus| {
                    let mut sum = x.clone();
                    words::add_assign(&mut sum, plus);
                    sum
                });
            }
        }
        self.truncate(p, &out.iter().zip(z).map(|(out, z)| (out, z.f)).collect::<Vec<_>>())
    }
    fn truncate(&mut self, p: &mut Party, x: &[(&Share, u8)]) -> Result<Vec<Share>> {
        match self.truncation {
            Truncation::Dealer => truncate::truncate(p, x),
            Truncation::Local => Ok(x.iter().map(|(x, f)| truncate::truncate_local(p, x, *f)).collect()),
        }
    }
    fn drelu(&mut self, p: &mut Party, x: &[(&Share, u8)]) -> Result<Vec<Share>> {
        // All elements as one row, so that they share the rounds. The width is always 64 here.
        let n = x.iter().map(|(x, _)| x.len()).sum();
        let all: Vec<u64> = x.iter().flat_map(|(x, _)| x.words()).copied().collect();
        let bits = drelu(p, &Share::new(p, [1, n], || Tensor::from_shape_fn((1, n), |(_, j)| all[j])))?;
        let mut at = 0;
        Ok(x.iter()
            .map(|(x, _)| {
                let part: Vec<usize> = (at..at + x.len()).collect();
                at += part.len();
                bits.gather(Index::Flat(x.shape, &part))
            })
            .collect())
    }
    fn select(&mut self, p: &mut Party, x: &[(&Share, &Share)]) -> Result<Vec<Share>> {
        multiply(p, x.iter().copied())
    }
    fn all(&mut self, p: &mut Party, bits: &[&Share]) -> Result<Share> {
        let mut bits: Vec<Share> = bits.iter().map(|b| (*b).clone()).collect();
        while bits.len() > 1 {
            let (pairs, odd) = bits.as_chunks::<2>();
            let mut halves = multiply(p, pairs.iter().map(|[a, b]| (a, b)))?;
            halves.extend(odd.iter().cloned());
            bits = halves;
        }
        Ok(bits.swap_remove(0))
    }
    fn choice_price(numbers: usize, bits: u8, selected: usize) -> Price {
        super::plan::Choices::choice_price(numbers, bits, selected)
    }
    fn open(&mut self, p: &mut Party, x: &Share) -> Result<Option<Tensor>> {
        reconstruct(p, x)
    }
}
