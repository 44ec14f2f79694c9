//! A network from an ONNX file, with what prepares its records and what its classes are called.
//!
//! A graph's nodes are gone through in their order. Each value is a constant, the record after some steps of its preparation, what a
//! layer gives, or what a classification makes of the last one's. What is not understood is refused by name, with its operator.

use super::proto::*;
use super::tensor::{Constant, constant};
use super::{external, limits, operators};
use crate::graph::{Graph, Kind, MOST_VALUES, Node, RECORD, Shape};
use crate::model::{Column, Input, MOST_BYTES, Model, Result, Task, content, one_line};
use ndarray::Array2;
use prost::Message;
use prost::bytes::Bytes;
use std::collections::HashMap;
use std::path::Path;

/// The largest file: 2^24 values take half of it in double precision.
const MOST_FILE: u64 = MOST_BYTES / 4;
/// Operator sets of the default domain that are understood.
const SETS: std::ops::RangeInclusive<i64> = 1..=21;
/// Of [`Value::size`], in all values of a graph: 256 MiB.
const MOST_HELD: usize = 1 << 25;
/// The domain of models that are no networks, whose operators stand around those of skl2onnx.
const ML: &str = "ai.onnx.ml";

/// What a name of the graph stands for. Dimensions are those of one record.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Initializer(usize),
    Constant(Constant),
    Record {
        columns: Vec<Column>,
        dims: Vec<usize>,
    },
    /// A column of texts.
    Texts(String),
    /// What a layer gives.
    Layer {
        at: usize,
        dims: Vec<usize>,
    },
    /// One minus what a sigmoid gives.
    Complement(usize),
    Probabilities(usize),
    Class(usize),
    Label(usize),
}

impl Value {
    /// Numbers that it takes about as much memory as.
    fn size(&self) -> usize {
        match self {
            Value::Constant(c) => c.values.len() + 8 * c.texts.len() + c.dims.len(),
            Value::Record { columns, dims } => 16 * columns.len() + dims.len(),
            Value::Layer { dims, .. } => dims.len(),
            _ => 1,
        }
    }
}

/// A graph, as far as it has been read.
pub(super) struct Reader<'a> {
    file: &'a str,
    graph: &'a GraphProto,
    pub values: HashMap<String, Value>,
    pub uses: HashMap<&'a str, usize>,
    pub nodes: Vec<Node>,
    /// Of each node.
    pub params: Vec<Vec<Array2<f64>>>,
    parameters: usize,
    /// Columns and numbers in all values so far: each node may hand on a copy.
    held: usize,
    /// Constants that became part of a layer.
    pub folds: usize,
    /// Inputs of the graph that are no constants.
    inputs: usize,
    pub record: Option<(Vec<Column>, Vec<usize>)>,
    pub names: Option<Vec<String>>,
    /// The last layer's one output is the logit of the second of two classes.
    pub binary: bool,
    /// The operator set of the default domain.
    pub set: i64,
}

impl Model {
    /// From the bytes of an ONNX file that has all of the model; `file` is its name in errors.
    ///
    /// # Errors
    /// [`ModelError::Content`](crate::ModelError::Content) naming the node that is not understood, or what is wrong with the file.
    pub fn parse_onnx(bytes: &[u8], file: &str) -> Result<Model> {
        Model::parse_onnx_in(None, bytes, file)
    }

