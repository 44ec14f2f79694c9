//! The options that say which records an owner has and for which job, and how a file of records is read, where it does not say so itself.

use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use trefoil_client::peers::Peers;
use trefoil_data::records::{Numerals, Reading, Source, Thousands, Unit, encoding};
use trefoil_job::Job;

/// How a file of texts is read.
#[derive(Args, Clone, Debug)]
pub struct ReadArgs {
    /// CSV: its encoding, such as latin1, windows-1250 or utf-16le [default: UTF-8, or what its byte order mark says]
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,

    /// CSV: what stands between fields: a character, or tab [default: what the header has most of: comma, semicolon, tab or |]
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: Option<u8>,

    /// What numbers in texts have between integers and fractions
    #[arg(long, value_enum, value_name = "NAME", default_value_t = Decimal::Point)]
    decimal: Decimal,

    /// What numbers in texts may have between their thousands: ",", ".", "'" or " " [default: nothing, or points with --decimal comma]
    #[arg(long, value_name = "CHARACTER", value_parser = thousands)]
    thousands: Option<Thousands>,
}

/// An owner's records, and the job that they are for.
#[derive(Args)]
pub struct RecordArgs {
    /// The records: .csv, .jsonl, .parquet, .arrow, .npy, .npz, IDX, or a folder with a folder of PNG images for each class
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The file with the labels: of NumPy and IDX, or with --by of any file with named columns
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,

    /// The column that both files have, by which each record finds its label
    #[arg(long, value_name = "COLUMN", requires = "labels")]
    by: Option<String>,

    /// A column of numbers that the file has in another unit than the job: what its values are multiplied by, weight=0.4536 of pounds for kilograms, or what is done to a value x, "temp=(x-32)/1.8" of degrees Fahrenheit for Celsius. Once for each such column
    #[arg(long = "unit", value_name = "COLUMN=UNIT", value_parser = unit)]
    units: Vec<(String, Unit)>,

    #[command(flatten)]
    reading: ReadArgs,

    /// The job's file
    #[arg(long, value_name = "JOB")]
    job: PathBuf,

    /// Who is who, for members that the job calls by their names alone
    #[arg(long, value_name = "FILE", default_value = "peers.toml")]
    peers: PathBuf,
}

impl RecordArgs {
    /// The job.
    ///
    /// # Errors
    /// A file cannot be read, or says something else.
    pub fn job(&self) -> trefoil_server::Result<Job> {
        Ok(Job::load(&self.job, &Peers::load(&self.peers)?)?)
    }

    /// The records' file, with its labels and with what the options say of it.
    ///
    /// # Errors
    /// Those of [`ReadArgs::source`].
    pub fn source(&self) -> trefoil_server::Result<Source> {
        let (labels, by, units) = (self.labels.clone(), self.by.clone(), self.units.clone());
        Ok(Source { labels, by, units, ..self.reading.source(&self.file)? })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Decimal {
    Point,
    Comma,
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [one] if one.is_ascii() && !one.is_ascii_alphanumeric() && !b"\"\r\n.+-".contains(one) => Ok(*one),
        _ => Err("expected one character such as ; or | that no number has, or tab".into()),
    }
}

fn thousands(text: &str) -> Result<Thousands, String> {
    let is = |thousands: &Thousands| thousands.marks().iter().any(|mark| text.chars().eq([*mark]));
    Thousands::ALL.into_iter().find(is).ok_or_else(|| "expected a comma, a point, an apostrophe or a blank, in quotes".into())
}

fn unit(text: &str) -> Result<(String, Unit), String> {
    match text.rsplit_once('=') {
        Some((column, unit)) if !column.is_empty() => Ok((column.to_owned(), unit.parse()?)),
        _ => {
            Err("expected a column, = and a factor, such as weight=0.4536, or what is done to a value x, such as temp=(x-32)/1.8"
                .into())
        }
    }
}

impl ReadArgs {
    /// A file with what the options say of it.
    ///
    /// # Errors
    /// An encoding that nobody knows; a mark that would mean two things.
    pub fn source(&self, path: &Path) -> trefoil_server::Result<Source> {
        let encoding = match &self.encoding {
            None => None,
            Some(name) => Some(encoding(name).ok_or_else(|| {
                trefoil_server::Error::config(
                    "--encoding",
                    format!("{name:?}"),
                    "a name such as utf-8, latin1, windows-1250 or utf-16le",
                )
            })?),
        };
        let numerals = Numerals { decimal_comma: self.decimal == Decimal::Comma, thousands: self.thousands };
        if !numerals.is_possible() {
            let [found, expected] = match numerals.decimal_comma {
                true => ["a comma, with --decimal comma", "another mark: a number's comma is before its fraction"],
                false => ["a point, without --decimal comma", "another mark: a number's point is before its fraction"],
            };
            return Err(trefoil_server::Error::config("--thousands", found, expected));
        }
        let reading = Reading { encoding, delimiter: self.delimiter, numerals };
        Ok(Source { reading, ..Source::of(path) })
    }
}
