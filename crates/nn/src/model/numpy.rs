//! The parameters for NumPy: a `.npz` archive with the arrays `fc1.weight`, `fc1.bias`, .., which `numpy.load` reads.
//!
//! An `.npz` is a ZIP archive of `.npy` files (numpy.lib.format, version 1.0), here without compression. It holds the parameters
//! only: the metadata is in the safetensors and ONNX files.

mod read;

use super::{Model, Result, write};
use std::path::Path;

/// 1 January 1980, the first date that ZIP knows: equal models give equal bytes.
const DATE: u16 = 0x21;
/// ZIP version 2.0.
const VERSION: u16 = 20;

impl Model {
    /// The bytes of the archive.
    pub fn to_npz(&self) -> Vec<u8> {
        let mut zip = Vec::new();
        let mut directory = Vec::new();
        let mut count = 0;
        for (name, shape, values) in self.tensors() {
            add(&mut zip, &mut directory, &format!("{name}.npy"), &npy(shape, &values));
            count += 1u16;
        }
        let at = zip.len();
        zip.extend(&directory);
        zip.extend(b"PK\x05\x06\0\0\0\0");
        zip.extend(count.to_le_bytes().repeat(2));
        zip.extend(u32s(&[directory.len(), at]));
        zip.extend([0, 0]);
        zip
    }

    /// Writes the archive: all of it or, where that fails, nothing.
    ///
    /// # Errors
    /// [`ModelError::Io`](super::ModelError::Io) naming the file.
    pub fn save_npz(&self, path: &Path) -> Result<()> {
        write(path, &self.to_npz())
    }
}

/// An array of F32, row by row.
fn npy(shape: &[usize], values: &[u8]) -> Vec<u8> {
    let sides: String = shape.iter().map(|n| format!("{n}, ")).collect();
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", sides.trim_end());
    // The whole header, of 10 bytes and this text, ends with a line at a multiple of 64.
    let padding = (header.len() + 11).next_multiple_of(64) - header.len() - 11;
    header.extend(std::iter::repeat_n(' ', padding));
    header.push('\n');
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), values].concat()
}

/// Adds a file to the archive and to its directory.
fn add(zip: &mut Vec<u8>, directory: &mut Vec<u8>, name: &str, file: &[u8]) {
    let mut crc = flate2::Crc::new();
    crc.update(file);
    let at = zip.len();
    // Version, flags, method (stored), time, date; sum, sizes; lengths of the name and of what follows it.
    let mut entry: Vec<u8> = [VERSION, 0, 0, 0, DATE].iter().flat_map(|v| v.to_le_bytes()).collect();
    entry.extend(crc.sum().to_le_bytes());
    entry.extend(u32s(&[file.len(), file.len()]));
    entry.extend((name.len() as u16).to_le_bytes());
    entry.extend([0, 0]);
    zip.extend(b"PK\x03\x04");
    zip.extend(&entry);
    zip.extend(name.as_bytes());
    zip.extend(file);
    // The same after the version of the writer, then no comment, disk 0, no attributes, and the place.
    directory.extend(b"PK\x01\x02");
    directory.extend(VERSION.to_le_bytes());
    directory.extend(&entry);
    directory.extend([0; 10]);
    directory.extend(u32s(&[at]));
    directory.extend(name.as_bytes());
}

/// A model has at most 1 GiB.
fn u32s(values: &[usize]) -> Vec<u8> {
    values.iter().flat_map(|&v| (v as u32).to_le_bytes()).collect()
}
