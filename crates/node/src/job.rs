//! A job: what is trained on whose records by whom for whom, and what is opened on the way. All of it is public; parties and owners
//! approve its hash, and every share is bound to that.
//!
//! The file is `job.toml`. A member (`[[party]]`, `[[owner]]`, `[model_owner]`) is a table with `name`, `fingerprint` and, for a
//! party, `address`, or the name alone where the peers file knows the rest. The hash is of everything but the addresses: a server may
//! move without a new job.

use crate::{Error, Result, SuiteName, Training};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::Path;
use trefoil_client::Address;
use trefoil_client::peers::Peers;
use trefoil_data::schema::{Partition, Schema, Task};
use trefoil_net::Id;
use trefoil_net::identity::Fingerprint;
use trefoil_nn::{Metric, Open};

/// Everything that parties and owners agree to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// For people.
    pub name: String,
    /// Protocol suite.
    #[serde(default = "masked")]
    pub suite: SuiteName,
    /// Whether it begins by itself once everybody has approved and shared, or waits for `trefoil job start`.
    #[serde(default)]
    pub start: Start,
    /// P0, P1 and P2.
    pub party: [Member; 3],
    /// Those who share records, in the order in which these are joined.
    pub owner: Vec<Owner>,
    /// The only one who gets the model.
    pub model_owner: Member,
    /// The records.
    pub data: Schema,
    /// The training.
    #[serde(default)]
    pub train: Settings,
    /// What P0 and P1 get to see.
    #[serde(default)]
    pub open: Opened,
    /// When the parties write down their shares of the state.
    #[serde(default)]
    pub checkpoint: Checkpoint,
    /// INSECURE, for tests: the parties take their masks from a seed in their configurations. Everybody who approves must know.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure_masks: bool,
    /// For study: train with SecureNN's local truncation even if it is expected to destroy the model.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure_accept_wraps: bool,
}

/// When a job begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// Once everybody has approved and shared.
    #[default]
    Ready,
    /// When all three operators have said so.
    Request,
}

/// Somebody with a certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// For people.
    pub name: String,
    /// Of the certificate.
    pub fingerprint: Fingerprint,
    /// `host:port`, of a party.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// Somebody who shares records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// For people.
    pub name: String,
    /// Of the certificate.
    pub fingerprint: Fingerprint,
    /// Owners have no address; the peers file may name one all the same.
    #[serde(default, skip_serializing)]
    pub address: Option<String>,
    /// Vertical partition: the feature columns that this owner has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Vertical partition: whether this owner has the label.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub label: bool,
}

/// How to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Sizes of the hidden layers.
    pub hidden: Vec<usize>,
    /// Times that the records are gone through.
    pub epochs: u64,
    /// Records in a step.
    pub batch: usize,
    /// Learning rate at the start.
    pub lr: f64,
    /// `constant`, `cosine`, or rates with the epoch from which on they hold.
    pub lr_schedule: String,
    /// Momentum; 0 for none.
    pub momentum: f64,
    /// Classification: `exact` or `asm`.
    pub softmax: String,
    /// SecureNN: `dealer` or `local`.
    pub truncation: String,
    /// Fraction bits of activations.
    pub fraction_bits: u8,
    /// Public seed of initial weights and batch order.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            hidden: vec![16],
            epochs: 10,
            batch: 32,
            lr: 0.05,
            lr_schedule: "cosine".into(),
            momentum: 0.9,
            softmax: "exact".into(),
            truncation: "dealer".into(),
            fraction_bits: 16,
            seed: 1,
        }
    }
}

/// What is opened to P0 and P1 after each epoch. The number of blocks of weights that have left their range, which should be 0, is
/// opened in any case.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Opened {
    /// The mean loss of a fixed sample of training records.
    pub loss: bool,
    /// A figure of the held-out records.
    pub metric: MetricName,
}

impl Default for Opened {
    fn default() -> Opened {
        Opened { loss: true, metric: MetricName::Default }
    }
}

