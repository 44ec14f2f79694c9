//! What the columns of a file hold, read once: what a schema is guessed from.

mod dates;
mod form;

use super::propose::unread;
use super::{Column, MAX_CLASSES, Standard, refuse};
use crate::Result;
use crate::error::{Refusal, empty, mismatch, quote};
use crate::records::format::{Format, find};
use crate::records::value::{Value, whole};
use crate::records::{Numerals, cell};
use dates::Dates;
use form::{FORMS, form};
pub(super) use form::{Form, written};
use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// A column with no more different texts is a category.
pub(super) const MAX_VALUES: usize = 32;

/// More different values than this are not told apart.
const MAX_DIFFERENT: usize = 1 << 20;

/// Values of one form.
#[derive(Clone, Default)]
pub(super) struct Counted {
    pub(super) count: u64,
    /// The first one.
    pub(super) text: String,
    /// Where it stands.
    pub(super) place: String,
}

/// Of numbers.
#[derive(Default)]
struct Spread {
    count: f64,
    mean: f64,
    /// Sum of squared differences from the mean.
    squares: f64,
}

impl Spread {
    /// Welford's.
    fn push(&mut self, v: f64) {
        self.count += 1.0;
        let before = v - self.mean;
        self.mean += before / self.count;
        self.squares += before * (v - self.mean);
    }

    fn standard(&self) -> Standard {
        let deviation = (self.squares / self.count.max(1.0)).sqrt();
        // A deviation that is none comes from values that are all the same, or from rounding.
        if deviation <= self.mean.abs() * 1e-12 {
            return Standard { mean: self.mean, deviation: 1.0 };
        }
        let places = (2.0 - deviation.log10().floor()).clamp(0.0, 300.0) as usize;
        let rounded = |text: String, exact: f64| text.parse().unwrap_or(exact);
        Standard {
            mean: rounded(format!("{:.places$}", self.mean), self.mean) + 0.0,
            deviation: rounded(format!("{deviation:.2e}"), deviation),
        }
    }
}

/// Of one column.
pub(super) struct Seen {
    pub(super) name: String,
    /// The first value that is no number, quoted.
    pub(super) word: Option<String>,
    pub(super) records: u64,
    /// By form.
    forms: [Counted; FORMS],
    /// Of the numbers.
    spread: Spread,
    /// Of the dates.
    pub(super) dates: Dates,
    /// All numbers are whole; each is one above the one before.
    pub(super) whole: bool,
    pub(super) counts_up: bool,
    last: f64,
    /// Numbers that begin with a zero that none needs.
    pub(super) zeros: u64,
    /// The different values, no more than can matter: as numbers where they are, and as they stand.
    pub(super) texts: BTreeSet<Vec<u8>>,
    raw: BTreeSet<Vec<u8>>,
    /// Hashes of all different values; none where it does not matter how many there are.
    different: Option<HashSet<u64>>,
    lenient: bool,
    /// The form of which the first value has just come.
    fresh: Option<usize>,
}

/// A column that cannot be read: its name, and why.
pub(super) type Unread = (String, String);

/// Reads a file for what its columns hold, all but those in `without`. If `lenient`, what is no number or missing is counted, and else
/// a missing value is an error. Then there are the names of columns that cannot be read as well.
pub(super) fn seen(
    file: &str,
    (mut format, how): (Format, Numerals),
    without: &[String],
    lenient: bool,
) -> Result<(Vec<Seen>, Vec<Unread>)> {
    find(without, format.columns(), file)?;
    let name = |i: usize| format.columns().get(i).cloned().unwrap_or_default();
    let mut kept: Vec<usize> = (0..format.columns().len()).filter(|i| !without.contains(&name(*i))).collect();
    let unread: Vec<(usize, String)> = match lenient {
        true => kept.iter().filter_map(|i| Some((*i, format.unread(*i)?))).collect(),
        false => Vec::new(),
    };
    kept.retain(|i| unread.iter().all(|(unread, _)| unread != i));
    let unread: Vec<Unread> = unread.into_iter().map(|(i, why)| (name(i), why)).collect();
    let names: Vec<String> = kept.iter().filter_map(|i| format.columns().get(*i).cloned()).collect();
    if !lenient {
        find(&names, format.columns(), file)?;
    }
    format.want(kept)?;
    let mut columns: Vec<Seen> = names.into_iter().map(|name| Seen::new(name, lenient)).collect();
    let (mut records, mut fresh) = (0_u64, false);
    while format.row(|slot, value| {
        let Some(column) = columns.get_mut(slot) else { return Ok(()) };
        column.push(value.written(how))?;
        fresh |= column.fresh.is_some();
        Ok(())
    })? {
        records += 1;
        if std::mem::take(&mut fresh) {
            let here = format.here(records);
            for column in &mut columns {
                if let Some(form) = column.fresh.take() {
                    column.forms[form].place.clone_from(&here);
                }
            }
        }
    }
    if records == 0 {
        return Err(empty(file, "no records", "one record"));
    }
    Ok((columns, unread))
}

