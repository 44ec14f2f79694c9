use super::*;
use trefoil_engine::Fixed;

fn noise(shape: [usize; 2], seed: usize, size: f64) -> Array2<f64> {
    Array2::from_shape_fn(shape, |(i, j)| (((i * 7919 + j * 104_729 + seed * 1_299_709) % 1009) as f64 / 504.5 - 1.0) * size)
}

/// A model whose weights are below `size`, and whose running variances are those of wide values.
fn model(graph: &str, size: f64) -> Model {
    let graph: Graph = graph.parse().or_else(|_| serde_json::from_str(graph)).unwrap();
    let params = graph.params().unwrap();
    let values = |(i, p): (usize, &crate::graph::Param)| match p.name.ends_with("var") {
        true => noise(p.shape(), i, 400.0).mapv(|v| v.abs() + 0.1),
        false => noise(p.shape(), i, size),
    };
    let params: Vec<_> = params.iter().enumerate().map(values).collect();
    Model::new(&graph, &params, "").unwrap()
}

const NORMS: &str = r#"{"input": [2, 6, 5], "nodes": [{"op": {"batchnorm": {}}}, {"op": {"conv2d": {"filters": 3, "kernel": 3, "padding": 1}}},
    {"op": {"batchnorm": {}}}, {"op": "relu"}, {"op": {"maxpool2d": {"kernel": 2}}}, {"op": "flatten"}, {"op": "tanh"}, {"op": {"batchnorm": {}}},
    {"op": {"linear": {"outputs": 4}}}]}"#;

/// On the ring, which refuses what leaves its range, the outputs are those in the clear.
#[test]
fn outputs_are_those_in_the_clear() {
    for (graph, size, input, within) in [
        ("30-16-4", 1.0, 1, 1e-3),
        // Weights and records that no training would have.
        ("30-16-4", 100.0, 3, 1e-4),
        ("20-20-20-3", 40.0, 0, 1e-4),
        (NORMS, 0.5, 0, 1e-3),
    ] {
        let model = model(graph, size);
        let Prepared { prediction, params, bound, .. } = model.prepare(input, None).unwrap();
        let x = noise([7, model.graph().input.len()], 99, f64::from(input).exp2() * 0.999);
        let e = &mut Fixed::default();
        let shared: Vec<_> = params.iter().zip(prediction.params()).map(|(p, format)| e.public(p, *format).unwrap()).collect();
        let x_there = e.public(&x, prediction.input()).unwrap();
        let z = prediction.forward(e, &shared, &x_there).unwrap();
        assert_eq!((bound, e.format(&z)), (Bound::Proven, prediction.output()), "{graph}");
        let (found, want) = (e.open(&z).unwrap().unwrap(), model.logits(&x).unwrap());
        let most = want.iter().fold(1.0, |m, v| f64::max(m, v.abs()));
        let far = (found - want).iter().fold(0.0, |m, v| f64::max(m, v.abs())) / most;
        assert!(far < within, "{graph}: {far:e} of {most}, {} fraction bits", prediction.fraction_bits());
    }
}

/// Nothing is told of a model whose numbers are those of a training; else powers of two are.
#[test]
fn ranges_tell_powers_of_two() {
    let ranges = |model: &Model| {
        let params: Vec<_> = model.params().map(|(_, p)| p.mapv(f64::from)).collect();
        Ranges::of(model.graph(), &params, 0, Some(8)).unwrap()
    };
    let told = Ranges { input: 0, input_frac: Some(8), weights: 4, nodes: vec![8; 3] };
    assert_eq!(ranges(&model("30-16-4", 0.3)), told);
    let told = Ranges { weights: 7, nodes: vec![11, 11, 21], ..told };
    assert_eq!(ranges(&model("30-16-4", 100.0)), told);
    assert_eq!(serde_json::from_str::<Ranges>(&serde_json::to_string(&told).unwrap()).unwrap(), told);
}

/// What can be proven of a deep network is wider than the ring; what is promised is said to be.
#[test]
fn deep_networks_have_promised_ranges() {
    let deep = model("64-64-64-64-64-64-64-64-4", 1.0);
    assert!(matches!(deep.prepare(0, None).unwrap().bound, Bound::Promised(_)));
    let error = model("30-16-4", 1e9).prepare(60, None).err().unwrap().to_string();
    assert!(error.starts_with("scales: found 30-16-4 with weights below 2^") && !error.contains('\n'), "{error}");
    assert!(
        Prediction::new("30-16-4".parse().unwrap(), &Ranges { input: 0, input_frac: None, weights: 4, nodes: vec![8] }).is_err()
    );
}
