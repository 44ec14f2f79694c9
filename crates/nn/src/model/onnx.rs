//! Models as ONNX, for ONNX Runtime and everything else that reads it: [`write`] has what a file of ours holds, `read` and
//! `operators` what of a file is understood, `proto` the messages,
//! `external` the values that stand in files beside it.

mod external;
mod limits;
mod operators;
mod proto;
mod read;
mod record;
mod tensor;
mod write;

#[cfg(test)]
mod misread_tests;
#[cfg(test)]
mod node_tests;
#[cfg(test)]
mod tests;
