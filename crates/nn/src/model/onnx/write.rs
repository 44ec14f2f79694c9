//! A model as an ONNX file (IR version 8, operator set 13, and 1 of ai.onnx.ml).
//!
//! Records go in as they stand in a file, where the model knows how: scaling, clipping and one-hot encoding are nodes of the graph.
//!
//! | | |
//! |---|---|
//! | all columns are numbers | one input `x`, float [N, columns], or [N, channels, height, width] where the network starts with an image |
//! | some are texts, or go through a logarithm | an input a column, by its name: float or string [N, 1]; a text that the column may not have is refused |
//! | texts in an order | a number: the place of the text, from 0 |
//! | classification | outputs `label` [N], int64 where all classes' names are whole numbers and else string, and `probabilities` [N, classes] |
//! | regression | output `y` [N, 1], in the target's own unit |
//!
//! A model that does not say how records are prepared takes them prepared. The metadata is that of the safetensors file.

use super::proto::*;
use crate::graph::{Kind, Shape};
use crate::layers::Pair;
use crate::model::{Column, Model, Result, Scale, Task, write};
use prost::Message;
use prost::bytes::Bytes;
use std::path::Path;

const IR_VERSION: i64 = 8;
const OPERATOR_SET: i64 = 13;
/// The set of OneHotEncoder.
const ML: &str = "ai.onnx.ml";

impl Model {
    /// The bytes of the file.
    pub fn to_onnx(&self) -> Vec<u8> {
        self.proto().encode_to_vec()
    }

    /// Writes the file: all of it or, where that fails, nothing.
    ///
    /// # Errors
    /// [`ModelError::Io`](crate::ModelError::Io) naming the file.
    pub fn save_onnx(&self, path: &Path) -> Result<()> {
        write(path, &self.to_onnx())
    }

    pub(super) fn proto(&self) -> ModelProto {
        let mut graph = Builder { model: self, proto: GraphProto { name: self.network(), ..GraphProto::default() } };
        let record = graph.record();
        let outputs = graph.network(&record);
        graph.answer(outputs);
        let set = |domain: &str, version| OperatorSetIdProto { domain: domain.to_owned(), version };
        let about = self.about().into_iter();
        ModelProto {
            ir_version: IR_VERSION,
            producer_name: "trefoil".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            doc_string: String::new(),
            opset_import: match graph.proto.node.iter().any(|n| n.domain == ML) {
                true => vec![set("", OPERATOR_SET), set(ML, 1)],
                false => vec![set("", OPERATOR_SET)],
            },
            graph: Some(graph.proto),
            metadata_props: about.map(|(key, value)| StringStringEntryProto { key: key.to_owned(), value }).collect(),
        }
    }
}

struct Builder<'a> {
    model: &'a Model,
    proto: GraphProto,
}

