//! Models as ONNX, for ONNX Runtime and everything else that reads it: [`write`] has what a file of ours holds, `proto` the messages.

mod proto;
mod write;

#[cfg(test)]
mod tests;
