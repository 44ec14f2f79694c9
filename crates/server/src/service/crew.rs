//! A lane's passes at several ranks of each party: rank i of the three has a session of its own, with links and keys of its own, and computes whole passes beside rank 0's. Whichever is
//! free takes the next one.
//!
//! Rank 0 gives the others its shares of the model, once for each session, and decides all that a [`Desk`] does, for them as for itself: so a question is in one queue, counts once
//! on one disk, and is answered over the connection that it came by. A rank whose part fails ends the session of its lane at all ranks, and the next one begins as after any fault; one that
//! never came to its first pass is left out until then.

use super::budget::{Budgeted, Turn};
use super::desk::{Desk, Found, Order, OwnDesk};
use super::lane::LaneHere;
use super::model::Model;
use super::passes::Passes;
use crate::handshake::{exchange, hello, keys};
use crate::lanes::{self, Meeting, Rank, SERVE, hear, say};
use crate::matrices::{self, Matrix};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use trefoil_job::compiled::Compiled;
use trefoil_job::service::Known;
use trefoil_job::suites::WithSuite;
use trefoil_job::{Job, Service};
use trefoil_mpc::lanes::{bytes_of, words_of};
use trefoil_mpc::{Channel, Kept, Key, Party, Told};
use trefoil_net::{Id, Net};

/// What another rank says to rank 0: what it asks of its desk, that it is ready for passes, and why it has stopped.
const NEXT: u64 = 0;
const FIND: u64 = 1;
const TELL: u64 = 2;
const ENDS: u64 = 3;
const PASSED: u64 = 4;
const READY: u64 = 5;
const STOPPED: u64 = 6;

/// What a party brings to a session that may be one of several ranks.
#[derive(Serialize, Deserialize)]
struct Offer {
    /// Where its ranks listen, but for the first.
    lanes: Vec<String>,
    /// 256 fresh random bits, in hex.
    nonce: String,
}

/// The parties tell one another of their ranks: where this session's meet.
///
/// # Errors
/// A peer sends something else; network errors.
pub fn exchange_ranks(lane: &LaneHere, me: Id, net: &dyn Net, until: Instant) -> Result<Meeting> {
    let addresses = lane.service.addresses();
    let own = Offer { lanes: lanes::offered(&lane.server, &addresses[me.index()])?, nonce: hex::encode(Key::fresh()?.bytes()) };
    let theirs = exchange(net, &me.others(), "service.lanes", &own, until)?;
    let mut nonces: Vec<_> = theirs.iter().map(|(id, offer)| (*id, &offer.nonce)).chain([(me, &own.nonce)]).collect();
    nonces.sort();
    let mut name = Sha256::new_with_prefix(format!("trefoil service session {} {}", lane.hash, lane.size()));
    nonces.into_iter().for_each(|(_, nonce)| name.update(Sha256::digest(nonce)));
    let theirs = theirs.into_iter().map(|(id, offer)| (id, offer.lanes)).collect();
    Meeting::of(&lane.server, &hex::encode(name.finalize()), me, &addresses, theirs)
}

/// What another rank is told of a session; this party's shares of the model follow.
#[derive(Serialize, Deserialize)]
struct Call {
    meeting: Meeting,
    service: Value,
    job: Option<Value>,
    model: String,
    pass: usize,
    matrices: Vec<Matrix>,
}

/// Rank 0's side of the ranks that a session has beside it.
pub struct Crew(Vec<(usize, Channel)>);

impl Crew {
    /// Has them begin, with these shares of the model.
    ///
    /// # Errors
    /// A rank is gone.
    pub fn call(lane: &LaneHere, meeting: &Meeting, model: &Model, kept: Option<(Vec<Matrix>, Vec<Kept>)>) -> Result<Crew> {
        let (Some(ranks), Some((matrices, kept))) = (&lane.server.ranks, kept) else { return Ok(Crew(vec![])) };
        let untold = |e| Error::Handshake(format!("a session cannot be told to this party's other ranks: {e}"));
        let job = lane.job()?.map(serde_json::to_value).transpose().map_err(untold)?;
        let service = serde_json::to_value(&lane.service).map_err(untold)?;
        let call = Call { meeting: meeting.clone(), service, job, model: model.name.clone(), pass: lane.size(), matrices };
        let mut words = words_of(&serde_json::to_vec(&call).map_err(untold)?);
        matrices::records(&kept).for_each(|record| words.extend(words_of(&record)));
        let one = |rank: usize| {
            let channel = ranks.open();
            say(&channel, rank, &[SERVE])?;
            say(&channel, rank, &words)?;
            Ok((rank, channel))
        };
        (1..meeting.lanes).map(one).collect::<Result<_>>().map(Crew)
    }

