//! A job's model, from its file: what it says of raw records is what evaluation counts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ndarray::arr2;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use trefoil_data::records::Source;
use trefoil_data::schema::{Schema, Task, template};
use trefoil_data::{Dataset, Records, Samples};
use trefoil_job::evaluate::{self, evaluate};
use trefoil_job::predict::{Answer, Predictions, Unlabelled};
use trefoil_job::{plain, train};
use trefoil_nn::{Graph, Model, Shape, TrainSpec};

const SCHEMA: &str = r#"{"task": "classification", "label": "ill", "classes": ["no", "yes"], "holdout": 0, "columns": [
    {"kind": "number", "name": "age", "mean": 50.0, "deviation": 10.0},
    {"kind": "category", "name": "town", "values": ["here", "there"]},
    {"kind": "range", "name": "dose", "min": 0.0, "max": 200.0}]}"#;

#[test]
fn raw_records_are_prepared_as_the_job_says() {
    let folder = tempfile::tempdir().unwrap();
    let schema: Schema = serde_json::from_str(SCHEMA).unwrap();
    // The second logit is age / 10 - 5, 1 more there, and twice the dose / 200.
    let params = [arr2(&[[0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 1.0, 2.0]]), arr2(&[[0.0, 0.0]])];
    let model = Model::new(&Graph::perceptron(&[4, 2]), &params, &serde_json::to_string(&schema).unwrap()).unwrap();
    let model = model.with_classes(&schema.classes).unwrap();
    let (path, file) = (folder.path().join("m.safetensors"), folder.path().join("records.csv"));
    model.save(&path).unwrap();
    let model = evaluate::load(&path).unwrap();
    std::fs::write(&file, "dose,town,age,ill\n0,here,50,no\n100,there,70,yes\n400,here,-1e6,no\n100,there,55,no\n").unwrap();
    let mut found: Vec<Answer> = Vec::new();
    let mut predictions = Predictions::open(&model, &Source::of(&file), None).unwrap();
    while let Some(some) = predictions.next(3).unwrap() {
        found.extend(some);
    }
    let classes: Vec<_> = found.iter().map(|a| a.class.clone().unwrap()).collect();
    assert_eq!(classes, ["no", "yes", "no", "yes"]);
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    for (answer, z) in found.iter().zip([0.0, 4.0, -6.0, 2.5]) {
        assert!((answer.numbers[1] - sigmoid(z)).abs() < 1e-12, "{answer:?} {z}");
    }
    assert_eq!(evaluate(&model, &schema, &Source::of(&file)).unwrap().accuracy, Some(0.75));

    // Without a label, and with a text that there is not.
    std::fs::write(&file, "dose,town,age\n0,here,50\n").unwrap();
    assert_eq!(Predictions::open(&model, &Source::of(&file), None).unwrap().next(9).unwrap().unwrap().len(), 1);
    std::fs::write(&file, "dose,town,age\n0,nowhere,50\n").unwrap();
    let error = Predictions::open(&model, &Source::of(&file), None).unwrap().next(9).unwrap_err().to_string();
    assert!(error.contains("nowhere") && !error.contains('\n'), "{error}");

    let value = Model::new(&Graph::perceptron(&[4, 1]), &[arr2(&[[1.0, 0.0, 0.0, 0.0]]), arr2(&[[0.5]])], "").unwrap();
    let text = SCHEMA
        .replace("classification", "regression")
        .replace(r#""classes": ["no", "yes"]"#, r#""target": {"mean": 7.0, "deviation": 2.0}"#);
    let value = value.with_input(evaluate::input(&serde_json::from_str(&text).unwrap())).unwrap();
    std::fs::write(&file, "dose,town,age\n0,here,60\n").unwrap();
    let answers = Predictions::open(&value, &Source::of(&file), None).unwrap().next(9).unwrap().unwrap();
    assert_eq!(answers, [Answer { file: None, class: None, numbers: vec![10.0] }]);
}

/// The case `01-onnx-raw-input` of the data crate: an ONNX file that was written takes a file's columns as they are, and gives classes
/// and values in their own unit. Reading it believes what its graph does, not what its metadata says.
#[test]
fn an_onnx_file_takes_raw_columns() {
    let folder = tempfile::tempdir().unwrap();
    for (file, task) in [("iris_sorted.csv", Task::Classification), ("diab.csv", Task::Regression)] {
        let source = Source::of(Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/tests/cases/01-onnx-raw-input").join(file));
        let schema = Schema { holdout: 0, ..template(&source, "target", Some(task), None, &[]).unwrap() };
        let [all, none] = Samples::read(&mut Records::open(&source, &schema, &[], true).unwrap()).unwrap();
        let data = Dataset { name: file.into(), schema, train: all, test: none };
        let trainer = train::training(TrainSpec { epochs: 20, ..TrainSpec::default() }, &data).trainer().unwrap();
        let parts = [&data.train, &data.train];
        let trained = plain::train(&trainer, &data.schema, parts, &AtomicBool::new(false), &mut |_, _, _, _| ()).unwrap();
        let path = folder.path().join("model.onnx");
        let model = evaluate::model(&data.schema, trainer.network().graph(), &trained.params).unwrap();
        evaluate::save(&model, &path).unwrap();

        let read = evaluate::load(&path).unwrap();
        let mut predictions = Predictions::open(&read, &source, None).unwrap();
        let answers = predictions.next(1000).unwrap().unwrap();
        assert!(predictions.next(1).unwrap().is_none());
        let text = std::fs::read_to_string(&source.path).unwrap();
        let labels: Vec<&str> = text.lines().skip(1).filter_map(|line| line.rsplit(',').next()).collect();
        assert_eq!(answers.len(), labels.len());
        let figures = evaluate(&model, &data.schema, &source).unwrap();
        if task == Task::Classification {
            let right = answers.iter().zip(&labels).filter(|(a, y)| a.class.as_deref() == Some(**y)).count() as f64;
            let accuracy = right / labels.len() as f64;
            assert_eq!(Some(accuracy), figures.accuracy);
            assert!(accuracy > 0.9, "{accuracy}");
        } else {
            let squares = answers.iter().zip(&labels).map(|(a, y)| (a.numbers[0] - y.parse::<f64>().unwrap()).powi(2));
            let (mean, deviation) = (squares.sum::<f64>() / labels.len() as f64, data.schema.target.unwrap().deviation);
            let error = mean / deviation.powi(2);
            assert!((error - figures.squared_error.unwrap()).abs() < 1e-3 && error < 0.7, "{error}, {figures:?}");
        }
    }
}

/// Every kind of column: what an owner shares of a file is what a model makes of it, from its own file in any format.
#[test]
fn a_model_prepares_a_file_as_its_job_does() {
    let schema: Schema = serde_json::from_str(
        r#"{"task": "classification", "label": "y", "classes": ["no", "yes"], "holdout": 0, "columns": [
            {"kind": "number", "name": "age", "mean": 50.0, "deviation": 10.0, "clip": [20, 55], "missing": ["", "-1"], "fill": 45.5, "indicator": true},
            {"kind": "range", "name": "dose", "min": 0.0, "max": 200.0, "missing": ["NA"], "fill": 100.0},
            {"kind": "log", "name": "income", "mean": 0.0, "deviation": 0.5, "clip": [0.1, 1e6], "missing": ["-"], "fill": 1.0},
            {"kind": "boolean", "name": "smoker"},
            {"kind": "ordinal", "name": "stage", "values": ["I", "II", "III"], "missing": [""], "fill": "II", "indicator": true},
            {"kind": "category", "name": "town", "values": ["here", "there"], "other": true, "missing": [""], "fill": "here"},
            {"kind": "date", "name": "born", "since": "2000-01-01", "mean": 100.0, "deviation": 50.0, "parts": ["weekday"], "encoding": "one-hot",
             "missing": ["?"], "fill": "2000-01-03", "indicator": true},
            {"kind": "date", "name": "left", "format": "%d.%m.%Y", "parts": ["year", "month"]},
            {"kind": "numbers", "name": "gene", "count": 3, "mean": 1.0, "deviation": 2.0, "clip": [0, 7]}]}"#,
    )
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("records.csv");
    let text = "gene0,gene1,gene2,town,stage,smoker,income,dose,age,y,left,born\n1,2,3,here,I,true,2.718281828459045,50,60,no,1.4.2010,2000-04-10\n\
                -1,0,1e9,elsewhere,III,0,-,NA,,yes,01.07.2020,?\n5,5,5,,,FALSE,1e-30,250,-1.0,no,31.1.1995,2000-12-31T12:00\n";
    std::fs::write(&file, text).unwrap();
    let source = Source::of(&file);
    let [all, _] = Samples::read(&mut Records::open(&source, &schema, &[], true).unwrap()).unwrap();
    let [shared, _] = all.decoded(&schema);
    assert_eq!(shared.shape(), [3, 24]);
    let exact = [
        [
            &[0.5, 0.0, 0.25, 2.0, 1.0, 0.0, 0.0, 1.0, 0.0],
            &[0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0][..],
            &[1.0, 1.0, 0.0],
            &[0.0, 0.5, 1.0],
        ]
        .concat(),
        [
            &[-0.45, 1.0, 0.5, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0],
            &[-1.96, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0][..],
            &[2.0, 0.0, -1.0],
            &[-0.5, -0.5, 3.0],
        ]
        .concat(),
        [
            &[-0.45, 1.0, 1.0, -4.605_170_186, 0.0, 0.5, 1.0, 1.0, 0.0],
            &[5.31, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0][..],
            &[-0.5, 0.0, 1.0],
            &[2.0, 2.0, 2.0],
        ]
        .concat(),
    ];
    assert!(shared.iter().zip(exact.iter().flatten()).all(|(a, b)| (a - b).abs() <= 1.0 / 4096.0), "{shared}");

    let params = [arr2(&[[0.0; 24], [1.0; 24]]), arr2(&[[0.0, 0.0]])];
    let model = evaluate::model(&schema, &Graph::perceptron(&[24, 2]), &params).unwrap();
    for name in ["model.safetensors", "model.onnx"] {
        let path = folder.path().join(name);
        evaluate::save(&model, &path).unwrap();
        let read = evaluate::load(&path).unwrap();
        let input = read.prepared().unwrap().clone();
        let mut records = Unlabelled::open(input, Shape::Flat(24), &source, None).unwrap();
        let prepared = records.next(9).unwrap().unwrap();
        let far = prepared.iter().zip(&shared).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(prepared.shape() == [3, 24] && far <= 1.0 / 4096.0, "{name}: {far}\n{prepared}");
    }
}
