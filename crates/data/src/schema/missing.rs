//! Columns whose values may be missing.

use super::check::check_name;
use super::{Column, Fill, refuse};
use crate::Result;
use crate::error::quote;
use crate::records::Missing;
use crate::records::encode::LIMIT;
use std::collections::BTreeSet;

impl Column {
    /// What stands for a missing value, and what is taken in its place, where a value may be missing.
    #[must_use]
    pub fn missing(&self) -> Option<Missing> {
        let (texts, fill, indicator) = match self {
            Column::Number { missing, fill, indicator, .. } => {
                (missing, fill.map(|fill| fill.value().map(|v| v.to_string())), *indicator)
            }
            Column::Log { missing, fill, indicator, .. } | Column::Range { missing, fill, indicator, .. } => {
                (missing, fill.map(|v| Some(v.to_string())), *indicator)
            }
            Column::Category { missing, fill, indicator, .. }
            | Column::Ordinal { missing, fill, indicator, .. }
            | Column::Date { missing, fill, indicator, .. } => (missing, fill.clone().map(Some), *indicator),
            Column::Boolean { .. } | Column::Numbers { .. } | Column::Pixels { .. } => return None,
        };
        let fill = fill.filter(|_| !texts.is_empty())?;
        Some(Missing { texts: texts.clone(), fill, indicator })
    }

    /// The same column, whose values may be missing.
    #[must_use]
    pub fn or_missing(mut self, from: Missing) -> Column {
        let number = |fill: &Option<String>| fill.as_ref().and_then(|fill| fill.parse().ok());
        match &mut self {
            Column::Number { missing, fill, indicator, scale, .. } => {
                let on_shares = || Some(scale.and_then(Fill::by).unwrap_or(Fill::Mean));
                *fill = if from.fill.is_none() { on_shares() } else { number(&from.fill).map(Fill::Value) };
                (*missing, *indicator) = (from.texts, from.indicator);
            }
            Column::Log { missing, fill, indicator, .. } | Column::Range { missing, fill, indicator, .. } => {
                (*missing, *fill, *indicator) = (from.texts, number(&from.fill), from.indicator);
            }
            Column::Category { missing, fill, indicator, .. }
            | Column::Ordinal { missing, fill, indicator, .. }
            | Column::Date { missing, fill, indicator, .. } => {
                (*missing, *fill, *indicator) = (from.texts, from.fill, from.indicator);
            }
            Column::Boolean { .. } | Column::Numbers { .. } | Column::Pixels { .. } => {}
        }
        self
    }

    /// Whether a number behind its own says, for the parties to compute with, which values are missing: they are filled by a mean or a median
    /// on shares.
    #[must_use]
    pub fn is_filled_on_shares(&self) -> bool {
        matches!(self, Column::Number { fill: Some(Fill::Mean | Fill::Median), .. })
    }

    /// The name that the number which tells missing values has among a model's columns.
    #[must_use]
    pub fn indicator(&self) -> Option<String> {
        self.missing().filter(|missing| missing.indicator).map(|_| format!("{}_missing", self.name()))
    }
}

