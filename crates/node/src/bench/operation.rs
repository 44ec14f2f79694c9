//! What can be measured, and a party's half of it.

use super::{Bench, Run, job};
use crate::report::{Report, Tally};
use crate::witness::Seen;
use crate::{Error, Result, SuiteName, Training};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use trefoil_client::query;
use trefoil_engine::functions::softmax;
use trefoil_engine::{Format, Product, fixed};
use trefoil_mpc::range::{Block, Range, violations};
use trefoil_mpc::{Id, Key, Party, Seeds, Suite, masked::Masked, securenn::SecureNn, simulate_over};
use trefoil_net::identity::Fingerprint;
use trefoil_net::local;
use trefoil_net::tls::Listener;
use trefoil_nn::train::LABEL;
use trefoil_nn::{Config, Data, Graph, Init, Loss, Schedule, SoftmaxKind, Trainer};
use trefoil_ring::Tensor;

/// An operation and how often it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // the names say it
pub enum Operation {
    Train { network: Graph, iterations: usize },
    Infer { network: Graph, batch: usize, iterations: usize },
    Relu { elements: usize, iterations: usize },
    Product { shape: [usize; 3], iterations: usize },
    Softmax { rows: usize, cols: usize, iterations: usize },
    Check { rows: usize, features: usize, pixels: bool, iterations: usize },
}

/// Told about each iteration: its number from 1 on and its seconds; number 0 when the first is about to start.
type Lap<'a, E> = &'a mut dyn FnMut(&mut E, u64, f64);

impl Operation {
    /// From a name of [`super::NAMES`].
    ///
    /// # Errors
    /// Another name.
    pub fn parse(name: &str, iterations: usize) -> Result<Operation> {
        let sizes = |text: &str| Graph::perceptron(&text.split('x').filter_map(|n| n.parse().ok()).collect::<Vec<usize>>());
        Ok(match name {
            "train-784x256x10" | "train-784x128x128x10" => Operation::Train { network: sizes(&name[6..]), iterations },
            "train-lenet" => Operation::Train { network: "lenet".parse()?, iterations },
            "infer-784x128x128x10-b1" => Operation::Infer { network: sizes("784x128x128x10"), batch: 1, iterations },
            "infer-784x128x128x10-b128" => Operation::Infer { network: sizes("784x128x128x10"), batch: 128, iterations },
            "relu-1e6" => Operation::Relu { elements: 1_000_000, iterations },
            "product-128x784x256" => Operation::Product { shape: [128, 784, 256], iterations },
            "softmax-128x10" => Operation::Softmax { rows: 128, cols: 10, iterations },
            "check-60000x784-pixels" => Operation::Check { rows: 60_000, features: 784, pixels: true, iterations },
            "check-1000000x30-numbers" => Operation::Check { rows: 1_000_000, features: 30, pixels: false, iterations },
            other => return Err(Error::config("benchmark", other, super::NAMES.join(", "))),
        })
    }

    /// The network, or a small one where there is none.
    pub(super) fn network(&self) -> Graph {
        match self {
            Operation::Train { network, .. } | Operation::Infer { network, .. } => network.clone(),
            _ => Graph::perceptron(&[1, 2]),
        }
    }

    /// A party's half, by all three at once.
    pub(crate) fn run<E: Suite>(
        &self,
        e: &mut E,
        job: &Training,
        from: (&Listener, Fingerprint),
        timeout: Duration,
        lap: Lap<'_, E>,
    ) -> Result<()> {
        match self {
            Operation::Infer { batch, iterations, .. } => infer(e, job, *batch, *iterations, from, timeout, lap),
            other => other.repeat(e, lap),
        }
    }

    /// Everything that needs no client.
    fn repeat<E: Suite>(&self, e: &mut E, lap: Lap<'_, E>) -> Result<()> {
        match self {
            Operation::Train { network, iterations } => train(e, network, *iterations, lap),
            Operation::Infer { .. } => Err(Error::config("inference", "no client", "three processes and a client")),
            Operation::Relu { elements, iterations } => {
                // Pre-activations as the network promises them: 16 fraction bits, below 2^39.
                let x = secret(e, &spread(1, *elements), Format { frac: 16, bits: 39 })?;
                laps(e, *iterations, lap, |e, _| e.relu(&x).map(drop))
            }
            Operation::Product { shape: [m, k, n], iterations } => {
                let (x, w) = (secret(e, &spread(*m, *k), Format::new(8, 8))?, secret(e, &spread(*n, *k), Format::new(16, 8))?);
                laps(e, *iterations, lap, |e, _| {
                    let [z] = e.products([Product::matmul(&x, false, &w, true, Format::new(16, 24))])?;
                    e.settle(&[&z])
                })
            }
            Operation::Softmax { rows, cols, iterations } => {
                let x = secret(e, &spread(*rows, *cols), Format::new(16, 8))?;
                laps(e, *iterations, lap, |e, _| {
                    let p = softmax(e, &x, Format::new(16, 1))?;
                    e.settle(&[&p])
                })
            }
            Operation::Check { rows, features, pixels, iterations } => check(e, [*rows, *features], *pixels, *iterations, lap),
        }
    }

