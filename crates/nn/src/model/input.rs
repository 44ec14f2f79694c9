//! How the columns of a file become the inputs of a network, and its output the value that is asked for.
//!
//! A model that has an [`Input`] takes records as they stand in a file: numbers in their own units, texts, grey levels from 0 to 255.
//! ONNX files hold it as nodes of their graph, safetensors as JSON in the metadata. Whoever trains says what it is; nothing here knows
//! where the numbers in it come from.

mod column;

pub use column::{Column, Scale, near};

use super::{MOST_NAME, Result, content, one_line};
use crate::graph::MOST_VALUES;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The preparation of records, and the unit of a regression's value.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// In the order of the network's inputs.
    pub columns: Vec<Column>,
    /// Whether the columns' names are those of a file. Where they are not, a file's columns are taken in their order.
    pub named: bool,
    /// Which of them may lack values in a file. Columns as they are here have none that is missing: what reads a file takes others in
    /// their place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// Which of the columns are numbers that what reads a file makes of a date.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dates: Vec<Dates>,
    /// A regression: the network's output z stands for `mean + deviation * z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
}

/// What stands for a missing value of a column in a file, and what is taken in its place.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missing {
    /// The column.
    pub name: String,
    /// What stands for a missing value; the empty text for a cell without anything in it, a null, and NaN.
    pub texts: Vec<String>,
    /// As it would stand in the file; none where nobody was shown it, so that a value that is missing is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<String>,
    /// Whether the next column, which is in no file, is 1 where that was done and else 0.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub indicator: bool,
}

/// A file's column of dates. What stands in `of` is known to what reads the file; here each is a number, or a text's place, as any other.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dates {
    /// In the file.
    pub name: String,
    /// How they are written, by the letters of `strftime`, if not as ISO 8601 has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Columns, one behind the other, that are no file's own.
    pub columns: Vec<OfDates>,
}

/// A number of a date.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfDates {
    /// The column.
    pub name: String,
    /// What of a date it is.
    pub of: String,
}

/// What somebody who has no file gives of a record.
pub enum Given<'a> {
    /// A column's values.
    Column(&'a Column),
    /// Dates, from which several columns follow.
    Dates(&'a Dates),
}

impl Given<'_> {
    /// The name.
    pub fn name(&self) -> &str {
        match self {
            Given::Column(column) => column.name(),
            Given::Dates(dates) => &dates.name,
        }
    }

    /// Values of a record.
    pub fn raw(&self) -> usize {
        match self {
            Given::Column(column) => column.raw(),
            Given::Dates(_) => 1,
        }
    }
}

/// The unit of a regression's value.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Added last.
    pub mean: f64,
    /// Multiplied by.
    pub deviation: f64,
}

