//! A feature column: which kinds there are, what a job's file says of each, and as how many numbers of which form its values are shared.

use super::date::{Part, Parts};
use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// By which statistics of all owners' training records a column is standardised on shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Mean and deviation.
    Secure,
    /// Minimum and maximum.
    SecureRange,
    /// Median and quartiles.
    SecureQuantiles,
}

/// What is taken in place of a number that is missing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fill {
    /// This one, which is public.
    Value(f64),
    /// The mean of all owners' values, which nobody is shown. The owner hands in a number more, that says whether a value is missing.
    Mean,
    /// Their median, likewise.
    Median,
}

impl Fill {
    /// In a job's file.
    const MEAN: &str = "mean";
    const MEDIAN: &str = "median";

    /// What is computed on shares, beside the statistics that a column is standardised by.
    #[must_use]
    pub fn by(scale: Scale) -> Option<Fill> {
        match scale {
            Scale::Secure => Some(Fill::Mean),
            Scale::SecureQuantiles => Some(Fill::Median),
            Scale::SecureRange => None,
        }
    }

    /// In a job's file, if it is computed on shares.
    pub(super) fn word(self) -> Option<&'static str> {
        match self {
            Fill::Value(_) => None,
            Fill::Mean => Some(Fill::MEAN),
            Fill::Median => Some(Fill::MEDIAN),
        }
    }

    /// The public one, if it is one.
    #[must_use]
    pub fn value(self) -> Option<f64> {
        match self {
            Fill::Value(v) => Some(v),
            Fill::Mean | Fill::Median => None,
        }
    }
}

impl Serialize for Fill {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Fill::Value(v) => to.serialize_f64(*v),
            Fill::Mean => to.serialize_str(Fill::MEAN),
            Fill::Median => to.serialize_str(Fill::MEDIAN),
        }
    }
}

impl<'de> Deserialize<'de> for Fill {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Fill, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Fill;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number, \"mean\" with scale = \"secure\", or \"median\" with scale = \"secure-quantiles\"")
            }
            fn visit_f64<E>(self, v: f64) -> Result<Fill, E> {
                Ok(Fill::Value(v))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Fill, E> {
                Ok(Fill::Value(v as f64))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Fill, E> {
                Ok(Fill::Value(v as f64))
            }
            fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Fill, E> {
                match v {
                    Fill::MEAN => Ok(Fill::Mean),
                    Fill::MEDIAN => Ok(Fill::Median),
                    _ => Err(E::invalid_value(Unexpected::Str(v), &self)),
                }
            }
        }
        from.deserialize_any(Either)
    }
}

/// A feature column and its encoding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Column {
    /// Standardised.
    Number {
        /// In the file.
        name: String,
        /// Subtracted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mean: Option<f64>,
        /// Divided by; above 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deviation: Option<f64>,
        /// In place of both, where the column is standardised on shares.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scale: Option<Scale>,
        /// With it: the least and the largest value that there may be. Public.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within: Option<[f64; 2]>,
        /// Where values beyond these are brought to them before anything else is done: the least and the largest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clip: Option<[f64; 2]>,
        /// What stands for a value that is missing: see [`Missing`](crate::records::Missing).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missing: Vec<String>,
        /// What is taken in its place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fill: Option<Fill>,
        /// Whether one number more says where that was done.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        indicator: bool,
    },
    /// Its natural logarithm, standardised.
    Log {
        /// In the file.
        name: String,
        /// Of the logarithms; subtracted.
        mean: f64,
        /// Of the logarithms; divided by; above 0.
        deviation: f64,
        /// Where values beyond these are brought to them before anything else is done: the least and the largest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clip: Option<[f64; 2]>,
        /// What stands for a value that is missing: see [`Missing`](crate::records::Missing).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missing: Vec<String>,
        /// What is taken in its place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fill: Option<f64>,
        /// Whether one number more says where that was done.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        indicator: bool,
    },
    /// Scaled to [0, 1].
    Range {
        /// In the file.
        name: String,
        /// Becomes 0.
        min: f64,
        /// Becomes 1.
        max: f64,
        /// What stands for a value that is missing: see [`Missing`](crate::records::Missing).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missing: Vec<String>,
        /// What is taken in its place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fill: Option<f64>,
        /// Whether one number more says where that was done.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        indicator: bool,
    },
    /// One of a few texts.
    Category {
        /// In the file.
        name: String,
        /// All texts that the column may have.
        values: Vec<String>,
        /// Whether it may have others, which are none of them.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        other: bool,
        /// What stands for a value that is missing: see [`Missing`](crate::records::Missing).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missing: Vec<String>,
        /// What is taken in its place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fill: Option<String>,
        /// Whether one number more says where that was done.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        indicator: bool,
    },
    /// One of a few texts that have an order.
    Ordinal {
        /// In the file.
        name: String,
        /// From the first, which becomes 0, to the last, which becomes 1.
        values: Vec<String>,
        /// What stands for a value that is missing: see [`Missing`](crate::records::Missing).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missing: Vec<String>,
        /// What is taken in its place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fill: Option<String>,
        /// Whether one number more says where that was done.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        indicator: bool,
    },
    /// True or false.
    Boolean {
        /// In the file.
        name: String,
    },
    /// Dates: days since one of them, and parts.
    Date {
        /// In the file.
        name: String,
        /// How they are written, by the letters of `strftime`, if not as ISO 8601 has them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        format: Option<String>,
        /// From this date on days are counted, which are standardised as a number is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        /// Of the days; subtracted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mean: Option<f64>,
        /// Of the days; divided by; above 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deviation: Option<f64>,
        /// In place of both, where the days are standardised on shares.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scale: Option<Scale>,
        /// With it: the fewest and the most days that there may be. Public.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within: Option<[f64; 2]>,
        /// Parts that are numbers of their own.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parts: Vec<Part>,
        /// What these become.
        #[serde(default, skip_serializing_if = "super::is_default")]
        encoding: Parts,
        /// What stands for a value that is missing: see [`Missing`](crate::records::Missing).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missing: Vec<String>,
        /// What is taken in its place, as it would be written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fill: Option<String>,
        /// Whether one number more says where that was done.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        indicator: bool,
    },
    /// Numbers that are standardised alike.
    Numbers {
        /// In the file, followed by 0 to count - 1.
        name: String,
        /// How many: 2 or more.
        count: usize,
        /// Subtracted from each.
        mean: f64,
        /// Each is divided by it; above 0.
        deviation: f64,
        /// Where values beyond these are brought to them before anything else is done: the least and the largest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clip: Option<[f64; 2]>,
    },
    /// Grey levels.
    Pixels {
        /// In the file, followed by 0 to count - 1.
        name: String,
        /// How many.
        count: usize,
    },
}

