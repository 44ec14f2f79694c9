//! What is decided of a lane's passes at rank 0, which has the questions that wait, the limits and the clients' connections: which questions are next, which of them are taken, whose
//! rows of an answer are whose. Where a pass is computed at another rank, that rank asks for it ([`crew`](super::crew)).

use super::lane::{LaneHere, Name, Question};
use crate::{Error, Result};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use trefoil_client::AGAIN;
use trefoil_job::service::Known;
use trefoil_mpc::securenn::SecureNn;
use trefoil_mpc::{Suite, Told};
use trefoil_net::Id;

/// While nobody asks the parties hear from one another so often.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Words of a question in an order: its name, its rows, and what P0 finds of it.
pub const ORDERED: usize = 9;

/// What P0 or P1 finds of a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finding {
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

    pub fn of(word: u64) -> Finding {
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

/// What P0 says of the next pass, and its half of the questions that it takes: these one below the other, and zeros.
pub struct Order {
    pub ends: bool,
    /// [`ORDERED`] words for each question.
    pub entries: Vec<u64>,
    pub x_j: Vec<u64>,
}

/// What P1 says of the questions that P0 takes, and its half of them: zeros where it has refused one.
pub struct Found {
    pub ends: bool,
    pub findings: Vec<u64>,
    pub x_j: Vec<u64>,
}

/// What passes need of rank 0.
pub trait Desk {
    /// P0: the questions of the next pass; none where nobody has asked for a while.
    ///
    /// # Errors
    /// The limits cannot be written down; rank 0 is gone.
    fn next(&mut self) -> Result<Order>;
    /// P1: what it finds of the questions in P0's order.
    ///
    /// # Errors
    /// As for [`next`](Desk::next).
    fn find(&mut self, entries: &[u64]) -> Result<Found>;
    /// P0 and P1: the answer to the questions that are taken, or none; at P0 with what P1 finds of each.
    ///
    /// # Errors
    /// Rank 0 is gone.
    fn tell(&mut self, found: &[u64], told: Option<Told>) -> Result<()>;
    /// Whether the session is to end.
    ///
    /// # Errors
    /// Rank 0 is gone.
    fn ends(&mut self) -> Result<bool>;
    /// A pass has taken so long.
    ///
    /// # Errors
    /// Rank 0 is gone.
    fn passed(&mut self, seconds: f64) -> Result<()>;
}

/// Rows of a pass, and whose they are; nobody's where this party has refused them.
type Taken = (usize, Option<Question>);

/// Rank 0's own.
pub struct OwnDesk<'a> {
    lane: &'a LaneHere,
    me: Id,
    known: &'a Known,
    /// Whose passes these are.
    rank: usize,
    /// Set where another rank's part of the session has failed.
    broken: &'a AtomicBool,
    /// The questions of the pass that is being computed.
    held: Vec<Taken>,
}

impl<'a> OwnDesk<'a> {
    /// For the passes of this rank.
    pub fn of(lane: &'a LaneHere, me: Id, known: &'a Known, rank: usize, broken: &'a AtomicBool) -> OwnDesk<'a> {
        OwnDesk { lane, me, known, rank, broken, held: vec![] }
    }

    /// The questions of this lane's next pass, if some come before the others must hear from this party.
    fn waiting(&self) -> Vec<Question> {
        let until = Instant::now() + HEARTBEAT.min(self.lane.server.config.timeout() / 4);
        let mut now = self.lane.now();
        loop {
            let (questions, left) = (now.batch(self.lane.lane), until.saturating_duration_since(Instant::now()));
            if !questions.is_empty() || left.is_zero() || now.ended || self.is_over() {
                return questions;
            }
            let wait = left.min(Duration::from_millis(100));
            (now, _) = self.lane.changed.wait_timeout(now, wait).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn is_over(&self) -> bool {
        self.lane.server.stopping() || self.broken.load(Ordering::Relaxed)
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

    /// This party's half of the questions that are held, each in its place; zeros where there is none.
    fn half(&self) -> Result<Vec<u64>> {
        let width = self.known.prediction.width();
        let mut x_j = Vec::with_capacity(self.lane.size() * width);
        for (rows, question) in &self.held {
            let half = question.as_ref().map(|question| SecureNn::accept(self.me, rows * width, &question.parts));
            match half.transpose().map_err(Error::Refused)? {
                Some(half) => x_j.extend(half.words().into_iter().flatten()),
                None => x_j.resize(x_j.len() + rows * width, 0),
            }
        }
        x_j.resize(self.lane.size() * width, 0);
        Ok(x_j)
    }
}

impl Desk for OwnDesk<'_> {
    fn next(&mut self) -> Result<Order> {
        let waiting = self.waiting();
        let (ends, mut entries) = (self.ends()?, vec![]);
        self.held.clear();
        for question in waiting {
            let (finding, text) = self.found(Some(&question), ends)?;
            entries.extend(question.name.words(question.rows));
            entries.push(finding as u64);
            match finding {
                Finding::Taken => self.held.push((question.rows, Some(question))),
                _ => question.refuse(finding.name(), text),
            }
        }
        let x_j = if self.held.is_empty() { vec![] } else { self.half()? };
        Ok(Order { ends, entries, x_j })
    }

    fn find(&mut self, entries: &[u64]) -> Result<Found> {
        let (ends, mut findings) = (self.ends()?, vec![]);
        self.held.clear();
        for [name @ .., of_p0] in entries.as_chunks::<ORDERED>().0 {
            let (name, rows) = Name::from_words(name);
            let question = self.lane.change(|now| now.remove(&name, rows));
            let of_p0 = Finding::of(*of_p0);
            if of_p0 != Finding::Taken {
                question.into_iter().for_each(|question| question.refuse(of_p0.name(), format!("P0: {}", of_p0.text())));
                continue;
            }
            let (finding, text) = self.found(question.as_ref(), ends)?;
            findings.push(finding as u64);
            if finding == Finding::Taken {
                self.held.push((rows, question));
            } else {
                question.into_iter().for_each(|question| question.refuse(finding.name(), text.clone()));
                self.held.push((rows, None));
            }
        }
        let x_j = if self.held.is_empty() { vec![] } else { self.half()? };
        Ok(Found { ends, findings, x_j })
    }

    fn tell(&mut self, found: &[u64], told: Option<Told>) -> Result<()> {
        let mut at = 0;
        for (i, (rows, question)) in std::mem::take(&mut self.held).into_iter().enumerate() {
            let finding = if self.me == Id::P0 { Finding::of(found.get(i).copied().unwrap_or(u64::MAX)) } else { Finding::Taken };
            match (question, finding, &told) {
                (Some(question), Finding::Taken, Some(told)) => question.answer(told.rows(at..at + rows)),
                (Some(question), finding, _) => question.refuse(finding.name(), format!("P1: {}", finding.text())),
                _ => {}
            }
            at += rows;
        }
        Ok(())
    }

    fn ends(&mut self) -> Result<bool> {
        Ok(self.is_over() || self.lane.now().ended)
    }

    fn passed(&mut self, seconds: f64) -> Result<()> {
        self.lane.now().lanes[self.lane.lane].took(self.rank, seconds);
        Ok(())
    }
}
