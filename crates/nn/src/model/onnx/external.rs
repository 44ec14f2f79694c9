//! Values of a model that stand in a file beside it, as PyTorch's exporter writes them: `model.onnx.data`.
//!
//! The model's file says in which file, from where on, and how many bytes. It is from anybody, so the file must lie in the model's own
//! folder or below, whatever links there are, and no more is read than the tensor's dimensions ask for.

use super::super::{Result, content, one_line};
use super::proto::{GraphProto, TensorProto, code};
use crate::ModelError;
use crate::graph::MOST_VALUES;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

/// Bytes of all tensors of a model that stand elsewhere.
const MOST: usize = 8 * MOST_VALUES;

/// Puts the values of a graph's tensors that stand in other files where they would be in a model of one file. `folder` is the model's.
///
/// # Errors
/// [`ModelError::Content`] naming the tensor, [`ModelError::Io`] the file.
pub fn bring_in(graph: &mut GraphProto, folder: &Path, file: &str) -> Result<()> {
    let mut left = MOST;
    for tensor in graph.initializer.iter_mut().filter(|t| t.data_location == code::EXTERNAL) {
        let bytes = read(tensor, folder, file, &mut left)?;
        tensor.raw_data = bytes.into();
        tensor.external_data.clear();
        tensor.data_location = 0;
    }
    Ok(())
}

fn read(tensor: &TensorProto, folder: &Path, file: &str, left: &mut usize) -> Result<Vec<u8>> {
    let refuse =
        |found: String, expected: &str| Err(content(file, format!("tensor \"{}\"", one_line(&tensor.name)), found, expected));
    let about = |key: &str| tensor.external_data.iter().find(|e| e.key == key).map(|e| e.value.as_str());
    let size = match tensor.data_type {
        code::FLOAT | code::INT32 => 4,
        code::DOUBLE | code::INT64 => 8,
        other => return refuse(format!("values of type {other} in another file"), "float, double, int32 or int64"),
    };
    let mut sides = tensor.dims.iter().map(|d| usize::try_from(*d).ok());
    let length = sides.try_fold(size, |n: usize, d| n.checked_mul(d?)).filter(|n| *n <= *left);
    let Some(length) = length else {
        let found = format!("dimensions {}", one_line(&format!("{:?}", tensor.dims)));
        return refuse(found, "at most 2^24 values in all tensors of the model");
    };
    *left -= length;
    if let Some(said) = about("length").filter(|said| said.parse() != Ok(length)) {
        return refuse(format!("{} bytes in another file", one_line(said)), &format!("{length}, as its dimensions say"));
    }
    let offset = match about("offset").map(str::parse::<u64>) {
        None => 0,
        Some(Ok(offset)) => offset,
        Some(Err(_)) => return refuse("an offset that is no number".into(), "the place of its values"),
    };
    let location = about("location").unwrap_or_default();
    let Some(path) = below(folder, location) else {
        return refuse(format!("values in {:?}", one_line(location)), "a file in the model's own folder, or below it");
    };
    let io = |source| ModelError::Io { file: path.display().to_string(), source };
    let mut data = File::open(&path).map_err(io)?;
    data.seek(SeekFrom::Start(offset)).map_err(io)?;
    let mut bytes = Vec::new();
    data.take(length as u64).read_to_end(&mut bytes).map_err(io)?;
    match bytes.len() {
        n if n == length => Ok(bytes),
        n => refuse(format!("{n} bytes from {offset} on in {:?}", one_line(location)), &length.to_string()),
    }
}

/// A regular file, if it is in the folder once all links are followed.
fn below(folder: &Path, location: &str) -> Option<PathBuf> {
    let relative = Path::new(location);
    let plain = relative.components().all(|c| matches!(c, Component::Normal(_))) && !location.is_empty();
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let (path, folder) = (folder.join(relative).canonicalize().ok()?, folder.canonicalize().ok()?);
    (plain && path.starts_with(folder) && path.is_file()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::super::proto::StringStringEntryProto;
    use super::*;
    use std::fs;

    fn tensor(entries: &[(&str, &str)]) -> TensorProto {
        let entry = |(key, value): &(&str, &str)| StringStringEntryProto { key: (*key).into(), value: (*value).into() };
        TensorProto {
            name: "w".into(),
            dims: vec![2, 3],
            data_type: code::FLOAT,
            data_location: code::EXTERNAL,
            external_data: entries.iter().map(entry).collect(),
            ..TensorProto::default()
        }
    }

    #[test]
    fn values_beside_the_model_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let (models, outside) = (dir.path().join("models"), dir.path().join("secret"));
        fs::create_dir(&models).unwrap();
        let bytes: Vec<u8> = (0..32).collect();
        for path in [&models.join("m.data"), &outside] {
            fs::write(path, &bytes).unwrap();
        }
        let bring = |t: TensorProto| {
            let mut graph = GraphProto { initializer: vec![t], ..GraphProto::default() };
            bring_in(&mut graph, &models, "m.onnx").map(|()| graph.initializer.remove(0))
        };
        let t = bring(tensor(&[("location", "m.data"), ("offset", "8"), ("length", "24")])).unwrap();
        assert_eq!((&t.raw_data[..], t.data_location, t.external_data.len()), (&bytes[8..], 0, 0));
        assert_eq!(&bring(tensor(&[("location", "m.data")])).unwrap().raw_data[..], &bytes[..24]);
        let absolute = outside.display().to_string();
        let mut cases = vec![
            (tensor(&[("location", "../secret")]), "values in \"../secret\", expected a file in the model's own folder"),
            (tensor(&[("location", &absolute)]), "expected a file in the model's own folder"),
            (tensor(&[]), "values in \"\", expected a file"),
            (tensor(&[("location", ".")]), "expected a file"),
            (tensor(&[("location", "m.data"), ("offset", "9")]), "found 23 bytes from 9 on in \"m.data\", expected 24"),
            (tensor(&[("location", "m.data"), ("offset", "-1")]), "an offset that is no number"),
            (tensor(&[("location", "m.data"), ("length", "23")]), "found 23 bytes in another file, expected 24"),
            (TensorProto { dims: vec![1 << 40, 1 << 40], ..tensor(&[("location", "m.data")]) }, "at most 2^24 values"),
            (TensorProto { data_type: code::STRING, ..tensor(&[("location", "m.data")]) }, "values of type 8"),
        ];
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&outside, models.join("link")).unwrap();
            cases.push((tensor(&[("location", "link")]), "values in \"link\", expected a file in the model's own folder"));
        }
        for (t, expected) in cases {
            let e = bring(t).unwrap_err().to_string();
            assert!(e.starts_with("m.onnx: tensor \"w\": found ") && e.contains(expected) && !e.contains('\n'), "{e}");
        }
    }
}
