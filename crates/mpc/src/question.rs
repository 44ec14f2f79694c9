//! A client's question and its answer: how they get into a pass, and out of it.
//!
//! A client splits its records as [`SecureNn`](crate::securenn::SecureNn) splits an owner's, in both suites: x = x_0 + x_1, the seed of x_0 to
//! P0 and x_1 to P1. P2 is told nothing. So where a pass needs nothing of P2 but what depends on masks ([`Question::AHEAD`]), P2 deals it
//! before anybody has asked, and questions of several clients may share one.

use crate::{Part, Result};
use std::ops::Range;
use trefoil_engine::{Engine, Format};
use trefoil_ring::Tensor;

/// A suite's ways in and out of a pass.
pub trait Question: Engine {
    /// Whether P2 takes part in a pass without hearing anything, and so may deal it ahead.
    const AHEAD: bool;

    /// Party: the matrix that x_0 at P0 and x_1 at P1 add up to; `x_j` is empty at P2.
    ///
    /// # Errors
    /// Those of the network.
    fn ask(&mut self, shape: [usize; 2], format: Format, x_j: Vec<u64>) -> Result<Self::Num>;

    /// Party: what it tells whoever has asked about each row of the answer. Nothing at P2.
    ///
    /// # Errors
    /// Those of the network.
    fn tell(&mut self, answer: &Self::Num) -> Result<Told>;

    /// Client: the answer, row by row, from what P0 and P1 have told of its rows.
    ///
    /// # Errors
    /// A text that says who sent something unfit, or that the parties contradict one another.
    fn hear(shape: [usize; 2], told: &[Vec<Part>; 2]) -> std::result::Result<Vec<u64>, String>;
}

/// What a party tells of an answer: matrices that have a row for each of its rows, so that each client can be given its own.
pub struct Told(pub(crate) Vec<Tensor>);

impl Told {
    /// What belongs to these rows.
    pub fn rows(&self, rows: Range<usize>) -> Vec<Part> {
        let of = |x: &Tensor| rows.clone().flat_map(|i| x.row(i).to_vec()).collect::<Vec<u64>>();
        self.0.iter().map(|x| Part::words(&of(x))).collect()
    }
}
