use super::*;

fn linear(outputs: usize) -> Node {
    Node::new(Kind::Linear(Linear { outputs }))
}

#[test]
fn a_perceptrons_names_shapes_and_parameters() {
    let graph = Graph::perceptron(&[784, 256, 10]);
    graph.check().unwrap();
    assert_eq!(graph.names(), ["fc1", "relu1", "fc2"]);
    assert_eq!(graph.shapes().unwrap(), [Shape::Flat(256), Shape::Flat(256), Shape::Flat(10)]);
    let params = graph.params().unwrap();
    let found: Vec<_> = params.iter().map(|p| (p.name.as_str(), p.dims.clone(), p.shape())).collect();
    let want = [
        ("fc1.weight", vec![256, 784], [256, 784]),
        ("fc1.bias", vec![256], [1, 256]),
        ("fc2.weight", vec![10, 256], [10, 256]),
        ("fc2.bias", vec![10], [1, 10]),
    ];
    assert_eq!(found, want);
    assert_eq!((graph.to_string().as_str(), graph.is_perceptron()), ("784-256-10", true));
}

#[test]
fn what_is_written_down_comes_back() {
    let named = Node { op: Kind::Relu, name: Some("positive".into()), from: vec!["fc1".into()] };
    let graph = Graph { input: Shape::Image([1, 4, 4]), nodes: vec![linear(3), named, linear(2)] };
    let text = serde_json::to_string(&graph).unwrap();
    assert_eq!(
        text,
        r#"{"input":[1,4,4],"nodes":[{"op":{"linear":{"outputs":3}}},{"op":"relu","name":"positive","from":"fc1"},{"op":{"linear":{"outputs":2}}}]}"#
    );
    assert_eq!(serde_json::from_str::<Graph>(&text).unwrap(), graph);
    assert_eq!((graph.to_string().as_str(), graph.is_perceptron()), ("1x4x4-fc1-positive-fc2", false));
    for wrong in [r#"{"op":{"linear":{"outputs":3,"output":3}}}"#, r#"{"op":"relu","nam":"x"}"#, r#"{"op":"rely"}"#, "{}"] {
        assert!(serde_json::from_str::<Node>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_no_network_is_refused_in_one_line() {
    let graph = |input, nodes: Vec<Node>| Graph { input: Shape::Flat(input), nodes };
    let with = |node: Node, name: &str, from: Option<&str>| Node {
        name: Some(name.into()),
        from: from.into_iter().map(Into::into).collect(),
        ..node
    };
    let add = |from: &[&str]| Node { from: from.iter().map(|n| (*n).into()).collect(), ..Node::new(Kind::Add) };
    let bad = [
        (graph(4, vec![]), "0 nodes"),
        (graph(0, vec![linear(3)]), "records of 0"),
        (graph(4, vec![linear(0)]), "fc1 with an output of 0"),
        (graph(4, vec![linear(usize::MAX)]), "output of"),
        (graph(1 << 13, vec![linear(1 << 13)]), "8192-8192"),
        (graph(4, vec![with(linear(3), "a b", None)]), "a b"),
        (graph(4, vec![with(linear(3), "fc2", None), linear(3)]), "two nodes called fc2"),
        (graph(4, vec![linear(3), with(linear(3), "x", Some("fc3"))]), "\"fc3\" of x"),
        (graph(4, vec![linear(3), with(linear(3), "x", Some("x"))]), "\"x\" of x"),
        (
            graph(4, vec![linear(3), with(linear(3), "x", Some("fc1")), with(linear(3), "y", Some("fc1"))]),
            "x, whose output is not used",
        ),
        (graph(4, vec![linear(3), linear(3), add(&["fc1"])]), "add1 of 1 inputs"),
        (graph(4, vec![linear(3), linear(2), add(&["fc1", "fc2"])]), "add1 on 3 and 2"),
        (graph(4, vec![add(&["input", "add1"])]), "\"add1\" of add1"),
        (graph(4, vec![linear(3), with(linear(3), "input", None)]), "called \"input\""),
        (
            graph(
                4,
                vec![
                    linear(3),
                    linear(3),
                    with(linear(2), "x", None),
                    Node { from: vec!["fc1".into(), "fc2".into()], ..linear(3) },
                ],
            ),
            "fc4 of 2 inputs",
        ),
        (Graph { input: Shape::Image([usize::MAX, 2, 2]), nodes: vec![linear(3)] }, "records of"),
    ];
    for (graph, part) in bad {
        let error = graph.check().unwrap_err().to_string();
        assert!(
            error.contains(part) && error.contains("found") && error.contains("expected") && !error.contains('\n'),
            "{error}"
        );
    }
}

/// The network on the page about layers.
#[test]
fn the_documentations_network_is_one() {
    let page = include_str!("../../../../docs/layers.md");
    let text = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let table: toml::Table = toml::from_str(text).unwrap();
    let form: Form = table["train"]["network"].clone().try_into().unwrap();
    let graph = form.graph().unwrap();
    assert_eq!(graph.nodes.len(), 11);
    assert_eq!(graph.outputs().unwrap(), 10);
    assert_eq!(graph.sources().unwrap()[5], [Some(4), Some(2)]);
    let names: Vec<_> =
        graph.params().unwrap().into_iter().filter(|p| p.name.starts_with("bn2")).map(|p| (p.name, p.trained)).collect();
    let want = [("bn2.weight", true), ("bn2.bias", true), ("bn2.running_mean", false), ("bn2.running_var", false)];
    assert_eq!(names, want.map(|(name, trained)| (name.to_owned(), trained)));
    assert_eq!(serde_json::from_str::<Graph>(&serde_json::to_string(&graph).unwrap()).unwrap(), graph);
}

/// A user's mistakes are told as what they are.
#[test]
fn mistakes_in_a_network_are_named() {
    let of = |input: &str, op: &str| format!(r#"{{"input": {input}, "nodes": [{{"op": {op}}}]}}"#);
    for (text, expected) in [
        (of("5", r#"{"linear": {"output": 4}}"#), "unknown field `output`, expected `outputs`"),
        (of("5", r#""Relu""#), "unknown variant `Relu`, expected one of `linear`, `relu`"),
        (of("[5]", r#""relu""#), "expected a number of columns, or [channels, height, width]"),
        (of("[1, 5, 5]", r#"{"maxpool2d": {"kernel": [1, 2, 3]}}"#), "expected a number, or [height, width]"),
        (r#"{"input": 5, "nodes": [{"op": "relu", "from": 3}]}"#.to_owned(), "expected a node's name, or a list of names"),
        ("5".to_owned(), "expected a network's name, or a table with its input and nodes"),
    ] {
        let e = serde_json::from_str::<Form>(&text).unwrap_err().to_string();
        assert!(e.contains(expected), "{text}: {e}");
    }
    for text in [r#""lenet""#.to_owned(), of("5", r#"{"linear":{"outputs":4}}"#)] {
        let form: Form = serde_json::from_str(&text).unwrap();
        let again: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_value(&form).unwrap(), again);
    }
}
