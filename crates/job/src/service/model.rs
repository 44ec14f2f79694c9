//! What a service answers from: the model of a job, which its parties have on shares already, or one that was trained elsewhere and that its
//! owner shares with them. What everybody who takes part knows of either is [`Known`].

use super::Service;
use crate::suites::Chosen;
use crate::{Error, Job, Member, Result, SuiteName, evaluate, predict};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use trefoil_client::request::Request;
use trefoil_client::{JobHash, Patience, pieces};
use trefoil_engine::fixed;
use trefoil_mpc::securenn::{SecureNn, Truncation};
use trefoil_mpc::{Key, Part, Suite};
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_net::{Id, Ring};
use trefoil_nn::graph::Form;
use trefoil_nn::model::{Column, Input};
use trefoil_nn::{Bound, Model, Network, Prediction, Ranges, Task};
use trefoil_ring::Tensor;

/// Bytes of the seed that stands for P0's share.
const SEED: usize = 32;

/// Bytes of a sharing's name.
const SHARING: usize = 16;

/// Grey levels p/256 have so many fraction bits.
const OF_PIXELS: u8 = 8;

/// Where a service's model comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The job that has trained it: the shares stay where they are.
    Job(JobHash),
    /// Its owner shares it.
    Shared(Box<Shared>),
}

impl Origin {
    /// The job, where it is a job's.
    pub fn job(&self) -> Option<JobHash> {
        match self {
            Origin::Job(job) => Some(*job),
            Origin::Shared(_) => None,
        }
    }

    /// What its owner says of it, where it is shared.
    pub fn shared(&self) -> Option<&Shared> {
        match self {
            Origin::Job(_) => None,
            Origin::Shared(shared) => Some(shared),
        }
    }
}

/// All that is public of a model that its owner shares: everything but its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shared {
    /// Who has it.
    pub owner: Member,
    /// The protocols that answer.
    pub suite: SuiteName,
    /// The names of the classes, in the order of the network's outputs; none for a regression.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Powers of two that its numbers stay below.
    pub ranges: Ranges,
    /// How a record in a file becomes the network's inputs.
    pub input: Input,
    /// Without batch normalisations, which are part of the layers before them.
    pub network: Form,
}

impl Shared {
    /// What `owner` says of a model. Columns that the model does not clip are taken to have values below 2^`whole`, once they are prepared.
    ///
    /// # Errors
    /// The model does not say how records are prepared, or does not fit into the ring.
    pub fn of(model: &Model, owner: Member, suite: SuiteName, whole: u8) -> Result<(Shared, Bound)> {
        let input = predict::input(model)?;
        let power = |most: f64| (0..=u8::MAX).find(|power| f64::from(*power).exp2() > most).unwrap_or(u8::MAX);
        let of = |column: &Column| match column {
            Column::Numbers { clip: Some([least, most]), .. } => power(least.abs().max(most.abs())),
            // A grey level is 255/256 at most.
            _ if column.is_pixels() => 0,
            Column::Numbers { .. } => whole,
            Column::Category { .. } | Column::Ordinal { .. } => power(1.0),
        };
        let largest = input.columns.iter().map(of).max().unwrap_or(whole);
        let fine = input.columns.iter().all(Column::is_pixels);
        let prepared = model.prepare(largest, fine.then_some(OF_PIXELS))?;
        let classes = match model.task() {
            Task::Classification(names) => names.clone(),
            Task::Regression => vec![],
        };
        let network = Form::Graph(prepared.prediction.network().graph().clone());
        Ok((Shared { owner, suite, classes, ranges: prepared.ranges, input, network }, prepared.bound))
    }

    /// What records are put into.
    pub fn task(&self) -> Task {
        if self.classes.is_empty() { Task::Regression } else { Task::Classification(self.classes.clone()) }
    }

    /// That it describes a model. `file` is the service's name in errors.
    pub(super) fn check(&self, file: &str) -> Result<()> {
        let refuse =
            |what: &str, found: String, expected: String| Err(Error::config(format!("{file}: model.{what}"), found, expected));
        let chosen = Chosen { suite: self.suite, truncation: Truncation::default() };
        chosen.takes_models(&format!("{file}: model.suite"))?;
        let network = Network::new(self.network.graph()?)?;
        self.input.check(network.width(), &format!("{file}: model.input"))?;
        let (found, outputs) = (self.classes.len(), network.outputs());
        if found != 0 && found != outputs.max(2) || found == 0 && outputs != 1 {
            let expected = if outputs == 1 { "2, or none for a value".into() } else { format!("{outputs}, as the network") };
            return refuse("classes", format!("{found} names"), expected);
        }
        let bad = |n: &&String| n.is_empty() || n.chars().count() > 200 || n.chars().any(char::is_control);
        if let Some(name) = self.classes.iter().find(bad) {
            return refuse("classes", format!("{name:?}"), "1 to 200 characters".into());
        }
        if self.input.target.is_some() && found != 0 {
            return refuse("input.target", "one of a classification".into(), "none: only a regression has it".into());
        }
        Ok(())
    }

    /// The parameters of a model, in the order and the formats of the prediction; refused where it is another one than this.
    fn params(&self, model: &Model, prediction: &Prediction) -> Result<Vec<Array2<f64>>> {
        let refuse = |what: &str| {
            let expected = "that of the service's file: write one for this model by `trefoil service template`";
            Err(Error::config("model", format!("another {what}"), expected))
        };
        let (graph, params) = model.folded()?;
        if graph != *prediction.network().graph() {
            return refuse("network");
        }
        if *model.task() != self.task() {
            return refuse("task or other classes");
        }
        if predict::input(model)? != self.input {
            return refuse("preparation of records");
        }
        Ok(params)
    }
}

