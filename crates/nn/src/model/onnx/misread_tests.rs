//! Files that could be read as something else than they say, or that grow while they are read: each is refused.

use super::super::Model;
use super::proto::*;
use prost::Message;

fn shaped(name: &str, dims: &[i64]) -> ValueInfoProto {
    let dim = |d: &i64| Dimension { dim_value: (*d > 0).then_some(*d), ..Dimension::default() };
    let shape = TensorShapeProto { dim: dims.iter().map(dim).collect() };
    let tensor = TensorTypeProto { elem_type: code::FLOAT, shape: Some(shape) };
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type: Some(tensor) }), ..ValueInfoProto::default() }
}

fn constant(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    let (dims, float_data) = (dims.to_vec(), values.to_vec());
    TensorProto { name: name.into(), dims, data_type: code::FLOAT, float_data, ..TensorProto::default() }
}

/// "y = Gemm(x w b)" with settings.
fn node(line: &str, attribute: Vec<AttributeProto>) -> NodeProto {
    let (output, rest) = line.split_once(" = ").unwrap();
    let (op, inputs) = rest.trim_end_matches(')').split_once('(').unwrap();
    let names = |text: &str| text.split_whitespace().map(str::to_owned).collect();
    NodeProto { op_type: op.into(), input: names(inputs), output: names(output), attribute, ..NodeProto::default() }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), i, ..AttributeProto::default() }
}

fn floats(name: &str, floats: &[f32]) -> AttributeProto {
    AttributeProto { name: name.into(), floats: floats.to_vec(), ..AttributeProto::default() }
}

/// What reading says of a graph on records of so many values, whose output is y; w is a matrix of two of them.
fn read(width: i64, nodes: Vec<NodeProto>, constants: &[TensorProto]) -> Result<Model, String> {
    let w: Vec<f32> = (0..2 * width).map(|i| i as f32 / 8.0).collect();
    let graph = GraphProto {
        node: nodes,
        initializer: [&[constant("w", &[width, 2], &w)], constants].concat(),
        input: vec![shaped("x", &[0, width])],
        output: vec![shaped("y", &[0, 2])],
        ..GraphProto::default()
    };
    let opset_import = vec![OperatorSetIdProto { version: 13, ..OperatorSetIdProto::default() }];
    let proto = ModelProto { graph: Some(graph), opset_import, ..ModelProto::default() };
    Model::parse_onnx(&proto.encode_to_vec(), "m").map_err(|e| e.to_string())
}

fn lines(lines: &[&str]) -> Vec<NodeProto> {
    lines.iter().map(|line| node(line, vec![])).collect()
}

#[test]
fn whatever_would_be_read_as_something_else_is_refused() {
    let two = constant("two", &[2], &[1.0, 2.0]);
    let column = constant("column", &[2, 1], &[1.0, 2.0]);
    read(2, lines(&["a = Add(x two)", "y = MatMul(a w)"]), std::slice::from_ref(&two)).unwrap();
    let cast = |to| vec![node("a = Cast(x)", vec![int("to", to)]), node("y = MatMul(a w)", vec![])];
    read(2, cast(11), &[]).unwrap();
    let logistic = AttributeProto { name: "post_transform".into(), s: "LOGISTIC".into(), ..AttributeProto::default() };
    let classes = AttributeProto { name: "classlabels_ints".into(), ints: vec![0, 1, 2, 3], ..AttributeProto::default() };
    let four = floats("coefficients", &[1.0, 0.0, 2.0, 0.0, -1.0, -0.0, -2.0, -0.0]);
    let targets = vec![int("targets", 2), floats("coefficients", &[1.0; 4])];
    for (what, nodes, constants, expected) in [
        ("whole parts", cast(6), vec![], "a type of real numbers"),
        ("truth values", cast(9), vec![], "a type of real numbers"),
        ("a constant over records", lines(&["a = Add(x column)", "y = MatMul(a w)"]), vec![column], "a record's dimensions"),
        ("a limit that is no constant", lines(&["a = Clip(x x)", "y = MatMul(a w)"]), vec![], "limits that are constants"),
        (
            "four classes by one logistic",
            vec![node("y p = LinearClassifier(x)", vec![four, classes, logistic])],
            vec![],
            "two classes",
        ),
        ("two targets", vec![node("y = LinearRegressor(x)", targets)], vec![], "one target"),
        ("labels that do not exclude each other", lines(&["z = MatMul(x w)", "y = Sigmoid(z)"]), vec![], "classes by softmax"),
        (
            "sums of other dimensions",
            {
                let shape = |to: &str, dims: &str| node(&format!("{to} = Reshape(z {dims})"), vec![]);
                vec![node("z = MatMul(x w)", vec![]), shape("a", "tall"), shape("b", "wide"), node("y = Add(a b)", vec![])]
            },
            vec![constant("tall", &[3], &[0.0, 2.0, 1.0]), constant("wide", &[3], &[0.0, 1.0, 2.0])],
            "the same dimensions",
        ),
    ] {
        let e = read(2, nodes, &constants).expect_err(what);
        assert!(e.starts_with("m: ") && e.contains(expected) && !e.contains('\n'), "{what}: {e}");
    }
}

/// Files of a few kilobytes that ask for much more.
#[test]
fn what_grows_while_it_is_read_is_refused() {
    let mut doubled = vec![node("c0 = Concat(x x)", vec![int("axis", 1)])];
    doubled.extend((1..40).map(|i| node(&format!("c{i} = Concat(c{} c{})", i - 1, i - 1), vec![int("axis", 1)])));
    let e = read(2, doubled, &[]).unwrap_err();
    assert!(e.contains("at most 65536 columns"), "{e}");
    // As many columns in each of many values.
    let width = 20_000;
    let mut copied = lines(&["a0 = Sub(x many)"]);
    copied.extend((1..1000).map(|i| node(&format!("a{i} = Identity(a{})", i - 1), vec![])));
    let e = read(width, copied, &[constant("many", &[width], &vec![0.5; width as usize])]).unwrap_err();
    assert!(e.contains("fewer columns and constants"), "{e}");
    // Work on all weights for each of many nodes.
    let mut folded = lines(&["z0 = MatMul(x w)"]);
    folded.extend((1..1000).map(|i| node(&format!("z{i} = Mul(z{} half)", i - 1), vec![])));
    let e = read(2, folded, &[constant("half", &[1], &[0.5])]).unwrap_err();
    assert!(e.contains("a constant right behind"), "{e}");
    let sides = constant("sides", &[12], &[&[0.0, 2.0][..], &[1.0; 10]].concat());
    let e = read(2, lines(&["a = Reshape(x sides)", "y = MatMul(a w)"]), &[sides]).unwrap_err();
    assert!(e.contains("a constant shape"), "{e}");
}
