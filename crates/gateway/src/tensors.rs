//! Tensors as the Open Inference Protocol has them: a name, a datatype, a shape, and values in row-major order, either in JSON (flat or nested lists)
//! or in the binary form behind it.

mod answer;
mod binary;
mod datatype;
mod request;

pub use answer::{Answer, Tensor, Values};
pub use datatype::Datatype;
pub(crate) use request::quoted;
pub use request::{Input, Output, Request};
