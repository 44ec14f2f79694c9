//! Adam (Kingma and Ba, ICLR 2015, Algorithm 1), and AMSGrad (`amsgrad.rs`), with weight decay beside the gradient as in AdamW (Loshchilov
//! and Hutter, ICLR 2019): m' = b1 m + g, v' = b2 v + g^2, w' = w - rate (a_t m' / sqrt(v' + eps^2 / c_t) + decay w).
//!
//! g is the gradient of the batch's mean loss. Where this departs from the paper:
//! - m and v are sums, not means: the factors 1 - b1 and 1 - b2, and what corrects for the start, are public, and are in a_t and c_t. With
//!   step t from 1: c_t = (1 - b2) / (1 - b2^t), a_t = (1 - b1) / (1 - b1^t) / sqrt(c_t).
//! - eps is added under the root, squared: sqrt(v + eps^2) is at most eps below the paper's sqrt(v) + eps.
//! - eps is 1e-4 where nobody says, and at least 2^-16 of the bound below: sqrt(v) is compared with powers of two over its range, and
//!   gradients are rounded to 2^-25 of the bound. Softmax is exact to 2^-14, so that smaller ones say little in any case.
//! - Each step is within 1/400 of the paper's, relatively (`over_root`).
//!
//! **Ranges.** The bound G is the power of two at or above `clip`, or 4 where nothing is clipped. Then it is a promise that the root of the mean
//! of the squares stays below G, and each gradient below 32 G. Fixed point in the clear checks it; on shares, parameters that have gone
//! astray are found at the end of the epoch. With it, all else is proven: with b1^2 < b2, |m| <= sqrt(v / (1 - b1^2 / b2)), so that a step is
//! at most max(1, (1 - b1) / sqrt(1 - b2)) / sqrt(1 - b1^2 / b2) times the rate.
//!
//! | quantity | fraction bits | bits |
//! |---|---|---|
//! | g | 25 - log2 G | 30 |
//! | m | those of g | those of G / sqrt(1 - b2) / sqrt(1 - b1^2 / b2), about 32 |
//! | v | 16 fewer than g^2, or less for b2 beyond 0.999 | 44 |
//!
//! All parameters are one row, so that the rounds do not depend on how many there are. A step's own: one for g^2, one that finishes m and v,
//! 16 for the root's range (12 with eps from G / 2^8 on), 6 for quotient and update; four more for AMSGrad.

use super::sgd::{DECAY, check_decay};
use super::{At, Change, Optimiser, OptimiserKind, amsgrad, clip, rows, take_off, tried};
use crate::network::Cut;
use crate::scales::{Rate, Scales};
use crate::{Error, Result, TrainSpec};
use ndarray::Array2;
use trefoil_engine::functions::OverRoot;
use trefoil_engine::{Engine, Error as EngineError, Format, Product, Result as EngineResult};

/// Significant bits of a gradient at the bound; a single one may have so many more, and one that is clipped more still.
const GRADIENT: i8 = 25;
const SPIKE: u8 = 5;
const CLIPPED: u8 = 10;
/// Bits of a sum of squares.
const SQUARES: i8 = 44;
/// Fraction bits of b1 and b2.
const BETA: u8 = 16;
/// The bound, as a power of two, where nothing is clipped.
const BOUND: i8 = 2;
/// Where nobody says.
const DEFAULT: [f64; 3] = [0.9, 0.999, 1e-4];

/// The optimiser.
#[derive(Clone, PartialEq, Debug)]
pub struct Adam {
    spec: TrainSpec,
    scales: Scales,
    b1: f64,
    b2: f64,
    eps: f64,
    /// G = 2^this.
    bound: i8,
}

