//! Datasets in the clear, on the data owner's side, before anything is shared.
//!
//! | where | what |
//! |---|---|
//! | [`digits`] | the embedded UCI handwritten digits, enlarged to 28x28 |
//! | [`mnist`] | MNIST from a folder; [`fetch`] downloads and verifies it |
//! | [`guessed`] | a CSV or Parquet file, by a schema that is guessed from it |
//! | [`schema`] | what the records of a job look like, and how they become fixed-point numbers |
//! | [`records`] | an owner's file, whatever its format, as such numbers, chunk by chunk |
//! | [`table`] | names and numbers on their way into a Parquet or NumPy file |
//! | [`shuffle`] | which records are held out and which are whose, by a public seed |
//!
//! All of them end in what [`records`] makes of them. The loaders of whole files keep it in memory, as a [`Dataset`].

mod dataset;
pub mod digits;
mod error;
pub mod fetch;
mod file;
pub mod guessed;
pub mod mnist;
pub mod records;
pub mod schema;
pub mod shuffle;
pub mod table;

pub use dataset::{Dataset, Samples};
pub use error::{DataError, Result};
pub use file::Part;
pub use records::{Chunk, Records, Source};
pub use schema::Schema;
