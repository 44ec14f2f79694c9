//! A training's step in several lanes, all of them threads of this process: what a party gains by being a cluster.
//!
//! Threads of one machine share its cores, where lanes have machines of their own. So each thread waits beside its computing: a stated time for each multiply-accumulate of its matrix
//! products, as if the product were slower by that. Waiting takes no core. What is parallel becomes faster with the lanes then, and what is not does not, as on machines of their own.

mod wires;

use super::operation::Operation;
use super::settings::Bench;
use crate::plan::lanes::{Scaled, Wires, Work, scale};
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use trefoil_job::compiled::Compiled;
use trefoil_job::suites::{Chosen, SuiteName, WithSuite};
use trefoil_mpc::lanes::Threads;
use trefoil_mpc::{Id, Key, Lanes, Party, Seeds};
use trefoil_net::local;
use trefoil_net::shaped::{Profile, Shaped};
use trefoil_server::{Error, Result, machine};
use wires::{Between, Slowed};

/// Steps that do not count.
const WARM_UP: u64 = 2;
/// Steps that count at least.
const FEWEST: u64 = 3;

/// A step in so many lanes, planned and measured: an object of the JSON list.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // the names say it; docs/many-machines.md lists them
pub struct InLanes {
    pub name: String,
    pub suite: SuiteName,
    pub links: String,
    pub inside: String,
    /// Seconds that a billion multiply-accumulates take longer than they do.
    pub slower: f64,
    /// Steps that count.
    pub iterations: u64,
    /// Of a step of the slowest party.
    pub steady_s: f64,
    /// How many times faster than the first of the list, where that is one lane.
    pub speedup: Option<f64>,
    /// From the time of one lane alone on links that cost nothing, with the whole batch and with a part of it.
    pub planned: Scaled,
    pub machine: String,
    pub commit: String,
}

impl InLanes {
    /// How far the planned time is from the measured one, as a share of that.
    pub fn off(&self) -> f64 {
        self.planned.seconds / self.steady_s - 1.0
    }
}

/// Measures the steps of `name` in each of so many lanes, where a billion multiply-accumulates take `slower` seconds longer than they do. The links of `bench` are those of each lane; those
/// between ranks of a party are `inside`.
///
/// # Errors
/// A name of something that is no training; lanes that do not fit; everything that can go wrong in a run.
pub fn in_lanes(name: &str, lanes: &[usize], slower: f64, inside: Profile, bench: &Bench<'_>) -> Result<Vec<InLanes>> {
    let Operation::Train { network, batch, optimiser } = Operation::parse(name, bench.optimiser)? else {
        return Err(Error::config("lanes", name, "the name of a training: train-.."));
    };
    if bench.suite != SuiteName::Masked {
        return Err(Error::config("lanes", format!("the suite {}", bench.suite), "masked, which alone trains in lanes"));
    }
    let of = |batch: usize| Operation::Train { network: network.clone(), batch, optimiser };
    let links = bench.links.parse().map_err(|e| Error::config("links", bench.links, e))?;
    let wires = Wires { links, inside };
    let trainer = of(batch).repeated()?.trainer()?;
    lanes.iter().try_for_each(|lanes| trainer.fits_lanes(*lanes))?;
    // A pool that exists already keeps its size.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(bench.threads).build_global();
    let run = |operation: &Operation, lanes: usize, wires: Wires, steps: u64| {
        Cluster { operation, suite: bench.chosen(), lanes, wires, slower: slower / 1e9, queue_bytes: bench.queue_bytes }
            .run(steps)
    };
    let nothing = Wires { links: Profile::default(), inside: Profile::default() };
    let alone = |rows: usize| Ok::<_, Error>((rows, run(&of(rows), 1, nothing, FEWEST)?));
    let few = batch / lanes.iter().max().copied().unwrap_or(1).max(2);
    let work = Work::of_two([alone(few.max(1))?, alone(batch)?]);
    let mut done: Vec<InLanes> = vec![];
    for planned in scale(&trainer, bench.chosen(), lanes, wires, work)? {
        let fit = (bench.most.as_secs_f64() / planned.seconds.max(1e-6)) as u64;
        let iterations = fit.clamp(1, bench.iterations as u64).max(FEWEST);
        let steady_s = run(&of(batch), planned.lanes, wires, iterations)?;
        let first = done.first().filter(|first| first.planned.lanes == 1).map(|first| first.steady_s);
        let speedup = first.map(|first| first / steady_s).or((planned.lanes == 1).then_some(1.0));
        done.push(InLanes {
            name: name.into(),
            suite: bench.suite,
            links: links.to_string(),
            inside: inside.to_string(),
            slower,
            iterations,
            steady_s,
            speedup,
            planned,
            machine: machine::describe(),
            commit: machine::commit().into(),
        });
    }
    Ok(done)
}

