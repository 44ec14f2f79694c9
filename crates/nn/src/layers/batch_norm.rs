//! Batch normalisation, as PyTorch has it: y = (x - mean) / sqrt(var + eps) gamma + beta, by feature, or by channel of an image.
//!
//! In training, mean and variance are those of the batch, and gamma, beta are trained. Running means and variances follow them,
//! r' = (1 - momentum) r + momentum batch's (of the variance the unbiased one), and are what evaluation uses. All of them stay shared.
//!
//! With n values a channel in the batch, x^ = (x - mean) inv and inv = 1 / sqrt(var + eps):
//! dbeta = sum d, dgamma = sum d x^, dx = gamma inv (d - dbeta / n - x^ dgamma / n).
//!
//! Ranges. What is proven: |x^| <= sqrt(n - 1). What is promised: variances stay below 2^8, x - mean below what lets
//! n squares be added in the ring, x^ below 2^5 where n is more than 2^10, and the gradient by the input stays in the range of that by
//! the output. Running values are parameters, so the range monitor of the weights watches over theirs after each epoch.
//!
//! In several lanes a batch's statistics are of the rows of all: their sums come together in lane 0 before they are truncated, and what follows from them there goes to all lanes.

use super::mean::over;
use super::{Constant, Factors, Gradient, Gradients, Layer, Mode, Onward, Place, Start};
use crate::graph::Shape;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use trefoil_engine::{Engine, Error, Format, Index, Kind, Product, Result, Scatter};

/// The layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNorm {
    /// How much of a running value a batch replaces, above 0 to 1; rounded to a multiple of 2^-16.
    #[serde(default = "BatchNorm::tenth")]
    pub momentum: Constant,
    /// What is added to variances, 2^-17 to 1.
    #[serde(default = "BatchNorm::small")]
    pub eps: Constant,
}

/// PyTorch's settings.
impl Default for BatchNorm {
    fn default() -> BatchNorm {
        BatchNorm { momentum: BatchNorm::tenth(), eps: BatchNorm::small() }
    }
}

/// Variances are below 2^this, and have this many fraction bits at most.
pub(crate) const VARIANCE: [u8; 2] = [8, 24];
/// Fraction bits of 1 / sqrt(var + eps) at most, and of the momentum.
const INVERSE: u8 = 20;
const MOMENTUM: u8 = 16;
/// Bits before the point of a normalised value at most.
const NORMAL: u8 = 5;
/// Bits before the point of gamma.
const GAMMA: u8 = 4;
/// All integers stay below 2^61, products without what is added to them below half of that.
const WORD: u8 = 60;

/// What the backward pass needs of a training's forward pass.
pub struct Kept<N> {
    /// x^.
    normal: N,
    /// One row each: 1 / sqrt(var + eps), and mean and variance of the batch.
    inverse: N,
    mean: N,
    variance: N,
    /// Values a channel.
    n: usize,
}

impl BatchNorm {
    fn tenth() -> Constant {
        Constant(0.1)
    }
    fn small() -> Constant {
        Constant(1e-5)
    }

    /// Powers of two between which a variance plus eps is, as rounded.
    fn powers(&self) -> [i8; 2] {
        [self.eps.0.log2().floor() as i8 - 1, VARIANCE[0].cast_signed() + 1]
    }

    /// Bits before the point of 1 / sqrt(var + eps).
    fn inverse_bits(&self) -> u8 {
        self.powers()[0].unsigned_abs().div_ceil(2) + 1
    }

    /// 1 / sqrt(variance + eps), which may be multiplied with numbers of so many bits and `more`.
    fn inverse<E: Engine>(&self, e: &mut E, variance: &E::Num, bits: u8) -> Result<E::Num> {
        // A variance is a mean of squares, rounded down or up: it is never less than 0.
        let frac = VARIANCE[1];
        let eps = e.public(&Array2::from_elem((1, 1), self.eps.0), Format { frac, bits: frac + 2 })?;
        let sum = e.add(variance, &eps)?;
        let frac = INVERSE.min(WORD.saturating_sub(bits + self.inverse_bits()));
        let inverse = e.inverse_sqrt(&sum, self.powers(), Format { frac, bits: frac + self.inverse_bits() })?;
        e.settle(&[&inverse])?;
        Ok(inverse)
    }

    /// gamma / sqrt(var + eps), likewise.
    fn scale<'a, E: Engine>(&self, e: &E, gamma: &'a E::Num, inverse: &'a E::Num, bits: u8) -> Product<'a, E::Num> {
        let whole = GAMMA + self.inverse_bits();
        let have = e.format(gamma).frac + e.format(inverse).frac;
        let frac = INVERSE.min(WORD.saturating_sub(bits + whole)).min(have);
        Product::mul(gamma, inverse, Format { frac, bits: frac + whole })
    }

