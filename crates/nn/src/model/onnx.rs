//! The model as ONNX (IR version 8, operator set 13), for ONNX Runtime and everything else that reads it.
//!
//! Input `x` [N, inputs], or [N, channels, height, width] where the network starts with an image, prepared as the metadata's `input` says; output `y` [N, outputs]. The graph has a node for each of the network's; a
//! classification ends with Softmax, so that `y` are probabilities, a regression with the last Gemm: `y` is the value.
//! The metadata is that of the safetensors file.
//!
//! The messages are those of onnx.proto, with the fields that are used here; protocol buffers skip all others.

use super::{Model, Result, Task, write};
use crate::graph::{Kind, Shape};
use crate::layers::Pair;
use prost::Message;
use std::path::Path;

const IR_VERSION: i64 = 8;
const OPERATOR_SET: i64 = 13;
/// TensorProto.DataType.FLOAT
const FLOAT: i32 = 1;
/// AttributeProto.AttributeType.INT and INTS
const FLOAT_ATTRIBUTE: i32 = 1;
const INT: i32 = 2;
const INTS: i32 = 7;

#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(string, tag = "2")]
    producer_name: String,
    #[prost(string, tag = "3")]
    producer_version: String,
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    opset_import: Vec<OperatorSetIdProto>,
    #[prost(message, repeated, tag = "14")]
    metadata_props: Vec<StringStringEntryProto>,
}

#[derive(Clone, PartialEq, Message)]
struct OperatorSetIdProto {
    /// The default set has the empty name.
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(int64, tag = "2")]
    version: i64,
}

#[derive(Clone, PartialEq, Message)]
struct StringStringEntryProto {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    node: Vec<NodeProto>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<ValueInfoProto>,
}

#[derive(Clone, PartialEq, Message)]
struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<AttributeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct AttributeProto {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(float, tag = "2")]
    f: f32,
    #[prost(int64, tag = "3")]
    i: i64,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    ints: Vec<i64>,
    #[prost(int32, tag = "20")]
    r#type: i32,
}

#[derive(Clone, PartialEq, Message)]
struct TensorProto {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(string, tag = "8")]
    name: String,
    /// Little-endian.
    #[prost(bytes = "vec", tag = "9")]
    raw_data: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct ValueInfoProto {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    r#type: Option<TypeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TypeProto {
    #[prost(message, optional, tag = "1")]
    tensor_type: Option<TensorTypeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorTypeProto {
    #[prost(int32, tag = "1")]
    elem_type: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<TensorShapeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorShapeProto {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<Dimension>,
}

/// One of the two.
#[derive(Clone, PartialEq, Message)]
struct Dimension {
    #[prost(int64, optional, tag = "1")]
    dim_value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    dim_param: Option<String>,
}

impl Model {
    /// The bytes of the file.
    pub fn to_onnx(&self) -> Vec<u8> {
        self.proto().encode_to_vec()
    }

    /// Writes the file: all of it or, where that fails, nothing.
    ///
    /// # Errors
    /// [`ModelError::Io`](super::ModelError::Io) naming the file.
    pub fn save_onnx(&self, path: &Path) -> Result<()> {
        write(path, &self.to_onnx())
    }

    fn proto(&self) -> ModelProto {
        let initializer = self.tensors().map(|(name, shape, raw_data)| {
            let dims = shape.iter().map(|n| *n as i64).collect();
            TensorProto { dims, data_type: FLOAT, name: name.to_owned(), raw_data }
        });
        let graph = GraphProto {
            node: self.nodes(),
            name: self.network(),
            initializer: initializer.collect(),
            input: vec![rows_of("x", &self.graph().input.sides())],
            output: vec![rows_of("y", &[self.network.outputs()])],
        };
        ModelProto {
            ir_version: IR_VERSION,
            producer_name: "trefoil".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(graph),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPERATOR_SET }],
            metadata_props: self
                .about()
                .into_iter()
                .map(|(key, value)| StringStringEntryProto { key: key.to_owned(), value })
                .collect(),
        }
    }

    /// Each node is called as its output is; the last one gives `y`.
    fn nodes(&self) -> Vec<NodeProto> {
        let (names, sources) = (self.network.names(), self.network.sources());
        let mut nodes: Vec<NodeProto> = Vec::new();
        for (((node, name), source), shape) in self.graph().nodes.iter().zip(names).zip(sources).zip(self.network.inputs()) {
            let (operator, parameters, attribute) = match &node.op {
                // Weights are [outputs, inputs].
                Kind::Linear(_) => ("Gemm", 2, vec![int("transB", 1)]),
                Kind::Relu => ("Relu", 0, vec![]),
                Kind::Conv2d(l) => ("Conv", 2, window(l.kernel, l.stride, l.padding)),
                Kind::MaxPool2d(l) => ("MaxPool", 0, window(l.kernel, l.stride.unwrap_or(l.kernel), l.padding)),
                Kind::AvgPool2d(l) => {
                    let zeros_count = int("count_include_pad", 1);
                    ("AveragePool", 0, [window(l.kernel, l.stride.unwrap_or(l.kernel), l.padding), vec![zeros_count]].concat())
                }
                Kind::Flatten => ("Flatten", 0, vec![]),
                // Of any number of inputs.
                Kind::Add => ("Sum", 0, vec![]),
                Kind::LeakyRelu(l) => ("LeakyRelu", 0, vec![float("alpha", l.slope.0)]),
                Kind::Sigmoid => ("Sigmoid", 0, vec![]),
                Kind::Tanh => ("Tanh", 0, vec![]),
                Kind::GlobalAvgPool2d => ("GlobalAveragePool", 0, vec![]),
                Kind::BatchNorm(l) => ("BatchNormalization", 4, vec![float("epsilon", l.eps.0)]),
                // Without its second and third input it changes nothing.
                Kind::Dropout(_) => ("Dropout", 0, vec![]),
            };
            let mut given: Vec<String> =
                source.iter().map(|source| source.map_or_else(|| "x".to_owned(), |i| names[i].clone())).collect();
            // Gemm takes matrices.
            if let (Kind::Linear(_), Shape::Image(_)) = (&node.op, shape) {
                let rows = format!("{name}_rows");
                nodes.push(node_of("Flatten", &rows, given, vec![]));
                given = vec![rows];
            }
            let parameters =
                ["weight", "bias", "running_mean", "running_var"].iter().take(parameters).map(|p| format!("{name}.{p}"));
            nodes.push(node_of(operator, name, given.into_iter().chain(parameters).collect(), attribute));
        }
        if let (Task::Classification(_), Some(logits)) = (&self.task, names.last()) {
            // Over the last axis, which is the default.
            nodes.push(node_of("Softmax", "softmax", vec![logits.clone()], vec![]));
        }
        if let Some(node) = nodes.last_mut() {
            node.output = vec!["y".to_owned()];
        }
        nodes
    }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), f: 0.0, i, ints: vec![], r#type: INT }
}

