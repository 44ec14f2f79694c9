//! The model that a service answers from: shares that a job has left here, or those that the model's owner has brought. Of the latter P0 and
//! P1 keep w_0 and w_1 as they came, w = w_0 + w_1, in a file that nobody's key opens but the party's; P2 keeps that they came. A session puts
//! them under fresh masks, as it does with a question.

use super::entry::ServiceHere;
use crate::server::Here;
use crate::{Error, Result, record, served};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use trefoil_client::{pieces, request};
use trefoil_job::service::Known;
use trefoil_job::{Job, ServiceHash};
use trefoil_mpc::Suite;
use trefoil_net::identity::Fingerprint;
use trefoil_net::tls::Stream;
use trefoil_store::sealed;

/// Bytes in a record of the file.
const PIECE: usize = 1 << 20;

/// What stands at the top.
#[derive(Serialize, Deserialize)]
struct About {
    service: ServiceHash,
    /// The same at all three parties.
    sharing: String,
}

fn path(here: &ServiceHere) -> PathBuf {
    here.server.config.data.join("services").join(here.hash.to_string()).join("model.sealed")
}

/// The sharing that is here, and the file, if there is one.
fn open(here: &ServiceHere) -> Result<(String, sealed::Reader)> {
    let path = path(here);
    if !path.exists() {
        return Err(Error::Refused("the owner of the model has not shared it yet".into()));
    }
    let reader = sealed::Reader::open(&path, &here.server.key)?;
    let about: About =
        serde_json::from_slice(reader.about()).map_err(|e| Error::config(path.display(), e, "a model on shares"))?;
    match about.service == here.hash {
        true => Ok((about.sharing, reader)),
        false => Err(Error::config(path.display(), format!("the model of service {}", about.service), here.hash)),
    }
}

/// Takes this party's share from the model's owner. What is here of another sharing is replaced, unless it answers already.
///
/// # Errors
/// The caller is not the owner, or brings something else; the service is not approved here, has ended, or answers.
pub fn take(here: &ServiceHere, stream: &mut Stream, from: Fingerprint, sharing: &str, bytes: u64) -> Result<()> {
    let refuse = |why: String| Err(Error::Refused(why));
    if !here.service.is_model_owner(from) {
        return refuse(format!("a model is shared by its owner in the service; this is {}", here.service.role(from)));
    }
    if !here.is_live(here.server.identity.fingerprint()) || here.is_over() {
        return refuse("the service is not approved by this party, or was ended".into());
    }
    let expected = here.service.bytes_of_model(here.me()?)?.unwrap_or(0);
    if bytes != expected || sharing.len() != 32 || !sharing.bytes().all(|b| b.is_ascii_hexdigit()) {
        return refuse(format!(
            "share of the model: found {bytes} bytes, expected {expected} under a name of 32 hexadecimal digits"
        ));
    }
    if open(here).is_ok_and(|(known, _)| known == sharing) {
        return Ok(request::accept(stream, &false)?);
    }
    if here.now().open() {
        return refuse("the service answers from a model already; another one needs another service".into());
    }
    let share = pieces::take(stream, bytes as usize)?;
    let path = path(here);
    let folder = path.parent().unwrap_or(&path);
    std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
    let about = About { service: here.hash, sharing: sharing.to_owned() };
    let about = serde_json::to_vec(&about).unwrap_or_default();
    sealed::write_atomically(&path, &here.server.key, &about, share.chunks(PIECE))?;
    here.server.note(json!({ "what": "model shared", "service": here.hash, "sharing": sharing, "by": from }))?;
    Ok(request::accept(stream, &())?)
}

/// Removes the share: the service is over for good.
pub fn forget(here: &ServiceHere) {
    let path = path(here);
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => tracing::error!("{}: cannot remove: {e}", path.display()),
        _ => {}
    }
}

/// A model that is here, by its name.
pub struct Model {
    pub known: Known,
    pub name: String,
}

impl ServiceHere {
    /// The job whose model answers, where it is a job's.
    ///
    /// # Errors
    /// It is not known here.
    pub fn job(&self) -> Result<Option<Job>> {
        self.record().map(|record| record.map(|record| record.job.clone()))
    }

    fn record(&self) -> Result<Option<Arc<record::Record>>> {
        self.service.model.job().map(|job| Here::at(&self.server, job).record()).transpose()
    }

    /// The model, if it is here.
    ///
    /// # Errors
    /// Its job is not trained, or not known here; its owner has not shared it.
    pub fn model(&self) -> Result<Model> {
        let record = self.record()?;
        let (job, name) = match record.as_deref() {
            None => (None, open(self)?.0),
            Some(record::Record { job, state: record::State::Trained, model: Some(name), .. }) => (Some(job), name.clone()),
            Some(record::Record { job, state, .. }) => {
                return Err(Error::Refused(format!("job {} has no model yet: {state}", job.hash().short())));
            }
        };
        Ok(Model { known: self.service.known(job)?, name })
    }
}

impl Model {
    /// Its parameters on shares, in a session of the three parties.
    ///
    /// # Errors
    /// They are not here any more, or of another network; those of the protocols.
    pub fn load<S: Suite>(&self, here: &ServiceHere, e: &mut S) -> Result<Vec<S::Num>> {
        let prediction = &self.known.prediction;
        if let Some(job) = here.service.model.job() {
            return served::load(&here.server, job, &self.name, prediction, e);
        }
        let (sharing, mut reader) = open(here)?;
        if sharing != self.name {
            return Err(Error::config(path(here).display(), format!("sharing {sharing}"), &self.name));
        }
        let mut bytes = vec![];
        while let Some(piece) = reader.next()? {
            bytes.extend(piece);
        }
        let words = here.service.words_of_model(here.me()?, bytes)?;
        let mut params = vec![];
        let mut left = &words[..];
        for (shape, format) in prediction.parts() {
            let (own, rest) = left.split_at_checked(shape.iter().product()).unwrap_or_default();
            left = rest;
            params.push(e.ask(shape, format, own.to_vec())?);
        }
        Ok(params)
    }
}
