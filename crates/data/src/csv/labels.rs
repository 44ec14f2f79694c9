//! From a column of labels to classes.

use super::MAX_CLASSES;
use super::cell::{Cell, is_hole};
use crate::Result;
use crate::error::{Refusal, empty, quote};
use std::collections::BTreeMap;

/// The labels read so far. A file has either integers or texts, as its first record says.
#[derive(Default)]
pub(super) struct Labels {
    kind: Option<Kind>,
    /// Each distinct label, with the number that `rows` has for it and the line where it came first.
    distinct: BTreeMap<Label, (usize, u64)>,
    rows: Vec<usize>,
}

/// Ordered as the classes will be.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Integer(usize),
    Text(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    Text,
}

impl Labels {
    pub(super) fn push(&mut self, field: &[u8], cell: Cell<'_>) -> Result<()> {
        let label = read(field, &cell)?;
        let kind = match label {
            Label::Integer(_) => Kind::Integer,
            Label::Text(_) => Kind::Text,
        };
        if *self.kind.get_or_insert(kind) != kind {
            let expected = if kind == Kind::Text { "an integer label" } else { "a text label" };
            return Err(cell.refuse(Refusal::of(field, format!("{expected} as in the first record"))));
        }
        let next = self.distinct.len();
        let (number, _) = *self.distinct.entry(label).or_insert((next, cell.line));
        if number >= MAX_CLASSES {
            return Err(cell.refuse(Refusal::new(
                format!("{} distinct labels so far", number + 1),
                format!("at most {MAX_CLASSES} classes"),
            )));
        }
        self.rows.push(number);
        Ok(())
    }

    /// The classes' names, and for each record the index of its class.
    pub(super) fn classes(self, file: &str, column: &str) -> Result<(Vec<String>, Vec<usize>)> {
        if self.rows.is_empty() {
            return Err(empty(file, "a header and no records", "one record"));
        }
        let count = self.distinct.len();
        let mut names = Vec::with_capacity(count);
        let mut index = vec![0; count];
        for (i, (label, &(number, line))) in self.distinct.iter().enumerate() {
            names.push(match label {
                Label::Text(text) => text.clone(),
                Label::Integer(n) if *n == i => n.to_string(),
                // The integers are 0..i and then this one: class i has no record, or this label is out of range.
                Label::Integer(n) => {
                    let expected = format!("the integers 0 to k-1 as labels, none missing; no record has label {i}");
                    return Err(Cell { file, line, column }.refuse(Refusal::new(format!("label {n}"), expected)));
                }
            });
            index[number] = i;
        }
        Ok((names, self.rows.iter().map(|&number| index[number]).collect()))
    }
}

fn read(field: &[u8], cell: &Cell<'_>) -> Result<Label> {
    if is_hole(field) {
        return Err(cell.refuse(Refusal::hole("a label")));
    }
    let Ok(text) = std::str::from_utf8(field) else {
        return Err(cell.refuse(Refusal::of(field, "a label in UTF-8")));
    };
    let Ok(number) = text.parse::<f64>() else {
        return Ok(Label::Text(text.to_string()));
    };
    // "1.0" is the integer 1, as other tools write it.
    if number.fract() == 0.0 && (0.0..MAX_CLASSES as f64).contains(&number) {
        return Ok(Label::Integer(number as usize));
    }
    Err(cell.refuse(Refusal::new(format!("label {}", quote(text)), format!("an integer from 0 to {}", MAX_CLASSES - 1))))
}
