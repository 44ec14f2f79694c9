//! MNIST (Y. LeCun, C. Cortes; CC BY-SA 3.0), or any dataset in its four IDX files, from a folder.

use crate::records::idx_pixels;
use crate::schema::{Column, Join, Partition, Task};
use crate::{DataError, Dataset, Records, Result, Samples, Schema, Source};
use std::path::{Path, PathBuf};

/// Number of classes.
const CLASSES: usize = 10;

/// Images of so many pixels, of ten digits; none is held out by its place.
pub(crate) fn schema(pixels: usize) -> Schema {
    Schema {
        task: Task::Classification,
        partition: Partition::Horizontal,
        label: "label".to_string(),
        classes: (0..CLASSES).map(|class| class.to_string()).collect(),
        target: None,
        id: None,
        join: Join::default(),
        pad: None,
        doubles: Default::default(),
        holdout: 0,
        seed: 0,
        clipped: 1.0,
        columns: vec![Column::pixels("pixel", pixels)],
    }
}

/// Loads the four files from `dir`: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
/// `t10k-labels-idx1-ubyte`, each as it is or with `.gz`; a dot before `idx` instead of the dash will do.
/// The content is checked for its form, not against the digests of [`fetch`](crate::fetch), so that other datasets in
/// this form can be used.
///
/// # Errors
/// A file that is missing, unreadable or malformed; images and labels that differ in number, or train and test in size.
pub fn load(dir: &Path) -> Result<Dataset> {
    let schema = schema(idx_pixels(&find(dir, "train-images-idx3-ubyte")?)?);
    let part = |prefix: &str| -> Result<Samples> {
        let path = find(dir, &format!("{prefix}-images-idx3-ubyte"))?;
        let labels = Some(find(dir, &format!("{prefix}-labels-idx1-ubyte"))?);
        let [all, _] = Samples::read(&mut Records::open(&Source { labels, ..Source::of(path) }, &schema, &[], true)?)?;
        Ok(all)
    };
    let (train, test) = (part("train")?, part("t10k")?);
    Ok(Dataset { name: "mnist".to_string(), schema, train, test })
}

/// The file of that name, plain or gzip, with a dash or a dot before `idx`.
fn find(dir: &Path, name: &str) -> Result<PathBuf> {
    let dotted = name.replace("-idx", ".idx");
    let names = [name, &dotted].into_iter().flat_map(|n| [n.to_string(), format!("{n}.gz")]);
    names
        .map(|n| dir.join(n))
        .find(|p| p.is_file())
        .ok_or_else(|| DataError::NoFile { folder: dir.display().to_string(), name: name.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn labels(n: u32) -> Vec<u8> {
        [0x0801_u32, n].iter().flat_map(|w| w.to_be_bytes()).chain((0..n).map(|i| (i % 10) as u8)).collect()
    }

    fn images(n: u32, side: u32) -> Vec<u8> {
        let body = (0..n * side * side).map(|i| (i % 256) as u8);
        [0x0803_u32, n, side, side].iter().flat_map(|w| w.to_be_bytes()).chain(body).collect()
    }

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let put = |name, bytes: Vec<u8>| fs::write(dir.path().join(name), bytes).unwrap();
        put("train-images-idx3-ubyte", images(12, 16));
        put("train-labels-idx1-ubyte", labels(12));
        put("t10k-images.idx3-ubyte", images(3, 16));
        put("t10k-labels-idx1-ubyte", labels(3));
        dir
    }

    #[test]
    fn loads_a_folder() {
        let d = load(folder().path()).unwrap();
        assert_eq!((d.train.rows(), d.test.rows(), d.schema.features(), d.schema.outputs()), (12, 3, 256, 10));
        let [x, y] = d.train.decoded(&d.schema);
        assert_eq!((x[[1, 255]], y[[11, 1]], y.row(11).sum()), (255.0 / 256.0, 1.0, 1.0));
    }

    #[test]
    fn a_missing_or_mismatched_file_is_named() {
        let dir = folder();
        let message = || load(dir.path()).unwrap_err().to_string();
        fs::write(dir.path().join("t10k-labels-idx1-ubyte"), labels(4)).unwrap();
        assert!(
            message().contains("t10k-labels-idx1-ubyte: found 4 labels, expected 3 as there are records in"),
            "{}",
            message()
        );
        fs::write(dir.path().join("t10k-images.idx3-ubyte"), images(4, 8)).unwrap();
        assert!(message().ends_with("found an array of shape [4, 8, 8], expected 256 columns as in the schema"));
        fs::remove_file(dir.path().join("t10k-labels-idx1-ubyte")).unwrap();
        assert!(message().contains("found no t10k-labels-idx1-ubyte, expected it there"));
    }
}