impl Adam {
    /// By these settings; b1 and b2 are rounded to 16 fraction bits.
    ///
    /// # Errors
    /// [`Error::Config`] for settings outside of what the ring can hold.
    pub fn new(spec: TrainSpec, scales: Scales) -> Result<Adam> {
        let [b1, b2, eps] =
            [spec.beta1.unwrap_or(DEFAULT[0]), spec.beta2.unwrap_or(DEFAULT[1]), spec.epsilon.unwrap_or(DEFAULT[2])];
        check_decay(&spec)?;
        clip::check(spec.clip)?;
        let unit = f64::from(BETA).exp2();
        let [r1, r2] = [b1, b2].map(|b| (b * unit).round() / unit);
        if !(0.0..1.0).contains(&b1) || !(0.0..1.0 - (-13f64).exp2()).contains(&b2) || r1 * r1 > 0.99 * r2 {
            let expected = "both at least 0, beta1^2 below 0.99 beta2, and beta2 below 0.99988";
            return Err(Error::config("beta1 and beta2", format!("{b1} and {b2}"), expected));
        }
        let bound = spec.clip.map_or(BOUND, above);
        let [least, most] = [-16, -2].map(|power: i8| f64::from(bound + power).exp2());
        if !(least..=most).contains(&eps) {
            let expected = format!("{least:.1e} to {most:.1e} where gradients are below {}", f64::from(bound).exp2());
            return Err(Error::config("epsilon", eps, expected));
        }
        Ok(Adam { spec, scales, b1: r1, b2: r2, eps, bound })
    }

    /// |m| is at most so many times sqrt(v).
    fn most(&self) -> f64 {
        if self.b2 == 0.0 { 1.0 } else { (1.0 - self.b1 * self.b1 / self.b2).sqrt().recip() }
    }

    fn gradient(&self) -> Format {
        let more = if self.spec.clip.is_some() { CLIPPED } else { SPIKE };
        Format { bits: GRADIENT.unsigned_abs() + more, frac: (GRADIENT - self.bound).unsigned_abs() }
    }

    /// Of the sum of gradients, whatever power of two it is multiplied by before the quotient.
    fn sum(&self) -> Format {
        Format::new(self.gradient().frac, above(self.most() * self.squares_below().sqrt()))
    }

    /// Of the sum of squares.
    fn squares(&self) -> Format {
        let whole = above(self.squares_below());
        let frac = (SQUARES - whole).min(2 * (GRADIENT - self.bound) - BETA.cast_signed());
        Format::new(frac.unsigned_abs(), whole)
    }

    /// The sum of squares and eps^2 is below this, at any step.
    fn squares_below(&self) -> f64 {
        (f64::from(2 * self.bound).exp2() + self.eps * self.eps) / (1.0 - self.b2)
    }

    /// a_t and c_t of a step, by products and roots alone: the same on every machine.
    fn corrections(&self, at: At) -> [f64; 2] {
        let step = at.step.saturating_add(1);
        let c = (1.0 - self.b2) / (1.0 - power(self.b2, step));
        [(1.0 - self.b1) / (1.0 - power(self.b1, step)) / c.sqrt(), c]
    }
}

