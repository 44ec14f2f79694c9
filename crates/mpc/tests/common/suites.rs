//! The suites under test: one body runs over all of them.

use super::masked_programs;
use super::programs::{self, End, Program};
use std::time::Duration;
use trefoil_engine::Format;
use trefoil_mpc::masked::verified::Verified;
use trefoil_mpc::masked::{self, Masked};
use trefoil_mpc::securenn::{self, SecureNn, Truncation};
use trefoil_mpc::{Party, Result, Seeds, Suite};
use trefoil_net::local;
use trefoil_ring::Tensor;

/// What the tests need to know of a suite.
pub trait Tested: Suite {
    /// Its protocols, as programs whose views are tested.
    const PROGRAMS: &'static [Program];
    /// By how many units a truncated value may lie below and above what is rounded down.
    const ROUNDING: [u64; 2] = [0, 1];
    /// All values of so many bits can be truncated alone.
    const TRUNCATED: u8 = 62;
    /// Whether elements of a product of matrices can be added up in other places.
    const ADDS_UP: bool = true;
    /// Rows on which functions are tried.
    const ROWS: usize = 100_000;

    /// An engine for a party.
    fn engine(party: Party) -> Self;
    /// Opens ring elements exactly; `None` at P2.
    fn words(&mut self, x: &Self::Num) -> Option<Tensor>;
    /// Rows and columns of a matrix of bits.
    fn bit_shape(&self, x: &Self::Bit) -> [usize; 2];
    /// A small program in the manner of a training step that calls every protocol: the list of labels is taken from it.
    fn training(p: &mut Party, secret: u64) -> Result<End>;
}

impl Tested for SecureNn {
    const PROGRAMS: &'static [Program] = &programs::PROGRAMS;

    fn engine(party: Party) -> Self {
        SecureNn::new(party, Truncation::Dealer)
    }
    fn words(&mut self, x: &securenn::Num) -> Option<Tensor> {
        securenn::share::reconstruct(&mut self.party, &x.share).unwrap()
    }
    fn bit_shape(&self, x: &Self::Bit) -> [usize; 2] {
        x.shape
    }
    fn training(p: &mut Party, secret: u64) -> Result<End> {
        programs::training(p, secret)
    }
}

/// Its protocols are tested where they are proven, and none of them by how a view looks.
impl Tested for Verified {
    const PROGRAMS: &'static [Program] = &[];
    const ROUNDING: [u64; 2] = [1, 2];
    const TRUNCATED: u8 = 60;
    const ADDS_UP: bool = false;
    const ROWS: usize = 4_000;

    fn engine(party: Party) -> Self {
        Verified::new(party)
    }
    fn words(&mut self, x: &masked::Num) -> Option<Tensor> {
        masked::verified::open::open(&mut self.party, &x.share).unwrap()
    }
    fn bit_shape(&self, x: &Self::Bit) -> [usize; 2] {
        x.shape
    }
    fn training(_: &mut Party, _: u64) -> Result<End> {
        Ok(vec![])
    }
}

impl Tested for Masked {
    const PROGRAMS: &'static [Program] = &masked_programs::PROGRAMS;

    fn engine(party: Party) -> Self {
        Masked::new(party)
    }
    fn words(&mut self, x: &masked::Num) -> Option<Tensor> {
        masked::share::reconstruct(&mut self.party, &x.share).unwrap()
    }
    fn bit_shape(&self, x: &Self::Bit) -> [usize; 2] {
        x.shape
    }
    fn training(p: &mut Party, secret: u64) -> Result<End> {
        masked_programs::training(p, secret)
    }
}

/// Runs the suite's engine as `p`: it takes the party for the time being.
pub fn with_engine<S: Tested, T>(p: &mut Party, f: impl FnOnce(&mut S) -> trefoil_engine::Result<T>) -> Result<T> {
    with_this_engine(p, S::engine, f)
}

/// The same with the engine that `engine` makes of the party.
pub fn with_this_engine<S: Suite, T>(
    p: &mut Party,
    engine: impl Fn(Party) -> S,
    f: impl FnOnce(&mut S) -> trefoil_engine::Result<T>,
) -> Result<T> {
    let gone = || Party::new(p.id, local::network(Duration::ZERO).into_iter().next().unwrap(), Seeds::insecure(p.id, 0));
    let (idle, last) = (gone(), gone());
    let mut engine = engine(std::mem::replace(p, idle));
    let result = f(&mut engine);
    *p = std::mem::replace(engine.party(), last);
    result.map_err(|e| protocol(e).unwrap_or_else(|e| panic!("{e:?}")))
}

/// The error of a protocol that an engine has met; any other is given back.
fn protocol(e: trefoil_engine::Error) -> std::result::Result<trefoil_mpc::Error, trefoil_engine::Error> {
    match e {
        trefoil_engine::Error::Within { source, .. } => protocol(*source),
        trefoil_engine::Error::Protocol(e) => e.downcast().map(|e| *e).map_err(trefoil_engine::Error::Protocol),
        e => Err(e),
    }
}

/// A matrix as an owner hands it in, under masks from `seed`. Two different matrices need two seeds.
pub fn secret<S: Suite>(e: &mut S, x: &Tensor, format: Format, seed: u8) -> S::Num {
    let id = e.party().id;
    let parts = S::deal(x, [seed; 32]);
    let kept = S::accept(id, x.len(), &parts[id.index()]).unwrap();
    e.input([x.nrows(), x.ncols()], format, kept)
}
