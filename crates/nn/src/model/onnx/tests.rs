use super::super::*;
use super::proto::*;
use ndarray::Array2;
use prost::Message;

fn model(sizes: &[usize]) -> Model {
    let params: Vec<_> = sizes
        .windows(2)
        .flat_map(|s| [Array2::from_shape_fn((s[1], s[0]), |(i, j)| i as f64 - 0.5 * j as f64), Array2::ones((1, s[1]))])
        .collect();
    Model::new(&crate::Graph::perceptron(sizes), &params, "p/256").unwrap()
}

/// Every layer there is, and a linear one on an image.
fn image() -> Model {
    let network = r#"{"input": [2, 6, 5], "nodes": [
        {"op": {"conv2d": {"filters": 3, "kernel": [3, 2], "stride": [1, 2], "padding": 1}}}, {"op": {"maxpool2d": {"kernel": 2}}},
        {"op": "relu"}, {"op": {"avgpool2d": {"kernel": 2, "stride": 1, "padding": 1}}}, {"op": {"linear": {"outputs": 4}}},
        {"op": "flatten"}, {"op": {"linear": {"outputs": 2}}}]}"#;
    let network: crate::Graph = serde_json::from_str(network).unwrap();
    let value = |i: usize, j: usize| ((i * 7 + j * 5) % 11) as f64 / 16.0 - 0.25;
    let params = network.params().unwrap();
    let params: Vec<_> = params.iter().map(|p| Array2::from_shape_fn(p.shape(), |(i, j)| value(i, j))).collect();
    Model::new(&network, &params, "p/256").unwrap()
}

#[test]
fn an_images_graph_has_its_windows() {
    let nodes = [
        "x_div = Div(x x_scale)",
        "conv1 = Conv(x_div conv1.weight conv1.bias)",
        "pool1 = MaxPool(conv1)",
        "relu1 = Relu(pool1)",
        "pool2 = AveragePool(relu1)",
        "fc1_rows = Flatten(pool2)",
        "fc1 = Gemm(fc1_rows fc1.weight fc1.bias)",
        "flatten1 = Flatten(fc1)",
        "fc2 = Gemm(flatten1 fc2.weight fc2.bias)",
        "class = ArgMax(fc2)",
        "label = Gather(classes class)",
        "probabilities = Softmax(fc2)",
    ];
    assert_eq!(lines(&image()), nodes);
    let x = Array2::from_shape_fn((2, 60), |(i, j)| ((i * 3 + j * 7) % 13) as f64 / 8.0 - 0.5);
    // What ONNX Runtime gives before the softmax.
    let want = ndarray::array![[0.112_663_269, 0.036_750_793], [0.094_635_010, 0.037_475_586]];
    let found = image().logits(&x).unwrap();
    assert!((&found - &want).iter().all(|d| d.abs() < 1e-4), "{found}");
}

/// Operators with inputs and output, as one line each.
fn lines(m: &Model) -> Vec<String> {
    let proto = ModelProto::decode(&m.to_onnx()[..]).unwrap();
    assert_eq!(proto, m.proto());
    let nodes = proto.graph.unwrap().node;
    nodes.iter().map(|n| format!("{} = {}({})", n.output.join(" "), n.op_type, n.input.join(" "))).collect()
}

#[test]
fn the_graph_is_a_chain_from_x_to_y() {
    let classes = [
        "x_div = Div(x x_scale)",
        "fc1 = Gemm(x_div fc1.weight fc1.bias)",
        "relu1 = Relu(fc1)",
        "fc2 = Gemm(relu1 fc2.weight fc2.bias)",
        "class = ArgMax(fc2)",
        "label = Gather(classes class)",
        "probabilities = Softmax(fc2)",
    ];
    assert_eq!(lines(&model(&[3, 4, 2])), classes);
    assert_eq!(lines(&model(&[3, 1])), ["x_div = Div(x x_scale)", "y = Gemm(x_div fc1.weight fc1.bias)"]);
    assert_eq!(lines(&model(&[3, 2, 1])).last().unwrap(), "y = Gemm(relu1 fc2.weight fc2.bias)");
}

