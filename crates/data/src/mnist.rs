//! MNIST (Y. LeCun, C. Cortes; CC BY-SA 3.0), or any dataset in its four IDX files, from a folder.

use crate::idx::{Images, read_images, read_labels};
use crate::{DataError, Dataset, Result, Table};
use ndarray::Array2;
use std::path::{Path, PathBuf};

/// Number of classes.
pub const CLASSES: usize = 10;

/// A pixel p is the value p/256: 8 fraction bits, in [0, 1).
pub const FRAC: u8 = 8;

/// Loads the four files from `dir`: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
/// `t10k-labels-idx1-ubyte`, each as it is or with `.gz`; a dot before `idx` instead of the dash will do.
/// The content is checked for its form, not against the digests of [`fetch`](crate::fetch), so that other datasets in
/// this form can be used.
///
/// # Errors
/// A file that is missing, unreadable or malformed; images and labels that differ in number, or train and test in size.
pub fn load(dir: &Path) -> Result<Dataset> {
    let (train, size) = part(dir, "train", None)?;
    let (test, _) = part(dir, "t10k", Some(size))?;
    Ok(Dataset { name: "mnist".to_string(), classes: CLASSES, train, test })
}

/// Records and image size of one part.
fn part(dir: &Path, prefix: &str, size: Option<(usize, usize)>) -> Result<(Table, (usize, usize))> {
    let image_path = find(dir, &format!("{prefix}-images-idx3-ubyte"))?;
    let label_path = find(dir, &format!("{prefix}-labels-idx1-ubyte"))?;
    let images = read_images(&image_path)?;
    let y = read_labels(&label_path, CLASSES)?;
    let found = (images.height, images.width);
    if y.len() != images.count {
        return Err(DataError::Mismatch {
            file: label_path.display().to_string(),
            found: format!("{} labels", y.len()),
            expected: format!("{} as there are images", images.count),
        });
    }
    if let Some(size) = size.filter(|&s| s != found) {
        return Err(DataError::Mismatch {
            file: image_path.display().to_string(),
            found: format!("images of {}x{}", found.0, found.1),
            expected: format!("{}x{} as in the training images", size.0, size.1),
        });
    }
    Ok((Table { x: values(&images), y, frac: FRAC }, found))
}

/// Shape `[images, pixels]` as p/256.
fn values(images: &Images) -> Array2<f64> {
    let width = images.height * images.width;
    Array2::from_shape_fn((images.count, width), |(i, j)| f64::from(images.pixels[i * width + j]) / 256.0)
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
        assert_eq!((d.train.rows(), d.test.rows(), d.features(), d.classes), (12, 3, 256, 10));
        assert_eq!(d.train.x[[1, 255]], 255.0 / 256.0);
        assert_eq!(d.train.y[11], 1);
    }

    #[test]
    fn a_missing_or_mismatched_file_is_named() {
        let dir = folder();
        let message = || load(dir.path()).unwrap_err().to_string();
        fs::write(dir.path().join("t10k-labels-idx1-ubyte"), labels(4)).unwrap();
        assert!(message().ends_with("t10k-labels-idx1-ubyte: found 4 labels, expected 3 as there are images"));
        fs::write(dir.path().join("t10k-images.idx3-ubyte"), images(4, 8)).unwrap();
        assert!(message().ends_with("found images of 8x8, expected 16x16 as in the training images"));
        fs::remove_file(dir.path().join("t10k-labels-idx1-ubyte")).unwrap();
        assert!(message().contains("found no t10k-labels-idx1-ubyte, expected it there"));
    }
}
