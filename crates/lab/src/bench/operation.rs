//! What can be measured, and a party's half of it.

use super::names::names;
use super::pace::Pace;
use super::settings::Bench;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use trefoil_engine::{Format, Index, Product, fixed};
use trefoil_job::compiled::Compiled;
use trefoil_job::suites::WithSuite;
use trefoil_mpc::range::{Block, Range, violations};
use trefoil_mpc::{Id, Kept, Key, Party, Seeds, Suite, simulate_over};
use trefoil_net::local;
use trefoil_nn::train::LABEL;
use trefoil_nn::{Data, Gaps, Graph, NAMED, Open, OptimiserKind, Scaling, Schedule, Statistics, Training};
use trefoil_ring::Tensor;
use trefoil_server::lap::Clock;
use trefoil_server::{Error, Result};

/// An operation that is done again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // the names say it
pub enum Operation {
    Train { network: Graph, batch: usize, optimiser: OptimiserKind },
    Infer { network: Graph, batch: usize },
    Relu { elements: usize },
    Product { shape: [usize; 3] },
    Softmax { rows: usize, cols: usize },
    Check { rows: usize, features: usize, pixels: bool },
    Statistics { rows: usize, features: usize, by: Scaling },
    Missing { rows: usize, features: usize },
    Standardise { rows: usize, features: usize },
}

/// Told that the first iteration is about to start (`None`), and the seconds of each; says whether another one follows.
type Each<'a, E> = &'a mut dyn FnMut(&mut E, Option<f64>) -> bool;

impl Operation {
    /// From one of [`names`]; a training's steps are those of this optimiser.
    ///
    /// # Errors
    /// Another name.
    pub fn parse(name: &str, optimiser: OptimiserKind) -> Result<Operation> {
        let sizes = |text: &str| Graph::perceptron(&text.split('x').filter_map(|n| n.parse().ok()).collect::<Vec<usize>>());
        Ok(match name {
            "train-784x256x10" | "train-784x128x128x10" => {
                Operation::Train { network: sizes(&name[6..]), batch: BATCH, optimiser }
            }
            "infer-784x128x128x10-b1" => Operation::Infer { network: sizes("784x128x128x10"), batch: 1 },
            "infer-784x128x128x10-b128" => Operation::Infer { network: sizes("784x128x128x10"), batch: 128 },
            "relu-1e6" => Operation::Relu { elements: 1_000_000 },
            "product-128x784x256" => Operation::Product { shape: [128, 784, 256] },
            "softmax-128x10" => Operation::Softmax { rows: 128, cols: 10 },
            "check-60000x784-pixels" => Operation::Check { rows: 60_000, features: 784, pixels: true },
            "check-1000000x30-numbers" => Operation::Check { rows: 1_000_000, features: 30, pixels: false },
            "statistics-1000000x30" => Operation::Statistics { rows: 1_000_000, features: 30, by: Scaling::Deviation },
            "extremes-1000000x30" => Operation::Statistics { rows: 1_000_000, features: 30, by: Scaling::Range },
            "quantiles-1000000x30" => Operation::Statistics { rows: 1_000_000, features: 30, by: Scaling::Quantiles },
            "missing-1000000x30" => Operation::Missing { rows: 1_000_000, features: 30 },
            "standardise-1000000x30" => Operation::Standardise { rows: 1_000_000, features: 30 },
            other => match of_named(other) {
                Some((network, batch)) if other.starts_with("train-") => Operation::Train { network, batch, optimiser },
                Some((network, batch)) => Operation::Infer { network, batch },
                None => return Err(Error::config("benchmark", other, names().join(", "))),
            },
        })
    }

    /// The training that the parties agree on; only its network matters.
    pub(super) fn training(&self) -> Result<Training> {
        let network = self.network();
        let bits = fraction_bits(&network);
        let batch = match self {
            Operation::Train { batch, .. } => *batch,
            _ => step(&network),
        };
        Ok(Training::of(network, batch)?.with(|t| {
            (t.spec.batch, t.spec.epochs, t.spec.fraction_bits) = (batch, 1, Some(bits));
            (t.spec.lr, t.spec.lr_schedule) = (0.1, Schedule::Constant);
            t.spec.optimiser = self.optimiser().unwrap_or_default();
            if t.spec.optimiser.adapts() {
                // Squares of gradients take room: the bits are those that fit.
                (t.spec.lr, t.spec.fraction_bits) = (0.001, None);
            }
        }))
    }

    /// The training whose steps are done again and again.
    pub(crate) fn repeated(&self) -> Result<Training> {
        Ok(self.training()?.with(|t| {
            // More epochs than anybody waits for.
            (t.records.train_rows, t.spec.epochs) = (t.spec.batch * 8, 1_000_000);
            t.open = Open::default();
        }))
    }

    /// Whose steps a training takes.
    pub(super) fn optimiser(&self) -> Option<OptimiserKind> {
        match self {
            Operation::Train { optimiser, .. } => Some(*optimiser),
            _ => None,
        }
    }

