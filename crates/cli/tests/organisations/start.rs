//! A job that starts from a model: each operator brings it, and it is the one of the job.

use super::{LONG, ready_without_approval, shared};
use crate::deployment::trained;
use ndarray::Array2;
use trefoil_job::StartModel;
use trefoil_nn::{Graph, Model};

#[test]
fn training_starts_from_the_model_of_the_job() {
    let mut d = ready_without_approval(100);
    let model = |shift: f64| {
        let graph = Graph::perceptron(&[4, 16, 2]);
        let params: Vec<_> = graph
            .params()
            .unwrap()
            .iter()
            .map(|p| Array2::from_shape_fn(p.shape(), |(i, j)| ((7 * i + 3 * j) % 11) as f64 / 16.0 - shift))
            .collect();
        Model::new(&graph, &params, "").unwrap()
    };
    model(0.25).save_onnx(&d.path("start.onnx")).unwrap();
    model(0.5).save(&d.path("other.safetensors")).unwrap();
    let hash = StartModel::load(&d.path("start.onnx")).unwrap().hash();
    // A rate of zero: what comes out is what went in.
    d.job(
        "job.toml",
        "further",
        "masked",
        &format!("[train]\nepochs = 1\nlr = 0\nlr_schedule = \"constant\"\nstart = \"{hash}\"\n"),
    );
    let line = d.refused(&["job", "approve", "job.toml", "--key", "keys/p0.pem", "--start", "other.safetensors"]);
    assert!(line.contains("model to start from: SHA-256 of the file: found") && line.contains(&hash.to_string()), "{line}");
    // A member may bring it to parties whose operator has approved, and to no others.
    d.ok(&["job", "approve", "job.toml", "--key", "keys/p0.pem"]);
    let line = d.refused(&["job", "approve", "job.toml", "--key", "keys/north.pem", "--start", "start.onnx"]);
    assert!(line.contains("by this party's operator"), "{line}");
    for party in ["keys/p1.pem", "keys/p2.pem"] {
        d.ok(&["job", "approve", "job.toml", "--key", party, "--start", "start.onnx"]);
    }
    for owner in ["north", "south"] {
        shared(&d, owner);
    }
    let status = d.status("job.toml");
    assert_eq!(
        status.map(|s| s["missing"].to_string().contains("model to start from")),
        [false; 3],
        "north has brought it to P0"
    );
    // A party that is killed has it still.
    d.signal(1, "KILL");
    d.start(1, None);
    d.until("job.toml", LONG, "trained", trained);
    d.ok(&["model", "fetch", "job.toml", "--key", "keys/research.pem", "--out", "m.safetensors"]);
    let found = Model::load(&d.path("m.safetensors")).unwrap();
    assert!(found.max_difference(&model(0.25)).unwrap() < 1e-6);
}
