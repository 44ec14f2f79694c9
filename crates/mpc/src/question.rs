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

    /// Party: what it tells whoever has asked about each row of the answer to what was `asked`. Nothing at P2.
    ///
    /// # Errors
    /// Those of the network.
    fn tell(&mut self, asked: &Self::Num, answer: &Self::Num) -> Result<Told>;

    /// Client: the answer of so many columns to what it has `asked`, row by row, from what P0 and P1 have told of its rows.
    ///
    /// # Errors
    /// A text that says who sent something unfit, or that the parties contradict one another.
    fn hear(asked: &Tensor, columns: usize, told: &[Vec<Part>; 2]) -> std::result::Result<Vec<u64>, String>;
}

/// What a party tells of an answer: matrices that have a row for each of its rows, so that each client can be given its own.
pub struct Told(pub(crate) Vec<Tensor>);

impl Told {
    /// What belongs to these rows.
    pub fn rows(&self, rows: Range<usize>) -> Vec<Part> {
        let of = |x: &Tensor| rows.clone().flat_map(|i| x.row(i).to_vec()).collect::<Vec<u64>>();
        self.0.iter().map(|x| Part::words(&of(x))).collect()
    }

    /// All of it as words, for another rank of this party.
    pub fn to_words(&self) -> Vec<u64> {
        let of = |x: &Tensor| [x.nrows() as u64, x.ncols() as u64].into_iter().chain(x.iter().copied()).collect::<Vec<_>>();
        self.0.iter().flat_map(of).collect()
    }

    /// The same again; nothing where these are other words.
    pub fn from_words(mut words: &[u64]) -> Option<Told> {
        let mut all = vec![];
        while let Some((&[rows, columns], rest)) = words.split_first_chunk() {
            let shape = [usize::try_from(rows).ok()?, usize::try_from(columns).ok()?];
            let (own, rest) = rest.split_at_checked(shape[0].checked_mul(shape[1])?)?;
            all.push(Tensor::from_shape_vec(shape, own.to_vec()).ok()?);
            words = rest;
        }
        words.is_empty().then_some(Told(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_travels_as_words() {
        let matrix = |rows: usize, columns: usize| Tensor::from_shape_fn([rows, columns], |(i, j)| (10 * i + j) as u64);
        let told = Told(vec![matrix(3, 2), matrix(3, 4)]);
        let words = told.to_words();
        assert_eq!(words[..8], [3, 2, 0, 1, 10, 11, 20, 21]);
        let again = Told::from_words(&words).unwrap();
        assert_eq!(again.0, told.0);
        assert!(Told::from_words(&words[..words.len() - 1]).is_none() && Told::from_words(&[u64::MAX, 2, 1]).is_none());
    }
}
