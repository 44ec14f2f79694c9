//! Weights from a `.npz` archive: ours, or NumPy's `savez` and `savez_compressed` of a PyTorch model's parameters.
//!
//! There is nothing but arrays in it, so it is linear layers with ReLU between them, in the archive's order: a weight [outputs, inputs]
//! and its bias \[outputs\] in turn, whatever they are called. Lengths are compared with the file before anything is allocated.

use super::super::tensors::{Kind, Tensor};
use super::super::{MOST_BYTES, Model, Result, content, one_line};
use crate::graph::Graph;
use ndarray::Array2;
use std::io::Read;

/// More arrays than 256 layers have are taken for a mistake.
const MOST_ARRAYS: usize = 512;
/// Bytes of an array's header at most.
const MOST_HEADER: usize = 1 << 12;

impl Model {
    /// From the bytes of a `.npz` archive; `file` is its name in errors.
    ///
    /// # Errors
    /// [`ModelError::Content`](crate::ModelError::Content) naming what is wrong.
    pub fn parse_npz(bytes: &[u8], file: &str) -> Result<Model> {
        let broken = || content(file, "npz", "bytes that are no ZIP archive", "an archive as numpy.savez writes it");
        let mut left = MOST_BYTES;
        let mut arrays = Vec::new();
        for entry in directory(bytes).ok_or_else(broken)? {
            let name = one_line(entry.name.strip_suffix(".npy").unwrap_or(&entry.name));
            left = left.checked_sub(entry.size).ok_or_else(|| {
                content(file, &name, format!("{} bytes", entry.size), format!("at most {MOST_BYTES} in the archive"))
            })?;
            let data = entry.data(bytes).ok_or_else(|| content(file, &name, "data that does not fit its entry", "whole data"))?;
            let array = array(&data).map_err(|(found, expected)| content(file, &name, found, expected))?;
            arrays.push((name, array));
        }
        let (mut sizes, mut params) = (Vec::new(), Vec::new());
        for pair in arrays.chunks(2) {
            let [(name, weight), (_, bias)] = pair else {
                let found = format!("{} arrays", arrays.len());
                return Err(content(file, "npz", found, "a weight and a bias for each linear layer"));
            };
            let ([outputs, inputs], [n]) = (&weight.dims[..], &bias.dims[..]) else {
                let found = format!("{:?} and then {:?}", weight.dims, bias.dims);
                return Err(content(file, name, found, "a weight [outputs, inputs] and its bias [outputs]"));
            };
            if n != outputs || sizes.last().is_some_and(|before| before != inputs) {
                let found = format!("{:?} and then {:?}, behind {:?} outputs", weight.dims, bias.dims, sizes.last());
                return Err(content(file, name, found, "layers that follow one another"));
            }
            if sizes.is_empty() {
                sizes.push(*inputs);
            }
            sizes.push(*outputs);
            for (tensor, shape) in [(weight, (*outputs, *inputs)), (bias, (1, *n))] {
                let matrix = Array2::from_shape_vec(shape, tensor.values.clone());
                params.push(matrix.map_err(|e| content(file, name, e, format!("{shape:?}")))?);
            }
        }
        Model::of(Graph::perceptron(&sizes), params, String::new(), file)
    }
}

/// A file in the archive.
struct Entry {
    name: String,
    deflated: bool,
    sum: u32,
    /// Bytes in the archive, and as they were.
    packed: usize,
    size: u64,
    at: usize,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..at.checked_add(2)?)?.try_into().ok().map(|b| usize::from(u16::from_le_bytes(b)))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)
}