    /// The same of a file in this folder, in which some of its values may be in files of their own.
    pub(crate) fn parse_onnx_in(folder: Option<&Path>, bytes: &[u8], file: &str) -> Result<Model> {
        if bytes.len() as u64 > MOST_FILE {
            return Err(content(file, "size", format!("{} bytes", bytes.len()), format!("at most {MOST_FILE}")));
        }
        limits::check(bytes, file)?;
        let mut proto = ModelProto::decode(Bytes::copy_from_slice(bytes))
            .map_err(|e| content(file, "ONNX", one_line(&e.to_string()), "a whole ONNX file"))?;
        if let (Some(folder), Some(graph)) = (folder, &mut proto.graph) {
            external::bring_in(graph, folder, file)?;
        }
        let graph = proto.graph.as_ref().ok_or_else(|| content(file, "ONNX", "no graph", "one"))?;
        let set = proto.opset_import.iter().find(|s| s.domain.is_empty() || s.domain == "ai.onnx").map_or(1, |s| s.version);
        if !SETS.contains(&set) {
            return Err(content(file, "operator set", set, "1 to 21"));
        }
        let mut reader = Reader::new(graph, set, file)?;
        for node in &graph.node {
            reader.node(node)?;
        }
        let about = |key: &str| proto.metadata_props.iter().find(|p| p.key == key).map(|p| p.value.as_str());
        reader.model(if proto.producer_name == "trefoil" { about("columns") } else { None })
    }
}

