//! Records from Python: what lends its columns by Arrow's C interface, and is not copied; other data frames and arrays, which are. Nothing is
//! written anywhere.

use crate::arrow;
use crate::errors::exception;
use numpy::{PyArray1, PyArrayMethods, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use trefoil_data::records::{Cells, Raw, RawColumn, Table};
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
        let frames = records.py().import("trefoil._frames")?;
        let lent: Option<(Bound<'_, PyCapsule>, Option<usize>)> = frames.call_method1("lent", (records,))?.extract()?;
        if let Some((stream, first)) = lent {
            let (mut names, records, mut cells) = arrow::columns(&stream)?;
            names.truncate(first.unwrap_or(names.len()));
            cells.truncate(names.len());
            return Ok(Frame { names: Some(names), records, cells });
        }
        let read = frames.call_method1("columns", (records,))?;
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

/// Records that are numbers: the names of their columns, and the values as an array of floats of shape (records, columns).
#[pyfunction]
pub fn matrix<'py>(py: Python<'py>, records: &Bound<'py, PyAny>) -> PyResult<(Vec<String>, Bound<'py, PyAny>)> {
    let table = Frame::of(records)?.table().map_err(|e| exception(py, &e))?;
    let (names, shape) = (table.names().to_vec(), (table.records(), table.names().len()));
    let values = py.detach(|| -> Result<Vec<f64>> {
        let columns: Vec<RawColumn> = table.names().iter().map(|name| RawColumn::new(name, Vec::new())).collect();
        let (mut raw, mut out) = (Raw::of_table(&table, &columns)?, Vec::new());
        while raw.next(&mut out)? {}
        Ok(out)
    });
    let values = values.map_err(|e| exception(py, &e))?;
    Ok((names, PyArray1::from_vec(py, values).reshape(shape)?.into_any()))
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
