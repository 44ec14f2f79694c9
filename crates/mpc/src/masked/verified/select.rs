//! Select of which every message is proven: b x for a bit b and a number x, in one round.
//!
//! The messages are those of [`select`](super::super::select). What differs is the bit, b = m_b XOR l_b with l_b = l_b0 XOR l_b1: P0 and P2 know l_b0, P1 and P2 know l_b1, so that a claim can be made
//! about it; and that all is dealt to P1. A_0, B_0 and r_0 come from k02, r_1 from k12; P1 is sent A_1 = l_b - A_0 and B_1 = l_b l_x - B_0. With t = 1 - 2 m_b:
//! - P0 to P1: z_0 = -m_b l_x0 + t (A_0 m_x - B_0) + r_0
//! - P1 to P0: z_1 = m_b m_x - m_b l_x1 + t (A_1 m_x - B_1) + r_1
//!
//! m = z_0 + z_1 under the masks r_0 and r_1.
//!
//! | proves | claims, of which the first verifier knows the first factor of each product | first, second |
//! |---|---|---|
//! | P2 | A_0 + A_1 - l_b0 - l_b1 + 2 l_b1 l_b0 = 0 | P1, P0 |
//! | P2 | B_0 + B_1 - A_0 l_x0 - A_1 l_x1 - A_1 l_x0 - l_x1 A_0 = 0 | P1, P0 |
//! | P_j | z_j - j m_b m_x + m_b l_xj - (t m_x) A_j + t B_j - r_j = 0 | the other server, P2 |
//!
//! **Private**, whatever a party has sent before: A_1 and B_1 are hidden by A_0 and B_0, which P1 lacks, and z_j by r_j. Counted in full in `crates/mpc/tests/protocols/proven_select.rs`.
//!
//! 1 round; 16 bytes an element ahead of time and 16 in the round, and 8 ahead for a second Select by the same bit.

use super::super::deal::{Deal, Kind, Of};
use super::super::matrix::{elements, tensor};
use super::super::product::share;
use super::super::share::Share;
use super::{Bit, exchanged};
use crate::proof::Claim;
use crate::{Error, Id, Pair, Party, Price, Result};

const DEAL: &str = "verified.select.deal";
const OPEN: &str = "verified.select.open";
const KINDS: [Kind; 2] = [("verified.select.A_0", Pair::K02), ("verified.select.B_0", Pair::K02)];
const A: usize = 0;
const B: usize = 1;

/// For `n` elements; `again`: the bits have been used by a Select before.
pub const fn cost(n: usize, again: bool) -> Price {
    let n = n as u64;
    Price::of(1, [0, if again { 8 * n } else { 16 * n }], 16 * n)
}

/// z_j of one element, for a bit m_b of 0 or 1.
pub fn half(first: bool, [m_b, m_x]: [u64; 2], l_x: u64, [a, b, r]: [u64; 3]) -> u64 {
    let open = if first { 0 } else { m_x };
    let t = 1u64.wrapping_sub(m_b << 1);
    let dealt = t.wrapping_mul(a.wrapping_mul(m_x).wrapping_sub(b));
    m_b.wrapping_mul(open.wrapping_sub(l_x)).wrapping_add(dealt).wrapping_add(r)
}

/// b x for each (b, x), in one round, with its claims.
///
/// # Errors
/// Those of the network; [`Error::Unproven`] if a number waits for a lift of which nothing is claimed.
pub fn select(p: &mut Party, work: &[(&Bit, &Share)]) -> Result<Vec<Share>> {
    let op = p.op();
    if work.iter().any(|(_, x)| x.pending().is_some()) {
        return Err(Error::Unproven { at: p.at(op), what: "a Select of numbers that wait for a lift" });
    }
    let of = |p: &mut Party, pair, label| p.draw(op, pair, label).map(Some);
    let mut r_0 = if p.id == Id::P1 { None } else { of(p, Pair::K02, "verified.select.r_0")? };
    let mut r_1 = if p.id == Id::P0 { None } else { of(p, Pair::K12, "verified.select.r_1")? };
    let mut deal = Deal::open(p, op, DEAL, &KINDS)?;
    let mut dealt = vec![];
    for (bit, x) in work {
        let n = x.len();
        let r = [&mut r_0, &mut r_1].map(|r| r.as_mut().map_or_else(Vec::new, |r| r.words(n)));
        let [l_b0, l_b1] = bit.l.each_ref().map(|l| bit.words(l.as_ref()));
        let [l_x0, l_x1] = x.masks();
        let l_b = |i: usize| l_b0[i] ^ l_b1[i];
        let again = bit.a.get().is_some();
        let a = match bit.a.get() {
            Some(a) => a.clone(),
            None => two(&mut deal, A, n, l_b)?,
        };
        let _ = bit.a.set(a.clone());
        let b = two(&mut deal, B, n, |i| l_b(i).wrapping_mul(l_x0[i].wrapping_add(l_x1[i])))?;
        dealt.push(Dealt { again, a, b, r });
    }
    deal.done()?;
    if p.id == Id::P2 {
        let claimed = work.iter().zip(dealt).map(|((bit, x), dealt)| {
            claim_at_p2(p, bit, x, &dealt);
            let [r_0, r_1] = dealt.r.map(|r| Some(tensor(x.shape, r)));
            Share::new(x.shape, None, [r_0, r_1])
        });
        return Ok(claimed.collect());
    }
    let (j, mut own) = (p.id.index(), vec![]);
    for ((bit, x), Dealt { a, b, r, .. }) in work.iter().zip(&dealt) {
        let (m_b, m_x, l_x) = (bit.words(bit.m.as_ref()), elements(x.m()), x.masks()[j]);
        let z = |i: usize| half(j == 0, [m_b[i], m_x[i]], l_x[i], [a[j][i], b[j][i], r[j][i]]);
        own.push((0..x.len()).map(z).collect());
    }
    let theirs = exchanged(p, op, OPEN, &mut own)?;
    let mut out = vec![];
    for (((bit, x), dealt), (own, theirs)) in work.iter().zip(dealt).zip(own.into_iter().zip(theirs)) {
        let m = own.iter().zip(&theirs).map(|(a, b)| a.wrapping_add(*b)).collect();
        claim_at_server(p, bit, x, &dealt, theirs);
        let [r_0, r_1] = dealt.r;
        out.push(share(j == 0, x.shape, tensor(x.shape, m), tensor(x.shape, if j == 0 { r_0 } else { r_1 })));
    }
    Ok(out)
}