/// One output for two classes: both probabilities, and a file that is read as what it was.
#[test]
fn one_output_of_two_classes_has_both_probabilities() {
    let m = model(&[3, 4, 1]).with_classes(&["benign".into(), "malignant".into()]).unwrap();
    let want = [
        "second = Sigmoid(fc2)",
        "first = Sub(one second)",
        "probabilities = Concat(first second)",
        "class = ArgMax(probabilities)",
        "label = Gather(classes class)",
    ];
    assert_eq!(lines(&m)[4..], want);
    let graph = m.proto().graph.unwrap();
    let sides =
        |i: usize| graph.output[i].r#type.as_ref().unwrap().tensor_type.as_ref().unwrap().shape.as_ref().unwrap().dim.len();
    assert_eq!(
        (graph.output[0].name.as_str(), sides(0), graph.output[1].name.as_str(), sides(1)),
        ("label", 1, "probabilities", 2)
    );
    let read = Model::parse_onnx(&m.to_onnx(), "f").unwrap();
    assert_eq!((read.task(), read.graph(), &read.params), (m.task(), m.graph(), &m.params));
    // Without names in the file they are numbers.
    let mut proto = m.proto();
    let graph = proto.graph.as_mut().unwrap();
    graph.node.truncate(graph.node.len() - 2);
    graph.output.remove(0);
    let read = Model::parse_onnx(&proto.encode_to_vec(), "f").unwrap();
    assert_eq!(read.task(), &Task::Classification(vec!["0".into(), "1".into()]));
    // Behind a layer with two outputs it is refused.
    let mut wide = model(&[3, 4, 2]).with_classes(&["a".into(), "b".into()]).unwrap().proto();
    wide.graph.as_mut().unwrap().node.splice(4.., m.proto().graph.unwrap().node.drain(4..));
    let one = m.proto().graph.unwrap().initializer.into_iter().find(|t| t.name == "one").unwrap();
    wide.graph.as_mut().unwrap().initializer.push(one);
    let error = Model::parse_onnx(&wide.encode_to_vec(), "f").unwrap_err().to_string();
    assert!(error.contains("node \"first\": found operator Sub"), "{error}");
}

