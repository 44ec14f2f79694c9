//! Softmax of rows whose maximum has been taken off, in seven rounds: all is polynomials of values in flight (powers.rs), so nothing is lifted
//! between.
//!
//! For x <= 0 with 16 fraction bits, n of them a row:
//!
//! 1. e^(x/16), a polynomial of degree 5 in x/16, which is in \[-1, 0\]. 2. Its fourth power. 3. The fourth power of that: e^x.
//!    What is below -16 comes out as anything. Beside these rounds runs the comparison b = \[x + 16 >= 0\] (drelu.rs).
//! 4. y = b e^x, and beside it t = (s - mid) / half in \[-1, 1\], where s is the sum of the row's y, in \[1, n\]. The sum is taken of the additive
//!    shares before anything is opened.
//! 5. A polynomial p of degree 4 in t, near 1/s, and u = 1 - s p of degree 5, which is known as a polynomial too: a Chebyshev polynomial is the
//!    smallest there is.
//! 6. p times a polynomial of degree 3 in u, near 1/(1 - u): from the same argument, with what is left of the error a Chebyshev polynomial of u. For
//!    more than thirteen classes, what is left is made beside it, and this is done once more.
//! 7. y times that, which lands (land.rs) with the fraction bits that were asked for.
//!
//! The error is below 2^-14, for up to 64 classes; a test holds it to that on shares.

use super::drelu::{self, drelu_beside};
use super::land::{self, land};
use super::powers::{Flying, Opened, Polynomial, deal_cost, evaluate, open_cost, shares};
use super::share::Share;
use crate::flight::Opening;
use crate::round::Beside;
use crate::secure::{Num, Protocols, Secure};
use crate::{Id, Party, Price, Result};
use ndarray::Array2;
use trefoil_engine::{Engine, Error, Format, Result as EngineResult};

/// Fraction bits of x.
pub const INPUT: u8 = 16;
/// What is below this counts as probability 0.
pub const FLOOR: f64 = -16.0;

/// e^x on \[-1, 0\] within 2^-19.8 relatively: the Chebyshev interpolation of degree 5.
const EXP: [f64; 6] =
    [0.9999995544211944, 0.9999678512243896, 0.49962087374791436, 0.16501271678019097, 0.03833892232799485, 0.005099727626439214];
/// Fraction bits of x/16, of its exponential and of the fourth power of that, of e^x, and of y.
const SIXTEENTH: u8 = INPUT + 4;
const ROOT: u8 = 24;
const POWER: u8 = 28;
const Y: u8 = 27;
/// Of t, and of p and u.
const T: u8 = 20;
const INVERSE: u8 = 26;
/// Of a polynomial in t or u before it is cut, as many as a ring of 128 bits has room for.
const LONG: u8 = 122;
/// Fraction bits of 1/half.
const SLOPE: u8 = 30;
/// The opening of y, in an ordinary word.
const OPEN_Y: Opening = Opening { k: 64, f: POWER - Y };
const OPEN_T: Opening = Opening { k: 64, f: POWER + SLOPE - T };
/// An error of 1/s that is small enough, relatively.
const SMALL: f64 = 3e-5;

/// The three stages of e^x.
fn stages() -> [(Polynomial, Opening); 3] {
    let first = Opening { k: 128, f: 120 - ROOT };
    let fourth = |out: u8| (Polynomial::power(4), Opening { k: 104, f: 4 * ROOT - out });
    [(Polynomial::of(&EXP, SIXTEENTH, 120), first), fourth(ROOT), fourth(POWER)]
}

/// y = b e.
fn chosen() -> Polynomial {
    Polynomial(vec![([1, 1], 1)])
}

/// What is known of 1/s on \[1, n\].
struct Inverse {
    mid: f64,
    half: f64,
    /// p and u, by the powers of t.
    start: [Polynomial; 2],
    /// By the powers of u, the first times p too: the next p, and what is then left of the error, where it is needed.
    next: Vec<Vec<Polynomial>>,
}