    /// r' = (1 - momentum) r + momentum `new`, in the format of r.
    fn follow<E: Engine>(&self, e: &mut E, running: &E::Num, new: &E::Num, factor: f64) -> Result<E::Num> {
        let (m, format) = (self.momentum.0, e.format(running));
        let sum = e.add(&e.times(running, 1.0 - m, MOMENTUM)?, &e.times(new, m * factor, MOMENTUM)?)?;
        let bits = format.bits + (e.format(&sum).frac - format.frac) + 1;
        let [next] = e.truncate([(&e.claim(&sum, bits), format)])?;
        Ok(next)
    }
}

/// Channels, and places of each.
fn sides(input: Shape) -> [usize; 2] {
    match input {
        Shape::Image([channels, height, width]) => [channels, height * width],
        Shape::Flat(n) => [n, 1],
    }
}

/// One number a channel as one number a column.
fn spread<E: Engine>(e: &E, x: &E::Num, [channels, area]: [usize; 2]) -> E::Num {
    e.gather(x, Index::Cols(&(0..channels * area).map(|j| j / area).collect::<Vec<_>>()))
}

/// The same for every row.
fn spread_rows<E: Engine>(e: &E, x: &E::Num, rows: usize, [channels, area]: [usize; 2]) -> E::Num {
    let index: Vec<usize> = (0..rows * channels * area).map(|i| i % (channels * area) / area).collect();
    e.gather(x, Index::Flat([rows, channels * area], &index))
}

/// The sums over rows and places, by channel.
fn by_channel(rows: usize, [channels, area]: [usize; 2]) -> Scatter {
    Scatter::new([1, channels], (0..rows * channels * area).map(|i| i % (channels * area) / area).collect())
}

fn log2_up(n: usize) -> u8 {
    n.next_power_of_two().ilog2() as u8
}

impl Layer for BatchNorm {
    /// Nothing of an evaluation.
    type Kept<E: Engine> = Option<Kept<E::Num>>;

    fn shape(&self, input: Shape) -> std::result::Result<Shape, String> {
        let (m, eps) = (self.momentum.0, self.eps.0);
        match m > 0.0 && m <= 1.0 && ((-17f64).exp2()..=1.0).contains(&eps) {
            true => Ok(input),
            false => Err(format!("a momentum above 0 to 1 and an eps of 2^-17 to 1, not {m} and {eps}")),
        }
    }

    fn params(&self, input: Shape) -> Vec<(&'static str, Vec<usize>, Start)> {
        let dims = vec![sides(input)[0]];
        vec![("weight", dims.clone(), Start::One), ("bias", dims, Start::Zero)]
    }

    fn running(&self, input: Shape) -> Vec<(&'static str, Vec<usize>, Start)> {
        let dims = vec![sides(input)[0]];
        vec![("running_mean", dims.clone(), Start::Zero), ("running_var", dims, Start::One)]
    }

    fn forward<E: Engine>(&self, e: &mut E, at: &Place<'_, E::Num>, x: &E::Num) -> Result<(E::Num, Self::Kept<E>)> {
        let ([gamma, beta, mean, variance], sides, rows) = (four(at.params)?, sides(at.input), e.shape(x)[0]);
        let (format, bias) = (e.format(x), spread(e, beta, sides));
        if at.mode == Mode::Evaluate {
            let apart = e.sub(x, &spread(e, mean, sides))?;
            let bits = e.format(&apart).bits;
            let [scale] = e.in_lane_0(|e| {
                let inverse = self.inverse(e, variance, GAMMA + e.format(gamma).frac)?;
                let [scale] = e.products([self.scale(e, gamma, &inverse, bits)])?;
                e.settle(&[&scale])?;
                Ok([scale])
            })?;
            let [y] = e.products([Product::mul(&apart, &spread_rows(e, &scale, rows, sides), at.formats.out).plus(&bias)])?;
            return Ok((y, None));
        }
        let n = rows * sides[1] * e.lane().of;
        if n < 2 {
            return Err(Error::Shape { what: "values a channel in a batch to be normalised", left: [2, 1], right: [n, 1] });
        }
        e.settle(&[x])?;
        let sum = e.scatter(x, &by_channel(rows, sides))?;
        let sum = e.sum_of_lanes(sum)?;
        let [mean] = e.in_lane_0(|e| {
            let mean = over(e, &sum, n, format)?;
            // What is left to finish is finished before it is part of every value.
            e.settle(&[&mean])?;
            Ok([mean])
        })?;
        let apart = e.sub(x, &spread(e, &mean, sides))?;
        let room = (WORD - log2_up(n)) / 2;
        let apart = e.claim(&apart, e.format(&apart).bits.min(room));
        // The sum of squares has fraction bits enough for the variance once its point has moved.
        let [whole, most] = VARIANCE;
        let power = n.ilog2() as u8;
        let frac = most.saturating_sub(power).min(2 * e.format(&apart).frac);
        let to = by_channel(rows, sides);
        let squares =
            Product { scatter: Some(&to), ..Product::mul(&apart, &apart, Format { frac, bits: frac + whole + power + 1 }) };
        let [squares] = e.products_over([squares], [true])?;
        let frac = frac + power;
        let bits = e.format(&apart).bits;
        let [variance, inverse] = e.in_lane_0(|e| {
            let variance = over(e, &squares, n, Format { frac, bits: frac + whole })?;
            let inverse = self.inverse(e, &variance, bits)?;
            Ok([variance, inverse])
        })?;
        let frac = at.formats.out.frac;
        let normal = Format { frac, bits: frac + NORMAL.min(log2_up(n).div_ceil(2)) };
        let [normal] = e.products([Product::mul(&apart, &spread_rows(e, &inverse, rows, sides), normal)])?;
        let [y] = e.products([Product::mul(&normal, &spread_rows(e, gamma, rows, sides), at.formats.out).plus(&bias)])?;
        Ok((y, Some(Kept { normal, inverse, mean, variance, n })))
    }

