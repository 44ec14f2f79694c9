//! max(x, 0), element by element. The bit of the forward pass serves the backward pass.

use super::{Onward, Place, Through};
use crate::graph::Shape;
use trefoil_engine::{Engine, Result};

/// The layer; it has no settings and no parameters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Relu;

impl Through for Relu {
    /// [x >= 0].
    type Kept<E: Engine> = E::Bit;

    fn shape(&self, input: Shape) -> std::result::Result<Shape, String> {
        Ok(input)
    }

    fn forward<E: Engine>(&self, e: &mut E, _: &Place<'_, E::Num>, x: &E::Num) -> Result<(E::Num, E::Bit)> {
        e.relu(x)
    }

    fn backward<E: Engine>(&self, e: &mut E, _: &Place<'_, E::Num>, bit: E::Bit, d: &E::Num) -> Result<Onward<E::Num>> {
        let [dx] = e.select([(&bit, d)])?;
        Ok(Onward::Ready(dx))
    }
}
