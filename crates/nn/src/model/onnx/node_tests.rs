//! The tests of single operators that the Python package onnx carries (`onnx/backend/test/data/node`, up to 1.16.2), run where
//! `TREFOIL_ONNX_NODES` names that folder: `cargo test -p trefoil-nn --lib onnx_node_tests -- --ignored --nocapture` prints a line for
//! each. Those that are understood must come out right, in floating point and on the ring.

use super::super::*;
use super::proto::*;
use super::tensor::constant;
use crate::layers::{Formats, Mode};
use prost::Message;
use std::collections::BTreeMap;
use trefoil_engine::{Engine, Fixed, Format};

/// The operators of docs/onnx.md that have tests there.
const OPERATORS: [&str; 25] = [
    "Add",
    "ArgMax",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Clip",
    "Concat",
    "Constant",
    "Conv",
    "Div",
    "Dropout",
    "Flatten",
    "Gather",
    "Gemm",
    "GlobalAveragePool",
    "Identity",
    "LeakyRelu",
    "MatMul",
    "MaxPool",
    "Mul",
    "Relu",
    "Reshape",
    "Sigmoid",
    "Softmax",
    "Tanh",
];
const ACTIVATION: Format = Format::new(16, 12);
const WEIGHT: Format = Format::new(20, 6);

fn tensor(path: &Path) -> Option<TensorProto> {
    TensorProto::decode(std::fs::read(path).ok()?.as_slice()).ok()
}

/// Whether it comes out right; `None` for a test of another operator.
fn run(folder: &Path) -> Option<std::result::Result<(String, String), (String, String)>> {
    let mut proto = ModelProto::decode(std::fs::read(folder.join("model.onnx")).ok()?.as_slice()).ok()?;
    let graph = proto.graph.as_mut()?;
    let [node] = &mut graph.node[..] else { return None };
    let operator = node.op_type.clone();
    if !OPERATORS.contains(&operator.as_str()) {
        return None;
    }
    // All inputs but the first are weights.
    let data = folder.join("test_data_set_0");
    for (i, input) in graph.input.iter().enumerate().skip(1) {
        let value = tensor(&data.join(format!("input_{i}.pb")))?;
        graph.initializer.push(TensorProto { name: input.name.clone(), ..value });
    }
    // What is no layer stands behind one that changes nothing.
    let before = ["Softmax", "ArgMax", "Reshape", "Flatten", "Identity", "Cast", "Dropout", "Clip", "Add", "Mul", "Div"];
    if before.contains(&operator.as_str()) {
        let alpha = AttributeProto { name: "alpha".into(), f: 1.0, r#type: code::A_FLOAT, ..Default::default() };
        let (first, after) = (node.input.first()?.clone(), "after".to_owned());
        let clipped = operator == "Clip";
        let layer = |from: String, to: String| NodeProto {
            input: vec![from],
            output: vec![to],
            op_type: "LeakyRelu".into(),
            attribute: vec![alpha.clone()],
            ..Default::default()
        };
        if clipped {
            let end = node.output.first()?.clone();
            node.output = vec![after.clone()];
            graph.node.push(layer(after, end));
        } else {
            *node.input.first_mut()? = after.clone();
            graph.node.insert(0, layer(first, after));
        }
    }
    Some(match outcome(&proto, &data, &operator) {
        Ok(how) => Ok((operator, how)),
        Err(why) => Err((operator, why)),
    })
}

fn outcome(proto: &ModelProto, data: &Path, operator: &str) -> std::result::Result<String, String> {
    let model = Model::parse_onnx(&proto.encode_to_vec(), "test").map_err(|e| format!("refused: {e}"))?;
    let read = |name: &str| {
        let tensor = tensor(&data.join(name)).ok_or("refused: no data")?;
        constant(&tensor, name).map_err(|e| format!("refused: {e}"))
    };
    let (x, y) = (read("input_0.pb")?, read("output_0.pb")?);
    let rows = x.dims.first().copied().unwrap_or(1);
    let x = Array2::from_shape_vec((rows, x.values.len() / rows), x.values).map_err(|e| e.to_string())?;
    let x = model.prepared.as_ref().unwrap().prepare(&x).map_err(|e| e.to_string())?;
    let found: Vec<f64> = match operator {
        "Softmax" => model.answers(&x).map_err(|e| e.to_string())?.into_iter().collect(),
        "ArgMax" => model.predict(&x).map_err(|e| e.to_string())?.into_iter().map(|i| i as f64).collect(),
        _ => model.logits(&x).map_err(|e| e.to_string())?.into_iter().collect(),
    };
    close(&found, &y.values, 1e-4)?;
    if ["Softmax", "ArgMax"].contains(&operator) {
        return Ok("in the clear".into());
    }
    let ring = on_ring(&model, &x).map_err(|e| format!("ring: {e}"))?;
    close(&ring, &y.values, 5e-3).map_err(|e| format!("ring: {e}"))?;
    Ok("in the clear and on the ring".into())
}

fn close(found: &[f64], want: &[f64], within: f64) -> std::result::Result<(), String> {
    let worst = found.iter().zip(want).map(|(a, b)| (a - b).abs() / (1.0 + b.abs())).fold(0.0, f64::max);
    if found.len() == want.len() && worst < within {
        Ok(())
    } else {
        Err(format!("wrong by {worst}, {} values of {}", found.len(), want.len()))
    }
}

fn on_ring(model: &Model, x: &Array2<f64>) -> std::result::Result<Vec<f64>, trefoil_engine::Error> {
    let e = &mut Fixed::default();
    let params = model.params.iter().map(|p| e.public(&p.mapv(f64::from), WEIGHT)).collect::<std::result::Result<Vec<_>, _>>()?;
    let x = e.public(x, ACTIVATION)?;
    let formats = vec![Formats { out: ACTIVATION, widen: 0 }; model.graph().nodes.len()];
    let (z, _) = model.network.forward(e, &params, &formats, &x, Mode::Evaluate)?;
    Ok(e.open(&z)?.map(|z| z.into_iter().collect()).unwrap_or_default())
}

#[test]
#[ignore = "needs the tests that the Python package onnx 1.16.2 carries"]
fn onnx_node_tests() {
    let Some(folder) = std::env::var_os("TREFOIL_ONNX_NODES") else { panic!("TREFOIL_ONNX_NODES names no folder") };
    let mut folders: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    folders.sort();
    let (mut counts, mut wrong): (BTreeMap<String, [usize; 2]>, _) = (BTreeMap::new(), Vec::new());
    for folder in folders {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        match run(&folder) {
            None => {}
            Some(Ok((operator, how))) => {
                counts.entry(operator).or_default()[0] += 1;
                println!("{name}: right, {how}");
            }
            Some(Err((operator, why))) => {
                counts.entry(operator).or_default()[1] += 1;
                println!("{name}: {why}");
                if !why.starts_with("refused: ") {
                    wrong.push(name);
                }
            }
        }
    }
    println!("| operator | right | refused |\n|---|---|---|");
    counts.iter().for_each(|(operator, [right, refused])| println!("| {operator} | {right} | {refused} |"));
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(counts.values().map(|c| c[0]).sum::<usize>() >= 30, "{counts:?}");
}