/// What stands for missing values, and that what is taken in their place is a value of the column.
pub(super) fn check_missing(column: &Column, place: &str) -> Result<()> {
    let (texts, fill, indicator, fits) = match column {
        Column::Number { fill: Some(fill @ (Fill::Mean | Fill::Median)), scale, .. }
            if scale.and_then(Fill::by) != Some(*fill) =>
        {
            let expected = "a number, \"mean\" with scale = \"secure\", or \"median\" with scale = \"secure-quantiles\"";
            let found = format!("\"{}\" of a column of another scale", fill.word().unwrap_or_default());
            return Err(refuse(&format!("{place}, fill"), found, expected));
        }
        Column::Number { missing, fill, indicator, mean, deviation, within, .. } => {
            let fits = |v: f64| match (mean, deviation, within) {
                (Some(mean), Some(deviation), _) => ((v - mean) / deviation).abs() < LIMIT,
                (_, _, Some([least, most])) => (*least..=*most).contains(&v),
                _ => true,
            };
            (missing, fill.is_some(), indicator, fill.and_then(Fill::value).is_none_or(fits))
        }
        Column::Log { missing, fill, indicator, mean, deviation, .. } => {
            // The logarithm of what is below 0 is NaN, and of 0 beyond any range.
            (missing, fill.is_some(), indicator, fill.is_none_or(|v| ((v.ln() - mean) / deviation).abs() < LIMIT))
        }
        Column::Range { missing, fill, indicator, min, max, .. } => {
            (missing, fill.is_some(), indicator, fill.is_none_or(|v| (*min..=*max).contains(&v)))
        }
        Column::Category { missing, fill, indicator, values, .. } | Column::Ordinal { missing, fill, indicator, values, .. } => {
            (missing, fill.is_some(), indicator, fill.as_ref().is_none_or(|text| values.contains(text)))
        }
        Column::Date { missing, fill, indicator, .. } => {
            (missing, fill.is_some(), indicator, fill.as_ref().is_none_or(|text| column.has(text)))
        }
        Column::Boolean { .. } | Column::Numbers { .. } | Column::Pixels { .. } => return Ok(()),
    };
    let expected = "missing = [..], what stands for a missing value, and fill, what is taken in its place";
    if texts.is_empty() && (fill || *indicator) {
        return Err(refuse(place, "fill or indicator without missing", expected));
    }
    if !texts.is_empty() && !fill {
        return Err(refuse(place, "missing without fill", expected));
    }
    if !fits {
        return Err(refuse(&format!("{place}, fill"), "what is no value of the column, or beyond its range", "one that is"));
    }
    let mut seen = BTreeSet::new();
    for text in texts {
        if !text.is_empty() {
            check_name(&format!("{place}, missing"), text)?;
        }
        if !seen.insert(text) {
            return Err(refuse(&format!("{place}, missing"), format!("{} twice", quote(text)), "each text once"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn age(texts: &[&str], fill: Option<f64>, indicator: bool) -> Column {
        let missing = texts.iter().map(|t| t.to_string()).collect();
        let (mean, deviation) = (Some(40.0), Some(10.0));
        let fill = fill.map(Fill::Value);
        Column::Number { name: "age".into(), mean, deviation, scale: None, within: None, clip: None, missing, fill, indicator }
    }

    #[test]
    fn a_column_with_missing_values_in_toml() {
        let text = r#"kind = "number"
            name = "age"
            mean = 40
            deviation = 10
            missing = ["", "-9999"]
            fill = 40.5
            indicator = true"#;
        let column: Column = toml::from_str(text).unwrap();
        assert_eq!(column, age(&["", "-9999"], Some(40.5), true));
        assert_eq!((column.width(), column.indicator().as_deref()), (2, Some("age_missing")));
        let missing = column.missing().unwrap();
        assert_eq!((missing.fill.as_deref(), missing.indicator), (Some("40.5"), true));
        assert_eq!(Column::number("age", 40.0, 10.0).or_missing(missing), column);
        // What nobody has asked for is not in the text that is hashed.
        let plain = serde_json::to_string(&Column::number("age", 40.0, 10.0)).unwrap();
        assert_eq!(plain, r#"{"kind":"number","name":"age","mean":40.0,"deviation":10.0}"#);
        let text = "kind = 'category'\nname = 'c'\nvalues = ['a', 'b', 'none']\nmissing = ['']\nfill = 'none'";
        let column: Column = toml::from_str(text).unwrap();
        assert_eq!((column.width(), column.indicator(), column.missing().unwrap().fill.as_deref()), (3, None, Some("none")));
    }

    #[test]
    fn what_fills_nothing_is_refused() {
        let told = |column: &Column| check_missing(column, "age").map_err(|e| e.to_string());
        assert_eq!(told(&age(&["", "NA"], Some(100.0), true)), Ok(()));
        assert_eq!(told(&age(&[], None, false)), Ok(()));
        for (column, part) in [
            (age(&[], Some(40.0), false), "found fill or indicator without missing"),
            (age(&[], None, true), "found fill or indicator without missing"),
            (age(&["NA"], None, true), "found missing without fill"),
            (age(&["NA"], Some(120.0), false), "age, fill: found what is no value of the column, or beyond its range"),
            (age(&["NA"], Some(f64::NAN), false), "age, fill: found what is no value"),
            (age(&["NA", "NA"], Some(40.0), false), "found \"NA\" twice"),
            (age(&[" NA"], Some(40.0), false), "found the text \" NA\""),
        ] {
            let error = told(&column).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
