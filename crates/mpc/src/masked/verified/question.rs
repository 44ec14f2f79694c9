//! A question and its answer where every message is proven. The protocols are those of [`masked`](super::super::question).
//!
//! What comes in cannot be proven: P_j alone knows the half x_j that its client gave it, and sends x_j + l_j. So the question's own share is told back beside the answer. Each of its three parts is vouched for by two
//! parties, so a client finds what the answer is *to*, and takes it only where that is what it has asked. What it learns of the question is masks of what it knows.
//!
//! All that was claimed is proven before anything is told.
//!
//! Rounds: 1, those of the proofs, and 1 to tell that they were accepted.

use super::super::question::{ask, hear, tell};
use super::super::share::Share;
use super::super::suite::Num;
use super::Verified;
use super::open::gate;
use crate::question::{Question, Told};
use crate::secure::Protocols;
use crate::{Error, Part, Result};
use trefoil_engine::Format;
use trefoil_ring::Tensor;

impl Question for Verified {
    const AHEAD: bool = false;

    fn ask(&mut self, shape: [usize; 2], format: Format, x_j: Vec<u64>) -> Result<Num> {
        Ok(Num::new(ask(&mut self.party, shape, &x_j)?, format))
    }

    fn tell(&mut self, asked: &Num, answer: &Num) -> Result<Told> {
        let Verified { party, suite } = self;
        suite.settle(party, &[&answer.share])?;
        gate(party)?;
        let unfit = Error::Unproven { at: party.here(), what: "an answer of other rows than its question" };
        let both = Share::beside(&[&asked.share, &answer.share]).ok_or(unfit)?;
        tell(party, &both)
    }

    fn hear(asked: &Tensor, columns: usize, told: &[Vec<Part>; 2]) -> std::result::Result<Vec<u64>, String> {
        let width = asked.ncols();
        let both = hear([asked.nrows(), width + columns], told)?;
        let mut answer = vec![];
        for (row, both) in asked.rows().into_iter().zip(both.chunks(width + columns)) {
            let (to, own) = both.split_at(width);
            if !row.iter().eq(to) {
                return Err("P0 or P1 has changed the question: the answer is to another one".into());
            }
            answer.extend_from_slice(own);
        }
        Ok(answer)
    }
}
