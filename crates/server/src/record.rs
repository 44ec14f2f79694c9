//! What a party remembers of a job, across restarts.

use crate::openings::Openings;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use trefoil_client::request::Summary;
use trefoil_data::schema::{Scale, Schema, secure_unit};
use trefoil_job::{Job, JobHash};
use trefoil_net::identity::Fingerprint;
use trefoil_nn::Figure;

/// A job at this party.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The version of what the job's fields mean that it came under: [`trefoil_job::SEMANTICS`].
    pub semantics: u32,
    /// The job.
    pub job: Job,
    /// Who proposed it.
    pub proposed_by: Fingerprint,
    /// Whether this party's operator has approved it. Not in the database: it follows from the signed approvals.
    #[serde(skip)]
    pub approved: bool,
    /// The owners that have; likewise.
    #[serde(skip)]
    pub owners: BTreeSet<Fingerprint>,
    /// Uploads that are complete at all three parties. In the database each has its own entry: one more of thousands is not all of them again.
    #[serde(skip)]
    pub uploads: BTreeMap<Fingerprint, Committed>,
    /// P2: the owners whose pseudonyms are here, with the hash of each list.
    #[serde(default)]
    pub joined: BTreeMap<Fingerprint, String>,
    /// Uploads that were refused after they had counted: for good, under these names.
    #[serde(default)]
    pub withdrawn: Vec<Withdrawn>,
    /// Whether a job that waits for it was told to begin.
    pub started: bool,
    /// Whether the model to start from is here, of a job that has one.
    #[serde(default)]
    pub start_model: bool,
    /// Where it stands.
    pub state: State,
    /// Whether its operator has resumed it here, and no session has begun since: peers where it has failed are waited for, until it is resumed there too.
    #[serde(default)]
    pub resumed: bool,
    /// The last step that is in a checkpoint at all three parties.
    pub checkpoint: u64,
    /// Steps of the whole training, once that is known.
    pub steps: u64,
    /// What was opened after the last epoch.
    pub last: Option<Figures>,
    /// All figures of the held-out records then, and why one is undefined.
    #[serde(default)]
    pub figures: Vec<Figure>,
    /// What was opened of the columns before the first step.
    #[serde(default)]
    pub statistics: Vec<OfColumn>,
    /// Which epochs' figures were opened.
    pub openings: Openings,
    /// Whether opened figures showed that training has gone astray. They are not opened again: nothing goes on from there.
    pub astray: bool,
    /// Whether the trained weights were found in range; without that, a fault has kept the check of the last epoch closed.
    pub checked: bool,
    /// Which epoch's model it is, where the job follows the best one.
    #[serde(default)]
    pub epoch: Option<u64>,
    /// The trained model's name: the same at all three parties.
    pub model: Option<String>,
    /// Whether its owner has fetched it.
    pub delivered: bool,
}

/// An upload that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// Its name.
    pub upload: String,
    /// Chunks and rows.
    pub summary: Summary,
    /// SHA-256 of all chunks as they came, in hex: what is trained on is held to it. Of those at rank 0, where others have some.
    pub sha256: String,
    /// What other ranks of this party keep of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartOf>,
    /// Whether the three parties have found that it keeps what the job promises of it.
    #[serde(default)]
    pub checked: bool,
}

/// What another rank than 0 keeps of an upload, on its own disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartOf {
    /// Which one.
    pub rank: usize,
    /// How many it has.
    pub chunks: u64,
    /// SHA-256 of these chunks as they came, in hex.
    pub sha256: String,
}

/// An upload that does not count any more. The parties tell it one another before each session: who has died between hearing that an
/// upload is refused and writing it down does so then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withdrawn {
    /// Whose it was.
    pub owner: Fingerprint,
    /// Its name.
    pub upload: String,
    /// Why it was refused.
    pub why: String,
}

/// What was opened after an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Counted from 1.
    pub epoch: u64,
    /// Mean loss.
    pub loss: Option<f64>,
    /// The first figure of the held-out records that the job names.
    pub metric: Option<f64>,
    /// Whether a fault has kept them closed: they were lost, and are not opened again.
    pub lost: bool,
}

