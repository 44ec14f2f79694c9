//! Model files: round trip, known layout, and files that are not models.

use ndarray::{Array2, arr2};
use std::path::Path;
use trefoil_nn::graph::{Kind, Node};
use trefoil_nn::model::{Input, Target};
use trefoil_nn::{Graph, Model, ModelError, Task};

fn model() -> Model {
    let params = [
        arr2(&[[1.0, -2.0], [0.5, 0.25], [0.0, 3.0]]),
        arr2(&[[0.5, -0.5, 0.0]]),
        arr2(&[[1.0, 0.0, -1.0], [0.0, 2.0, 1.0]]),
        arr2(&[[0.0, 0.125]]),
    ];
    Model::new(&Graph::perceptron(&[2, 3, 2]), &params, "p/256").unwrap()
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
    assert_eq!((read.network().as_str(), read.input(), read.graph()), ("2-3-2", "p/256", &Graph::perceptron(&[2, 3, 2])));
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
    let even = Model::new(&Graph::perceptron(&[2, 3]), &[Array2::zeros((3, 2)), Array2::zeros((1, 3))], "").unwrap();
    assert_eq!(even.predict(&x).unwrap(), [0, 0]);
    assert_eq!(m.max_difference(&m).unwrap(), 0.0);
    assert!(m.max_difference(&even).is_err());
}

fn value() -> Model {
    Model::new(
        &Graph::perceptron(&[2, 1]),
        &[arr2(&[[1.0, -2.0]]), arr2(&[[0.5]])],
        r#"{"columns":[{"name":"speed","mean":31.5,"std":8.25}]}"#,
    )
    .unwrap()
}

#[test]
fn a_regression_has_values() {
    let (m, x) = (value(), arr2(&[[1.0, 1.0], [2.0, 0.0]]));
    assert_eq!((m.task(), m.scores(&x).unwrap()), (&Task::Regression, vec![-0.5, 2.5]));
    assert_eq!(m.mean_squared_error(&x, &[0.5, 2.5]).unwrap(), 0.5);
    assert!(m.predict(&x).is_err() && m.accuracy(&x, &[0, 0]).is_err() && m.auc(&x, &[0, 1]).is_err());
    assert!(m.mean_squared_error(&x, &[0.5]).is_err() && model().mean_squared_error(&x, &[0.0, 0.0]).is_err());
    assert_eq!(Model::parse(&m.to_bytes(), "f").unwrap(), m);
    assert!(m.with_classes(&["only".into()]).is_err());
}

/// One output is the logit of the second of two classes where these have names.
#[test]
fn one_output_may_tell_two_classes() {
    let bare = Model::new(&Graph::perceptron(&[2, 1]), &[arr2(&[[1.0, -2.0]]), arr2(&[[0.5]])], "p/256").unwrap();
    let m = bare.with_classes(&["no".into(), "yes".into()]).unwrap();
    // Logits -0.5, 2.5 and 0, which is of the second class.
    let x = arr2(&[[1.0, 1.0], [2.0, 0.0], [-0.5, 0.0]]);
    assert_eq!(m.predict(&x).unwrap(), [0, 1, 1]);
    assert_eq!((m.accuracy(&x, &[0, 1, 0]).unwrap(), m.auc(&x, &[0, 1, 0]).unwrap()), (2.0 / 3.0, 1.0));
    let second = [0.377_540_668_8, 0.924_141_819_9, 0.5];
    let found = m.answers(&x).unwrap();
    assert_eq!(found.dim(), (3, 2));
    for (row, p) in found.rows().into_iter().zip(second) {
        assert!((row[1] - p).abs() < 1e-9 && (row[0] - (1.0 - p)).abs() < 1e-9, "{row} {p}");
    }
    assert!(m.mean_squared_error(&x, &[0.0; 3]).is_err());
    // Names that are numbers are names too.
    for names in [["no", "yes"], ["0", "1"]] {
        let m = m.clone().with_classes(&names.map(str::to_owned)).unwrap();
        assert_eq!(Model::parse(&m.to_bytes(), "f").unwrap(), m);
        assert_eq!(m.task(), &Task::Classification(names.map(str::to_owned).to_vec()));
    }
    let error = m.with_classes(&["a".into(), "b".into(), "c".into()]).unwrap_err().to_string();
    assert_eq!(error, "model: names of classes: found 3, expected 2");
    // A value with a unit is no logit.
    let target = Some(Target { mean: 1.0, deviation: 2.0 });
    let value = value().with_input(Input { target, ..Input::plain(2) }).unwrap();
    let error = value.with_classes(&["a".into(), "b".into()]).unwrap_err().to_string();
    assert!(error.contains("expected none: the output is a value with a unit"), "{error}");
}

