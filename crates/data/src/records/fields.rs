//! What becomes of a record's values, each by its column.

use super::account::Tally;
use super::encode::Encoding;
use super::identifiers::Identifiers;
use super::order::Order;
use super::text::Numerals;
use super::unit::Unit;
use super::value::Value;
use crate::Result;
use crate::error::{Refusal, mismatch, quote};
use crate::schema::{Join, Partition, Schema};

/// What becomes of the values that a format gives: by their slots the owner's features, the label, the identifier.
pub(super) struct Fields {
    pub(super) encodings: Vec<Encoding>,
    /// For each slot but the identifier's, which encoding.
    pub(super) slots: Vec<usize>,
    /// For each encoding the unit that its values are in; empty where all are in the job's units.
    pub(super) units: Vec<Option<Unit>>,
    /// For each encoding.
    pub(super) tallies: Vec<Tally>,
    pub(super) labelled: bool,
    /// How numbers are written where they are texts.
    pub(super) numerals: Numerals,
    pub(super) order: Option<Order>,
    pub(super) identifiers: Option<Identifiers>,
    pub(super) width: usize,
}

impl Fields {
    /// And the names that the slots have in a file with named columns.
    pub(super) fn of(schema: &Schema, columns: &[String], labelled: bool) -> Result<(Fields, Vec<String>)> {
        let (mut encodings, mut tallies, mut slots, mut names) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (column, _) in schema.features_of(columns)? {
            for name in schema.in_file(column) {
                slots.push(encodings.len());
                names.push(name);
            }
            encodings.push(Encoding::of(column, schema));
            tallies.push(Tally::of(column.name()));
        }
        let mut width = schema.width_of(columns)?;
        if labelled {
            slots.push(encodings.len());
            names.push(schema.label.clone());
            encodings.push(Encoding::of_label(schema));
            tallies.push(Tally::of(&schema.label));
            width += schema.outputs();
        }
        let order = (schema.partition == Partition::Vertical && schema.join == Join::Order).then(Order::new);
        let identifiers = schema.joins().then(Identifiers::new);
        names.extend(schema.id.clone());
        let numerals = Numerals::default();
        Ok((Fields { encodings, slots, units: Vec::new(), tallies, labelled, numerals, order, identifiers, width }, names))
    }

    /// These columns' values are in these units.
    pub(super) fn in_units(&mut self, units: &[(String, Unit)]) -> Result<()> {
        for (name, unit) in units {
            let refuse = |found: String, expected: &str| mismatch(&format!("--unit {name}={unit}"), found, expected);
            let at = self.tallies.iter().position(|tally| tally.name == *name);
            let at = at.ok_or_else(|| refuse(format!("no column {}", quote(name)), "one that this owner shares"))?;
            if !self.encodings.get(at).is_some_and(Encoding::has_unit) {
                return Err(refuse("a column without a unit".into(), "one of numbers"));
            }
            self.units.resize(self.encodings.len(), None);
            if let Some(before) = self.units.get_mut(at).and_then(|place| place.replace(unit.clone())) {
                return Err(refuse(format!("{before} before it"), "one unit for each column"));
            }
        }
        Ok(())
    }

    #[inline]
    pub(super) fn take(&mut self, slot: usize, value: Value<'_>, out: &mut Vec<i64>) -> Result<(), Refusal> {
        match (self.slots.get(slot), &mut self.order, &mut self.identifiers) {
            (Some(&at), _, _) => {
                let (encoding, value) = (&self.encodings[at], value.written(self.numerals));
                let value = match self.units.get(at) {
                    // What stands for a missing value has no unit, and what is taken in its place is in the job's.
                    Some(Some(unit)) if !encoding.lacks(value) => Value::Float(unit.of(value.number()?)),
                    _ => value,
                };
                encoding.encode(value, out, &mut self.tallies[at])
            }
            (None, Some(order), _) => order.push(value),
            (None, None, Some(identifiers)) => identifiers.push(value),
            (None, None, None) => Ok(()),
        }
    }
}
