//! An image as one row of numbers, channel after channel: an engine has it so already, and only the shape changes.

use super::{Gradients, Layer, Onward, Place};
use crate::graph::Shape;
use trefoil_engine::{Engine, Result};

/// The layer; it has no settings and no parameters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flatten;

impl Layer for Flatten {
    type Kept<E: Engine> = ();

    fn shape(&self, input: Shape) -> std::result::Result<Shape, String> {
        Ok(Shape::Flat(input.len()))
    }

    fn forward<E: Engine>(&self, _: &mut E, _: &Place<'_, E::Num>, x: &E::Num) -> Result<(E::Num, ())> {
        Ok((x.clone(), ()))
    }

    fn backward<E: Engine>(
        &self,
        _: &mut E,
        _: &Place<'_, E::Num>,
        (): (),
        d: &E::Num,
        want_dx: bool,
    ) -> Result<Gradients<E::Num>> {
        let input = if want_dx { Onward::Ready(d.clone()) } else { Onward::Nothing };
        Ok(Gradients { input, params: Vec::new() })
    }
}
