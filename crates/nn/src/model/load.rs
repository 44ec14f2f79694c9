//! A model from a file of whichever format, which is told by how the file begins.

use super::{MOST_BYTES, Model, ModelError, Result, content};
use std::io::Read;
use std::path::Path;

impl Model {
    /// Reads a file: safetensors, a NumPy archive, or ONNX by its name.
    ///
    /// # Errors
    /// [`ModelError`] naming the file.
    pub fn load(path: &Path) -> Result<Model> {
        let file = path.display().to_string();
        let mut bytes = Vec::new();
        let io = |source| ModelError::Io { file: file.clone(), source };
        std::fs::File::open(path).map_err(io)?.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(content(&file, "size", "more than 1 GiB", "at most 1 GiB"));
        }
        match format(&bytes) {
            // What might be anything is ONNX by its name alone, so that a damaged file is told to be one of ours.
            Format::Onnx if path.extension().is_none_or(|e| !e.eq_ignore_ascii_case("onnx")) => Model::parse(&bytes, &file),
            Format::Onnx => Model::parse_onnx_in(Some(path.parent().unwrap_or(Path::new("."))), &bytes, &file),
            _ => Model::read(&bytes, &file),
        }
    }

    /// From the bytes of a file of any format: ONNX where it is neither of the others; `file` is its name in errors.
    ///
    /// # Errors
    /// [`ModelError::Content`] naming what is wrong.
    pub fn read(bytes: &[u8], file: &str) -> Result<Model> {
        match format(bytes) {
            Format::Safetensors => Model::parse(bytes, file),
            Format::Numpy => Model::parse_npz(bytes, file),
            Format::Onnx => Model::parse_onnx(bytes, file),
        }
    }
}

/// The formats of models' files.
enum Format {
    Safetensors,
    Numpy,
    Onnx,
}

/// By how they begin: safetensors with the length of a JSON object, and that; an archive with its mark; ONNX with anything.
fn format(bytes: &[u8]) -> Format {
    match bytes.get(8) {
        Some(b'{') => Format::Safetensors,
        _ if bytes.starts_with(b"PK\x03\x04") => Format::Numpy,
        _ => Format::Onnx,
    }
}
