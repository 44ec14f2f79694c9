//! Whether owners have handed in what the job says, before anything is trained on it: the parties of each pair were dealt the same, and
//! every word is in its range (`trefoil_mpc::range`). An upload is checked once: that it was is remembered with it.
//!
//! All three parties decide alike. An upload that fails is refused by its owner's name, and the job with it, until an operator resumes it and
//! the owner has shared again. A party that dies before it has written that down hears it from its peers when they meet again.

use crate::handshake::exchange;
use crate::lanes::Held;
use crate::record::Withdrawn;
use crate::records::Records;
use crate::server::Here;
use crate::session::Session;
use crate::{Error, Result, uploads};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;
use trefoil_job::Job;
use trefoil_mpc::{Key, Suite, range};
use trefoil_net::identity::Fingerprint;
use trefoil_net::{Id, Net};

/// What a party says before the check.
#[derive(Serialize, Deserialize)]
struct Hello {
    /// Uploads that it knows to be good, with whose they are: owners choose the names.
    checked: BTreeSet<(Fingerprint, String)>,
    /// 256 bits from its operating system. No owner knew them when it sent its words.
    coin: [u8; 32],
    /// Hashes of what each owner must have handed to both.
    common: Vec<Option<String>>,
}

/// What is still to be checked. Each lane checks the rows that it holds.
#[derive(Serialize, Deserialize)]
pub(crate) struct Unchecked {
    /// The owners' places in the job.
    owners: Vec<usize>,
    coin: [u8; 32],
}

/// Which uploads are to be checked, if any, and on which random sums: the same at all three.
///
/// # Errors
/// Parties of a pair were dealt different things; those of the network.
pub(crate) fn prepare(session: &Session<'_>, net: &dyn Net, records: &Records, until: Instant) -> Result<Option<Unchecked>> {
    let record = session.here.record()?;
    let own: BTreeSet<(Fingerprint, String)> =
        record.uploads.iter().filter(|(_, u)| u.checked).map(|(owner, u)| (*owner, u.upload.clone())).collect();
    let mut coins = [[0; 32]; 3];
    coins[session.me.index()] = *Key::fresh()?.bytes();
    let (mut checked, mut differ) = (own.clone(), BTreeSet::new());
    for peer in session.me.others() {
        // What two of the three hold is the affair of these two: a hash of masked values would let the helper try values out.
        let common = records.common.iter().map(|with| with[peer.index()].clone()).collect();
        let mine = Hello { checked: own.clone(), coin: coins[session.me.index()], common };
        for (_, theirs) in exchange(net, &[peer], "node.checks", &mine, until)? {
            checked.retain(|upload| theirs.checked.contains(upload));
            coins[peer.index()] = theirs.coin;
            let pairs = (0..session.job.owner.len()).filter(|owner| mine.common.get(*owner) != theirs.common.get(*owner));
            differ.extend(pairs);
        }
    }
    let mut contradictions = BTreeMap::from([(session.me, differ)]);
    contradictions.extend(exchange(net, &session.me.others(), "node.dealt", &contradictions[&session.me], until)?);
    let dealt_differently: BTreeSet<usize> = contradictions.into_values().flatten().collect();
    if !dealt_differently.is_empty() {
        let why = "parties that must hold the same of them were handed different ones";
        let Session { here, job, .. } = session;
        return Err(refuse(here, job, dealt_differently.into_iter().map(|owner| (owner, why.to_owned()))));
    }
    let checked: BTreeSet<Fingerprint> = checked.into_iter().map(|(owner, _)| owner).collect();
    let good = |owner: &usize| checked.contains(&session.job.owner[*owner].fingerprint);
    let owners: Vec<usize> = (0..session.job.owner.len()).filter(|owner| !good(owner)).collect();
    let coin = coins.iter().fold(Sha256::new_with_prefix("trefoil check of uploads"), |hash, coin| hash.chain_update(coin));
    Ok((!owners.is_empty()).then(|| Unchecked { owners, coin: coin.finalize().into() }))
}

