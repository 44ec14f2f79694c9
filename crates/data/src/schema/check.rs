//! What a schema must fulfil before anything is read by it.

use super::date::check_date;
use super::missing::check_missing;
use super::{Column, Doubles, Join, MAX_CLASSES, MAX_FEATURES, Partition, Schema, Standard, Task, refuse, secure_unit};
use crate::Result;
use crate::error::quote;
use crate::records::encode::LIMIT;
use std::collections::BTreeSet;

/// Rows of an owner that can be joined, at most: those of `trefoil-join`.
const MOST_ROWS: u64 = 1 << 28;

impl Schema {
    /// Whether records can be prepared by this schema.
    ///
    /// # Errors
    /// [`DataError::Schema`](crate::DataError::Schema): the first thing that is wrong, and where.
    pub fn check(&self) -> Result<()> {
        check_name("label", &self.label)?;
        self.check_task()?;
        self.check_partition()?;
        if self.holdout == 1 {
            return Err(refuse("holdout", "1, which holds out every record", "0 for none, or at least 2"));
        }
        if !(0.0..=1.0).contains(&self.clipped) {
            return Err(refuse("clipped", self.clipped.to_string(), "a share from 0 to 1"));
        }
        self.check_columns()
    }

    fn check_task(&self) -> Result<()> {
        match self.task {
            Task::Classification => {
                if self.target.is_some() {
                    return Err(refuse("target", "one in a classification", "none, only a regression has it"));
                }
                check_texts("classes", &self.classes, MAX_CLASSES)
            }
            Task::Regression => {
                if !self.classes.is_empty() {
                    return Err(refuse("classes", format!("{} in a regression", self.classes.len()), "none"));
                }
                match self.target {
                    Some(target) => check_standard("target", target),
                    None => Err(refuse("target", "none in a regression", "{ mean = .., deviation = .. } of the label")),
                }
            }
        }
    }

    fn check_partition(&self) -> Result<()> {
        if self.partition == Partition::Horizontal && self.join != Join::default() {
            return Err(refuse("join", "one in a horizontal partition", "none, only a vertical partition has it"));
        }
        match self.pad {
            // Of doubles all that match nothing are an owner's own, and those that make up a number would be among them.
            Some(_) if !self.joins() || self.leaves_out_doubles() => {
                return Err(refuse("pad", "one where no rows are joined by identifiers", "none"));
            }
            Some(rows) if !(1..=MOST_ROWS).contains(&rows) => {
                return Err(refuse("pad", rows.to_string(), format!("1 to {MOST_ROWS} rows")));
            }
            _ => {}
        }
        if self.partition == Partition::Vertical && self.doubles != Doubles::default() {
            return Err(refuse("doubles", "one in a vertical partition", "none, only a horizontal partition has it"));
        }
        match (self.partition, &self.id) {
            (Partition::Horizontal, None) if self.leaves_out_doubles() => {
                Err(refuse("id", "none beside doubles = \"leave-out\"", "the column of identifiers that all owners' files have"))
            }
            (Partition::Vertical, None) => {
                Err(refuse("id", "none in a vertical partition", "the column of identifiers that all owners' files have"))
            }
            (Partition::Horizontal, Some(_)) if !self.leaves_out_doubles() => Err(refuse(
                "id",
                "one in a horizontal partition",
                "none: only a vertical partition has it, or doubles = \"leave-out\"",
            )),
            (_, Some(id)) => {
                check_name("id", id)?;
                if *id == self.label { Err(refuse("id", "the label column", "another column")) } else { Ok(()) }
            }
            (Partition::Horizontal, None) => Ok(()),
        }
    }

    fn check_columns(&self) -> Result<()> {
        if self.columns.is_empty() {
            return Err(refuse("columns", "none", "at least one"));
        }
        // Names first as they stand here, then as they stand in a file, where pixels are many columns.
        let (mut names, mut features) = (BTreeSet::new(), 0_usize);
        for (i, column) in self.columns.iter().enumerate() {
            check_column(column, &format!("columns[{i}] {}", quote(column.name())))?;
            let made = column.of_dates().into_iter().map(|(_, column)| column.name().to_string());
            for name in column.indicator().into_iter().chain([column.name().to_string()]).chain(made) {
                if !names.insert(name.clone()) {
                    return Err(refuse("columns", format!("{} twice", quote(&name)), "each name once"));
                }
            }
            features = features.saturating_add(column.width());
            if features > MAX_FEATURES {
                return Err(refuse("columns", format!("more than {MAX_FEATURES} features"), "fewer"));
            }
        }
        let mut taken = BTreeSet::from([self.label.clone()]);
        taken.extend(self.id.clone());
        for column in &self.columns {
            for name in self.in_file(column) {
                if taken.contains(&name) {
                    let what = if name == self.label {
                        "the label".to_string()
                    } else if self.id.as_ref() == Some(&name) {
                        "the identifier".to_string()
                    } else {
                        format!("{} twice", quote(&name))
                    };
                    let place = format!("columns, {}", quote(column.name()));
                    return Err(refuse(&place, format!("{what} among the features"), "each column of a file once"));
                }
                taken.insert(name);
            }
        }
        Ok(())
    }