/// A figure of the held-out records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetricName {
    /// Accuracy, or the mean squared error of a regression.
    #[default]
    Default,
    /// The share of records in the right class.
    Accuracy,
    /// The area under the ROC curve, of two classes.
    Auc,
    /// The mean squared error.
    SquaredError,
    /// None.
    Nothing,
}

/// When checkpoints are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Checkpoint {
    /// After every so many steps.
    pub steps: u64,
}

impl Default for Checkpoint {
    fn default() -> Checkpoint {
        Checkpoint { steps: 100 }
    }
}

fn masked() -> SuiteName {
    SuiteName::Masked
}

/// A larger file is no job.
const MOST: u64 = 1 << 20;

impl Job {
    /// Reads a job's file; members that are names alone are looked up in `peers`.
    ///
    /// # Errors
    /// The file cannot be read, or is no job that can be trained.
    pub fn load(path: &Path, peers: &Peers) -> Result<Job> {
        let size = std::fs::metadata(path).map_err(Error::file(path))?.len();
        if size > MOST {
            return Err(Error::config(path.display(), format!("{size} bytes"), format!("at most {MOST}")));
        }
        let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
        Job::parse(&text, &path.display().to_string(), peers)
    }

    /// The same from text; `file` is its name in errors.
    ///
    /// # Errors
    /// As for [`Job::load`].
    pub fn parse(text: &str, file: &str, peers: &Peers) -> Result<Job> {
        let bad = |e: toml::de::Error| {
            let line = e.span().map_or(0, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
            let place = if line > 0 { format!("{file}, line {line}") } else { file.to_owned() };
            Error::config(place, e.message().replace('\n', " "), "a job")
        };
        let mut table: toml::Table = toml::from_str(text).map_err(bad)?;
        for list in ["party", "owner"] {
            for member in table.get_mut(list).and_then(toml::Value::as_array_mut).into_iter().flatten() {
                resolve(member, peers, file)?;
            }
        }
        if let Some(member) = table.get_mut("model_owner") {
            resolve(member, peers, file)?;
        }
        let job: Job = table.try_into().map_err(bad)?;
        job.check(file)?;
        Ok(job)
    }

    /// A job as it came from somebody else.
    ///
    /// # Errors
    /// It is no job that can be trained.
    pub fn from_json(value: serde_json::Value) -> Result<Job> {
        let job: Job = serde_json::from_value(value).map_err(|e| Error::config("job", e, "the fields of a job"))?;
        job.check("job")?;
        Ok(job)
    }

    fn check(&self, file: &str) -> Result<()> {
        let refuse = |what: &str, found: String, expected: &str| Err(Error::config(format!("{file}: {what}"), found, expected));
        self.data.check().map_err(Error::Data)?;
        let members = self.party.iter().chain([&self.model_owner]).map(|m| (&m.name, m.fingerprint));
        for (name, _) in members.chain(self.owner.iter().map(|o| (&o.name, o.fingerprint))) {
            if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
                return refuse("name", format!("{name:?}"), "1 to 64 characters");
            }
        }
        let mut seen = BTreeSet::new();
        let roles = self.party.iter().map(|m| m.fingerprint).chain(self.owner.iter().map(|o| o.fingerprint));
        for fingerprint in roles {
            if !seen.insert(fingerprint) {
                return refuse("roles", format!("{fingerprint} twice"), "a certificate of its own for each party and owner");
            }
        }
        if self.party.iter().any(|p| p.fingerprint == self.model_owner.fingerprint) {
            return refuse("model_owner", "a party's certificate".into(), "another: a party must not get the model");
        }
        if let Some(p) = self.party.iter().find(|p| p.address.as_deref().is_none_or(|a| !a.contains(':'))) {
            return refuse(&format!("party {}", p.name), format!("address {:?}", p.address), "host:port");
        }
        if self.owner.is_empty() || self.owner.len() > 10_000 {
            return refuse("owners", self.owner.len().to_string(), "1 to 10000");
        }
        if self.train.truncation == "local" && !self.insecure_accept_wraps {
            let expected = "dealer, or insecure_accept_wraps = true: local truncation destroys a model now and then";
            return refuse("train.truncation", "local".into(), expected);
        }
        if self.train.hidden.len() > 16 {
            return refuse("train.hidden", format!("{} layers", self.train.hidden.len()), "at most 16");
        }
        if self.checkpoint.steps == 0 {
            return refuse("checkpoint.steps", "0".into(), "at least 1");
        }
        self.check_partition(file)?;
        // Hyper-parameters are tried on as many records as a batch has.
        self.training(self.train.batch, self.train.batch.min(1))?.trainer()?;
        Ok(())
    }