impl<'a> Reader<'a> {
    fn new(graph: &'a GraphProto, set: i64, file: &'a str) -> Result<Reader<'a>> {
        let mut values = HashMap::new();
        for (i, tensor) in graph.initializer.iter().enumerate() {
            values.insert(tensor.name.clone(), Value::Initializer(i));
        }
        let mut uses: HashMap<&str, usize> = HashMap::new();
        for name in graph.node.iter().flat_map(|n| &n.input).chain(graph.output.iter().map(|o| &o.name)) {
            *uses.entry(name).or_default() += 1;
        }
        // Old files list constants among the inputs.
        let mut inputs = 0;
        for input in &graph.input {
            if !values.contains_key(&input.name) {
                values.insert(input.name.clone(), given(input, file)?);
                inputs += 1;
            }
        }
        let (nodes, params, record, names) = (vec![], vec![], None, None);
        let (parameters, held, folds, binary) = (0, 0, 0, false);
        Ok(Reader { file, graph, values, uses, nodes, params, parameters, held, folds, inputs, record, names, binary, set })
    }

    fn node(&mut self, node: &NodeProto) -> Result<()> {
        if ![Some(""), Some("ai.onnx"), Some(ML)].contains(&Some(node.domain.as_str())) {
            return Err(self.refuse(node, "an operator of ONNX's own domains"));
        }
        if let Some(name) = node.input.iter().find(|n| !n.is_empty() && !self.values.contains_key(*n)) {
            let found = format!("input \"{}\", which no node before it gives", one_line(name));
            return Err(content(self.file, called(node), found, "nodes in an order in which each has its inputs"));
        }
        let value = operators::read(self, node)?;
        self.held = self.held.saturating_add(value.size());
        if self.held > MOST_HELD {
            return Err(self.refuse(node, "fewer columns and constants in all that nodes hand on"));
        }
        let Some(name) = node.output.first().filter(|n| !n.is_empty()) else {
            return Err(self.refuse(node, "an output with a name"));
        };
        if self.values.insert(name.clone(), value).is_some() {
            return Err(self.refuse(node, "an output with a name of its own"));
        }
        Ok(())
    }

    /// A node that is not understood, and what would do.
    pub fn refuse(&self, node: &NodeProto, expected: &str) -> crate::ModelError {
        content(self.file, called(node), format!("operator {} on {}", one_line(&node.op_type), self.shown(node)), expected)
    }

    fn shown(&self, node: &NodeProto) -> String {
        let inputs = node.input.iter().take(4).map(|name| match self.values.get(name) {
            Some(Value::Initializer(_) | Value::Constant(_)) => "a constant".to_owned(),
            Some(Value::Record { dims, .. }) => format!("records {dims:?}"),
            Some(Value::Layer { dims, .. }) => format!("layer's values {dims:?}"),
            Some(Value::Texts(_)) => "texts".to_owned(),
            Some(_) => "a classification's output".to_owned(),
            None => "nothing".to_owned(),
        });
        inputs.collect::<Vec<_>>().join(", ")
    }

    /// An input of a node; `None` where it is left out.
    pub fn value(&self, node: &NodeProto, i: usize) -> Option<&Value> {
        node.input.get(i).and_then(|name| self.values.get(name))
    }

    /// An input that is a constant; `None` where it is left out or is none.
    pub fn constant(&self, node: &NodeProto, i: usize) -> Result<Option<Constant>> {
        match self.value(node, i) {
            Some(Value::Initializer(at)) => self.graph.initializer.get(*at).map(|t| constant(t, self.file)).transpose(),
            Some(Value::Constant(c)) => Ok(Some(c.clone())),
            _ => Ok(None),
        }
    }

    pub fn tensor(&self, tensor: &TensorProto) -> Result<Constant> {
        constant(tensor, self.file)
    }

    /// Adds a layer on these inputs.
    pub fn push(&mut self, node: &NodeProto, op: Kind, inputs: &[Value], params: Vec<Array2<f64>>) -> Result<Value> {
        self.parameters = params.iter().fold(self.parameters, |n, p| n.saturating_add(p.len()));
        if self.nodes.len() + self.folds >= 256 || self.parameters > MOST_VALUES {
            return Err(self.refuse(node, "at most 256 layers with 2^24 weights and biases"));
        }
        let mut from = Vec::new();
        for input in inputs {
            match input {
                Value::Layer { at, .. } => from.push(self.layer(*at)),
                Value::Record { columns, dims } => {
                    if self.record.as_ref().is_some_and(|(c, d)| c != columns || d != dims) {
                        return Err(self.refuse(node, "records that are prepared once, for all layers that take them"));
                    }
                    self.record = Some((columns.clone(), dims.clone()));
                    from.push(RECORD.to_owned());
                }
                _ => return Err(self.refuse(node, "records, or what a layer gives")),
            }
        }
        let name = Some(format!("node{}", self.nodes.len()));
        self.nodes.push(Node { op, name, from });
        self.params.push(params);
        let graph = Graph { input: shape(self.record.as_ref().map_or(&[1], |(_, d)| d)), nodes: self.nodes.clone() };
        let shapes =
            graph.shapes().map_err(|e| content(self.file, called(node), one_line(&e.to_string()), "a layer that fits"))?;
        let dims = shapes.last().map(Shape::sides).unwrap_or_default();
        Ok(Value::Layer { at: self.nodes.len() - 1, dims })
    }

    fn layer(&self, at: usize) -> String {
        self.nodes.get(at).and_then(|n| n.name.clone()).unwrap_or_default()
    }

    fn model(mut self, columns: Option<&str>) -> Result<Model> {
        let last = |value: &Value| match value {
            Value::Layer { at, .. } | Value::Probabilities(at) | Value::Class(at) | Value::Label(at) => Some(*at),
            _ => None,
        };
        let outputs: Vec<usize> = self.graph.output.iter().filter_map(|o| self.values.get(&o.name)).filter_map(last).collect();
        let (Some(end), Some((mut prepared, dims))) = (outputs.iter().max().copied(), self.record.take()) else {
            return Err(content(self.file, "outputs", "none that a layer gives", "a network's"));
        };
        if end + 1 != self.nodes.len() || outputs.iter().any(|at| *at != end) {
            return Err(content(self.file, "outputs", "those of several layers", "those of the last one"));
        }
        // Trefoil's own names, and no `from` where it is what it would be without.
        let names: Vec<String> = self.nodes.iter().filter_map(|n| n.name.clone()).collect();
        let mut plain: Vec<Node> = self.nodes.iter().map(|n| Node::new(n.op.clone())).collect();
        let default = Graph { input: Shape::Flat(1), nodes: plain.clone() }.names();
        for (i, node) in self.nodes.iter().enumerate() {
            let before = i.checked_sub(1).and_then(|i| names.get(i)).map_or(RECORD, String::as_str);
            if let Some(new) = plain.get_mut(i).filter(|_| node.from != [before]) {
                let renamed = |from: &String| names.iter().position(|n| n == from).and_then(|at| default.get(at)).cloned();
                new.from = node.from.iter().map(|from| renamed(from).unwrap_or_else(|| RECORD.to_owned())).collect();
            }
        }
        let graph = Graph { input: shape(&dims), nodes: plain };
        // Labels that do not exclude each other are no classes.
        let own = matches!(graph.nodes.last().map(|n| &n.op), Some(Kind::Sigmoid));
        if own && graph.outputs().is_ok_and(|n| n > 1) {
            let found = "several, each by a function of its own";
            return Err(content(self.file, "outputs", found, "those of a linear layer: classes by softmax, or one value"));
        }
        let params = self.params.into_iter().flatten().map(|p| p.mapv(|v| v as f32)).collect();
        let mut model = Model::of(graph, params, String::new(), self.file)?;
        let names = match (self.names, model.task()) {
            (None, Task::Regression) if self.binary => Some(["0", "1"].map(str::to_owned).to_vec()),
            (names, Task::Regression) => names.filter(|_| self.binary),
            (names, Task::Classification(_)) => names,
        };
        if let Some(names) = names {
            model = model.with_names(&names, self.file)?;
        }
        let (mut named, mut missing, mut dates) = (prepared.len() > 1 && self.inputs > 1, vec![], vec![]);
        // A matrix of our own has columns with names, where what the metadata says is what the graph does.
        if let Some(ours) = columns.and_then(|text| serde_json::from_str::<Input>(text).ok()) {
            let derived = Input { columns: prepared.clone(), named, missing: vec![], dates: vec![], target: None };
            let (a, b) = (derived.scales(), ours.scales());
            let same = a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.is_like(b) && a.clips() == b.clips());
            if ours.raw() == derived.raw() && same {
                (prepared, named, missing, dates) = (ours.columns, ours.named, ours.missing, ours.dates);
            }
        }
        model.prepared_by(Input { columns: prepared, named, missing, dates, target: None }, self.file)
    }
}

