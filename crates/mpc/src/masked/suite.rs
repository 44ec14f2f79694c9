//! Which protocol of this suite serves which operation of the engine.

use super::and::all;
use super::product::{products, products_over};
use super::share::reconstruct;
use super::{Bit, Share, drelu::drelu, held, lanes, lift::lift, select::select, softmax, truncate::truncate};
use crate::secure::{self, Factors, Protocols, Secure, Shares};
use crate::{Party, Price, Result};
use trefoil_engine::{Format, Index, Lane, Result as EngineResult, Told};
use trefoil_ring::Tensor;

/// The engine on this suite.
pub type Masked = Secure<Riders>;

/// A masked matrix with its format.
pub type Num = secure::Num<Share>;

/// What waits.
#[derive(Default)]
pub struct Riders {
    /// Values whose lift travels with the next comparison.
    riding: Vec<Share>,
    /// This rank's rows of matrices that the ranks of its party hold together.
    held: Vec<Num>,
}

impl Masked {
    /// An engine for `party`.
    pub fn new(party: Party) -> Masked {
        Secure { party, suite: Riders::default() }
    }
}

impl Shares for Share {
    fn shape(&self) -> [usize; 2] {
        self.shape
    }
    fn linear(&self, shape: [usize; 2], f: impl Fn(&Tensor) -> Tensor) -> Share {
        Share::linear(self, shape, f)
    }
    fn zip(&self, y: &Share, f: impl Fn(u64, u64) -> u64 + Copy) -> Share {
        Share::zip(self, y, f)
    }
    fn gather(&self, index: Index<'_>) -> Share {
        Share::gather(self, index)
    }
    fn beside(x: &[&Share]) -> Option<Share> {
        Share::beside(x)
    }
}

impl Protocols for Riders {
    type Host = Party;
    type Share = Share;
    type Bit = Bit;
    // product.rs leaves room for its rounding below this.
    const MOST_SHIFT: u8 = 58;
    // A comparison of all pairs is wider than a tournament, and a quarter as deep.
    const PAIRS: bool = true;
    // Half a word: numbers between layers have some 22 bits.
    const NARROW: u8 = 32;

    fn public(p: &Party, x: &Tensor) -> Share {
        Share::public(p, x)
    }
    fn gather_bits(x: &Bit, index: Index<'_>) -> Bit {
        x.gather(index)
    }
    fn flip(p: &Party, x: &Bit, flip: &[bool]) -> Bit {
        x.flip(p, flip)
    }
    fn shape_of_bits(x: &Bit) -> [usize; 2] {
        x.shape
    }

    fn prepare(&mut self, p: &mut Party, x: &Share) -> Result<()> {
        lift(p, &[x])
    }
    fn settle(&mut self, p: &mut Party, x: &[&Share]) -> Result<()> {
        lift(p, x)
    }
    fn ride(&mut self, x: &Share) {
        self.riding.push(x.clone());
    }
    fn narrow(&mut self, p: &mut Party, x: &Share) -> Result<Share> {
        if x.pending().is_some_and(|lift| 64 - lift.f < Self::NARROW) {
            lift(p, &[x])?;
        }
        Ok(x.narrow(Self::NARROW))
    }
    fn narrow_bits(x: &Share) -> Option<u8> {
        x.narrow_bits()
    }
    fn products(&mut self, p: &mut Party, z: &[Factors<'_, Share>]) -> Result<Vec<Share>> {
        products(p, z)
    }
    fn truncate(&mut self, p: &mut Party, x: &[(&Share, u8)]) -> Result<Vec<Share>> {
        truncate(p, x)
    }
    fn drelu(&mut self, p: &mut Party, x: &[(&Share, u8)]) -> Result<Vec<Bit>> {
        drelu(p, x, &std::mem::take(&mut self.riding))
    }
    fn select(&mut self, p: &mut Party, x: &[(&Bit, &Share)]) -> Result<Vec<Share>> {
        select(p, x)
    }
    fn all(&mut self, p: &mut Party, bits: &[&Bit]) -> Result<Bit> {
        all(p, bits)
    }
    fn choice_price(numbers: usize, bits: u8, selected: usize) -> Price {
        super::plan::Riders::choice_price(numbers, bits, selected)
    }
    fn open(&mut self, p: &mut Party, x: &Share) -> Result<Option<Tensor>> {
        reconstruct(p, x)
    }

    fn lane(p: &Party) -> Lane {
        p.lane()
    }
    fn lead(&mut self, p: &mut Party, step: u64, common: &[&Num], rows: &[&Num]) -> Result<Vec<Num>> {
        lanes::lead(p, &self.held, step, common, rows)
    }
    fn held(&mut self, p: &Party, own: Num, rows: usize) -> Num {
        if p.lane().has_others() { held::hold(&mut self.held, own, rows) } else { own }
    }
    fn spread(&mut self, p: &mut Party, x: &Num) -> Result<Num> {
        held::spread(p, &mut self.held, x)
    }
    fn here(&mut self, p: &mut Party, x: &Num) -> Result<Num> {
        held::here(p, &self.held, x)
    }
    fn follow(&mut self, p: &mut Party) -> Result<Option<Told<Num>>> {
        lanes::follow(p, &mut self.held)
    }
    fn below(p: &mut Party, x: Vec<Num>) -> Result<Vec<Num>> {
        lanes::below(p, x)
    }
    fn set_apart(p: &mut Party, apart: bool) {
        p.set_apart(apart);
    }
    fn products_over(&mut self, p: &mut Party, z: &[Factors<'_, Share>], of_batch: &[bool]) -> Result<Vec<Share>> {
        products_over(p, z, of_batch)
    }
    fn sum_of_lanes(p: &mut Party, x: Num) -> Result<Num> {
        lanes::sum(p, x)
    }
    fn is_apart(p: &Party) -> bool {
        p.drawing().has_others()
    }
    fn from_lane_0(p: &mut Party, x: Vec<Num>) -> Result<Vec<Num>> {
        lanes::from_lane_0(p, x)
    }

    fn softmax(e: &mut Masked, x: &Num, out: Format) -> EngineResult<Num> {
        softmax::of_rows(e, x, out, softmax::softmax)
    }
}