    fn check_partition(&self, file: &str) -> Result<()> {
        let refuse = |what: String, found: String, expected: &str| Err(Error::config(format!("{file}: {what}"), found, expected));
        if self.data.partition == Partition::Horizontal {
            return match self.owner.iter().find(|o| !o.columns.is_empty() || o.label) {
                Some(o) => refuse(format!("owner {}", o.name), "columns or label".into(), "neither, in a horizontal partition"),
                None => Ok(()),
            };
        }
        let labels = self.owner.iter().filter(|o| o.label).count();
        if labels != 1 {
            return refuse("owners with label = true".into(), labels.to_string(), "1, in a vertical partition");
        }
        let mut left: Vec<&str> = self.data.columns.iter().map(|c| c.name()).collect();
        for owner in &self.owner {
            if owner.columns.is_empty() {
                return refuse(format!("owner {}", owner.name), "no columns".into(), "the columns that it has");
            }
            for column in &owner.columns {
                match left.iter().position(|c| c == column) {
                    Some(i) => drop(left.swap_remove(i)),
                    None => {
                        return refuse(
                            format!("owner {}", owner.name),
                            format!("column {column:?}"),
                            "columns of the job, each once",
                        );
                    }
                }
            }
        }
        match left.first() {
            Some(column) => refuse(format!("column {column:?}"), "no owner".into(), "an owner for each column"),
            None => Ok(()),
        }
    }

    /// SHA-256 of the job without addresses, in hex: what is approved.
    pub fn hash(&self) -> String {
        let mut job = self.clone();
        job.party.iter_mut().chain([&mut job.model_owner]).for_each(|m| m.address = None);
        hex::encode(Sha256::digest(serde_json::to_vec(&job).unwrap_or_default()))
    }

    /// What is trained, on so many records.
    ///
    /// # Errors
    /// A figure that does not go with the task.
    pub fn training(&self, train_rows: usize, test_rows: usize) -> Result<Training> {
        let t = &self.train;
        let (frac, bits) = self.data.input();
        Ok(Training {
            suite: self.suite,
            dataset: self.name.clone(),
            network: [vec![self.data.features()], t.hidden.clone(), vec![self.data.outputs()]].concat(),
            epochs: t.epochs,
            batch: t.batch,
            lr: t.lr,
            lr_schedule: t.lr_schedule.clone(),
            momentum: t.momentum,
            softmax: t.softmax.clone(),
            truncation: t.truncation.clone(),
            fraction_bits: t.fraction_bits,
            seed: t.seed,
            regression: self.data.task == Task::Regression,
            open: Open { loss: self.open.loss, metric: self.metric() },
            input_frac: frac,
            input_bits: bits,
            train_rows,
            test_rows,
        })
    }

    /// The figure that is opened.
    pub fn metric(&self) -> Option<Metric> {
        match (self.open.metric, self.data.task) {
            (MetricName::Nothing, _) => None,
            (MetricName::Auc, _) => Some(Metric::Auc),
            (MetricName::Accuracy, _) | (MetricName::Default, Task::Classification) => Some(Metric::Accuracy),
            (MetricName::SquaredError, _) | (MetricName::Default, Task::Regression) => Some(Metric::SquaredError),
        }
    }