impl Input {
    /// What becomes of each of the network's inputs, in turn.
    pub fn scales(&self) -> Vec<Scale<'_>> {
        self.columns.iter().flat_map(Column::scales).collect()
    }

    /// Grey levels p from 0 to 255, each as p / 256.
    pub fn pixels(count: usize) -> Input {
        let column = Column::Numbers { name: "pixel".to_owned(), count, subtract: 0.0, divide: 256.0, clip: None, log: false };
        Input { columns: vec![column], named: false, missing: vec![], dates: vec![], target: None }
    }

    /// Numbers that go in as they are.
    pub fn plain(count: usize) -> Input {
        Input { columns: vec![Column::plain("x", count)], named: false, missing: vec![], dates: vec![], target: None }
    }

    /// Whether all columns are numbers, and none of them a logarithm's, so that records are a matrix.
    pub fn is_numeric(&self) -> bool {
        self.columns.iter().all(|c| c.is_numeric() && !c.is_log())
    }

    /// Values of a record in a file.
    pub fn raw(&self) -> usize {
        self.columns.iter().fold(0, |n, c| n.saturating_add(c.raw()))
    }

    /// What is given of a record, in turn: its columns, and dates in place of what follows from them.
    pub fn given(&self) -> Vec<Given<'_>> {
        let first = |dates: &'_ Dates| dates.columns.first().map(|first| first.name.clone());
        let dates: BTreeMap<_, _> = self.dates.iter().filter_map(|dates| Some((first(dates)?, dates))).collect();
        let (mut all, mut at) = (Vec::new(), 0);
        while let Some(column) = self.columns.get(at) {
            let dates = dates.get(column.name()).copied();
            at += dates.map_or(1, |dates| dates.columns.len());
            all.push(dates.map_or(Given::Column(column), Given::Dates));
        }
        all
    }

    /// Refuses what prepares no records of `width` inputs; `file` is what has it.
    ///
    /// # Errors
    /// [`ModelError::Content`](super::ModelError::Content) that says of which column what is not so.
    pub fn check(&self, width: usize, file: &str) -> Result<()> {
        let found = self.columns.iter().fold(0_usize, |n, c| n.saturating_add(c.width()));
        if found != width || width > MOST_VALUES {
            return Err(content(file, "inputs that the columns make", found, format!("{width}, as the network has")));
        }
        if let Some(t) = self.target.filter(|t| !(t.mean.is_finite() && t.deviation.is_normal())) {
            return Err(content(
                file,
                "target",
                format!("mean {}, deviation {}", t.mean, t.deviation),
                "finite, deviation not 0",
            ));
        }
        let mut names = BTreeMap::new();
        for (at, column) in self.columns.iter().enumerate() {
            let name = column.name();
            let what = || format!("column \"{}\"", one_line(name));
            if name.is_empty()
                || name.chars().count() > MOST_NAME
                || name.chars().any(char::is_control)
                || names.insert(name, at).is_some()
            {
                return Err(content(file, what(), "this name", format!("1 to {MOST_NAME} characters, each name once")));
            }
            match column {
                Column::Numbers { count, subtract, divide, clip, .. } => {
                    let ordered = clip.is_none_or(|[a, b]| a < b && a.is_finite() && b.is_finite());
                    if *count == 0 || !subtract.is_finite() || !divide.is_normal() || !ordered {
                        let found = format!("{count} numbers (v - {subtract}) / {divide}, clipped to {clip:?}");
                        return Err(content(file, what(), found, "at least 1, finite, not divided by 0, clipped to a range"));
                    }
                }
                Column::Category { values, .. } | Column::Ordinal { values, .. } => {
                    let different = values.iter().collect::<BTreeSet<_>>().len();
                    if values.len() < 2 || different < values.len() {
                        return Err(content(
                            file,
                            what(),
                            format!("{different} different texts of {}", values.len()),
                            "2 or more",
                        ));
                    }
                }
            }
        }
        for dates in &self.dates {
            let first = dates.columns.first().and_then(|first| names.get(first.name.as_str()));
            let columns = first.map_or(&[][..], |first| &self.columns[*first..]);
            let follow = columns.len() >= dates.columns.len()
                && columns.iter().zip(&dates.columns).all(|(column, of)| column.name() == of.name && column.raw() == 1);
            // What stands behind a missing date is found by its name, too.
            let last = first.map_or(0, |first| first + dates.columns.len().saturating_sub(1));
            if !follow || names.insert(&dates.name, last).is_some() {
                let expected = "columns of one value one behind the other, and a name of its own";
                return Err(content(file, format!("dates of \"{}\"", one_line(&dates.name)), "these", expected));
            }
        }
        let mut may_lack = BTreeSet::new();
        match self.missing.iter().find(|missing| !may_lack.insert(&missing.name) || !self.fills(missing, &names)) {
            None => Ok(()),
            Some(Missing { name, .. }) => {
                let expected = "a column of one value, once; a fill that is such a value; an indicator of 0 or 1 behind it";
                Err(content(file, format!("missing values of \"{}\"", one_line(name)), "these", expected))
            }
        }
    }

    /// Whether this says something of a column that there is.
    fn fills(&self, missing: &Missing, places: &BTreeMap<&str, usize>) -> bool {
        let Some((at, column)) = places.get(missing.name.as_str()).and_then(|at| Some((*at, self.columns.get(*at)?))) else {
            return false;
        };
        let value = match column {
            // Of a date the last column that it becomes.
            _ if column.name() != missing.name => missing.fill.is_some(),
            Column::Numbers { count: 1, .. } => {
                missing.fill.as_ref().is_none_or(|fill| fill.parse::<f64>().is_ok_and(f64::is_finite))
            }
            Column::Numbers { .. } => false,
            Column::Category { values, .. } | Column::Ordinal { values, .. } => {
                missing.fill.as_ref().is_some_and(|fill| values.contains(fill))
            }
        };
        let behind = self.columns.get(at + 1);
        value && (!missing.indicator || behind.is_some_and(Column::is_flag)) && missing.texts.len() <= MOST_VALUES
    }

    /// The network's inputs [rows, inputs] from what a file has, [rows, [`Input::raw`]]: of a category the place of its text among
    /// the column's values.
    ///
    /// # Errors
    /// [`ModelError::Content`](super::ModelError::Content) for another number of columns, or a place where no text is.
    pub fn prepare(&self, raw: &Array2<f64>) -> Result<Array2<f64>> {
        if raw.ncols() != self.raw() {
            return Err(content("model", "columns of the data", raw.ncols(), self.raw()));
        }
        let width = self.columns.iter().map(Column::width).sum();
        let mut out = Vec::with_capacity(raw.nrows() * width);
        for row in raw.rows() {
            let mut row = row.iter();
            for column in &self.columns {
                match column {
                    Column::Numbers { name, count, subtract, divide, clip, log } => {
                        for v in row.by_ref().take(*count) {
                            if *log && *v <= 0.0 {
                                return Err(content("model", format!("column \"{name}\""), v, "a number above 0"));
                            }
                            let v = if *log { v.ln() } else { *v };
                            let scaled = (v - subtract) / divide;
                            out.push(clip.map_or(scaled, |[least, most]| scaled.clamp(least, most)));
                        }
                    }
                    Column::Category { name, values, other } => {
                        let at = row.next().copied().unwrap_or(f64::NAN);
                        if !((0..values.len()).any(|i| i as f64 == at) || (*other && at == -1.0)) {
                            return Err(content("model", format!("column \"{name}\""), at, "the place of one of its texts"));
                        }
                        out.extend((0..values.len()).map(|i| if i as f64 == at { 1.0 } else { 0.0 }));
                    }
                    Column::Ordinal { name, values } => {
                        let (at, last) = (row.next().copied().unwrap_or(f64::NAN), values.len() as f64 - 1.0);
                        if at.fract() != 0.0 || !(0.0..=last).contains(&at) {
                            return Err(content("model", format!("column \"{name}\""), at, "the place of one of its texts"));
                        }
                        out.push(at / last);
                    }
                }
            }
        }
        Array2::from_shape_vec((raw.nrows(), width), out).map_err(|e| content("model", "records", e, "whole rows"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    fn mixed() -> Input {
        let number =
            Column::Numbers { name: "age".into(), count: 1, subtract: 40.0, divide: 10.0, clip: Some([-2.0, 2.0]), log: false };
        let category = Column::Category { name: "town".into(), values: vec!["a".into(), "b".into(), "c".into()], other: false };
        Input {
            columns: vec![number, category, Column::plain("p", 2)],
            named: true,
            missing: vec![],
            dates: vec![],
            target: None,
        }
    }

    #[test]
    fn each_column_is_prepared_in_its_way() {
        let input = mixed();
        input.check(6, "f").unwrap();
        let raw = arr2(&[[50.0, 2.0, 7.0, 8.0], [0.0, 0.0, -1.0, 0.5]]);
        let want = arr2(&[[1.0, 0.0, 0.0, 1.0, 7.0, 8.0], [-2.0, 1.0, 0.0, 0.0, -1.0, 0.5]]);
        assert_eq!(input.prepare(&raw).unwrap(), want);
        assert!(input.prepare(&arr2(&[[50.0, 3.0, 7.0, 8.0]])).is_err() && input.prepare(&arr2(&[[50.0]])).is_err());
        let text = serde_json::to_string(&input).unwrap();
        assert_eq!(serde_json::from_str::<Input>(&text).unwrap(), input);
    }

    #[test]
    fn what_prepares_nothing_is_refused() {
        let numbers = |count, divide, clip| Column::Numbers { name: "a".into(), count, subtract: 0.0, divide, clip, log: false };
        let category = |values: &[&str]| Column::Category {
            name: "a".into(),
            values: values.iter().map(|t| t.to_string()).collect(),
            other: false,
        };
        for (columns, width) in [
            (vec![numbers(1, 1.0, None)], 2),
            (vec![numbers(0, 1.0, None)], 0),
            (vec![numbers(1, 0.0, None)], 1),
            (vec![numbers(1, 1.0, Some([1.0, 1.0]))], 1),
            (vec![numbers(usize::MAX, 1.0, None), Column::plain("b", 2)], usize::MAX),
            (vec![Column::plain("a", 1), Column::plain("a", 1)], 2),
            (vec![category(&["x"])], 1),
            (vec![category(&["x", "x"])], 2),
        ] {
            let error = Input { columns, named: true, missing: vec![], dates: vec![], target: None }
                .check(width, "f")
                .unwrap_err()
                .to_string();
            assert!(error.starts_with("f: ") && error.contains("expected") && !error.contains('\n'), "{error}");
        }
    }
}
