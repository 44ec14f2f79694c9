//! The largest element of each window, channel by channel, as a tournament of neighbours: log2(elements) levels of comparisons.
//!
//! Where several are the largest, the first one gets the gradient, as in PyTorch: the left one of a pair wins a tie, and pairs stand in
//! the window's order. Padding counts for nothing: in its place stands the first element of the window that is there.

use super::window::{PADDING, Pair, Windows, unfit};
use super::{Onward, Place, Through};
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

    /// The image's elements behind those of all windows: first the first one of each window, then the second ones.
    fn elements(&self, windows: &Windows) -> Vec<usize> {
        let (area, mut at) = (self.kernel.area().max(1), windows.of_image(true));
        for window in at.chunks_mut(area) {
            let first = window.iter().copied().find(|at| *at != PADDING).unwrap_or(PADDING);
            window.iter_mut().filter(|at| **at == PADDING).for_each(|at| *at = first);
        }
        (0..area).flat_map(|i| at.iter().copied().skip(i).step_by(area)).collect()
    }
}

/// The places of these of several groups of `width` elements.
fn groups(which: impl Iterator<Item = usize>, width: usize) -> Vec<usize> {
    which.flat_map(|group| group * width..(group + 1) * width).collect()
}

impl Through for MaxPool2d {
    /// Whether the left one won, by level.
    type Kept<E: Engine> = Vec<E::Bit>;

    fn shape(&self, input: Shape) -> std::result::Result<Shape, String> {
        let windows = self.windows(input)?;
        Ok(Shape::Image([windows.channels(), windows.places[0], windows.places[1]]))
    }

    fn forward<E: Engine>(&self, e: &mut E, at: &Place<'_, E::Num>, x: &E::Num) -> Result<(E::Num, Vec<E::Bit>)> {
        let windows = self.windows(at.input).map_err(unfit)?;
        let (bits, width) = (e.format(x).bits, windows.count() * windows.channels());
        // Only comparisons and selections follow: a few bits will do.
        let (mut x, mut at, mut kept) = (e.narrow(x)?, self.elements(&windows), Vec::new());
        while at.len() > width {
            let (n, of) = (at.len() / width, e.shape(&x)[1]);
            let some = |e: &E, which: &mut dyn Iterator<Item = usize>| {
                let at: Vec<usize> = groups(which, width).into_iter().map(|i| at[i]).collect();
                e.gather(&x, Index::Blocks { of, cols: at.len(), at: &at })
            };
            let (a, b) = (some(e, &mut (0..n / 2).map(|i| 2 * i)), some(e, &mut (0..n / 2).map(|i| 2 * i + 1)));
            let last = (n % 2 == 1).then(|| some(e, &mut (n - 1..n)));
            // max(a, b) = b + [a >= b] (a - b)
            let difference = e.sub(&a, &b)?;
            let [won] = e.drelu([&difference])?;
            let [gain] = e.select([(&won, &difference)])?;
            let larger = e.claim(&e.add(&b, &gain)?, bits);
            x = match last {
                Some(last) => e.beside(&[&larger, &last])?,
                None => larger,
            };
            at = (0..n.div_ceil(2) * width).collect();
            kept.push(won);
        }
        if kept.is_empty() {
            x = e.gather(&x, Index::Blocks { of: windows.elements(), cols: width, at: &at });
        }
        Ok((x, kept))
    }

    fn backward<E: Engine>(&self, e: &mut E, at: &Place<'_, E::Num>, kept: Vec<E::Bit>, d: &E::Num) -> Result<Onward<E::Num>> {
        let windows = self.windows(at.input).map_err(unfit)?;
        let ([rows, width], bits) = (e.shape(d), e.format(d).bits);
        e.settle(&[d])?;
        let mut d = d.clone();
        // How many there were before each level.
        let mut sizes = vec![self.kernel.area()];
        kept.iter().skip(1).for_each(|_| sizes.push(sizes.last().copied().unwrap_or(1).div_ceil(2)));
        for (level, (won, n)) in kept.iter().zip(sizes).enumerate().rev() {
            let half = n / 2;
            let some = |e: &E, x: &E::Num, which: &mut dyn Iterator<Item = usize>| {
                let at = groups(which, width);
                e.gather(x, Index::Blocks { of: e.shape(x)[1], cols: at.len(), at: &at })
            };
            let of_pairs = if n % 2 == 1 { some(e, &d, &mut (0..half)) } else { d.clone() };
            let [left] = e.select([(won, &of_pairs)])?;
            let right = e.claim(&e.sub(&of_pairs, &left)?, bits);
            // Side by side all left ones, all right ones and the odd one: back into the window's order, which the first level leaves to the sums.
            d = match n % 2 {
                1 => e.beside(&[&left, &right, &some(e, &d, &mut (half..half + 1))])?,
                _ => e.beside(&[&left, &right])?,
            };
            if level > 0 {
                d = some(e, &d, &mut (0..n).map(|i| if i == 2 * half { i } else { i % 2 * half + i / 2 }));
            }
        }
        let (places, half) = (self.elements(&windows), self.kernel.area() / 2);
        let in_order = (0..half).map(|i| 2 * i).chain((0..half).map(|i| 2 * i + 1)).chain(2 * half..self.kernel.area());
        let places = groups(in_order, width).into_iter().map(|i| places[i]).collect();
        let dx = e.scatter(&d, &Scatter::rows(rows, windows.elements(), places))?;
        Ok(Onward::Ready(dx))
    }
}