    fn backward<E: Engine>(
        &self,
        e: &mut E,
        at: &Place<'_, E::Num>,
        kept: Self::Kept<E>,
        d: &E::Num,
        want_dx: bool,
    ) -> Result<Gradients<E::Num>> {
        let nothing = Error::Shape { what: "a batch's statistics", left: [1, 1], right: [0, 0] };
        let Kept { normal, inverse, mean, variance, n } = kept.ok_or(nothing)?;
        let ([gamma, _, running_mean, running_variance], sides, rows) = (four(at.params)?, sides(at.input), e.shape(d)[0]);
        e.settle(&[d])?;
        let (format, to) = (e.format(d), by_channel(rows, sides));
        let of_sums = to.format(format).sum(e.lane().of);
        let sums = Product { scatter: Some(&to), ..Product::mul(d, &normal, of_sums) };
        // The scale shares the round of a sum over lanes, in which it counts once: gamma is 0 in all lanes but the first.
        let once = if e.lane().leads() { gamma.clone() } else { e.times(gamma, 0.0, 0)? };
        let [by_gamma, scale] = e.products_over([sums, self.scale(e, &once, &inverse, format.bits + 2)], [true, true])?;
        let by_beta = e.scatter(d, &to)?;
        let by_beta = e.sum_of_lanes(by_beta)?;
        let input = if want_dx {
            let [mean_gamma, mean_beta, scale] = e.in_lane_0(|e| {
                let (mean_gamma, mean_beta) = (over(e, &by_gamma, n, format)?, over(e, &by_beta, n, format)?);
                e.settle(&[&mean_gamma, &mean_beta, &scale])?;
                Ok([mean_gamma, mean_beta, scale])
            })?;
            let [along] = e.products([Product::mul(&normal, &spread_rows(e, &mean_gamma, rows, sides), format)])?;
            let rest = e.sub(&e.sub(d, &spread(e, &mean_beta, sides))?, &along)?;
            let factors = Factors { kind: Kind::Mul, x: rest, y: spread_rows(e, &scale, rows, sides), scatter: None };
            Onward::Product(factors, at.formats.wider(format))
        } else {
            Onward::Nothing
        };
        let unbiased = n as f64 / (n - 1) as f64;
        let [next_mean, next_variance] = e.in_lane_0(|e| {
            let next_mean = self.follow(e, running_mean, &mean, 1.0)?;
            Ok([next_mean, self.follow(e, running_variance, &variance, unbiased)?])
        })?;
        let (by_gamma, by_beta) = (Gradient::Whole(by_gamma), Gradient::Whole(by_beta));
        Ok(Gradients { input, params: vec![by_gamma, by_beta, Gradient::Next(next_mean), Gradient::Next(next_variance)] })
    }
}

/// Weight, bias, running mean and running variance.
fn four<N>(params: &[N]) -> Result<[&N; 4]> {
    match params {
        [weight, bias, mean, variance] => Ok([weight, bias, mean, variance]),
        _ => Err(Error::Shape { what: "parameters of a batch normalisation", left: [4, 1], right: [params.len(), 1] }),
    }
}
