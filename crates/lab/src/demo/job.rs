//! The job that a demo's parties approve, and an owner's records as it shares them.

use super::settings::Demo;
use sha2::{Digest, Sha256};
use trefoil_client::share::{CHUNK, Chunk, Source};
use trefoil_data::{Dataset, Samples};
use trefoil_job::Job;
use trefoil_job::{Checkpoint, Member, MetricName, Opened, Owner, Start};
use trefoil_mpc::securenn::Truncation;
use trefoil_net::Id;
use trefoil_net::identity::Identity;
use trefoil_nn::Metric;
use trefoil_ring::Tensor;
use trefoil_server::Result;

/// Everybody's keys, made for one run and never written down.
pub struct Keys {
    /// P0, P1 and P2.
    pub parties: [Identity; 3],
    /// The data owners, in the order in which their records are joined.
    pub owners: Vec<Identity>,
    /// The model owner.
    pub model_owner: Identity,
}

impl Keys {
    /// Fresh keys for so many data owners.
    ///
    /// # Errors
    /// No randomness.
    pub fn generate(owners: usize) -> Result<Keys> {
        let owner = |i| Identity::generate(&format!("owner-{}", i + 1));
        Ok(Keys {
            parties: [Identity::generate("P0")?, Identity::generate("P1")?, Identity::generate("P2")?],
            owners: (0..owners).map(owner).collect::<std::result::Result<_, _>>()?,
            model_owner: Identity::generate("model-owner")?,
        })
    }
}

/// The job of a demo whose parties listen at `addresses`.
pub fn job(demo: &Demo, data: &Dataset, keys: &Keys, addresses: &[String; 3]) -> Job {
    let t = &demo.training;
    let name: String = data.name.chars().filter(|c| !c.is_control()).take(64).collect();
    Job {
        name: if name.is_empty() { "demo".into() } else { name },
        suite: demo.suite.suite,
        truncation: demo.suite.truncation,
        insecure_masks: demo.insecure_mask_seed.is_some(),
        // The command has asked already.
        insecure_accept_wraps: demo.suite.truncation == Truncation::Local,
        start: Start::Ready,
        party: Id::ALL.map(|id| Member {
            name: id.to_string(),
            fingerprint: keys.parties[id.index()].fingerprint(),
            address: Some(addresses[id.index()].clone()),
        }),
        owner: keys
            .owners
            .iter()
            .enumerate()
            .map(|(i, key)| Owner {
                name: format!("owner-{}", i + 1),
                fingerprint: key.fingerprint(),
                address: None,
                columns: vec![],
                label: false,
            })
            .collect(),
        model_owner: Some(Member { name: "model-owner".into(), fingerprint: keys.model_owner.fingerprint(), address: None }),
        data: data.schema.clone(),
        train: t.spec.clone(),
        // All owners are one user here, who is shown every figure.
        open: Opened {
            loss: true,
            metric: MetricName::Of(Metric::Accuracy),
            also: t.open.also,
            least_records: 1,
            statistics: false,
            clipped: false,
        },
        checkpoint: Checkpoint::default(),
        serve: None,
    }
}

/// An owner's masks in a run with insecure ones: they follow from the run's seed.
pub fn owner_seed(seed: u64, owner: usize) -> [u8; 32] {
    Sha256::digest(format!("insecure owner seed {seed} {owner}")).into()
}

/// An owner's records in chunks of rows: first those to train on, then those held out.
pub struct Rows<'a> {
    parts: [&'a Samples; 2],
    /// Which of the parts, and from which row on.
    at: (usize, usize),
}

impl<'a> Rows<'a> {
    /// Of one owner: records to train on, and records held out.
    pub fn new(train: &'a Samples, test: &'a Samples) -> Rows<'a> {
        Rows { parts: [train, test], at: (0, 0) }
    }

    /// Values in a row.
    pub fn width(&self) -> usize {
        self.parts[0].width()
    }
}

