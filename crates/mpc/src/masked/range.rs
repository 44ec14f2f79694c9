//! Whether every word that owners have handed in keeps its promise: x + o in \[0, 2^k), with o = 0 or 2^(k-1). Opened is one count for each
//! owner, which is 0 for an honest one.
//!
//! A word from an owner is any of 2^64. A comparison as wide as that costs 53 bytes; here only the k lower bits are compared, and whether
//! the upper ones are zero is asked of random sums over all words. Worked out in docs/masked.md, "Range check".
//!
//! Input, for each element: the k lower bits of x + o as a masked number, M at the servers and l = l_0 + l_1 at P2 (all mod 2^k), and all of
//! x + o as w_0 at P0 plus w_1 at P1. In `masked` both are there: w_0 = m + o - l_0, w_1 = -l_1. In `securenn` w_j is the share, and its
//! lower bits are brought under masks first (securenn/range.rs).
//!
//! (x + o) mod 2^k = M - l + 2^k \[M < l\]. So the element is in range if and only if
//!
//!   v = w_0 + w_1 - M + l - 2^k \[M < l\]
//!
//! is zero modulo 2^64, and v is a multiple of 2^k in any case.
//! - the first rounds, three for many words: the borrow \[M < l\] = m_b XOR l_b (drelu.rs). As a number it is m_b + t l_b, t = 1 - 2 m_b.
//! - ahead of time, P2: A = l_b modulo 2^(64-k), additively: A_0 from k02, A_1 sent to P1. The servers' parts of v are then local,
//!   v_0 = w_0 - M - 2^k (m_b + t A_0) and v_1 = w_1 - 2^k t A_1, and P2's is v_2 = l.
//! - One-hot rows have one element more, their sum less 1.
//! - All three add up, in 64 sums for each owner, the elements that common random bits pick (`Sums::add`): first the rows, then what is
//!   left. The bits come from a coin that nobody knew when the owner sent its words.
//! - At the end P2 deals its sums G = G_0 + G_1, and P0 and P1 exchange S_j + G_j + r_j, r_0 from k02 and r_1 from k12: the sums are masked
//!   numbers s. \[s >= 0\] AND \[-s >= 0\] is \[s = 0\], and the number of sums that are not zero is opened: 6 rounds in all, or 7 for many owners. P0 tells P2.
//!
//! **Sound**: a sum that random bits pick from words that are not all zero is zero with a chance of at most 1/2, whatever these words are:
//! the bit of one that is not zero decides. 64 sums, twice: a violation passes with a chance below 2^-63.
//!
//! **Private**: P0 and P1 see what DReLU shows them, A_1 hidden by A_0, G_1 by G_0, and the sums under r. P2 receives nothing but the count. The count
//! tells of the words of its owner alone, and nothing if they keep their promise.
//!
//! |                    | rounds | bits an element ahead of time | bits an element in the rounds |
//! |--------------------|--------|-------------------------------|-------------------------------|
//! | k = 8, a pixel     | 3      | 33 + 56                       | 10                            |
//! | k = 16, a number   | 3      | 79 + 48                       | 18                            |
//! | k = 1, a label     | 3      | 2 + 63                        | 6                             |

use super::deal::{Deal, Of};
use super::matrix::{elements, tensor};
use super::share::{Share, reconstruct, reconstruct_cost};
use super::{Bit, and, drelu, product::packed, select};
use crate::range::Range;
use crate::secure::Shares;
use crate::{Id, Pair, Part, Party, Prg, Price, Result};
use trefoil_engine::Sum;
use trefoil_ring::{Tensor, matrix, planes, words};

/// Sums for each owner: one for each bit of a word.
const SUMS: usize = 64;
/// Bits of a number from 0 to [`SUMS`].
const COUNT: u8 = 7;

/// Elements to be checked, as one party sees them.
pub struct Piece {
    /// Whose they are: a number below that of owners.
    pub owner: usize,
    /// What they promise.
    pub range: Range,
    /// Whether each row is to add up to 1.
    pub one_hot: bool,
    /// x + o, of which only the k lower bits count.
    pub low: Share,
    /// w_0 at P0, w_1 at P1; empty at P2.
    pub whole: Vec<u64>,
}

