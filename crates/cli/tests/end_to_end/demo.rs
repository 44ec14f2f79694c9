//! `trefoil demo` from end to end.

use crate::common::{json, path, refused, run, small_csv, text};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use trefoil_client::peers::Peers;
use trefoil_client::share::{Source, chunk_seed};
use trefoil_data::{Dataset, guessed};
use trefoil_engine::{Format, fixed};
use trefoil_job::{Job, SuiteName, evaluate, fetching};
use trefoil_lab::demo::job::{Rows, owner_seed};
use trefoil_mpc::masked::{Masked, verified::Verified};
use trefoil_mpc::{Kept, Party, Seeds, Suite, securenn::SecureNn, simulate};
use trefoil_net::local;
use trefoil_nn::{Data, Training};
use trefoil_ring::Tensor;

/// The keys that every `summary.json` has.
const KEYS: [&str; 20] = [
    "suite",
    "network",
    "links",
    "dataset",
    "train",
    "steps",
    "seconds_per_step_median",
    "seconds_total",
    "seconds_float",
    "bytes_per_step",
    "bytes_sent",
    "rounds_per_step",
    "secure_test_accuracy",
    "model_test_accuracy",
    "float_test_accuracy",
    "max_weight_difference",
    "fraction_bits",
    "machine",
    "version",
    "expected_wraps",
];

fn number(summary: &Value, key: &str) -> f64 {
    summary[key].as_f64().unwrap_or_else(|| panic!("{key} is {}", summary[key]))
}

fn read(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap()
}

#[test]
fn digits_and_the_run_folder() {
    ["securenn", "masked"].into_iter().for_each(digits);
}

fn digits(suite: &str) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("run");
    let args = ["demo", "--suite", suite, "--hidden", "32", "--epochs", "2", "--batch", "64", "--lr", "0.1"];
    let summary = json(&[&args[..], &["--json", "--run-dir", path(&folder)]].concat());

    assert_eq!(summary, serde_json::from_str::<Value>(&read(&folder, "summary.json")).unwrap());
    for key in KEYS {
        assert!(!summary[key].is_null(), "{key}");
    }
    assert_eq!(
        (&summary["network"], &summary["dataset"], &summary["suite"]),
        (&"784-32-10".into(), &"digits".into(), &suite.into())
    );
    let (secure, model, float) = (
        number(&summary, "secure_test_accuracy"),
        number(&summary, "model_test_accuracy"),
        number(&summary, "float_test_accuracy"),
    );
    assert!(float > 0.85, "float {float}");
    // Both go by the same weights, but the file's are evaluated in floating point: one record of 360 may stand that close.
    assert!((secure - model).abs() <= 0.003, "secure {secure}, model {model}");
    assert!((secure - float).abs() <= 0.03, "secure {secure}, float {float}");
    assert!(number(&summary, "max_weight_difference") < 0.5);
    assert!(number(&summary, "seconds_total") > number(&summary, "seconds_per_step_median"));
    assert_eq!(number(&summary, "expected_wraps"), 0.0);

    let steps = number(&summary, "steps");
    assert_eq!(steps, 44.0);
    let metrics: Vec<Value> = read(&folder, "metrics.jsonl").lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(metrics.len(), 44 + 2 + 2);
    assert_eq!(metrics.iter().filter(|m| m["event"] == "epoch").count(), 2);
    assert_eq!((&metrics[47]["event"], number(&metrics[47], "metric")), (&"float_epoch".into(), float));
    assert!((number(&metrics[45], "metric") - secure).abs() < 1e-9);

    let cost = read(&folder, "cost.csv");
    let mut lines = cost.lines();
    assert_eq!(lines.next(), Some("layer,label,rounds,payload_bytes,messages,seconds"));
    let bytes: u64 = lines.map(|l| l.split(',').nth(3).unwrap().parse::<u64>().unwrap()).sum();
    let sent: u64 = ["P0", "P1", "P2"].iter().map(|p| summary["bytes_sent"][p].as_u64().unwrap()).sum();
    assert_eq!(bytes, sent);
    assert!(cost.contains("\nfc1,") && cost.contains("\nrelu1,") && cost.contains("\nsoftmax,"), "{cost}");

    let svg = read(&folder, "loss.svg");
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    assert!(read(&folder, "config.toml").contains("[job]"));
    let job = Job::load(&folder.join("job.toml"), &Peers::default()).unwrap();
    assert_eq!((job.name.as_str(), job.owner.len(), job.train.hidden), ("digits", 3, vec![32]));
    // The parties' data folders went with the parties; their logs stay.
    let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let kept = "P0.log P1.log P2.log config.toml cost.csv held_out.json job.toml loss.svg metrics.jsonl model.safetensors parties.json \
        report.html summary.json";
    assert_eq!(names.join(" "), kept);
    report(&folder, &summary);

    let evaluated = json(&["evaluate", path(&folder.join("model.safetensors")), "--dataset", "digits", "--json"]);
    assert_eq!(number(&evaluated, "accuracy"), model);
    assert_eq!(evaluated["rows"], 360);
}

