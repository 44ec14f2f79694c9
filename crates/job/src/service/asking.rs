//! A client of a service: it holds the job that the parties name against the service's hash, prepares records as the model wants them, and
//! asks.

use super::{Known, PASSES, Service};
use crate::compiled::Compiled;
use crate::suites::WithSuite;
use crate::{Error, Job, Result};
use ndarray::{Array2, s};
use std::time::{Duration, Instant};
use trefoil_client::Patience;
use trefoil_client::ask::{Conversation, Question};
use trefoil_engine::{Format, fixed};
use trefoil_mpc::securenn::SecureNn;
use trefoil_mpc::{Party, Suite};
use trefoil_net::identity::Identity;
use trefoil_nn::Reveal;
use trefoil_ring::Tensor;

/// How long it takes before a question that failed is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// A conversation with a service, which is begun again where it breaks.
pub struct Asking<'a> {
    service: &'a Service,
    identity: &'a Identity,
    patience: Patience,
    conversation: Option<Conversation>,
    known: Known,
    /// Of answers.
    format: Format,
    deadline: Option<Duration>,
}

impl<'a> Asking<'a> {
    /// Connects to P0 and P1. What they say of the job is held against its hash.
    ///
    /// # Errors
    /// A party cannot be reached, is not who it should be, refuses, or names another job; the service exceeds what the job allows.
    pub fn open(service: &'a Service, identity: &'a Identity, patience: Patience) -> Result<Asking<'a>> {
        let (conversation, job) = Conversation::open(&service.addresses(), identity, service.hash(), patience)?;
        let known = service.known(job.map(Job::from_json).transpose()?.as_ref())?;
        let format = known.prediction.answer_format(service.reveal)?;
        Ok(Asking { service, identity, patience, conversation: Some(conversation), known, format, deadline: None })
    }

    /// Of the questions from now on: none's pass begins later than so long after it was asked, nor is it asked again then.
    pub fn set_deadline(&mut self, deadline: Option<Duration>) {
        self.deadline = deadline;
    }

    /// What is known of the model that answers.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// What answers tell.
    pub fn reveal(&self) -> Reveal {
        self.service.reveal
    }

    /// For each row of `x`, [rows, inputs], outputs of a network that say what the answer says, [rows, outputs]: of a class those that are
    /// largest there, or of two classes with one output of its sign; log(p_j / p_0) of probabilities, the value of a regression. More rows than a question may have
    /// become several questions. What a broken conversation has not answered is asked again in a new one.
    ///
    /// # Errors
    /// A party refuses, is gone for longer than one waits, or changes the answer; a question's deadline is over.
    pub fn answers(&mut self, x: &Array2<f64>) -> Result<Array2<f64>> {
        let outputs = self.known.prediction.network().outputs();
        let mut all = Array2::zeros((x.nrows(), outputs));
        let most = self.service.limits.records_a_question as usize;
        for begin in (0..x.nrows()).step_by(most) {
            let rows = begin..x.nrows().min(begin + most);
            let (asked, mut pause) = (Instant::now(), Duration::ZERO);
            let most = self.deadline.map_or(self.patience.answer, |deadline| deadline.min(self.patience.answer));
            let answered = loop {
                let left = self.deadline.map(|deadline| deadline.saturating_sub(asked.elapsed()));
                match self.ask(&x.slice(s![rows.clone(), ..]).to_owned(), left) {
                    Err(Error::Client(e)) if e.may_pass() && asked.elapsed() + e.pause().unwrap_or_default() < most => {
                        // A conversation that was idle for long has ended: the first time it is only begun again.
                        self.conversation = None;
                        let next = std::mem::replace(&mut pause, PAUSE);
                        std::thread::sleep(e.pause().unwrap_or(next).min(most.saturating_sub(asked.elapsed())));
                    }
                    Err(e) => {
                        self.conversation = None;
                        return Err(e);
                    }
                    Ok(answered) => break answered,
                }
            };
            all.slice_mut(s![rows, ..]).assign(&answered);
        }
        Ok(all)
    }

    fn ask(&mut self, x: &Array2<f64>, deadline: Option<Duration>) -> Result<Array2<f64>> {
        let (rows, outputs) = (x.nrows(), self.known.prediction.network().outputs());
        let pass = Service::pass(rows).unwrap_or(PASSES[PASSES.len() - 1]);
        let mut filled = Array2::zeros((pass, x.ncols()));
        filled.slice_mut(s![..rows, ..]).assign(x);
        let words = fixed::encode(&filled, self.known.prediction.input()).map_err(trefoil_nn::Error::Engine)?;
        let conversation = match &mut self.conversation {
            Some(conversation) => conversation,
            none => {
                none.insert(Conversation::open(&self.service.addresses(), self.identity, self.service.hash(), self.patience)?.0)
            }
        };
        let answer = self.known.chosen.with(Ask { conversation, x: &words, outputs, deadline })?;
        let answer = Tensor::from_shape_vec((pass, outputs), answer).map_err(|e| Error::config("answer", e, "whole rows"))?;
        let answer = fixed::decode(&answer, self.format).slice(s![..rows, ..]).to_owned();
        let sign = self.reveal() == Reveal::Class && outputs == 1;
        Ok(if sign { answer.mapv(|second| 2.0 * second - 1.0) } else { answer })
    }
}

/// A question, whose answer is put together as the suite does it.
struct Ask<'a> {
    conversation: &'a mut Conversation,
    x: &'a Tensor,
    outputs: usize,
    deadline: Option<Duration>,
}

impl WithSuite for Ask<'_> {
    type Out = Result<Vec<u64>>;

    fn run<S: Compiled>(self, _: impl Fn(Party) -> S) -> Result<Vec<u64>> {
        let question = Question { x: self.x, outputs: self.outputs, deadline: self.deadline };
        Ok(self.conversation.ask(question, SecureNn::deal, S::hear)?)
    }
}
