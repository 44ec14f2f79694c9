//! Model files: round trip, known layout, and files that are not models.

use ndarray::{Array2, arr2};
use std::path::Path;
use trefoil_nn::{Model, ModelError};

fn model() -> Model {
    let params = [
        arr2(&[[1.0, -2.0], [0.5, 0.25], [0.0, 3.0]]),
        arr2(&[[0.5, -0.5, 0.0]]),
        arr2(&[[1.0, 0.0, -1.0], [0.0, 2.0, 1.0]]),
        arr2(&[[0.0, 0.125]]),
    ];
    Model::new(&params, "p/256").unwrap()
}

#[test]
fn a_file_gives_the_model_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model().save(&path).unwrap();
    model().save(&path).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let read = Model::load(&path).unwrap();
    assert_eq!(read, model());
    assert_eq!((read.network().as_str(), read.input(), read.sizes()), ("2-3-2", "p/256", vec![2, 3, 2]));
    assert_eq!(std::fs::read(&path).unwrap(), model().to_bytes());
    assert!(matches!(Model::load(&folder.path().join("none")), Err(ModelError::Io { .. })));
}

#[test]
fn other_readers_find_the_layout_of_pytorch() {
    let bytes = model().to_bytes();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut names = tensors.names();
    names.sort_unstable();
    assert_eq!(names, ["fc1.bias", "fc1.weight", "fc2.bias", "fc2.weight"]);
    assert_eq!(tensors.tensor("fc1.weight").unwrap().shape(), [3, 2]);
    assert_eq!(tensors.tensor("fc1.bias").unwrap().shape(), [3]);
    assert_eq!(tensors.tensor("fc1.weight").unwrap().data()[..8], [1f32.to_le_bytes(), (-2f32).to_le_bytes()].concat());
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let about = header.metadata().as_ref().unwrap();
    assert_eq!((about["network"].as_str(), about["classes"].as_str()), ("2-3-2", "2"));
}

#[test]
fn prediction_is_that_of_the_network() {
    let m = model();
    // h = relu([1 - 2 + .5, .5 + .25 - .5, 3]) = [0, .25, 3], z = [-3, .5 + 3 + .125]
    let x = arr2(&[[1.0, 1.0], [2.0, 0.0]]);
    assert_eq!(m.logits(&x).unwrap(), arr2(&[[-3.0, 3.625], [2.5, 1.125]]));
    assert_eq!(m.predict(&x).unwrap(), [1, 0]);
    assert_eq!(m.accuracy(&x, &[1, 1]).unwrap(), 0.5);
    assert!(m.accuracy(&x, &[1]).is_err() && m.logits(&Array2::zeros((1, 3))).is_err());
    // Equal logits: the first class, as in argmax on shares.
    let even = Model::new(&[Array2::zeros((3, 2)), Array2::zeros((1, 3))], "").unwrap();
    assert_eq!(even.predict(&x).unwrap(), [0, 0]);
    assert_eq!(m.max_difference(&m).unwrap(), 0.0);
    assert!(m.max_difference(&even).is_err());
}

#[test]
fn parameters_that_make_no_network_are_refused() {
    let z = Array2::<f64>::zeros;
    for params in [
        vec![],
        vec![z((3, 2))],
        vec![z((3, 2)), z((1, 2))],
        vec![z((3, 2)), z((3, 1))],
        vec![z((3, 2)), z((1, 3)), z((2, 2)), z((1, 2))],
        vec![z((0, 2)), z((1, 0))],
        vec![z((1, 1)) + f64::NAN, z((1, 1))],
    ] {
        let error = Model::new(&params, "").unwrap_err().to_string();
        assert!(error.starts_with("model: ") && error.contains("expected"), "{error}");
    }
}

/// Every file of the corpus and every prefix and single-byte change of a good file: an error or a model, never a panic.
#[test]
fn malformed_files_are_errors_that_name_the_file() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/model");
    let mut seen = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let error = Model::load(&path).expect_err(&path.display().to_string()).to_string();
        assert!(error.starts_with(&path.display().to_string()) && error.contains("found") && !error.contains('\n'), "{error}");
        seen += 1;
    }
    assert!(seen >= 10);
    let good = model().to_bytes();
    for n in 0..good.len() {
        assert!(Model::parse(&good[..n], "f").is_err());
        for flip in [1, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[n] ^= flip;
            let _ = Model::parse(&bad, "f");
        }
    }
    let longer = [&good[..], &[0]].concat();
    assert!(Model::parse(&longer, "f").is_err());
}
