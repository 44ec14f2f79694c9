//! 1 / (1 + exp(-x)), element by element, within the error of [`functions::sigmoid`](trefoil_engine::functions::sigmoid).
//!
//! Backward from the output: dx = d y (1 - y), two products.

use super::{Factors, Onward, Place, Through};
use crate::graph::Shape;
use trefoil_engine::{Engine, Format, Kind, Product, Result};

/// The layer; it has no settings and no parameters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sigmoid;

impl Through for Sigmoid {
    /// The output.
    type Kept<E: Engine> = E::Num;

    fn shape(&self, input: Shape) -> std::result::Result<Shape, String> {
        Ok(input)
    }

    fn forward<E: Engine>(&self, e: &mut E, at: &Place<'_, E::Num>, x: &E::Num) -> Result<(E::Num, E::Num)> {
        let y = e.sigmoid(x, Format::new(at.formats.out.frac, 1))?;
        Ok((y.clone(), y))
    }

    fn backward<E: Engine>(&self, e: &mut E, at: &Place<'_, E::Num>, y: E::Num, d: &E::Num) -> Result<Onward<E::Num>> {
        let format = e.format(&y);
        let [square] = e.products([Product::mul(&y, &y, format)])?;
        let slope = e.sub(&y, &square)?;
        Ok(Onward::Product(elementwise(d, &e.claim(&slope, format.bits)), at.formats.wider(e.format(d))))
    }
}

/// d times the slope, which is at most 1: element by element.
pub(super) fn elementwise<N: Clone>(d: &N, slope: &N) -> Factors<N> {
    Factors { kind: Kind::Mul, x: d.clone(), y: slope.clone(), scatter: None }
}
