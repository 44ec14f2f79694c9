//! `trefoil plan`: what a training will take, before anybody has shared a record.

use super::lanes::{self, Counts};
use crate::args;
use crate::output::{json, note, print};
use crate::table::Table;
use clap::Args;
use serde_json::json as object;
use std::path::PathBuf;
use std::time::Duration;
use trefoil_client::peers::Peers;
use trefoil_job::suites::Chosen;
use trefoil_job::{Job, SuiteName};
use trefoil_lab::bench::{Bench, step_seconds};
use trefoil_lab::plan::lanes::{Wires, Work, advice, enough, scale};
use trefoil_lab::plan::{self, Checked, Forecast, Seconds, Spent};
use trefoil_lab::units::{bytes, time};
use trefoil_mpc::securenn::Truncation;
use trefoil_net::shaped::Profile;
use trefoil_nn::graph::Form;
use trefoil_nn::{OptimiserKind, Trainer, Training};
use trefoil_server::{Error, Result};

/// Options of `trefoil plan`.
#[derive(Args)]
pub struct Plan {
    /// The job's file; or --network
    #[arg(value_name = "JOB", conflicts_with = "network")]
    job: Option<PathBuf>,

    /// Who is who, for members that the job calls by their names alone
    #[arg(long, value_name = "FILE", default_value = "peers.toml")]
    peers: PathBuf,

    /// A network in place of a job: with its inputs and outputs, such as 784-128-128-10, or by name: lenet
    #[arg(long, value_name = "NETWORK")]
    network: Option<Form>,

    /// Records in a step, without a job
    #[arg(long, value_name = "N", default_value_t = 128, requires = "network")]
    batch: usize,

    /// Times that the records are gone through, without a job
    #[arg(long, value_name = "N", default_value_t = 5, requires = "network")]
    epochs: u64,

    /// sgd, nesterov, adam, or amsgrad, without a job
    #[arg(long, value_name = "KIND", default_value = "sgd", requires = "network")]
    optimiser: OptimiserKind,

    /// Protocol suite, without a job
    #[arg(long, value_name = "SUITE", default_value = "masked", requires = "network")]
    suite: SuiteName,

    /// Records of all data owners together; a job's held-out ones are among them
    #[arg(long, value_name = "N", required_unless_present = "check")]
    rows: Option<usize>,

    /// Plan and measure a step of four networks on both suites and on links of two shapes, and show how far apart they are; it takes minutes
    #[arg(long, conflicts_with_all = ["job", "network", "rows", "links", "step_seconds", "prices"])]
    check: bool,

    /// The links between parties: round-trip time and rate of each, such as 40ms,100Mbps
    #[arg(long, value_name = "PROFILE", default_value = "local", value_parser = args::links)]
    links: Profile,

    /// Seconds that the parties compute in a step [default: as long as three parties on threads of this process take for a few]; with --lanes also how many of them are for the weights, and not
    /// for rows: 0.8,0.05
    #[arg(long, value_name = "SECONDS", value_delimiter = ',')]
    step_seconds: Option<Vec<f64>>,

    /// A step where each party is a cluster, in so many lanes: 1,2,4 or, each number twice the one before, 1..64. Each lane has links of the shape of --links
    #[arg(long, value_name = "LANES", conflicts_with_all = ["check", "prices"])]
    lanes: Option<Counts>,

    /// The wires between the machines of one party: round-trip time and rate
    #[arg(long, value_name = "PROFILE", default_value = "lan", value_parser = args::links, requires = "lanes")]
    inside: Profile,

    /// What a gigabyte between parties costs, and an hour of a core
    #[arg(long, value_name = "GB,HOUR", value_delimiter = ',')]
    prices: Option<Vec<f64>>,

    /// Cores of each party, for the price
    #[arg(long, value_name = "N", default_value_t = 1, requires = "prices")]
    cores: u32,

