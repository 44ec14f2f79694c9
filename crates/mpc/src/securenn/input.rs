//! Ways in and out: an owner's share of a record, and the model's way to its owner.
//!
//! Input: x_0 is expanded from a seed that goes to P0, x_1 = x - x_0 goes to P1; P2 gets nothing. One word an element to P1, 32
//! bytes to P0. Opening to the model owner: P0 and P1 send their shares; the owner adds them up.

use super::{Num, SecureNn, Share};
use crate::range::{Block, by_sums};
use crate::rows::Rows;
use crate::{Id, Kept, Key, Part, Party, Prg, Suite};
use trefoil_engine::Format;
use trefoil_ring::Tensor;

impl Suite for SecureNn {
    const NAME: &'static str = "securenn";

    fn deal_from(x: &Tensor, seed: &mut Prg) -> [Vec<Part>; 3] {
        let (s_0, mut x_0) = seed.fork("owner.s_0");
        let x_1: Vec<u64> = x.iter().zip(x_0.words(x.len())).map(|(x, x_0)| x.wrapping_sub(x_0)).collect();
        [vec![Part::bits(&s_0.map(u64::from), 8)], vec![Part::words(&x_1)], vec![]]
    }

    fn accept(id: Id, n: usize, parts: &[Part]) -> Result<Kept, String> {
        let x_j = match (id, parts) {
            (Id::P0, [seed]) => {
                let seed = seed.to_bits(32, 8)?;
                Rows::stream(Key::from_bytes(std::array::from_fn(|i| seed[i] as u8)), n)
            }
            (Id::P1, [x_1]) => Rows::words(x_1.to_words(n)?),
            (Id::P2, []) => Rows::default(),
            (_, parts) => return Err(format!("{} tensors, expected {}", parts.len(), usize::from(id != Id::P2))),
        };
        Ok(Kept([x_j, Rows::default()]))
    }

    fn common(_: Id, _: &[Part]) -> [Option<[u8; 32]>; 3] {
        [None; 3]
    }

    fn violations(&mut self, coin: &[u8; 32], owners: usize, blocks: &[Block]) -> crate::Result<Vec<u64>> {
        by_sums(&mut self.party, coin, owners, blocks, super::range::mask)
    }

    fn input(&self, shape: [usize; 2], format: Format, Kept([kept, _]): Kept) -> Num {
        let words = |rows: Rows| rows.into_words().unwrap_or_else(|rows| rows.to_words());
        Num::new(Share::from_words(shape, (self.party.id != Id::P2).then(|| words(kept))), format)
    }

    fn keep(&mut self, x: &Num) -> crate::Result<Kept> {
        Ok(Kept::new([x.share.words().to_vec(), vec![]]))
    }

    fn export(&mut self, x: &Num) -> crate::Result<Vec<Part>> {
        Ok(match self.party.id {
            Id::P2 => vec![],
            _ => vec![Part::words(x.share.words())],
        })
    }

    fn reconstruct(n: usize, parts: &[Vec<Part>; 3]) -> Result<Vec<u64>, String> {
        let share = |id: Id| match &parts[id.index()][..] {
            [x] => x.to_words(n).map_err(|e| format!("{id} sent {e}")),
            other => Err(format!("{id} sent {} tensors, expected 1", other.len())),
        };
        Ok(share(Id::P0)?.iter().zip(share(Id::P1)?).map(|(a, b)| a.wrapping_add(b)).collect())
    }

    fn party(&mut self) -> &mut Party {
        &mut self.party
    }

    fn into_party(self) -> Party {
        self.party
    }
}