impl Unchecked {
    /// In one lane: for each of the owners, a count of what its words violate.
    ///
    /// # Errors
    /// Those of the network.
    pub(crate) fn violations<S: Suite>(&self, e: &mut S, records: &Records, job: &Job) -> Result<Vec<u64>> {
        Ok(range::violations(e, &self.coin, self.owners.len(), &records.promised(&self.owners, job)?)?)
    }

    /// Checks them on shares; other ranks of this party add what their lanes have found.
    ///
    /// # Errors
    /// [`Error::Refused`] naming the owners whose words are not what the job promises; those of the network.
    pub(crate) fn run<S: Suite>(&self, session: &Session<'_>, e: &mut S, records: &Records, lanes: Option<&Held>) -> Result<()> {
        let started = Instant::now();
        let mut counts = self.violations(e, records, &session.job)?;
        let of = lanes.map_or(1, |lanes| lanes.lane().of);
        for rank in 1..of {
            let theirs = lanes.map_or(Ok(vec![]), |lanes| lanes.hear(rank))?;
            if theirs.len() != counts.len() {
                let why = format!("sent {} counts of violations, expected {}", theirs.len(), counts.len());
                return Err(Error::Protocol(trefoil_mpc::Error::Lane { rank, why }));
            }
            counts.iter_mut().zip(theirs).for_each(|(count, theirs)| *count = count.saturating_add(theirs));
        }
        let bad = self.owners.iter().zip(&counts).filter(|(_, count)| **count > 0);
        let bad: Vec<(usize, String)> =
            bad.map(|(owner, _)| (*owner, "values outside of the range that the job promises".into())).collect();
        if !bad.is_empty() {
            return Err(refuse(session.here, &session.job, bad));
        }
        let here = session.here;
        let checked: Vec<_> = self.owners.iter().map(|owner| session.job.owner[*owner].fingerprint).collect();
        here.note(json!({ "what": "checked", "job": here.hash, "owners": checked, "violations": 0 }))?;
        here.update(|r| {
            for owner in &checked {
                r.uploads.entry(*owner).and_modify(|u| u.checked = true);
            }
        })?;
        let seconds = started.elapsed().as_secs_f64();
        tracing::info!(job = %here.hash, "the words of {} owners are in their ranges ({seconds:.1} s)", checked.len());
        Ok(())
    }
}

/// Takes back what a peer has refused, in a session whose end this party does not know of.
///
/// # Errors
/// [`Error::Refused`], where there was something to take back; the record cannot be written.
pub fn heard(here: &Here, job: &Job, peer: Id, withdrawn: &[Withdrawn]) -> Result<()> {
    let record = here.record()?;
    let counted = |w: &&Withdrawn| record.uploads.get(&w.owner).is_some_and(|u| u.upload == w.upload);
    let bad: Vec<(usize, String)> =
        withdrawn.iter().filter(counted).filter_map(|w| Some((job.owner_of(w.owner)?, w.why.clone()))).collect();
    if bad.is_empty() {
        return Ok(());
    }
    tracing::warn!(job = %here.hash, "{peer} says that uploads were refused, in a session that broke off here");
    Err(refuse(here, job, bad))
}

/// Takes uploads back, and says whose and why.
fn refuse(here: &Here, job: &Job, bad: impl IntoIterator<Item = (usize, String)>) -> Error {
    let mut texts = vec![];
    for (owner, why) in bad {
        let (by, name) = (job.owner[owner].fingerprint, &job.owner[owner].name);
        let taken = here.update(|r| {
            let upload = r.uploads.remove(&by).map(|u| u.upload);
            r.withdrawn.extend(upload.clone().map(|upload| Withdrawn { owner: by, upload, why: why.clone() }));
            upload
        });
        let upload = match taken {
            Ok(upload) => upload,
            Err(e) => return e,
        };
        here.noted(json!({ "what": "upload refused", "job": here.hash, "by": by, "upload": upload, "why": why }));
        uploads::remove(here, by);
        texts.push(format!("the records of {name} are refused: {why}"));
    }
    Error::Refused(texts.join("; "))
}
