//! PrivateCompare: P2 learns beta XOR (x > r), and nothing else; P0 and P1 learn nothing.
//!
//! Source: SecureNN, algorithm 3 (F_PC). Inputs: the bits of x, shared over Z_p, p = 67, between P0 and P1; r and beta, known to
//! both. Output: a bit at P2. For i from the top bit down, on shares (j is the server), with t = r + 1:
//!
//! - beta = 0:             w_i = x_i + j r_i - 2 r_i x_i,  c_i =  j r_i - x_i + j + sum_(k>i) w_k
//! - beta = 1, r != L - 1: w_i = x_i + j t_i - 2 t_i x_i,  c_i = -j t_i + x_i + j + sum_(k>i) w_k
//! - beta = 1, r  = L - 1: c_i = 0 at P0; at P1 1 for i > 0 and 0 for i = 0
//!
//! d = pi(s_i c_i + z_i) goes to P2, which finds a zero or none.
//!
//! |            | rounds | bytes an element            |
//! |------------|--------|-----------------------------|
//! | paper      | 1      | 128 (2 l residues of 8 bits)|
//! | here       | 1      | 112 (7 bits), n rounded up to whole blocks of 64 |
//!
//! Deviations.
//! - **The zero sharing z_i** (P0 adds, P1 subtracts) is not in the paper's listing. Without it P2, which dealt both shares of the bits
//!   of x, learns r and beta from the ratio of the two shares that it receives, which cancels s_i: see docs/private-compare.md and
//!   the example `private_compare_leak`. Public implementations leave it out.
//! - **pi is a uniform rotation**, not a uniform permutation. At most one c_i is zero. The others times s_i are uniform and independent
//!   in 1..66, and the shares of each d_i are uniform given d_i. So all that P2 sees beyond the output bit is the place of the zero,
//!   and a uniform rotation makes that uniform too: the view is the same, for 6 random bits in place of 63 draws.
//! - Bits lie 64 elements side by side, bit by bit, so that the compiler works on 64 residues at once.

use crate::{Id, Pair, Part, Party, Price, Result};
use trefoil_ring::residue::{P, Residue};

/// Bits of an element, and elements of a block: block k holds bit i of its e-th element at `64 (64 k + i) + e`.
pub const L: usize = 64;

/// The bits of every x as residues, in blocks of 64 elements; the last block is filled up with zeros.
pub fn bits_of(x: &[u64]) -> Vec<Residue> {
    let mut out = vec![Residue::ZERO; residues(x.len())];
    for (block, x) in out.as_chunks_mut::<{ L * L }>().0.iter_mut().zip(x.chunks(L)) {
        for (i, row) in block.as_chunks_mut::<L>().0.iter_mut().enumerate() {
            row.iter_mut().zip(x).for_each(|(bit, x)| *bit = Residue::from_bit(x >> i & 1));
        }
    }
    out
}

/// How many residues the bits of `n` elements take.
pub const fn residues(n: usize) -> usize {
    n.div_ceil(L) * L * L
}

/// Bytes of the bits of `n` elements, one share: 56 an element in whole blocks of 64.
pub const fn bits_bytes(n: usize) -> u64 {
    residues(n) as u64 / 8 * 7
}

/// Rounds and bytes for `n` elements.
pub const fn cost(n: usize) -> Price {
    Price { rounds: 1, to_helper: 2 * bits_bytes(n), ..Price::NONE }
}

/// P2 deals the bits of x, which it knows: P0's share comes from their generator, P1's is left to be sent with
/// whatever else P2 has for it. Gives P_j its share at P0, and what P1 must be sent at P2.
///
/// # Errors
/// A reused address.
pub fn deal_bits(p: &mut Party, op: crate::Op, n: usize, x: &[u64]) -> Result<Vec<Residue>> {
    let mut share = p.draw(op, Pair::K02, "securenn.private_compare.bits")?.residues(residues(n));
    if p.id == Id::P2 {
        share.iter_mut().zip(bits_of(x)).for_each(|(s, bit)| *s = bit - *s);
    }
    Ok(share)
}

