//! What a record is at a place in the network.

use serde::{Deserialize, Serialize};

/// The shape of a record: an engine sees it as one row of [`Shape::len`] columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number of columns, or [channels, height, width]")]
pub enum Shape {
    /// So many numbers.
    Flat(usize),
    /// Channels, height and width; channel after channel, each row by row, as PyTorch has it.
    Image([usize; 3]),
}

impl Shape {
    /// The number of values; the largest number there is where they cannot be counted.
    pub fn len(&self) -> usize {
        match *self {
            Shape::Flat(n) => n,
            Shape::Image([c, h, w]) => c.checked_mul(h).and_then(|n| n.checked_mul(w)).unwrap_or(usize::MAX),
        }
    }

    /// The number of values by each of its sides.
    pub fn sides(&self) -> Vec<usize> {
        match *self {
            Shape::Flat(n) => vec![n],
            Shape::Image(sides) => sides.to_vec(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// "784" or "1x28x28".
impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Shape::Flat(n) => write!(f, "{n}"),
            Shape::Image([c, h, w]) => write!(f, "{c}x{h}x{w}"),
        }
    }
}