    /// The same by three threads of this process over channels.
    pub(super) fn in_process(&self, suite: SuiteName, bench: &Bench<'_>, progress: &mut dyn FnMut(u64, f64)) -> Result<Run> {
        let keys = [Key::fresh()?, Key::fresh()?, Key::fresh()?];
        let with = |a: Id, b: Id| (b, keys[a.index() + b.index() - 1].clone());
        let seeds = |id: Id| Seeds::new(id, id.others().map(|other| with(id, other)));
        let nets = local::network(Duration::from_secs(60));
        // A pool that exists already keeps its size.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(bench.threads).build_global();
        let truncation = job(suite, self).truncation()?;
        let outcomes = simulate_over(nets, seeds, |p| -> Result<(Vec<f64>, Report)> {
            // The party moves into its engine; a closed network takes its place until it ends.
            let id = p.id;
            let closed = local::network(Duration::ZERO).into_iter().next().ok_or(trefoil_mpc::Error::Panicked)?;
            let party = std::mem::replace(p, Party::new(id, closed, Seeds::insecure(id, 0)));
            match suite {
                SuiteName::Securenn => self.tallied(SecureNn::new(party, truncation)),
                SuiteName::Masked => self.tallied(Masked::new(party)),
            }
        });
        let [a, b, c] = outcomes;
        let ((seconds, p0), (_, p1), (_, p2)) = (a?.0, b?.0, c?.0);
        seconds.iter().enumerate().for_each(|(i, s)| progress(i as u64 + 1, *s));
        Ok(Run { seconds, reports: [p0, p1, p2] })
    }

    fn tallied<E: Suite>(&self, mut e: E) -> Result<(Vec<f64>, Report)> {
        let (mut tally, mut seconds) = (Tally::default(), vec![]);
        self.repeat(&mut e, &mut |e: &mut E, iteration, s| {
            if iteration > 0 {
                tally.after(e.party());
                seconds.push(s);
            }
            tally.before(e.party());
        })?;
        Ok((seconds, tally.report(e.party(), 0, &Seen::default())))
    }
}

/// `f` again and again, each in a step of its own.
fn laps<E: Suite>(
    e: &mut E,
    iterations: usize,
    lap: Lap<'_, E>,
    mut f: impl FnMut(&mut E, u64) -> trefoil_engine::Result<()>,
) -> Result<()> {
    lap(e, 0, 0.0);
    for i in 1..=iterations as u64 {
        e.begin_step(i);
        let started = Instant::now();
        f(e, i)?;
        lap(e, i, started.elapsed().as_secs_f64());
    }
    Ok(())
}

fn train<E: Suite>(e: &mut E, network: &Graph, iterations: usize, lap: Lap<'_, E>) -> Result<()> {
    const BATCH: usize = 128;
    let rows = BATCH * 8;
    let trainer = Trainer::new(Config {
        network: network.clone(),
        input: Format::new(8, 0),
        rows,
        batch: BATCH,
        epochs: (iterations as u64).div_ceil(8) + 1,
        schedule: Schedule::Constant(0.1),
        momentum: 0.9,
        loss: Loss::CrossEntropy(SoftmaxKind::Exact),
        open: trefoil_nn::Open::default(),
        fraction_bits: fraction_bits(network),
        init: Init::He,
        seed: 1,
    })?;
    let (inputs, classes) = (trainer.network().width(), trainer.network().outputs());
    let labels = Array2::from_shape_fn((rows, classes), |(i, j)| f64::from(u8::from(i % classes == j)));
    let x = secret(e, &images(rows, inputs), Format::new(8, 0))?;
    let data = Data { x: e.prepare(&x)?, y: secret(e, &labels, LABEL)? };
    let mut state = trainer.initial(e)?;
    laps(e, iterations, lap, |e, i| trainer.step(e, &mut state, &data, i - 1))
}

