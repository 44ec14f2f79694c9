//! What owners promise of their words, and the check of it on shares. The protocol is in masked/range.rs for `masked` and `securenn`, and in masked/verified/range.rs.

use crate::masked::range::{Piece, Sums};
use crate::{Kept, Party, Result, Suite};

/// Elements that are checked in the same rounds, about.
const BATCH: usize = 1 << 20;
/// Matrices that are checked in the same rounds, at most: each is a tensor of a frame, which has at most 255.
const MATRICES: usize = 200;

/// Integers x with 0 <= x < 2^bits, or with -2^(bits-1) <= x < 2^(bits-1); 1 to 63 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// How many bits.
    pub bits: u8,
    /// Whether half of them are below zero.
    pub signed: bool,
}

impl Range {
    /// What makes them all non-negative.
    pub const fn offset(self) -> u64 {
        if self.signed { 1 << (self.bits - 1) } else { 0 }
    }
}

/// A matrix as an owner handed it in, and what is promised of it.
#[derive(Clone)]
pub struct Block {
    /// Whose it is: a number below that of owners.
    pub owner: usize,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Of every element.
    pub range: Range,
    /// Whether each row is to have a single 1, and 0 elsewhere.
    pub one_hot: bool,
    /// What [`Suite::accept`] kept of it.
    pub kept: Kept,
}

impl Block {
    /// The same in pieces of whole rows, none of much more than `most` elements.
    pub(crate) fn split(&self, most: usize) -> impl Iterator<Item = Block> {
        let [rows, columns] = self.shape;
        let most = (most / columns.max(1)).max(1);
        (0..rows).step_by(most).map(move |first| {
            let rows = most.min(rows - first);
            Block { shape: [rows, columns], kept: self.kept.rows(columns, first..first + rows), ..*self }
        })
    }
}

/// For each of `owners` a count of violations, opened to all three parties: 0 if all of its words keep their promise. What else is counted is the suite's.
///
/// The three parties have the same `coin`, and no owner knew it when it sent its words.
///
/// # Errors
/// Those of the network.
pub fn violations<S: Suite>(suite: &mut S, coin: &[u8; 32], owners: usize, blocks: &[Block]) -> Result<Vec<u64>> {
    suite.violations(coin, owners, blocks)
}

/// Blocks that are checked in the same rounds: pieces of about `elements` in all, and of at most so many matrices.
pub(crate) fn together(blocks: &[Block], elements: usize, matrices: usize) -> impl Iterator<Item = Vec<Block>> {
    let mut pieces = blocks.iter().flat_map(move |block| block.split(elements));
    std::iter::from_fn(move || {
        let (mut batch, mut size) = (vec![], 0);
        while size < elements && batch.len() < matrices {
            let Some(block) = pieces.next() else { break };
            size += block.shape[0] * block.shape[1];
            batch.push(block);
        }
        (!batch.is_empty()).then_some(batch)
    })
}

/// Counts how many of 64 random sums over an owner's words are not zero. A violation goes unnoticed with a chance below 2^-63.
pub(crate) fn by_sums(
    p: &mut Party,
    coin: &[u8; 32],
    owners: usize,
    blocks: &[Block],
    made: impl Fn(&mut Party, &[Block]) -> Result<Vec<Piece>>,
) -> Result<Vec<u64>> {
    let mut sums = Sums::new(coin, owners);
    for blocks in together(blocks, BATCH, MATRICES) {
        let pieces = made(p, &blocks)?;
        sums.add(p, &pieces)?;
    }
    sums.violations(p)
}