impl Inverse {
    fn of(n: usize) -> Inverse {
        let most = n.max(2) as f64;
        let (mid, half) = ((most + 1.0) / 2.0, (most - 1.0) / 2.0);
        // At t = -mid / half, s is 0: u, which is T_5(t) / T_5(-mid / half), is 1 there, so that s divides 1 - u.
        let (error, p, mut bound) = divided(&[0.0, 5.0, 0.0, -20.0, 0.0, 16.0], 1.0, -mid / half);
        let p: Vec<f64> = p.iter().map(|c| -c / half).collect();
        let polynomial = |c: &[f64], frac: u8| Polynomial::of(c, frac, LONG);
        let start = [polynomial(&p, T), polynomial(&error, T)];
        let mut next = vec![];
        while bound > SMALL || next.is_empty() {
            // The same again: what is left is T_4(u / bound) / T_4(1 / bound), which is 1 at u = 1.
            let (left, by, smaller) = divided(&[1.0, 0.0, -8.0, 0.0, 8.0], bound, 1.0);
            let mut stage = vec![Polynomial::of(&by, INVERSE, LONG - INVERSE).times_other()];
            bound = smaller;
            if bound > SMALL {
                stage.push(polynomial(&left, INVERSE));
            }
            next.push(stage);
        }
        Inverse { mid, half, start, next }
    }
}

/// For a Chebyshev polynomial T, of z = x / `scale`: E = T(x / scale) / T(root / scale), (1 - E) / (root - x), and the most that E is for |x| <= scale.
fn divided(chebyshev: &[f64], scale: f64, root: f64) -> (Vec<f64>, Vec<f64>, f64) {
    let value = chebyshev.iter().rev().fold(0.0, |sum, c| sum * (root / scale) + c);
    let mut power = 1.0;
    let error: Vec<f64> = chebyshev
        .iter()
        .map(|c| {
            let coefficient = c / power / value;
            power *= scale;
            coefficient
        })
        .collect();
    // Synthetic division of E - 1 by x - root; what remains is zero.
    let mut carried = 0.0;
    let mut quotient: Vec<f64> = error[1..]
        .iter()
        .rev()
        .map(|c| {
            carried = carried * root + c;
            carried
        })
        .collect();
    quotient.reverse();
    (error, quotient, 1.0 / value.abs())
}

/// How many bits go at the end, for a result with `frac` fraction bits.
pub(super) const fn last_cut(frac: u8) -> u8 {
    Y + INVERSE - frac
}

/// For `rows` of `n` elements that are compared at width `b`; the result has `frac` fraction bits, and its lift is apart.
pub fn cost(rows: usize, n: usize, b: u8, frac: u8) -> Price {
    let all = rows * n;
    let (mut ahead, mut servers) = (0, 0);
    let mut open = |n: usize, k: u8, polynomials: &[Polynomial], openings: &[(usize, Opening)]| {
        ahead += deal_cost(n, k, polynomials);
        servers += openings.iter().map(|(n, opening)| open_cost(*n, *opening)).sum::<u64>();
    };
    for (polynomial, opening) in stages() {
        open(all, opening.k, &[polynomial], &[(all, opening)]);
    }
    open(all, 64, &[chosen()], &[(all, OPEN_Y), (rows, OPEN_T)]);
    let (inverse, long) = (Inverse::of(n), Opening { k: 128, f: LONG - INVERSE });
    open(rows, 128, &inverse.start, &[(rows, long); 2]);
    inverse.next.iter().for_each(|stage| open(rows, 128, stage, &vec![(rows, long); stage.len()]));
    open(all, 64, &[chosen()], &[]);
    // The exponential runs beside the comparison.
    let polynomials = Price::of(2 + inverse.next.len() as u64, [ahead, 0], servers);
    drelu::cost_beside(all, b).then(polynomials).then(land::cost(all, last_cut(frac)))
}

/// The exponential's rounds, beside a comparison.
struct Exp {
    x: Flying,
    n: usize,
    stages: std::array::IntoIter<(Polynomial, Opening), 3>,
    opened: Option<Opened>,
}

impl Beside for Exp {
    fn send(&mut self, p: &mut Party) -> Result<()> {
        let Some((polynomial, opening)) = self.stages.next() else { return Ok(()) };
        let op = p.op();
        let z = shares(p, op, opening.k, &[&self.x], &[polynomial])?.swap_remove(0);
        self.opened = Some(Opened::send(p, op, &[(opening, self.n, z)])?);
        Ok(())
    }

