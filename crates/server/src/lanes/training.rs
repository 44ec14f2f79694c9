//! A training in lanes: what rank 0 tells its party's other ranks of it, and what these do.
//!
//! Each holds rows of its own of the records, of which no other rank has a copy. It checks them in its lane, and gives them to whichever rank works on them in a step.

use super::{Meeting, Rank, TRAIN, say};
use crate::checks::Unchecked;
use crate::handshake::{hello, keys};
use crate::report::OfRank;
use crate::session::Session;
use crate::witness::{self, Witness};
use crate::{Error, Result, records};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use trefoil_engine::Lane;
use trefoil_job::compiled::Compiled;
use trefoil_job::suites::WithSuite;
use trefoil_job::{Job, JobHash};
use trefoil_mpc::lanes::{bytes_of, words_of};
use trefoil_mpc::{Channel, Lanes, Party, Seeds};
use trefoil_net::{Id, Net};
use trefoil_nn::{Trainer, Training};

/// What another rank is told of a training.
#[derive(Serialize, Deserialize)]
struct Told {
    meeting: Meeting,
    hash: JobHash,
    job: Job,
    training: Training,
}

/// The lanes of a session.
pub(crate) struct Held {
    lanes: Arc<Mutex<Lanes>>,
    over: bool,
}

impl Held {
    /// For who speaks to the other ranks itself.
    pub(crate) fn shared(&self) -> Arc<Mutex<Lanes>> {
        self.lanes.clone()
    }

    /// The party as lane 0.
    pub(crate) fn lead(&self, party: Party) -> Party {
        party.with_lanes(self.lanes.clone())
    }

    /// Which lane of how many rank 0 is.
    pub(crate) fn lane(&self) -> Lane {
        self.lanes().lane()
    }

    /// Says words to one of the other ranks.
    ///
    /// # Errors
    /// It is gone.
    pub(crate) fn tell(&self, rank: usize, words: Vec<u64>) -> Result<()> {
        Ok(self.lanes().give(rank, words)?)
    }

    /// The same words to each.
    ///
    /// # Errors
    /// One is gone.
    pub(crate) fn tell_all(&self, words: &[u64]) -> Result<()> {
        (1..self.lane().of).try_for_each(|rank| self.tell(rank, words.to_vec()))
    }

    /// What of the records is to be checked, each in its lane.
    ///
    /// # Errors
    /// One is gone.
    pub(crate) fn tell_unchecked(&self, unchecked: Option<&Unchecked>) -> Result<()> {
        self.tell_all(&words_of(&serde_json::to_vec(&unchecked).map_err(|e| untold(&e))?))
    }

    /// What one of them says.
    ///
    /// # Errors
    /// A rank is gone or has failed.
    pub(crate) fn hear(&self, rank: usize) -> Result<Vec<u64>> {
        Ok(self.lanes().take(rank)?)
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The other ranks have taken part in all that there was.
    pub(crate) fn over(mut self) {
        self.over = true;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.over {
            self.lanes().fail("the session is over");
        }
    }
}

/// Rank 0: has the other ranks begin a session, where each party has some. `theirs` is what both peers have [offered].
///
/// # Errors
/// A peer says something that is no address; the training cannot be split so; a rank is gone.
pub(crate) fn begin(at: &Session<'_>, trainer: &Trainer, session: &str, theirs: Vec<(Id, Vec<String>)>) -> Result<Option<Held>> {
    let meeting = Meeting::of(at.here, session, at.me, &at.job.addresses(), theirs)?;
    let n = meeting.lanes;
    let Some(ranks) = at.here.ranks.as_ref().filter(|_| n > 1) else { return Ok(None) };
    trainer.fits_lanes(n)?;
    let told = Told { meeting, hash: at.here.hash, job: at.job.clone(), training: at.training.clone() };
    let told = serde_json::to_vec(&told).map_err(|e| untold(&e))?;
    let channel = ranks.open();
    (1..n).try_for_each(|rank| say(&channel, rank, &[TRAIN]))?;
    let held = Held { lanes: Arc::new(Mutex::new(Lanes::new(channel))), over: false };
    held.lanes().begin(&told, n)?;
    tracing::info!(job = %at.here.hash, "{n} lanes");
    Ok(Some(held))
}

impl Rank {
    /// This rank's part of a training.
    pub(super) fn train(&self, channel: Channel) {
        let lanes = Arc::new(Mutex::new(Lanes::new(channel)));
        if let Err(e) = self.take_part(&lanes) {
            tracing::warn!(rank = self.number, "{e}");
            lanes.lock().unwrap_or_else(PoisonError::into_inner).fail(&e.to_string());
        }
    }

