//! What the protocols of this suite take, without values and without their proofs ([`crate::plan`]). It reads as suite.rs does: where that calls a protocol, this books the protocol's `cost`.

use super::super::plan::{Planned, PlannedBit};
use super::suite::Claimed as Suite;
use super::{and, drelu, open, product, select};
use crate::plan::{Blank, Books};
use crate::secure::{Factors, Protocols, Secure, Shares};
use crate::{Price, Result};
use trefoil_engine::Index;
use trefoil_ring::Tensor;

/// The engine on this suite, without values. What its proofs take, whose number depends on what waits for them, is not booked.
pub type VerifiedPlan = Secure<Claimed>;

/// The suite as a plan has it.
#[derive(Default)]
pub struct Claimed(());

impl Default for VerifiedPlan {
    fn default() -> VerifiedPlan {
        Secure { party: Books::default(), suite: Claimed::default() }
    }
}

impl Protocols for Claimed {
    type Host = Books;
    type Share = Planned;
    type Bit = PlannedBit;
    const MOST_SHIFT: u8 = Suite::MOST_SHIFT;
    const TRUNCATED: u8 = Suite::TRUNCATED;
    const PAIRS: bool = Suite::PAIRS;

    fn most_bits(f: u8) -> u8 {
        Suite::most_bits(f)
    }
    fn public(_: &Books, x: &Tensor) -> Planned {
        Planned::blank([x.nrows(), x.ncols()])
    }
    fn gather_bits(x: &PlannedBit, index: Index<'_>) -> PlannedBit {
        PlannedBit::new(index.shape(x.shape))
    }
    fn flip(_: &Books, x: &PlannedBit, _: &[bool]) -> PlannedBit {
        x.clone()
    }
    fn shape_of_bits(x: &PlannedBit) -> [usize; 2] {
        x.shape
    }

    fn prepare(&mut self, _: &mut Books, _: &Planned) -> Result<()> {
        Ok(())
    }
    fn settle(&mut self, _: &mut Books, _: &[&Planned]) -> Result<()> {
        Ok(())
    }
    fn ride(&mut self, _: &Planned) {}
    fn products(&mut self, books: &mut Books, z: &[Factors<'_, Planned>]) -> Result<Vec<Planned>> {
        books.book("verified.product", Price::at_once(z.iter().map(|z| product::cost(z.shape[0] * z.shape[1], z.f))));
        Ok(z.iter().map(|z| Planned::blank(z.shape)).collect())
    }
    fn truncate(&mut self, books: &mut Books, x: &[(&Planned, u8)]) -> Result<Vec<Planned>> {
        let cut = x.iter().filter(|(_, f)| *f > 0);
        books.book("verified.product", Price::at_once(cut.map(|(x, f)| product::cost(x.count(), *f))));
        Ok(x.iter().map(|(x, f)| if *f > 0 { Planned::blank(x.shape()) } else { (*x).clone() }).collect())
    }
    fn drelu(&mut self, books: &mut Books, x: &[(&Planned, u8)]) -> Result<Vec<PlannedBit>> {
        books.book("verified.drelu", drelu::costs(&x.iter().map(|(x, b)| (x.count(), *b)).collect::<Vec<_>>()));
        Ok(x.iter().map(|(x, _)| PlannedBit::new(x.shape())).collect())
    }
    fn select(&mut self, books: &mut Books, x: &[(&PlannedBit, &Planned)]) -> Result<Vec<Planned>> {
        let cost = |(bit, x): &(&PlannedBit, &Planned)| select::cost(x.count(), bit.dealt.replace(64) > 0);
        books.book("verified.select", Price::at_once(x.iter().map(cost)));
        Ok(x.iter().map(|(_, x)| Planned::blank(x.shape())).collect())
    }
    fn all(&mut self, books: &mut Books, bits: &[&PlannedBit]) -> Result<PlannedBit> {
        let Some(first) = bits.first() else { return Ok(PlannedBit::new([0, 0])) };
        if bits.len() == 1 {
            return Ok((*first).clone());
        }
        books.book("verified.and", and::all_cost(bits.len(), first.shape[0] * first.shape[1]));
        Ok(PlannedBit::new(first.shape))
    }
    fn choice_price(numbers: usize, bits: u8, selected: usize) -> Price {
        Suite::choice_price(numbers, bits, selected)
    }
    fn open(&mut self, books: &mut Books, x: &Planned) -> Result<Option<Tensor>> {
        books.book("verified.open", open::cost(x.count()));
        Ok(None)
    }
}