/// The page has the run's own figures, holds all that it shows, and is made again from the files by the command.
fn report(folder: &Path, summary: &Value) {
    let page = read(folder, "report.html");
    assert!(page.len() < 600_000, "{} bytes", page.len());
    for section in ["learning", "held-out", "cost", "weights", "security", "settings"] {
        assert!(page.contains(&format!("<section id=\"{section}\"")), "{section}");
    }
    assert!(!page.contains("Left out") && !page.contains("<script") && !page.contains("src=\"http"));
    assert!(page.contains(&format!("{:.2}%", 100.0 * number(summary, "secure_test_accuracy"))));
    // A loss and an accuracy after each of two epochs, and two counts of blocks; counted at the transport.
    for (figure, values) in [("loss", 2), ("evaluate", 2), ("range", 4)] {
        let head = format!("<th scope=\"row\">{figure}</th>");
        let row = page.split(&head).skip(1).filter_map(|rest| rest.split("</tr>").next()).find(|row| row.contains("P0 and P1"));
        assert!(row.is_some_and(|row| row.ends_with(&format!("<td>2</td><td>{values}</td>"))), "{figure}: {row:?}");
    }
    let held_out: Value = serde_json::from_str(&read(folder, "held_out.json")).unwrap();
    let counts = held_out["counts"].as_array().unwrap();
    let right: u64 = counts.iter().enumerate().map(|(i, row)| row[i].as_u64().unwrap()).sum();
    assert!((right as f64 / 360.0 - number(summary, "model_test_accuracy")).abs() < 1e-9);
    assert_eq!(held_out["wrong"].as_array().unwrap().len(), (360 - right as usize).min(48));

    let again = folder.join("again.html");
    let out = run(&["report", path(folder), "--out", path(&again)]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert_eq!(text(&out.stdout).trim(), path(&again));
    assert!(std::fs::read_to_string(&again).unwrap() == page);
    std::fs::write(folder.join("summary.json"), "{").unwrap();
    refused(&run(&["report", path(folder)]), 2, &["summary.json", "a demo's summary"]);
}

/// Check 6: with the masks fixed, nothing is left to chance, whatever the timing; not even whether three processes over TLS train or
/// three threads over channels.
#[test]
fn the_same_masks_give_the_same_model() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("small.csv");
    small_csv(&file, 60);
    let data = guessed::load(&trefoil_data::Source::of(&file), "class").unwrap();
    let model = |name: &str, suite: &str| {
        let folder = dir.path().join(name);
        let args = [
            "demo",
            "--csv",
            path(&file),
            "--label",
            "class",
            "--hidden",
            "16",
            "--epochs",
            "2",
            "--batch",
            "16",
            "--suite",
            suite,
        ];
        let out = run(&[&args[..], &["--insecure-mask-seed", "7", "--run-dir", path(&folder)]].concat());
        assert!(out.status.success(), "{}", text(&out.stderr));
        assert!(read(&folder, "summary.json").contains("insecure: from a seed"));
        (
            std::fs::read(folder.join("model.safetensors")).unwrap(),
            Job::load(&folder.join("job.toml"), &Peers::default()).unwrap(),
        )
    };
    for suite in ["securenn", "masked", "verified"] {
        let (first, job) = model(&format!("{suite}-a"), suite);
        assert!(first == model(&format!("{suite}-b"), suite).0, "{suite}: two runs with the same masks differ");
        let training = job.training(data.train.rows(), data.test.rows());
        let params = match job.suite {
            SuiteName::Securenn => in_process(&job, &training, &data, 7, |p| SecureNn::new(p, job.truncation)),
            SuiteName::Masked => in_process(&job, &training, &data, 7, Masked::new),
            SuiteName::Verified => in_process(&job, &training, &data, 7, Verified::new),
        };
        let file = dir.path().join(suite);
        evaluate::model(&data.schema, &job.network().unwrap(), &params).unwrap().save(&file).unwrap();
        assert!(first == std::fs::read(&file).unwrap(), "{suite}: over TLS it is another model than in process");
    }
}

