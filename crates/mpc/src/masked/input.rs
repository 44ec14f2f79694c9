//! Ways in and out: an owner's masks for its records, and the model's way to its owner.
//!
//! Input: seeds s_0 (to P0 and P2) and s_1 (to P1 and P2); m = x + PRG(s_0) + PRG(s_1) to P0 and P1. Each pair compares a hash of what both
//! were given. One word to each server an element, 64 bytes to P2.
//!
//! Opening to the model owner: P0 sends m and H(l_0), P1 sends l_1 and H(m), P2 sends l_0 and H(l_1). Each of the three is vouched for by
//! both parties that know it; the owner outputs m - l_0 - l_1 or nothing.

use super::matrix::{elements, tensor};
use super::range::Piece;
use super::share::Share;
use super::{Masked, Num};
use crate::range::{Block, by_sums};
use crate::rows::Rows;
use crate::{Id, Kept, Key, Part, Party, Prg, Suite};
use sha2::{Digest, Sha256};
use trefoil_engine::Format;
use trefoil_ring::Tensor;

fn seed(part: &Part) -> Result<Key, String> {
    let x = part.to_bits(32, 8)?;
    Ok(Key::from_bytes(std::array::from_fn(|i| x[i] as u8)))
}

fn hash(x: &[u64]) -> [u8; 32] {
    let mut h = Sha256::new();
    x.iter().for_each(|w| h.update(w.to_le_bytes()));
    h.finalize().into()
}

fn bytes(x: &[u8; 32]) -> Part {
    Part::bits(&x.map(u64::from), 8)
}

/// What the range check looks at of matrices as they were kept.
fn pieces(id: Id, blocks: &[Block]) -> Vec<Piece> {
    let piece = |block: &Block| {
        let (shape, o) = (block.shape, block.range.offset());
        let [mut a, b] = block.kept.words();
        let matrix = |x: Vec<u64>| Some(tensor(shape, x));
        if id == Id::P2 {
            let low = Share::new(shape, None, [matrix(a), matrix(b)]);
            return Piece { owner: block.owner, range: block.range, one_hot: block.one_hot, low, whole: vec![] };
        }
        a.iter_mut().for_each(|m| *m = m.wrapping_add(o));
        let (whole, l) = match id {
            Id::P0 => (a.iter().zip(&b).map(|(m, l_0)| m.wrapping_sub(*l_0)).collect(), [matrix(b), None]),
            _ => (b.iter().map(|l_1| l_1.wrapping_neg()).collect(), [None, matrix(b)]),
        };
        let low = Share::new(shape, matrix(a), l);
        Piece { owner: block.owner, range: block.range, one_hot: block.one_hot, low, whole }
    };
    blocks.iter().map(piece).collect()
}

/// A share from what was kept of it.
pub(super) fn dealt(id: Id, shape: [usize; 2], kept: Kept) -> Share {
    let [a, b] = kept.0.map(Some);
    match id {
        Id::P0 => Share::dealt(shape, a, [b, None]),
        Id::P1 => Share::dealt(shape, a, [None, b]),
        Id::P2 => Share::dealt(shape, None, [a, b]),
    }
}

/// What is kept of a whole share.
pub(super) fn kept(id: Id, x: &Share) -> Kept {
    let (m, l_0, l_1) = (x.m(), x.mask(0), x.mask(1));
    let kept = match id {
        Id::P0 => [m, l_0],
        Id::P1 => [m, l_1],
        Id::P2 => [l_0, l_1],
    };
    Kept::new(kept.map(|x| elements(x).to_vec()))
}

/// A party's messages to the model owner of a whole share.
pub(super) fn exported(id: Id, x: &Share) -> Vec<Part> {
    let (m, l_0, l_1) = (elements(x.m()), elements(x.mask(0)), elements(x.mask(1)));
    match id {
        Id::P0 => vec![Part::words(m), bytes(&hash(l_0))],
        Id::P1 => vec![Part::words(l_1), bytes(&hash(m))],
        Id::P2 => vec![Part::words(l_0), bytes(&hash(l_1))],
    }
}