impl Builder<'_> {
    /// A name of our own: columns come first.
    fn name(&self, name: &str) -> String {
        let mut name = name.to_owned();
        while self.proto.input.iter().any(|i| i.name == name) {
            name.push('_');
        }
        name
    }

    /// Adds a node; gives its output's name, which is also its own.
    fn node(&mut self, operator: &str, name: &str, input: &[&str], attribute: Vec<AttributeProto>) -> String {
        let name = self.name(name);
        self.proto.node.push(NodeProto {
            input: input.iter().map(|i| (*i).to_owned()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: operator.to_owned(),
            attribute,
            domain: if operator == "OneHotEncoder" { ML.to_owned() } else { String::new() },
        });
        name
    }

    /// Adds a constant; gives its name.
    fn floats(&mut self, name: &str, dims: &[usize], values: &[f64]) -> String {
        let raw_data = values.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect::<Vec<_>>();
        self.constant(TensorProto { data_type: code::FLOAT, raw_data: raw_data.into(), ..TensorProto::default() }, name, dims)
    }

    fn constant(&mut self, tensor: TensorProto, name: &str, dims: &[usize]) -> String {
        let name = self.name(name);
        let dims = dims.iter().map(|n| *n as i64).collect();
        self.proto.initializer.push(TensorProto { name: name.clone(), dims, ..tensor });
        name
    }

    /// The inputs, and what prepares them; gives the network's input.
    fn record(&mut self) -> String {
        let sides = self.model.graph().input.sides();
        let Some(input) = &self.model.prepared else {
            self.proto.input.push(rows_of("x", code::FLOAT, &sides, "prepared records: see the metadata's `input`"));
            return "x".to_owned();
        };
        if input.is_numeric() {
            let names: Vec<&str> = input.columns.iter().map(Column::name).collect();
            let what = if input.named { format!("columns, as they are: {}", names.join(", ")) } else { "as they are".to_owned() };
            self.proto.input.push(rows_of("x", code::FLOAT, &sides, &what));
            let columns: Vec<&Column> = input.columns.iter().collect();
            return self.scaled("x", &columns, &sides, "x");
        }
        for column in &input.columns {
            let (kind, what) = match column {
                Column::Numbers { .. } => (code::FLOAT, "as it is".to_owned()),
                Column::Category { values, .. } => (code::STRING, format!("one of: {}", values.join(", "))),
                Column::Ordinal { values, .. } => (code::FLOAT, format!("the place, from 0, among: {}", values.join(", "))),
            };
            self.proto.input.push(rows_of(column.name(), kind, &[column.raw()], &what));
        }
        let columns: Vec<&Column> = input.columns.iter().collect();
        let mut parts = Vec::new();
        for (i, run) in columns.chunk_by(|a, b| a.is_numeric() && b.is_numeric() && a.is_log() == b.is_log()).enumerate() {
            let place = format!("columns{}", i + 1);
            parts.push(match run {
                [Column::Category { name, values, other }] => {
                    let texts = values.iter().map(|t| Bytes::copy_from_slice(t.as_bytes())).collect();
                    let cats = AttributeProto { strings: texts, ..attribute("cats_strings", code::A_STRINGS) };
                    let hot =
                        self.node("OneHotEncoder", &format!("{place}_hot"), &[name], vec![cats, int("zeros", i64::from(*other))]);
                    // [N, 1, texts] as rows.
                    self.node("Flatten", &place, &[&hot], vec![])
                }
                run => {
                    let names: Vec<&str> = run.iter().map(|c| c.name()).collect();
                    let given = match names[..] {
                        [one] => one.to_owned(),
                        _ => self.node("Concat", &place, &names, vec![int("axis", 1)]),
                    };
                    let given = if run.iter().any(|c| c.is_log()) {
                        self.node("Log", &format!("{place}_log"), &[&given], vec![])
                    } else {
                        given
                    };
                    let width = run.iter().map(|c| c.width()).sum();
                    self.scaled(&given, run, &[width], &place)
                }
            });
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let mut record = self.node("Concat", "features", &parts, vec![int("axis", 1)]);
        if let Shape::Image([c, h, w]) = self.model.graph().input {
            let raw_data = [-1, c as i64, h as i64, w as i64].iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>();
            let tensor = TensorProto { data_type: code::INT64, raw_data: raw_data.into(), ..TensorProto::default() };
            let shape = self.constant(tensor, "image_shape", &[4]);
            record = self.node("Reshape", "image", &[&record, &shape], vec![]);
        }
        record
    }

    /// Columns of numbers, each by its own factor; what all have in common is one number.
    fn scaled(&mut self, given: &str, columns: &[&Column], sides: &[usize], place: &str) -> String {
        let row = |scale| match scale {
            Scale::Number { subtract, divide, clip, .. } => {
                let [least, most] = clip.unwrap_or([f64::NEG_INFINITY, f64::INFINITY]);
                Some([subtract, divide, least, most])
            }
            Scale::Text(_) => None,
        };
        let rows: Vec<[f64; 4]> = columns.iter().flat_map(|column| column.scales()).filter_map(row).collect();
        let mut last = given.to_owned();
        for (i, (operator, name, neutral)) in
            [("Sub", "mean", 0.0), ("Div", "scale", 1.0), ("Max", "least", f64::NEG_INFINITY), ("Min", "most", f64::INFINITY)]
                .into_iter()
                .enumerate()
        {
            let values: Vec<f64> = rows.iter().map(|row| row[i]).collect();
            if values.iter().all(|v| *v == neutral) {
                continue;
            }
            let same = values.iter().all(|v| Some(v) == values.first());
            let (dims, values) = if same { (&[][..], &values[..1]) } else { (sides, &values[..]) };
            let factor = self.floats(&format!("{place}_{name}"), dims, values);
            last = self.node(operator, &format!("{place}_{}", operator.to_lowercase()), &[&last, &factor], vec![]);
        }
        last
    }

    /// The layers; gives the last one's output.
    fn network(&mut self, record: &str) -> String {
        let network = &self.model.network;
        for (name, dims, raw_data) in self.model.tensors() {
            let tensor = TensorProto { data_type: code::FLOAT, raw_data: raw_data.into(), ..TensorProto::default() };
            self.constant(tensor, name, dims);
        }
        let names: Vec<String> = network.names().iter().map(|n| self.name(n)).collect();
        for (((node, name), source), shape) in
            self.model.graph().nodes.iter().zip(network.names()).zip(network.sources()).zip(network.inputs())
        {
            let (operator, parameters, attribute) = operator(&node.op);
            let mut given: Vec<String> =
                source.iter().map(|source| source.map_or_else(|| record.to_owned(), |i| names[i].clone())).collect();
            // Gemm takes matrices.
            if let (Kind::Linear(_), Shape::Image(_)) = (&node.op, shape) {
                let image: Vec<&str> = given.iter().map(String::as_str).collect();
                given = vec![self.node("Flatten", &format!("{name}_rows"), &image, vec![])];
            }
            given.extend(
                ["weight", "bias", "running_mean", "running_var"]
                    .iter()
                    .take(parameters)
                    .map(|p| self.name(&format!("{name}.{p}"))),
            );
            let given: Vec<&str> = given.iter().map(String::as_str).collect();
            self.node(operator, name, &given, attribute);
        }
        names.last().cloned().unwrap_or_default()
    }

    /// The probabilities of two classes from the logit of the second.
    fn both(&mut self, z: &str) -> String {
        let one = self.floats("one", &[], &[1.0]);
        let second = self.node("Sigmoid", "second", &[z], vec![]);
        let first = self.node("Sub", "first", &[&one, &second], vec![]);
        self.node("Concat", "probabilities", &[&first, &second], vec![int("axis", 1)])
    }

    /// The outputs, from the network's.
    fn answer(&mut self, z: String) {
        let outputs = self.model.network.outputs();
        match &self.model.task {
            Task::Classification(names) => {
                let whole: Option<Vec<i64>> =
                    names.iter().map(|n| n.parse::<i64>().ok().filter(|v| v.to_string() == *n)).collect();
                let (kind, tensor) = match whole {
                    Some(values) => (
                        code::INT64,
                        TensorProto {
                            raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>().into(),
                            ..TensorProto::default()
                        },
                    ),
                    None => (
                        code::STRING,
                        TensorProto {
                            string_data: names.iter().map(|n| Bytes::copy_from_slice(n.as_bytes())).collect(),
                            ..TensorProto::default()
                        },
                    ),
                };
                let classes = self.constant(TensorProto { data_type: kind, ..tensor }, "classes", &[names.len()]);
                let (mut largest, mut of_two) = (vec![int("axis", 1), int("keepdims", 0)], None);
                if outputs == 1 {
                    // The second class at 0, as everywhere.
                    largest.push(int("select_last_index", 1));
                    of_two = Some(self.both(&z));
                }
                let at = self.node("ArgMax", "class", &[of_two.as_ref().unwrap_or(&z)], largest);
                let label = self.node("Gather", "label", &[&classes, &at], vec![]);
                // Over the last axis, which is the default.
                let probabilities = of_two.unwrap_or_else(|| self.node("Softmax", "probabilities", &[&z], vec![]));
                self.proto.output.push(rows_of(&label, kind, &[], "the likeliest class"));
                self.proto.output.push(rows_of(
                    &probabilities,
                    code::FLOAT,
                    &[names.len()],
                    &format!("of: {}", names.join(", ")),
                ));
            }
            Task::Regression => {
                let target = self.model.prepared.as_ref().and_then(|input| input.target);
                let mut last = z;
                if let Some(target) = target {
                    let factor = self.floats("target_deviation", &[], &[target.deviation]);
                    let shift = self.floats("target_mean", &[], &[target.mean]);
                    last = self.node("Mul", "target_mul", &[&last, &factor], vec![]);
                    self.node("Add", "y", &[&last, &shift], vec![]);
                    last = self.name("y");
                }
                // The last node gives `y`.
                let y = self.name("y");
                if let Some(node) = self.proto.node.last_mut().filter(|_| last != y) {
                    node.output = vec![y.clone()];
                }
                self.proto.output.push(rows_of(&y, code::FLOAT, &[1], "the value"));
            }
        }
    }
}

/// A layer's operator, how many parameters it has, and its attributes.
fn operator(kind: &Kind) -> (&'static str, usize, Vec<AttributeProto>) {
    match kind {
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
    }
}

fn attribute(name: &str, kind: i32) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: kind, ..AttributeProto::default() }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { i, ..attribute(name, code::A_INT) }
}