fn called(node: &NodeProto) -> String {
    let name = if node.name.is_empty() { node.output.first().map_or("", String::as_str) } else { &node.name };
    format!("node \"{}\"", one_line(name))
}

/// Three dimensions are an image's.
fn shape(dims: &[usize]) -> Shape {
    match *dims {
        [c, h, w] => Shape::Image([c, h, w]),
        _ => Shape::Flat(dims.iter().fold(1, |n, d| n.saturating_mul(*d))),
    }
}

/// An input of the graph: the first dimension counts records.
fn given(input: &ValueInfoProto, file: &str) -> Result<Value> {
    let what = || format!("input \"{}\"", one_line(&input.name));
    let tensor = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let Some(tensor) = tensor else { return Err(content(file, what(), "no tensor", "a tensor of numbers or texts")) };
    let sides = tensor.shape.as_ref().and_then(|s| s.dim.split_first()).map(|(_, rest)| rest);
    let known = |d: &Dimension| d.dim_value.and_then(|d| usize::try_from(d).ok()).filter(|d| *d > 0);
    let Some(dims) = sides.and_then(|s| s.iter().map(known).collect::<Option<Vec<_>>>()).filter(|d| !d.is_empty()) else {
        return Err(content(
            file,
            what(),
            "a shape that is not known",
            "a dimension for the records, and others with their sizes",
        ));
    };
    let count = dims.iter().try_fold(1_usize, |n, d| n.checked_mul(*d)).filter(|n| *n <= MOST_VALUES);
    match (tensor.elem_type, count) {
        (_, None) => Err(content(file, what(), format!("{} dimensions of a record", dims.len()), "at most 2^24 values")),
        (code::STRING, Some(1)) => Ok(Value::Texts(input.name.clone())),
        (code::FLOAT | code::DOUBLE | code::INT64 | code::INT32, Some(count)) => {
            Ok(Value::Record { columns: vec![Column::plain(&input.name, count)], dims })
        }
        (other, Some(n)) => Err(content(file, what(), format!("{n} values of type {other}"), "numbers, or one text")),
    }
}
