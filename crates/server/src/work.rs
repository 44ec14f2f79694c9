//! One session of a job: from two links to a model, or to the fault that ended it.
//!
//! The parties compare everything that must be equal, agree on the newest checkpoint that all three have, make fresh keys, load the
//! owners' records, train, and write the model down before anyone forgets the records.

use crate::checkpoint::Standing;
use crate::handshake::{agreed, compare, exchange, keys, name_words};
use crate::page::history::Spent;
use crate::record::{Figures, OfColumn, Record, State};
use crate::report::{OfRanks, Tally};
use crate::server::Here;
use crate::session::{self, Session};
use crate::verdict;
use crate::witness::{self, Seen, Witness};
use crate::{Error, Event, Result, approvals, checkpoint, checks, heads, lanes, links, records, served, start_model, uploads};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use trefoil_job::compiled::{self, Compiled};
use trefoil_job::suites::WithSuite;
use trefoil_mpc::tap::Lie;
use trefoil_mpc::{Party, Seeds, Suite};
use trefoil_net::{Id, Net};
use trefoil_nn::{Event as Progress, Metric, State as TrainingState, Trainer};

/// Runs one session.
///
/// # Errors
/// What ended it: [`Error::Interrupted`] where the party is stopping; else the fault, which may be passing.
pub fn run(here: &Here) -> Result<()> {
    let record = here.record()?;
    record.job.is_the_one(here.hash)?;
    let job = record.job.clone();
    let me = job.party_of(here.identity.fingerprint()).ok_or_else(|| here.unknown())?;
    let (train_rows, test_rows) = records::rows(&record)?;
    let training = job.training(train_rows, test_rows);
    if let Some(line) = job.lowered(train_rows) {
        tracing::warn!(job = %here.hash, "{line}");
    }
    let trainer = start_model::begin(here, &job, training.trainer()?)?;
    lanes::fits(here, &job)?;
    here.update(|r| r.steps = trainer.total_steps())?;
    let net = match links::gather(here, &job.addresses(), me)? {
        links::Gathered::Net(net) => *net,
        links::Gathered::Trained(model) => return finished_without_us(here, &model),
    };
    here.live(|e| (e.session, e.meeting.waiting_for) = (Some(e.record.checkpoint), None))?;
    here.advance(|r| (r.state, r.resumed) = (State::Running, false))?;
    let session = Session { here, job, me, training };
    session.job.chosen().with(Work { session: &session, trainer: &trainer, net })
}

/// A session's work, with whichever engine.
struct Work<'a, N> {
    session: &'a Session<'a>,
    trainer: &'a Trainer,
    net: N,
}

impl<N: Net + 'static> WithSuite for Work<'_, N> {
    type Out = Result<()>;

    fn run<S: Compiled>(self, engine: impl Fn(Party) -> S) -> Result<()> {
        self.session.work(self.trainer, self.net, engine)
    }
}

/// The peers were told by this party that its model is written, and finished, before this party died: it is written.
fn finished_without_us(here: &Here, model: &str) -> Result<()> {
    let own = match &here.record()?.job.model_owner {
        Some(_) => checkpoint::model(here).map(|(own, _)| own),
        None => served::model(here, here.hash),
    };
    match own {
        Ok(own) if own == model => finish(here, model),
        Ok(own) => Err(Error::Handshake(format!("a peer has trained model {model}, expected {own}"))),
        Err(e) => Err(Error::Handshake(format!("a peer has trained model {model}; here: {e}"))),
    }
}

fn finish(here: &Here, model: &str) -> Result<()> {
    // A training that ended early has no more steps than are in its last checkpoint.
    here.advance(|r| (r.state, r.model, r.steps) = (State::Trained, Some(model.to_owned()), r.checkpoint))?;
    uploads::forget(here);
    let record = here.record()?;
    let Record { job, epoch, .. } = &*record;
    let mut trained = json!({ "what": "trained", "job": here.hash, "model": model });
    if let Some(epoch) = epoch {
        trained["epoch"] = (*epoch).into();
    }
    here.note(trained)?;
    here.say(Event::Trained { epoch: *epoch });
    let model = if job.model_owner.is_some() { "waits for its owner" } else { "stays in shares" };
    tracing::info!(job = %here.hash, "trained; the model {model}, and the shares of the records are gone");
    Ok(())
}

/// What a session knows of itself while it trains.
struct Run {
    /// Its name.
    name: String,
    /// Nothing of the epochs up to this one is opened any more.
    closed: u64,
    /// Whether the state at the end of the last epoch was found good.
    checked: bool,
    /// Steps that are done.
    step: u64,
    /// What came of the peers' messages to rank 0.
    seen: Arc<Mutex<Seen>>,
    tally: Tally,
}

