//! The model that a job's training starts from (`[train] start`): its file, held to the hash and to the records that the job describes.

use crate::evaluate::{input, prepared};
use crate::{Error, Job, Result};
use sha2::{Digest, Sha256};
use std::path::Path;
use trefoil_client::request::Request;
use trefoil_client::{Address, Patience, pieces};
use trefoil_data::schema::{Schema, Task};
use trefoil_net::identity::Identity;
use trefoil_nn::model::{Scale, Target, near};
use trefoil_nn::{Model, ModelHash, Trainer, Training};

/// What a file may have beside eight bytes a parameter.
const AROUND: u64 = 1 << 20;

/// A model's file.
pub struct StartModel {
    bytes: Vec<u8>,
    model: Model,
    hash: ModelHash,
}

impl StartModel {
    /// Reads a file of any format.
    ///
    /// # Errors
    /// The file cannot be read, or holds no model.
    pub fn load(path: &Path) -> Result<StartModel> {
        // What is too large for a model is refused before it is read.
        Model::load(path)?;
        StartModel::of(std::fs::read(path).map_err(Error::file(path))?, &path.display().to_string())
    }

    /// The same from a file's bytes; `file` is its name in errors.
    ///
    /// # Errors
    /// They are no model.
    pub fn of(bytes: Vec<u8>, file: &str) -> Result<StartModel> {
        let model = prepared(Model::read(&bytes, file)?)?;
        Ok(StartModel { hash: hash(&bytes), bytes, model })
    }

    /// SHA-256 of the file.
    pub fn hash(&self) -> ModelHash {
        self.hash
    }

    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A training on records of this schema, from this model on.
    ///
    /// # Errors
    /// The settings name another model; it has another network, other classes, or takes records that are prepared otherwise: it would be
    /// trained further from where it does not stand.
    pub fn begin(&self, trainer: Trainer, schema: &Schema) -> Result<Trainer> {
        is_the_one(self.hash, trainer.training().spec.start)?;
        self.check(schema)?;
        Ok(trainer.starting_from(&self.model)?)
    }

    /// A training, checked to fit into the ring: from this model on, where there is one.
    ///
    /// # Errors
    /// It does not fit; those of [`StartModel::begin`].
    pub fn trainer(start: Option<&StartModel>, training: &Training, schema: &Schema) -> Result<Trainer> {
        let trainer = training.trainer()?;
        match start {
            Some(model) => model.begin(trainer, schema),
            None => Ok(trainer),
        }
    }

    fn check(&self, schema: &Schema) -> Result<()> {
        let refuse = |what: String, found: String, expected: String| {
            Err(Error::config(format!("model to start from: {what}"), found, format!("{expected}, as the job has it")))
        };
        if let (trefoil_nn::Task::Classification(names), Task::Classification) = (self.model.task(), schema.task) {
            // Places alone are no names, unless the job's classes are the same numbers in another order.
            let numbered = names.iter().enumerate().all(|(i, name)| *name == i.to_string());
            let matters = !numbered || names.iter().all(|name| schema.classes.contains(name));
            if let (true, Some((found, expected))) = (matters, names.iter().zip(&schema.classes).find(|(a, b)| a != b)) {
                return refuse("classes".into(), format!("{found:?}"), format!("{expected:?}"));
            }
        }
        let (Some(own), job) = (self.model.prepared(), input(schema)) else { return Ok(()) };
        let (found, expected) = (own.scales(), job.scales());
        // A file that says nothing of its records takes numbers as they are.
        let says_nothing = found.iter().all(Scale::is_plain);
        let other = found.iter().zip(&expected).enumerate().find(|(_, (a, b))| !a.is_like(b));
        if let (false, Some((i, (a, b)))) = (says_nothing, other) {
            return refuse(format!("input {}", i + 1), a.to_string(), b.to_string());
        }
        let text = |t: Target| format!("{} + {} z", t.mean, t.deviation);
        match (own.target, job.target) {
            (Some(a), Some(b)) if !(near(a.mean, b.mean) && near(a.deviation, b.deviation)) => {
                refuse("target".into(), text(a), text(b))
            }
            // Behind the last layer of an ONNX file stands the target's unit, which the reader makes part of that layer.
            (None, Some(b)) if !says_nothing => refuse("target".into(), "one in its own unit".into(), text(b)),
            _ => Ok(()),
        }
    }
}

fn hash(file: &[u8]) -> ModelHash {
    ModelHash(Sha256::digest(file).into())
}

/// Refuses another file than the one that the settings name.
fn is_the_one(found: ModelHash, expected: Option<ModelHash>) -> Result<()> {
    if expected == Some(found) {
        return Ok(());
    }
    let expected = expected.map_or_else(|| "none".to_owned(), |hash| hash.to_string());
    Err(Error::config("model to start from: SHA-256 of the file", found, expected))
}

