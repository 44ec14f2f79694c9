//! The largest element of each window, channel by channel, as a tournament of neighbours: log2(elements) levels of comparisons.
//!
//! Where several are the largest, the first one gets the gradient, as in PyTorch: the left one of a pair wins a tie, and pairs stand in
//! the window's order. Padding counts for nothing: in its place stands the first element of the window that is there.

use super::window::{PADDING, Pair, Windows, unfit};
use super::{Gradients, Layer, Onward, Place};
use crate::graph::Shape;
use serde::{Deserialize, Serialize};
use trefoil_engine::{Engine, Index, Result, Scatter};

/// Max-pooling.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxPool2d {
    /// The window.
    pub kernel: Pair,
    /// How far it moves at a time; by default as far as it is wide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Pair>,
    /// Around the image.
    #[serde(default = "Pair::NONE")]
    pub padding: Pair,
}

impl MaxPool2d {
    fn windows(&self, input: Shape) -> std::result::Result<Windows, String> {
        Windows::new(input, self.kernel, self.stride.unwrap_or(self.kernel), self.padding)
    }

    /// The element of the image behind each element of each window of a batch.
    fn elements(&self, windows: &Windows, rows: usize) -> Vec<usize> {
        let mut one = windows.of_image(true);
        for window in one.chunks_mut(self.kernel.area().max(1)) {
            let first = window.iter().copied().find(|at| *at != PADDING).unwrap_or(PADDING);
            window.iter_mut().filter(|at| **at == PADDING).for_each(|at| *at = first);
        }
        let elements = windows.elements();
        (0..rows).flat_map(|row| one.iter().map(move |at| row * elements + at)).collect()
    }
}

/// Each pair's left element, each pair's right element, and the last one where their number is odd.
fn pairs(n: usize) -> [Vec<usize>; 3] {
    let pairs = n / 2;
    [(0..pairs).map(|i| 2 * i).collect(), (0..pairs).map(|i| 2 * i + 1).collect(), (2 * pairs..n).collect()]
}

impl Layer for MaxPool2d {
    /// Whether the left one won, by level.
    type Kept<E: Engine> = Vec<E::Bit>;

    fn shape(&self, input: Shape) -> std::result::Result<Shape, String> {
        let windows = self.windows(input)?;
        Ok(Shape::Image([windows.channels(), windows.places[0], windows.places[1]]))
    }

    fn forward<E: Engine>(&self, e: &mut E, at: &Place<'_, E::Num>, x: &E::Num) -> Result<(E::Num, Vec<E::Bit>)> {
        let windows = self.windows(at.input).map_err(unfit)?;
        let (rows, bits) = (e.shape(x)[0], e.format(x).bits);
        let of_record = windows.count() * windows.channels();
        let index = self.elements(&windows, rows);
        // What waits to be finished is finished before there are more of it.
        e.settle(&[x])?;
        let mut x = e.gather(x, Index::Flat([rows * of_record, self.kernel.area()], &index));
        let mut kept = Vec::new();
        while e.shape(&x)[1] > 1 {
            let [left, right, last] = pairs(e.shape(&x)[1]);
            let (a, b, last) =
                (e.gather(&x, Index::Cols(&left)), e.gather(&x, Index::Cols(&right)), e.gather(&x, Index::Cols(&last)));
            // max(a, b) = b + [a >= b] (a - b)
            let difference = e.sub(&a, &b)?;
            let [won] = e.drelu([&difference])?;
            let [gain] = e.select([(&won, &difference)])?;
            let larger = e.add(&b, &gain)?;
            x = e.beside(&[&e.claim(&larger, bits), &last])?;
            kept.push(won);
        }
        let in_order: Vec<usize> = (0..rows * of_record).collect();
        Ok((e.gather(&x, Index::Flat([rows, of_record], &in_order)), kept))
    }

    fn backward<E: Engine>(
        &self,
        e: &mut E,
        at: &Place<'_, E::Num>,
        kept: Vec<E::Bit>,
        d: &E::Num,
        want_dx: bool,
    ) -> Result<Gradients<E::Num>> {
        if !want_dx {
            return Ok(Gradients { input: Onward::Nothing, params: Vec::new() });
        }
        let windows = self.windows(at.input).map_err(unfit)?;
        let ([rows, of_record], bits) = (e.shape(d), e.format(d).bits);
        e.settle(&[d])?;
        let in_order: Vec<usize> = (0..rows * of_record).collect();
        let mut d = e.gather(d, Index::Flat([rows * of_record, 1], &in_order));
        // How many there were before each level.
        let mut sizes = vec![self.kernel.area()];
        kept.iter().skip(1).for_each(|_| sizes.push(sizes.last().copied().unwrap_or(1).div_ceil(2)));
        for (won, n) in kept.iter().zip(sizes).rev() {
            let half = n / 2;
            let of_pairs = e.gather(&d, Index::Cols(&(0..half).collect::<Vec<_>>()));
            let rest = e.gather(&d, Index::Cols(&(half..n.div_ceil(2)).collect::<Vec<_>>()));
            let [left] = e.select([(won, &of_pairs)])?;
            let right = e.claim(&e.sub(&of_pairs, &left)?, bits);
            // Side by side all left ones, all right ones and the odd one: back into the window's order.
            let all = e.beside(&[&left, &right, &rest])?;
            let order: Vec<usize> = (0..n).map(|i| if i == 2 * half { i } else { i % 2 * half + i / 2 }).collect();
            d = e.gather(&all, Index::Cols(&order));
        }
        let places = self.elements(&windows, rows);
        let dx = e.scatter(&d, &Scatter::new([rows, windows.elements()], places))?;
        Ok(Gradients { input: Onward::Ready(dx), params: Vec::new() })
    }
}
