//! An image as one row of numbers, channel after channel: an engine has it so already, and only the shape changes.

use super::{Onward, Place, Through};
use crate::graph::Shape;
use trefoil_engine::{Engine, Result};

/// The layer; it has no settings and no parameters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flatten;

impl Through for Flatten {
    type Kept<E: Engine> = ();

    fn shape(&self, input: Shape) -> std::result::Result<Shape, String> {
        Ok(Shape::Flat(input.len()))
    }

    fn forward<E: Engine>(&self, _: &mut E, _: &Place<'_, E::Num>, x: &E::Num) -> Result<(E::Num, ())> {
        Ok((x.clone(), ()))
    }

    fn backward<E: Engine>(&self, _: &mut E, _: &Place<'_, E::Num>, (): (), d: &E::Num) -> Result<Onward<E::Num>> {
        Ok(Onward::Ready(d.clone()))
    }
}