/// What was opened of a column that is standardised on shares, in the column's own unit, over all owners' training records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfColumn {
    /// Its name.
    pub name: String,
    /// By what it is standardised, where that was opened.
    #[serde(flatten)]
    pub of: Option<Told>,
    /// How many of its values were clipped, where that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clipped: Option<u64>,
}

/// By what a column is standardised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Told {
    /// `scale = "secure"`.
    Standard {
        /// In the column's unit.
        mean: f64,
        /// Likewise, and at least 1/2000 of the bounds' width.
        deviation: f64,
    },
    /// `scale = "secure-range"`.
    Range {
        /// In the column's unit.
        min: f64,
        /// Likewise, and at least 1/1000 of the bounds' width more.
        max: f64,
    },
    /// `scale = "secure-quantiles"`.
    Quantiles {
        /// In the column's unit.
        median: f64,
        /// From the lower quartile to the upper one; at least 1/1000 of the bounds' width.
        interquartile: f64,
    },
}

/// In words.
impl fmt::Display for OfColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.of {
            Some(Told::Standard { mean, deviation }) => write!(f, "{} has mean {mean} and deviation {deviation}", self.name)?,
            Some(Told::Range { min, max }) => write!(f, "{} lies between {min} and {max}", self.name)?,
            Some(Told::Quantiles { median, interquartile }) => {
                write!(f, "{} has median {median} and interquartile range {interquartile}", self.name)?;
            }
            None => f.write_str(&self.name)?,
        }
        self.clipped.map_or(Ok(()), |n| write!(f, "; {n} values clipped"))
    }
}

impl OfColumn {
    /// From what was opened of each such column of a schema, as it is computed: statistics, and how many values were clipped.
    pub fn all(schema: &Schema, told: Option<&[[f64; 2]]>, clipped: Option<&[u64]>) -> Vec<OfColumn> {
        let columns = schema.columns.iter().filter_map(|column| Some((column.name(), column.scale()?)));
        let all = columns.enumerate().map(|(at, (name, (scale, within)))| {
            let (unit, middle) = (secure_unit(within), within[0] / 2.0 + within[1] / 2.0);
            let of = told.and_then(|told| told.get(at)).map(|[a, b]| match scale {
                Scale::Secure => Told::Standard { mean: middle + unit * a, deviation: unit * b },
                Scale::SecureRange => Told::Range { min: middle + unit * a, max: middle + unit * b },
                Scale::SecureQuantiles => Told::Quantiles { median: middle + unit * a, interquartile: unit * b },
            });
            OfColumn { name: name.to_owned(), of, clipped: clipped.and_then(|all| all.get(at)).copied() }
        });
        all.collect()
    }
}

/// Where a job stands at a party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum State {
    /// For approvals or records.
    Waiting,
    /// A session is on, or about to be.
    Running,
    /// A session broke off; the next one goes on from the last checkpoint.
    Interrupted {
        /// Peer and round.
        why: String,
    },
    /// Nothing is done until `trefoil job resume`.
    Failed {
        /// What was wrong.
        why: String,
    },
    /// For good.
    Cancelled {
        /// By whom.
        by: String,
    },
    /// The model is here.
    Trained,
}

impl State {
    /// Whether this party will do no more for the job by itself.
    pub fn is_final(&self) -> bool {
        matches!(self, State::Failed { .. }) || self.is_over()
    }

    /// Whether nobody needs the records any more.
    pub fn is_over(&self) -> bool {
        matches!(self, State::Cancelled { .. } | State::Trained)
    }
}

/// In words.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Waiting => f.write_str("waiting"),
            State::Running => f.write_str("running"),
            State::Interrupted { why } => write!(f, "interrupted: {why}"),
            State::Failed { why } => write!(f, "failed: {why}"),
            State::Cancelled { by } => write!(f, "cancelled by {by}"),
            State::Trained => f.write_str("trained"),
        }
    }
}