    /// How clients reach the three parties.
    pub fn addresses(&self) -> [Address; 3] {
        Id::ALL.map(|id| {
            let party = &self.party[id.index()];
            Address { id, address: party.address.clone().unwrap_or_default(), fingerprint: party.fingerprint }
        })
    }

    /// Everybody's fingerprints.
    pub fn members(&self) -> impl Iterator<Item = Fingerprint> {
        let owners = self.owner.iter().map(|o| o.fingerprint);
        self.party.iter().map(|p| p.fingerprint).chain(owners).chain([self.model_owner.fingerprint])
    }

    /// Which of the three has this certificate.
    pub fn party_of(&self, fingerprint: Fingerprint) -> Option<Id> {
        Id::ALL.into_iter().find(|id| self.party[id.index()].fingerprint == fingerprint)
    }

    /// The place of the owner with this certificate.
    pub fn owner_of(&self, fingerprint: Fingerprint) -> Option<usize> {
        self.owner.iter().position(|o| o.fingerprint == fingerprint)
    }

    /// What somebody is called in this job, and what they are.
    pub fn role(&self, fingerprint: Fingerprint) -> String {
        if let Some(id) = self.party_of(fingerprint) {
            return format!("party {} ({id})", self.party[id.index()].name);
        }
        if let Some(i) = self.owner_of(fingerprint) {
            return format!("data owner {}", self.owner[i].name);
        }
        match fingerprint == self.model_owner.fingerprint {
            true => format!("model owner {}", self.model_owner.name),
            false => format!("stranger {fingerprint}"),
        }
    }

    /// The feature columns of an owner, all of them in a horizontal partition, and whether it has the label.
    pub fn holding(&self, owner: usize) -> (Vec<String>, bool) {
        match self.data.partition {
            Partition::Horizontal => (vec![], true),
            Partition::Vertical => (self.owner[owner].columns.clone(), self.owner[owner].label),
        }
    }

    /// Values in a row of an owner: its features, and the label where it has it.
    pub fn widths(&self, owner: usize) -> (usize, usize) {
        let (columns, label) = self.holding(owner);
        let features: usize = match self.data.partition {
            Partition::Horizontal => self.data.features(),
            Partition::Vertical => {
                self.data.columns.iter().filter(|c| columns.iter().any(|n| n == c.name())).map(|c| c.width()).sum()
            }
        };
        (features, if label { self.data.outputs() } else { 0 })
    }
}

/// A member that is a name, or a table without a fingerprint, from the peers file.
fn resolve(member: &mut toml::Value, peers: &Peers, file: &str) -> Result<()> {
    if let toml::Value::String(name) = member {
        *member = toml::Value::Table([("name".to_owned(), toml::Value::String(name.clone()))].into_iter().collect());
    }
    let Some(table) = member.as_table_mut() else { return Ok(()) };
    let Some(name) = table.get("name").and_then(toml::Value::as_str).map(str::to_owned) else { return Ok(()) };
    let known = peers.get(&name).ok();
    match (table.get("fingerprint").and_then(toml::Value::as_str), known) {
        (None, None) => {
            let expected = "its fingerprint, here or by `trefoil peers add`";
            return Err(Error::config(format!("{file}: {name}"), "a name alone", expected));
        }
        (None, Some(peer)) => {
            table.insert("fingerprint".into(), toml::Value::String(peer.fingerprint.to_string()));
        }
        (Some(found), Some(peer)) if found.parse::<Fingerprint>().ok() != Some(peer.fingerprint) => {
            let expected = format!("{}, as the peers file has it", peer.fingerprint);
            return Err(Error::config(format!("{file}: fingerprint of {name}"), found, expected));
        }
        _ => {}
    }
    if let (None, Some(address)) = (table.get("address"), known.and_then(|p| p.address.clone())) {
        table.insert("address".into(), toml::Value::String(address));
    }
    Ok(())
}
