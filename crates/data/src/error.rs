//! What can be wrong with a dataset. Each message is one line: the file, what was found, what was expected.

use std::io;

/// A result of this crate.
pub type Result<T, E = DataError> = std::result::Result<T, E>;

/// Why a dataset could not be read, fetched or split. `file` is the path as the caller gave it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused.
    #[error("{file}: {source}")]
    Io {
        /// The path.
        file: String,
        /// The reason.
        source: io::Error,
    },
    /// A folder lacks a file.
    #[error("{folder}: found no {name}, expected it there, plain or with .gz (`trefoil data fetch mnist` downloads it)")]
    NoFile {
        /// The folder.
        folder: String,
        /// The missing name.
        name: String,
    },
    /// The first four bytes are not those of this kind of file.
    #[error("{file}: found magic number 0x{found:08x}, expected 0x{expected:08x} ({kind})")]
    Magic {
        /// The path.
        file: String,
        /// As read.
        found: u32,
        /// As it must be.
        expected: u32,
        /// What the expected number stands for.
        kind: &'static str,
    },
    /// The content is shorter or longer than its header says.
    #[error("{file}: found {found}, expected {expected} bytes{}", gzip_note(*.gzip))]
    Length {
        /// The path.
        file: String,
        /// What there is, in words ("100 bytes", "more than 100 bytes").
        found: String,
        /// Bytes that the header implies, the header included.
        expected: u128,
        /// Counted after decompression.
        gzip: bool,
    },
    /// More than this crate reads.
    #[error("{file}: found {found} bytes, expected at most {cap}")]
    TooLarge {
        /// The path.
        file: String,
        /// Bytes found or announced.
        found: u128,
        /// The cap in bytes.
        cap: u64,
    },
    /// A broken gzip stream.
    #[error("{file}: found a broken gzip stream ({why}), expected one whole gzip member")]
    Gzip {
        /// The path.
        file: String,
        /// The decoder's reason.
        why: String,
    },
    /// No records, or a dimension of 0.
    #[error("{file}: found {found}, expected at least {expected}")]
    Empty {
        /// The path.
        file: String,
        /// What there is.
        found: String,
        /// What is needed.
        expected: &'static str,
    },
    /// Two files or tensors that belong together differ.
    #[error("{file}: found {found}, expected {expected}")]
    Mismatch {
        /// The path.
        file: String,
        /// What there is.
        found: String,
        /// What the other one implies.
        expected: String,
    },
    /// A cell or record of a CSV file.
    #[error("{file}: line {line}, column {column}: found {found}, expected {expected}")]
    Cell {
        /// The path.
        file: String,
        /// From 1; the header is line 1 unless blank lines precede it.
        line: u64,
        /// The column's name in the header.
        column: String,
        /// What there is.
        found: String,
        /// What is accepted.
        expected: String,
    },
    /// A line of a file of texts that is no record: of CSV with a quote or a delimiter that stands where none may, of JSON lines without an object.
    #[error("{file}: line {line}: found {found}, expected {expected}")]
    Line {
        /// The path.
        file: String,
        /// From 1.
        line: u64,
        /// What there is.
        found: String,
        /// What is accepted.
        expected: String,
    },
    /// A record of a CSV file with too few or too many fields.
    #[error("{file}: line {line}: found {found} fields, expected {expected} as in the header")]
    Fields {
        /// The path.
        file: String,
        /// From 1.
        line: u64,
        /// Fields in this record.
        found: usize,
        /// Fields in the header.
        expected: usize,
    },
    /// The label column is not in the header.
    #[error("{file}: found no label column {label}, expected one of: {columns}")]
    NoLabelColumn {
        /// The path.
        file: String,
        /// As asked for.
        label: String,
        /// The header's names.
        columns: String,
    },
    /// A file could not be downloaded.
    #[error("{url}: cannot download: {why}")]
    Fetch {
        /// The address.
        url: String,
        /// The reason.
        why: String,
    },
    /// A downloaded file is not the pinned one.
    #[error("{url}: found content with SHA-256 {found}, expected {expected}; nothing was kept")]
    Digest {
        /// The address.
        url: String,
        /// Of what was received, decompressed; hex.
        found: String,
        /// As pinned; hex.
        expected: String,
    },
    /// A value of a file without lines.
    #[error("{file}: record {record}, column {column}: found {found}, expected {expected}")]
    Value {
        /// The path.
        file: String,
        /// The record, from 1.
        record: u64,
        /// The column's name, or its index, from 0, where it has none.
        column: String,
        /// What there is.
        found: String,
        /// What is accepted.
        expected: String,
    },
    /// More values beyond a column's range than a job lets pass.
    #[error(
        "column {column}: found {found} of {of} values beyond the range that the job has for it, expected at most {percent} %, \
         as the job's [data] clipped says"
    )]
    Clipped {
        /// Its name, quoted.
        column: String,
        /// Values that would be clipped.
        found: u64,
        /// All of them.
        of: u64,
        /// Of all, those that may be.
        percent: f64,
    },
    /// A label in a file of its own that is not there, or is none.
    #[error("{file}: found {found}, expected {expected}")]
    Label {
        /// The file of the labels.
        file: String,
        /// And of which record.
        found: String,
        /// What is accepted.
        expected: String,
    },
    /// Several things are wrong with a file.
    #[error("{first} (and {more} more: `trefoil data check` lists them)")]
    Faults {
        /// In the order of the file.
        first: Box<DataError>,
        /// Others.
        more: u64,
    },
    /// A schema by which no records can be prepared.
    #[error("[data] {place}: found {found}, expected {expected}")]
    Schema {
        /// The part of the schema.
        place: String,
        /// What there is.
        found: String,
        /// What is accepted.
        expected: String,
    },
    /// A file without a column that is asked for.
    #[error("{file}: found no column {column}, expected it among the file's: {columns}")]
    NoColumn {
        /// The path.
        file: String,
        /// The missing column, quoted.
        column: String,
        /// The names that the file has.
        columns: String,
    },
    /// Records cannot be split as asked.
    #[error("found {records} records for {parts} parts, expected at least one record for each of at least one part")]
    Split {
        /// Rows in the table.
        records: usize,
        /// Parts asked for.
        parts: usize,
    },
}

