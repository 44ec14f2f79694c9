//! A convolution, as PyTorch has it: W is [filters, channels, height, width], b is one number a filter.
//!
//! Each place of the window becomes a row (im2col): that is a gather, and moves no bytes. Then z = columns W^T + b is one product for
//! the batch. Backward: dW = d^T columns; db is a sum over records and places, local; dx = d W is a product whose elements are added up
//! where the windows overlap, by the gather's adjoint, *before* they are truncated: only as many elements as the image has are cut and
//! opened, not as many as the columns have.

use super::linear::two;
use super::window::{Pair, Windows, unfit};
use super::{Factors, Gradient, Gradients, Layer, Onward, Place, Start};
use crate::graph::Shape;
use serde::{Deserialize, Serialize};
use trefoil_engine::{Engine, Index, Kind, Product, Result, Scatter, Sum};

/// A convolution.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2d {
    /// Channels that it gives.
    pub filters: usize,
    /// The window.
    pub kernel: Pair,
    /// How far it moves at a time.
    #[serde(default = "Pair::ONE")]
    pub stride: Pair,
    /// Zeros around the image.
    #[serde(default = "Pair::NONE")]
    pub padding: Pair,
}

/// Columns of a batch with more values than this, 32 MiB as words, are made again on the way back rather than kept.
const MOST_KEPT: usize = 1 << 22;

impl Conv2d {
    fn windows(&self, input: Shape) -> std::result::Result<Windows, String> {
        Windows::new(input, self.kernel, self.stride, self.padding)
    }

    /// Values of a record as columns.
    pub fn columns(&self, input: Shape) -> usize {
        self.windows(input).map_or(0, |w| w.count().saturating_mul(w.channels()).saturating_mul(self.kernel.area()))
    }

    /// [records, filters * places] as [records * places, filters], or the other way round.
    fn turned<E: Engine>(&self, e: &E, x: &E::Num, places: usize, back: bool) -> E::Num {
        let of = places * self.filters;
        let (inner, cols) = if back { (places, of) } else { (self.filters, self.filters) };
        // Place i of the result's block is row i / inner and column i % inner of a block that is transposed.
        let at: Vec<usize> = (0..of).map(|i| i % inner * (of / inner) + i / inner).collect();
        e.gather(x, Index::Blocks { of, cols, at: &at })
    }
}

impl Layer for Conv2d {
    /// The input, and its columns unless they are many.
    type Kept<E: Engine> = (E::Num, Option<E::Num>);

    fn shape(&self, input: Shape) -> std::result::Result<Shape, String> {
        let [height, width] = self.windows(input)?.places;
        Ok(Shape::Image([self.filters, height, width]))
    }

    fn params(&self, input: Shape) -> Vec<(&'static str, Vec<usize>, Start)> {
        let Shape::Image([channels, ..]) = input else { return Vec::new() };
        let (Pair([height, width]), area) = (self.kernel, self.kernel.area());
        let start = Start::Random { fan_in: channels.saturating_mul(area), fan_out: self.filters.saturating_mul(area) };
        vec![("weight", vec![self.filters, channels, height, width], start), ("bias", vec![self.filters], Start::Zero)]
    }

    fn forward<E: Engine>(&self, e: &mut E, at: &Place<'_, E::Num>, x: &E::Num) -> Result<(E::Num, Self::Kept<E>)> {
        let ([w, b], windows) = (two(at.params)?, self.windows(at.input).map_err(unfit)?);
        // What a product would pay for each element is paid before there are more of them. What is around the image is zero.
        let x = e.prepare(x)?;
        let columns = e.gather(&x, windows.index(&windows.of_image(false), false));
        let [z] = e.products([Product::matmul(&columns, false, w, true, at.formats.out).plus(b).narrow(at.narrow)])?;
        let [places, width] = e.shape(&columns);
        let kept = (places.saturating_mul(width) <= MOST_KEPT).then_some(columns);
        Ok((self.turned(e, &z, windows.count(), true), (x, kept)))
    }

    fn backward<E: Engine>(
        &self,
        e: &mut E,
        at: &Place<'_, E::Num>,
        (x, columns): Self::Kept<E>,
        d: &E::Num,
        want_dx: bool,
    ) -> Result<Gradients<E::Num>> {
        let ([w, _], windows) = (two(at.params)?, self.windows(at.input).map_err(unfit)?);
        let rows = e.shape(d)[0];
        let columns = columns.unwrap_or_else(|| e.gather(&x, windows.index(&windows.of_image(false), false)));
        let d = e.prepare(d)?;
        let d = self.turned(e, &d, windows.count(), false);
        let input = if want_dx {
            let scatter = Some(Scatter::rows(rows, windows.elements(), windows.of_image(false)));
            let factors = Factors { kind: Kind::MatMul { tx: false, ty: false }, x: d.clone(), y: w.clone(), scatter };
            Onward::Product(factors, at.formats.wider(e.format(&d)))
        } else {
            Onward::Nothing
        };
        let db = e.sum(&d, Sum::Rows);
        let dw = Factors { kind: Kind::MatMul { tx: true, ty: false }, x: d, y: columns, scatter: None };
        Ok(Gradients { input, params: vec![Gradient::Product(dw), Gradient::Ready(db)] })
    }
}
