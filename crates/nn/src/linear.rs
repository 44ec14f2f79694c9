//! z = x W^T + b, with the weights as PyTorch lays them out: W is [outputs, inputs], b is one row.
//!
//! Forward: one product, the bias joins it before truncation. Backward: dW = d^T x and dx = d W share their rounds;
//! momentum joins dW before truncation; db is a sum, which is local.

use crate::{Gradients, Layer};
use trefoil_engine::{Engine, Format, Product, Result, Sum};

/// A fully connected layer.
#[derive(Clone)]
pub struct Linear<N> {
    /// [outputs, inputs].
    pub w: N,
    /// [1, outputs].
    pub b: N,
    /// The format of z.
    pub out: Format,
    /// The format of dW.
    pub step: Format,
    /// By how many bits the range of dx is wider than that of d.
    pub widen: u8,
}

impl<E: Engine> Layer<E> for Linear<E::Num> {
    /// The input.
    type Kept = E::Num;

    fn forward(&self, e: &mut E, x: &E::Num) -> Result<(E::Num, E::Num)> {
        let [z] = e.products([Product::matmul(x, false, &self.w, true, self.out).plus(&self.b)])?;
        Ok((z, x.clone()))
    }

    fn backward(&self, e: &mut E, x: &E::Num, d: &E::Num, carry: &[E::Num], want_dx: bool) -> Result<Gradients<E::Num>> {
        // The product needs as many fraction bits as its result and what joins it.
        let need = carry.first().map_or(0, |c| e.format(c).frac).max(self.step.frac);
        let lifted = lift(e, d, need.saturating_sub(e.format(d).frac + e.format(x).frac))?;
        let dw = Product::matmul(&lifted, true, x, false, self.step);
        let dw = match carry.first() {
            Some(c) => dw.plus(c),
            None => dw,
        };
        let (dx, dw) = if want_dx {
            let f = e.format(d);
            let wide = Format { frac: f.frac.saturating_sub(self.widen), ..f };
            let [dw, dx] = e.products([dw, Product::matmul(d, false, &self.w, false, wide)])?;
            (Some(dx), dw)
        } else {
            let [dw] = e.products([dw])?;
            (None, dw)
        };
        let db = e.sum(d, Sum::Rows);
        let db = match carry.get(1) {
            Some(c) => e.add(&db, c)?,
            None => db,
        };
        Ok((dx, vec![dw, db]))
    }

    fn params(&mut self) -> Vec<&mut E::Num> {
        vec![&mut self.w, &mut self.b]
    }
}

/// The same numbers with `by` more fraction bits: local.
///
/// # Errors
/// Those of the engine.
pub(crate) fn lift<E: Engine>(e: &E, x: &E::Num, by: u8) -> Result<E::Num> {
    if by == 0 {
        return Ok(x.clone());
    }
    e.times_2(&e.times(x, f64::from(by).exp2(), 0)?, -by.cast_signed())
}
