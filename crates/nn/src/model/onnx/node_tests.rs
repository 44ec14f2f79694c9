//! The tests of single operators that the Python package onnx carries (`onnx/backend/test/data/node`, up to 1.16.2), run where
//! `TREFOIL_ONNX_NODES` names that folder: `cargo test -p trefoil-nn --lib onnx_node_tests -- --ignored --nocapture` prints a line for
//! each. Those that are understood must come out right, in floating point, on the ring, and by three parties on shares.

use super::super::*;
use super::proto::*;
use super::tensor::constant;
use crate::Prepared;
use prost::Message;
use std::collections::BTreeMap;
use std::time::Duration;
use trefoil_engine::{Engine, Fixed, fixed};
use trefoil_mpc::masked::Masked;
use trefoil_mpc::{Party, Seeds, Suite, simulate};
use trefoil_net::local;

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
    let said = |z: Array2<f64>| -> Vec<f64> {
        match operator {
            "Softmax" => model.answers_of(z).into_iter().collect(),
            "ArgMax" => crate::model::classes(&z).into_iter().map(|i| i as f64).collect(),
            _ => z.into_iter().collect(),
        }
    };
    close(&said(model.logits(&x).map_err(|e| e.to_string())?), &y.values, 1e-4)?;
    let largest = x.iter().fold(0.0, |most, v| f64::max(most, v.abs()));
    let power = (0..60u8).find(|power| f64::from(*power).exp2() > largest).unwrap_or(60);
    let prepared = model.prepare(power, None).map_err(|e| format!("refused: {e}"))?;
    let ring = on_ring(&prepared, &x).map_err(|e| format!("ring: {e}"))?;
    close(&said(ring), &y.values, 5e-3).map_err(|e| format!("ring: {e}"))?;
    close(&said(on_shares(&prepared, &x)), &y.values, 5e-3).map_err(|e| format!("shares: {e}"))?;
    Ok("in the clear, on the ring and on shares".into())
}

fn close(found: &[f64], want: &[f64], within: f64) -> std::result::Result<(), String> {
    let worst = found.iter().zip(want).map(|(a, b)| (a - b).abs() / (1.0 + b.abs())).fold(0.0, f64::max);
    if found.len() == want.len() && worst < within {
        Ok(())
    } else {
        Err(format!("wrong by {worst}, {} values of {}", found.len(), want.len()))
    }
}

fn on_ring(model: &Prepared, x: &Array2<f64>) -> std::result::Result<Array2<f64>, trefoil_engine::Error> {
    let (e, public) = (&mut Fixed::default(), &model.prediction);
    let params = model
        .params
        .iter()
        .zip(public.params())
        .map(|(p, format)| e.public(p, *format))
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let x = e.public(x, public.input())?;
    let z = public.forward(e, &params, &x)?;
    Ok(e.open(&z)?.unwrap_or_default())
}

/// Weights and records are masked, as their owners would have shared them.
fn on_shares(model: &Prepared, x: &Array2<f64>) -> Array2<f64> {
    let public = &model.prediction;
    let [z, ..] = simulate(1, |p| {
        let closed = local::network(Duration::ZERO).into_iter().next().unwrap();
        let mut e = Masked::new(std::mem::replace(p, Party::new(p.id, closed, Seeds::insecure(p.id, 0))));
        let secret = |e: &mut Masked, x: &Array2<f64>, format, seed: usize| {
            let (words, id) = (fixed::encode(x, format).unwrap(), e.party().id);
            let parts = Masked::deal(&words, [seed as u8; 32]);
            e.input([x.nrows(), x.ncols()], format, Masked::accept(id, x.len(), &parts[id.index()]).unwrap())
        };
        let weights = model.params.iter().zip(public.params()).enumerate();
        let params: Vec<_> = weights.map(|(i, (w, format))| secret(&mut e, w, *format, i + 1)).collect();
        let x = secret(&mut e, x, public.input(), 0);
        let z = public.forward(&mut e, &params, &x).unwrap();
        Ok(e.open(&z).unwrap())
    });
    z.unwrap().0.unwrap_or_default()
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
