//! A column of a file, and how its values become inputs.

use serde::{Deserialize, Serialize};

/// A column, or several that are treated alike.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Column {
    /// `count` numbers v, each as (v - subtract) / divide, and then clipped. In a file they are called by the name, followed by 0 to
    /// count - 1 where there are several.
    Numbers {
        /// In the file.
        name: String,
        /// At least 1.
        count: usize,
        /// Of each.
        subtract: f64,
        /// Not 0.
        divide: f64,
        /// The least and the largest that it may become.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clip: Option<[f64; 2]>,
        /// Whether the natural logarithm of each is taken in its place.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        log: bool,
    },
    /// One of a few texts: a number for each text, 1 for the one that it is and else 0.
    Category {
        /// In the file.
        name: String,
        /// All that there may be.
        values: Vec<String>,
        /// Whether there may be others, which are none of them.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        other: bool,
    },
    /// One of a few texts in an order: its place from 0, divided by the last one's.
    Ordinal {
        /// In the file.
        name: String,
        /// All that there may be.
        values: Vec<String>,
    },
}

impl Column {
    /// `count` numbers as they are.
    pub fn plain(name: &str, count: usize) -> Column {
        Column::Numbers { name: name.to_owned(), count, subtract: 0.0, divide: 1.0, clip: None, log: false }
    }

    /// Whether it has grey levels p, each as p / 256.
    pub fn is_pixels(&self) -> bool {
        matches!(self, Column::Numbers { subtract: 0.0, divide: 256.0, clip: None, log: false, .. })
    }

    /// 0 or 1.
    pub fn flag(name: String) -> Column {
        Column::Numbers { name, count: 1, subtract: 0.0, divide: 1.0, clip: Some([0.0, 1.0]), log: false }
    }

    /// 0 or 1, as `step` of them: what says whether a value that is standardised on shares is missing.
    pub fn flag_of(name: String, step: f64) -> Column {
        Column::Numbers { name, count: 1, subtract: 0.0, divide: step.recip(), clip: Some([0.0, step]), log: false }
    }

    pub(in crate::model) fn is_flag(&self) -> bool {
        let of = |divide: f64, clip: [f64; 2]| clip == [0.0, divide.recip()];
        matches!(self, Column::Numbers { count: 1, subtract: 0.0, divide, clip: Some(clip), log: false, .. } if of(*divide, *clip))
    }

    /// In the file.
    pub fn name(&self) -> &str {
        match self {
            Column::Numbers { name, .. } | Column::Category { name, .. } | Column::Ordinal { name, .. } => name,
        }
    }

    /// Values that a file has of it.
    pub fn raw(&self) -> usize {
        match self {
            Column::Numbers { count, .. } => *count,
            Column::Category { .. } | Column::Ordinal { .. } => 1,
        }
    }

    /// Whether it is numbers: texts in an order are, by their places.
    pub(in crate::model) fn is_numeric(&self) -> bool {
        !matches!(self, Column::Category { .. })
    }

    /// Whether it goes through a logarithm.
    pub(in crate::model) fn is_log(&self) -> bool {
        matches!(self, Column::Numbers { log: true, .. })
    }

    pub(in crate::model) fn scales(&self) -> Vec<Scale<'_>> {
        match self {
            Column::Numbers { count, subtract, divide, clip, log, .. } => {
                vec![Scale::Number { subtract: *subtract, divide: *divide, clip: *clip, log: *log }; *count]
            }
            Column::Category { values, .. } => values.iter().map(|text| Scale::Text(text)).collect(),
            Column::Ordinal { values, .. } => {
                let last = values.len().saturating_sub(1) as f64;
                vec![Scale::Number { subtract: 0.0, divide: last, clip: Some([0.0, 1.0]), log: false }]
            }
        }
    }

    /// Inputs of the network that it becomes.
    pub fn width(&self) -> usize {
        match self {
            Column::Numbers { count, .. } => *count,
            Column::Category { values, .. } => values.len(),
            Column::Ordinal { .. } => 1,
        }
    }
}

/// What becomes of one value of a record on its way to one input of the network.
#[derive(Clone, Copy, PartialEq, Debug)]
#[allow(missing_docs)] // as in Column
pub enum Scale<'a> {
    Number { subtract: f64, divide: f64, clip: Option<[f64; 2]>, log: bool },
    Text(&'a str),
}

impl Scale<'_> {
    /// Whether it is the same to the accuracy of 32-bit numbers, in which files hold it; of two of which one does not clip, but for that.
    pub fn is_like(&self, other: &Scale<'_>) -> bool {
        match (self, other) {
            (
                Scale::Number { subtract: a, divide: b, clip, log },
                Scale::Number { subtract: c, divide: d, clip: other, log: logged },
            ) => {
                let alike = clip.zip(*other).is_none_or(|(x, y)| near(x[0], y[0]) && near(x[1], y[1]));
                near(*a, *c) && near(*b, *d) && log == logged && alike
            }
            (Scale::Text(a), Scale::Text(b)) => a == b,
            _ => false,
        }
    }

    /// Whether a value goes in as it is.
    pub fn is_plain(&self) -> bool {
        *self == Scale::Number { subtract: 0.0, divide: 1.0, clip: None, log: false }
    }

    /// Whether values beyond some limits are brought to them.
    pub(in crate::model) fn clips(&self) -> bool {
        matches!(self, Scale::Number { clip: Some(_), .. })
    }
}

/// As in the tables of docs/jobs.md.
impl std::fmt::Display for Scale<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scale::Number { subtract, divide, clip, log } => {
                write!(f, "({} - {subtract}) / {divide}", if *log { "ln v" } else { "v" })?;
                clip.map_or(Ok(()), |[least, most]| write!(f, " in [{least}, {most}]"))
            }
            Scale::Text(text) => write!(f, "1 for the text {text:?}"),
        }
    }
}

/// Equal to the accuracy of 32-bit numbers.
pub fn near(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-5 * a.abs().max(b.abs())
}
