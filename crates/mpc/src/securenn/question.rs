//! A question and its answer are shares as all numbers of this suite are: x = x_0 + x_1 comes in and the answer's shares go out. P2 takes
//! part in each pass, so nothing is dealt ahead; and a single party that changes its share of an answer is not noticed.

use super::{Num, SecureNn, Share};
use crate::question::{Question, Told};
use crate::{Id, Part, Result};
use trefoil_engine::Format;
use trefoil_ring::Tensor;

impl Question for SecureNn {
    const AHEAD: bool = false;

    fn ask(&mut self, shape: [usize; 2], format: Format, x_j: Vec<u64>) -> Result<Num> {
        Ok(Num::new(Share::from_words(shape, (self.party.id != Id::P2).then_some(x_j)), format))
    }

    fn tell(&mut self, _: &Num, answer: &Num) -> Result<Told> {
        Ok(Told(answer.share.value.clone().into_iter().collect()))
    }

    fn hear(asked: &Tensor, columns: usize, told: &[Vec<Part>; 2]) -> std::result::Result<Vec<u64>, String> {
        let rows = asked.nrows();
        let share = |id: Id| match &told[id.index()][..] {
            [x] => x.to_words(rows * columns).map_err(|e| format!("{id} sent {e}")),
            other => Err(format!("{id} sent {} tensors, expected 1", other.len())),
        };
        Ok(share(Id::P0)?.iter().zip(share(Id::P1)?).map(|(a, b)| a.wrapping_add(b)).collect())
    }
}
