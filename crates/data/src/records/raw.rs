//! A file's values as they are, for a model that prepares them itself.

use super::dates::{Dates, Reader};
use super::encode::Encoding;
use super::format::{Format, find};
use super::memory::{Cells, Table};
use super::missing::{Gap, Missing};
use super::text::Numerals;
use super::value::Value;
use super::{Source, csv, png};
use crate::Result;
use crate::error::{Refusal, empty, listed, mismatch};
use std::path::Path;

/// The path that stands for standard input.
pub const STANDARD_INPUT: &str = "-";

/// A column that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct RawColumn {
    /// In a file with named columns.
    pub name: String,
    /// The texts that it may have; none for numbers.
    pub texts: Vec<String>,
    /// Whether it may have others, which have the place -1.
    pub other: bool,
    /// Where values may be missing.
    pub missing: Option<Missing>,
    /// Of dates: which numbers they become.
    pub dates: Option<Dates>,
}

impl RawColumn {
    /// Of numbers, or of these texts.
    #[must_use]
    pub fn new(name: impl Into<String>, texts: Vec<String>) -> RawColumn {
        RawColumn { name: name.into(), texts, other: false, missing: None, dates: None }
    }
}

/// How the values of a column become numbers.
struct Field {
    texts: Option<Encoding>,
    dates: Option<Reader>,
    gap: Option<Gap>,
}

/// Reads the columns of a file once, from the first record to the last.
pub struct Raw {
    file: String,
    format: Format,
    columns: Vec<Field>,
    numerals: Numerals,
    count: u64,
}

impl Raw {
    /// Opens a file of any format that [`Records`](super::Records) reads, or PNG images: one, or a folder of them in the order of
    /// their names, each a record of columns that are its pixels, as IDX images are; or CSV from [standard input](STANDARD_INPUT).
    /// Columns are found by their names if `named`, and else taken in the file's order, the one called `without` left out; NumPy and
    /// images have no names. `shape` is that of an image, where one is known: channels, height and width.
    ///
    /// # Errors
    /// A file that cannot be read, is of no known format, or has other columns.
    pub fn open(
        source: &Source,
        columns: &[RawColumn],
        named: bool,
        without: Option<&str>,
        shape: Option<[usize; 3]>,
    ) -> Result<Raw> {
        let path = source.path.as_path();
        let piped = path == Path::new(STANDARD_INPUT);
        let file = if piped { "standard input".to_string() } else { path.display().to_string() };
        let names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
        let columned = if piped {
            Some(Format::Csv(csv::Csv::piped(&file, std::io::stdin(), &source.reading)?))
        } else {
            Format::open_named(source)?
        };
        let format = match columned {
            None if png::is_images(path) => Format::Png(png::Images::open(path, columns.len(), shape, false)?),
            Some(mut format) if named => {
                format.want(find(&names, format.columns(), &file)?)?;
                format
            }
            Some(mut format) => {
                let all: Vec<usize> =
                    (0..format.columns().len()).filter(|i| format.columns().get(*i).map(String::as_str) != without).collect();
                if all.len() != columns.len() {
                    let found = format!("{} columns: {}", all.len(), listed(format.columns()));
                    return Err(mismatch(
                        &file,
                        found,
                        format!("{} as the model has, --label names one to leave out", columns.len()),
                    ));
                }
                format.want(all)?;
                format
            }
            None => Format::open_arrays(source, names)?,
        };
        Ok(Raw { numerals: source.reading.numerals, ..Raw::of(file, format, columns)? })
    }

    /// The same of so many records in memory, called `what` in messages. `cells` have the columns' values in their order, one column or
    /// several alike in each.
    ///
    /// # Errors
    /// [`DataError::Mismatch`](crate::DataError::Mismatch) where there are more values, or fewer.
    pub fn in_memory(what: &str, columns: &[RawColumn], records: usize, cells: Vec<Cells>) -> Result<Raw> {
        let names = columns.iter().map(|c| c.name.clone()).collect();
        Raw::of(what.to_owned(), Format::Table(Table::new(what, names, records, cells)?), columns)
    }

