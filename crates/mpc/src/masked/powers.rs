//! Polynomials in one or two values in flight, in one round whatever their degree.
//!
//! Worked out in docs/masked.md; the arithmetic is in flight.rs. A value in flight is t = m - L_w: the servers know m and w, P2 knows L_0 and L_1.
//! Multiplied out, a power of it is
//!
//! t^k = (m - L_w)^k = sum over j of binom(k, j) m^(k-j) (-L_w)^j,
//!
//! powers of an open number times powers of a mask. P2 knows the masks before anything is opened, and deals their powers additively: for both
//! values of w, since it does not know which one it will be. The servers use those for the w that they see, each for itself. In two variables it
//! is the same with products of powers, for all four pairs of w.
//!
//! - ahead of time, P2: (-L_w)^j modulo 2^k for each j >= 1 and each w: P1's share from k12, P0's sent.
//! - each server: z_j, its share of each polynomial, modulo 2^k. P0 adds the term without a mask. Sums of results are sums of these.
//! - the round (`Opened`): with l_j of k - f bits from k02 and k12, they exchange (z_j >> f) + l_j modulo 2^(k-f). What comes out is in flight again.
//!
//! Nothing is dealt for an opening: its mask in the ring is 2^f l_0 + 2^f l_1, of which each server makes its own part, and the low bits
//! of z_0, which decide the rounding, are uniform by P0's share of the highest power (and that by P1's), if it has an odd coefficient.
//!
//! | | rounds | bits an element |
//! |---|---|---|
//! | powers 1 to d of one value, modulo 2^k | | 2 d k ahead |
//! | also times powers 1 to c of another | | 2 (d + c) k + 4 d c k ahead |
//! | an opening, cut by f bits | 1 | 2 (k - f) |

use super::Bit;
use super::matrix::elements;
use super::product::packed;
use super::share::Share;
use crate::flight::{self, Opening, low};
use crate::round::{Receive, Sent};
use crate::{Id, Op, Pair, Part, Party, Prg, Result};

/// Numbers in flight, as one party has them. It has no `Debug`: it is secret.
#[derive(Clone)]
pub struct Flying {
    n: usize,
    /// At the servers.
    m: Vec<u128>,
    /// At the servers: 0 or 1.
    w: Vec<u64>,
    /// L_0 and L_1, at P2.
    l: [Vec<u128>; 2],
}

impl Flying {
    /// The elements of a share that is whole, each between -2^62 and 2^62. Nothing is sent.
    pub fn of(id: Id, x: &Share) -> Flying {
        let (m, w) = elements(x.m()).iter().map(|m| flight::of_word(*m)).unzip();
        let l = x.full_mask().filter(|_| id == Id::P2);
        let [l_0, l_1] = [0, 1].map(|w| elements(l.as_ref()).iter().map(|l| flight::masks_of_word(*l)[w]).collect());
        Flying { n: x.len(), m, w, l: [l_0, l_1] }
    }

    /// Bits, as numbers 0 and 1. Nothing is sent.
    pub fn of_bits(id: Id, b: &Bit) -> Flying {
        let words = b.words();
        if id == Id::P2 {
            let [l_0, l_1] = [0, 1].map(|w| words.iter().map(|l| flight::masks_of_bit(*l)[w]).collect());
            return Flying { n: b.len(), m: vec![], w: vec![], l: [l_0, l_1] };
        }
        Flying { n: b.len(), m: words.iter().map(|m| u128::from(*m)).collect(), w: words, l: [vec![], vec![]] }
    }

    /// What this party has: m and w at the servers, L_0 and L_1 at P2.
    pub fn parts(self) -> (Vec<u128>, Vec<u64>, [Vec<u128>; 2]) {
        (self.m, self.w, self.l)
    }

    /// Each element `times` times.
    pub fn repeated(&self, times: usize) -> Flying {
        fn each<T: Copy>(x: &[T], times: usize) -> Vec<T> {
            x.iter().flat_map(|v| std::iter::repeat_n(*v, times)).collect()
        }
        let l = [each(&self.l[0], times), each(&self.l[1], times)];
        Flying { n: self.n * times, m: each(&self.m, times), w: each(&self.w, times), l }
    }
}

/// A polynomial with integer coefficients in one or two variables: for each term the exponents and the coefficient, modulo 2^128.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Polynomial(pub Vec<([u8; 2], u128)>);