/// What the directory at the archive's end lists; `None` for what is no archive, is encrypted, or has more or larger files than a model.
fn directory(bytes: &[u8]) -> Option<Vec<Entry>> {
    let from = bytes.len().saturating_sub(22 + usize::from(u16::MAX));
    let end = from + bytes.get(from..)?.windows(4).rposition(|w| w == b"PK\x05\x06")?;
    let count = u16_at(bytes, end + 10).filter(|n| *n <= MOST_ARRAYS)?;
    let mut at = u32_at(bytes, end + 16)? as usize;
    let mut entries = Vec::new();
    for _ in 0..count {
        if bytes.get(at..at.checked_add(4)?)? != b"PK\x01\x02" || u16_at(bytes, at + 8)? & 1 != 0 {
            return None;
        }
        let deflated = match u16_at(bytes, at + 10)? {
            0 => false,
            8 => true,
            _ => return None,
        };
        let (sum, packed, size) = (u32_at(bytes, at + 16)?, u32_at(bytes, at + 20)? as usize, u64::from(u32_at(bytes, at + 24)?));
        let [name, extra, comment] = [28, 30, 32].map(|place| u16_at(bytes, at + place));
        let local = u32_at(bytes, at + 42)? as usize;
        let text = bytes.get(at + 46..at + 46 + name?)?;
        entries.push(Entry { name: String::from_utf8_lossy(text).into_owned(), deflated, sum, packed, size, at: local });
        at = at + 46 + name? + extra? + comment?;
    }
    Some(entries)
}

impl Entry {
    /// The file; `None` where it is not as its entry says.
    fn data(&self, archive: &[u8]) -> Option<Vec<u8>> {
        if archive.get(self.at..self.at.checked_add(4)?)? != b"PK\x03\x04" {
            return None;
        }
        let start = self.at + 30 + u16_at(archive, self.at + 26)? + u16_at(archive, self.at + 28)?;
        let packed = archive.get(start..start.checked_add(self.packed)?)?;
        let mut data = Vec::new();
        match self.deflated {
            // No more than was promised is unpacked, and one byte to see that there is more.
            true => {
                flate2::read::DeflateDecoder::new(packed).take(self.size.checked_add(1)?).read_to_end(&mut data).map(drop).ok()?
            }
            false => data.extend_from_slice(packed),
        }
        let mut crc = flate2::Crc::new();
        crc.update(&data);
        (data.len() as u64 == self.size && crc.sum() == self.sum).then_some(data)
    }
}

/// The array of a `.npy` file, versions 1 to 3 (numpy.lib.format); or what was found, and expected.
fn array(bytes: &[u8]) -> std::result::Result<Tensor, (String, String)> {
    let refuse = |found: &str, expected: &str| Err((one_line(found), expected.to_owned()));
    let head = || {
        let version = *bytes.strip_prefix(b"\x93NUMPY")?.first()?;
        let (length, start) = if version == 1 { (u16_at(bytes, 8)?, 10) } else { (u32_at(bytes, 8)? as usize, 12) };
        let (header, data) = bytes.get(start..)?.split_at_checked(length.min(MOST_HEADER + 1))?;
        Some((std::str::from_utf8(header).ok().filter(|_| length <= MOST_HEADER)?, data))
    };
    let Some((header, data)) = head() else { return refuse("bytes that are no array", "a .npy file") };
    let field = |name: &str| header.split_once(&format!("'{name}':")).map(|(_, rest)| rest.trim_start());
    let descr = field("descr").and_then(|rest| rest.strip_prefix('\'')?.split_once('\'')).map_or("", |(descr, _)| descr);
    let kind = match descr {
        "<f2" => Kind::F16,
        "<f4" => Kind::F32,
        "<f8" => Kind::F64,
        other => return refuse(&format!("numbers of type {other:?}"), "'<f2', '<f4' or '<f8'"),
    };
    if !field("fortran_order").is_some_and(|rest| rest.starts_with("False")) {
        return refuse("columns one after the other", "fortran_order False: numpy.ascontiguousarray");
    }
    let shape = field("shape").and_then(|rest| rest.strip_prefix('(')?.split_once(')')).map_or("?", |(shape, _)| shape);
    let sides = shape.split(',').map(str::trim).filter(|side| !side.is_empty());
    let Ok(dims) = sides.map(str::parse::<usize>).collect::<std::result::Result<Vec<_>, _>>() else {
        return refuse(&format!("the shape ({shape})"), "whole numbers");
    };
    match kind.tensor(dims.clone(), data) {
        Some(tensor) => Ok(tensor),
        None => refuse(&format!("{} bytes of data", data.len()), &format!("an array of shape {dims:?} of {descr}")),
    }
}