    fn receive(&mut self, p: &mut Party) -> Result<()> {
        if let Some(opened) = self.opened.take() {
            self.x = opened.receive(p)?.swap_remove(0);
        }
        Ok(())
    }
}

/// The softmax of each row of `x`: whole, not positive, with [`INPUT`] fraction bits. `above` is x + 16, and the width at which it is compared with 0.
/// The result has `frac` fraction bits, at most 26, and waits for its lift.
///
/// # Errors
/// Those of the network.
pub fn softmax(p: &mut Party, x: &Share, above: (&Share, u8), frac: u8) -> Result<Share> {
    let [rows, n] = x.shape;
    let mut exp = Exp { x: Flying::of(p.id, x), n: x.len(), stages: stages().into_iter(), opened: None };
    let b = drelu_beside(p, &[above], &mut exp)?.swap_remove(0);
    let b = Flying::of_bits(p.id, &b);
    let inverse = Inverse::of(n);
    let op = p.op();
    let y = shares(p, op, 64, &[&exp.x, &b], &[chosen()])?.swap_remove(0);
    // t = (s - mid) / half. An odd factor keeps the low bits of P0's share uniform.
    let slope = (f64::from(SLOPE).exp2() / inverse.half).round() as u128 | 1;
    let start = (f64::from(SLOPE + POWER).exp2() * inverse.mid / inverse.half).round() as u128;
    let start = if p.id == Id::P0 { start.wrapping_neg() } else { 0 };
    let t = y
        .chunks(n.max(1))
        .map(|row| row.iter().fold(0u128, |sum, y| sum.wrapping_add(*y)).wrapping_mul(slope).wrapping_add(start));
    let t = t.collect();
    let opened = Opened::send(p, op, &[(OPEN_Y, x.len(), y), (OPEN_T, rows, t)])?.receive(p)?;
    let [y, t] = two(opened);
    let [mut r, mut u] = two(evaluate(p, 128, &[&t], &inverse.start, LONG - INVERSE)?);
    for stage in &inverse.next {
        let mut next = evaluate(p, 128, &[&u, &r], stage, LONG - INVERSE)?.into_iter();
        (r, u) = (next.next().unwrap_or(r), next.next().unwrap_or(u));
    }
    let op = p.op();
    let z = shares(p, op, 64, &[&y, &r.repeated(n)], &[chosen()])?.swap_remove(0);
    land(p, op, x.shape, z.into_iter().map(|z| z as u64).collect(), last_cut(frac))
}

/// The softmax of each row of `x` in the format `out`: takes the maximum off, brings the fraction bits to [`INPUT`], and has `run` do the rest.
pub(super) fn of_rows<P: Protocols>(
    e: &mut Secure<P>,
    x: &Num<P::Share>,
    out: Format,
    run: impl FnOnce(&mut P::Host, &P::Share, (&P::Share, u8), u8) -> Result<P::Share>,
) -> EngineResult<Num<P::Share>> {
    if out.frac > INVERSE {
        return Err(Error::Range { what: "fraction bits of a probability", found: out.frac.to_string(), bits: INVERSE });
    }
    let max = e.row_max(x)?;
    let mut x = e.sub(x, &max)?;
    let Format { frac, bits } = e.format(&x);
    if frac > INPUT {
        [x] = e.truncate([(&x, Format { frac: INPUT, bits: bits.saturating_sub(frac - INPUT).max(INPUT) })])?;
    } else {
        x = e.times(&x, 1.0, INPUT - frac)?;
    }
    e.settle(&[&x])?;
    let floor = e.public(&Array2::from_elem((1, 1), FLOOR), Format::new(0, 6))?;
    let above = e.sub(&x, &floor)?;
    let width = (e.format(&above).bits + 1).clamp(2, 64);
    let share = run(&mut e.party, &x.share, (&above.share, width), out.frac)?;
    Ok(Num::new(share, out))
}

/// As many as were opened.
fn two(x: Vec<Flying>) -> [Flying; 2] {
    x.try_into().unwrap_or_else(|_| unreachable!("two were opened"))
}
