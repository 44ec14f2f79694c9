//! ComputeMSB: the top bit of a, shared over Z_(L-1), as a bit shared over Z_L.
//!
//! Source: SecureNN, algorithm 5 (F_MSB). In the odd ring MSB(a) = LSB(2a), and the low bit of 2a + x is that of 2a and x added up
//! unless they wrapped, which is x > r for r = 2a + x. Input: a over Z_(L-1). Output: MSB(a) over Z_L.
//!
//! 1. x uniform in Z_(L-1); P2 deals its bits over Z_p
//! 2. P0 and P1 open r = 2a + x
//! 3. PrivateCompare(x, r, beta) with a common bit beta: P2 has gamma' = beta XOR (x > r)
//! 4. P2 deals g = gamma' XOR x\[0\] over Z_L; MSB(a) = s XOR g = s + (1 - 2s) g with s = beta XOR r\[0\]
//!
//! |            | rounds | bytes an element                                        |
//! |------------|--------|---------------------------------------------------------|
//! | paper      | 5      | 4 l log p + 13 l bits: 328 with 7-bit residues          |
//! | here       | 3      | 192: bits 56, r 16, d 112, g 8                          |
//!
//! Deviations.
//! - x is uniform, so both of its shares come from generators; nothing of x but its bits is sent.
//! - **Step 4.** The paper deals gamma' and x\[0\] apart, and multiplies gamma = gamma' XOR beta with delta = x\[0\] XOR r\[0\] in a MatMul, to get
//!   gamma XOR delta = (gamma' XOR x\[0\]) XOR (beta XOR r\[0\]). P2 knows both bits of the first bracket, P0 and P1 both of the second. So P2
//!   deals the first, and the rest is local: two rounds and six words less. P2 receives what it received before; P0 and P1
//!   receive one uniform share in place of several.
//! - The final zero sharing is left out: g_0 is uniform and used once, so that the output share is uniform already.

use super::private_compare::{self, bits_bytes, deal_bits, private_compare, residues};
use crate::{Id, Pair, Part, Party, Price, Result};
use trefoil_ring::odd;

/// Rounds and bytes for `n` elements.
pub const fn cost(n: usize) -> Price {
    let (ahead, n) = (bits_bytes(n), n as u64);
    let own = Price { rounds: 2, ahead: [0, ahead], servers: 16 * n, from_helper: 8 * n, ..Price::NONE };
    own.then(private_compare::cost(n as usize))
}

/// The top bit of each of `n` elements; `a` and the result are empty at P2.
///
/// # Errors
/// Those of the network.
pub fn compute_msb(p: &mut Party, n: usize, a: &[u64]) -> Result<Vec<u64>> {
    let op = p.op();
    let (x_0, x_1) = ("securenn.compute_msb.x_0", "securenn.compute_msb.x_1");
    match p.id {
        Id::P2 => {
            let (x_0, x_1) = (p.draw(op, Pair::K02, x_0)?.odds(n), p.draw(op, Pair::K12, x_1)?.odds(n));
            let x: Vec<u64> = x_0.iter().zip(&x_1).map(|(a, b)| odd::add(*a, *b)).collect();
            let bits = deal_bits(p, op, n, &x)?;
            p.offline(op, "securenn.compute_msb.bits").send(Id::P1, Part::residues(&bits)).then()?;
            let gamma = private_compare(p, n, &[], &[], &[])?;
            let g_0 = p.draw(op, Pair::K02, "securenn.compute_msb.g_0")?.words(n);
            let g_1: Vec<u64> = (0..n).map(|i| (gamma[i] ^ (x[i] & 1)).wrapping_sub(g_0[i])).collect();
            p.round(op, "securenn.compute_msb.g").send(Id::P1, Part::words(&g_1)).then()?;
            Ok(vec![])
        }
        id => {
            let (pair, label) = if id == Id::P0 { (Pair::K02, x_0) } else { (Pair::K12, x_1) };
            let x = p.draw(op, pair, label)?.odds(n);
            let beta = p.draw(op, Pair::K01, "securenn.compute_msb.beta")?.bits(n, 1);
            let bits = match id {
                Id::P0 => deal_bits(p, op, n, &[])?,
                _ => p.offline(op, "securenn.compute_msb.bits").then()?.residues(Id::P2, residues(n))?,
            };
            let r: Vec<u64> = a.iter().zip(&x).map(|(a, x)| odd::add(odd::add(*a, *a), *x)).collect();
            let peer = p.peer();
            let theirs = p.round(op, "securenn.compute_msb.r").send(peer, Part::odds(&r)).then()?.odds(peer, n)?;
            let r: Vec<u64> = r.iter().zip(&theirs).map(|(a, b)| odd::add(*a, *b)).collect();
            private_compare(p, n, &bits, &r, &beta)?;
            let g = match id {
                Id::P0 => p.draw(op, Pair::K02, "securenn.compute_msb.g_0")?.words(n),
                _ => p.round(op, "securenn.compute_msb.g").then()?.words(Id::P2, n)?,
            };
            let one = u64::from(id == Id::P0);
            Ok((0..n)
                .map(|i| {
                    let s = beta[i] ^ (r[i] & 1);
                    (one * s).wrapping_add(g[i].wrapping_mul(1u64.wrapping_sub(2 * s)))
                })
                .collect())
        }
    }
}
