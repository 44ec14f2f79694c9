//! What the protocols of this suite take, without values ([`crate::plan`]). It reads as suite.rs does: where that calls a protocol, this books
//! the protocol's `cost`. What is kept of a share is what decides whether something is paid: whether it has been opened under its mask.

use super::suite::Choices as Suite;
use super::{Truncation, drelu, matmul, share, truncate};
use crate::plan::held::{Bytes, Held};
use crate::plan::{Blank, Books};
use crate::secure::{Factors, Protocols, Secure, Shares};
use crate::{Price, Result};
use std::cell::RefCell;
use std::rc::Rc;
use trefoil_engine::Index;
use trefoil_ring::Tensor;

/// The engine on this suite, without values.
pub type SecureNnPlan = Secure<Choices>;

/// What may be chosen.
pub struct Choices {
    truncation: Truncation,
}

impl SecureNnPlan {
    /// With this truncation.
    pub fn new(truncation: Truncation) -> SecureNnPlan {
        Secure { party: Books::default(), suite: Choices { truncation } }
    }
}

/// Bytes of an element of a share at P0 and P1; P2 has none.
const SHARE: Held = [8, 8, 0];
/// Of X - A and A_j at a server, and of A at P2.
const OPENED: Held = [16, 16, 8];

/// A shared matrix of which only the shape is known, and whether it is open under its mask; clones have that in common.
#[derive(Clone)]
pub struct Planned {
    shape: [usize; 2],
    opened: Rc<RefCell<Option<Bytes>>>,
    _held: Bytes,
}

impl Default for SecureNnPlan {
    fn default() -> SecureNnPlan {
        SecureNnPlan::new(Truncation::default())
    }
}

impl Planned {
    /// Whether it was still to be opened. It is open now.
    fn open(&self) -> bool {
        let mut opened = self.opened.borrow_mut();
        let first = opened.is_none();
        opened.get_or_insert_with(|| Bytes::of(self.count(), OPENED));
        first
    }
}

impl Blank for Planned {
    fn blank(shape: [usize; 2]) -> Planned {
        Planned { shape, opened: Rc::default(), _held: Bytes::of(shape[0] * shape[1], SHARE) }
    }
}

impl Shares for Planned {
    fn shape(&self) -> [usize; 2] {
        self.shape
    }
    fn linear(&self, shape: [usize; 2], _: impl Fn(&Tensor) -> Tensor) -> Planned {
        Planned::blank(shape)
    }
    fn zip(&self, _: &Planned, _: impl Fn(u64, u64) -> u64 + Copy) -> Planned {
        Planned::blank(self.shape)
    }
    /// What is opened stays opened.
    fn gather(&self, index: Index<'_>) -> Planned {
        let out = Planned::blank(index.shape(self.shape));
        if self.opened.borrow().is_some() {
            out.open();
        }
        out
    }
    fn beside(x: &[&Planned]) -> Option<Planned> {
        Planned::joined(x).map(Planned::blank)
    }
}

/// How many elements have yet to be opened; they are open then.
fn opened<'a>(values: impl IntoIterator<Item = &'a Planned>) -> usize {
    values.into_iter().filter(|x| x.open()).map(Blank::count).sum()
}

/// The products of pairs of matrices, with so many elements of results.
fn multiply<'a>(books: &mut Books, factors: impl IntoIterator<Item = &'a Planned>, out: usize) {
    books.book("securenn.matmul", matmul::cost(opened(factors), out));
}

impl Protocols for Choices {
    type Host = Books;
    type Share = Planned;
    type Bit = Planned;
    const MOST_SHIFT: u8 = Suite::MOST_SHIFT;
    const PAIRS: bool = Suite::PAIRS;

    fn public(_: &Books, x: &Tensor) -> Planned {
        Planned::blank([x.nrows(), x.ncols()])
    }
    fn gather_bits(x: &Planned, index: Index<'_>) -> Planned {
        x.gather(index)
    }
    fn flip(_: &Books, x: &Planned, _: &[bool]) -> Planned {
        Planned::blank(x.shape)
    }
    fn shape_of_bits(x: &Planned) -> [usize; 2] {
        x.shape
    }

    fn prepare(&mut self, books: &mut Books, x: &Planned) -> Result<()> {
        multiply(books, [x], 0);
        Ok(())
    }
    fn settle(&mut self, _: &mut Books, _: &[&Planned]) -> Result<()> {
        Ok(())
    }
    fn ride(&mut self, _: &Planned) {}
    fn products(&mut self, books: &mut Books, z: &[Factors<'_, Planned>]) -> Result<Vec<Planned>> {
        let out: Vec<Planned> = z.iter().map(|z| Planned::blank(z.shape)).collect();
        multiply(books, z.iter().flat_map(|z| [z.x, z.y]), out.iter().map(Blank::count).sum());
        self.truncate(books, &out.iter().zip(z).map(|(out, z)| (out, z.f)).collect::<Vec<_>>())
    }
    fn truncate(&mut self, books: &mut Books, x: &[(&Planned, u8)]) -> Result<Vec<Planned>> {
        let cut = |(x, f): &(&Planned, u8)| if *f > 0 { Planned::blank(x.shape) } else { (*x).clone() };
        match self.truncation {
            Truncation::Dealer => {
                let some = x.iter().filter(|(_, f)| *f > 0);
                books.book("securenn.truncate", Price::at_once(some.map(|(x, f)| truncate::cost(x.count(), *f))));
                Ok(x.iter().map(cut).collect())
            }
            Truncation::Local => Ok(x.iter().map(|(x, _)| Planned::blank(x.shape)).collect()),
        }
    }
    fn drelu(&mut self, books: &mut Books, x: &[(&Planned, u8)]) -> Result<Vec<Planned>> {
        books.book("securenn.drelu", drelu::cost(x.iter().map(|(x, _)| x.count()).sum()));
        Ok(x.iter().map(|(x, _)| Planned::blank(x.shape)).collect())
    }
    fn select(&mut self, books: &mut Books, x: &[(&Planned, &Planned)]) -> Result<Vec<Planned>> {
        multiply(books, x.iter().flat_map(|(b, x)| [*b, *x]), x.iter().map(|(_, x)| x.count()).sum());
        Ok(x.iter().map(|(_, x)| Planned::blank(x.shape)).collect())
    }
    fn all(&mut self, books: &mut Books, bits: &[&Planned]) -> Result<Planned> {
        let mut bits: Vec<Planned> = bits.iter().map(|b| (*b).clone()).collect();
        while bits.len() > 1 {
            let (pairs, odd) = bits.as_chunks::<2>();
            let mut halves: Vec<Planned> = pairs.iter().map(|[a, _]| Planned::blank(a.shape)).collect();
            multiply(books, pairs.iter().flatten(), halves.iter().map(Blank::count).sum());
            halves.extend(odd.iter().cloned());
            bits = halves;
        }
        Ok(bits.swap_remove(0))
    }
    fn choice_price(numbers: usize, _: u8, selected: usize) -> Price {
        let opened = numbers * (1 + selected);
        drelu::cost(numbers).then(matmul::cost(opened, numbers * selected))
    }
    fn open(&mut self, books: &mut Books, x: &Planned) -> Result<Option<Tensor>> {
        books.book("securenn.share", share::reconstruct_cost(x.count()));
        Ok(None)
    }
}