impl Optimiser for Adam {
    fn name(&self) -> &'static str {
        self.spec.optimiser.name()
    }

    /// The sums of gradients and of squares, and for AMSGrad the largest of the latter: a row each.
    fn keeps(&self, params: &[[usize; 2]]) -> Vec<([usize; 2], Format)> {
        let all = [1, params.iter().map(|[rows, columns]| rows * columns).sum()];
        let largest = (self.spec.optimiser == OptimiserKind::Amsgrad).then_some((all, self.squares()));
        [(all, self.sum()), (all, self.squares())].into_iter().chain(largest).collect()
    }

    /// The learning rate alone; one at which a step may be 2 or more is refused.
    fn rate(&self, epoch: u64) -> Result<Rate> {
        let rate = super::rate(&self.spec, &self.scales, epoch, 1)?;
        // Of a step, and of what weight decay takes off a weight below 16 beside it.
        let step = self.most() * (1.0f64).max((1.0 - self.b1) / (1.0 - self.b2).sqrt());
        let most = 2.0 / (step + 16.0 * self.spec.weight_decay);
        match rate.value() < most {
            true => Ok(rate),
            false => Err(Error::config("learning rate", rate.value(), format!("below {most:.2} with {}", self.spec.optimiser))),
        }
    }

    /// Over the batch.
    fn begin<E: Engine>(&self, e: &E, d: &E::Num, _: At) -> EngineResult<E::Num> {
        tried(self.scales.rate(1.0, self.spec.batch))?.times(e, d)
    }

    fn cuts<E: Engine>(&self, _: &E, params: &[E::Num], _: &[E::Num], _: At) -> EngineResult<Vec<Cut<E::Num>>> {
        Ok(params.iter().map(|_| Cut { format: self.gradient(), join: None }).collect())
    }

    fn apply<E: Engine>(&self, e: &mut E, change: Change<'_, E::Num>) -> EngineResult<()> {
        let Change { params, kept, mut gradients, at } = change;
        let [m, v, largest @ ..] = kept else {
            return Err(EngineError::Shape { what: "sums that Adam keeps", left: [2, 1], right: [kept.len(), 1] });
        };
        rows::truncate(e, self.gradient(), &mut gradients)?;
        let shapes: Vec<_> = gradients.iter().map(|g| e.shape(g)).collect();
        let mut g = rows::row(e, &gradients)?;
        e.settle(&[&g])?;
        if let Some(bound) = self.spec.clip {
            g = clip::clip(e, &g, bound, GRADIENT.unsigned_abs() + 1)?;
        }
        let sum = e.add(&e.times(m, self.b1, BETA)?, &g)?;
        [*m] = e.truncate([(&sum, self.sum())])?;
        let past = e.times(v, self.b2, BETA)?;
        [*v] = e.products([Product::mul(&g, &g, self.squares()).plus(&past)])?;
        e.settle(&[m, v])?;
        let mut squares = &*v;
        if let [largest] = largest {
            *largest = amsgrad::larger(e, squares, largest)?;
            squares = largest;
        }
        let u = self.quotient(e, params, [m, squares], at)?;
        e.settle(&[&u])?;
        take_off(e, params, &rows::matrices(e, &u, &shapes), &self.scales)
    }
}

impl Adam {
    /// What a step takes off the parameters: rate (a_t m / sqrt(v + eps^2 / c_t) + decay w).
    fn quotient<E: Engine>(&self, e: &mut E, params: &[E::Num], [m, v]: [&E::Num; 2], at: At) -> EngineResult<E::Num> {
        let ([a, c], format) = (self.corrections(at), self.squares());
        let unit = f64::from(-format.frac.cast_signed()).exp2();
        let eps = e.public(&Array2::from_elem((1, 1), (self.eps * self.eps / c).max(unit)), format)?;
        let s = e.claim(&e.add(v, &eps)?, format.bits);
        let decay = self.spec.rate(at.epoch) * self.spec.weight_decay;
        let decayed = match decay {
            0.0 => None,
            _ => Some(e.times(&rows::row(e, params)?, decay, DECAY)?),
        };
        let bits = self.sum().bits + self.scales.rate;
        let x = e.claim(&tried(self.rate(at.epoch))?.times(e, m)?, bits);
        let squared = self.eps * self.eps;
        let high = (f64::from(2 * self.bound).exp2() + squared) / c;
        // With the least eps the range is wider than it may be, by a billionth.
        let range = [(squared / c).max(high * (-32f64).exp2()), high];
        // a_t sqrt(c_t) is at most 1, and the range's upper end at least G^2 / c_t.
        let whole = 2 - self.bound;
        e.over_root(&OverRoot { x: &x, s: &s, range, factor: a, whole, bits, plus: decayed.as_ref(), out: self.scales.step })
    }
}

/// The smallest power of two that is at least x, as its exponent.
fn above(x: f64) -> i8 {
    (-60..60).find(|power: &i8| f64::from(*power).exp2() >= x).unwrap_or(60)
}

/// x^n by squaring.
fn power(mut x: f64, mut n: u64) -> f64 {
    let mut product = 1.0;
    while n > 0 {
        if n % 2 == 1 {
            product *= x;
        }
        (x, n) = (x * x, n / 2);
    }
    product
}
