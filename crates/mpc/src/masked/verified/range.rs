//! Whether every word that owners have handed in keeps its promise, of which every message is proven: x + o in \[0, 2^k).
//!
//! With y = x + o as a number of 64 bits, y >= 0 and 2^k - 1 - y >= 0: two comparisons of all 64 bits. In a row that is to add up to 1, the sum less 1 and its negative too. All that is said of an owner is joined by ANDs to one bit, which is
//! opened as a number to P0 and P1; both tell P2, which compares.
//!
//! **Private**: nothing is opened but that bit, which an honest owner knows before. About 104 bytes an element on all links, where [`masked`](super::super::range) has 12 to 18, and 128 for an owner.

use super::super::input::dealt;
use super::super::share::Share;
use super::and::alls;
use super::bit::Bit;
use super::drelu::drelu;
use super::open::open;
use super::select::select;
use super::suite::prove_some;
use crate::range::{Block, together};
use crate::secure::Shares;
use crate::{Error, Id, Part, Party, Result};
use trefoil_engine::{Index, Sum};
use trefoil_ring::{Tensor, words};

/// Elements that are compared in the same rounds, about: the claims about them wait together.
const BATCH: usize = 1 << 15;
/// Matrices that are compared in the same rounds, at most.
const MATRICES: usize = 50;
/// Bits that are joined to one at a time.
const JOINED: usize = 16;
const TELL: &str = "verified.range.tell";

/// For each owner 0 if all of its words keep their promise, and 1 otherwise.
///
/// # Errors
/// [`Error::Rejected`] if a party has lied; those of the network.
pub(super) fn violations(p: &mut Party, owners: usize, blocks: &[Block]) -> Result<Vec<u64>> {
    let mut good: Vec<Vec<Bit>> = vec![vec![]; owners];
    for blocks in together(blocks, BATCH, MATRICES) {
        for (owner, bit) in joined(p, &blocks)? {
            good[owner].push(bit);
        }
    }
    // Who has nothing to check has broken no promise.
    let most = good.iter().map(Vec::len).max().unwrap_or_default();
    let asked: Vec<usize> = (0..owners).filter(|owner| !good[*owner].is_empty()).collect();
    let all: Vec<Vec<Bit>> = asked.iter().map(|owner| good[*owner].iter().cycle().take(most).cloned().collect()).collect();
    let bits = alls(p, &all)?;
    let one = Share::public(p, &Tensor::ones((1, 1)));
    let numbers = select(p, &bits.iter().map(|bit| (bit, &one)).collect::<Vec<_>>())?;
    let opened = match Share::beside(&numbers.iter().collect::<Vec<_>>()) {
        Some(all) => open(p, &all)?,
        None => None,
    };
    let op = p.op();
    let counts: Vec<u64> = opened.iter().flatten().map(|good| 1u64.wrapping_sub(*good) & 1).collect();
    let counts = match p.id {
        Id::P2 => {
            let mut round = p.round(op, TELL).then()?;
            let [first, second] = [round.bits(Id::P0, asked.len(), 1)?, round.bits(Id::P1, asked.len(), 1)?];
            drop(round);
            if first != second {
                let (what, found, expected) = ("what was opened", "as something else than P0".into(), "the same".into());
                return Err(Error::Unexpected { at: p.at(op), label: TELL, peer: Id::P1, what, found, expected });
            }
            first
        }
        _ => {
            p.round(op, TELL).send(Id::P2, Part::bits(&counts, 1)).then()?;
            counts
        }
    };
    let mut all = vec![0; owners];
    asked.into_iter().zip(counts).for_each(|(owner, count)| all[owner] = count);
    Ok(all)
}

/// Of each matrix whose it is, and whether all of it is as promised.
fn joined(p: &mut Party, blocks: &[Block]) -> Result<Vec<(usize, Bit)>> {
    prove_some(p)?;
    let mut compared = vec![];
    for block in blocks {
        let x = dealt(p.id, block.shape, block.kept.clone());
        let constant =
            |p: &Party, word: u64, [rows, columns]: [usize; 2]| Share::public(p, &Tensor::from_elem((rows, columns), word));
        let y = x.zip(&constant(p, block.range.offset(), block.shape), u64::wrapping_add);
        let above = constant(p, (1 << block.range.bits) - 1, block.shape).zip(&y, u64::wrapping_sub);
        compared.extend([(block.owner, y.clone()), (block.owner, above)]);
        if block.one_hot {
            let sum = y.sum(Sum::Cols);
            let excess = sum.zip(&constant(p, 1, sum.shape), u64::wrapping_sub);
            let negated = excess.linear(excess.shape, words::neg);
            compared.extend([(block.owner, excess), (block.owner, negated)]);
        }
    }
    let compared: Vec<(usize, Share)> = compared.into_iter().filter(|(_, x)| !x.is_empty()).collect();
    let mut bits = drelu(p, &compared.iter().map(|(_, x)| (x, 64)).collect::<Vec<_>>())?;
    while bits.iter().any(|bit| bit.len() > 1) {
        // Groups whose last one is short have an element more than once.
        let parts = |bit: &Bit| -> Vec<Bit> {
            let (n, each) = (bit.len(), bit.len().div_ceil(JOINED));
            let places = |i: usize| (i * each..(i + 1) * each).map(|at| at.min(n - 1)).collect::<Vec<_>>();
            (0..JOINED).map(|i| bit.gather(Index::Flat([1, each], &places(i)))).collect()
        };
        bits = alls(p, &bits.iter().map(parts).collect::<Vec<_>>())?;
    }
    Ok(compared.iter().map(|(owner, _)| *owner).zip(bits).collect())
}