    fn take_part(&self, lanes: &Arc<Mutex<Lanes>>) -> Result<()> {
        let told = lanes.lock().unwrap_or_else(PoisonError::into_inner).begun()?;
        let Told { meeting, hash, job, training } =
            serde_json::from_slice(&told).map_err(|e| Error::Handshake(format!("rank 0 sent no session: {e}")))?;
        let mut about = hello(&training);
        about.extend(hello(job.chosen()));
        about.insert("job".into(), hash.to_string().into());
        let (net, seen) = Witness::new(self.meet(&meeting, about)?);
        let trainer = training.trainer()?;
        let spent = move |p: &Party| serde_json::to_vec(&OfRank::of(p, &witness::so_far(&seen))).unwrap_or_default();
        let (chosen, net) = (job.chosen(), Box::new(net));
        chosen.with(Follow { own: self, me: meeting.me, job: &job, trainer: &trainer, net, spent, lanes })
    }

    /// Fresh keys with the same rank of both peers, or those that an insecure seed makes.
    pub(super) fn seeds(&self, net: &dyn Net, me: Id, insecure: impl Fn(u64) -> u64) -> Result<Seeds> {
        match self.config.insecure.mask_seed {
            Some(seed) => Ok(Seeds::insecure(me, insecure(seed))),
            None => keys(net, me, self.until()),
        }
    }
}

/// Another lane's part of a training, with whichever engine.
struct Follow<'a, F> {
    own: &'a Rank,
    me: Id,
    job: &'a Job,
    trainer: &'a Trainer,
    net: Box<dyn Net>,
    spent: F,
    lanes: &'a Arc<Mutex<Lanes>>,
}

impl<F: Fn(&Party) -> Vec<u8> + Send + 'static> WithSuite for Follow<'_, F> {
    type Out = Result<()>;

    fn run<S: Compiled>(self, engine: impl Fn(Party) -> S) -> Result<()> {
        let Follow { own, me, job, trainer, mut net, spent, lanes } = self;
        let mut records = records::follow::<S>(job, me, lanes, &own.keeper)?;
        let words = lanes.lock().unwrap_or_else(PoisonError::into_inner).take(0)?;
        let unchecked: Option<Unchecked> = serde_json::from_slice(&bytes_of(0, &words)?)
            .map_err(|e| Error::Handshake(format!("rank 0 did not say what is to be checked: {e}")))?;
        if let Some(unchecked) = unchecked {
            let seeds = own.seeds(&net, me, |seed| (!seed).wrapping_sub(own.number as u64))?;
            let mut e = engine(Party::new(me, net, seeds));
            let counts = unchecked.violations(&mut e, &records, job)?;
            lanes.lock().unwrap_or_else(PoisonError::into_inner).give(0, counts)?;
            net = Box::new(e.into_party().into_net());
        }
        let seeds = own.seeds(&net, me, |seed| seed)?;
        let mut e = engine(Party::new(me, net, seeds).with_lanes(lanes.clone()).answering(spent));
        let rows = &trainer.training().records;
        records.join(&mut e, job, [rows.train_rows, rows.test_rows])?;
        drop(records);
        Ok(Compiled::follow(&mut e, trainer)?)
    }
}

/// A session that cannot be put into words.
fn untold(e: &serde_json::Error) -> Error {
    Error::Handshake(format!("a session cannot be told to this party's other ranks: {e}"))
}