impl Polynomial {
    /// In one variable, from the coefficients, from that of the power 0 on: c_i of a value with `frac` fraction bits, for a result with `out` of
    /// them. That of the highest power is made odd, by at most one unit.
    pub fn of(c: &[f64], frac: u8, out: u8) -> Polynomial {
        let last = c.len().saturating_sub(1);
        let term = |(i, c): (usize, &f64)| {
            let scale = i32::from(out) - i32::from(frac) * i as i32;
            let integer = (c * f64::from(scale).exp2()).round() as i128;
            ([i as u8, 0], (integer | i128::from(i == last)) as u128)
        };
        Polynomial(c.iter().enumerate().map(term).collect())
    }

    /// Each term times the second variable.
    pub fn times_other(self) -> Polynomial {
        Polynomial(self.0.into_iter().map(|([i, _], c)| ([i, 1], c)).collect())
    }

    /// A power of one variable.
    pub fn power(k: u8) -> Polynomial {
        Polynomial(vec![([k, 0], 1)])
    }
}

/// The products of powers that polynomials need, but for 1: all [i, j] up to the exponents of some term.
fn monomials(polynomials: &[Polynomial]) -> Vec<[u8; 2]> {
    let terms = || polynomials.iter().flat_map(|p| &p.0).map(|(exponents, _)| *exponents);
    let most = terms().fold([0, 0], |[a, b], [i, j]| [a.max(i), b.max(j)]);
    let all = (0..=most[0]).flat_map(|i| (0..=most[1]).map(move |j| [i, j]));
    all.filter(|[i, j]| [*i, *j] != [0, 0] && terms().any(|[a, b]| *i <= a && *j <= b)).collect()
}

/// The values of w, for each variable that is in a monomial; 0 stands for a variable that is not.
fn choices([i, j]: [u8; 2]) -> Vec<[u64; 2]> {
    let of = |k: u8| 0..=u64::from(k > 0);
    of(i).flat_map(|a| of(j).map(move |b| [a, b])).collect()
}

/// Words that are dealt for one element.
fn words_dealt(polynomials: &[Polynomial]) -> usize {
    monomials(polynomials).into_iter().map(|m| choices(m).len()).sum()
}

/// Bytes that P2 deals ahead of time for these polynomials in rings of 2^k elements, 64 <= k <= 128, of `n` elements each.
pub fn deal_cost(n: usize, k: u8, polynomials: &[Polynomial]) -> u64 {
    let words = n * words_dealt(polynomials);
    match k {
        65.. => 8 * words as u64 + packed(words, k - 64),
        _ => 8 * words as u64,
    }
}

/// Bytes of both servers in an opening's round.
pub const fn open_cost(n: usize, opening: Opening) -> u64 {
    2 * packed(n, opening.bits())
}

/// A server's additive share of each polynomial of the variables `x`, element by element, modulo 2^k; nothing at P2, which deals the powers of
/// the masks. No round.
///
/// # Errors
/// Those of the network.
pub fn shares(p: &mut Party, op: Op, k: u8, x: &[&Flying], polynomials: &[Polynomial]) -> Result<Vec<Vec<u128>>> {
    let n = x.first().map_or(0, |x| x.n);
    let monomials = monomials(polynomials);
    let dealt = dealt(p, op, k, x, &monomials, n)?;
    if p.id == Id::P2 {
        return Ok(vec![vec![]; polynomials.len()]);
    }
    // P0's share of the power 0 is 1, P1's is 0.
    let one = u128::from(p.id == Id::P0);
    // Where the shares of a monomial begin.
    let before = |at: usize| monomials[..at].iter().map(|m| choices(*m).len() * n).sum::<usize>();
    let place = |monomial: [u8; 2]| monomials.iter().position(|m| *m == monomial).map(before);
    let mut out = vec![Vec::with_capacity(n); polynomials.len()];
    let expanded: Vec<Vec<Expanded>> = polynomials.iter().map(|p| expand(p, &place)).collect();
    for e in 0..n {
        let mut powers = [[1u128; 8]; 2];
        for (powers, x) in powers.iter_mut().zip(x) {
            (1..8).for_each(|i| powers[i] = powers[i - 1].wrapping_mul(x.m[e]));
        }
        let w = [0, 1].map(|v| x.get(v).map_or(0, |x| x.w[e]));
        for (out, terms) in out.iter_mut().zip(&expanded) {
            let sum = terms.iter().fold(0u128, |sum, t| {
                let share = match t.place {
                    None => one,
                    Some(at) => dealt[at + t.choice(w) * n + e],
                };
                let factor = t.c.wrapping_mul(powers[0][t.open[0]]).wrapping_mul(powers[1][t.open[1]]);
                sum.wrapping_add(factor.wrapping_mul(share))
            });
            out.push(low(sum, k));
        }
    }
    Ok(out)
}