/// For `n` elements that promise `range`.
pub fn cost(n: usize, range: Range) -> Price {
    drelu::borrow_cost(n, range.bits).then(Price::of(0, [0, packed(n, 64 - range.bits)], 0))
}

/// The same for the end of the check, for all of `owners`.
pub fn total_cost(owners: usize) -> Price {
    let n = owners * SUMS;
    let masked = Price::of(1, [0, 8 * n as u64], 16 * n as u64);
    let signs = drelu::costs(&[(n, 63); 2]);
    let zeros = and::all_cost(2, n).then(select::cost(n, false));
    // P0 tells P2 the counts, which the servers have by then.
    let open = reconstruct_cost(owners).then(Price::of(0, [0, 0], packed(owners, COUNT)));
    masked.then(signs).then(zeros).then(open)
}

/// A party's parts of the sums over all that has been added so far.
pub struct Sums {
    coin: Prg,
    of: Vec<[u64; SUMS]>,
}

impl Sums {
    /// Sums for so many owners. The three parties have the same `coin`, and no owner knew it when it sent its words.
    pub fn new(coin: &[u8; 32], owners: usize) -> Sums {
        Sums { coin: Prg::from_seed(coin), of: vec![[0; SUMS]; owners] }
    }

    /// Adds pieces, in the rounds of a comparison.
    ///
    /// # Errors
    /// Those of the network.
    pub fn add(&mut self, p: &mut Party, pieces: &[Piece]) -> Result<()> {
        let low: Vec<_> = pieces.iter().map(|piece| (&piece.low, piece.range.bits)).collect();
        let sizes: Vec<_> = low.iter().map(|(x, bits)| (x.len(), *bits)).collect();
        let borrow = drelu::borrow(p, &low, &drelu::Layout::best(&sizes), &[], &mut ())?;
        let dealt = deal_masks(p, pieces, &borrow)?;
        for ((piece, borrow), a) in pieces.iter().zip(&borrow).zip(&dealt) {
            let v = excess(p.id, piece, &borrow.open, a);
            let [rows, columns] = piece.low.shape;
            let sums = Tensor::from_shape_fn((rows, usize::from(piece.one_hot)), |(i, _)| {
                let row = piece.whole.iter().skip(i * columns).take(columns);
                let minus = u64::from(p.id == Id::P0);
                row.fold(0u64, |sum, w| sum.wrapping_add(*w)).wrapping_sub(minus)
            });
            self.pick(piece.owner, &tensor([rows, columns], v));
            self.pick(piece.owner, &sums);
        }
        Ok(())
    }

    /// Adds the elements of `v` to the owner's sums: of the rows those that a random word for each names, and the same of what comes out.
    fn pick(&mut self, owner: usize, v: &Tensor) {
        let rows = self.coin.words(v.nrows());
        let rows = Tensor::from_shape_fn((SUMS, rows.len()), |(sum, i)| rows[i] >> sum & 1);
        let v = matrix::product(&rows, false, v, false);
        for (v, word) in v.iter().zip(self.coin.words(v.len())) {
            for (i, sum) in self.of[owner].iter_mut().enumerate() {
                *sum = sum.wrapping_add(v & (word >> i & 1).wrapping_neg());
            }
        }
    }

    /// For each owner the number of its sums that are not zero: 0 if all of its elements keep their promise.
    ///
    /// # Errors
    /// Those of the network.
    pub fn violations(self, p: &mut Party) -> Result<Vec<u64>> {
        let owners = self.of.len();
        let shape = [owners, SUMS];
        let s = masked(p, shape, self.of.concat())?;
        let negated = s.linear(shape, words::neg);
        let signs = drelu::drelu(p, &[(&s, 64), (&negated, 64)], &[])?;
        let zero = and::all(p, &signs.iter().collect::<Vec<&Bit>>())?;
        let one = Share::public(p, &Tensor::ones((shape[0], shape[1])));
        let zero = select::select(p, &[(&zero, &one)])?.swap_remove(0);
        let zeros = reconstruct(p, &zero.sum(Sum::Cols))?;
        let counts = zeros.map(|zeros| zeros.iter().map(|n| (SUMS as u64).wrapping_sub(*n)).collect::<Vec<u64>>());
        let (op, label) = (p.op(), "masked.range.tell");
        match counts {
            Some(counts) if p.id == Id::P0 => {
                p.round(op, label).send(Id::P2, Part::bits(&counts, COUNT)).then()?;
                Ok(counts)
            }
            Some(counts) => Ok(counts),
            None => p.round(op, label).then()?.bits(Id::P0, owners, COUNT),
        }
    }
}

