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
use super::desk::{Desk, Finding, Found, ORDERED, Order};
use crate::{Error, Result};
use std::time::Instant;
use trefoil_job::compiled::Compiled;
use trefoil_mpc::{Party, Told};
use trefoil_net::Id;
use trefoil_nn::{Prediction, Reveal};

/// What P0 announces to P1: nothing, the end, or a pass and its questions.
const IDLE: u64 = 0;
const END: u64 = 1;
const NEXT: u64 = 2;

/// P2 deals so many passes ahead at most, and as many bytes.
const MOST_AHEAD: u64 = 64;
const BYTES_AHEAD: u64 = 16 << 20;

/// What a lane works on.
pub struct Passes<'a, N> {
    /// Records of a pass.
    pub size: usize,
    pub prediction: &'a Prediction,
    pub reveal: Reveal,
    pub params: Vec<N>,
    /// Passes that have begun.
    pub begun: u64,
    /// What it computes with, where the party bounds that.
    pub turn: Option<Turn>,
    /// Which questions are next, and who gets the answers.
    pub desk: &'a mut dyn Desk,
    /// Told after each pass how many seconds it took.
    pub after: &'a mut dyn FnMut(&Party, f64),
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
        let Order { ends, entries, x_j } = self.desk.next()?;
        let is_taken = |[.., finding]: &&[u64; ORDERED]| Finding::of(*finding) == Finding::Taken;
        let taken = entries.as_chunks::<ORDERED>().0.iter().filter(is_taken).count();
        let what = match (ends, taken) {
            (true, _) => END,
            (_, 0) => IDLE,
            _ => NEXT,
        };
        self.begun += u64::from(what == NEXT);
        let order = [&[what, self.begun][..], &entries].concat();
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
            match found.len() == 1 + taken {
                true => Ok(()),
                false => Err(Error::Handshake(format!("P1 said {} words of {taken} questions", found.len()))),
            }
        };
        let told = match what {
            NEXT => Some(self.pass(e, self.begun, x_j, &mut hear)?),
            _ => hear(e).map(|()| None)?,
        };
        self.desk.tell(&found[1..], told)?;
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
        // Before anything is counted.
        let taken = entries.iter().filter(|[.., of_p0]| Finding::of(*of_p0) == Finding::Taken);
        let rows = taken.clone().try_fold(0u64, |sum, [.., rows, _]| sum.checked_add(*rows));
        if rows.is_none_or(|rows| rows > self.size as u64) || (what == IDLE) != (taken.count() == 0) {
            return Err(Error::Handshake(format!("P0 ordered other records than fit into a pass of {}", self.size)));
        }
        let Found { ends, findings, x_j } = self.desk.find(&order[2..])?;
        let found = [&[if ends { END } else { IDLE }][..], &findings].concat();
        if what == IDLE {
            e.party().announce(Id::P0, "service.found", &found)?;
            return Ok(!ends);
        }
        self.begun += 1;
        let told = self.pass(e, self.begun, x_j, &mut |e| Ok(e.party().announce(Id::P0, "service.found", &found)?))?;
        self.desk.tell(&[], Some(told))?;
        Ok(!ends)
    }

    /// P2: passes ahead of those that have begun.
    fn help<S: Compiled<Num = N>>(&mut self, e: &mut S) -> Result<()> {
        let (mut dealt, mut ahead) = (0, u64::from(S::AHEAD));
        loop {
            while dealt >= self.begun + ahead {
                match e.party().announced(Id::P0, "service.begun")?[..] {
                    [IDLE | NEXT, begun] if (self.begun..=self.begun + 1).contains(&begun) && !self.desk.ends()? => {
                        self.begun = begun;
                    }
                    _ => return Ok(()),
                }
            }
            dealt += 1;
            let sent = |e: &mut S| e.party().cost.total().payload_bytes;
            let before = sent(e);
            self.pass(e, dealt, vec![], &mut |_| Ok(()))?;
            if S::AHEAD {
                ahead = (BYTES_AHEAD / (sent(e) - before).max(1)).clamp(1, MOST_AHEAD);
            }
        }
    }

    /// A pass, of which `x_j` is a server's half. `asked` is done once its questions are in.
    fn pass<S: Compiled<Num = N>>(
        &mut self,
        e: &mut S,
        step: u64,
        mut x_j: Vec<u64>,
        asked: &mut dyn FnMut(&mut S) -> Result<()>,
    ) -> Result<Told> {
        let started = Instant::now();
        let mut work = || -> Result<Told> {
            e.begin_step(step);
            let shape = [self.size, self.prediction.width()];
            let x = e.ask(shape, self.prediction.input(), std::mem::take(&mut x_j))?;
            asked(e)?;
            let answer = e.answer(self.prediction, &self.params, &x, self.reveal)?;
            Ok(e.tell(&x, &answer)?)
        };
        let told = match &self.turn {
            Some(turn) => turn.compute(work)?,
            None => work()?,
        };
        let seconds = started.elapsed().as_secs_f64();
        self.desk.passed(seconds)?;
        (self.after)(e.party(), seconds);
        Ok(told)
    }
}
