//! ShareConvert: shares over Z_L to shares of the same integer over Z_(L-1), L = 2^64.
//!
//! Source: SecureNN, algorithm 4 (F_SC), with the corrections of docs/errata.md: eta enters with a plus and delta with a plus, and the
//! comparison is with r - 1. Input: a over Z_L, a != L - 1. Output: y over Z_(L-1), y = a.
//!
//! common (k01): r = r_0 + r_1, alpha = wrap(r_0, r_1), the bit eta''
//! 1. a~_j = a_j + r_j, beta_j = wrap(a_j, r_j); a~_j to P2
//! 2. P2: x = a~_0 + a~_1, delta = wrap(a~_0, a~_1); deals the bits of x over Z_p and delta over Z_(L-1)
//! 3. PrivateCompare(x, r - 1, eta''), so P2 has eta' = eta'' XOR (x > r - 1), and deals it over Z_(L-1)
//! 4. eta_j = eta'_j + (1 - j) eta'' - 2 eta'' eta'_j. Where r = 0 both take eta = 1 (shares 1 and 0) and ignore eta'
//! 5. theta_j = beta_j + delta_j + eta_j, and P0 adds -alpha - 1; y_j = a_j - theta_j
//!
//! |            | rounds | bytes an element                                                     |
//! |------------|--------|----------------------------------------------------------------------|
//! | paper      | 4      | 4 l log p + 6 l bits: 272 with 7-bit residues                        |
//! | here       | 4      | 200: a~ 16, bits 56, delta 8, d 112, eta' 8                          |
//!
//! Deviations: of each pair of shares that P2 deals, P0's comes from their generator; the final zero sharing is left out, since
//! delta_0 is uniform over Z_(L-1) and used once, so that y_j is uniform already.

use super::private_compare::{self, bits_bytes, deal_bits, private_compare, residues};
use crate::{Id, Pair, Part, Party, Price, Result};
use trefoil_ring::odd;

/// Rounds and bytes for `n` elements.
pub const fn cost(n: usize) -> Price {
    let own = Price { rounds: 3, to_helper: 16 * n as u64, from_helper: bits_bytes(n) + 16 * n as u64, ..Price::NONE };
    own.then(private_compare::cost(n))
}

/// y over Z_(L-1) from `a` over Z_L, `n` elements; `a` and y are empty at P2.
///
/// # Errors
/// Those of the network.
pub fn share_convert(p: &mut Party, n: usize, a: &[u64]) -> Result<Vec<u64>> {
    let op = p.op();
    match p.id {
        Id::P2 => {
            let mut from = p.round(op, "securenn.share_convert.a").then()?;
            let (a_0, a_1) = (from.words(Id::P0, n)?, from.words(Id::P1, n)?);
            drop(from);
            let x: Vec<u64> = a_0.iter().zip(&a_1).map(|(a, b)| a.wrapping_add(*b)).collect();
            let delta = a_0.iter().zip(&a_1).map(|(a, b)| odd::wrap(*a, *b).into());
            let bits = deal_bits(p, op, n, &x)?;
            let delta = deal_odd(p, op, n, "securenn.share_convert.delta_0", delta)?;
            p.round(op, "securenn.share_convert.deal")
                .send(Id::P1, Part::residues(&bits))
                .send(Id::P1, Part::odds(&delta))
                .then()?;
            let eta = private_compare(p, n, &[], &[], &[])?;
            let eta = deal_odd(p, op, n, "securenn.share_convert.eta_0", eta.into_iter())?;
            p.round(op, "securenn.share_convert.eta").send(Id::P1, Part::odds(&eta)).then()?;
            Ok(vec![])
        }
        id => {
            let r_0 = p.draw(op, Pair::K01, "securenn.share_convert.r_0")?.words(n);
            let r_1 = p.draw(op, Pair::K01, "securenn.share_convert.r_1")?.words(n);
            let eta_2 = p.draw(op, Pair::K01, "securenn.share_convert.eta''")?.bits(n, 1);
            let r_j = if id == Id::P0 { &r_0 } else { &r_1 };
            let a_r: Vec<u64> = a.iter().zip(r_j).map(|(a, r)| a.wrapping_add(*r)).collect();
            p.round(op, "securenn.share_convert.a").send(Id::P2, Part::words(&a_r)).then()?;
            let (bits, delta) = match id {
                Id::P0 => (deal_bits(p, op, n, &[])?, p.draw(op, Pair::K02, "securenn.share_convert.delta_0")?.odds(n)),
                _ => {
                    let mut from = p.round(op, "securenn.share_convert.deal").then()?;
                    (from.residues(Id::P2, residues(n))?, from.odds(Id::P2, n)?)
                }
            };
            let r: Vec<u64> = r_0.iter().zip(&r_1).map(|(a, b)| a.wrapping_add(*b)).collect();
            let r_minus_1: Vec<u64> = r.iter().map(|r| r.wrapping_sub(1)).collect();
            private_compare(p, n, &bits, &r_minus_1, &eta_2)?;
            let eta_1 = match id {
                Id::P0 => p.draw(op, Pair::K02, "securenn.share_convert.eta_0")?.odds(n),
                _ => p.round(op, "securenn.share_convert.eta").then()?.odds(Id::P2, n)?,
            };
            let one = u64::from(id == Id::P0);
            Ok((0..n)
                .map(|i| {
                    let alpha = u64::from(odd::wrap(r_0[i], r_1[i]));
                    let beta = u64::from(odd::wrap(a[i], r_j[i]));
                    // eta = eta' where eta'' = 0, 1 - eta' where it is 1, 1 where r = 0. Masks instead of branches.
                    let negated = odd::sub(one * eta_2[i], eta_1[i]);
                    let eta = pick(eta_2[i], negated, eta_1[i]);
                    let eta = pick(u64::from(r[i] == 0), one, eta);
                    let theta = odd::add(odd::add(beta, delta[i]), odd::sub(eta, one * (alpha + 1)));
                    odd::sub(odd::from_word(a[i]), theta)
                })
                .collect())
        }
    }
}

/// a where the bit is 1, b where it is 0.
fn pick(bit: u64, a: u64, b: u64) -> u64 {
    let mask = bit.wrapping_neg();
    (a & mask) | (b & !mask)
}

/// P1's share over Z_(L-1) of values that P2 knows; P0's comes from their generator.
fn deal_odd(p: &mut Party, op: crate::Op, n: usize, label: &'static str, x: impl Iterator<Item = u64>) -> Result<Vec<u64>> {
    let share_0 = p.draw(op, Pair::K02, label)?.odds(n);
    Ok(x.zip(share_0).map(|(x, x_0)| odd::sub(x, x_0)).collect())
}
