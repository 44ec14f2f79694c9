//! Models' files of all formats: what is read is what was written, by whomever; what is broken is refused in one line.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod model_files;
mod npz_files;
mod onnx_files;
