//! Checkpoints: this party's shares of the state, sealed, after steps that all three agree on.
//!
//! A checkpoint's name is a hash of job, session and step, where a session's name is a hash of what all three drew at random at its
//! start: two files of one name were written in one session after one step, and fit together. All three write, then meet and show the
//! name, and only then remove older ones: there is always one that all three have. A session begins at the newest such; a checkpoint
//! that is unfinished, altered or of another session is not among what a party offers.
//!
//! In the suite `verified` a matrix is kept once all that was sent before is proven to all three, and the file says so.
//!
//! At the end of an epoch loss and weights are checked before the state is written, and the checkpoint says so. (Not where the epoch's
//! figures were opened before: see [openings](super::openings). A training that fails the check does not go on from any checkpoint.)

use crate::handshake::name_words;
use crate::heads::Head;
use crate::matrices::{self, Matrix};
use crate::openings::Openings;
use crate::server::{Here, Server};
use crate::session::Session;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use trefoil_engine::Engine;
use trefoil_job::JobHash;
use trefoil_job::compiled::Compiled;
use trefoil_mpc::Suite;
use trefoil_net::{At, Frame, Id, wire};
use trefoil_nn::{State, Trainer};
use trefoil_store::sealed;

/// What stands in the clear at the top of a checkpoint; it is authenticated.
#[derive(Serialize, Deserialize)]
struct About {
    id: String,
    step: u64,
    /// Whether its weights were found in range.
    checked: bool,
    /// Whether all that it comes from was proven, in a suite that proves: a session of such a suite begins at no other.
    #[serde(default)]
    verified: bool,
    /// The best epoch, and how many after it were no better.
    #[serde(default)]
    best: [u64; 2],
    /// Its figure, at P0 and P1: as much in the clear as those in the database.
    #[serde(default)]
    figure: Option<f64>,
    matrices: Vec<Matrix>,
}

/// The same of a model: whose it is, and its name.
#[derive(Serialize, Deserialize)]
struct Model {
    job: JobHash,
    model: String,
}

/// What a party offers at the start of a session.
#[derive(Serialize, Deserialize)]
pub struct Standing {
    /// 256 fresh random bits, in hex.
    nonce: String,
    /// Names and steps of its checkpoints.
    checkpoints: Vec<(u64, String)>,
    /// Which figures it has opened.
    pub openings: Openings,
    /// Where its audit log stands.
    pub head: Head,
    /// Where its ranks listen, but for the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<String>,
}

/// Where a session begins.
pub struct Start {
    /// The session's name, the same at all three.
    pub session: String,
    /// Steps that are done.
    pub step: u64,
    /// The checkpoint, where there is one.
    id: Option<String>,
}

impl Standing {
    /// This party's, with every checkpoint read through.
    pub fn of(here: &Here) -> Result<Standing> {
        let nonce = trefoil_mpc::Key::fresh()?;
        let openings = here.record()?.openings.clone();
        let mut checkpoints = vec![];
        for path in files(here) {
            match read(here, &path) {
                Ok((about, _)) => checkpoints.push((about.step, about.id)),
                Err(e) => tracing::warn!("not used: {e}"),
            }
        }
        Ok(Standing { nonce: hex::encode(nonce.bytes()), checkpoints, openings, head: Head::of(here), lanes: vec![] })
    }

    /// The newest checkpoint that all three have, or the beginning.
    pub fn agree(&self, hash: JobHash, theirs: &[(Id, Standing)]) -> Result<Start> {
        let mut nonces: Vec<&str> = theirs.iter().map(|(_, s)| s.nonce.as_str()).chain([self.nonce.as_str()]).collect();
        nonces.sort_unstable();
        let text = serde_json::to_vec(&("trefoil session", hash, nonces)).unwrap_or_default();
        let session = hex::encode(Sha256::digest(text));
        let common = self.checkpoints.iter().filter(|c| theirs.iter().all(|(_, s)| s.checkpoints.contains(c))).max();
        Ok(match common {
            Some((step, id)) => Start { session, step: *step, id: Some(id.clone()) },
            None => Start { session, step: 0, id: None },
        })
    }
}

/// The name of the state after a step of a session.
pub fn id(hash: JobHash, session: &str, step: u64) -> String {
    let text = serde_json::to_vec(&("trefoil checkpoint", hash, session, step)).unwrap_or_default();
    hex::encode(Sha256::digest(text))
}