#[test]
fn parameters_and_metadata_are_those_of_the_model() {
    let m = model(&[3, 4, 2]).with_classes(&["benign".into(), "malignant".into()]).unwrap();
    let proto = ModelProto::decode(&m.to_onnx()[..]).unwrap();
    let graph = proto.graph.unwrap();
    let names: Vec<_> = graph.initializer.iter().map(|t| (t.name.as_str(), t.dims.clone())).collect();
    let parameters = [("fc1.weight", vec![4, 3]), ("fc1.bias", vec![4]), ("fc2.weight", vec![2, 4]), ("fc2.bias", vec![2])];
    assert_eq!(names[1..5], parameters);
    assert_eq!(names[5], ("classes", vec![2]));
    assert_eq!(graph.initializer[1].raw_data[4..8], (-0.5f32).to_le_bytes());
    let about: Vec<_> = proto.metadata_props.iter().map(|p| (p.key.as_str(), p.value.as_str())).collect();
    assert!(about.contains(&("class_names", r#"["benign","malignant"]"#)) && about.contains(&("input", "p/256")), "{about:?}");
}

/// Numbers and texts: an input a column, and the value in its own unit.
#[test]
fn texts_are_inputs_of_their_own() {
    let lines = lines(&mixed());
    let want = [
        "columns1 = Concat(age fc1)",
        "columns1_sub = Sub(columns1 columns1_mean)",
        "columns1_div = Div(columns1_sub columns1_scale)",
        "columns1_max = Max(columns1_div columns1_least)",
        "columns1_min = Min(columns1_max columns1_most)",
        "columns2_hot = OneHotEncoder(town)",
        "columns2 = Flatten(columns2_hot)",
        "features = Concat(columns1_min columns2)",
        // A column has the name that is a layer's otherwise.
        "fc1_ = Gemm(features fc1.weight fc1.bias)",
        "target_mul = Mul(fc1_ target_deviation)",
        "y = Add(target_mul target_mean)",
    ];
    assert_eq!(lines, want);
}

fn mixed() -> Model {
    let number =
        |name: &str, subtract, clip| Column::Numbers { name: name.into(), count: 1, subtract, divide: 4.0, clip, log: false };
    let town = Column::Category { name: "town".into(), values: vec!["here".into(), "there".into()], other: false };
    let columns = vec![number("age", 40.0, Some([-2.0, 2.0])), number("fc1", 0.5, Some([0.0, 1.0])), town];
    let input =
        Input { columns, named: true, missing: vec![], dates: vec![], target: Some(Target { mean: 100.0, deviation: 50.0 }) };
    model(&[4, 1]).with_input(input).unwrap()
}

/// Files that ONNX Runtime was seen to read, with the outputs of [`Model::logits`]; only the version may change.
#[test]
fn files_are_those_that_onnx_runtime_has_read() {
    let named = model(&[3, 4, 2]).with_classes(&["benign".into(), "malignant".into()]).unwrap();
    let two = model(&[3, 4, 1]).with_classes(&["benign".into(), "malignant".into()]).unwrap();
    for (name, m) in [
        ("classes.onnx", named),
        ("two.onnx", two),
        ("value.onnx", model(&[3, 4, 1])),
        ("image.onnx", image()),
        ("mixed.onnx", mixed()),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            m.save_onnx(&path).unwrap();
        }
        let bytes = std::fs::read(&path).unwrap();
        let mut golden = ModelProto::decode(&bytes[..]).unwrap();
        assert_eq!(golden.encode_to_vec(), bytes);
        golden.producer_version = env!("CARGO_PKG_VERSION").to_owned();
        let version = golden.metadata_props.iter_mut().find(|p| p.key == "trefoil").unwrap();
        version.value = env!("CARGO_PKG_VERSION").to_owned();
        assert_eq!(golden, m.proto(), "{name}; UPDATE_GOLDEN=1 writes it anew");
    }
}

/// As PyTorch's exporter writes large models: all values in one file beside the model's.
#[test]
fn values_in_another_file() {
    let dir = tempfile::tempdir().unwrap();
    let model = model(&[3, 4, 2]);
    let mut proto = ModelProto::decode(&model.to_onnx()[..]).unwrap();
    let mut data = vec![];
    for tensor in &mut proto.graph.as_mut().unwrap().initializer {
        let bytes = std::mem::take(&mut tensor.raw_data);
        let entry = |key: &str, value: String| StringStringEntryProto { key: key.into(), value };
        tensor.external_data = vec![
            entry("location", "model.onnx.data".into()),
            entry("offset", data.len().to_string()),
            entry("length", bytes.len().to_string()),
        ];
        tensor.data_location = code::EXTERNAL;
        data.extend(bytes);
    }
    let path = dir.path().join("model.onnx");
    std::fs::write(&path, proto.encode_to_vec()).unwrap();
    std::fs::write(dir.path().join("model.onnx.data"), &data).unwrap();
    let found = Model::load(&path).unwrap();
    assert!(found.max_difference(&model).unwrap() == 0.0);
    std::fs::write(dir.path().join("model.onnx.data"), &data[..data.len() - 1]).unwrap();
    assert!(Model::load(&path).unwrap_err().to_string().contains("bytes from"));
    let e = Model::parse_onnx(&std::fs::read(&path).unwrap(), "m").unwrap_err().to_string();
    assert!(e.contains("all of the model in one file"), "{e}");
}
