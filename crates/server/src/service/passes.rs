//! The passes of a lane, one after the other, as each of the three sees them.
//!
//! P0 says what is next: it takes the questions that wait, those of several clients together as far as they fit, says of each what it finds,
//! and orders a pass. P1 has each of them already, since its client brings it there first; it says whether it takes it too, and zeros stand
//! where it does not, so that whatever it finds costs no round. Each gives a client its part of that client's own rows. P2 is told how many
//! passes have begun, and nothing of what they are about; where the suite lets it, it deals some ahead, so that a question finds them dealt.
//!
//! A pass is a step of the lane's session, under keys of this session, and a question's rows get masks of the pass: no mask serves two
//! questions, whatever is asked again after a fault.

use super::budget::Turn;
use super::lane::{LaneHere, Name, Question};
use crate::lap::Clock;
use crate::{Error, Event, Result};
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use trefoil_client::AGAIN;
use trefoil_job::compiled::Compiled;
use trefoil_job::service::Known;
use trefoil_mpc::securenn::SecureNn;
use trefoil_mpc::{Suite, Told};
use trefoil_net::Id;

/// While nobody asks the parties hear from one another so often.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// What P0 announces to P1: nothing, the end, or a pass and its questions.
const IDLE: u64 = 0;
const END: u64 = 1;
const NEXT: u64 = 2;

/// P2 deals so many passes ahead at most, and as many bytes.
const MOST_AHEAD: u64 = 64;
const BYTES_AHEAD: u64 = 16 << 20;

/// Words of a question in an order: its name, its rows, and what P0 finds of it.
const ORDERED: usize = 9;

/// What P0 or P1 finds of a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Finding {
    Taken,
    /// Its client has not brought it.
    NotHere,
    /// A limit is reached.
    Limit,
    /// The service's last day is over.
    Over,
    /// This party stops.
    Stops,
}

impl Finding {
    const ALL: [Finding; 5] = [Finding::Taken, Finding::NotHere, Finding::Limit, Finding::Over, Finding::Stops];

    fn of(word: u64) -> Finding {
        usize::try_from(word).ok().and_then(|i| Finding::ALL.get(i).copied()).unwrap_or(Finding::NotHere)
    }

    /// For those who watch.
    fn name(self) -> &'static str {
        ["taken", "not here", "limit", "over", "stops"][self as usize]
    }

    /// For the client.
    fn text(self) -> String {
        match self {
            Finding::Taken => "the question may be answered".into(),
            Finding::NotHere => format!("the question is not there{AGAIN}"),
            Finding::Limit => "a limit of the service is reached".into(),
            Finding::Over => "the service is over".into(),
            Finding::Stops => format!("the party stops{AGAIN}"),
        }
    }
}

/// Rows of a pass, and whose they are; nobody's where this party has refused them.
type Taken = (usize, Option<Question>);

/// What a lane works on.
pub struct Passes<'a, N> {
    pub lane: &'a LaneHere,
    pub known: &'a Known,
    pub params: Vec<N>,
    /// Passes that have begun.
    pub begun: u64,
    pub clock: Clock,
    /// What it computes with, where the party bounds that.
    pub turn: Option<Turn>,
}

