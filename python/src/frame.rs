//! Records from Python: data frames of pandas and polars, and arrays. They are copied in memory; nothing is written anywhere.

use numpy::PyReadonlyArray1;
use pyo3::prelude::*;
use trefoil_data::records::{Cells, Table};
use trefoil_job::predict::Unlabelled;
use trefoil_job::{Error, Result};
use trefoil_nn::model::Input;

/// Records side by side.
pub struct Frame {
    /// Of a data frame's columns; `None` for an array, whose columns have none.
    names: Option<Vec<String>>,
    /// How many.
    pub records: usize,
    cells: Vec<Cells>,
}

impl Frame {
    /// Of what `trefoil._frames` can read: see there.
    pub fn of(records: &Bound<'_, PyAny>) -> PyResult<Frame> {
        let read = records.py().import("trefoil._frames")?.call_method1("columns", (records,))?;
        let (names, records, columns): (Option<Vec<String>>, usize, Bound<'_, PyAny>) = read.extract()?;
        Ok(Frame { names, records, cells: columns.try_iter()?.map(|column| cells(&column?)).collect::<PyResult<_>>()? })
    }

    /// Its columns, which must have names.
    pub fn table(self) -> Result<Table> {
        let nameless = || Error::config("records", "an array", "a data frame, whose columns have names");
        Ok(Table::new("records", self.names.ok_or_else(nameless)?, self.records, self.cells)?)
    }

    /// Its columns as a model wants them: by their names, where both know some, else in their order.
    pub fn unlabelled(self, input: Input) -> Result<Unlabelled> {
        match &self.names {
            Some(_) if input.named => Unlabelled::of_table(input, &self.table()?),
            _ => Unlabelled::in_memory(input, "records", self.records, self.cells),
        }
    }
}

/// A column's values: an array of whole numbers, an array of floats, or a list of texts.
fn cells(column: &Bound<'_, PyAny>) -> PyResult<Cells> {
    if let Ok(whole) = column.extract::<PyReadonlyArray1<'_, i64>>() {
        return Ok(Cells::Integers(whole.as_array().to_vec()));
    }
    if let Ok(numbers) = column.extract::<PyReadonlyArray1<'_, f64>>() {
        return Ok(Cells::Floats(numbers.as_array().to_vec()));
    }
    Ok(Cells::Texts(column.extract::<Vec<String>>()?.into_iter().map(String::into_bytes).collect()))
}
