//! Windows that slide over an image: what convolutions and pooling have in common.

use crate::graph::Shape;
use serde::{Deserialize, Serialize};
use trefoil_engine::{Error, Index};

/// A size by height and width; one number stands for both.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "Sides", into = "Sides")]
pub struct Pair(pub [usize; 2]);

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number, or [height, width]")]
enum Sides {
    Both(usize),
    Each([usize; 2]),
}

impl From<Sides> for Pair {
    fn from(sides: Sides) -> Pair {
        match sides {
            Sides::Both(n) => Pair([n; 2]),
            Sides::Each(sides) => Pair(sides),
        }
    }
}

impl From<Pair> for Sides {
    fn from(Pair([height, width]): Pair) -> Sides {
        if height == width { Sides::Both(height) } else { Sides::Each([height, width]) }
    }
}

/// "5", or "5x3".
impl std::fmt::Display for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            [h, w] if h == w => write!(f, "{h}"),
            [h, w] => write!(f, "{h}x{w}"),
        }
    }
}

impl Pair {
    pub(crate) const ONE: fn() -> Pair = || Pair([1, 1]);
    pub(crate) const NONE: fn() -> Pair = || Pair([0, 0]);

    pub(super) fn area(self) -> usize {
        self.0[0].saturating_mul(self.0[1])
    }
}

/// A window with its steps, on images of one shape.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    channels: usize,
    image: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    /// Places of the window, by height and width.
    pub places: [usize; 2],
}

/// Where there is no element: past the end of every image, so that a gather gives a zero and a scatter drops it.
pub const PADDING: usize = usize::MAX;

impl Windows {
    /// Refuses a window that does not fit, with what is expected.
    ///
    /// # Errors
    /// A text that says what is expected.
    pub fn new(input: Shape, kernel: Pair, stride: Pair, padding: Pair) -> Result<Windows, String> {
        let Shape::Image([channels, height, width]) = input else {
            return Err("an image: channels, height and width".into());
        };
        let (image, Pair(kernel), Pair(stride), Pair(padding)) = ([height, width], kernel, stride, padding);
        let mut places = [0; 2];
        for i in 0..2 {
            if kernel[i] == 0 || stride[i] == 0 || padding[i] >= kernel[i] {
                return Err("a window and a stride of at least 1, and less padding than the window is wide".into());
            }
            let room = image[i].checked_add(2 * padding[i]).and_then(|n| n.checked_sub(kernel[i]));
            places[i] = room.ok_or("an image that is at least as large as the window")? / stride[i] + 1;
        }
        Ok(Windows { channels, image, kernel, stride, padding, places })
    }

    /// The channels of the image.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Places of the window in an image.
    pub fn count(&self) -> usize {
        self.places[0] * self.places[1]
    }

    /// The elements of each window side by side: a row for each place, of all channels (`channels_first` is false), or for each channel
    /// and place.
    pub(super) fn index<'a>(&self, at: &'a [usize], channels_first: bool) -> Index<'a> {
        let area = self.kernel[0] * self.kernel[1];
        Index::Blocks { of: self.elements(), cols: if channels_first { area } else { self.channels * area }, at }
    }

    /// Elements of an image, of all channels.
    pub fn elements(&self) -> usize {
        self.channels * self.image[0] * self.image[1]
    }

    /// The element of an image behind each element of the window at each place: for each place, for each channel, row by row, or for
    /// each channel, for each place; [`PADDING`] outside of the image.
    pub fn of_image(&self, channels_first: bool) -> Vec<usize> {
        let mut out = Vec::with_capacity(self.count() * self.channels * self.kernel[0] * self.kernel[1]);
        let (outer, inner) = if channels_first { (self.channels, self.count()) } else { (self.count(), self.channels) };
        for a in 0..outer {
            for b in 0..inner {
                let (channel, place) = if channels_first { (a, b) } else { (b, a) };
                let (top, left) = (place / self.places[1] * self.stride[0], place % self.places[1] * self.stride[1]);
                for (y, x) in (0..self.kernel[0]).flat_map(|y| (0..self.kernel[1]).map(move |x| (y, x))) {
                    let inside = |at: usize, padding: usize, size: usize| at.checked_sub(padding).filter(|at| *at < size);
                    let (y, x) =
                        (inside(top + y, self.padding[0], self.image[0]), inside(left + x, self.padding[1], self.image[1]));
                    out.push(y.zip(x).map_or(PADDING, |(y, x)| (channel * self.image[0] + y) * self.image[1] + x));
                }
            }
        }
        out
    }
}

/// What cannot be: shapes are checked with the graph.
pub(super) fn unfit(_: String) -> Error {
    Error::Shape { what: "window on an image", left: [0, 0], right: [0, 0] }
}