/// Writes the state after `step`, meets the others, and forgets what came before.
pub fn write<S: Suite>(
    session: &Session<'_>,
    e: &mut S,
    state: &State<S::Num>,
    name: &str,
    (step, checked): (u64, bool),
) -> Result<()> {
    let here = session.here;
    let id = id(here.hash, name, step);
    let mut state = state.clone();
    let (matrices, kept) = matrices::keep(e, parameters::<S>(&mut state).into_iter().map(|x| &*x))?;
    let about = serde_json::to_vec(&About {
        id: id.clone(),
        step,
        checked,
        verified: S::PROVEN,
        best: [state.best.epoch, state.best.since],
        figure: state.best.figure,
        matrices,
    })
    .unwrap_or_default();
    let folder = folder(here);
    std::fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    let path = folder.join(format!("{step:012}-{}.sealed", &id[..16]));
    sealed::write_atomically(&path, &here.key, &about, matrices::records(&kept))?;
    e.party().meet("node.checkpoint", &name_words(&id))?;
    for old in files(here).iter().filter(|p| **p != path) {
        std::fs::remove_file(old).map_err(Error::file(old))?;
    }
    Ok(())
}

/// The state at the start of a session, and whether it was checked.
pub fn load<S: Compiled>(session: &Session<'_>, e: &S, trainer: &Trainer, start: &Start) -> Result<(State<S::Num>, bool)> {
    let Some(id) = &start.id else { return Ok((e.initial(trainer)?, false)) };
    let mut state = trainer.to_restore(e)?;
    let here = session.here;
    for path in files(here) {
        let Ok((about, records)) = read(here, &path) else { continue };
        if about.id != *id {
            continue;
        }
        if S::PROVEN && !about.verified {
            return Err(Error::config(path.display(), "a checkpoint of which nothing was proven", "one that is verified"));
        }
        let fits = parameters::<S>(&mut state).into_iter().map(|x| e.shape(x)).eq(about.matrices.iter().map(|m| m.shape));
        if !fits {
            return Err(Error::config(path.display(), "matrices of another network", "the job's"));
        }
        let restored = matrices::restore(e, &about.matrices, records, &path)?;
        parameters::<S>(&mut state).into_iter().zip(restored).for_each(|(x, restored)| *x = restored);
        ([state.best.epoch, state.best.since], state.best.figure) = (about.best, about.figure);
        return Ok((state, about.checked));
    }
    Err(Error::config("checkpoint", "gone since it was offered", format!("step {}", start.step)))
}

/// Everything that changes in training, in one order.
fn parameters<E: Engine>(state: &mut State<E::Num>) -> Vec<&mut E::Num> {
    let statistics = state.statistics.iter_mut().flat_map(|s| [&mut s.mean, &mut s.inverse]);
    state.params.iter_mut().chain(&mut state.kept).chain(&mut state.best.params).chain(statistics).collect()
}

/// What stands at the top of a checkpoint, and its records: two for each matrix.
fn read(server: &Server, path: &Path) -> Result<(About, Vec<Vec<u8>>)> {
    let mut reader = sealed::Reader::open(path, &server.key)?;
    let about = serde_json::from_slice(reader.about()).map_err(|e| Error::config(path.display(), e, "a checkpoint"))?;
    let mut records = vec![];
    while let Some(record) = reader.next()? {
        records.push(record);
    }
    Ok((about, records))
}

fn folder(here: &Here) -> PathBuf {
    here.folder().join("checkpoints")
}

/// All checkpoints of a job, finished or not.
fn files(here: &Here) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder(here)).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "sealed")).collect();
    files.sort();
    files
}

fn model_path(here: &Here) -> PathBuf {
    here.folder().join("model.sealed")
}

/// Writes this party's messages to the model owner.
pub fn write_model<S: Suite>(session: &Session<'_>, e: &mut S, params: &[S::Num], id: &str) -> Result<()> {
    let mut records = vec![];
    for x in params {
        let frame = Frame { at: At::default(), depth: 0, label: "node.model".into(), parts: e.export(x)? };
        let mut record = vec![];
        wire::write(&frame, &mut record).map_err(|fault| Error::Handshake(format!("model: {fault}")))?;
        records.push(record);
    }
    let about = Model { job: session.here.hash, model: id.to_owned() };
    let about = serde_json::to_vec(&about).unwrap_or_default();
    sealed::write_atomically(model_path(session.here), &session.here.key, &about, records)?;
    Ok(())
}

/// The name of the model that is written here, and its records. A file that was brought here from another job's folder, whose model is
/// for somebody else, is refused.
pub fn model(here: &Here) -> Result<(String, sealed::Reader)> {
    let path = model_path(here);
    let reader = sealed::Reader::open(&path, &here.key)?;
    let about: Model = serde_json::from_slice(reader.about()).map_err(|e| Error::config(path.display(), e, "a model"))?;
    match about.job == here.hash {
        true => Ok((about.model, reader)),
        false => Err(Error::config(path.display(), format!("the model of job {}", about.job), here.hash)),
    }
}