    /// Mebibytes of frames that may wait at each end of a link, as in party.toml
    #[arg(long, value_name = "N", default_value_t = trefoil_net::QUEUE_BYTES as u64 >> 20, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    queue_megabytes: u64,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Plan {
    /// Plans it.
    pub fn run(self) -> Result<()> {
        if self.check {
            return self.check();
        }
        let (training, suite) = self.training()?;
        let trainer = training.trainer()?;
        if let Some(Counts(lanes)) = &self.lanes {
            return self.in_lanes(&trainer, suite, lanes);
        }
        let forecast = Forecast::of(&trainer, suite, self.queue_megabytes << 20)?;
        let local = match self.step_seconds.as_deref() {
            None => self.computes(&trainer, suite, training.spec.batch)?,
            Some(&[seconds]) if seconds.is_finite() && seconds >= 0.0 => seconds,
            Some(seconds) => return Err(Error::config("--step-seconds", format!("{seconds:?}"), "one number, 0 or more")),
        };
        let [step, all] = forecast.seconds(&self.links, local);
        let price = self.price(&forecast, &all)?;
        if self.json {
            let seconds =
                |s: &Seconds| object!({ "rounds": s.rounds, "transfer": s.transfer, "local": s.local, "total": s.total() });
            let mut out = serde_json::to_value(&forecast).map_err(|e| Error::config("plan", e, "numbers and texts"))?;
            out["links"] = self.links.to_string().into();
            out["seconds"] = object!({ "step": seconds(&step), "training": seconds(&all) });
            out["price"] = object!(price);
            return json(&out);
        }
        print(table(&forecast));
        let most = |what: &str, x: &std::collections::BTreeMap<String, u64>| {
            let most = x.iter().max_by_key(|(_, n)| **n);
            most.map(|(name, n)| format!("{what} {name} ({})", bytes(*n))).unwrap_or_default()
        };
        print(format_args!(
            "\nmost bytes of a step: {}, {}\n",
            most("layer", &forecast.step_bytes_by_layer),
            most("protocol", &forecast.step_bytes_by_protocol)
        ));
        for (what, s) in [("a step", step), ("the training", all)] {
            print(format_args!(
                "{what} over {}: {} = {} waiting + {} sending + {} computing\n",
                self.links,
                time(s.total()),
                time(s.rounds),
                time(s.transfer),
                time(s.local)
            ));
        }
        if let Some(price) = price {
            print(format_args!("price: {price:.2}\n"));
        }
        print(format_args!("\n{}", memory(&forecast)));
        note(all.advice());
        let most = forecast.memory_parts.values().max_by_key(|memory| memory.total());
        most.iter().for_each(|memory| note(memory.advice()));
        Ok(())
    }

    /// Seconds that three parties on threads of this process take for a step of so many records.
    fn computes(&self, trainer: &Trainer, suite: Chosen, batch: usize) -> Result<f64> {
        let (graph, optimiser) = (trainer.network().graph().clone(), trainer.training().spec.optimiser);
        step_seconds(graph, batch, optimiser, suite, super::threads(None)?)
    }

    /// Plans a step in each of so many lanes.
    fn in_lanes(&self, trainer: &Trainer, suite: Chosen, lanes: &[usize]) -> Result<()> {
        let batch = trainer.training().spec.batch;
        lanes.iter().try_for_each(|lanes| trainer.fits_lanes(*lanes))?;
        let good = |x: f64| x.is_finite() && x >= 0.0;
        let work = match self.step_seconds.as_deref() {
            Some(&[all, beside]) if good(beside) && good(all - beside) => Work { rows: all - beside, beside },
            Some(&[rows]) if good(rows) => Work { rows, beside: 0.0 },
            Some(seconds) => {
                let expected = "all of them, and how many of these are for the weights: 0.8,0.05";
                return Err(Error::config("--step-seconds", format!("{seconds:?}"), expected));
            }
            None => {
                let few = (batch / lanes.iter().max().copied().unwrap_or(1).max(2)).max(1);
                let alone = |rows: usize| Ok::<_, Error>((rows, self.computes(trainer, suite, rows)?));
                Work::of_two([alone(few)?, alone(batch)?])
            }
        };
        let scaled = scale(trainer, suite, lanes, Wires { links: self.links, inside: self.inside }, work)?;
        let enough = enough(&scaled);
        if self.json {
            return json(&object!({
                "network": trainer.network().graph().to_string(), "batch": batch, "suite": suite.suite, "links": self.links.to_string(),
                "inside": self.inside.to_string(), "computing": work, "lanes": scaled, "enough": enough,
            }));
        }
        print(format_args!(
            "a step of {batch} on {}, {}; links {} in each lane, {} inside a party\n\n{}\n",
            trainer.network().graph(),
            suite.suite,
            self.links,
            self.inside,
            lanes::planned(&scaled)
        ));
        match enough {
            Some(lanes) => {
                print(format_args!("more than {lanes} lanes hardly help: twice as many are less than 1.1 times as fast\n"))
            }
            None => print("more lanes would go on helping\n"),
        }
        scaled.last().iter().for_each(|last| note(format_args!("in {} lanes, {}", last.lanes, advice(last.bound))));
        Ok(())
    }