    /// Whatever rank 0 does meanwhile, which looks at whether a part of the session is broken, while the others work too.
    ///
    /// # Errors
    /// What ended that, or another rank's part.
    pub fn beside(self, lane: &LaneHere, me: Id, known: &Known, work: impl FnOnce(&AtomicBool) -> Result<()>) -> Result<()> {
        let broken = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let other = |(rank, channel): (usize, Channel)| {
                let broken = &broken;
                scope.spawn(move || {
                    let mut ready = false;
                    let result = at_desk(lane, &mut OwnDesk::of(lane, me, known, rank, broken), rank, &channel, &mut ready);
                    // Those who wait for the next pass hear of it.
                    match &result {
                        Ok(()) => {}
                        Err(e) if ready => {
                            tracing::warn!(service = %lane.hash, pass = lane.size(), "rank {rank}: {e}");
                            broken.store(true, Ordering::Relaxed);
                        }
                        Err(e) => tracing::warn!(service = %lane.hash, pass = lane.size(), "without rank {rank}: {e}"),
                    }
                    lane.change(|now| now.lanes[lane.lane].left(rank));
                    result.err().filter(|_| ready)
                })
            };
            let others: Vec<_> = self.0.into_iter().map(other).collect();
            let result = work(&broken);
            broken.store(true, Ordering::Relaxed);
            let failed: Vec<Error> = others.into_iter().filter_map(|other| other.join().ok().flatten()).collect();
            result.and(failed.into_iter().next().map_or(Ok(()), Err))
        })
    }
}

/// Rank 0, for another rank: what that asks of the desk, until it has stopped.
fn at_desk(lane: &LaneHere, desk: &mut dyn Desk, rank: usize, channel: &Channel, ready: &mut bool) -> Result<()> {
    let unfit = || Error::Protocol(trefoil_mpc::Error::Lane { rank, why: "sent something that is no question of a pass".into() });
    loop {
        let words = hear(channel, rank)?;
        let answer = match words.split_first().ok_or_else(unfit)? {
            (&NEXT, _) => {
                let Order { ends, entries, x_j } = desk.next()?;
                [&[u64::from(ends), entries.len() as u64][..], &entries, &x_j].concat()
            }
            (&FIND, entries) => {
                let Found { ends, findings, x_j } = desk.find(entries)?;
                [&[u64::from(ends), findings.len() as u64][..], &findings, &x_j].concat()
            }
            (&ENDS, _) => vec![desk.ends()?.into()],
            (&TELL, rest) => {
                let (n, rest) = rest.split_first().ok_or_else(unfit)?;
                let (found, told) = usize::try_from(*n).ok().and_then(|n| rest.split_at_checked(n)).ok_or_else(unfit)?;
                let told = if told.is_empty() { None } else { Some(Told::from_words(told).ok_or_else(unfit)?) };
                desk.tell(found, told)?;
                continue;
            }
            (&PASSED, &[seconds]) => {
                desk.passed(f64::from_bits(seconds))?;
                continue;
            }
            (&READY, _) => {
                *ready = true;
                lane.change(|now| now.lanes[lane.lane].joined(rank));
                continue;
            }
            (&STOPPED, []) => return Ok(()),
            (&STOPPED, why) => {
                let why = bytes_of(rank, why)?;
                return Err(Error::Protocol(trefoil_mpc::Error::Lane { rank, why: String::from_utf8_lossy(&why).into_owned() }));
            }
            _ => return Err(unfit()),
        };
        say(channel, rank, &answer)?;
    }
}

/// Another rank's desk: rank 0's.
struct Away<'a>(&'a Channel);

impl Away<'_> {
    fn ask(&self, words: &[u64]) -> Result<Vec<u64>> {
        say(self.0, 0, words)?;
        hear(self.0, 0)
    }

    /// Whether the session ends, so many words as the next one says, and the rest.
    fn asked(&self, words: &[u64]) -> Result<(bool, Vec<u64>, Vec<u64>)> {
        let answer = self.ask(words)?;
        let split = |(head, rest): (&[u64; 2], &[u64])| {
            let (first, rest) = rest.split_at_checked(usize::try_from(head[1]).ok()?)?;
            Some((head[0] == 1, first.to_vec(), rest.to_vec()))
        };
        answer.split_first_chunk().and_then(split).ok_or_else(unfit)
    }
}

