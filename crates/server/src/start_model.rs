//! The model that a job's training starts from. It is public, and held to the hash in the job when it comes and whenever it is read. The
//! operator brings it, or another member once the operator has approved the job: what nobody here has agreed to fills no disk.

use crate::record::State;
use crate::server::Here;
use crate::{Error, Result, runner};
use serde_json::json;
use std::io::ErrorKind;
use std::path::PathBuf;
use trefoil_client::{pieces, request};
use trefoil_job::Job;
use trefoil_net::identity::Fingerprint;
use trefoil_net::tls::Stream;
use trefoil_nn::Trainer;
use trefoil_store::sealed;

/// Bytes in a record of the file. It is public, and sealed only because a sealed file is either whole or not there.
const PIECE: usize = 1 << 20;

fn path(here: &Here) -> PathBuf {
    here.folder().join("start.sealed")
}

/// Takes the file from a member of the job, where it is not here yet.
pub fn take(here: &Here, stream: &mut Stream, from: Fingerprint, bytes: u64) -> Result<()> {
    let record = here.record()?;
    if from != here.identity.fingerprint() && !(record.approved && record.job.members().any(|m| m == from)) {
        let why =
            "the model to start from is brought by this party's operator, or by a member once the operator has approved the job";
        return Err(Error::Refused(why.into()));
    }
    let job = &record.job;
    let most = job.most_of_start()?;
    if !(1..=most).contains(&bytes) {
        return Err(Error::config("model to start from", format!("{bytes} bytes"), format!("1 to {most}")));
    }
    if !matches!(record.state, State::Waiting | State::Running | State::Interrupted { .. } | State::Failed { .. }) {
        return Err(Error::Refused(format!("the job is {}", record.state)));
    }
    if record.start_model {
        return Ok(request::accept(stream, &false)?);
    }
    let model = job.start_model(pieces::take(stream, bytes as usize)?)?;
    model.begin(job.training(job.train.batch, 0).trainer()?, &job.data)?;
    std::fs::create_dir_all(here.folder()).map_err(Error::file(&here.folder()))?;
    sealed::write_atomically(path(here), &here.key, b"", model.bytes().chunks(PIECE))?;
    here.note(json!({ "what": "model to start from", "job": here.hash, "sha256": model.hash().to_string(), "by": from }))?;
    here.update(|r| r.start_model = true)?;
    request::accept(stream, &())?;
    runner::ensure(here);
    Ok(())
}

/// The training, from the model on where the job names one. Where its file is gone or damaged, the job waits for it again once it is
/// resumed.
pub fn begin(here: &Here, job: &Job, trainer: Trainer) -> Result<Trainer> {
    if job.train.start.is_none() {
        return Ok(trainer);
    }
    let begun = read(here).and_then(|bytes| Ok(job.start_model(bytes)?.begin(trainer, &job.data)?));
    if begun.is_err() {
        here.update(|r| r.start_model = false)?;
    }
    begun
}

fn read(here: &Here) -> Result<Vec<u8>> {
    let mut reader = sealed::Reader::open(path(here), &here.key)?;
    let mut bytes = vec![];
    while let Some(piece) = reader.next()? {
        bytes.extend(piece);
    }
    Ok(bytes)
}

/// Removes the file: the job is over.
pub fn forget(here: &Here) {
    let path = path(here);
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != ErrorKind::NotFound => tracing::error!("{}: cannot remove: {e}", path.display()),
        _ => {}
    }
}