impl Column {
    /// Standardised.
    pub fn number(name: impl Into<String>, mean: f64, deviation: f64) -> Column {
        let (name, mean, deviation) = (name.into(), Some(mean), Some(deviation));
        Column::Number {
            name,
            mean,
            deviation,
            scale: None,
            within: None,
            clip: None,
            missing: Vec::new(),
            fill: None,
            indicator: false,
        }
    }

    /// Standardised on shares, within these bounds.
    pub fn secure(name: impl Into<String>, scale: Scale, within: [f64; 2]) -> Column {
        let (name, scale, within) = (name.into(), Some(scale), Some(within));
        Column::Number {
            name,
            mean: None,
            deviation: None,
            scale,
            within,
            clip: None,
            missing: Vec::new(),
            fill: None,
            indicator: false,
        }
    }

    /// What it is standardised by on shares, and its bounds, if it is.
    #[must_use]
    pub fn scale(&self) -> Option<(Scale, [f64; 2])> {
        match self {
            Column::Number { scale, within, .. } | Column::Date { scale, within, .. } => (*scale).zip(*within),
            _ => None,
        }
    }

    /// What its values are brought to where they lie beyond, if the job says so.
    #[must_use]
    pub fn clip(&self) -> Option<[f64; 2]> {
        match self {
            Column::Number { clip, .. } | Column::Log { clip, .. } | Column::Numbers { clip, .. } => *clip,
            _ => None,
        }
    }

    /// Scaled to \[0, 1\].
    pub fn range(name: impl Into<String>, min: f64, max: f64) -> Column {
        Column::Range { name: name.into(), min, max, missing: Vec::new(), fill: None, indicator: false }
    }

    /// One of these texts.
    pub fn category(name: impl Into<String>, values: Vec<String>) -> Column {
        Column::Category { name: name.into(), values, other: false, missing: Vec::new(), fill: None, indicator: false }
    }

    /// So many grey levels.
    pub fn pixels(name: impl Into<String>, count: usize) -> Column {
        Column::Pixels { name: name.into(), count }
    }

    /// As in the job's file.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Column::Number { name, .. }
            | Column::Range { name, .. }
            | Column::Category { name, .. }
            | Column::Ordinal { name, .. }
            | Column::Log { name, .. }
            | Column::Boolean { name }
            | Column::Date { name, .. }
            | Column::Numbers { name, .. }
            | Column::Pixels { name, .. } => name,
        }
    }

    /// Numbers that one value is shared as: the network's inputs that it becomes, and what says whether it is missing where the network is not
    /// told.
    #[must_use]
    pub fn shared(&self) -> usize {
        let told = matches!(self, Column::Number { indicator: true, .. });
        self.width() + usize::from(self.is_filled_on_shares() && !told)
    }

    /// Inputs of the network that one value becomes.
    #[must_use]
    pub fn width(&self) -> usize {
        match self {
            Column::Number { indicator, .. }
            | Column::Log { indicator, .. }
            | Column::Range { indicator, .. }
            | Column::Ordinal { indicator, .. } => 1 + usize::from(*indicator),
            Column::Boolean { .. } => 1,
            Column::Date { indicator, .. } => {
                self.of_dates().iter().map(|(_, column)| column.width()).sum::<usize>() + usize::from(*indicator)
            }
            Column::Category { values, indicator, .. } => values.len() + usize::from(*indicator),
            Column::Numbers { count, .. } | Column::Pixels { count, .. } => *count,
        }
    }
}
