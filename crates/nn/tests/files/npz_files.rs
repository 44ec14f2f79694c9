//! Archives of NumPy's, and ours: what is read is what was written; what is broken is refused in one line.

use ndarray::Array2;
use std::path::{Path, PathBuf};
use trefoil_nn::{Graph, Model};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/npz").join(name)
}

fn model() -> Model {
    let graph = Graph::perceptron(&[3, 4, 2]);
    let value = |i: usize, j: usize| (i as f64 - 2.0 * j as f64) / 8.0;
    let params =
        graph.params().unwrap().iter().map(|p| Array2::from_shape_fn(p.shape(), |(i, j)| value(i, j))).collect::<Vec<_>>();
    Model::new(&graph, &params, "").unwrap()
}

/// `tests/reference/npz/make.py` made the files: the same weights by `numpy.savez` in single, double and half precision, and packed.
#[test]
fn numpys_archives_and_ours_are_read() {
    let again = Model::parse_npz(&model().to_npz(), "ours").unwrap();
    assert_eq!(again, model());
    for name in ["single.npz", "double.npz", "half.npz", "packed.npz"] {
        assert_eq!(Model::load(&file(name)).unwrap(), model(), "{name}");
    }
    for (name, words) in [
        ("fortran.npz", "fortran_order False"),
        ("integers.npz", "'<f2', '<f4' or '<f8'"),
        ("widths.npz", "layers that follow one another"),
        ("odd.npz", "a weight and a bias for each linear layer"),
        ("bomb.npz", "in the archive"),
    ] {
        let error = Model::load(&file(name)).unwrap_err().to_string();
        assert!(error.contains(words), "{name}: {error}");
        check(&error);
    }
}

/// Every prefix and change of a byte: an error in one line, or a model; never a panic.
#[test]
fn malformed_archives_are_errors_that_name_the_file() {
    for good in [model().to_npz(), std::fs::read(file("packed.npz")).unwrap()] {
        for n in 0..good.len() {
            let _ = Model::parse_npz(&good[..n], "f").map_err(|e| check(&e.to_string()));
            for flip in [1, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[n] ^= flip;
                let _ = Model::parse_npz(&bad, "f").map_err(|e| check(&e.to_string()));
            }
        }
    }
}

fn check(error: &str) {
    assert!(error.contains("found") && error.contains("expected") && !error.contains('\n'), "{error}");
}