fn float(name: &str, f: f64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), f: f as f32, i: 0, ints: vec![], r#type: FLOAT_ATTRIBUTE }
}

/// The attributes of a window: padding before and after, by height and width.
fn window(kernel: Pair, stride: Pair, padding: Pair) -> Vec<AttributeProto> {
    let ints = |name: &str, sides: &[usize]| {
        let ints = sides.iter().map(|n| *n as i64).collect();
        AttributeProto { name: name.to_owned(), f: 0.0, i: 0, ints, r#type: INTS }
    };
    vec![ints("kernel_shape", &kernel.0), ints("pads", &[padding.0, padding.0].concat()), ints("strides", &stride.0)]
}

fn node_of(operator: &str, name: &str, input: Vec<String>, attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto { input, output: vec![name.to_owned()], name: name.to_owned(), op_type: operator.to_owned(), attribute }
}

/// Any number of records of F32 of this shape.
fn rows_of(name: &str, sides: &[usize]) -> ValueInfoProto {
    let rows = Dimension { dim_value: None, dim_param: Some("N".to_owned()) };
    let side = |n: &usize| Dimension { dim_value: Some(*n as i64), dim_param: None };
    let shape = TensorShapeProto { dim: [rows].into_iter().chain(sides.iter().map(side)).collect() };
    let tensor = TensorTypeProto { elem_type: FLOAT, shape: Some(shape) };
    ValueInfoProto { name: name.to_owned(), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

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
            "conv1 = Conv(x conv1.weight conv1.bias)",
            "pool1 = MaxPool(conv1)",
            "relu1 = Relu(pool1)",
            "pool2 = AveragePool(relu1)",
            "fc1_rows = Flatten(pool2)",
            "fc1 = Gemm(fc1_rows fc1.weight fc1.bias)",
            "flatten1 = Flatten(fc1)",
            "fc2 = Gemm(flatten1 fc2.weight fc2.bias)",
            "y = Softmax(fc2)",
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
            "fc1 = Gemm(x fc1.weight fc1.bias)",
            "relu1 = Relu(fc1)",
            "fc2 = Gemm(relu1 fc2.weight fc2.bias)",
            "y = Softmax(fc2)",
        ];
        assert_eq!(lines(&model(&[3, 4, 2])), classes);
        assert_eq!(lines(&model(&[3, 1])), ["y = Gemm(x fc1.weight fc1.bias)"]);
        assert_eq!(lines(&model(&[3, 2, 1])).last().unwrap(), "y = Gemm(relu1 fc2.weight fc2.bias)");
    }

    #[test]
    fn parameters_and_metadata_are_those_of_the_model() {
        let m = model(&[3, 4, 2]).with_classes(&["benign".into(), "malignant".into()]).unwrap();
        let proto = ModelProto::decode(&m.to_onnx()[..]).unwrap();
        let graph = proto.graph.unwrap();
        let names: Vec<_> = graph.initializer.iter().map(|t| (t.name.as_str(), t.dims.clone())).collect();
        assert_eq!(names, [("fc1.weight", vec![4, 3]), ("fc1.bias", vec![4]), ("fc2.weight", vec![2, 4]), ("fc2.bias", vec![2])]);
        assert_eq!(graph.initializer[0].raw_data[4..8], (-0.5f32).to_le_bytes());
        let about: Vec<_> = proto.metadata_props.iter().map(|p| (p.key.as_str(), p.value.as_str())).collect();
        assert!(
            about.contains(&("class_names", r#"["benign","malignant"]"#)) && about.contains(&("input", "p/256")),
            "{about:?}"
        );
    }

    /// Files that ONNX Runtime was seen to read, with the outputs of [`Model::logits`]; only the version may change.
    #[test]
    fn files_are_those_that_onnx_runtime_has_read() {
        let named = model(&[3, 4, 2]).with_classes(&["benign".into(), "malignant".into()]).unwrap();
        for (name, m) in [("classes.onnx", named), ("value.onnx", model(&[3, 4, 1])), ("image.onnx", image())] {
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
}
