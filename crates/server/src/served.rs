//! What stays of a model that may be served: this party's shares of its parameters, as the engine takes them back. Nobody's key opens them
//! but this party's, and no two parties' shares are ever in one place.

use crate::matrices::{self, Matrix};
use crate::server::Server;
use crate::session::Session;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use trefoil_job::JobHash;
use trefoil_mpc::Suite;
use trefoil_nn::{Prediction, State};
use trefoil_store::sealed;

/// What stands at the top.
#[derive(Serialize, Deserialize)]
struct About {
    job: JobHash,
    model: String,
    matrices: Vec<Matrix>,
}

/// Where it is.
pub fn path(server: &Server, job: JobHash) -> PathBuf {
    server.config.data.join("jobs").join(job.to_string()).join("served.sealed")
}

/// Writes the parameters down, and the statistics by which records are standardised, of a job that says that its model may be served.
pub fn write<S: Suite>(session: &Session<'_>, e: &mut S, state: &State<S::Num>, model: &str) -> Result<()> {
    let here = session.here;
    if session.job.serve.is_none() {
        return Ok(());
    }
    let statistics = state.statistics.iter().flat_map(|s| [&s.mean, &s.inverse]);
    let (matrices, kept) = matrices::keep(e, state.params.iter().chain(statistics))?;
    let about = About { job: here.hash, model: model.to_owned(), matrices };
    let about = serde_json::to_vec(&about).unwrap_or_default();
    sealed::write_atomically(path(here, here.hash), &here.key, &about, matrices::records(&kept))?;
    Ok(())
}

/// The file, and what stands at its top.
fn open(server: &Server, job: JobHash) -> Result<(About, sealed::Reader)> {
    let path = path(server, job);
    let reader = sealed::Reader::open(&path, &server.key)?;
    let about: About =
        serde_json::from_slice(reader.about()).map_err(|e| Error::config(path.display(), e, "a model on shares"))?;
    match about.job == job {
        true => Ok((about, reader)),
        false => Err(Error::config(path.display(), format!("the model of job {}", about.job), job)),
    }
}

/// The name of a job's model whose shares are here.
///
/// # Errors
/// They are not here, or another job's.
pub fn model(server: &Server, job: JobHash) -> Result<String> {
    Ok(open(server, job)?.0.model)
}

/// The parameters of a job's model, which must have this name.
///
/// # Errors
/// They are not here, or another job's, or not those of this network.
pub fn load<S: Suite>(server: &Server, job: JobHash, model: &str, prediction: &Prediction, e: &S) -> Result<Vec<S::Num>> {
    let (path, (about, mut reader)) = (path(server, job), open(server, job)?);
    if about.model != model {
        return Err(Error::config(path.display(), format!("model {}", about.model), model));
    }
    let mut records = vec![];
    while let Some(record) = reader.next()? {
        records.push(record);
    }
    let params = matrices::restore(e, &about.matrices, records, &path)?;
    let found = params.iter().map(|x| (e.shape(x), e.format(x)));
    match found.eq(prediction.parts()) {
        true => Ok(params),
        false => Err(Error::config(path.display(), "matrices of another network", "the job's")),
    }
}