/// A term multiplied out: a number, powers of the open numbers, and where the shares of the masks' powers are.
struct Expanded {
    c: u128,
    open: [usize; 2],
    masked: [u8; 2],
    place: Option<usize>,
}

impl Expanded {
    /// Which of the choices the servers see.
    fn choice(&self, [a, b]: [u64; 2]) -> usize {
        match self.masked {
            [_, 0] => a as usize,
            [0, _] => b as usize,
            _ => (2 * a + b) as usize,
        }
    }
}

fn expand(polynomial: &Polynomial, place: &impl Fn([u8; 2]) -> Option<usize>) -> Vec<Expanded> {
    let binom = |n: u8, k: u8| (0..u128::from(k)).fold(1, |b, i| b * (u128::from(n) - i) / (i + 1));
    let mut out = vec![];
    for ([a, b], c) in &polynomial.0 {
        for i in 0..=*a {
            for j in 0..=*b {
                let c = c.wrapping_mul(binom(*a, i)).wrapping_mul(binom(*b, j));
                out.push(Expanded { c, open: [usize::from(a - i), usize::from(b - j)], masked: [i, j], place: place([i, j]) });
            }
        }
    }
    out
}

/// The servers' shares of all monomials, for all choices of w, choice after choice; nothing at P2, which deals them.
fn dealt(p: &mut Party, op: Op, k: u8, x: &[&Flying], monomials: &[[u8; 2]], n: usize) -> Result<Vec<u128>> {
    let label = "masked.powers.deal";
    let words = n * monomials.iter().map(|m| choices(*m).len()).sum::<usize>();
    if p.id == Id::P0 {
        let mut from = p.offline(op, label).then()?;
        return receive(&mut from, words, k);
    }
    let mut out = draw(&mut p.draw(op, Pair::K12, "masked.powers.share_1")?, words / n.max(1), n, k);
    if p.id == Id::P1 {
        return Ok(out);
    }
    let mut at = out.iter_mut();
    for [i, j] in monomials {
        for [a, b] in choices([*i, *j]) {
            for e in 0..n {
                let power =
                    |v: usize, w: u64, k: u8| x.get(v).map_or(1, |x| x.l[w as usize][e].wrapping_neg().wrapping_pow(k.into()));
                let Some(share) = at.next() else { break };
                *share = low(power(0, a, *i).wrapping_mul(power(1, b, *j)).wrapping_sub(*share), k);
            }
        }
    }
    send(&out, k).into_iter().fold(p.offline(op, label), |round, part| round.send(Id::P0, part)).then()?;
    Ok(vec![])
}

/// `times` times `n` uniform numbers of k bits.
fn draw(prg: &mut Prg, times: usize, n: usize, k: u8) -> Vec<u128> {
    if k <= 64 {
        return prg.words_each(times, n).into_iter().map(|v| low(v.into(), k)).collect();
    }
    let words = prg.words_each(times, 2 * n);
    words.as_chunks::<2>().0.iter().map(|[a, b]| low(u128::from(*b) << 64 | u128::from(*a), k)).collect()
}

/// Numbers of k bits on the wire: their low words, and what is above.
fn send(x: &[u128], k: u8) -> Vec<Part> {
    let lower = Part::words(&x.iter().map(|v| *v as u64).collect::<Vec<_>>());
    let upper = || x.iter().map(|v| (v >> 64) as u64).collect::<Vec<_>>();
    match k {
        ..=64 => vec![lower],
        128.. => vec![lower, Part::words(&upper())],
        _ => vec![lower, Part::bits(&upper(), k - 64)],
    }
}