/// The job that a demo with insecure masks from `seed` has run, as three threads with the same masks.
fn in_process<S: Suite>(
    job: &Job,
    training: &Training,
    data: &Dataset,
    seed: u64,
    engine: impl Fn(Party) -> S + Sync,
) -> Vec<ndarray::Array2<f64>> {
    let trainer = training.trainer().unwrap();
    let parts = [&data.train, &data.test].map(|t| t.split(job.owner.len(), training.spec.seed).unwrap());
    let outcomes = simulate(seed, |p| {
        let id = p.id;
        let closed = local::network(Duration::ZERO).into_iter().next().unwrap();
        let mut e = engine(std::mem::replace(p, Party::new(id, closed, Seeds::insecure(id, seed))));
        // [records to train on, held out], features and labels.
        let mut kept: [[Kept; 2]; 2] = Default::default();
        for (owner, (train, test)) in parts[0].iter().zip(&parts[1]).enumerate() {
            let mut rows = Rows::new(train, test);
            let (width, mut chunk_number) = (rows.width(), 0);
            while let Some(chunk) = rows.next().unwrap() {
                let dealt = S::deal(&chunk.x, chunk_seed(&owner_seed(seed, owner), chunk_number));
                chunk_number += 1;
                let words = S::accept(id, chunk.x.len(), &dealt[id.index()]).unwrap();
                let [x, y] = &mut kept[usize::from(chunk.test)];
                x.extend_columns(&words, width, 0..data.schema.features());
                y.extend_columns(&words, width, data.schema.features()..width);
            }
        }
        let format = |(frac, bits)| Format { frac, bits };
        let (x_format, y_format) = (format(job.data.input()), format(job.data.label_format()));
        let rows = [training.records.train_rows, training.records.test_rows];
        let [train, test] = std::array::from_fn(|i| {
            let [x, y] = std::mem::take(&mut kept[i]);
            let (features, outputs) = (data.schema.features(), data.schema.outputs());
            Data { x: e.input([rows[i], features], x_format, x), y: e.input([rows[i], outputs], y_format, y) }
        });
        let state = trainer.initial(&e).unwrap();
        let state = trainer.train(&mut e, state, 0, &train, &test, &mut |_, _| Ok::<(), trefoil_server::Error>(())).unwrap();
        state.params.iter().map(|w| e.export(w)).collect::<Result<Vec<_>, _>>()
    });
    let [a, b, c] = outcomes.map(|o| o.unwrap().0);
    let weights = trainer.scales().weight;
    let shapes = fetching::shapes(&training.graph().unwrap()).unwrap().into_iter().map(|(_, shape)| shape);
    let sent = a.into_iter().zip(b).zip(c).map(|((a, b), c)| [a, b, c]);
    shapes
        .zip(sent)
        .map(|([rows, cols], sent)| {
            let words = S::reconstruct(rows * cols, &sent).unwrap();
            fixed::decode(&Tensor::from_shape_vec((rows, cols), words).unwrap(), weights)
        })
        .collect()
}

#[test]
fn tables_and_recorded_views() {
    let dir = tempfile::tempdir().unwrap();
    let (file, folder, views) = (dir.path().join("small.csv"), dir.path().join("run"), dir.path().join("views"));
    small_csv(&file, 40);
    let args =
        ["demo", "--csv", path(&file), "--label", "class", "--hidden", "16,8", "--epochs", "2", "--batch", "16", "--owners", "2"];
    // In this suite all three parties receive something.
    let out = run(&[&args[..], &["--suite", "securenn", "--insecure-record", path(&views), "--run-dir", path(&folder)]].concat());
    let (stdout, stderr) = (text(&out.stdout), text(&out.stderr));
    assert!(out.status.success(), "{stderr}");
    for words in [
        "4-16-8-2 on small",
        "accuracy, opened from shares",
        "what each party saw",
        "masks it dealt, no share",
        "model.safetensors",
        path(&folder),
    ] {
        assert!(stdout.contains(words), "{words} is not in:\n{stdout}");
    }
    // The model prepares records itself.
    let model = folder.join("model.safetensors");
    let out = run(&["predict", path(&model), path(&file)]);
    let (stdout, stderr_of_it) = (text(&out.stdout), text(&out.stderr));
    assert!(out.status.success() && stdout.starts_with("class,probability 0,probability 1\n"), "{stdout}{stderr_of_it}");
    assert_eq!(stdout.lines().count(), 1 + 40);
    let evaluated = json(&["evaluate", path(&model), "--csv", path(&file), "--json"]);
    assert_eq!(evaluated["rows"], 40);

    // No terminal: a line for each phase and epoch, none for each step.
    assert!(stderr.contains("training on shares\nepoch 1: loss ") && stderr.lines().count() < 20, "{stderr}");

    for party in ["P0", "P1", "P2"] {
        let text = std::fs::read_to_string(views.join(format!("{party}.jsonl"))).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let fields: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(fields, ["from", "label", "length", "operation", "payload", "ring", "step"]);
            assert_ne!(line["from"], party);
            let (length, payload) = (line["length"].as_u64().unwrap(), line["payload"].as_str().unwrap());
            assert!(payload.bytes().all(|b| b.is_ascii_hexdigit()));
            if line["ring"] == "Z_2^64" {
                assert_eq!(payload.len() as u64, 16 * length);
            }
            seen.insert(line["label"].as_str().unwrap().to_owned());
        }
        assert!(seen.iter().any(|label| label.starts_with("securenn.")), "{party}: {seen:?}");
    }
}