/// What was dealt for one Select: of each both shares, of which a server has its own.
struct Dealt {
    /// Whether A has been dealt, and claimed, before.
    again: bool,
    a: [Vec<u64>; 2],
    b: [Vec<u64>; 2],
    r: [Vec<u64>; 2],
}

/// Both shares of numbers that P2 knows; a server's own.
fn two(deal: &mut Deal<'_>, kind: usize, n: usize, number: impl Fn(usize) -> u64) -> Result<[Vec<u64>; 2]> {
    deal.both(kind, n, Of::Words, |shares| {
        shares.iter_mut().enumerate().for_each(|(i, share)| *share = number(i).wrapping_sub(*share));
    })
}

fn each(n: usize, word: impl Fn(usize) -> u64) -> Vec<u64> {
    (0..n).map(word).collect()
}

fn claim_at_server(p: &mut Party, bit: &Bit, x: &Share, dealt: &Dealt, theirs: Vec<u64>) {
    let (j, n) = (p.id.index(), x.len());
    let (m_b, m_x, l_x) = (bit.words(bit.m.as_ref()), elements(x.m()), x.masks()[j]);
    let t = each(n, |i| 1u64.wrapping_sub(m_b[i] << 1));
    let open = vec![m_b.clone(), each(n, |i| t[i].wrapping_mul(m_x[i]).wrapping_neg()), t];
    let (a, b) = (&dealt.a[j], &dealt.b[j]);
    p.claim(p.id, Claim::at_prover(open.clone(), vec![l_x.to_vec(), a.clone(), b.clone()]));
    let of_other = each(n, |i| theirs[i].wrapping_sub(if j == 0 { m_b[i].wrapping_mul(m_x[i]) } else { 0 }));
    p.claim(p.peer(), Claim::at_first(open, of_other));
    let l_b = bit.words(bit.l[j].as_ref());
    let of_a = each(n, |i| a[i].wrapping_sub(l_b[i]));
    let of_b = each(n, |i| b[i].wrapping_sub(a[i].wrapping_mul(l_x[i])));
    if j == 0 {
        if !dealt.again {
            p.claim(Id::P2, Claim::at_second(vec![l_b], of_a));
        }
        p.claim(Id::P2, Claim::at_second(vec![l_x.to_vec(), a.clone()], of_b));
    } else {
        if !dealt.again {
            p.claim(Id::P2, Claim::at_first(vec![each(n, |i| l_b[i] << 1)], of_a));
        }
        p.claim(Id::P2, Claim::at_first(vec![each(n, |i| a[i].wrapping_neg()), each(n, |i| l_x[i].wrapping_neg())], of_b));
    }
}

fn claim_at_p2(p: &mut Party, bit: &Bit, x: &Share, Dealt { again, a, b, r }: &Dealt) {
    let n = x.len();
    let l_x = x.masks();
    for j in [0, 1] {
        let linear = each(n, |i| r[j][i].wrapping_neg());
        p.claim(Id::ALL[j], Claim::at_second(vec![l_x[j].to_vec(), a[j].clone(), b[j].clone()], linear));
    }
    let [l_b0, l_b1] = bit.l.each_ref().map(|l| bit.words(l.as_ref()));
    if !again {
        p.claim(Id::P2, Claim::at_prover(vec![each(n, |i| l_b1[i] << 1)], vec![l_b0]).small(1));
    }
    let first = vec![each(n, |i| a[1][i].wrapping_neg()), each(n, |i| l_x[1][i].wrapping_neg())];
    p.claim(Id::P2, Claim::at_prover(first, vec![l_x[0].to_vec(), a[0].clone()]));
}
