//! All that is wrong with an owner's file at once, before anything leaves its machine.

use super::account::Account;
use super::{Records, Source, Table, without};
use crate::error::Refusal;
use crate::schema::Schema;
use crate::{DataError, Result};

/// Faults that are told one by one.
pub const TOLD: usize = 20;

/// What a file was found to be.
pub struct Checked {
    /// What became of the values that are as they should be, and how many records are so in all of them.
    pub account: Account,
    /// The first faults, in the order of the file.
    pub faults: Vec<DataError>,
    /// How many there are in all.
    pub count: u64,
}

/// Numbers only: what is wrong may have a value of a record in it.
impl std::fmt::Debug for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Checked({:?}, {} faults)", self.account, self.count)
    }
}

impl Checked {
    /// What was found, if nothing is wrong with it.
    ///
    /// # Errors
    /// The first fault, and how many more there are.
    pub fn good(self) -> Result<Account> {
        let more = self.count.saturating_sub(1);
        match self.faults.into_iter().next() {
            None => Ok(self.account),
            Some(only) if more == 0 => Err(only),
            Some(first) => Err(DataError::Faults { first: Box::new(first), more }),
        }
    }
}

/// Reads all of an owner's file as [`Records::open`] does, and goes on after what is wrong with a record.
///
/// # Errors
/// The schema is not in order, or the file has no records that could be read by it.
pub fn check(source: &Source, schema: &Schema, columns: &[String], labelled: bool) -> Result<Checked> {
    checked(Records::open(source, &without(schema), columns, labelled)?)
}

/// The same of columns in memory.
///
/// # Errors
/// As for [`check`].
pub fn check_table(table: &Table, schema: &Schema, columns: &[String], labelled: bool) -> Result<Checked> {
    checked(Records::in_memory(table, &without(schema), columns, labelled)?)
}

fn checked(mut records: Records) -> Result<Checked> {
    let (mut faults, mut count) = (Vec::new(), 0);
    let mut refused: Vec<(usize, Refusal)> = Vec::new();
    loop {
        let (fields, row) = (&mut records.fields, &mut records.row);
        row.clear();
        let more = records.format.row(|slot, value| {
            if let Err(why) = fields.take(slot, value, row) {
                refused.push((slot, why));
            }
            Ok(())
        });
        let mut found: Vec<DataError> = refused.drain(..).map(|(slot, why)| records.format.fault(slot, why)).collect();
        let goes_on = match more {
            Ok(more) => more,
            Err(e) => {
                let goes_on = matches!(
                    e,
                    DataError::Cell { .. } | DataError::Fields { .. } | DataError::Line { .. } | DataError::Label { .. }
                );
                found.push(e);
                goes_on
            }
        };
        if goes_on && found.is_empty() {
            records.read += 1;
        }
        count += found.len() as u64;
        faults.extend(found.into_iter().take(TOLD - faults.len()));
        if !goes_on {
            break;
        }
    }
    if records.read == 0 && count == 0 {
        return Err(crate::error::empty(&records.file, "no records", "one record"));
    }
    Ok(Checked { account: records.account(), faults, count })
}
