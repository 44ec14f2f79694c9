//! Columns whose mean and deviation, or median and quartiles, nobody knows: they are computed on shares over all owners' records.

use super::serve::{ENOUGH, classes, probabilities, serve, told};
use super::{LONG, entries, files, job_folder, ready_without_approval};
use crate::deployment::{Deployment, records, trained};
use serde_json::Value;
use std::fs;

/// Temperature, cell count, a number that is standardised in public, and a reading whose values hardly differ.
const COLUMNS: &str = r#"
[[data.columns]]
kind = "number"
name = "a"
scale = "secure"
within = [30, 45]
[[data.columns]]
kind = "number"
name = "b"
scale = "secure"
within = [0, 200000]
missing = ["NA"]
fill = "mean"
[[data.columns]]
kind = "number"
name = "c"
mean = 0.5
deviation = 0.3
[[data.columns]]
kind = "number"
name = "d"
scale = "secure-quantiles"
within = [2.9, 3.3]
missing = [""]
fill = "median"
indicator = true
"#;

/// Records as they are measured: another machine of the south reads higher. Of some, values are `lacking`.
fn measured(d: &Deployment, name: &str, rows: usize, seed: usize, lacking: bool) {
    let file = d.path(name);
    records(&file, rows, seed);
    let south = if name == "south.csv" { 1.0 } else { 0.0 };
    let of = |(i, line): (usize, &str)| {
        let v: Vec<f64> = line.split(',').map(|v| v.parse().unwrap()).collect();
        let (a, b, reading) = (37.0 + 0.4 * v[0] + 0.2 * south, 90_000.0 + 12_000.0 * v[1] + 3_000.0 * south, 3.0 + 0.001 * v[3]);
        let b = if lacking && i % 6 == 1 { "NA".to_owned() } else { format!("{b:.0}") };
        let reading = if lacking && i % 10 == 3 { String::new() } else { format!("{reading:.5}") };
        format!("{a:.3},{b},{},{reading},{}\n", v[2], v[4])
    };
    let text = fs::read_to_string(&file).unwrap();
    let (head, rows) = text.split_once('\n').unwrap();
    d.write(name, &format!("{head}\n{}", rows.lines().enumerate().map(of).collect::<String>()));
}

/// Two owners with a file each, and parties that know of no job.
fn with_measured(rows: usize) -> Deployment {
    let mut d = ready_without_approval(rows);
    d.columns = COLUMNS.to_owned();
    ["north", "south"].iter().enumerate().for_each(|(i, owner)| measured(&d, &format!("{owner}.csv"), rows, i, true));
    d
}

fn approved(d: &Deployment) {
    for party in ["p0", "p1", "p2"] {
        d.ok(&["job", "approve", "job.toml", "--key", &format!("keys/{party}.pem")]);
    }
}

fn share(d: &Deployment, owner: &str) {
    let out = d.share(owner, &format!("{owner}.csv"), "job.toml");
    assert!(out.status.success(), "{}\n{}", String::from_utf8_lossy(&out.stderr), d.logs());
}

/// What share of a file's records a model puts into their class.
fn right(d: &Deployment, predicted: &str, file: &str) -> f64 {
    let text = fs::read_to_string(d.path(file)).unwrap();
    let labels: Vec<&str> = text.lines().skip(1).map(|line| line.rsplit(',').next().unwrap()).collect();
    let told = classes(predicted);
    assert_eq!(told.len(), labels.len());
    told.iter().zip(&labels).filter(|(a, b)| a == b).count() as f64 / labels.len() as f64
}

/// From raw files to a model that takes raw records, and to answers from its shares that are the model's; both suites.
#[test]
fn statistics_that_nobody_sees() {
    for suite in ["masked", "securenn"] {
        let d = with_measured(300);
        d.member("ward");
        serve(&d, suite, "ward", "reveal = \"probabilities\"", ENOUGH);
        let all = d.status("job.toml");
        assert!(all[0]["last"]["metric"].as_f64().unwrap() >= 0.95, "{suite}: {all:?}");
        d.ok(&["model", "fetch", "job.toml", "--key", "keys/research.pem", "--out", "m.safetensors,m.onnx"]);
        // Records that nobody has shared, in their own units.
        measured(&d, "records.csv", 150, 7, false);
        let clear = d.ok(&["predict", "m.safetensors", "records.csv"]);
        assert!(right(&d, &clear, "records.csv") >= 0.95, "{suite}: {clear}");
        assert_eq!(classes(&d.ok(&["predict", "m.onnx", "records.csv"])), classes(&clear), "{suite}");
        let told = told(&d, &[]);
        assert_eq!(classes(&told), classes(&clear), "{suite}");
        for (a, b) in probabilities(&told).iter().zip(probabilities(&clear)) {
            assert!((a - b).abs() < 5e-3, "{suite}: {a} {b}");
        }
        // What fills a missing value is with the parties alone.
        measured(&d, "lacking.csv", 150, 7, true);
        let line = d.refused(&["predict", "m.safetensors", "lacking.csv"]);
        assert!(
            line.contains("line 3, column \"b\": found a missing value, expected a value: missing ones were filled by a mean"),
            "{line}"
        );
        let line = d.refused(&["evaluate", "m.safetensors", "--csv", "lacking.csv"]);
        assert!(line.contains("column \"b\"") && line.contains("25 missing values"), "{line}");
        let text = fs::read_to_string(d.path("lacking.csv")).unwrap();
        d.write("records.csv", &text);
        assert!(right(&d, &super::serve::told(&d, &[]), "records.csv") >= 0.9, "{suite}");
        // The model's file says the bounds, which are public, and no statistics.
        let shown: Value = serde_json::from_str(&d.ok(&["model", "show", "m.safetensors", "--json"])).unwrap();
        let input = shown["input"].as_str().unwrap();
        assert!(input.contains("\"scale\":\"secure\"") && input.matches("deviation").count() == 1, "{input}");
        for party in 0..3 {
            let audit = d.audit(party);
            let opened = entries(&audit, "opened");
            assert_eq!(opened.len(), if party == 2 { 0 } else { 3 }, "{opened:?}");
            assert!(!serde_json::to_string(&audit).unwrap().contains("statistics"), "{audit:#?}");
        }
    }
}