    /// The same of a table's columns, which are found by their names; others are ignored.
    ///
    /// # Errors
    /// The table does not have them.
    pub fn of_table(table: &Table, columns: &[RawColumn]) -> Result<Raw> {
        let names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
        let mut format = Format::Table(table.clone());
        format.want(find(&names, table.names(), table.name())?)?;
        Raw::of(table.name().to_owned(), format, columns)
    }

    fn of(file: String, format: Format, columns: &[RawColumn]) -> Result<Raw> {
        let dates = |dates: &Dates| {
            let refused = || {
                mismatch(
                    &file,
                    format!("dates by the format {:?}", dates.format.as_deref().unwrap_or_default()),
                    "letters of strftime",
                )
            };
            Reader::new(dates).ok_or_else(refused)
        };
        let field = |c: &RawColumn| {
            Ok(Field {
                texts: (!c.texts.is_empty()).then(|| Encoding::place(&c.texts, c.other)),
                dates: c.dates.as_ref().map(dates).transpose()?,
                gap: c.missing.as_ref().map(|missing| Gap::of(missing, c.texts.is_empty() && c.dates.is_none())),
            })
        };
        let columns = columns.iter().map(field).collect::<Result<_>>()?;
        Ok(Raw { file, format, columns, numerals: Numerals::default(), count: 0 })
    }

    /// Whether records come from standard input, all that came are read, and no more come for a moment.
    #[must_use]
    pub fn pauses(&self) -> bool {
        self.format.pauses()
    }

    /// The file that the last record came from, where each has its own: an image's, without its folder.
    #[must_use]
    pub fn image(&self) -> Option<&str> {
        match &self.format {
            Format::Png(images) => Some(images.name()),
            _ => None,
        }
    }

    /// Appends the next record's values: a number as it is, of a text its place among those that the column may have, of a date its numbers; behind it, where a
    /// column says so, whether it was missing. False at the end.
    ///
    /// # Errors
    /// What is wrong with the file and where.
    pub fn next(&mut self, out: &mut Vec<f64>) -> Result<bool> {
        let (columns, numerals) = (&self.columns, self.numerals);
        let each = |slot: usize, value: Value<'_>| -> Result<(), Refusal> {
            let Some(Field { texts, dates, gap }) = columns.get(slot) else { return Ok(()) };
            let value = value.written(numerals);
            let gap = gap.as_ref().map(|gap| (gap, gap.is(value)));
            let value = match gap {
                Some((gap, true)) => gap.fill().ok_or_else(|| Refusal::new("a missing value", HIDDEN))?,
                _ => value,
            };
            match (texts, dates) {
                (_, Some(dates)) => dates.push(value, out)?,
                (Some(texts), None) => out.push(texts.place_of(value)?.map_or(-1.0, |place| place as f64)),
                (None, None) => out.push(value.number()?),
            }
            out.extend(gap.and_then(|(gap, missing)| gap.told(missing, 1.0, 0.0)));
            Ok(())
        };
        let more = self.format.row(each)?;
        if !more && self.count == 0 {
            return Err(empty(&self.file, "no records", "one record"));
        }
        self.count += u64::from(more);
        Ok(more)
    }
}

