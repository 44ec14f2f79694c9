//! The lower bits of additive shares as masked numbers, for the range check of owners' words (masked/range.rs).
//!
//! Input: w_0 at P0 and w_1 at P1, over Z_2^64. Output: M = w_0 + w_1 + l_0 + l_1 modulo 2^k at both servers, l_0 from k02, l_1 from k12. Each server
//! sends w_j + l_j, hidden by l_j; P2 receives nothing. 1 round, 2 k bits an element.
//!
//! SecureNN has no such protocol, and its own comparison would cost 21 bits for each bit of the words: the check is the same for both suites.

use crate::masked::Share;
use crate::masked::matrix::tensor;
use crate::masked::range::Piece;
use crate::range::Block;
use crate::{Id, Pair, Part, Party, Result};

/// Rounds and bytes for `n` elements of k bits.
pub const fn cost(n: usize, k: u8) -> (u64, u64) {
    (1, 2 * (n as u64 * k as u64).div_ceil(8))
}

/// The pieces of matrices for the check, all in one round.
///
/// # Errors
/// Those of the network.
pub fn mask(p: &mut Party, blocks: &[Block]) -> Result<Vec<Piece>> {
    let op = p.op();
    let size = |block: &Block| (block.shape[0] * block.shape[1], block.range.bits);
    let l = match p.id {
        Id::P0 => [Some(p.draw(op, Pair::K02, "securenn.range.l_0")?), None],
        Id::P1 => [None, Some(p.draw(op, Pair::K12, "securenn.range.l_1")?)],
        Id::P2 => [Some(p.draw(op, Pair::K02, "securenn.range.l_0")?), Some(p.draw(op, Pair::K12, "securenn.range.l_1")?)],
    };
    let [l_0, l_1] = l.map(|prg| {
        let mut prg = prg?;
        let draw = |block: &Block| tensor(block.shape, prg.bits(size(block).0, size(block).1));
        Some(blocks.iter().map(draw).collect::<Vec<_>>())
    });
    let masks = |i: usize| [&l_0, &l_1].map(|l| l.as_ref().map(|l| l[i].clone()));
    if p.id == Id::P2 {
        let piece = |(i, block): (usize, &Block)| piece(block, Share::new(block.shape, None, masks(i)), vec![]);
        return Ok(blocks.iter().enumerate().map(piece).collect());
    }
    let offset = |block: &Block| if p.id == Id::P0 { block.range.offset() } else { 0 };
    let words = |block: &Block| {
        let [mut words, _] = block.kept.words();
        words.iter_mut().for_each(|w| *w = w.wrapping_add(offset(block)));
        words
    };
    let whole: Vec<Vec<u64>> = blocks.iter().map(words).collect();
    let own = l_0.iter().chain(&l_1).flatten();
    let hidden: Vec<Vec<u64>> = blocks
        .iter()
        .zip(&whole)
        .zip(own)
        .map(|((block, w), l)| w.iter().zip(l).map(|(w, l)| w.wrapping_add(*l) & ((1 << block.range.bits) - 1)).collect())
        .collect();
    let peer = p.peer();
    let sent = hidden.iter().zip(blocks);
    let round =
        sent.fold(p.round(op, "securenn.range.open"), |round, (x, block)| round.send(peer, Part::bits(x, block.range.bits)));
    let mut round = round.then()?;
    let mut pieces = vec![];
    for (i, ((block, whole), hidden)) in blocks.iter().zip(whole).zip(hidden).enumerate() {
        let (n, bits) = size(block);
        let m = round.bits(peer, n, bits)?.into_iter().zip(hidden).map(|(a, b)| a.wrapping_add(b)).collect();
        pieces.push(piece(block, Share::new(block.shape, Some(tensor(block.shape, m)), masks(i)), whole));
    }
    Ok(pieces)
}

fn piece(block: &Block, low: Share, whole: Vec<u64>) -> Piece {
    Piece { owner: block.owner, range: block.range, one_hot: block.one_hot, low, whole }
}