/// Each owner has columns of its own; the first of them has no column that is standardised in public.
#[test]
fn statistics_of_a_vertical_partition() {
    let mut d = with_measured(200);
    measured(&d, "all.csv", 600, 3, true);
    let all = fs::read_to_string(d.path("all.csv")).unwrap();
    let pick = |columns: &[usize]| {
        let row = |(i, line): (usize, &str)| {
            let values: Vec<&str> = line.split(',').collect();
            let id = if i == 0 { "id".to_owned() } else { i.to_string() };
            format!("{id},{}\n", columns.iter().map(|c| values[*c]).collect::<Vec<_>>().join(","))
        };
        all.lines().enumerate().map(row).collect::<String>()
    };
    d.write("north.csv", &pick(&[1, 0]));
    d.write("south.csv", &pick(&[2, 3, 4]));
    d.columns = format!("partition = \"vertical\"\nid = \"id\"\n{COLUMNS}");
    d.job("job.toml", "a job", "masked", "");
    let text = fs::read_to_string(d.path("job.toml")).unwrap();
    let owners =
        "owner = [{ name = \"north\", columns = [\"a\", \"b\"] }, { name = \"south\", columns = [\"d\", \"c\"], label = true }]";
    d.write("job.toml", &text.replace("owner = [\"north\", \"south\"]", owners));
    approved(&d);
    // Rows are joined by their identifiers: each waits for the other.
    std::thread::scope(|scope| {
        ["north", "south"].map(|owner| scope.spawn(|| share(&d, owner))).map(|shared| shared.join().unwrap())
    });
    let all = d.until("job.toml", LONG, "trained", trained);
    assert!(all[0]["last"]["metric"].as_f64().unwrap() >= 0.95, "{all:?}");
    d.ok(&["model", "fetch", "job.toml", "--key", "keys/research.pem", "--out", "m.safetensors"]);
    measured(&d, "all.csv", 600, 3, false);
    let predicted = d.ok(&["predict", "m.safetensors", "all.csv"]);
    assert!(right(&d, &predicted, "all.csv") >= 0.95, "{predicted}");
}

/// All three die after a checkpoint. The next session has the statistics from there, under other keys.
#[test]
fn a_training_goes_on_with_hidden_statistics() {
    let mut d = with_measured(300);
    d.job("job.toml", "a job", "masked", "[train]\nepochs = 40\nbatch = 8\n[checkpoint]\nsteps = 20\n");
    approved(&d);
    ["north", "south"].iter().for_each(|owner| share(&d, owner));
    d.until("job.toml", LONG, "a checkpoint", |s| s["steps"][1].as_u64() >= Some(40));
    (0..3).for_each(|party| d.signal(party, "KILL"));
    assert!(!files(job_folder(&d, 0).join("checkpoints")).is_empty());
    (0..3).for_each(|party| d.start(party, None));
    let all = d.until("job.toml", LONG, "trained", trained);
    assert!(all[0]["last"]["metric"].as_f64().unwrap() >= 0.95, "{all:?}");
    let from: Vec<u64> = entries(&d.audit(0), "session").iter().map(|e| e["from step"].as_u64().unwrap()).collect();
    assert!(from[0] == 0 && *from.last().unwrap() >= 20, "{from:?}");
    d.ok(&["model", "fetch", "job.toml", "--key", "keys/research.pem", "--out", "m.safetensors"]);
    measured(&d, "north.csv", 300, 0, false);
    let predicted = d.ok(&["predict", "m.safetensors", "north.csv"]);
    assert!(right(&d, &predicted, "north.csv") >= 0.95, "{predicted}");
}