    /// Plans, and measures what was planned.
    fn check(&self) -> Result<()> {
        let stop = super::stop_flag()?;
        let program = super::this_program()?;
        let scratch = tempfile::tempdir().map_err(|e| Error::config("folder for logs", e, "a temporary folder"))?;
        let mut all = vec![];
        for suite in [SuiteName::Masked, SuiteName::Securenn] {
            let bench = Bench {
                suite,
                optimiser: OptimiserKind::default(),
                links: "local",
                iterations: 40,
                most: Duration::from_secs(15),
                queue_bytes: (self.queue_megabytes as usize) << 20,
                threads: super::threads(None)?,
                in_process: false,
                program: &program,
                scratch: scratch.path(),
            };
            for (network, batch) in plan::NETWORKS {
                note(format_args!("{network}, {batch} records in a step, {suite}"));
                all.extend(plan::check(network, batch, &plan::LINKS, &bench, stop)?);
            }
        }
        match self.json {
            true => json(&all)?,
            false => print(plan::markdown(&all)),
        }
        let wrong = |c: &Checked| {
            (!c.wrong().is_empty()).then(|| format!("{} on {} over {}: {}", c.network, c.suite, c.links, c.wrong().join(", ")))
        };
        match all.iter().filter_map(wrong).collect::<Vec<_>>() {
            wrong if wrong.is_empty() => Ok(()),
            wrong => Err(Error::config("plan", wrong.join("; "), "equal rounds and bytes, time within 15%, memory within 20%")),
        }
    }

    fn training(&self) -> Result<(Training, Chosen)> {
        let rows = self.rows.unwrap_or_default();
        if let Some(file) = &self.job {
            let job = Job::load(file, &Peers::load(&self.peers)?)?;
            let test_rows = job.data.held_out(rows);
            return Ok((job.training(rows - test_rows, test_rows), job.chosen()));
        }
        let Some(network) = &self.network else { return Err(Error::config("plan", "nothing", "a job, or --network")) };
        let training = Training::of(network.graph()?, rows)?.with(|t| {
            (t.spec.batch, t.spec.epochs, t.spec.optimiser) = (self.batch, self.epochs, self.optimiser);
            if t.spec.optimiser.adapts() {
                t.spec.lr = 0.001;
            }
        });
        Ok((training, Chosen { suite: self.suite, truncation: Truncation::Dealer }))
    }

    /// What the training costs.
    fn price(&self, forecast: &Forecast, all: &Seconds) -> Result<Option<f64>> {
        let Some(prices) = &self.prices else { return Ok(None) };
        match prices[..] {
            [gigabyte, hour] if gigabyte >= 0.0 && hour >= 0.0 => {
                let cores = 3.0 * f64::from(self.cores);
                Ok(Some(gigabyte * forecast.training.bytes_total as f64 / 1e9 + hour * cores * all.total() / 3600.0))
            }
            _ => Err(Error::config("--prices", format!("{prices:?}"), "a gigabyte's and an hour's, 0 or more: 0.09,0.04")),
        }
    }
}

/// A row for each part.
fn table(forecast: &Forecast) -> Table {
    let title = format!("{} on {} records, {}", forecast.network, forecast.train_rows, forecast.suite);
    let mut table = Table::new([title.as_str(), "rounds", "all links", "sent ahead", "busiest link"]);
    let mut row = |what: &str, spent: &Spent| {
        table.row([
            what.to_owned(),
            spent.rounds.to_string(),
            bytes(spent.bytes_total),
            bytes(spent.bytes_ahead),
            spent.busiest().map_or_else(|| "-".to_owned(), |(link, n)| format!("{link} {}", bytes(n))),
        ]);
    };
    row("before the first step", &forecast.data);
    row("first step", &forecast.first_step);
    row(&format!("each step of {}", forecast.batch), &forecast.step);
    row("figures after an epoch", &forecast.figures);
    row(&format!("training: {} epochs, {} steps", forecast.epochs, forecast.steps), &forecast.training);
    table
}

/// Each party's memory at its peak, and what it is the sum of.
fn memory(forecast: &Forecast) -> Table {
    let mut table =
        Table::new(["memory", "at peak", "records", "weights, activations, protocols", "overhead", "queues", "process"]);
    for (id, m) in &forecast.memory_parts {
        let cells = [m.total(), m.records, m.training, m.overhead, m.queues, m.process].map(bytes);
        table.row([vec![id.clone()], cells.to_vec()].concat());
    }
    table
}