/// The check of an upload: grey levels with ten classes, or numbers with a target.
fn check<E: Suite>(e: &mut E, [rows, features]: [usize; 2], pixels: bool, iterations: usize, lap: Lap<'_, E>) -> Result<()> {
    let (x, y, labels) = match pixels {
        true => (Range { bits: 8, signed: false }, Range { bits: 1, signed: false }, 10),
        false => (Range { bits: 16, signed: true }, Range { bits: 16, signed: true }, 1),
    };
    let features = kept(e, &Tensor::from_shape_fn((rows, features), |(i, j)| ((i * 131 + j * 7) % 256) as u64))?;
    let labels = kept(e, &Tensor::from_shape_fn((rows, labels), |(i, j)| u64::from(i % labels == j)))?;
    let blocks = [(&features, x, false), (&labels, y, pixels)].map(|((shape, words), range, one_hot)| {
        let kept = words.each_ref().map(Vec::as_slice);
        Block { owner: 0, shape: *shape, range, one_hot, kept }
    });
    laps(e, iterations, lap, |e, i| match violations(e, &[i as u8; 32], 1, &blocks)?[..] {
        [0] => Ok(()),
        ref found => Err(trefoil_engine::Error::Protocol(format!("violations: found {found:?}, expected none").into())),
    })
}

/// A convolution's sums over all places of an image leave less room.
pub(super) fn fraction_bits(network: &Graph) -> u8 {
    if network.is_perceptron() { 16 } else { 14 }
}

/// Answers a client's queries; the network's weights are masked like an owner's records.
#[allow(clippy::too_many_arguments)] // called from one place
fn infer<E: Suite>(
    e: &mut E,
    job: &Training,
    batch: usize,
    iterations: usize,
    (listener, client): (&Listener, Fingerprint),
    timeout: Duration,
    lap: Lap<'_, E>,
) -> Result<()> {
    let trainer = job.trainer()?;
    let mut state = trainer.initial(e)?;
    let (weights, clear) = (trainer.scales().weight, trainer.initial(&trefoil_engine::Float)?);
    for (w, clear) in state.params.iter_mut().zip(clear.params) {
        *w = secret(e, &clear.value, weights)?;
    }
    let inputs = trainer.network().width();
    let mut session = query::accept(listener, client, timeout)?;
    let (id, shape) = (e.party().id, [batch, inputs]);
    lap(e, 0, 0.0);
    for i in 1..=iterations as u64 {
        e.begin_step(i);
        let kept = session.query(|parts| E::accept(id, batch * inputs, parts))?;
        let started = Instant::now();
        let x = e.input(shape, job.input(), kept);
        let logits = trainer.forward(e, &state, &x)?;
        let answer = e.export(&logits)?;
        session.answer(answer)?;
        lap(e, i, started.elapsed().as_secs_f64());
    }
    Ok(())
}

/// A matrix as an owner would have shared it, from a fixed seed.
fn secret<E: Suite>(e: &mut E, x: &Array2<f64>, format: Format) -> Result<E::Num> {
    let (shape, words) = kept(e, &fixed::encode(x, format)?)?;
    Ok(e.input(shape, format, words))
}

/// Shape and words of a matrix as a party keeps them.
fn kept<E: Suite>(e: &mut E, x: &Tensor) -> Result<([usize; 2], [Vec<u64>; 2])> {
    let id = e.party().id;
    let parts = E::deal(x, [x.ncols() as u8; 32]);
    let words =
        E::accept(id, x.len(), &parts[id.index()]).map_err(|found| Error::config("dealt matrix", found, "its own parts"))?;
    Ok(([x.nrows(), x.ncols()], words))
}

/// Numbers in [-4, 4), none alike in a row.
fn spread(rows: usize, cols: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, cols), |(i, j)| ((i * 31 + j * 7919) % 8192) as f64 / 1024.0 - 4.0)
}

/// Pixels p/256.
fn images(rows: usize, cols: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, cols), |(i, j)| ((i * 131 + j * 7) % 256) as f64 / 256.0)
}

/// A client's records: pixels with 8 fraction bits.
pub(super) fn records(rows: usize, cols: usize) -> Tensor {
    images(rows, cols).mapv(|v| (v * 256.0) as u64)
}