fn float(name: &str, f: f64) -> AttributeProto {
    AttributeProto { f: f as f32, ..attribute(name, code::A_FLOAT) }
}

/// The attributes of a window: padding before and after, by height and width.
fn window(kernel: Pair, stride: Pair, padding: Pair) -> Vec<AttributeProto> {
    let ints = |name: &str, sides: &[usize]| AttributeProto {
        ints: sides.iter().map(|n| *n as i64).collect(),
        ..attribute(name, code::A_INTS)
    };
    vec![ints("kernel_shape", &kernel.0), ints("pads", &[padding.0, padding.0].concat()), ints("strides", &stride.0)]
}

/// Any number of records of this type and shape.
fn rows_of(name: &str, elem_type: i32, sides: &[usize], what: &str) -> ValueInfoProto {
    let rows = Dimension { dim_value: None, dim_param: Some("N".to_owned()) };
    let side = |n: &usize| Dimension { dim_value: Some(*n as i64), dim_param: None };
    let shape = TensorShapeProto { dim: [rows].into_iter().chain(sides.iter().map(side)).collect() };
    let tensor_type = Some(TensorTypeProto { elem_type, shape: Some(shape) });
    ValueInfoProto { name: name.to_owned(), r#type: Some(TypeProto { tensor_type }), doc_string: what.to_owned() }
}