#[test]
fn two_classes_have_an_auc() {
    // Scores 6.625, 6.625, -1.375, 3.125.
    let x = arr2(&[[1.0, 1.0], [1.0, 1.0], [2.0, 0.0], [0.0, 0.0]]);
    let scores = model().scores(&x).unwrap();
    assert_eq!((scores[0], scores[1], scores[2] < scores[3]), (6.625, 6.625, true));
    for (labels, area) in [([1, 1, 0, 0], 1.0), ([0, 0, 1, 1], 0.0), ([1, 0, 0, 0], 2.5 / 3.0), ([1, 0, 1, 0], 1.5 / 4.0)] {
        assert_eq!(model().auc(&x, &labels).unwrap(), area, "{labels:?}");
    }
    assert!(model().auc(&x, &[1; 4]).is_err() && model().auc(&x, &[0; 4]).is_err() && model().auc(&x, &[0, 1]).is_err());
}

#[test]
fn names_of_classes_are_kept() {
    assert_eq!(model().task(), &Task::Classification(vec!["0".into(), "1".into()]));
    let names = ["benign".to_owned(), "malignant \"m\"".to_owned()];
    let m = model().with_classes(&names).unwrap();
    let read = Model::parse(&m.to_bytes(), "f").unwrap();
    assert_eq!((read.task(), &read), (&Task::Classification(names.to_vec()), &m));
    for wrong in [vec!["one"], vec!["", "two"], vec!["a\nb", "two"], vec!["1", "2", "3"]] {
        let error = model().with_classes(&wrong.into_iter().map(str::to_owned).collect::<Vec<_>>()).unwrap_err().to_string();
        assert!(error.contains("found") && !error.contains('\n'), "{error}");
    }
    // Metadata that contradicts the parameters.
    let text = String::from_utf8_lossy(&m.to_bytes()[8..]).into_owned();
    assert!(text.contains("classification"));
    for (from, to) in
        [("classification", "regressionnnnn"), (r#"[\"benign"#, r#"{\"benign"#), (r#"\"benign\","#, r#"          "#)]
    {
        let bytes: Vec<u8> = m.to_bytes();
        let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).expect(from);
        let changed = [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat();
        let error = Model::parse(&changed, "f").unwrap_err().to_string();
        assert!(error.starts_with("f: ") && error.contains("expected"), "{error}");
    }
}

/// A network that its sizes do not tell: the file says it, and a file that says something else is refused.
#[test]
fn a_network_of_another_form_is_in_the_file() {
    let mut graph = Graph::perceptron(&[2, 3, 2]);
    graph.nodes.insert(1, Node { name: Some("again".into()), ..Node::new(Kind::Relu) });
    let params: Vec<Array2<f64>> = model().params().map(|(_, v)| v.mapv(f64::from)).collect();
    let m = Model::new(&graph, &params, "p/256").unwrap();
    let read = Model::parse(&m.to_bytes(), "f").unwrap();
    assert_eq!((read.graph(), &read, read.network().as_str()), (&graph, &m, "2-fc1-again-relu2-fc2"));
    let text = String::from_utf8_lossy(&m.to_bytes()[8..]).into_owned();
    for (from, to) in [("again", "Again"), (r#"\"outputs\":3"#, r#"\"outputs\":4"#), (r#"\"relu\""#, r#"\"rely\""#)] {
        assert!(text.contains(from), "{text}");
        let bytes = m.to_bytes();
        let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        let changed = [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat();
        let error = Model::parse(&changed, "f").unwrap_err().to_string();
        assert!(error.starts_with("f: ") && error.contains("expected") && !error.contains('\n'), "{error}");
    }
}

/// What NumPy's reader asks for: each array's file, found by the directory at the end, with its header.
#[test]
fn the_archive_has_numpys_layout() {
    let bytes = model().to_npz();
    let u16_at = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let u32_at = |at: usize| u16_at(at) + (u16_at(at + 2) << 16);
    let end = bytes.len() - 22;
    assert_eq!((&bytes[end..end + 4], u16_at(end + 10)), (&b"PK\x05\x06"[..], 4));
    let mut entry = u32_at(end + 16);
    assert_eq!(entry + u32_at(end + 12), end);
    let mut shapes = Vec::new();
    while entry < end {
        let (name, at) = (u16_at(entry + 28), u32_at(entry + 42));
        let name = &bytes[entry + 46..entry + 46 + name];
        assert_eq!((&bytes[entry..entry + 4], &bytes[at..at + 4]), (&b"PK\x01\x02"[..], &b"PK\x03\x04"[..]));
        assert_eq!(&bytes[at + 30..at + 30 + name.len()], name);
        let file = &bytes[at + 30 + name.len()..][..u32_at(entry + 24)];
        let mut sum = flate2::Crc::new();
        sum.update(file);
        assert_eq!(sum.sum() as usize, u32_at(entry + 16));
        let header = usize::from(u16::from_le_bytes([file[8], file[9]]));
        assert!(file.starts_with(b"\x93NUMPY\x01\0") && (10 + header) % 64 == 0 && file[9 + header] == b'\n');
        let text = String::from_utf8_lossy(&file[10..10 + header]).trim_end().to_owned();
        shapes.push((String::from_utf8_lossy(name).into_owned(), text, file.len() - 10 - header));
        entry += 46 + name.len();
    }
    let header = |shape: &str| format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}");
    let want =
        [("fc1.weight.npy", "3, 2,", 24), ("fc1.bias.npy", "3,", 12), ("fc2.weight.npy", "2, 3,", 24), ("fc2.bias.npy", "2,", 8)];
    assert_eq!(shapes, want.map(|(name, shape, size)| (name.to_owned(), header(shape), size)));
}

/// An archive that NumPy was seen to read.
#[test]
fn the_archive_is_one_that_numpy_has_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.npz");
    model().save_npz(&path).unwrap();
    let written = std::fs::read(path).unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/model.npz");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &written).unwrap();
    }
    assert_eq!(std::fs::read(golden).unwrap(), written, "UPDATE_GOLDEN=1 writes it anew");
}

#[test]
fn parameters_that_make_no_network_are_refused() {
    let z = Array2::<f64>::zeros;
    for (sizes, params) in [
        (&[2][..], vec![]),
        (&[2, 3], vec![]),
        (&[2, 3], vec![z((3, 2))]),
        (&[2, 3], vec![z((3, 2)), z((1, 2))]),
        (&[2, 3], vec![z((3, 2)), z((3, 1))]),
        (&[2, 3, 2], vec![z((3, 2)), z((1, 3)), z((2, 2)), z((1, 2))]),
        (&[2, 0], vec![z((0, 2)), z((1, 0))]),
        (&[1, 1], vec![z((1, 1)) + f64::NAN, z((1, 1))]),
    ] {
        let graph = Graph::perceptron(sizes);
        let error = Model::new(&graph, &params, "").unwrap_err().to_string();
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

/// Other types of floating-point numbers are read as F32.
#[test]
fn half_and_double_precision_are_read() {
    let file = |dtype: &str, w: &[u8], b: &[u8]| {
        let (n, m) = (w.len(), w.len() + b.len());
        let head = format!(
            r#"{{"fc1.weight":{{"dtype":"{dtype}","shape":[1,1],"data_offsets":[0,{n}]}},"fc1.bias":{{"dtype":"{dtype}","shape":[1],"data_offsets":[{n},{m}]}}}}"#
        );
        [&(head.len() as u64).to_le_bytes()[..], head.as_bytes(), w, b].concat()
    };
    let want = Model::new(&Graph::perceptron(&[1, 1]), &[ndarray::arr2(&[[1.5]]), ndarray::arr2(&[[-2.0]])], "").unwrap();
    for (dtype, w, b) in [
        ("F16", &[0, 0x3e][..], &[0, 0xc0][..]),
        ("BF16", &[0xc0, 0x3f], &[0, 0xc0]),
        ("F64", &1.5f64.to_le_bytes(), &(-2f64).to_le_bytes()),
    ] {
        assert_eq!(Model::parse(&file(dtype, w, b), "f").unwrap(), want, "{dtype}");
    }
    // Too large for single precision.
    let error = Model::parse(&file("F64", &1e300f64.to_le_bytes(), &[0; 8]), "f").unwrap_err().to_string();
    assert!(error.contains("fc1.weight") && error.contains("not finite"), "{error}");
}