    /// The network, or a small one where there is none.
    pub(super) fn network(&self) -> Graph {
        match self {
            Operation::Train { network, .. } | Operation::Infer { network, .. } => network.clone(),
            _ => Graph::perceptron(&[1, 2]),
        }
    }

    /// A party's half, by all three at once, of all that needs no client.
    pub(super) fn repeat<E: Compiled>(&self, e: &mut E, each: Each<'_, E>) -> Result<()> {
        match self {
            Operation::Train { .. } => train(e, &self.repeated()?, each),
            Operation::Infer { .. } => Err(Error::config("inference", "three threads", "three processes and a client")),
            Operation::Relu { elements } => {
                // Pre-activations as the network promises them: 16 fraction bits, below 2^39.
                let x = secret(e, &spread(1, *elements), Format { frac: 16, bits: 39 })?;
                laps(e, each, |e, _| e.relu(&x).map(drop))
            }
            Operation::Product { shape: [m, k, n] } => {
                let (x, w) = (secret(e, &spread(*m, *k), Format::new(8, 8))?, secret(e, &spread(*n, *k), Format::new(16, 8))?);
                laps(e, each, |e, _| {
                    let [z] = e.products([Product::matmul(&x, false, &w, true, Format::new(16, 24))])?;
                    e.settle(&[&z])
                })
            }
            Operation::Softmax { rows, cols } => {
                let x = secret(e, &spread(*rows, *cols), Format::new(16, 8))?;
                laps(e, each, |e, _| {
                    let p = e.softmax(&x, Format::new(16, 1))?;
                    e.settle(&[&p])
                })
            }
            Operation::Check { rows, features, pixels } => check(e, [*rows, *features], *pixels, each),
            Operation::Statistics { rows, features, by } => {
                let w = secret(e, &spread(*rows, *features), SHARED)?;
                laps(e, each, |e, _| Statistics::of(e, &w, &vec![*by; *features]).map(drop))
            }
            Operation::Missing { rows, features } => {
                let w = secret(e, &spread(*rows, *features), SHARED)?;
                // One column more: masks follow from how many there are.
                let missing = secret(e, &Array2::zeros((*rows, *features + 1)), Format { frac: 0, bits: 1 })?;
                let missing = e.gather(&missing, Index::Cols(&(0..*features).collect::<Vec<_>>()));
                let gaps = Gaps { columns: (0..*features).collect(), missing };
                laps(e, each, |e, _| Statistics::of_present(e, &w, &vec![Scaling::Deviation; *features], Some(&gaps)).map(drop))
            }
            Operation::Standardise { rows, features } => {
                let w = secret(e, &spread(*rows, *features), SHARED)?;
                let statistics = Statistics::of(e, &w, &vec![Scaling::Deviation; *features])?;
                laps(e, each, |e, _| {
                    let z = statistics.standardise(e, &w, Format::new(12, 3))?;
                    e.settle(&[&z])
                })
            }
        }
    }

    /// The same by three threads of this process over queues.
    pub(super) fn in_process(&self, bench: &Bench<'_>) -> Result<Pace> {
        let keys = [Key::fresh()?, Key::fresh()?, Key::fresh()?];
        let with = |a: Id, b: Id| (b, keys[a.index() + b.index() - 1].clone());
        let seeds = |id: Id| Seeds::new(id, id.others().map(|other| with(id, other)));
        let nets = local::bounded(Duration::from_secs(60), bench.queue_bytes);
        // A pool that exists already keeps its size.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(bench.threads).build_global();
        let pace = Mutex::new(bench.pace());
        let ends = simulate_over(nets, seeds, |p| -> Result<()> {
            // The party moves into its engine; a closed network takes its place until it ends.
            let id = p.id;
            let closed = local::network(Duration::ZERO).into_iter().next().ok_or(trefoil_mpc::Error::Panicked)?;
            let party = std::mem::replace(p, Party::new(id, closed, Seeds::insecure(id, 0)));
            bench.chosen().with(Paced { operation: self, party, pace: &pace })
        });
        let pace = pace.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !pace.over() {
            for end in ends {
                end?;
            }
        }
        // Whoever is in the middle of an iteration when the first of the three stops is left alone in it.
        Ok(pace)
    }
}

/// A thread's iterations, with whichever engine.
struct Paced<'a> {
    operation: &'a Operation,
    party: Party,
    pace: &'a Mutex<Pace>,
}

impl WithSuite for Paced<'_> {
    type Out = Result<()>;

    fn run<E: Compiled>(self, engine: impl Fn(Party) -> E) -> Result<()> {
        let (mut e, mut clock) = (engine(self.party), Clock::start());
        self.operation.repeat(&mut e, &mut |e: &mut E, seconds| {
            let Some(seconds) = seconds else {
                clock = Clock::start();
                return true;
            };
            let p = e.party();
            let (id, lap) = (p.id, clock.lap(p, seconds));
            !self.pace.lock().unwrap_or_else(PoisonError::into_inner).lap(id, lap)
        })
    }
}

