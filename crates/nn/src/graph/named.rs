//! Networks by name.

use super::Graph;
use crate::{Error, Result};
use std::str::FromStr;

/// From all widths of a perceptron, from inputs to outputs, `784-128-128-10`, or by a name from the literature: `securenn-a`
/// (SecureNN, PETS 2019, section 6).
impl FromStr for Graph {
    type Err = Error;

    fn from_str(text: &str) -> Result<Graph> {
        let sizes = if text == "securenn-a" { "784-128-128-10" } else { text };
        match sizes.split('-').map(|n| n.parse().ok()).collect::<Option<Vec<usize>>>() {
            Some(sizes) if sizes.len() > 1 => Ok(Graph::perceptron(&sizes)),
            _ => Err(Error::config(
                "network",
                format!("{text:?}"),
                "widths from inputs to outputs, such as 784-128-128-10, or securenn-a",
            )),
        }
    }
}