impl Suite for Masked {
    const NAME: &'static str = "masked";

    fn deal_from(x: &Tensor, seed: &mut Prg) -> [Vec<Part>; 3] {
        let (s_0, mut l_0) = seed.fork("owner.s_0");
        let (s_1, mut l_1) = seed.fork("owner.s_1");
        let l = l_0.words(x.len()).into_iter().zip(l_1.words(x.len()));
        let m: Vec<u64> = x.iter().zip(l).map(|(x, (l_0, l_1))| x.wrapping_add(l_0).wrapping_add(l_1)).collect();
        let m = Part::words(&m);
        [vec![bytes(&s_0), m.clone()], vec![bytes(&s_1), m], vec![bytes(&s_0), bytes(&s_1)]]
    }

    fn accept(id: Id, n: usize, parts: &[Part]) -> Result<Kept, String> {
        match (id, parts) {
            (Id::P2, [s_0, s_1]) => Ok(Kept([Rows::stream(seed(s_0)?, n), Rows::stream(seed(s_1)?, n)])),
            (Id::P0 | Id::P1, [s_j, m]) => Ok(Kept([Rows::words(m.to_words(n)?), Rows::stream(seed(s_j)?, n)])),
            (_, parts) => Err(format!("{} tensors, expected 2", parts.len())),
        }
    }

    fn common(id: Id, parts: &[Part]) -> [Option<[u8; 32]>; 3] {
        let [first, second] = [0, 1].map(|i| parts.get(i).map(|part| Sha256::digest(part.bytes()).into()));
        match id {
            // The seed of l_j is P2's too, m the other server's.
            Id::P0 => [None, second, first],
            Id::P1 => [second, None, first],
            Id::P2 => [first, second, None],
        }
    }

    fn violations(&mut self, coin: &[u8; 32], owners: usize, blocks: &[Block]) -> crate::Result<Vec<u64>> {
        by_sums(&mut self.party, coin, owners, blocks, |p, blocks| Ok(pieces(p.id, blocks)))
    }

    fn input(&self, shape: [usize; 2], format: Format, kept: Kept) -> Num {
        Num::new(dealt(self.party.id, shape, kept), format)
    }

    fn keep(&mut self, x: &Num) -> crate::Result<Kept> {
        super::lift::lift(&mut self.party, &[&x.share])?;
        Ok(kept(self.party.id, &x.share))
    }

    fn export(&mut self, x: &Num) -> crate::Result<Vec<Part>> {
        super::lift::lift(&mut self.party, &[&x.share])?;
        Ok(exported(self.party.id, &x.share))
    }

    fn reconstruct(n: usize, parts: &[Vec<Part>; 3]) -> Result<Vec<u64>, String> {
        let of = |id: Id| match &parts[id.index()][..] {
            [x, h] => Ok((x.to_words(n).map_err(|e| format!("{id} sent {e}"))?, h.clone())),
            other => Err(format!("{id} sent {} tensors, expected 2", other.len())),
        };
        let ((m, h_0), (l_1, h_m), (l_0, h_1)) = (of(Id::P0)?, of(Id::P1)?, of(Id::P2)?);
        for (x, h, who) in [(&m, h_m, "P0 and P1 on m"), (&l_0, h_0, "P0 and P2 on l_0"), (&l_1, h_1, "P1 and P2 on l_1")] {
            if bytes(&hash(x)) != h {
                return Err(format!("{who} contradict each other"));
            }
        }
        Ok(m.iter().zip(l_0).zip(l_1).map(|((m, l_0), l_1)| m.wrapping_sub(l_0).wrapping_sub(l_1)).collect())
    }

    fn party(&mut self) -> &mut Party {
        &mut self.party
    }

    fn into_party(self) -> Party {
        self.party
    }
}