/// What everybody who takes part in a service knows of its model.
pub struct Known {
    /// The protocols.
    pub chosen: Chosen,
    /// The network and its formats.
    pub prediction: Prediction,
    /// How records are prepared.
    pub input: Input,
    /// What records are put into.
    pub task: Task,
    /// What all services of the same job may be asked together, in records; `None` where it is no job's model.
    pub most: Option<u64>,
}

impl Service {
    /// What is known of the model: of a job's from the job, which must allow the service.
    ///
    /// # Errors
    /// The job is another one, or is missing; the service exceeds it; the network does not fit into the ring.
    pub fn known(&self, job: Option<&Job>) -> Result<Known> {
        match (&self.model, job) {
            (Origin::Shared(shared), _) => {
                let prediction = Prediction::new(shared.network.graph()?, &shared.ranges)?;
                self.check_largest(prediction.network())?;
                let chosen = Chosen { suite: shared.suite, truncation: Truncation::Dealer };
                Ok(Known { chosen, prediction, input: shared.input.clone(), task: shared.task(), most: None })
            }
            (Origin::Job(_), Some(job)) => {
                self.check_against(job)?;
                let prediction = job.trial().trainer()?.prediction()?;
                let (input, task) = (evaluate::asked(&job.data), predict::task(&job.data));
                let most = job.serve.as_ref().map_or(0, |serve| serve.records);
                Ok(Known { chosen: job.chosen(), prediction, input, task, most: Some(most) })
            }
            (Origin::Job(hash), None) => Err(Error::config("job", "none", hash)),
        }
    }

    /// Bytes of what each party is given of a shared model; `None` for a job's.
    ///
    /// # Errors
    /// The network is none.
    pub fn bytes_of_model(&self, id: Id) -> Result<Option<u64>> {
        let Some(shared) = self.model.shared() else { return Ok(None) };
        let words: usize = shared.network.graph()?.params()?.iter().map(|p| p.dims.iter().product::<usize>()).sum();
        Ok(Some([SEED as u64, (words * size_of::<u64>()) as u64, 0][id.index()]))
    }

    /// A party's words of a shared model, of all parameters one after the other, from the bytes that its owner has brought; none at P2.
    ///
    /// # Errors
    /// They are none of this model's.
    pub fn words_of_model(&self, id: Id, bytes: Vec<u8>) -> Result<Vec<u64>> {
        let (ring, n) = match (id, self.bytes_of_model(Id::P1)?) {
            (Id::P2, _) | (_, None) => return Ok(vec![]),
            (Id::P0, Some(of_p1)) => (Ring::Bits(8), of_p1 as usize / size_of::<u64>()),
            (Id::P1, Some(of_p1)) => (Ring::Word, of_p1 as usize / size_of::<u64>()),
        };
        let (found, len) = (bytes.len(), if id == Id::P0 { SEED } else { n });
        let unfit = || Error::config("share of the model", format!("{found} bytes"), format!("{len} elements"));
        let part = Part::from_wire(ring, len as u64, bytes).ok_or_else(unfit)?;
        let kept =
            SecureNn::accept(id, n, &[part]).map_err(|found| Error::config("share of the model", found, "its own parts"))?;
        Ok(kept.words().into_iter().flatten().collect())
    }

    /// Whether this certificate is the owner's of a model that it shares.
    pub fn is_model_owner(&self, fingerprint: Fingerprint) -> bool {
        self.model.shared().is_some_and(|shared| shared.owner.fingerprint == fingerprint)
    }

    /// Owner: shares the model with the three parties. The weights w become w_0 + w_1: the seed of w_0 is for P0, w_1 for P1, and P2 is
    /// told that they are there. What a party has of an earlier try is replaced, until the service answers.
    ///
    /// # Errors
    /// It is another model than the service's file describes, or has larger weights; a party cannot be reached, or refuses; no randomness.
    pub fn share_model(&self, model: &Model, identity: &Identity, patience: Patience) -> Result<()> {
        let Some(shared) = self.model.shared() else {
            return Err(Error::config(
                "model",
                "one to share",
                "none: the service answers from the job's, which the parties have",
            ));
        };
        let prediction = self.known(None)?.prediction;
        let mut words = vec![];
        for (param, format) in shared.params(model, &prediction)?.iter().zip(prediction.params()) {
            words.extend(fixed::encode(param, *format).map_err(trefoil_nn::Error::Engine)?);
        }
        let random = || Key::fresh().map_err(|e| Error::config("keys", e, "randomness from the operating system"));
        let (seed, sharing) = (random()?, random()?);
        let whole = |e| Error::config("model", e, "its words");
        let w = Tensor::from_shape_vec((1, words.len()), words).map_err(whole)?;
        let parts = SecureNn::deal(&w, *seed.bytes());
        for party in self.addresses() {
            let bytes: Vec<u8> = parts[party.id.index()].iter().flat_map(|part| part.bytes().to_vec()).collect();
            let sharing = hex::encode(&sharing.bytes()[..SHARING]);
            let request = Request::ShareModel { service: self.hash(), sharing, bytes: bytes.len() as u64 };
            pieces::give(&party, identity, patience, &request, &bytes)?;
        }
        Ok(())
    }
}
