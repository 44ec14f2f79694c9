//! Tables that are written batch by batch, in the formats of [`records`](crate::records): memory does not grow with the file.

mod npy;
mod parquet;

pub use npy::{Element, Npy};
pub use parquet::Parquet;
