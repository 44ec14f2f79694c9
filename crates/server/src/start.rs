//! The model that a job's training starts from. It is public, and held to the hash in the job when it comes and whenever it is read. The
//! operator brings it, or another member once the operator has approved the job: what nobody here has agreed to fills no disk.

use crate::server::Here;
use crate::{Error, Result, runner};
use serde_json::json;
use std::path::PathBuf;
use trefoil_client::{request, start};
use trefoil_job::{Job, StartModel};
use trefoil_net::identity::Fingerprint;
use trefoil_net::tls::Stream;
use trefoil_nn::Trainer;
use trefoil_store::sealed;

/// Bytes in a record of the file: sealed in the clear's place only so that a file is whole or not there.
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
    let job = record.job;
    let most = job.most_of_start()?;
    if !(1..=most).contains(&bytes) {
        return Err(Error::config("model to start from", format!("{bytes} bytes"), format!("1 to {most}")));
    }
    if begin(here, &job, job.training(job.train.batch, 0).trainer()?).is_ok() {
        here.update(|r| r.start_model = true)?;
        return Ok(request::accept(stream, &false)?);
    }
    let model = StartModel::of(start::take(stream, bytes as usize)?, "model to start from")?;
    model.begin(job.training(job.train.batch, 0).trainer()?, &job.data)?;
    std::fs::create_dir_all(here.folder()).map_err(Error::file(&here.folder()))?;
    sealed::write_atomically(path(here), &here.key, b"", model.bytes().chunks(PIECE))?;
    here.note(json!({ "what": "model to start from", "job": here.hash, "sha256": model.hash().to_string(), "by": from }))?;
    here.update(|r| r.start_model = true)?;
    request::accept(stream, &())?;
    runner::ensure(here);
    Ok(())
}

/// The training, from the model on where the job names one.
pub fn begin(here: &Here, job: &Job, trainer: Trainer) -> Result<Trainer> {
    if job.train.start.is_none() {
        return Ok(trainer);
    }
    let mut reader = sealed::Reader::open(path(here), &here.key)?;
    let mut bytes = vec![];
    while let Some(piece) = reader.next()? {
        bytes.extend(piece);
    }
    Ok(StartModel::of(bytes, "model to start from")?.begin(trainer, &job.data)?)
}
