//! x where it is not negative, and a x elsewhere: y = a x + (1 - a) max(x, 0), with a public slope a.
//!
//! The comparison and the selection are those of [`Relu`](super::Relu). What is left is a product with a constant of 2^-16 and a
//! truncation, for which the masked suite takes a lift.

use super::{Constant, Onward, Place, Through};
use crate::graph::Shape;
use serde::{Deserialize, Serialize};
use trefoil_engine::{Engine, Result};

/// The layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeakyRelu {
    /// The slope on the negative side, 0 to 1; rounded to a multiple of 2^-16.
    #[serde(default = "LeakyRelu::slope")]
    pub slope: Constant,
}

/// Fraction bits of the slope.
const SLOPE: u8 = 16;

impl LeakyRelu {
    /// PyTorch's default.
    fn slope() -> Constant {
        Constant(0.01)
    }

    /// a x + (1 - a) `part`, where `part` is x or 0: no larger than x.
    fn bend<E: Engine>(&self, e: &mut E, x: &E::Num, part: &E::Num) -> Result<E::Num> {
        let (a, format) = (self.slope.0, e.format(x));
        let sum = e.add(&e.times(x, a, SLOPE)?, &e.times(part, 1.0 - a, SLOPE)?)?;
        let [y] = e.truncate([(&e.claim(&sum, format.bits + SLOPE), format)])?;
        Ok(y)
    }
}

impl Through for LeakyRelu {
    /// [x >= 0].
    type Kept<E: Engine> = E::Bit;

    fn shape(&self, input: Shape) -> std::result::Result<Shape, String> {
        if (0.0..=1.0).contains(&self.slope.0) { Ok(input) } else { Err(format!("a slope of 0 to 1, not {}", self.slope.0)) }
    }

    fn forward<E: Engine>(&self, e: &mut E, _: &Place<'_, E::Num>, x: &E::Num) -> Result<(E::Num, E::Bit)> {
        let (part, bit) = e.relu(x)?;
        Ok((self.bend(e, x, &part)?, bit))
    }

    fn backward<E: Engine>(&self, e: &mut E, _: &Place<'_, E::Num>, bit: E::Bit, d: &E::Num) -> Result<Onward<E::Num>> {
        let [part] = e.select([(&bit, d)])?;
        Ok(Onward::Ready(self.bend(e, d, &part)?))
    }
}