impl Source for Rows<'_> {
    fn next(&mut self) -> std::result::Result<Option<Chunk>, Box<dyn std::error::Error + Send + Sync>> {
        let (part, from) = self.at;
        let Some(samples) = self.parts.get(part) else { return Ok(None) };
        if from == samples.rows() {
            self.at = (part + 1, 0);
            return self.next();
        }
        let rows = from..samples.rows().min(from + (CHUNK / self.width().max(1)).max(1));
        self.at = (part, rows.end);
        // Two's complement: the ring's way to have negative numbers.
        let words = samples.range(rows.clone()).iter().map(|v| *v as u64).collect();
        Ok(Some(Chunk { test: part == 1, x: Tensor::from_shape_vec((rows.len(), self.width()), words)? }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use trefoil_data::schema;
    use trefoil_job::SuiteName;
    use trefoil_job::suites::Chosen;
    use trefoil_job::train::training;
    use trefoil_nn::graph::Form;
    use trefoil_nn::{Graph, LossKind, SoftmaxKind, TrainSpec};

    /// Two features that the columns say, of three classes.
    fn dataset(columns: &str, train: i64, test: i64) -> Dataset {
        let part = |rows: i64| {
            let row = |i: i64| [-i, i + 1].into_iter().chain((0..3).map(move |class| i64::from(class == i % 3)));
            Samples::new((0..rows).flat_map(row).collect(), 5)
        };
        let schema = format!(
            r#"{{"task": "classification", "label": "label", "classes": ["a", "b", "c"], "holdout": 0, "columns": [{columns}]}}"#
        );
        let schema = serde_json::from_str(&schema).unwrap();
        Dataset { name: "three".into(), schema, train: part(train), test: part(test) }
    }

    const NUMBERS: &str = r#"{"kind": "number", "name": "x", "mean": 0.0, "deviation": 1.0},
        {"kind": "range", "name": "y", "min": 0.0, "max": 1.0}"#;
    const PIXELS: &str = r#"{"kind": "pixels", "name": "p", "count": 2}"#;

    fn demo(data: &Dataset) -> Demo {
        let spec = TrainSpec {
            hidden: vec![5, 4],
            epochs: 2,
            batch: 4,
            softmax: SoftmaxKind::Asm,
            fraction_bits: Some(14),
            seed: 3,
            ..TrainSpec::default()
        };
        Demo {
            training: training(spec, data),
            start: None,
            suite: Chosen { suite: SuiteName::Securenn, truncation: Truncation::Local },
            owners: 2,
            threads: 1,
            timeout: Duration::from_secs(1),
            run_dir: "run".into(),
            program: "trefoil".into(),
            links: None,
            page: None,
            insecure_mask_seed: None,
            insecure_record: None,
        }
    }

    /// What the parties train by the job is what the demo was asked for, and what its baseline trains.
    #[test]
    fn the_job_is_the_training() {
        let image = r#"{"input": [1, 1, 2], "nodes": [{"op": {"conv2d": {"filters": 4, "kernel": [1, 2]}}}, {"op": "relu"},
            {"op": {"linear": {"outputs": 3}}, "name": "last", "from": "relu1"}]}"#;
        let image: Graph = serde_json::from_str(image).unwrap();
        for (columns, pixels, network) in [(NUMBERS, false, Graph::perceptron(&[2, 5, 4, 3])), (PIXELS, true, image)] {
            let data = dataset(columns, 9, 3);
            let (mut demo, keys) = (demo(&data), Keys::generate(2).unwrap());
            if pixels {
                let spec = &mut demo.training.spec;
                (spec.hidden, spec.network) = (TrainSpec::default().hidden, Some(Form::Graph(network.clone())));
            }
            let job = job(&demo, &data, &keys, &["a:1".into(), "b:2".into(), "c:3".into()]);
            assert_eq!(job.training(9, 3), demo.training);
            assert_eq!(job.network().unwrap(), network);
            assert_eq!(job.data, data.schema);
            // As its file and as the parties get it.
            let text = toml::to_string(&job).unwrap();
            let peers = trefoil_client::peers::Peers::default();
            assert_eq!(Job::parse(&text, "job.toml", &peers).unwrap().hash(), job.hash());
            assert_eq!(Job::from_json(serde_json::to_value(&job).unwrap()).unwrap().hash(), job.hash());
        }
    }

    /// One output for two classes: of owners' two columns the parties learn one. Any other records are refused in one line.
    #[test]
    fn one_output_is_for_two_classes() {
        let three = dataset(NUMBERS, 9, 3);
        let schema = |from: &str, to: &str| {
            let text = serde_json::to_string(&three.schema).unwrap().replace(from, to);
            serde_json::from_str(&text).unwrap()
        };
        let two = Dataset { schema: schema(r#","c""#, ""), ..dataset(NUMBERS, 9, 3) };
        let (mut demo, keys) = (demo(&two), Keys::generate(2).unwrap());
        demo.training.spec.loss = Some(LossKind::BinaryCrossEntropy);
        demo.training.spec.softmax = SoftmaxKind::Exact;
        let job_of = |demo: &Demo, data| job(demo, data, &keys, &["a:1".into(), "b:2".into(), "c:3".into()]);
        let accepted = |job: &Job| Job::from_json(serde_json::to_value(job).unwrap()).map_err(|e| e.to_string());
        let job = accepted(&job_of(&demo, &two)).unwrap();
        assert_eq!(job.training(9, 3), training(demo.training.spec.clone(), &two));
        assert_eq!((job.network().unwrap(), job.data.outputs()), (Graph::perceptron(&[2, 5, 4, 1]), 2));
        assert_eq!(toml::from_str::<Job>(&toml::to_string(&job).unwrap()).unwrap().train.loss, job.train.loss);

        let error = accepted(&job_of(&demo, &three)).unwrap_err();
        assert_eq!(error, "loss: found binary-cross-entropy with 3 classes, expected 2 classes");
        let mut value = Job { open: Opened { metric: MetricName::Default, ..job.open }, ..job_of(&demo, &two) };
        (value.data.task, value.data.target) = (schema::Task::Regression, Some(schema::Standard { mean: 0.0, deviation: 1.0 }));
        value.data.classes.clear();
        let error = accepted(&value).unwrap_err();
        assert_eq!(error, "loss: found binary-cross-entropy with a regression, expected 2 classes");
        value.train.loss = Some(LossKind::CrossEntropy);
        let error = accepted(&value).unwrap_err();
        assert_eq!(error, "loss: found cross-entropy with a regression, expected classes, with an output each");
        demo.training.spec.softmax = SoftmaxKind::Asm;
        let error = accepted(&job_of(&demo, &two)).unwrap_err();
        assert_eq!(error, "softmax: found asm with one output, expected exact: one output has no softmax");
    }

    #[test]
    fn rows() {
        let data = dataset(NUMBERS, 4, 2);
        let mut rows = Rows::new(&data.train, &data.test);
        let chunk = rows.next().unwrap().unwrap();
        assert_eq!((chunk.test, chunk.x.dim(), rows.width()), (false, (4, 5), 5));
        assert_eq!(chunk.x.row(1).to_vec(), [-1i64 as u64, 2, 0, 1, 0]);
        let chunk = rows.next().unwrap().unwrap();
        assert_eq!((chunk.test, chunk.x.dim()), (true, (2, 5)));
        assert!(rows.next().unwrap().is_none());
    }

    #[test]
    fn wide_records_come_in_chunks() {
        let width = CHUNK / 2 + 2;
        let [train, test] = [3, 1].map(|rows| Samples::new(vec![0; rows * width], width));
        let mut rows = Rows::new(&train, &test);
        let mut counts = vec![];
        while let Some(chunk) = rows.next().unwrap() {
            counts.push((chunk.test, chunk.x.nrows()));
        }
        assert_eq!(counts, [(false, 1), (false, 1), (false, 1), (true, 1)]);
    }
}