fn receive(from: &mut Receive<'_>, n: usize, k: u8) -> Result<Vec<u128>> {
    let lower = from.words(Id::P2, n)?;
    let upper = match k {
        ..=64 => vec![0; n],
        128.. => from.words(Id::P2, n)?,
        _ => from.bits(Id::P2, n, k - 64)?,
    };
    Ok(lower.into_iter().zip(upper).map(|(a, b)| low(u128::from(b) << 64 | u128::from(a), k)).collect())
}

/// Openings of additive shares on their way: what was sent, and under which masks.
pub struct Opened {
    /// `None` at P2.
    sent: Option<Sent>,
    openings: Vec<Opening>,
    /// What this server sent, for each opening; at P2 nothing.
    own: Vec<Vec<u128>>,
    /// At P2: L_0 and L_1.
    l: Vec<[Vec<u128>; 2]>,
}

impl Opened {
    /// Sends a server's part of each opening of `n` elements; at most 63 bits each.
    ///
    /// # Errors
    /// Those of the network.
    pub fn send(p: &mut Party, op: Op, z: &[(Opening, usize, Vec<u128>)]) -> Result<Opened> {
        let (l_0, l_1) = ("masked.powers.l_0", "masked.powers.l_1");
        let openings = z.iter().map(|(opening, ..)| *opening).collect();
        if p.id == Id::P2 {
            let (mut l_0, mut l_1) = (p.draw(op, Pair::K02, l_0)?, p.draw(op, Pair::K12, l_1)?);
            let masks = |(opening, n, _): &(Opening, usize, Vec<u128>)| {
                let both = l_0.bits(*n, opening.bits()).into_iter().zip(l_1.bits(*n, opening.bits()));
                both.map(|(a, b)| opening.masks(a.into(), b.into())).map(|[a, b]| (a, b)).unzip()
            };
            let l = z.iter().map(masks).map(|(a, b): (Vec<u128>, Vec<u128>)| [a, b]).collect();
            return Ok(Opened { sent: None, openings, own: vec![], l });
        }
        let (first, peer) = (p.id == Id::P0, p.peer());
        let mut l = p.draw(op, Pair::of(p.id, Id::P2), if first { l_0 } else { l_1 })?;
        let half = |(opening, n, z): &(Opening, usize, Vec<u128>)| {
            z.iter().zip(l.bits(*n, opening.bits())).map(|(z, l)| opening.half(*z, l.into(), first)).collect()
        };
        let own: Vec<Vec<u128>> = z.iter().map(half).collect();
        let part =
            |own: &Vec<u128>, opening: &Opening| Part::bits(&own.iter().map(|v| *v as u64).collect::<Vec<_>>(), opening.bits());
        let round = own
            .iter()
            .zip(z)
            .fold(p.round(op, "masked.powers.c"), |round, (own, (opening, ..))| round.send(peer, part(own, opening)));
        Ok(Opened { sent: Some(round.sent()?), openings, own, l: vec![] })
    }

    /// Takes what the other server sent: the values, in flight.
    ///
    /// # Errors
    /// Those of the network.
    pub fn receive(self, p: &mut Party) -> Result<Vec<Flying>> {
        let Some(sent) = self.sent else {
            return Ok(self.l.into_iter().map(|l| Flying { n: l[0].len(), m: vec![], w: vec![], l }).collect());
        };
        let peer = p.peer();
        let mut round = p.receive(sent);
        let mut out = vec![];
        for (opening, own) in self.openings.into_iter().zip(self.own) {
            let theirs = round.bits(peer, own.len(), opening.bits())?;
            let (m, w) = own.iter().zip(theirs).map(|(a, b)| opening.joined(a.wrapping_add(b.into()))).unzip();
            out.push(Flying { n: own.len(), m, w, l: [vec![], vec![]] });
        }
        Ok(out)
    }
}

/// Polynomials of the same variables, each opened: one round.
///
/// # Errors
/// Those of the network.
pub fn evaluate(p: &mut Party, k: u8, x: &[&Flying], polynomials: &[Polynomial], f: u8) -> Result<Vec<Flying>> {
    let op = p.op();
    let n = x.first().map_or(0, |x| x.n);
    let z = shares(p, op, k, x, polynomials)?;
    let z: Vec<_> = z.into_iter().map(|z| (Opening { k, f }, n, z)).collect();
    Opened::send(p, op, &z)?.receive(p)
}
