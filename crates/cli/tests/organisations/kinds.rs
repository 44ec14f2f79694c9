//! Columns of every kind, some of whose values are missing, from two owners' files to a model that reads such a file itself.

use super::*;

const COLUMNS: &str = r#"columns = [
    { kind = "number", name = "age", mean = 50, deviation = 20, missing = ["", "-1"], fill = 50, indicator = true },
    { kind = "log", name = "income", mean = 7, deviation = 0.5 },
    { kind = "boolean", name = "smoker" },
    { kind = "ordinal", name = "stage", values = ["I", "II", "III"] },
    { kind = "category", name = "town", values = ["here", "there"], other = true },
    { kind = "numbers", name = "gene", count = 2, mean = 0, deviation = 1 },
]
"#;

/// Whether an age is missing decides the class, which nothing but the indicator tells.
fn row(i: usize) -> String {
    let (class, j) = (i % 2, i / 2);
    let age = match (class, j % 2) {
        (0, _) => (20 + j * 7 % 60).to_string(),
        (_, 0) => String::new(),
        _ => "-1.0".to_owned(),
    };
    let (smoker, stage) = (["true", "False"][j % 2], ["I", "II", "III"][j % 3]);
    let town = ["here", "there", "elsewhere", "nowhere"][j % 4];
    format!("{age},{},{smoker},{stage},{town},0.{},-0.{},{class}\n", 500 + j * 37 % 2000, j % 10, j % 7)
}

#[test]
fn of_every_kind_with_missing_values() {
    let mut d = Deployment::new(&["north", "south"], 5);
    d.job("job.toml", "kinds", "masked", "");
    let text = fs::read_to_string(d.path("job.toml")).unwrap();
    let (head, _) = text.split_once("[[data.columns]]").unwrap();
    d.write("job.toml", &format!("{head}{COLUMNS}"));
    (0..3).for_each(|party| d.start(party, Some("job.toml")));
    for (at, owner) in ["north", "south"].into_iter().enumerate() {
        let rows: String = (0..300).map(|i| row(i + 300 * at)).collect();
        d.write(&format!("{owner}.csv"), &format!("age,income,smoker,stage,town,gene0,gene1,class\n{rows}"));
        let out = d.share(owner, &format!("{owner}.csv"), "job.toml");
        let told = String::from_utf8(out.stderr).unwrap();
        assert!(out.status.success(), "{told}\n{}", d.logs());
        assert!(told.contains("column \"age\": 150 of 300 values are missing, and 50 is taken in their place"), "{told}");
        assert!(told.contains("values are none of the job's"), "{told}");
    }
    let all = d.until("job.toml", LONG, "trained", trained);
    assert!(all[0]["last"]["metric"].as_f64().unwrap() >= 0.95, "{all:?}");
    d.ok(&["model", "fetch", "job.toml", "--key", "keys/research.pem", "--out", "m.safetensors,m.onnx"]);
    for model in ["m.safetensors", "m.onnx"] {
        d.ok(&["predict", model, "north.csv", "--out", "said.csv"]);
        let said = fs::read_to_string(d.path("said.csv")).unwrap();
        let right =
            said.lines().skip(1).enumerate().filter(|(i, line)| line.split(',').next() == Some(&(i % 2).to_string())).count();
        assert!(right >= 285, "{model}: {right} of 300");
    }
}
