//! The hyperbolic tangent, element by element, as 2 sigmoid(2 x) - 1: within twice the error of that.
//!
//! Backward from the output: dx = d (1 - y^2), two products.

use super::sigmoid::elementwise;
use super::{Onward, Place, Through};
use crate::graph::Shape;
use ndarray::Array2;
use trefoil_engine::{Engine, Format, Product, Result};

/// The layer; it has no settings and no parameters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tanh;

impl Through for Tanh {
    /// The output.
    type Kept<E: Engine> = E::Num;

    fn shape(&self, input: Shape) -> std::result::Result<Shape, String> {
        Ok(input)
    }

    fn forward<E: Engine>(&self, e: &mut E, at: &Place<'_, E::Num>, x: &E::Num) -> Result<(E::Num, E::Num)> {
        let frac = at.formats.out.frac;
        let double = e.times(x, 2.0, 0)?;
        // One fraction bit more, so that twice of it has those of the output.
        let half = e.sigmoid(&double, Format::new(frac + 1, 1))?;
        let one = e.public(&Array2::ones((1, 1)), Format { frac, bits: frac + 1 })?;
        let y = e.sub(&e.times_2(&half, 1)?, &one)?;
        let y = e.claim(&y, frac + 1);
        Ok((y.clone(), y))
    }

    fn backward<E: Engine>(&self, e: &mut E, at: &Place<'_, E::Num>, y: E::Num, d: &E::Num) -> Result<Onward<E::Num>> {
        let (shape, format) = (e.shape(&y), e.format(&y));
        let [square] = e.products([Product::mul(&y, &y, format)])?;
        let one = e.public(&Array2::ones((shape[0], shape[1])), format)?;
        let slope = e.sub(&one, &square)?;
        Ok(Onward::Product(elementwise(d, &e.claim(&slope, format.bits)), at.formats.wider(e.format(d))))
    }
}
