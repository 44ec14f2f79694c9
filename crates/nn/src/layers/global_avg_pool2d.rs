//! The mean of each channel over the whole image, as images of 1 x 1.
//!
//! A sum is local, and so is the division but for a truncation: unlike [`AvgPool2d`](super::AvgPool2d), whose windows are small, this
//! gives its output no more fraction bits than its input has.

use super::mean::over;
use super::{Onward, Place, Through};
use crate::graph::Shape;
use trefoil_engine::{Engine, Format, Index, Result, Scatter};

/// The layer; it has no settings and no parameters.
#[derive(Clone, Copy, Debug, Default)]
pub struct GlobalAvgPool2d;

/// Channels of an image, and elements of each.
fn sides(input: Shape) -> [usize; 2] {
    match input {
        Shape::Image([channels, height, width]) => [channels, height * width],
        Shape::Flat(n) => [n, 1],
    }
}

impl Through for GlobalAvgPool2d {
    type Kept<E: Engine> = ();

    fn shape(&self, input: Shape) -> std::result::Result<Shape, String> {
        match input {
            Shape::Image([channels, ..]) => Ok(Shape::Image([channels, 1, 1])),
            Shape::Flat(_) => Err("an image: channels, height and width".into()),
        }
    }

    fn forward<E: Engine>(&self, e: &mut E, at: &Place<'_, E::Num>, x: &E::Num) -> Result<(E::Num, ())> {
        let ([channels, area], rows, format) = (sides(at.input), e.shape(x)[0], e.format(x));
        let sum = e.scatter(x, &Scatter::rows(rows, channels, (0..channels * area).map(|i| i / area).collect()))?;
        Ok((over(e, &sum, area, format)?, ()))
    }

    fn backward<E: Engine>(&self, e: &mut E, at: &Place<'_, E::Num>, (): (), d: &E::Num) -> Result<Onward<E::Num>> {
        let ([channels, area], format) = (sides(at.input), e.format(d));
        // As many bits as before, further behind the point: a share of a gradient is small.
        let finer = Format { frac: format.frac + area.ilog2() as u8, ..format };
        let share = over(e, d, area, finer)?;
        // What is left to finish is finished before there are more of it.
        e.settle(&[&share])?;
        let index: Vec<usize> = (0..channels * area).map(|i| i / area).collect();
        let dx = e.gather(&share, Index::Blocks { of: channels, cols: channels * area, at: &index });
        Ok(Onward::Ready(dx))
    }
}