impl Seen {
    pub(super) fn new(name: String, lenient: bool) -> Seen {
        Seen {
            name,
            word: None,
            records: 0,
            forms: Default::default(),
            spread: Spread::default(),
            dates: Dates::default(),
            whole: true,
            counts_up: true,
            last: 0.0,
            zeros: 0,
            texts: BTreeSet::new(),
            raw: BTreeSet::new(),
            different: lenient.then(HashSet::new),
            lenient,
            fresh: None,
        }
    }

    pub(super) fn push(&mut self, value: Value<'_>) -> Result<(), Refusal> {
        self.records += 1;
        let form = match value {
            Value::Text(text) => form(text),
            Value::Local(text, how) if cell::local(text, how).is_ok() => Form::Number,
            Value::Local(text, _) => form(text),
            Value::Boolean(_) => Form::Boolean,
            Value::Date(_) => Form::Date,
            Value::Float(v) if self.lenient && v.is_nan() => Form::Missing,
            Value::Float(_) | Value::Integer(_) => Form::Number,
            Value::Missing => Form::Missing,
            Value::Nested => Form::Nested,
        };
        let counted = &mut self.forms[form as usize];
        counted.count += 1;
        if counted.count == 1 {
            counted.text = value.text(|t| String::from_utf8_lossy(t).into_owned()).unwrap_or_default();
            self.fresh = Some(form as usize);
        }
        match form {
            Form::Number => self.number(value)?,
            Form::Missing | Form::Nested if self.lenient => return Ok(()),
            Form::Missing | Form::Nested => return value.number().map(|_| ()),
            _ if form == Form::Date => self.dates.push(value),
            _ => {}
        }
        match form {
            Form::Number | Form::Missing | Form::Nested => {}
            _ if self.word.is_none() => self.word = Some(value.text(|t| quote(&String::from_utf8_lossy(t)))?),
            _ => {}
        }
        if self.texts.len() <= MAX_CLASSES {
            self.texts.insert(value.text(|t| whole(t).map_or_else(|| t.to_vec(), String::into_bytes))?);
        }
        if self.raw.len() <= MAX_CLASSES {
            self.raw.insert(value.text(<[u8]>::to_vec)?);
        }
        if let Some(different) = self.different.as_mut().filter(|different| different.len() < MAX_DIFFERENT) {
            let hash = value.text(|t| {
                let mut hasher = DefaultHasher::new();
                t.hash(&mut hasher);
                hasher.finish()
            })?;
            different.insert(hash);
        }
        Ok(())
    }

    fn number(&mut self, value: Value<'_>) -> Result<(), Refusal> {
        let v = value.number()?;
        self.spread.push(v);
        self.whole &= v.fract() == 0.0;
        self.counts_up &= self.spread.count == 1.0 || v == self.last + 1.0;
        self.last = v;
        if let Value::Text(text) = value {
            self.zeros += u64::from(text.len() > 1 && text.starts_with(b"0") && text.iter().all(u8::is_ascii_digit));
        }
        // What is measured in fractions names nobody.
        if !self.whole && self.word.is_none() {
            self.different = None;
        }
        Ok(())
    }

    pub(super) fn missing(&self) -> &Counted {
        self.of(Form::Missing)
    }

    /// Of this form.
    pub(super) fn of(&self, form: Form) -> &Counted {
        &self.forms[form as usize]
    }

    /// How many different values there are, where that was counted.
    pub(super) fn different(&self) -> Option<u64> {
        self.different.as_ref().map(|all| all.len() as u64)
    }

    pub(super) fn standard(&self) -> Standard {
        self.spread.standard()
    }

    /// By number, or by bytes where one is no integer. Where one is no number at all, codes that only look like the same number stay
    /// apart.
    pub(super) fn sorted(&self) -> Vec<String> {
        let all = if self.word.is_some() { &self.raw } else { &self.texts };
        let mut texts: Vec<String> = all.iter().map(|t| String::from_utf8_lossy(t).into_owned()).collect();
        if let Ok(mut numbers) = texts.iter().map(|t| t.parse::<i64>()).collect::<Result<Vec<_>, _>>() {
            numbers.sort_unstable();
            texts = numbers.iter().map(i64::to_string).collect();
        }
        texts
    }

    /// As it is used where nobody looks it over.
    pub(super) fn column(self, file: &str) -> Result<Column> {
        let Some(word) = &self.word else {
            let Standard { mean, deviation } = self.standard();
            return Ok(Column::number(self.name, mean, deviation));
        };
        if let (Some(column), 1) = self.dates.column(&self.name)
            && self.of(Form::Date).count == self.records
        {
            return Ok(column);
        }
        if let Some(why) = unread(&self) {
            return Err(mismatch(file, format!("column {}: {why}", quote(&self.name)), "numbers, or the column left out"));
        }
        if self.raw.len() > MAX_VALUES {
            let found = format!("more than {MAX_VALUES} different values in column {}, one of them {word}", quote(&self.name));
            return Err(mismatch(file, found, "only numbers, or fewer texts for a category, or the column left out"));
        }
        if self.raw.len() < 2 {
            return Err(refuse(&quote(&self.name), "one text in every record", "at least two, or the column left out"));
        }
        Ok(Column::category(self.name.clone(), self.sorted()))
    }
}