/// `f` again and again, each in a step of its own.
fn laps<E: Suite>(e: &mut E, each: Each<'_, E>, mut f: impl FnMut(&mut E, u64) -> trefoil_engine::Result<()>) -> Result<()> {
    let (mut more, mut i) = (each(e, None), 0);
    while more {
        i += 1;
        e.begin_step(i);
        let started = Instant::now();
        f(e, i)?;
        more = each(e, Some(started.elapsed().as_secs_f64()));
    }
    Ok(())
}

/// Columns that are standardised on shares, as an owner shares them.
const SHARED: Format = Format::new(12, 10);

/// Records in a step.
const BATCH: usize = 128;

/// The network and the batch of `train-NAME`, `infer-NAME-b1` and `infer-NAME-b128` for a network that has a name.
fn of_named(name: &str) -> Option<(Graph, usize)> {
    let (network, batch) = match name.strip_prefix("train-") {
        Some(network) => (network, None),
        None => name.strip_prefix("infer-")?.rsplit_once("-b").map(|(network, batch)| (network, batch.parse().ok()))?,
    };
    let graph = network.parse().ok().filter(|_| NAMED.contains(&network))?;
    let batch = batch.unwrap_or_else(|| step(&graph));
    Some((graph, batch))
}

/// Records in a step of this network: 32 where 128 would take gigabytes.
fn step(network: &Graph) -> usize {
    if network.widest() > 1 << 18 { 32 } else { BATCH }
}

fn train<E: Compiled>(e: &mut E, training: &Training, each: Each<'_, E>) -> Result<()> {
    let trainer = training.trainer()?;
    let rows = trainer.training().records.train_rows;
    let (inputs, classes) = (trainer.network().width(), trainer.network().outputs());
    let labels = Array2::from_shape_fn((rows, classes), |(i, j)| f64::from(u8::from(i % classes == j)));
    let x = secret(e, &images(rows, inputs), Format::new(8, 0))?;
    let (x, y) = (e.prepare(&x)?, secret(e, &labels, LABEL)?);
    let data = Data { x: e.spread(&x)?, y: e.spread(&y)? };
    let mut state = e.initial(&trainer)?;
    laps(e, each, |e, i| e.step(&trainer, &mut state, &data, i - 1))
}

/// The check of an upload: grey levels with ten classes, or numbers with a target.
fn check<E: Suite>(e: &mut E, [rows, features]: [usize; 2], pixels: bool, each: Each<'_, E>) -> Result<()> {
    let (x, y, labels) = match pixels {
        true => (Range { bits: 8, signed: false }, Range { bits: 1, signed: false }, 10),
        false => (Range { bits: 16, signed: true }, Range { bits: 16, signed: true }, 1),
    };
    let features = kept(e, &Tensor::from_shape_fn((rows, features), |(i, j)| ((i * 131 + j * 7) % 256) as u64))?;
    let labels = kept(e, &Tensor::from_shape_fn((rows, labels), |(i, j)| u64::from(i % labels == j)))?;
    let blocks = [(features, x, false), (labels, y, pixels)].map(|((shape, kept), range, one_hot)| Block {
        owner: 0,
        shape,
        range,
        one_hot,
        kept,
    });
    laps(e, each, |e, i| match violations(e, &[i as u8; 32], 1, &blocks)?[..] {
        [0] => Ok(()),
        ref found => Err(trefoil_engine::Error::Protocol(format!("violations: found {found:?}, expected none").into())),
    })
}

/// A convolution's sums over all places of an image leave less room.
fn fraction_bits(network: &Graph) -> u8 {
    match network {
        _ if network.is_perceptron() => 16,
        _ if network.widest() > 1 << 18 => 12,
        _ => 14,
    }
}

/// A matrix as an owner would have shared it, from a fixed seed.
fn secret<E: Suite>(e: &mut E, x: &Array2<f64>, format: Format) -> Result<E::Num> {
    let (shape, words) = kept(e, &fixed::encode(x, format)?)?;
    Ok(e.input(shape, format, words))
}

/// Shape of a matrix, and what a party keeps of it.
fn kept<E: Suite>(e: &mut E, x: &Tensor) -> Result<([usize; 2], Kept)> {
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
pub(super) fn images(rows: usize, cols: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, cols), |(i, j)| ((i * 131 + j * 7) % 256) as f64 / 256.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every name of an operation is known, and every network fits into the ring with the bits and the batch that it is measured with.
    #[test]
    fn all_that_has_a_name_fits() {
        let others = ["gemm-", "join-"];
        for name in names().iter().filter(|name| !others.iter().any(|other| name.starts_with(other))) {
            for optimiser in [OptimiserKind::Sgd, OptimiserKind::Adam] {
                let operation = Operation::parse(name, optimiser).unwrap();
                if let Operation::Train { network, batch, .. } = &operation {
                    assert_eq!(*batch, step(network), "{name}");
                    operation.training().unwrap().trainer().unwrap_or_else(|e| panic!("{name} by {optimiser}: {e}"));
                }
            }
        }
        for other in ["infer-lenet", "train-784-10"] {
            assert!(Operation::parse(other, OptimiserKind::Sgd).is_err());
        }
    }
}
