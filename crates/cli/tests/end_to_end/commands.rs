//! The other commands.

use crate::common::{json, path, refused, run, text};
use serde_json::Value;

#[test]
fn version_help_and_completions() {
    let version = text(&run(&["--version"]).stdout);
    assert_eq!(version.trim(), format!("trefoil {}", trefoil_server::machine::version()));
    let help = text(&run(&["--help"]).stdout);
    assert!(help.contains("demo") && help.contains("party") && !help.contains("bench-party"), "{help}");
    let nothing = run(&[]);
    assert_eq!(nothing.status.code(), Some(2));
    for shell in ["bash", "zsh", "fish"] {
        let out = run(&["completions", shell]);
        assert!(out.status.success() && text(&out.stdout).contains("insecure-record"));
    }
}

/// The baseline alone is the demo's baseline: the same weights, batches and records in the same order.
#[test]
fn plain() {
    let args = ["plain", "--network", "784-32-10", "--epochs", "2", "--batch", "64", "--lr", "0.1", "--json"];
    let trained = json(&args);
    assert!(trained["float_test_accuracy"].as_f64().unwrap() > 0.85, "{trained}");
    assert_eq!(trained["steps"], 44);
    assert_eq!(trained["float_test_accuracy"], json(&args)["float_test_accuracy"]);
    let out = run(&args[..args.len() - 1]);
    assert!(text(&out.stdout).contains("784-32-10") && text(&out.stderr).contains("epoch 2: loss"));
}

/// The paper's network, as the table of benchmarks has it; a few steps are measured where nobody says how long one is.
#[test]
fn a_training_is_planned() {
    let args = ["plan", "--network", "784-256-10", "--rows", "60000", "--epochs", "1", "--prices", "0.1,3600", "--json"];
    let plan = json(&args);
    assert_eq!((&plan["step"]["rounds"], &plan["steps"]), (&23.into(), &468.into()));
    let bytes = plan["step"]["bytes_total"].as_u64().unwrap();
    assert!((11_230_000..11_280_000).contains(&bytes), "{bytes}");
    let of = |what: &str, part: &str| plan["seconds"][what][part].as_f64().unwrap();
    assert!(of("step", "local") > 0.0 && of("step", "rounds") == 0.0 && of("training", "local") > 400.0 * of("step", "local"));
    // A unit a second for each of three cores.
    let (price, gigabytes) = (plan["price"].as_f64().unwrap(), plan["training"]["bytes_total"].as_f64().unwrap() / 1e9);
    assert!((price - 0.1 * gigabytes - 3.0 * of("training", "total")).abs() < 1e-6 * price, "{plan}");
    // 60,000 records of 784 grey levels and ten classes, in two words each, and what may wait.
    let memory = |id: &str, part: &str| plan["memory_parts"][id][part].as_u64().unwrap();
    assert_eq!((memory("P0", "records"), memory("P1", "queues")), (60_000 * 794 * 8, 16 << 20));
    // The other link of P2 carries a little less.
    let at_p0 = memory("P0", "queues");
    assert!((14 << 20..16 << 20).contains(&at_p0) && memory("P2", "queues") == at_p0 + (16 << 20), "{at_p0}");
    let parts = ["records", "training", "overhead", "queues", "process"].map(|part| memory("P1", part));
    assert_eq!(plan["memory_bytes"]["P1"], parts.iter().sum::<u64>());
    let links = plan["training"]["bytes_by_link"].as_object().unwrap();
    assert_eq!(links.values().map(|n| n.as_u64().unwrap()).sum::<u64>(), plan["training"]["bytes_total"].as_u64().unwrap());
    refused(&run(&["plan", "--check", "--rows", "10"]), 2, &["--check", "--rows"]);
    let line = text(&run(&["plan", "--rows", "10"]).stderr);
    assert!(line.starts_with("error: ") && line.contains("--network"), "{line}");
    refused(
        &run(&["plan", "--network", "4-2", "--rows", "10", "--batch", "11", "--step-seconds", "1"]),
        2,
        &["batch", "1 to 10"],
    );
}

