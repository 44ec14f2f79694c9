//! Where answers go, record by record: a file's ending says how.

use crate::output::note;
use std::io::{self, ErrorKind, Stdout, Write};
use std::path::Path;
use trefoil_data::Part;
use trefoil_data::table::{Element, Npy, Parquet};
use trefoil_job::predict::{Answer, Predictions};
use trefoil_nn::Task;
use trefoil_server::{Error, Result};

/// A file that is being written.
pub(super) struct Out {
    name: String,
    sink: Sink,
}

enum Sink {
    Standard(Stdout),
    Csv(Part),
    Parquet(Box<Parquet<Part>>),
    Values(Npy<Part>),
    /// Of these classes.
    Probabilities(Npy<Part>, Vec<String>),
    /// The place of each answer's class among these.
    Classes(Npy<Part>, Vec<String>),
}

impl Out {
    /// Begins the file, or CSV on standard output.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn create(path: Option<&Path>, records: &Predictions<'_>) -> Result<Out> {
        let name = path.map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
        match Sink::create(path, records) {
            Ok(sink) => Ok(Out { name, sink }),
            Err(e) => Err(refused(&name, e)),
        }
    }

    /// The next answers, all of which are written before this is over, to standard output at least. False where its reader has seen
    /// enough.
    ///
    /// # Errors
    /// Those of writing.
    pub(super) fn append(&mut self, answers: &[Answer]) -> Result<bool> {
        match self.sink.append(answers) {
            Err(e) if e.kind() == ErrorKind::BrokenPipe && matches!(self.sink, Sink::Standard(_)) => Ok(false),
            other => other.map(|()| true).map_err(|e| refused(&self.name, e)),
        }
    }

    /// Puts the file into its place. Where it has no room for the classes' names, they are said on standard error.
    ///
    /// # Errors
    /// Those of writing; no file is left then.
    pub(super) fn finish(self) -> Result<()> {
        let (kept, said) = match self.sink {
            Sink::Standard(_) => (Ok(()), None),
            Sink::Csv(part) => (part.keep(), None),
            Sink::Parquet(table) => (table.finish().and_then(Part::keep), None),
            Sink::Values(array) => (array.finish().and_then(Part::keep), None),
            Sink::Probabilities(array, names) => (array.finish().and_then(Part::keep), Some(("columns", names))),
            Sink::Classes(array, names) => (array.finish().and_then(Part::keep), Some(("classes", names))),
        };
        kept.map_err(|e| refused(&self.name, e))?;
        if let Some((what, names)) = said {
            let names: Vec<String> = names.iter().enumerate().map(|(place, name)| format!("{place} = {name:?}")).collect();
            note(format_args!("{what} in {}: {}", self.name, names.join(", ")));
        }
        Ok(())
    }
}

fn refused(name: &str, e: io::Error) -> Error {
    Error::config(name, e, "a place to write the answers to")
}

/// The columns of a table: of texts, and of numbers.
fn columns(records: &Predictions<'_>) -> [Vec<String>; 2] {
    let (class, numbers) = match records.task() {
        Task::Classification(_) if records.tells_class_alone() => (Some("class"), vec![]),
        Task::Classification(names) => (Some("class"), names.iter().map(|name| format!("probability {name}")).collect()),
        Task::Regression => (None, vec!["value".to_owned()]),
    };
    let file = records.are_of_images().then_some("file");
    [file.into_iter().chain(class).map(str::to_owned).collect(), numbers]
}

/// What stands in the columns of texts.
fn texts(answer: &Answer) -> impl Iterator<Item = &str> {
    answer.file.iter().chain(&answer.class).map(String::as_str)
}

impl Sink {
    fn create(path: Option<&Path>, records: &Predictions<'_>) -> io::Result<Sink> {
        let [texts, numbers] = columns(records);
        let head = line(texts.iter().chain(&numbers).map(String::as_str));
        let Some(path) = path else {
            let mut out = io::stdout();
            return match out.write_all(head.as_bytes()) {
                // Found again with the first record.
                Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(Sink::Standard(out)),
                other => other.map(|()| Sink::Standard(out)),
            };
        };
        let mut part = Part::create(path)?;
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        match (ending.as_str(), records.task()) {
            ("parquet", _) => Ok(Sink::Parquet(Box::new(Parquet::new(part, &texts, &numbers)?))),
            ("npy", Task::Classification(names)) => {
                let names = names.clone();
                Ok(match numbers.len() {
                    0 => Sink::Classes(Npy::new(part, Element::Integer, None)?, names),
                    width => Sink::Probabilities(Npy::new(part, Element::Float, Some(width))?, names),
                })
            }
            ("npy", Task::Regression) => Ok(Sink::Values(Npy::new(part, Element::Float, None)?)),
            _ => {
                part.write_all(head.as_bytes())?;
                Ok(Sink::Csv(part))
            }
        }
    }

    fn append(&mut self, answers: &[Answer]) -> io::Result<()> {
        match self {
            Sink::Standard(out) => {
                out.write_all(csv(answers).as_bytes())?;
                out.flush()
            }
            Sink::Csv(out) => out.write_all(csv(answers).as_bytes()),
            Sink::Parquet(table) => {
                answers.iter().try_for_each(|answer| table.append(&texts(answer).collect::<Vec<_>>(), &answer.numbers))
            }
            Sink::Probabilities(array, _) | Sink::Values(array) => {
                array.append(answers.iter().flat_map(|answer| answer.numbers.iter().copied()))
            }
            Sink::Classes(array, names) => {
                let place = |answer: &Answer| names.iter().position(|name| Some(name) == answer.class.as_ref());
                let places: Option<Vec<usize>> = answers.iter().map(place).collect();
                let places = places.ok_or_else(|| io::Error::other("an answer with a class that there is not"))?;
                array.append(places.into_iter().map(|place| place as f64))
            }
        }
    }
}

/// A line for each: probabilities with seven digits, a value with all.
fn csv(answers: &[Answer]) -> String {
    let one = |answer: &Answer| {
        let number = |n: &f64| if answer.class.is_some() { format!("{n:.7}") } else { n.to_string() };
        let numbers: Vec<String> = answer.numbers.iter().map(number).collect();
        line(texts(answer).chain(numbers.iter().map(String::as_str)))
    };
    answers.iter().map(one).collect()
}

/// The fields of a record, as CSV has them.
fn line<'a>(fields: impl Iterator<Item = &'a str>) -> String {
    let quoted = |text: &str| {
        if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
    };
    fields.map(quoted).collect::<Vec<_>>().join(",") + "\n"
}
