//! A model's outputs from shares: three parties on threads of this process, with the real protocols, fresh keys, and queues in place of
//! connections. It is for trying what a model says on shares and what that costs; whoever runs it sees everything.
//!
//! The model is shared once, the records batch by batch. What the parties know beside their shares is a [`Prediction`].

use crate::compiled::Compiled;
use crate::local::{self, Ends, engine, gone, together};
use crate::suites::{Chosen, WithSuite};
use crate::{Error, Result};
use ndarray::Array2;
use serde::Serialize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;
use trefoil_engine::{Format, fixed};
use trefoil_mpc::{Part, Party, Suite};
use trefoil_nn::{Prediction, Prepared};
use trefoil_ring::Tensor;

/// A matrix on its way to a party.
struct Dealt {
    shape: [usize; 2],
    parts: Vec<Part>,
}

/// What a party makes of a batch.
struct Said {
    parts: Vec<Part>,
    rounds: u32,
    bytes: u64,
}

/// What a batch costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spent {
    /// Records in it.
    pub records: usize,
    /// The longest chain of messages.
    pub rounds: u32,
    /// Payload on all links between the parties.
    pub bytes: u64,
    /// By the wall clock, from the records in the clear to the outputs in the clear.
    pub seconds: f64,
}

/// Three parties that hold a model on shares.
pub struct OnShares {
    prediction: Prediction,
    ends: Ends,
    to: Vec<Sender<Dealt>>,
    from: Vec<Receiver<Result<Said>>>,
    parties: Vec<JoinHandle<()>>,
    /// The first batch's: all full ones cost the same.
    first: Option<Spent>,
    seconds: f64,
    batches: usize,
}

impl OnShares {
    /// Starts the parties and shares the model.
    ///
    /// # Errors
    /// No randomness, or no threads.
    pub fn start(model: &Prepared, chosen: Chosen) -> Result<OnShares> {
        let (ends, mut to, mut from, mut parties) = (Ends::of(chosen), Vec::new(), Vec::new(), Vec::new());
        for party in local::parties()? {
            let ((asks, asked), (says, said)) = (channel(), channel());
            let id = party.id;
            let work = Serve { party, prediction: model.prediction.clone(), asked, says };
            let thread = std::thread::Builder::new().name(id.to_string()).spawn(move || chosen.with(work));
            parties.push(thread.map_err(|e| Error::config("threads", e, "one for each party"))?);
            to.push(asks);
            from.push(said);
        }
        let prediction = model.prediction.clone();
        let mut all = OnShares { prediction, ends, to, from, parties, first: None, seconds: 0.0, batches: 0 };
        for (param, format) in model.params.iter().zip(model.prediction.params()) {
            all.deal(param, *format)?;
        }
        Ok(all)
    }

    /// The outputs for each row of `x`, [rows, outputs].
    ///
    /// # Errors
    /// A value outside of the range that the parties were told; those of the protocols.
    pub fn logits(&mut self, x: &Array2<f64>) -> Result<Array2<f64>> {
        let started = Instant::now();
        self.deal(x, self.prediction.input())?;
        let said = together(self.from.iter().map(|from| from.recv().unwrap_or_else(|_| Err(gone()))))?;
        // Rounds are P0's or P1's.
        let rounds = said.iter().take(2).map(|s| s.rounds).max().unwrap_or(0);
        let bytes = said.iter().map(|s| s.bytes).sum();
        let parts = said.map(|s| s.parts);
        let shape = (x.nrows(), self.prediction.network().outputs());
        let words =
            (self.ends.reconstruct)(shape.0 * shape.1, &parts).map_err(|e| Error::config("outputs", e, "parts that fit"))?;
        let z = Tensor::from_shape_vec(shape, words).map_err(|e| Error::config("outputs", e, "whole rows"))?;
        let z = fixed::decode(&z, self.prediction.output());
        let seconds = started.elapsed().as_secs_f64();
        self.first.get_or_insert(Spent { records: x.nrows(), rounds, bytes, seconds });
        (self.seconds, self.batches) = (self.seconds + seconds, self.batches + 1);
        Ok(z)
    }

    /// What a batch has cost: rounds and bytes of the first one, which is as large as any, and the mean of all seconds.
    pub fn spent(&self) -> Spent {
        Spent { seconds: self.seconds / self.batches.max(1) as f64, ..self.first.unwrap_or_default() }
    }

    /// Batches so far.
    pub fn batches(&self) -> usize {
        self.batches
    }

    /// An owner's half: shares of a matrix to each party.
    fn deal(&mut self, x: &Array2<f64>, format: Format) -> Result<()> {
        let (shape, x) = ([x.nrows(), x.ncols()], fixed::encode(x, format).map_err(trefoil_nn::Error::Engine)?);
        let seed = *local::key()?.bytes();
        for (to, parts) in self.to.iter().zip((self.ends.deal)(&x, seed)) {
            // A party that is gone has said why.
            let _ = to.send(Dealt { shape, parts });
        }
        Ok(())
    }
}

impl Drop for OnShares {
    /// Without anybody who asks the parties end.
    fn drop(&mut self) {
        self.to.clear();
        self.parties.drain(..).for_each(|party| drop(party.join()));
    }
}

/// A party's thread.
struct Serve {
    party: Party,
    prediction: Prediction,
    asked: Receiver<Dealt>,
    says: Sender<Result<Said>>,
}

impl WithSuite for Serve {
    type Out = ();

    fn run<S: Compiled>(self, engine: impl Fn(Party) -> S) {
        let Serve { party, prediction, asked, says } = self;
        if let Err(e) = serve(&mut engine(party), &prediction, &asked, &says) {
            // Nobody listens only where the whole is ending.
            let _ = says.send(Err(e));
        }
    }
}

/// Takes the model, then answers batches until nobody asks any more.
fn serve<S: Suite>(e: &mut S, prediction: &Prediction, asked: &Receiver<Dealt>, says: &Sender<Result<Said>>) -> Result<()> {
    let id = e.party().id;
    let accept = |e: &S, dealt: Dealt, format| -> Result<S::Num> {
        let [rows, cols] = dealt.shape;
        let kept =
            S::accept(id, rows * cols, &dealt.parts).map_err(|found| Error::config("dealt matrix", found, "its own parts"))?;
        Ok(e.input(dealt.shape, format, kept))
    };
    let mut params = Vec::new();
    for format in prediction.params() {
        let Ok(dealt) = asked.recv() else { return Ok(()) };
        let param = accept(e, dealt, *format)?;
        // What every batch uses is paid for once.
        params.push(e.prepare(&param).map_err(engine)?);
    }
    let mut step = 0;
    while let Ok(dealt) = asked.recv() {
        step += 1;
        e.begin_step(step);
        let x = accept(e, dealt, prediction.input())?;
        let before = (e.party().depth(), e.party().cost.sent.iter().sum::<u64>());
        let z = prediction.forward(e, &params, &x).map_err(engine)?;
        let parts = e.export(&z).map_err(|e| engine(e.into()))?;
        let (rounds, bytes) = (e.party().depth() - before.0, e.party().cost.sent.iter().sum::<u64>() - before.1);
        if says.send(Ok(Said { parts, rounds, bytes })).is_err() {
            return Ok(());
        }
    }
    Ok(())
}