#[test]
fn what_is_beyond_its_bounds_stays_with_its_owner() {
    let d = with_measured(50);
    d.job("job.toml", "a job", "masked", "");
    approved(&d);
    let text = fs::read_to_string(d.path("north.csv")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let (_, rest) = lines[7].split_once(',').unwrap();
    d.write("north.csv", &text.replace(lines[7], &format!("99.5,{rest}")));
    let line = d.refused(&["share", "north.csv", "--job", "job.toml", "--key", "keys/north.pem"]);
    assert!(line.contains("line 8") && line.contains("\"a\"") && line.contains("expected a number within [30, 45]"), "{line}");
    // A network that cannot take the statistics up is refused before anybody approves the job.
    let network = "[train.network]\ninput = 5\nnodes = [{ op = { batchnorm = {} } }, { op = { linear = { outputs = 2 } } }]\n";
    d.job("other.toml", "a job", "masked", network);
    let line = d.refused(&["job", "show", "other.toml"]);
    assert!(line.contains("takes the record, expected a linear layer first"), "{line}");
}

/// Opened where the job says so: once, though a second session begins before the first checkpoint and computes them again; not at P2, and
/// not to who is shown no figures.
#[test]
fn statistics_that_a_job_opens() {
    let mut d = with_measured(300);
    let more = "[train]\nepochs = 60\nbatch = 8\n[checkpoint]\nsteps = 100000\n[open]\nstatistics = true\nclipped = true\n";
    // The first column by its median and quartiles.
    d.columns = d.columns.replacen("\"secure\"", "\"secure-quantiles\"", 1);
    d.job("job.toml", "a job", "masked", more);
    assert!(d.run(&["job", "show", "job.toml"]).stderr.windows(27).any(|w| w == b"opened to P0 and P1 before "));
    approved(&d);
    ["north", "south"].iter().for_each(|owner| share(&d, owner));
    d.until("job.toml", LONG, "steps", |s| s["steps"][0].as_u64() >= Some(30));
    (0..3).for_each(|party| d.signal(party, "KILL"));
    (0..3).for_each(|party| d.start(party, None));
    let all = d.until("job.toml", LONG, "trained", trained);
    let opened = |party: usize| entries(&d.audit(party), "opened statistics").into_iter().cloned().collect::<Vec<Value>>();
    let [p0, p1, p2] = [0, 1, 2].map(opened);
    assert!(p0.len() == 1 && p0[0]["columns"] == p1[0]["columns"] && p1.len() == 1 && p2.is_empty(), "{p0:?} {p1:?} {p2:?}");
    let sessions = entries(&d.audit(0), "session").into_iter().map(|e| e["from step"].clone()).collect::<Vec<_>>();
    assert_eq!(sessions, [0, 0]);
    // What anybody could have computed who had all training records.
    let columns = p0[0]["columns"].as_array().unwrap();
    assert_eq!(columns.iter().map(|c| c["name"].as_str().unwrap()).collect::<Vec<_>>(), ["a", "b", "d"]);
    for (column, (at, unit)) in columns.iter().zip([(0, 15.0), (1, 200_000.0), (3, 0.4)]) {
        let values: Vec<f64> = ["north.csv", "south.csv"]
            .iter()
            .flat_map(|file| {
                let text = fs::read_to_string(d.path(file)).unwrap();
                // What is missing counts for nothing.
                text.lines().skip(1).filter_map(|line| line.split(',').nth(at).unwrap().parse().ok()).collect::<Vec<f64>>()
            })
            .collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
        assert_eq!(column["clipped"], 0, "{column}");
        if at != 1 {
            let mut values = values;
            values.sort_by(f64::total_cmp);
            let of = |part: usize| values[(values.len() - 1) * part / 4];
            let near = |found: &Value, expected: f64| (found.as_f64().unwrap() - expected).abs() < 0.1 * (of(3) - of(1));
            assert!(near(&column["median"], of(2)) && near(&column["interquartile"], of(3) - of(1)), "{column}");
            continue;
        }
        // All records are here, and a fifth of them was held out.
        let near = |found: &Value, expected: f64| (found.as_f64().unwrap() - expected).abs() < 0.1 * deviation + 1e-4 * unit;
        assert!(near(&column["mean"], mean) && near(&column["deviation"], deviation), "{column}: {mean}, {deviation}");
    }
    assert_eq!(all[0]["statistics"], p0[0]["columns"]);
    assert!(all[2]["statistics"].as_array().unwrap().is_empty());
    let seen = d.ok(&["job", "status", "job.toml", "--key", "keys/north.pem"]);
    assert!(!seen.contains("deviation"), "{seen}");
    let seen = d.ok(&["job", "status", "job.toml", "--key", "keys/research.pem"]);
    assert!(seen.contains("opened: a has median 3") && seen.contains("; 0 values clipped"), "{seen}");
    // Mean and median are in the model's file then, and fill what is missing.
    d.ok(&["model", "fetch", "job.toml", "--key", "keys/research.pem", "--out", "m.safetensors"]);
    let predicted = d.ok(&["predict", "m.safetensors", "north.csv"]);
    assert!(right(&d, &predicted, "north.csv") >= 0.9, "{predicted}");
    d.ok(&["evaluate", "m.safetensors", "--csv", "north.csv"]);
}
