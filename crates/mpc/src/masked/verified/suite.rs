//! Which protocol serves which operation of the engine where every message is proven, and the gate before what is secret leaves the parties.

use super::super::share::Share;
use super::super::suite::Num;
use super::super::{Masked, product};
use super::open::gate;
use super::{Bit, and, drelu, open, select};
use crate::range::Block;
use crate::secure::{Factors, Protocols, Secure};
use crate::{Id, Kept, Part, Party, Prg, Price, Result, Suite};
use trefoil_engine::{Format, Index, Kind, Scatter};
use trefoil_ring::Tensor;

/// The engine on masked shares of which every message is proven before anything is opened.
pub type Verified = Secure<Claimed>;

/// Words and planes of claims that wait for a proof, at most, before one begins: some 50 MB at a party.
const MOST_WAITING: usize = 2 << 20;

/// The protocols of this suite. All shares are whole: a lift takes its round at once.
#[derive(Default)]
pub struct Claimed(());

impl Verified {
    /// An engine for `party`.
    pub fn new(party: Party) -> Verified {
        Secure { party, suite: Claimed::default() }
    }
}

/// Called before each operation: all three know how much waits, and prove it together, beside what comes next.
pub(super) fn prove_some(p: &mut Party) -> Result<()> {
    if p.claims.size > MOST_WAITING { p.hand_claims_over() } else { Ok(()) }
}

impl Protocols for Claimed {
    type Host = Party;
    type Share = Share;
    type Bit = Bit;
    // product.rs leaves room for its rounding below this.
    const MOST_SHIFT: u8 = 58;
    /// Of numbers below 2^61 those are beyond what a product takes that lie within half a unit of -2^61: rounded, they are -2^(61-f), which a result of 61 - f bits cannot be either.
    const TRUNCATED: u8 = 61;
    const PAIRS: bool = true;

    /// A product takes |z| <= 2^61 - 2^(f-1), where formats say |z| < 2^61. Of n products of numbers below 2^a and 2^b, whose sum may then be 2^(a + b) n at most or half of that with an addend, n (2^a + 2^b - 1) is left of that:
    /// where these are 60 bits, 2^30 at least.
    fn most_bits(f: u8) -> u8 {
        if f <= 31 { 61 } else { 60 }
    }

    fn public(p: &Party, x: &Tensor) -> Share {
        Share::public(p, x)
    }
    fn gather_bits(x: &Bit, index: Index<'_>) -> Bit {
        x.gather(index)
    }
    fn flip(_: &Party, x: &Bit, flip: &[bool]) -> Bit {
        x.flip(flip)
    }
    fn shape_of_bits(x: &Bit) -> [usize; 2] {
        x.shape
    }

    fn prepare(&mut self, _: &mut Party, _: &Share) -> Result<()> {
        Ok(())
    }
    fn settle(&mut self, _: &mut Party, _: &[&Share]) -> Result<()> {
        Ok(())
    }
    fn ride(&mut self, _: &Share) {}
    fn products(&mut self, p: &mut Party, z: &[Factors<'_, Share>]) -> Result<Vec<Share>> {
        prove_some(p)?;
        super::product::products(p, z)
    }
    /// As products with 1.
    fn truncate(&mut self, p: &mut Party, x: &[(&Share, u8)]) -> Result<Vec<Share>> {
        let ones: Vec<Share> = x.iter().map(|(x, _)| Share::public(p, &Tensor::ones((x.shape[0], x.shape[1])))).collect();
        let scatter: Option<&Scatter> = None;
        let factors: Vec<product::Factors<'_>> = x
            .iter()
            .zip(&ones)
            .filter(|((_, f), _)| *f > 0)
            .map(|((x, f), y)| Factors { kind: Kind::Mul, x: *x, y, scatter, plus: None, shape: x.shape, f: *f, known: 64 })
            .collect();
        let mut cut = if factors.is_empty() { vec![] } else { self.products(p, &factors)? }.into_iter();
        Ok(x.iter().map(|(x, f)| if *f > 0 { cut.next() } else { None }.unwrap_or_else(|| (*x).clone())).collect())
    }
    fn drelu(&mut self, p: &mut Party, x: &[(&Share, u8)]) -> Result<Vec<Bit>> {
        prove_some(p)?;
        drelu::drelu(p, x)
    }
    fn select(&mut self, p: &mut Party, x: &[(&Bit, &Share)]) -> Result<Vec<Share>> {
        prove_some(p)?;
        select::select(p, x)
    }
    fn all(&mut self, p: &mut Party, bits: &[&Bit]) -> Result<Bit> {
        prove_some(p)?;
        and::all(p, bits)
    }
    fn choice_price(numbers: usize, bits: u8, selected: usize) -> Price {
        let again = numbers * selected.saturating_sub(1);
        let selected = Price::at_once([(numbers, false), (again, true)].map(|(n, again)| select::cost(n, again)));
        drelu::costs(&[(numbers, bits)]).then(selected)
    }
    fn open(&mut self, p: &mut Party, x: &Share) -> Result<Option<Tensor>> {
        open::open(p, x)
    }
}

impl Suite for Verified {
    const NAME: &'static str = "verified";
    const PROVEN: bool = true;

    fn deal_from(x: &Tensor, seed: &mut Prg) -> [Vec<Part>; 3] {
        Masked::deal_from(x, seed)
    }

    fn accept(id: Id, n: usize, parts: &[Part]) -> std::result::Result<Kept, String> {
        Masked::accept(id, n, parts)
    }

    fn common(id: Id, parts: &[Part]) -> [Option<[u8; 32]>; 3] {
        Masked::common(id, parts)
    }

    fn violations(&mut self, _: &[u8; 32], owners: usize, blocks: &[Block]) -> Result<Vec<u64>> {
        super::range::violations(&mut self.party, owners, blocks)
    }

    fn input(&self, shape: [usize; 2], format: Format, kept: Kept) -> Num {
        Num::new(super::super::input::dealt(self.party.id, shape, kept), format)
    }

    /// What is kept is proven.
    fn keep(&mut self, x: &Num) -> Result<Kept> {
        gate(&mut self.party)?;
        Ok(super::super::input::kept(self.party.id, &x.share))
    }

    /// What leaves the parties is proven.
    fn export(&mut self, x: &Num) -> Result<Vec<Part>> {
        gate(&mut self.party)?;
        Ok(super::super::input::exported(self.party.id, &x.share))
    }

    fn reconstruct(n: usize, parts: &[Vec<Part>; 3]) -> std::result::Result<Vec<u64>, String> {
        Masked::reconstruct(n, parts)
    }

    fn party(&mut self) -> &mut Party {
        &mut self.party
    }

    fn into_party(self) -> Party {
        self.party
    }
}
