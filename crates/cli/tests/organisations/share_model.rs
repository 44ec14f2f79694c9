//! A model that was trained elsewhere: its owner shares it once, and the parties answer from the shares, through restarts, without the owner.

use super::LONG;
use super::serve::{approve, words};
use crate::deployment::Deployment;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A network of scikit-learn's, with records and what ONNX Runtime says of them.
fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../nn/tests/reference/onnx").join(name)
}

/// Its records as a file; how many.
fn records(d: &Deployment, name: &str) -> usize {
    let want: Value = serde_json::from_str(&fs::read_to_string(reference(&format!("{name}.json"))).unwrap()).unwrap();
    let rows: Vec<Vec<f64>> = serde_json::from_value(want["x"].clone()).unwrap();
    let line = |row: Vec<String>| row.join(",") + "\n";
    let head = line((0..rows[0].len()).map(|i| format!("c{i}")).collect());
    let all: String = rows.iter().map(|row| line(row.iter().map(ToString::to_string).collect())).collect();
    d.write("records.csv", &(head + &all));
    rows.len()
}

/// Three parties that have approved a service of this model, which nobody has shared yet.
fn approved(model: &str, suite: &str) -> Deployment {
    let mut d = Deployment::new(&[], 5);
    (0..3).for_each(|party| d.start(party, None));
    ["ward", "stranger"].iter().for_each(|name| d.member(name));
    fs::copy(reference(&format!("{model}.onnx")), d.path("model.onnx")).unwrap();
    template(&d, suite);
    approve(&d, "service.toml");
    d
}

fn template(d: &Deployment, suite: &str) {
    let commands = super::serve::block(1);
    let (command, rest) = commands.split_once(" > service.toml").unwrap();
    assert!(rest.contains("model share"), "{rest}");
    let text = d.ok(&[&words(command.split_once("$ trefoil ").unwrap().1)[..], &["--suite", suite]].concat());
    d.write("service.toml", &text);
}

/// As the page has it.
fn share(d: &Deployment, more: &[&str]) -> std::process::Output {
    let commands = super::serve::block(1);
    let command = commands.lines().find(|line| line.contains("model share")).unwrap();
    d.run(&[&words(command.split_once("$ trefoil ").unwrap().1)[..], more].concat())
}

fn ask(d: &Deployment) -> Vec<Vec<f64>> {
    let out = d.ok(&["predict", "--service", "service.toml", "records.csv", "--key", "keys/ward.pem", "--timeout", "120"]);
    numbers(&out)
}

/// All columns that are numbers.
fn numbers(csv: &str) -> Vec<Vec<f64>> {
    csv.lines().skip(1).map(|line| line.split(',').filter_map(|cell| cell.parse().ok()).collect()).collect()
}

fn serving(d: &Deployment) {
    let until = Instant::now() + LONG;
    let state = |all: &Value| all.as_array().unwrap().iter().all(|party| party["status"]["state"] == "serving");
    loop {
        let status = d.ok(&["service", "status", "service.toml", "--key", "keys/research.pem", "--json"]);
        if state(&serde_json::from_str(&status).unwrap()) {
            return;
        }
        assert!(Instant::now() < until, "{status}\n{}", d.logs());
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn answers_are_the_shared_models() {
    for (model, suite) in [("digits", "masked"), ("cancer", "securenn"), ("diabetes", "masked"), ("logistic", "masked")] {
        let d = approved(model, suite);
        let rows = records(&d, model);
        let out = share(&d, &[]);
        assert!(out.status.success(), "{}\n{}", String::from_utf8_lossy(&out.stderr), d.logs());
        serving(&d);
        let clear = numbers(&d.ok(&["predict", "model.onnx", "records.csv"]));
        let told = ask(&d);
        assert_eq!(told.len(), rows, "{model}");
        near(&told, &clear, &format!("{model} by {suite}"));
    }
}

/// To the rounding of the protocols, which differs from session to session.
fn near(told: &[Vec<f64>], want: &[Vec<f64>], what: &str) {
    assert_eq!(told.len(), want.len(), "{what}");
    for (a, b) in told.iter().flatten().zip(want.iter().flatten()) {
        assert!((a - b).abs() < 2e-3 * b.abs().max(1.0), "{what}: {a} {b}");
    }
}

/// What the parties have keeps them answering; what somebody else brings, or the owner once more, does not change it.
#[test]
fn a_shared_model_stays_through_restarts_and_is_nobody_elses() {
    let mut d = approved("digits", "masked");
    records(&d, "digits");
    // Nobody has shared it.
    let line = d.refused(&["predict", "--service", "service.toml", "records.csv", "--key", "keys/ward.pem", "--timeout", "1"]);
    assert!(line.contains("the owner of the model has not shared it yet"), "{line}");
    // Somebody who is not the owner.
    let line = d.refused(&["model", "share", "model.onnx", "--service", "service.toml", "--key", "keys/ward.pem"]);
    assert!(line.contains("a model is shared by its owner in the service; this is client ward"), "{line}");
    // Another model than the service says.
    fs::copy(reference("softmax.onnx"), d.path("other.onnx")).unwrap();
    let line = d.refused(&["model", "share", "other.onnx", "--service", "service.toml", "--key", "keys/research.pem"]);
    assert!(line.contains("model: found another network"), "{line}");
    // The owner is stopped half-way: only P0 hears of it. It shares again.
    d.signal(1, "KILL");
    assert!(!share(&d, &["--timeout", "1"]).status.success());
    d.start(1, None);
    let out = share(&d, &[]);
    assert!(out.status.success(), "{}\n{}", String::from_utf8_lossy(&out.stderr), d.logs());
    serving(&d);
    let before = ask(&d);
    let out = share(&d, &[]);
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success() && text.contains("the service answers from a model already"), "{text}");
    for party in [2, 0, 1] {
        d.signal(party, "KILL");
        d.start(party, None);
        serving(&d);
        near(&ask(&d), &before, &format!("after P{party} came back"));
    }
    // The share goes with the service.
    let file = |party: usize| {
        let folder = fs::read_dir(d.path(&format!("data{party}/services"))).unwrap().next().unwrap().unwrap().path();
        folder.join("model.sealed")
    };
    assert!((0..3).all(|party| file(party).exists()));
    d.ok(&["service", "end", "service.toml", "--key", "keys/p1.pem"]);
    assert!(!file(1).exists() && file(0).exists());
    let line = d.refused(&["model", "share", "model.onnx", "--service", "service.toml", "--key", "keys/research.pem"]);
    assert!(line.contains("answers from a model already") || line.contains("ended"), "{line}");
}