/// Of a value that is missing where nobody was shown what would be taken in its place.
const HIDDEN: &str =
    "a value: missing ones were filled by a mean or a median that nobody was shown, and that is in no model's file";

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<RawColumn> {
        let column = |name: &str, texts: &[&str]| RawColumn::new(name, texts.iter().map(|t| t.to_string()).collect());
        vec![column("age", &[]), column("town", &["here", "there"])]
    }

    fn read(path: &Path, columns: &[RawColumn], named: bool, without: Option<&str>) -> Result<Vec<f64>> {
        let (mut raw, mut out) = (Raw::open(&Source::of(path), columns, named, without, None)?, Vec::new());
        while raw.next(&mut out)? {}
        Ok(out)
    }

    #[test]
    fn columns_are_found_by_name_or_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "town,label,age\nthere,1,1e9\nhere,0,-0.5\n").unwrap();
        assert_eq!(read(&path, &columns(), true, None).unwrap(), [1e9, 1.0, -0.5, 0.0]);
        let numbers = [RawColumn::new("x0", vec![]), RawColumn::new("x1", vec![])];
        let error = read(&path, &numbers, false, None).err().unwrap().to_string();
        assert!(error.contains("3 columns") && error.contains("--label"), "{error}");
        let error = read(&path, &numbers, false, Some("label")).err().unwrap().to_string();
        assert!(error.contains("there") && error.contains("a number"), "{error}");
        std::fs::write(&path, "a,label,b\n3,1,4\n").unwrap();
        assert_eq!(read(&path, &numbers, false, Some("label")).unwrap(), [3.0, 4.0]);
        std::fs::write(&path, "town,age\nnowhere,1\n").unwrap();
        let error = read(&path, &columns(), true, None).err().unwrap().to_string();
        assert!(error.contains("nowhere") && error.contains("here") && !error.contains('\n'), "{error}");
    }

    #[test]
    fn records_in_memory_mean_what_they_mean_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "age,town\n3, there\n-0.5,here\n").unwrap();
        let in_memory = |records, cells| -> Result<Vec<f64>> {
            let (mut raw, mut out) = (Raw::in_memory("inputs", &columns(), records, cells)?, Vec::new());
            while raw.next(&mut out)? {}
            Ok(out)
        };
        let texts = |texts: &[&str]| Cells::Texts(texts.iter().map(|t| t.as_bytes().to_vec()).collect());
        let file = read(&path, &columns(), true, None).unwrap();
        assert_eq!(in_memory(2, vec![Cells::Floats(vec![3.0, -0.5]), texts(&[" there", "here"])]).unwrap(), file);
        assert_eq!(in_memory(2, vec![texts(&["3", "-0.5"]), texts(&["there", "here"])]).unwrap(), file);
        assert_eq!(in_memory(1, vec![Cells::Integers(vec![3]), texts(&["there"])]).unwrap(), file[..2]);
        // Two columns alike.
        let numbers = [RawColumn::new("x0", vec![]), RawColumn::new("x1", vec![])];
        let (mut raw, mut out) =
            (Raw::in_memory("inputs", &numbers, 2, vec![Cells::Integers(vec![1, 2, 3, 4])]).unwrap(), Vec::new());
        while raw.next(&mut out).unwrap() {}
        assert_eq!(out, [1.0, 2.0, 3.0, 4.0]);
        // By name, from a table with more columns in another order.
        let names = ["town", "label", "age"].map(String::from).to_vec();
        let cells = vec![texts(&["there", "here"]), Cells::Integers(vec![1, 0, 3, 4])];
        let table = Table::new("frame", names, 2, cells).unwrap();
        let (mut raw, mut out) = (Raw::of_table(&table, &columns()).unwrap(), Vec::new());
        while raw.next(&mut out).unwrap() {}
        assert_eq!(out, [0.0, 1.0, 4.0, 0.0]);
        let other = [RawColumn::new("height", vec![])];
        let error = Raw::of_table(&table, &other).err().unwrap().to_string();
        assert!(error.starts_with("frame: found no column \"height\""), "{error}");
        for (records, cells, why) in [
            (
                1,
                vec![Cells::Floats(vec![f64::NAN]), texts(&["here"])],
                "record 1, column \"age\": found NaN, expected a finite number",
            ),
            (1, vec![Cells::Floats(vec![1.0]), texts(&["nowhere"])], "column \"town\": found \"nowhere\", expected one of"),
            (1, vec![Cells::Floats(vec![1.0]), texts(&[""])], "found a missing value"),
            (2, vec![Cells::Floats(vec![1.0; 3]), texts(&["here"])], "found 4 values, expected 2 in each of 2 records"),
            (2, vec![Cells::Floats(vec![1.0; 2])], "found 2 values, expected 2 in each of 2 records"),
            (usize::MAX, vec![Cells::Floats(vec![])], "found 0 values"),
            (0, vec![Cells::Floats(vec![]), texts(&[])], "found no records"),
        ] {
            let error = in_memory(records, cells).unwrap_err().to_string();
            assert!(error.starts_with("inputs: ") && error.contains(why), "{error}");
        }
    }
}
