//! Records in the order that a join has found: all of them are encoded, and those that take part stand in memory, where they are given from.

use super::{Identifiers, Records, State};
use crate::Result;
use crate::error::mismatch;

/// Encoded records, row by row. They are narrower than 32 bits: see the formats of [`Schema`](crate::schema::Schema).
pub(super) struct InOrder {
    values: Vec<i32>,
    width: usize,
    given: usize,
}

impl InOrder {
    /// Appends the next record; false at the end.
    pub(super) fn row(&mut self, row: &mut Vec<i64>) -> bool {
        let next = self.values.chunks_exact(self.width.max(1)).nth(self.given);
        row.extend(next.into_iter().flatten().map(|v| i64::from(*v)));
        self.given += 1;
        next.is_some()
    }
}

impl Records {
    /// Reads all of the file, whose identifiers must be these, and keeps the records `rows`, counted from 0: they are then given in this order, and
    /// what is held out is chosen from them.
    ///
    /// # Errors
    /// What is wrong with the file; it is another one than that of the identifiers.
    pub fn in_order(mut self, rows: &[u32], identifiers: Vec<Vec<u8>>) -> Result<Records> {
        let all = identifiers.len();
        let mut places = vec![u32::MAX; all];
        for (place, row) in (0..).zip(rows) {
            if let Some(of_row) = places.get_mut(*row as usize) {
                *of_row = place;
            }
        }
        self.fields.identifiers = Some(Identifiers::Known(identifiers, 0));
        let width = self.fields.width;
        let mut values = vec![0i32; rows.len() * width];
        for place in places {
            if !self.record()? {
                return Err(self.changed());
            }
            if let Some(out) = values.get_mut(place as usize * width..(place as usize).saturating_add(1) * width) {
                for (out, v) in out.iter_mut().zip(&self.row) {
                    *out =
                        i32::try_from(*v).map_err(|_| mismatch(&self.file, "a value of more than 32 bits", "narrower ones"))?;
                }
            }
        }
        if self.record()? {
            return Err(self.changed());
        }
        self.fields.identifiers = None;
        self.in_order = Some(InOrder { values, width, given: 0 });
        (self.read, self.state) = (0, State::Reading);
        self.count = None;
        if self.held.holdout > 0 {
            let mut counts = vec![0; self.held.classes.unwrap_or(1)];
            for row in self.in_order.iter().flat_map(|kept| kept.values.chunks_exact(width.max(1))) {
                // Where classes matter the label is behind the features: one number a class.
                let class = self.held.classes.map_or(0, |n| row.iter().rev().take(n).rev().position(|v| *v != 0).unwrap_or(0));
                counts[class] += 1;
            }
            self.plan = Some(self.plan_of(&counts));
        }
        Ok(self)
    }
}