impl Job {
    /// The most bytes that the file of the model to start from may have.
    ///
    /// # Errors
    /// The job names no such model, or no network.
    pub fn most_of_start(&self) -> Result<u64> {
        if self.train.start.is_none() {
            return Err(Error::config("model to start from", "a file", "none: the job has no [train] start"));
        }
        let parameters: usize = self.network()?.params()?.iter().map(|p| p.dims.iter().product::<usize>()).sum();
        Ok(8 * parameters as u64 + AROUND)
    }

    /// The model to start from, by the bytes of its file: nothing is read of others than the job's.
    ///
    /// # Errors
    /// They are another file, no model, or one that does not fit the job.
    pub fn start_model(&self, bytes: Vec<u8>) -> Result<StartModel> {
        is_the_one(hash(&bytes), self.train.start)?;
        StartModel::of(bytes, "model to start from")
    }

    /// Brings the model to start from to a party that has the job.
    ///
    /// # Errors
    /// It is not the job's, or does not fit it; the party refuses, or cannot be reached.
    pub fn give_start(&self, model: &StartModel, identity: &Identity, party: &Address, patience: Patience) -> Result<()> {
        model.begin(self.trial().trainer()?, &self.data)?;
        let request = Request::StartModel { job: self.hash(), bytes: model.bytes().len() as u64 };
        Ok(pieces::give(party, identity, patience, &request, model.bytes())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use trefoil_nn::Graph;

    fn schema(columns: &str, classes: &str) -> Schema {
        let text = format!(r#"{{"task": "classification", "label": "y", "classes": {classes}, "columns": [{columns}]}}"#);
        serde_json::from_str(&text).unwrap()
    }

    /// A model of two columns, as a job's owner fetches it.
    fn file(schema: &Schema) -> StartModel {
        let graph = Graph::perceptron(&[2, 2]);
        let params: Vec<_> = graph.params().unwrap().iter().map(|p| Array2::from_elem(p.shape(), 0.5)).collect();
        let model = crate::evaluate::model(schema, &graph, &params).unwrap();
        StartModel::of(model.to_onnx(), "m").unwrap()
    }

    const NUMBERS: &str =
        r#"{"kind": "number", "name": "a", "mean": 3.1, "deviation": 2.0}, {"kind": "range", "name": "b", "min": 0, "max": 7}"#;

    #[test]
    fn the_model_takes_the_records_of_the_job() {
        let schema_of = |columns: &str| schema(columns, r#"["no", "yes"]"#);
        let model = file(&schema_of(NUMBERS));
        let begin = |schema: &Schema, start| {
            let trainer = Training::of(Graph::perceptron(&[2, 2]), 64).unwrap().with(|t| t.spec.start = start).trainer().unwrap();
            model.begin(trainer, schema).map_err(|e| e.to_string())
        };
        let own = Some(model.hash());
        begin(&schema_of(NUMBERS), own).unwrap();
        // Names of columns do not matter.
        begin(&schema_of(&NUMBERS.replace("\"a\"", "\"c\"")), own).unwrap();
        let e = begin(&schema_of(&NUMBERS.replace("3.1", "3.2")), own).unwrap_err();
        assert!(
            e.starts_with(
                "model to start from: input 1: found (v - 3.1) / 2 in [-8, 8], expected (v - 3.2) / 2 in [-8, 8], as the job"
            ),
            "{e}"
        );
        let e = begin(&schema_of(&NUMBERS.replace("\"max\": 7", "\"max\": 8")), own).unwrap_err();
        assert!(e.starts_with("model to start from: input 2: found (v - 0) / 7 in [0, 1]"), "{e}");
        let e = begin(&schema(NUMBERS, r#"["yes", "no"]"#), own).unwrap_err();
        assert_eq!(e, "model to start from: classes: found \"no\", expected \"yes\", as the job has it");
        for other in [None, Some(ModelHash([0; 32]))] {
            let e = begin(&schema_of(NUMBERS), other).unwrap_err();
            assert!(e.starts_with("model to start from: SHA-256 of the file: found "), "{e}");
        }
    }

    /// Safetensors, NumPy and ONNX are told apart without a name.
    #[test]
    fn files_of_all_formats() {
        let dir = tempfile::tempdir().unwrap();
        let model = file(&schema(NUMBERS, r#"["no", "yes"]"#)).model;
        let paths = ["m.safetensors", "m.npz", "m.onnx"].map(|name| dir.path().join(name));
        model.save(&paths[0]).unwrap();
        model.save_npz(&paths[1]).unwrap();
        model.save_onnx(&paths[2]).unwrap();
        for path in &paths {
            let found = StartModel::load(path).unwrap();
            assert!(found.model.max_difference(&model).unwrap() == 0.0);
            assert_eq!(found.hash(), StartModel::of(std::fs::read(path).unwrap(), "m").unwrap().hash());
        }
        let e = StartModel::of(b"no model at all".to_vec(), "m").err().unwrap().to_string();
        assert!(e.starts_with("m: ") && !e.contains('\n'), "{e}");
    }
}