/// Three parties of so many ranks.
struct Cluster<'a> {
    operation: &'a Operation,
    suite: Chosen,
    lanes: usize,
    wires: Wires,
    /// Seconds a multiply-accumulate.
    slower: f64,
    queue_bytes: usize,
}

impl Cluster<'_> {
    /// Seconds of a step of the slowest party, in the mean of so many.
    fn run(&self, steps: u64) -> Result<f64> {
        let since = Instant::now();
        let wired = |ranks| Between::new(ranks, self.wires.inside, self.slower, since);
        let mut parties: Vec<_> = Id::ALL.iter().map(|_| Threads::new(self.lanes).into_iter().map(wired)).collect();
        thread::scope(|scope| {
            let mut all = vec![];
            for _ in 0..self.lanes {
                // Lanes have keys of their own.
                let keys = [Key::fresh()?, Key::fresh()?, Key::fresh()?];
                let with = |a: Id, b: Id| (b, keys[a.index() + b.index() - 1].clone());
                let nets = local::bounded(Duration::from_secs(600), self.queue_bytes);
                for (id, net) in Id::ALL.into_iter().zip(nets) {
                    let seeds = Seeds::new(id, id.others().map(|other| with(id, other)));
                    let Some(ranks) = parties[id.index()].next() else { continue };
                    let net = Slowed::new(Shaped::new(net, self.wires.links), self.slower);
                    let lanes = Arc::new(Mutex::new(Lanes::new(ranks)));
                    let party = Party::new(id, net, seeds).with_lanes(lanes.clone());
                    all.push(scope.spawn(move || {
                        let end = self.suite.with(Rank { operation: self.operation, party, steps });
                        if let Err(e) = &end {
                            lanes.lock().unwrap_or_else(PoisonError::into_inner).fail(&e.to_string());
                        }
                        end
                    }));
                }
            }
            let ends = all.into_iter().map(|rank| rank.join().unwrap_or(Err(trefoil_mpc::Error::Panicked.into())));
            Ok(ends.collect::<Result<Vec<f64>>>()?.into_iter().fold(0.0, f64::max))
        })
    }
}

/// One rank of one party, with whichever engine: what a step took it, where it is rank 0.
struct Rank<'a> {
    operation: &'a Operation,
    party: Party,
    steps: u64,
}

impl WithSuite for Rank<'_> {
    type Out = Result<f64>;

    fn run<E: Compiled>(self, engine: impl Fn(Party) -> E) -> Result<f64> {
        let leads = self.party.lane().leads();
        let mut e = engine(self.party);
        if !leads {
            Compiled::follow(&mut e, &self.operation.repeated()?.trainer()?)?;
            return Ok(0.0);
        }
        let (mut done, mut begun) = (0, Instant::now());
        self.operation.repeat(&mut e, &mut |_: &mut E, seconds| {
            done += u64::from(seconds.is_some());
            if done == WARM_UP && seconds.is_some() {
                begun = Instant::now();
            }
            done < WARM_UP + self.steps
        })?;
        let seconds = begun.elapsed().as_secs_f64() / self.steps as f64;
        e.party().dismiss()?;
        Ok(seconds)
    }
}
