//! Images that are in memory already, with their labels.

use super::value::Value;
use crate::Result;
use crate::error::{Refusal, mismatch};

/// Grey levels and the label of each.
pub(crate) struct Images {
    /// For messages.
    name: &'static str,
    left: std::vec::IntoIter<(Vec<u8>, u8)>,
}

impl Images {
    pub(crate) fn new(name: &'static str, images: Vec<(Vec<u8>, u8)>) -> Images {
        Images { name, left: images.into_iter() }
    }

    /// Calls `each` with the pixels of the next image and its label; false at the end.
    pub(super) fn row(&mut self, mut each: impl FnMut(usize, Value<'_>) -> Result<(), Refusal>) -> Result<bool> {
        let Some((pixels, label)) = self.left.next() else { return Ok(false) };
        let values = pixels.iter().chain([&label]).enumerate();
        for (slot, value) in values {
            each(slot, Value::Integer((*value).into())).map_err(|why| mismatch(self.name, why.found, why.expected))?;
        }
        Ok(true)
    }
}