impl Session<'_> {
    fn work<S: Compiled>(&self, trainer: &Trainer, net: impl Net + 'static, engine: impl Fn(Party) -> S) -> Result<()> {
        let (here, me) = (self.here, self.me);
        let until = Instant::now() + here.config.timeout() * 10;
        // Before anything shapes the network: who shapes it differently is told so.
        compare(&net, &me.others(), "node.hello", &self.agreed(), until)?;
        approvals::exchange(self, &net, until)?;
        let (net, seen) = Witness::new(session::decorated(here, me, net)?);
        let mut own = Standing::of(self.here)?;
        own.lanes = lanes::offered(here, &self.job.addresses()[me.index()])?;
        let theirs = exchange(&net, &me.others(), "node.standing", &own, until)?;
        let start = own.agree(here.hash, &theirs)?;
        let told = theirs.iter().map(|(id, standing)| (*id, standing.head.clone())).chain([(me, own.head.clone())]);
        heads::note(self, &start.session, "start", told.collect())?;
        let closed = self.agree_on_openings(&own, &theirs, trainer.training().spec.epochs)?;
        // Before the records: each lane holds rows of its own.
        let offered = theirs.into_iter().map(|(id, standing)| (id, standing.lanes)).collect();
        let lanes = lanes::begin(self, trainer, &start.session, offered)?;
        let mut data = records::load::<S>(self, lanes.as_ref())?;
        let mut net: Arc<dyn Net> = Arc::new(net);
        let unchecked = checks::prepare(self, &net, &data, until)?;
        lanes.as_ref().map_or(Ok(()), |lanes| lanes.tell_unchecked(unchecked.as_ref()))?;
        if let Some(unchecked) = unchecked {
            // Keys of its own, so that what is drawn for the training does not depend on whether there was a check.
            let seeds = self.seeds(&net, |seed| !seed, until)?;
            let mut e = engine(Party::new(me, net, seeds));
            unchecked.run(self, &mut e, &data, lanes.as_ref())?;
            net = e.into_party().into_net();
        }
        let seeds = self.seeds(&net, |seed| seed, until)?;
        if here.config.insecure.mask_seed.is_some() && start.step > 0 {
            let expected = "the beginning: under a mask seed a step that is done again would use its masks again";
            return Err(Error::config("session with an insecure mask seed", format!("step {}", start.step), expected));
        }
        let session = &start.session;
        here.note(
            json!({ "what": "session", "job": self.here.hash, "session": session, "from step": start.step, "opens": self.opens() }),
        )?;
        tracing::info!(job = %self.here.hash, "session {} from step {}", &start.session[..12], start.step);
        here.say(Event::Connected);
        let from_owners = data.bytes;
        let party = Party::new(me, net, seeds);
        let mut e = engine(match &lanes {
            Some(lanes) => lanes.lead(party),
            None => party,
        });
        let rows = &self.training.records;
        let [train, test] = data.join(&mut e, &self.job, [rows.train_rows, rows.test_rows])?;
        here.say(Event::Shared { rows: self.training.records.train_rows, seconds: data.started.elapsed().as_secs_f64() });
        let (state, checked) = checkpoint::load(self, &e, trainer, &start)?;
        let name = start.session.clone();
        let mut run = Run { name, closed, checked, step: start.step, seen, tally: Tally::default() };
        let mut report = |e: &mut S, event: Progress<'_, S::Num>| self.progress(e, trainer, &mut run, event);
        let state = compiled::train(&mut e, trainer, state, start.step, [&train, &test], &mut report)?;
        drop((train, test));
        let of_others = e.party().ask()?;
        if let Some(lanes) = lanes {
            e.party().dismiss()?;
            lanes.over();
        }
        // Before the model: who has one knows this of it.
        let spec = &trainer.training().spec;
        let best = state.best.given(spec);
        let epoch = best.unwrap_or(run.step / trainer.steps_per_epoch());
        self.here.advance(|r| {
            // The best epoch's weights were checked when its figures were opened.
            r.checked = run.checked || best.is_some();
            r.epoch = spec.follows_best().then_some(epoch);
        })?;
        let model = checkpoint::id(here.hash, &start.session, run.step);
        if self.job.model_owner.is_some() {
            let params = trainer.exports(&mut e, &state)?;
            checkpoint::write_model(self, &mut e, &params, &model)?;
        }
        served::write(self, &mut e, &state, &model)?;
        // Once all three have the model on disk nobody needs the records any more.
        self.not_cancelled()?;
        e.party().meet("node.trained", &name_words(&model))?;
        finish(self.here, &model)?;
        // The job is done, whether the others still hear of it or not.
        heads::exchange(self, e.party(), &start.session).unwrap_or_else(|e| tracing::warn!("heads of the audit logs: {e}"));
        let (p, seen) = (e.party(), run.seen_so_far());
        let ranks = OfRanks::of(p, &seen, &of_others)?;
        if let Some(line) = ranks.in_words(self.me) {
            tracing::info!(job = %self.here.hash, "{line}");
        }
        here.live(|entry| entry.history.ended(Spent::of(&ranks)))?;
        here.say(Event::Done(Box::new(run.tally.report(p, &ranks, from_owners, &seen))));
        Ok(())
    }

    /// What the parties have opened in earlier sessions: the epoch up to which nothing is opened in this one.
    fn agree_on_openings(&self, own: &Standing, theirs: &[(Id, Standing)], epochs: u64) -> Result<u64> {
        let others = theirs.iter().map(|(id, standing)| (*id, &standing.openings));
        let all: Vec<_> = others.chain([(self.me, &own.openings)]).collect();
        let agreed = own.openings.agree(&all, epochs)?;
        let lost: Vec<u64> = agreed.lost.difference(&own.openings.lost).copied().collect();
        if let Some(&epoch) = lost.last() {
            tracing::warn!(job = %self.here.hash, "figures of epoch {epoch}: not opened (fault)");
            self.here.note(json!({ "what": "not opened (fault)", "job": self.here.hash, "epochs": lost }))?;
        }
        self.here.update(|r| {
            r.openings = agreed.clone();
            if let Some(&epoch) = lost.last().filter(|epoch| r.last.is_none_or(|last| last.epoch <= **epoch)) {
                r.last = Some(Figures { epoch, loss: None, metric: None, lost: true });
                r.figures = vec![];
            }
        })?;
        Ok(agreed.begun)
    }

    /// An epoch's figures are computed, and hidden. Whoever opens them has it on disk first.
    fn begin_opening(&self, epoch: u64) -> Result<()> {
        self.not_cancelled()?;
        if self.me != Id::P2 {
            self.here.advance(|r| r.openings.begun = epoch)?;
            self.here.say(Event::Opening { epoch });
        }
        Ok(())
    }

    /// After each step and epoch: what was opened is told and logged; now and then the state is written down.
    fn progress<S: Suite>(&self, e: &mut S, trainer: &Trainer, run: &mut Run, event: Progress<'_, S::Num>) -> Result<()> {
        let (here, per_epoch) = (self.here, trainer.steps_per_epoch());
        match event {
            Progress::Start => {}
            Progress::Statistics { open } => {
                *open = !self.here.record()?.openings.statistics;
                if *open && self.me != Id::P2 {
                    self.not_cancelled()?;
                    self.here.advance(|r| r.openings.statistics = true)?;
                }
            }
            Progress::OpenedStatistics { told, clipped } => {
                if told.is_none() && clipped.is_none() {
                    return Ok(());
                }
                let columns = OfColumn::all(&self.job.data, told.as_deref(), clipped.as_deref());
                here.note(json!({ "what": "opened statistics", "job": self.here.hash, "columns": columns }))?;
                self.here.update(|r| r.statistics = columns.clone())?;
            }
            Progress::Figures { epoch, open } => *open = epoch > run.closed,
            Progress::Opening { epoch } => self.begin_opening(epoch)?,
            Progress::Opened { epoch, loss, metric, figures: all, verdict } => {
                if loss.is_some() || !all.is_empty() {
                    let figures = Figures { epoch, loss, metric, lost: false };
                    let mut opened = json!({ "what": "opened", "job": self.here.hash, "figures": figures });
                    if all.len() > 1 || all.iter().any(|figure| figure.why.is_some() || !figure.classes.is_empty()) {
                        opened["held out"] = json!(all);
                    }
                    here.note(opened)?;
                }
                if let Some(verdict) = verdict {
                    *verdict = verdict::agree(e.party(), self.me, epoch, *verdict)?;
                }
            }
            Progress::Step { step, time, state } => {
                run.step = step;
                let (bytes, rounds) = run.tally.after(e.party());
                // Other ranks are asked before anything here is locked.
                let p = e.party();
                let spent = match self.here.live(|entry| entry.history.is_old())? {
                    true => Some(Spent::of(&OfRanks::of(p, &run.seen_so_far(), &p.ask()?)?)),
                    false => None,
                };
                self.here.live(|entry| {
                    entry.session = Some(step);
                    entry.history.step(step, time, spent);
                })?;
                self.not_cancelled()?;
                here.say(Event::Step { step, seconds: time.as_secs_f64(), bytes, rounds });
                // At the end of an epoch the state is checked first: see below.
                let every = self.job.checkpoint.steps;
                if every < per_epoch && step.is_multiple_of(every) && !step.is_multiple_of(per_epoch) {
                    self.keep(e, state, &run.name, (step, false))?;
                }
            }
            Progress::Epoch { epoch, loss, metric, figures: all, checked, last, state } => {
                run.checked = checked;
                run.tally.opened += u64::from(loss.is_some()) + all.len() as u64;
                let figures = Figures { epoch, loss, metric, lost: false };
                let opened = loss.is_some() || !all.is_empty();
                // What was opened is in the log, whoever has cancelled the job meanwhile.
                self.not_cancelled()?;
                if checked {
                    self.here.update(|r| {
                        r.openings.done = if self.me == Id::P2 { 0 } else { epoch };
                        // Lost figures of an earlier epoch are not the last ones any more.
                        r.last = if opened { Some(figures) } else { r.last.filter(|last| !last.lost) };
                        r.figures = all.to_vec();
                    })?;
                }
                if opened {
                    self.here.live(|e| e.history.epochs.push(figures))?;
                }
                let step = epoch * per_epoch;
                here.say(Event::Epoch { epoch, step, loss, metric, figures: all.to_vec() });
                let every = self.job.checkpoint.steps;
                if step / every > (step - per_epoch) / every || last {
                    self.keep(e, state, &run.name, (step, checked))?;
                    // The others have come from opening it, if it was open: P2 knows that now.
                    self.here.update(|r| r.openings.begun = r.openings.begun.max(epoch))?;
                }
            }
        }
        run.tally.before(e.party());
        Ok(())
    }

    /// Writes the state down; a party that stops does so then.
    fn keep<S: Suite>(&self, e: &mut S, state: &TrainingState<S::Num>, session: &str, at: (u64, bool)) -> Result<()> {
        checkpoint::write(self, e, state, session, at)?;
        self.here.advance(|r| r.checkpoint = at.0)?;
        if self.here.stopping() { Err(Error::Interrupted) } else { Ok(()) }
    }

    fn not_cancelled(&self) -> Result<()> {
        match self.here.live(|e| matches!(e.record.state, State::Cancelled { .. }))? {
            true => Err(Error::Refused("cancelled".into())),
            false => Ok(()),
        }
    }

    /// What this job opens after each epoch, and to whom: it is in the log before anything is opened.
    fn opens(&self) -> serde_json::Value {
        let open = self.training.open;
        let loss = open.loss.then_some("loss");
        let activations = open.activations.then_some("blocks of activations out of range");
        let opened: Vec<&str> = loss
            .into_iter()
            .chain(open.metrics().map(Metric::opens))
            .chain(["blocks of weights out of range"])
            .chain(activations)
            .collect();
        let told = self.job.model_owner.iter().filter(|m| self.job.is_shown_figures(m.fingerprint)).map(|_| "model owner");
        let mut opens = json!({ "after each epoch": opened, "to": ["P0", "P1"], "told to": Vec::from_iter(told) });
        if open.statistics || open.clipped {
            let statistics = open.statistics.then_some("statistics of the columns that are standardised on shares");
            let clipped = open.clipped.then_some("how many of their values were clipped");
            opens["before the first step"] = json!(statistics.into_iter().chain(clipped).collect::<Vec<_>>());
        }
        if self.training.spec.follows_best() {
            opens["told to P2"] = "whether the epoch was better than all before".into();
        }
        opens
    }

    /// Fresh keys, or those that an insecure seed of the configuration makes.
    fn seeds(&self, net: &dyn Net, insecure: impl Fn(u64) -> u64, until: Instant) -> Result<Seeds> {
        let lie = self.here.config.insecure.lie;
        let mut seeds = match self.here.config.insecure.mask_seed {
            Some(seed) => Seeds::insecure(self.me, insecure(seed)),
            None => keys(net, self.me, until)?,
        };
        if let Some(step) = lie {
            tracing::warn!(job = %self.here.hash, "this party lies in step {step}, as [insecure] lie asks for");
            seeds.insecure_tap(Arc::new(Lie::in_step(step)));
        }
        Ok(seeds)
    }

    /// What must be equal at all three.
    fn agreed(&self) -> serde_json::Map<String, serde_json::Value> {
        let config = &self.here.config;
        let uploads = self.here.record().map(|r| r.uploads.clone()).unwrap_or_default();
        let uploads = uploads
            .into_iter()
            .map(|(owner, u)| {
                let (train, test) = (u.summary.train_rows, u.summary.test_rows);
                (owner.to_string(), format!("{}, {train} and {test} records", u.upload))
            })
            .collect();
        agreed(
            &self.training,
            self.job.chosen(),
            self.here.hash,
            config.insecure.mask_seed.is_some(),
            config.links.as_deref(),
            &uploads,
        )
    }
}

impl Run {
    fn seen_so_far(&self) -> Seen {
        witness::so_far(&self.seen)
    }
}