impl<N: Clone> Passes<'_, N> {
    /// Until the party stops or the service ends.
    ///
    /// # Errors
    /// What ended it.
    pub fn run<S: Compiled<Num = N>>(mut self, e: &mut S) -> Result<()> {
        match e.party().id {
            Id::P0 => while self.lead(e)? {},
            Id::P1 => while self.follow(e)? {},
            Id::P2 => self.help(e)?,
        }
        Ok(())
    }

    /// P0: one pass, or a sign of life; false where the session is to end.
    fn lead<S: Compiled<Num = N>>(&mut self, e: &mut S) -> Result<bool> {
        let waiting = self.next();
        let (ends, mut all, mut order): (_, Vec<Taken>, Vec<u64>) = (self.ends(), vec![], vec![]);
        for question in waiting {
            let (finding, text) = self.found(Some(&question), ends)?;
            order.extend(question.name.words(question.rows));
            order.push(finding as u64);
            match finding {
                Finding::Taken => all.push((question.rows, Some(question))),
                _ => question.refuse(finding.name(), text),
            }
        }
        let what = match (ends, all.is_empty()) {
            (true, _) => END,
            (_, true) => IDLE,
            _ => NEXT,
        };
        self.begun += u64::from(what == NEXT);
        order.splice(..0, [what, self.begun]);
        e.party().announce(Id::P1, "service.order", &order)?;
        // P2 has dealt this pass: it hears of it when its turn to deal the next one does not take time from this one.
        let later = S::AHEAD && what == NEXT;
        if !later {
            e.party().announce(Id::P2, "service.begun", &order[..2])?;
        }
        if what == END {
            return Ok(false);
        }
        let mut found = vec![];
        let mut hear = |e: &mut S| -> Result<()> {
            found = e.party().announced(Id::P1, "service.found")?;
            match found.len() == 1 + all.len() {
                true => Ok(()),
                false => Err(Error::Handshake(format!("P1 said {} words of {} questions", found.len(), all.len()))),
            }
        };
        let told = match what {
            NEXT => Some(self.pass(e, &all, &mut hear)?),
            _ => hear(e).map(|()| None)?,
        };
        let mut at = 0;
        for ((rows, question), found) in all.into_iter().zip(&found[1..]) {
            match (question, Finding::of(*found), &told) {
                (Some(question), Finding::Taken, Some(told)) => question.answer(told.rows(at..at + rows)),
                (Some(question), finding, _) => question.refuse(finding.name(), format!("P1: {}", finding.text())),
                _ => {}
            }
            at += rows;
        }
        if later {
            e.party().announce(Id::P2, "service.begun", &order[..2])?;
        }
        Ok(found[0] != END)
    }

    /// P1: what P0 has ordered.
    fn follow<S: Compiled<Num = N>>(&mut self, e: &mut S) -> Result<bool> {
        let order = e.party().announced(Id::P0, "service.order")?;
        let (entries, rest) = order.get(2..).unwrap_or_default().as_chunks::<ORDERED>();
        let what = match order[..] {
            [END, _, ..] => return Ok(false),
            [what @ (IDLE | NEXT), pass, ..] if pass == self.begun + u64::from(what == NEXT) && rest.is_empty() => what,
            _ => return Err(Error::Handshake(format!("P0 ordered something else than pass {}", self.begun + 1))),
        };
        let own = if self.ends() { END } else { IDLE };
        // Before anything is counted.
        let taken = entries.iter().filter(|[.., of_p0]| Finding::of(*of_p0) == Finding::Taken);
        let rows = taken.clone().try_fold(0u64, |sum, [.., rows, _]| sum.checked_add(*rows));
        if rows.is_none_or(|rows| rows > self.lane.size() as u64) || (what == IDLE) != (taken.count() == 0) {
            return Err(Error::Handshake(format!("P0 ordered other records than fit into a pass of {}", self.lane.size())));
        }
        let (mut findings, mut all): (_, Vec<Taken>) = (vec![own], vec![]);
        for [name @ .., of_p0] in entries {
            let (name, rows) = Name::from_words(name);
            let question = self.lane.change(|now| now.remove(&name, rows));
            let of_p0 = Finding::of(*of_p0);
            if of_p0 != Finding::Taken {
                question.into_iter().for_each(|question| question.refuse(of_p0.name(), format!("P0: {}", of_p0.text())));
                continue;
            }
            let (finding, text) = self.found(question.as_ref(), own == END)?;
            findings.push(finding as u64);
            if finding == Finding::Taken {
                all.push((rows, question));
            } else {
                question.into_iter().for_each(|question| question.refuse(finding.name(), text.clone()));
                all.push((rows, None));
            }
        }
        if what == IDLE {
            e.party().announce(Id::P0, "service.found", &findings)?;
            return Ok(own != END);
        }
        self.begun += 1;
        let told = self.pass(e, &all, &mut |e| Ok(e.party().announce(Id::P0, "service.found", &findings)?))?;
        let mut at = 0;
        for (rows, question) in all {
            question.into_iter().for_each(|question| question.answer(told.rows(at..at + rows)));
            at += rows;
        }
        Ok(own != END)
    }

    /// P2: passes ahead of those that have begun.
    fn help<S: Compiled<Num = N>>(&mut self, e: &mut S) -> Result<()> {
        let (mut dealt, mut ahead) = (0, u64::from(S::AHEAD));
        loop {
            while dealt >= self.begun + ahead {
                match e.party().announced(Id::P0, "service.begun")?[..] {
                    [IDLE | NEXT, begun] if (self.begun..=self.begun + 1).contains(&begun) && !self.ends() => self.begun = begun,
                    _ => return Ok(()),
                }
            }
            dealt += 1;
            let sent = |e: &mut S| e.party().cost.total().payload_bytes;
            let before = sent(e);
            self.pass_at(e, dealt, vec![], &mut |_| Ok(()))?;
            if S::AHEAD {
                ahead = (BYTES_AHEAD / (sent(e) - before).max(1)).clamp(1, MOST_AHEAD);
            }
        }
    }

    /// The servers' half of a pass: these questions, each in its place; zeros where there is none. `asked` is done once they are in.
    fn pass<S: Compiled<Num = N>>(
        &mut self,
        e: &mut S,
        all: &[Taken],
        asked: &mut dyn FnMut(&mut S) -> Result<()>,
    ) -> Result<Told> {
        let (me, width) = (e.party().id, self.known.prediction.width());
        let mut x_j = Vec::with_capacity(self.lane.size() * width);
        for (rows, question) in all {
            let half = question.as_ref().map(|question| SecureNn::accept(me, rows * width, &question.parts));
            match half.transpose().map_err(Error::Refused)? {
                Some(half) => x_j.extend(half.words().into_iter().flatten()),
                None => x_j.resize(x_j.len() + rows * width, 0),
            }
        }
        x_j.resize(self.lane.size() * width, 0);
        self.pass_at(e, self.begun, x_j, asked)
    }

    fn pass_at<S: Compiled<Num = N>>(
        &mut self,
        e: &mut S,
        step: u64,
        mut x_j: Vec<u64>,
        asked: &mut dyn FnMut(&mut S) -> Result<()>,
    ) -> Result<Told> {
        let started = Instant::now();
        let mut work = || -> Result<Told> {
            e.begin_step(step);
            let shape = [self.lane.size(), self.known.prediction.width()];
            let x = e.ask(shape, self.known.prediction.input(), std::mem::take(&mut x_j))?;
            asked(e)?;
            let answer = e.answer(&self.known.prediction, &self.params, &x, self.lane.service.reveal)?;
            Ok(e.tell(&answer)?)
        };
        let told = match &self.turn {
            Some(turn) => turn.compute(work)?,
            None => work()?,
        };
        let seconds = started.elapsed().as_secs_f64();
        self.lane.now().lanes[self.lane.lane].took(seconds);
        let lap = self.clock.lap(e.party(), seconds);
        self.lane.server.say(Event::Pass { records: self.lane.size(), lap });
        Ok(told)
    }

    /// P0: the questions of this lane's next pass, if some come before the others must hear from this party.
    fn next(&self) -> Vec<Question> {
        let until = Instant::now() + HEARTBEAT.min(self.lane.server.config.timeout() / 4);
        let mut now = self.lane.now();
        loop {
            let (questions, left) = (now.batch(self.lane.lane), until.saturating_duration_since(Instant::now()));
            if !questions.is_empty() || left.is_zero() || now.ended || self.lane.server.stopping() {
                return questions;
            }
            let wait = left.min(Duration::from_millis(100));
            (now, _) = self.lane.changed.wait_timeout(now, wait).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn ends(&self) -> bool {
        self.lane.server.stopping() || self.lane.now().ended
    }

    /// Whether this party takes a question, and for its client why not: it is here, the session goes on, and its limits allow it.
    fn found(&self, question: Option<&Question>, ends: bool) -> Result<(Finding, String)> {
        let finding = |finding: Finding| Ok((finding, finding.text()));
        let Some(question) = question else { return finding(Finding::NotHere) };
        if ends {
            return finding(Finding::Stops);
        }
        if self.lane.is_over() {
            return finding(Finding::Over);
        }
        match self.lane.server.quotas().take(self.lane, self.known.most, question.name.by, question.rows as u64)? {
            Ok(()) => finding(Finding::Taken),
            Err(text) => Ok((Finding::Limit, text)),
        }
    }
}