fn unfit() -> Error {
    Error::Protocol(trefoil_mpc::Error::Lane { rank: 0, why: "sent something else than an answer".into() })
}

impl Desk for Away<'_> {
    fn next(&mut self) -> Result<Order> {
        self.asked(&[NEXT]).map(|(ends, entries, x_j)| Order { ends, entries, x_j })
    }
    fn find(&mut self, entries: &[u64]) -> Result<Found> {
        let asked = self.asked(&[&[FIND][..], entries].concat());
        asked.map(|(ends, findings, x_j)| Found { ends, findings, x_j })
    }
    fn tell(&mut self, found: &[u64], told: Option<Told>) -> Result<()> {
        let told = told.map_or(vec![], |told| told.to_words());
        say(self.0, 0, &[&[TELL, found.len() as u64][..], found, &told].concat())
    }
    fn ends(&mut self) -> Result<bool> {
        Ok(self.ask(&[ENDS])? == [1])
    }
    fn passed(&mut self, seconds: f64) -> Result<()> {
        say(self.0, 0, &[PASSED, seconds.to_bits()])
    }
}

/// Another rank: its part of a session, from which it goes on to the next where it fails.
pub(crate) fn serve_lane(own: &Rank, channel: &Channel) {
    let result = take_part(own, channel);
    let mut last = vec![STOPPED];
    if let Err(e) = result {
        tracing::warn!(rank = own.number(), "{e}");
        last.extend(words_of(e.to_string().as_bytes()));
    }
    // Rank 0 may have gone first.
    let _ = channel.say(0, &last);
}

fn take_part(own: &Rank, channel: &Channel) -> Result<()> {
    let words = hear(channel, 0)?;
    let mut left = &words[..];
    let mut next = || -> Result<Vec<u8>> {
        let n = usize::try_from(*left.first().ok_or_else(unfit)?).map_err(|_| unfit())?;
        let (one, rest) = left.split_at_checked(1 + n.div_ceil(8)).ok_or_else(unfit)?;
        left = rest;
        Ok(bytes_of(0, one)?)
    };
    let unfit = |e: serde_json::Error| Error::Handshake(format!("rank 0 sent no session: {e}"));
    let call: Call = serde_json::from_slice(&next()?).map_err(unfit)?;
    let records = (0..2 * call.matrices.len()).map(|_| next()).collect::<Result<Vec<_>>>()?;
    let service = Service::from_json(call.service.clone())?;
    let job = call.job.clone().map(Job::from_json).transpose()?;
    let known = service.known(job.as_ref())?;
    let pool = own.budget.as_ref().map(|_| rayon::ThreadPoolBuilder::new().num_threads(1).build());
    let work = || known.chosen.with(Work { own, channel, call: &call, service: &service, known: &known, records });
    match pool {
        None => work(),
        Some(Ok(pool)) => pool.install(work),
        Some(Err(e)) => Err(Error::Handshake(format!("no thread: {e}"))),
    }
}

/// A session's work at another rank, with whichever engine.
struct Work<'a> {
    own: &'a Rank,
    channel: &'a Channel,
    call: &'a Call,
    service: &'a Service,
    known: &'a Known,
    records: Vec<Vec<u8>>,
}

impl WithSuite for Work<'_> {
    type Out = Result<()>;

    fn run<S: Compiled>(self, engine: impl Fn(Party) -> S) -> Result<()> {
        let Work { own, channel, call: Call { meeting, model, pass, matrices, .. }, service, known, records } = self;
        let about = hello(serde_json::json!({ "service": service.hash(), "pass": pass, "model": model, "suite": known.chosen }));
        let mut net = own.meet(meeting, about)?;
        let turn = own.budget.clone().map(Turn::of);
        if let Some(turn) = turn.clone() {
            net = Box::new(Budgeted { net, turn });
        }
        let seeds = keys(&net, meeting.me, own.until())?;
        let mut e = engine(Party::new(meeting.me, net, seeds));
        let mut params = vec![];
        for param in matrices::restore(&e, matrices, records, Path::new("rank 0's shares of the model"))? {
            params.push(e.prepare(&param)?);
        }
        e.party().meet("service.ready", &[])?;
        say(channel, 0, &[READY])?;
        let (mut desk, mut after) = (Away(channel), |_: &Party, _: f64| ());
        let (prediction, reveal) = (&known.prediction, service.reveal);
        let (desk, after) = (&mut desk, &mut after);
        Passes { size: *pass, prediction, reveal, params, begun: 0, turn, desk, after }.run(&mut e)
    }
}
