//! The mean of each window, channel by channel; zeros around the image count, as in PyTorch.
//!
//! A sum is local, and so is the division where the window has a power of two of elements: the point moves. Any other number takes a
//! product with a constant and a truncation.

use super::window::{Pair, Windows, unfit};
use super::{Onward, Place, Through};
use crate::graph::Shape;
use serde::{Deserialize, Serialize};
use trefoil_engine::{Engine, Index, Result, Scatter, Sum};

/// Average-pooling.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AvgPool2d {
    /// The window.
    pub kernel: Pair,
    /// How far it moves at a time; by default as far as it is wide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Pair>,
    /// Zeros around the image.
    #[serde(default = "Pair::NONE")]
    pub padding: Pair,
}

/// Fraction bits of 1 over the number of elements.
const SHARE: u8 = 24;

impl AvgPool2d {
    fn windows(&self, input: Shape) -> std::result::Result<Windows, String> {
        Windows::new(input, self.kernel, self.stride.unwrap_or(self.kernel), self.padding)
    }

    /// x over the number of elements in a window. A mean's range is that of what it is made of.
    fn mean<E: Engine>(&self, e: &mut E, x: &E::Num) -> Result<E::Num> {
        let n = self.kernel.area();
        if n.is_power_of_two() {
            return e.times_2(x, -(n.trailing_zeros() as i8));
        }
        let format = e.format(x);
        let [mean] = e.truncate([(&e.times(x, 1.0 / n as f64, SHARE)?, format)])?;
        Ok(mean)
    }
}

impl Through for AvgPool2d {
    type Kept<E: Engine> = ();

    fn shape(&self, input: Shape) -> std::result::Result<Shape, String> {
        let windows = self.windows(input)?;
        Ok(Shape::Image([windows.channels(), windows.places[0], windows.places[1]]))
    }

    fn forward<E: Engine>(&self, e: &mut E, at: &Place<'_, E::Num>, x: &E::Num) -> Result<(E::Num, ())> {
        let windows = self.windows(at.input).map_err(unfit)?;
        let format = e.format(x);
        let of_record = windows.count() * windows.channels();
        e.settle(&[x])?;
        let x = e.gather(x, windows.index(&windows.of_image(true), true));
        let sum = e.sum(&x, Sum::Cols);
        let mean = self.mean(e, &sum)?;
        let in_order: Vec<usize> = (0..of_record).collect();
        let y = e.gather(&mean, Index::Blocks { of: of_record, cols: of_record, at: &in_order });
        let bits = format.bits + (e.format(&y).frac - format.frac);
        Ok((e.claim(&y, bits), ()))
    }

    fn backward<E: Engine>(&self, e: &mut E, at: &Place<'_, E::Num>, (): (), d: &E::Num) -> Result<Onward<E::Num>> {
        let windows = self.windows(at.input).map_err(unfit)?;
        let ([rows, of_record], n) = (e.shape(d), self.kernel.area());
        let share = self.mean(e, d)?;
        // Each window's share goes to each of its elements.
        let at: Vec<usize> = (0..of_record * n).map(|i| i / n).collect();
        let shares = e.gather(&share, Index::Blocks { of: of_record, cols: n, at: &at });
        let dx = e.scatter(&shares, &Scatter::rows(rows, windows.elements(), windows.of_image(true)))?;
        Ok(Onward::Ready(dx))
    }
}