/// Why a value is refused; its place is added where it is known.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) found: String,
    pub(crate) expected: String,
}

impl Refusal {
    pub(crate) fn new(found: impl Into<String>, expected: impl Into<String>) -> Refusal {
        Refusal { found: found.into(), expected: expected.into() }
    }

    /// For a text, which is quoted.
    pub(crate) fn of(text: &[u8], expected: impl Into<String>) -> Refusal {
        Refusal::new(quote(&String::from_utf8_lossy(text)), expected)
    }

    pub(crate) fn hole(expected: impl Into<String>) -> Refusal {
        Refusal::new("a missing value", expected)
    }
}

/// An error of two things that do not go together.
pub(crate) fn mismatch(file: &str, found: impl Into<String>, expected: impl Into<String>) -> DataError {
    DataError::Mismatch { file: file.to_string(), found: found.into(), expected: expected.into() }
}

/// An error of a file with too little in it.
pub(crate) fn empty(file: &str, found: impl Into<String>, expected: &'static str) -> DataError {
    DataError::Empty { file: file.to_string(), found: found.into(), expected }
}

fn gzip_note(gzip: bool) -> &'static str {
    if gzip { " after decompression" } else { "" }
}

/// A piece of the input for a message: quoted, control characters escaped, at most 40 characters.
pub(crate) fn quote(s: &str) -> String {
    let short: String = s.chars().take(40).collect();
    let dots = if short.len() < s.len() { "..." } else { "" };
    format!("{short:?}{dots}")
}

/// The first 50 names, quoted.
pub(crate) fn listed(columns: &[String]) -> String {
    let first: Vec<String> = columns.iter().take(50).map(|c| quote(c)).collect();
    let more = if columns.len() > 50 { format!(", ... ({} in all)", columns.len()) } else { String::new() };
    first.join(", ") + &more
}