#[test]
fn a_step_in_lanes_is_planned_and_measured() {
    let args =
        ["plan", "--network", "784-256-10", "--rows", "60000", "--links", "40ms,100Mbps", "--step-seconds", "1,0.1", "--json"];
    let plan = json(&[&args[..], &["--lanes", "1..8"]].concat());
    let of = |i: usize, what: &str| plan["lanes"][i][what].as_f64().unwrap();
    let numbers: Vec<_> = plan["lanes"].as_array().unwrap().iter().map(|s| s["lanes"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 4, 8]);
    assert!((plan["lanes"][2]["parts"]["rows"].as_f64().unwrap() - 0.225).abs() < 1e-9, "{plan}");
    assert!(of(0, "speedup") == 1.0 && of(3, "speedup") > of(2, "speedup") && of(3, "bytes_total") < 1.2 * of(0, "bytes_total"));
    let refuses = |more: &[&str], words: &[&str]| refused(&run(&[&args[..9], more].concat()), 2, words);
    refuses(
        &["--lanes", "2", "--suite", "securenn"],
        &["lanes: found 2 with the suite securenn, expected one, or the suite masked"],
    );
    refuses(&["--lanes", "1,3"], &["lanes: found 3 for a batch of 128 records"]);
    refuses(&["--lanes", "4..2"], &["--lanes", "1..64"]);

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lanes.json");
    let bench = ["bench", "train-784x256x10", "--lanes", "1,2", "--slower", "2", "--iterations", "3", "--links", "1ms,10Gbps"];
    let out = run(&[&bench[..], &["--inside", "0.1ms,10Gbps", "--json", path(&file)]].concat());
    assert!(out.status.success(), "{}", text(&out.stderr));
    let list: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let [one, two] = &list.as_array().unwrap()[..] else { panic!("{list}") };
    assert_eq!((&one["planned"]["lanes"], &two["planned"]["lanes"], &two["iterations"]), (&1.into(), &2.into(), &3.into()));
    // A server multiplies 0.1 billion times in a step: so long it waits at least.
    assert!(two["speedup"].as_f64().is_some() && two["steady_s"].as_f64().unwrap() > 0.1, "{list}");
    let out = run(&["bench", "relu-1e6", "--lanes", "2"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("lanes: found relu-1e6, expected the name of a training"), "{}", text(&out.stderr));
}

#[test]
fn fetching_without_a_network() {
    let dir = tempfile::tempdir().unwrap();
    // Nobody listens there any more.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/");
    refused(&run(&["data", "fetch", "mnist", "--data-dir", path(dir.path()), "--url", &url]), 3, &[&url, "cannot download"]);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn bench_writes_its_list() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bench.json");
    // The older name of --links stays, for scripts that have it.
    let out = run(&[
        "bench",
        "train-784x256x10",
        "--suite",
        "masked",
        "--network",
        "local",
        "--iterations",
        "2",
        "--queue-megabytes",
        "1",
        "--json",
        path(&file),
    ]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert!(text(&out.stdout).contains("train-784x256x10"));
    let list: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let [measured] = &list.as_array().unwrap()[..] else { panic!("{list}") };
    let mut fields: Vec<&str> = measured.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    let mut expected = [
        "name",
        "suite",
        "links",
        "iterations",
        "steady_s",
        "cpu_s",
        "floor_s",
        "cpu_to_floor",
        "queue_bound_bytes",
        "queue_peak_bytes",
        "median_s",
        "min_s",
        "max_s",
        "bytes_total",
        "optimiser",
        "bytes_by_link",
        "rounds",
        "peak_rss_bytes",
        "threads",
        "machine",
        "commit",
    ];
    expected.sort_unstable();
    assert_eq!(fields, expected);
    assert_eq!((&measured["iterations"], &measured["links"]), (&2.into(), &"local".into()));
    let number = |key: &str| measured[key].as_f64().unwrap();
    assert!(number("steady_s") > 0.0 && number("floor_s") > 0.0 && number("cpu_to_floor") > 1.0, "{measured}");
    // Nobody is done in less than its own processor time, on one thread; hundredths of a second are all that is counted.
    let busiest = measured["cpu_s"].as_object().unwrap().values().map(|s| s.as_f64().unwrap()).fold(0.0, f64::max);
    assert!(busiest > 0.0, "{measured}");
    assert_eq!(measured["queue_bound_bytes"], 1 << 20);
    // A step's largest frames are beyond that bound, and go alone; the helper is not many of them ahead.
    let queued = measured["queue_peak_bytes"]["P2->P1"].as_u64().unwrap();
    assert!(queued > 100_000 && queued < 4 << 20, "{measured}");
    let links = measured["bytes_by_link"].as_object().unwrap();
    let sum: u64 = links.values().map(|v| v.as_u64().unwrap()).sum();
    assert_eq!(links.len(), 6);
    assert!(sum.abs_diff(measured["bytes_total"].as_u64().unwrap()) <= 6, "{measured}");

    // What is planned without running anything is what was counted.
    let [planned] = &plans(&["train-784x256x10"])[..] else { panic!("one plan") };
    assert_eq!((&planned["bytes_by_link"], &planned["bytes_total"]), (&measured["bytes_by_link"], &measured["bytes_total"]));
    assert_eq!(planned["rounds"].as_f64(), measured["rounds"].as_f64());
}

fn plans(names: &[&str]) -> Vec<Value> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("plan.json");
    let out = run(&[&["bench", "--plan", "--json", path(&file)], names].concat());
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert!(names.iter().all(|name| text(&out.stdout).contains(name)));
    serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap()
}

/// Nothing is run, so the largest network is no matter.
#[test]
fn bench_plans_what_is_too_large_to_run() {
    let planned = plans(&["train-cifar-vgg16", "infer-cifar-vgg16-b1", "infer-cifar-vgg16-b128"]);
    let rounds: Vec<u64> = planned.iter().map(|p| p["rounds"].as_u64().unwrap()).collect();
    // A single record is so little that comparisons take fewer rounds.
    assert!(rounds[0] > rounds[2] && rounds[2] > rounds[1], "{rounds:?}");
    assert!(planned[2]["bytes_total"].as_u64() > planned[1]["bytes_total"].as_u64());
    assert!(planned[2]["bytes_by_layer"].as_object().unwrap().len() > 16);
    refused(&run(&["bench", "--plan", "relu-1e6"]), 2, &["plan: found relu-1e6", "train-"]);
}