/// At P0 and P1: `x` are the shares of the bits, `r` and `beta` (0 or 1) common, one for each of `n` elements; at P2 all three are
/// empty. P2 gets beta XOR (x > r) for each element, the servers nothing.
///
/// # Errors
/// Those of the network.
pub fn private_compare(p: &mut Party, n: usize, x: &[Residue], r: &[u64], beta: &[u64]) -> Result<Vec<u64>> {
    let (op, label) = (p.op(), "securenn.private_compare.d");
    let count = residues(n);
    if p.id == Id::P2 {
        let mut from = p.round(op, label).then()?;
        let (d_0, d_1) = (from.residues(Id::P0, count)?, from.residues(Id::P1, count)?);
        return Ok(find_zeros(n, &d_0, &d_1));
    }
    let s = p.draw(op, Pair::K01, "securenn.private_compare.s")?.nonzero_residues(count);
    let z = p.draw(op, Pair::K01, "securenn.private_compare.z")?.residues(count);
    let pi = p.draw(op, Pair::K01, "securenn.private_compare.pi")?.bits(n, 6);
    let mut d = vec![Residue::ZERO; count];
    let blocks = d.as_chunks_mut::<{ L * L }>().0.iter_mut();
    let inputs = x.as_chunks().0.iter().zip(s.as_chunks().0).zip(z.as_chunks().0);
    for (k, (d, ((x, s), z))) in blocks.zip(inputs).enumerate() {
        let of = |all: &[u64]| -> [u64; L] { std::array::from_fn(|e| all.get(k * L + e).copied().unwrap_or(0)) };
        compare_block(p.id == Id::P1, x, &of(r), &of(beta), s, z, &of(&pi), d);
    }
    p.round(op, label).send(Id::P2, Part::residues(&d)).then()?;
    Ok(vec![])
}

/// 1 for each element that has a zero among its d_i = d_0 + d_1.
fn find_zeros(n: usize, d_0: &[Residue], d_1: &[Residue]) -> Vec<u64> {
    let mut out = Vec::with_capacity(n.next_multiple_of(L));
    for (d_0, d_1) in d_0.as_chunks::<{ L * L }>().0.iter().zip(d_1.as_chunks::<{ L * L }>().0) {
        let mut found = [0u8; L];
        for (d_0, d_1) in d_0.as_chunks::<L>().0.iter().zip(d_1.as_chunks::<L>().0) {
            for e in 0..L {
                let sum = d_0[e].get() + d_1[e].get();
                found[e] |= u8::from(sum == 0) | u8::from(sum == P);
            }
        }
        out.extend(found.map(u64::from));
    }
    out.truncate(n);
    out
}

type Block = [Residue; L * L];

/// d for 64 elements, at the server j. Values stay unreduced below 2^16 until the end; no branch depends on data.
#[allow(clippy::too_many_arguments)] // one for each letter of the algorithm
fn compare_block(j: bool, x: &Block, r: &[u64; L], beta: &[u64; L], s: &Block, z: &Block, pi: &[u64; L], d: &mut Block) {
    let p = u16::from(P);
    let j = u16::from(j);
    // The number to compare with, r or t; `edge` marks beta = 1 and r = L - 1.
    let t: [u64; L] = std::array::from_fn(|e| r[e].wrapping_add(beta[e]));
    let edge: [u16; L] = std::array::from_fn(|e| u16::from(beta[e] == 1 && r[e] == u64::MAX));
    let beta: [u16; L] = std::array::from_fn(|e| beta[e] as u16);
    let mut w_above = [0u16; L];
    let mut masked = [[0u8; L]; L];
    for i in (0..L).rev() {
        let row: &[Residue; L] = &x.as_chunks().0[i];
        let (s, z): (&[Residue; L], &[Residue; L]) = (&s.as_chunks().0[i], &z.as_chunks().0[i]);
        let bit: [u16; L] = std::array::from_fn(|e| (t[e] >> i & 1) as u16);
        let lowest = u16::from(i > 0);
        masked[i] = std::array::from_fn(|e| {
            let (x, bit) = (u16::from(row[e].get()), bit[e]);
            // beta = 0: j r_i - x_i; beta = 1: x_i - j t_i. Both without leaving 0..=2p.
            let plain = j * bit + p - x;
            let flipped = x + p - j * bit;
            let c = plain * (1 - beta[e]) + flipped * beta[e] + j + w_above[e];
            let c = c * (1 - edge[e]) + j * lowest * edge[e];
            let product = u32::from(c % p) * u32::from(s[e].get());
            let z = u16::from(z[e].get());
            let z = (1 - j) * z + j * (p - z);
            ((product as u16 + z) % p) as u8
        });
        for e in 0..L {
            let (x, bit) = (u16::from(row[e].get()), bit[e]);
            // w_i = x_i + j bit - 2 bit x_i: x_i where the bit is 0, j - x_i where it is 1.
            w_above[e] += x * (1 - bit) + (j + p - x) * bit;
        }
    }
    rotate(&mut masked, pi);
    for (d, row) in d.as_chunks_mut::<L>().0.iter_mut().zip(masked) {
        *d = row.map(Residue::reduce);
    }
}

/// Moves the bits of element e down by pi\[e\] places, around. In six steps of masks, so that no place is looked up by a secret.
fn rotate(rows: &mut [[u8; L]; L], pi: &[u64; L]) {
    for step in 0..6 {
        let by = 1 << step;
        let mask: [u8; L] = std::array::from_fn(|e| ((pi[e] >> step & 1) as u8).wrapping_neg());
        let old = *rows;
        for (i, row) in rows.iter_mut().enumerate() {
            let from = &old[(i + L - by) % L];
            for e in 0..L {
                row[e] = (row[e] & !mask[e]) | (from[e] & mask[e]);
            }
        }
    }
}