    /// The names that a column has in a file with named columns.
    pub(crate) fn in_file<'a>(&self, column: &'a Column) -> Box<dyn Iterator<Item = String> + 'a> {
        match column {
            Column::Pixels { name, count } | Column::Numbers { name, count, .. } => {
                Box::new((0..*count).map(move |i| format!("{name}{i}")))
            }
            other => Box::new(std::iter::once(other.name().to_string())),
        }
    }
}

pub(super) fn check_column(column: &Column, place: &str) -> Result<()> {
    check_name(place, column.name())?;
    check_date(column, place)?;
    check_missing(column, place)?;
    check_clip(column, place)?;
    match column {
        Column::Number { mean, deviation, scale, within, .. } => match (*mean, *deviation, *scale, *within) {
            (Some(mean), Some(deviation), None, None) => check_standard(place, Standard { mean, deviation }),
            (None, None, Some(_), Some([least, most])) => {
                let bounds = least < most && secure_unit([least, most]).is_normal();
                let refused = || refuse(place, format!("within = [{least}, {most}]"), "[lo, hi], finite numbers, lo below hi");
                if bounds { Ok(()) } else { Err(refused()) }
            }
            (mean, deviation, scale, within) => {
                let fields = [
                    ("mean", mean.is_some()),
                    ("deviation", deviation.is_some()),
                    ("scale", scale.is_some()),
                    ("within", within.is_some()),
                ];
                let found: Vec<&str> = fields.into_iter().filter_map(|(name, there)| there.then_some(name)).collect();
                let found = if found.is_empty() { "no statistics".to_owned() } else { format!("{} alone", found.join(", ")) };
                Err(refuse(place, found, "mean and deviation, or scale = \"secure\" and within = [lo, hi]"))
            }
        },
        Column::Log { mean, deviation, .. } => check_standard(place, Standard { mean: *mean, deviation: *deviation }),
        Column::Range { min, max, .. } if min < max && (max - min).is_finite() => Ok(()),
        Column::Range { min, max, .. } => {
            Err(refuse(place, format!("min = {min}, max = {max}"), "finite numbers, min below max"))
        }
        Column::Category { values, .. } | Column::Ordinal { values, .. } => {
            check_texts(&format!("{place}, values"), values, MAX_FEATURES)
        }
        Column::Boolean { .. } | Column::Date { .. } => Ok(()),
        Column::Numbers { count: 2..=MAX_FEATURES, mean, deviation, .. } => {
            check_standard(place, Standard { mean: *mean, deviation: *deviation })
        }
        Column::Numbers { count, .. } => Err(refuse(place, format!("count = {count}"), format!("2 to {MAX_FEATURES}"))),
        Column::Pixels { count: 1..=MAX_FEATURES, .. } => Ok(()),
        Column::Pixels { count, .. } => Err(refuse(place, format!("count = {count}"), format!("1 to {MAX_FEATURES}"))),
    }
}

/// That what values are brought to leaves something of the column: two values at least that are not brought to one by its range.
fn check_clip(column: &Column, place: &str) -> Result<()> {
    let Some([least, most]) = column.clip() else { return Ok(()) };
    let standard = |v: f64, mean: f64, deviation: f64| ((v - mean) / deviation).clamp(-LIMIT, LIMIT);
    let brought = |v: f64| match column {
        Column::Number { within: Some([lo, hi]), .. } => v.max(*lo).min(*hi),
        Column::Number { mean: Some(mean), deviation: Some(deviation), .. } | Column::Numbers { mean, deviation, .. } => {
            standard(v, *mean, *deviation)
        }
        Column::Log { mean, deviation, .. } => standard(v.ln(), *mean, *deviation),
        _ => v,
    };
    if least.is_finite() && most.is_finite() && brought(least) < brought(most) {
        return Ok(());
    }
    let expected = "[lo, hi], lo below hi, of which a part is within the column's range";
    Err(refuse(place, format!("clip = [{least}, {most}]"), expected))
}

pub(super) fn check_standard(place: &str, s: Standard) -> Result<()> {
    if !s.mean.is_finite() {
        return Err(refuse(place, format!("mean = {}", s.mean), "a finite number"));
    }
    if !(s.deviation.is_finite() && s.deviation > 0.0) {
        return Err(refuse(place, format!("deviation = {}", s.deviation), "a finite number above 0"));
    }
    Ok(())
}

/// Cells are trimmed when they are read: a name with blanks around it would never be met.
pub(super) fn check_name(place: &str, name: &str) -> Result<()> {
    if name.is_empty() || name.trim() != name || name.chars().any(char::is_control) {
        return Err(refuse(place, format!("the text {}", quote(name)), "a text without blanks around it or control characters"));
    }
    Ok(())
}

/// At least two different texts.
fn check_texts(place: &str, texts: &[String], most: usize) -> Result<()> {
    if !(2..=most).contains(&texts.len()) {
        return Err(refuse(place, format!("{} texts", texts.len()), format!("2 to {most}")));
    }
    let mut seen = BTreeSet::new();
    for text in texts {
        check_name(place, text)?;
        if !seen.insert(text) {
            return Err(refuse(place, format!("{} twice", quote(text)), "each text once"));
        }
    }
    Ok(())
}
