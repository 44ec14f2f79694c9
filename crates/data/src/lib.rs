//! Datasets in the clear, on the data owner's side, before anything is shared.
//!
//! | where | what |
//! |---|---|
//! | [`digits`] | the embedded UCI handwritten digits, enlarged to 28x28 |
//! | [`mnist`] | MNIST from a folder; [`fetch`] downloads and verifies it |
//! | [`csv`] | a CSV file with a header and a label column |
//! | [`schema`] | what the records of a job look like, and how they become fixed-point numbers |
//! | [`records`] | an owner's file, whatever its format, as such numbers, chunk by chunk |
//! | [`idx`] | the IDX format, plain or gzip |
//! | [`shuffle`] | permutations that a public seed fixes: splits, batch order |
//!
//! The loaders of whole files end in a [`Dataset`]: values that a stated number of fraction bits represents exactly, so that
//! sharing them in fixed point rounds nothing.

#![forbid(unsafe_code)]

pub mod csv;
pub mod digits;
mod error;
pub mod fetch;
mod file;
pub mod idx;
pub mod mnist;
pub mod records;
pub mod schema;
pub mod shuffle;
mod standardise;
mod table;

pub use error::{DataError, Result};
pub use records::{Chunk, Records, Source};
pub use schema::Schema;
pub use table::{Dataset, Table};