/// A_j at the servers; empty at P2, which deals them.
fn deal_masks(p: &mut Party, pieces: &[Piece], borrow: &[and::Vars]) -> Result<Vec<Vec<u64>>> {
    let (op, label) = (p.op(), "masked.range.deal");
    let size = |piece: &Piece| (piece.low.len(), 64 - piece.range.bits);
    let id = p.id;
    let mut deal = Deal::open(p, op, label, &[("masked.range.A_0", Pair::K02)])?;
    if id != Id::P2 {
        return pieces.iter().map(|piece| deal.take(0, size(piece).0, Of::Bits(size(piece).1))).collect();
    }
    for (piece, borrow) in pieces.iter().zip(borrow) {
        let (n, bits) = size(piece);
        let l_b = planes::spread(&borrow.mu, n);
        deal.give(0, n, Of::Bits(bits), |a| {
            a.iter_mut().zip(l_b).for_each(|(a, l_b)| *a = l_b.wrapping_sub(*a) & ((1 << bits) - 1));
        });
    }
    deal.done()?;
    Ok(vec![vec![]; pieces.len()])
}

/// This party's part of v, which is zero where the element is in range.
fn excess(id: Id, piece: &Piece, m_b: &[u64], a: &[u64]) -> Vec<u64> {
    let k = piece.range.bits;
    let low = |x: &u64| x & ((1 << k) - 1);
    if id == Id::P2 {
        return elements(piece.low.full_mask().as_ref()).iter().map(low).collect();
    }
    let m_b = planes::spread(m_b, a.len());
    // t A_j: A_j or its negative.
    let signed = a.iter().zip(&m_b).map(|(a, m_b)| (a ^ m_b.wrapping_neg()).wrapping_add(*m_b));
    let whole = piece.whole.iter().zip(signed);
    match id {
        Id::P0 => whole
            .zip(elements(piece.low.m()))
            .zip(&m_b)
            .map(|(((w, a), m), m_b)| w.wrapping_sub(low(m)).wrapping_sub(m_b.wrapping_add(a) << k))
            .collect(),
        _ => whole.map(|(w, a)| w.wrapping_sub(a << k)).collect(),
    }
}

/// The masked matrix of which each party holds an addend, in one round.
///
/// # Errors
/// Those of the network.
pub fn masked(p: &mut Party, shape: [usize; 2], own: Vec<u64>) -> Result<Share> {
    let (op, n, id) = (p.op(), own.len(), p.id);
    let (r_0, r_1) = ("masked.range.r_0", "masked.range.r_1");
    let plus = |x: &[u64], y: &[u64]| -> Vec<u64> { x.iter().zip(y).map(|(x, y)| x.wrapping_add(*y)).collect() };
    let mut deal = Deal::open(p, op, "masked.range.total", &[("masked.range.G_0", Pair::K02)])?;
    deal.give(0, n, Of::Words, |g| g.iter_mut().zip(&own).for_each(|(g, own)| *g = own.wrapping_sub(*g)));
    let g = deal.take(0, n, Of::Words)?;
    deal.done()?;
    if id == Id::P2 {
        let (r_0, r_1) = (p.draw(op, Pair::K02, r_0)?.words(n), p.draw(op, Pair::K12, r_1)?.words(n));
        return Ok(Share::new(shape, None, [Some(tensor(shape, r_0)), Some(tensor(shape, r_1))]));
    }
    let r = p.draw(op, Pair::of(p.id, Id::P2), if p.id == Id::P0 { r_0 } else { r_1 })?.words(n);
    let (peer, z) = (p.peer(), plus(&plus(&own, &g), &r));
    let theirs = p.round(op, "masked.range.open").send(peer, Part::words(&z)).then()?.words(peer, n)?;
    let r = Some(tensor(shape, r));
    let l = if p.id == Id::P0 { [r, None] } else { [None, r] };
    Ok(Share::new(shape, Some(tensor(shape, plus(&z, &theirs))), l))
}