impl Record {
    /// A job that was just proposed.
    pub fn new(job: Job, by: Fingerprint) -> Record {
        Record {
            semantics: trefoil_job::SEMANTICS,
            job,
            proposed_by: by,
            approved: false,
            owners: BTreeSet::new(),
            uploads: BTreeMap::new(),
            joined: BTreeMap::new(),
            withdrawn: vec![],
            started: false,
            start_model: false,
            state: State::Waiting,
            resumed: false,
            checkpoint: 0,
            steps: 0,
            last: None,
            figures: vec![],
            statistics: vec![],
            openings: Openings::default(),
            astray: false,
            checked: false,
            epoch: None,
            model: None,
            delivered: false,
        }
    }

    /// Whether what the database has under the job's name is the same.
    pub fn is_stored_as(&self, other: &Record) -> bool {
        fn kept(record: &Record) -> impl PartialEq + '_ {
            let Record {
                semantics,
                job,
                proposed_by,
                approved: _,
                owners: _,
                uploads: _,
                joined,
                withdrawn,
                started,
                start_model,
                state,
                resumed,
                checkpoint,
                steps,
                last,
                figures,
                statistics,
                openings,
                astray,
                checked,
                epoch,
                model,
                delivered,
            } = record;
            let (asked, at) = ((semantics, job, proposed_by, started, start_model), (state, resumed, checkpoint, steps, epoch));
            (asked, joined, withdrawn, at, last, figures, statistics, openings, astray, checked, model, delivered)
        }
        kept(self) == kept(other)
    }

    /// Whether this upload of an owner was refused.
    pub fn is_withdrawn(&self, owner: Fingerprint, upload: &str) -> bool {
        self.withdrawn.iter().any(|w| w.owner == owner && w.upload == upload)
    }

    /// Why owners without an upload have none any more.
    pub fn refused(&self) -> BTreeMap<Fingerprint, &str> {
        let without = self.withdrawn.iter().filter(|w| !self.uploads.contains_key(&w.owner));
        without.map(|w| (w.owner, w.why.as_str())).collect()
    }

    /// What this party still waits for before it can begin; empty if nothing.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = vec![];
        if !self.approved {
            missing.push("this party's approval".to_owned());
        }
        let without: Vec<&str> =
            self.job.owner.iter().filter(|o| !self.uploads.contains_key(&o.fingerprint)).map(|o| o.name.as_str()).collect();
        match without[..] {
            [] => {}
            ref few if few.len() <= 5 => missing.push(format!("records of {}", few.join(", "))),
            _ => missing.push(format!("records of {} owners, {} among them", without.len(), without[0])),
        }
        // Their approvals came with their records, and were lost since.
        let lost =
            self.job.owner.iter().filter(|o| self.uploads.contains_key(&o.fingerprint) && !self.owners.contains(&o.fingerprint));
        missing.extend(lost.take(5).map(|o| format!("approval of {}", o.name)));
        if self.job.train.start.is_some() && !self.start_model {
            missing.push("the model to start from".to_owned());
        }
        if self.job.start == trefoil_job::Start::Request && !self.started {
            missing.push("a word to start".to_owned());
        }
        missing
    }
}

/// What members of a job get to know of it at a party.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The job's hash.
    pub hash: JobHash,
    /// Its name.
    pub name: String,
    /// Who proposed it.
    pub proposed_by: String,
    /// Whether this party has approved it.
    pub approved: bool,
    /// Owners that have approved, and that have shared, of all.
    pub owners: [usize; 3],
    /// Where it stands.
    pub state: State,
    /// What it waits for.
    pub missing: Vec<String>,
    /// Owners whose records were refused, and why.
    #[serde(default)]
    pub refused: Vec<String>,
    /// Figures that are not opened, and why.
    #[serde(default)]
    pub not_opened: Vec<String>,
    /// Steps done, steps in a checkpoint, steps in all.
    pub steps: [u64; 3],
    /// What was opened last; to parties and the model owner.
    pub last: Option<Figures>,
    /// All figures of the held-out records then; likewise.
    #[serde(default)]
    pub figures: Vec<Figure>,
    /// What was opened of the columns before the first step; likewise.
    #[serde(default)]
    pub statistics: Vec<OfColumn>,
    /// Whether the trained weights were found in range.
    pub checked: bool,
    /// Which epoch's model it is, where the job follows the best one.
    #[serde(default)]
    pub epoch: Option<u64>,
    /// Whether the model owner has the model.
    pub delivered: bool,
}
