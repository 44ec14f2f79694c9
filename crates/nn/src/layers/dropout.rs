//! Zeros in random places in training, and what is left times 1 / (1 - p), as in PyTorch; nothing in evaluation.
//!
//! The places are public: they follow from the training's seed, the step and the node, and say nothing about values. So the zeros are put
//! in by a rearrangement, which is local, and so is the factor where it is a power of two. Any other takes a truncation. That the output
//! keeps the range of the input is promised.

use super::{Constant, Mode, Onward, Place, Through};
use crate::graph::Shape;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use trefoil_engine::{Engine, Index, Result};
use trefoil_ring::public::Public;

/// The layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    /// The chance of a zero, below 1.
    #[serde(default = "Dropout::half")]
    pub p: Constant,
}

/// Fraction bits of 1 / (1 - p).
const FACTOR: u8 = 16;

impl Dropout {
    /// PyTorch's default.
    fn half() -> Constant {
        Constant(0.5)
    }

    /// Zeros in the places of this step, and the factor. The gradient takes the same way.
    fn apply<E: Engine>(&self, e: &mut E, at: &Place<'_, E::Num>, x: &E::Num) -> Result<E::Num> {
        let Mode::Train { seed, step } = at.mode else { return Ok(x.clone()) };
        let ([rows, columns], format) = (e.shape(x), e.format(x));
        let mut public = Public::new(seed, &[7, step, at.node as u64]);
        // A lane has rows of a batch, and what is drawn for those before them is left out.
        (0..e.lane().rank * rows * columns).for_each(|_| {
            public.unit();
        });
        // A column of zeros behind the others is what is taken in place of an element.
        let index: Vec<usize> = (0..rows * columns)
            .map(|i| (i / columns * (columns + 1), i % columns))
            .map(|(row, j)| if public.unit() < self.p.0 { row + columns } else { row + j })
            .collect();
        let x = e.beside(&[x, &e.public(&Array2::zeros((rows, 1)), format)?])?;
        let kept = e.gather(&x, Index::Flat([rows, columns], &index));
        let factor = 1.0 / (1.0 - self.p.0);
        if factor.log2().fract() == 0.0 {
            return Ok(e.claim(&e.times(&kept, factor, 0)?, format.bits));
        }
        let [y] = e.truncate([(&e.times(&kept, factor, FACTOR)?, format)])?;
        Ok(y)
    }
}

impl Through for Dropout {
    type Kept<E: Engine> = ();

    fn shape(&self, input: Shape) -> std::result::Result<Shape, String> {
        if (0.0..=0.99).contains(&self.p.0) { Ok(input) } else { Err(format!("a chance of 0 to 0.99, not {}", self.p.0)) }
    }

    fn forward<E: Engine>(&self, e: &mut E, at: &Place<'_, E::Num>, x: &E::Num) -> Result<(E::Num, ())> {
        Ok((self.apply(e, at, x)?, ()))
    }

    fn backward<E: Engine>(&self, e: &mut E, at: &Place<'_, E::Num>, (): (), d: &E::Num) -> Result<Onward<E::Num>> {
        Ok(Onward::Ready(self.apply(e, at, d)?))
    }
}