/// One output for two classes trains on shares as in the clear, and as well as two; its model says both probabilities everywhere.
#[test]
fn one_output_for_two_classes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("small.csv");
    let text_of = |i: u32| {
        // The classes overlap, so that no network is right about all records.
        let (class, [a, b]) = (i % 2, [37, 53].map(|by| f64::from(i * i * by % 101) / 50.0 - 1.0));
        let side = if class == 0 { 0.7 } else { -0.7 };
        format!("{:.3},{b:.3},{}\n", side + a, if class == 0 { "no" } else { "yes" })
    };
    std::fs::write(&file, "a,b,ill\n".to_owned() + &(0..200).map(text_of).collect::<String>()).unwrap();
    let of = ["--csv", path(&file), "--label", "ill", "--hidden", "8", "--epochs", "4", "--batch", "16"];
    let binary = ["--loss", "binary-cross-entropy", "--class-weights", "1,1.5"];
    let mut models = vec![];
    for (name, suite, loss) in [("one", "masked", &binary[..]), ("one", "securenn", &binary), ("two", "masked", &binary[2..])] {
        let folder = dir.path().join(format!("{name}-{suite}"));
        let args = ["demo", "--suite", suite, "--json", "--run-dir", path(&folder)];
        let summary = json(&[&args[..], &of, loss].concat());
        let outputs = if name == "one" { 1 } else { 2 };
        assert_eq!(summary["network"], format!("2-8-{outputs}"));
        assert_eq!(summary["train"]["loss"], if name == "one" { "binary-cross-entropy".into() } else { Value::Null });
        let [secure, float, model] =
            ["secure_test_accuracy", "float_test_accuracy", "model_test_accuracy"].map(|k| number(&summary, k));
        println!(
            "{name} output, {suite}: {secure} {float} {model}, losses {} {}, weights {}",
            summary["secure_loss"], summary["float_loss"], summary["max_weight_difference"]
        );
        assert!(float > 0.7 && float < 1.0 && (secure - float).abs() < 0.03 && (secure - model).abs() < 0.03, "{summary}");
        assert!((number(&summary, "secure_loss") - number(&summary, "float_loss")).abs() < 0.01, "{summary}");
        assert!(number(&summary, "max_weight_difference") < 0.02, "{summary}");
        models.push((folder.join("model.safetensors"), number(&summary, "float_loss")));
    }
    let [(one, loss), _, (two, loss_of_two)] = &models[..] else { panic!("{models:?}") };
    assert!((loss - loss_of_two).abs() < 0.05, "{models:?}");

    // In the clear, on shares, and as ONNX: classes by name, and two probabilities each.
    let onnx = dir.path().join("one.onnx");
    let out = run(&["model", "import", path(one), "--out", path(&onnx)]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let records = |model: &Path, more: &[&str]| {
        let out = json(&[&["predict", path(model), path(&file), "--json"][..], more].concat());
        assert_eq!(out["classes"], serde_json::json!(["no", "yes"]));
        out
    };
    let clear = records(one, &[]);
    assert_eq!(clear["records"].as_array().unwrap().len(), 200);
    for record in clear["records"].as_array().unwrap() {
        let p: Vec<f64> = serde_json::from_value(record["probabilities"].clone()).unwrap();
        assert!(p.len() == 2 && (p[0] + p[1] - 1.0).abs() < 1e-9, "{record}");
        assert_eq!(record["class"], if p[1] >= 0.5 { "yes" } else { "no" });
    }
    let evaluated = json(&["evaluate", path(one), "--csv", path(&file), "--json"]);
    assert!(number(&evaluated, "accuracy") > 0.7 && number(&evaluated, "auc") > 0.8, "{evaluated}");
    let same = |found: &Value| {
        let all =
            [&clear, found].map(|out| out["records"].as_array().unwrap().iter().map(|r| r["class"].clone()).collect::<Vec<_>>());
        all[0].iter().zip(&all[1]).filter(|(a, b)| a == b).count()
    };
    assert_eq!(same(&records(&onnx, &[])), 200);
    assert!(same(&records(two, &[])) >= 160);
    for suite in ["masked", "securenn"] {
        let shared = records(one, &["--on-shares", "--suite", suite]);
        assert!(same(&shared) >= 199 && shared["on_shares"]["farthest_output"].as_f64() < Some(1e-2), "{suite}");
    }
    // The digits have ten classes.
    refused(&run(&["plain", "--loss", "binary-cross-entropy"]), 2, &["binary-cross-entropy with 10 classes, expected 2 classes"]);
    let out = run(&["plain", "--loss", "hinge"]);
    assert_eq!(out.status.code(), Some(2), "{}", text(&out.stderr));
}

