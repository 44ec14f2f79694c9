//! Records whose labels stand in another file: each record finds its own by a column that both files have. The file of labels is kept in
//! memory, and may be in another order, and have labels of other records.

use super::format::{Format, find};
use super::value::Value;
use crate::error::{Refusal, mismatch, quote};
use crate::{DataError, Result};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// A label as it stands in its file; none where it is missing.
type Label = Option<Box<[u8]>>;

pub(crate) struct Joined {
    records: Format,
    labels: HashMap<Box<[u8]>, Label>,
    /// For messages: the file of labels.
    file: String,
    /// Where a record's label is among the values that are wanted; in `records` its identifier stands there.
    slot: usize,
    /// Of the last record.
    id: Vec<u8>,
}

impl Joined {
    /// The labels of `labels`, which are in its column `label`, for records that are to give their column `by` in this slot.
    pub(super) fn of(records: Format, mut labels: Format, file: &str, [by, label]: [&str; 2], slot: usize) -> Result<Joined> {
        labels.want(find(&[by.to_owned(), label.to_owned()], labels.columns(), file)?)?;
        let (mut all, mut id, mut text, mut read) = (HashMap::new(), Vec::new(), None, 0_u64);
        while labels.row(|column, value| {
            match (column, value.is_hole()) {
                (0, _) => id = value.text(<[u8]>::to_vec)?,
                (_, true) => text = None,
                (_, false) => text = Some(value.text(|text| text.into())?),
            }
            Ok(())
        })? {
            read += 1;
            match all.entry(id.clone().into_boxed_slice()) {
                Entry::Vacant(place) => place.insert(text.take()),
                Entry::Occupied(_) => {
                    let found = format!("{} twice in column {}, at {}", said(&id), quote(by), labels.here(read));
                    return Err(mismatch(file, found, "each once"));
                }
            };
        }
        Ok(Joined { records, labels: all, file: file.to_owned(), slot, id: Vec::new() })
    }

    /// The file of the records.
    pub(super) fn records(&self) -> &Format {
        &self.records
    }

    pub(super) fn want(&mut self, columns: Vec<usize>) -> Result<()> {
        self.records.want(columns)
    }

    /// Calls `each` with the wanted values of the next record, and with its label; false at the end. It is one function for all that call it:
    /// a format that holds another would be compiled within itself without end.
    pub(super) fn row(&mut self, each: &mut dyn FnMut(usize, Value<'_>) -> Result<(), Refusal>) -> Result<bool> {
        let (id, at) = (&mut self.id, self.slot);
        let mut of_record = |slot: usize, value: Value<'_>| {
            if slot != at {
                return each(slot, value);
            }
            value.text(|text| {
                id.clear();
                id.extend_from_slice(text);
            })
        };
        let of_record: &mut dyn FnMut(usize, Value<'_>) -> Result<(), Refusal> = &mut of_record;
        let more = self.records.row(of_record)?;
        if more {
            let label = match self.labels.get(self.id.as_slice()) {
                Some(Some(text)) => Value::Text(text),
                _ => Value::Missing,
            };
            each(at, label).map_err(|why| self.fault(at, why))?;
        }
        Ok(more)
    }

    /// An error of a value of the last record.
    pub(super) fn fault(&self, slot: usize, why: Refusal) -> DataError {
        if slot != self.slot {
            return self.records.fault(slot, why);
        }
        let found = match self.labels.get(self.id.as_slice()) {
            None => format!("no label of {}", said(&self.id)),
            Some(_) => format!("{} as the label of {}", why.found, said(&self.id)),
        };
        DataError::Label { file: self.file.clone(), found, expected: why.expected }
    }
}

fn said(id: &[u8]) -> String {
    quote(&String::from_utf8_lossy(id))
}

#[cfg(test)]
mod tests {
    use crate::records::{Records, Source, check};
    use crate::schema::{Schema, template};
    use crate::{Result, Samples};

    fn read(source: &Source, schema: &Schema) -> Result<Samples> {
        Ok(Samples::joined(&Samples::read(&mut Records::open(source, schema, &[], true)?)?))
    }

    #[test]
    fn each_record_finds_its_label() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let whole = Source::of(put("whole.csv", "a,y\n1,no\n2,yes\n3,no\n"));
        let schema = Schema { holdout: 0, ..template(&whole, "y", None, None, &[]).unwrap() };
        let expected = read(&whole, &schema).unwrap();
        let records = put("a.csv", "id,a\np1,1\np2,2\np3,3\n");
        let labels = put("y.csv", "y,id\nno,p3\nno,p9\nyes,p2\nno,p1\n");
        let joined =
            |labels: &std::path::Path| Source { labels: Some(labels.to_owned()), by: Some("id".into()), ..Source::of(&records) };
        assert!(read(&joined(&labels), &schema).unwrap() == expected);
        // Of another format; numbers find numbers.
        let lines = put("y.jsonl", "{\"id\":\"p1\",\"y\":\"no\"}\n{\"id\":\"p2\",\"y\":\"yes\"}\n{\"id\":\"p3\",\"y\":\"no\"}\n");
        assert!(read(&joined(&lines), &schema).unwrap() == expected);

        let refused = |text: &str| {
            let path = put("bad.csv", text);
            let checked = check(&joined(&path), &schema, &[], true).and_then(|checked| checked.good().map(|_| ()));
            let read = read(&joined(&path), &schema).map(|_| ()).unwrap_err().to_string();
            let (at, found) = (format!("{}/", folder.path().display()), checked.unwrap_err().to_string());
            assert!(found.starts_with(&read), "{found}\n{read}");
            found.replace(&at, "")
        };
        assert_eq!(refused("id,y\np1,no\np3,no\n"), "bad.csv: found no label of \"p2\", expected one of: \"no\", \"yes\"");
        assert_eq!(
            refused("id,y\np1,maybe\np2,no\np3,\n"),
            "bad.csv: found \"maybe\" as the label of \"p1\", expected one of: \"no\", \"yes\" (and 1 more: `trefoil data check` lists them)"
        );
        assert_eq!(
            refused("id,y\np1,no\np2,no\np1,no\n"),
            "bad.csv: found \"p1\" twice in column \"id\", at line 4, expected each once"
        );
        assert!(refused("name,y\np1,no\n").contains("found no column \"id\""));
        let alone = Source { by: None, ..joined(&labels) };
        let error = read(&alone, &schema).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("expected none, this one has the label as a column, or --by"), "{error}");
    }
}