/// Check 5: a rate of 0 learns nothing, and the program says so.
#[test]
fn sabotage_gives_chance() {
    let dir = tempfile::tempdir().unwrap();
    let summary = json(&[
        "demo",
        "--hidden",
        "16",
        "--epochs",
        "1",
        "--batch",
        "256",
        "--lr",
        "0",
        "--json",
        "--run-dir",
        path(dir.path()),
    ]);
    assert!(number(&summary, "secure_test_accuracy") < 0.3, "{summary}");
    assert!(number(&summary, "max_weight_difference") < 1e-4, "{summary}");
}

/// Slow links change the time, not the result.
#[test]
fn shaped_links_give_the_same_result() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("small.csv");
    small_csv(&file, 40);
    let args = ["demo", "--csv", path(&file), "--label", "class", "--hidden", "8", "--epochs", "1", "--batch", "16", "--json"];
    let run = |name: &str, links: &str| {
        let folder = dir.path().join(name);
        json(&[&args[..], &["--insecure-mask-seed", "1", "--links", links, "--run-dir", path(&folder)]].concat())
    };
    let (near, far) = (run("near", "local"), run("far", "10ms,100Mbps"));
    for key in ["bytes_per_step", "rounds_per_step", "secure_test_accuracy", "max_weight_difference", "bytes_sent"] {
        assert_eq!(near[key], far[key], "{key}");
    }
    let predicted = number(&far, "rounds_per_step") * 0.005;
    assert!(number(&far, "seconds_per_step_median") >= predicted, "{far}");
}

/// A few hundred real images, where they are at hand.
#[test]
fn some_of_mnist() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/mnist");
    if !shared.is_dir() {
        // Past the capture of the test's output.
        writeln!(std::io::stderr(), "skipped: some_of_mnist, for want of shared/data/mnist beside this repository").unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mnist = trefoil_data::mnist::load(&shared).unwrap();
    for (part, count) in [("train", 600u32), ("t10k", 200)] {
        let all = if part == "train" { &mnist.train } else { &mnist.test };
        let write = |kind: &str, head: &[u32], body: &[u8]| {
            let bytes: Vec<u8> = head.iter().flat_map(|w| w.to_be_bytes()).chain(body.iter().copied()).collect();
            std::fs::write(dir.path().join(format!("{part}-{kind}-ubyte")), bytes).unwrap();
        };
        let n = count as usize;
        let rows: Vec<(&[i64], &[i64])> = (0..n).map(|i| all.range(i..i + 1).split_at(784)).collect();
        let pixels: Vec<u8> = rows.iter().flat_map(|(pixels, _)| pixels.iter().map(|p| *p as u8)).collect();
        let labels: Vec<u8> = rows.iter().map(|(_, label)| label.iter().position(|l| *l == 1).unwrap() as u8).collect();
        write("images-idx3", &[0x0803, count, 28, 28], &pixels);
        write("labels-idx1", &[0x0801, count], &labels);
    }
    let folder = dir.path().join("run");
    let summary = json(&[
        "demo",
        "--dataset",
        "mnist",
        "--data-dir",
        path(dir.path()),
        "--hidden",
        "16",
        "--epochs",
        "2",
        "--batch",
        "50",
        "--json",
        "--run-dir",
        path(&folder),
    ]);
    assert!(number(&summary, "secure_test_accuracy") > 0.5, "{summary}");
}
