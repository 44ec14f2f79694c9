//! `trefoil bench`: seconds, bytes and rounds of training steps, inference and single operations.

use super::lanes::{self, Counts};
use crate::args;
use crate::output::{note, print};
use crate::table::Table;
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use trefoil_job::SuiteName;
use trefoil_job::suites::Chosen;
use trefoil_lab::bench::{self, Measurement, Planned};
use trefoil_lab::units::bytes;
use trefoil_mpc::securenn::Truncation;
use trefoil_net::shaped::Profile;
use trefoil_nn::OptimiserKind;
use trefoil_server::{Error, Result, machine};

/// Options of `trefoil bench`.
#[derive(Args)]
pub struct Bench {
    /// What to measure
    #[arg(value_name = "NAME", required = true, value_parser = clap::builder::PossibleValuesParser::new(bench::names()))]
    names: Vec<String>,

    /// Protocol suite
    #[arg(long, value_name = "SUITE", default_value = "masked")]
    suite: SuiteName,

    /// Whose steps trainings take: sgd (with momentum 0.9), nesterov, adam, or amsgrad
    #[arg(long, value_name = "KIND", default_value = "sgd")]
    optimiser: OptimiserKind,

    /// The links between parties: local as they are, or round-trip time and rate of each, such as 40ms,100Mbps
    #[arg(long, alias = "network", value_name = "PROFILE", default_value = "local", value_parser = args::links)]
    links: Profile,

    /// Three threads of this process and no TLS, in place of three processes
    #[arg(long, conflicts_with = "links")]
    in_process: bool,

    /// Iterations that count, from when the helper's lead no longer grows
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    iterations: u64,

    /// For how long they count, where that is less: one at least counts
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,

    /// Mebibytes of frames that may wait at each end of a link: they bound the helper's lead
    #[arg(long, value_name = "N", default_value_t = trefoil_net::QUEUE_BYTES as u64 >> 20, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    queue_megabytes: u64,

    /// A training's step in so many lanes, all of them threads of this process, each lane with links of the shape of --links: 1,2,4 or, each number twice the one before, 1..8. It says what
    /// `plan --lanes` would have said, too
    #[arg(long, value_name = "LANES", conflicts_with_all = ["plan", "in_process"])]
    lanes: Option<Counts>,

    /// How many seconds longer a billion multiply-accumulates of a party's matrix products take, which wait and take no core: as if each lane had a machine of its own
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, requires = "lanes")]
    slower: f64,

    /// The wires between the ranks of one party: round-trip time and rate
    #[arg(long, value_name = "PROFILE", default_value = "local", value_parser = args::links, requires = "lanes")]
    inside: Profile,

    /// Run nothing: rounds and bytes of a training step or a query, as the protocols state them
    #[arg(long)]
    plan: bool,

    /// Write the measurements, or the plans, to a file, as a JSON list
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Threads of each party [default: a third of this machine's cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

impl Bench {
    /// Measures one after the other, or plans them.
    pub fn run(self) -> Result<()> {
        if self.plan {
            let suite = Chosen { suite: self.suite, truncation: Truncation::Dealer };
            let planned = self.names.iter().map(|name| bench::plan(name, self.optimiser, suite)).collect::<Result<Vec<_>>>()?;
            print(plans(&planned));
            return self.write(&planned);
        }
        let threads = super::threads(self.threads)?;
        let program = super::this_program()?;
        let scratch = tempfile::tempdir().map_err(|e| Error::config("folder for logs", e, "a temporary folder"))?;
        let links = self.links.to_string();
        print(format_args!(
            "machine  {}\nversion  {}\nsuite    {}\nlinks    {links}\nthreads  {threads} for each party\nqueues   at most {} MiB at each end of a link\n\n",
            machine::describe(),
            machine::version(),
            self.suite,
            self.queue_megabytes,
        ));
        let bench = bench::Bench {
            suite: self.suite,
            optimiser: self.optimiser,
            links: &links,
            iterations: self.iterations as usize,
            most: Duration::from_secs(self.seconds),
            queue_bytes: (self.queue_megabytes as usize) << 20,
            threads,
            in_process: self.in_process,
            program: &program,
            scratch: scratch.path(),
        };
        if let Some(Counts(lanes)) = &self.lanes {
            return self.in_lanes(lanes, &bench);
        }
        let stop = super::stop_flag()?;
        let mut done: Vec<Measurement> = vec![];
        for name in &self.names {
            note(format_args!("{name}: {} iterations, or {} s", self.iterations, self.seconds));
            done.push(bench::measure(name, &bench, stop)?);
        }
        print(table(&done));
        self.write(&done)
    }

    /// Measures in lanes, and plans the same.
    fn in_lanes(&self, lanes: &[usize], bench: &bench::Bench<'_>) -> Result<()> {
        if !(self.slower.is_finite() && (0.0..=1e6).contains(&self.slower)) {
            return Err(Error::config("--slower", self.slower, "0 to 1000000 seconds"));
        }
        let each = self.names.iter().map(|name| bench::in_lanes(name, lanes, self.slower, self.inside, bench));
        let done = each.collect::<Result<Vec<_>>>()?.concat();
        print(lanes::measured(&done));
        self.write(&done)
    }

    fn write(&self, list: &[impl Serialize]) -> Result<()> {
        if let Some(path) = &self.json {
            let text = serde_json::to_string_pretty(list).map_err(|e| Error::config("measurements", e, "numbers and texts"))?;
            std::fs::write(path, text + "\n").map_err(|source| Error::File { path: path.display().to_string(), source })?;
        }
        Ok(())
    }
}

/// A row for each plan.
fn plans(planned: &[Planned]) -> Table {
    let mut table = Table::new([
        "name",
        "rounds",
        "all links",
        "sent ahead",
        "busiest link",
        "first time",
        "most in layer",
        "most in protocol",
    ]);
    for p in planned {
        let most = |x: &BTreeMap<String, u64>| x.iter().max_by_key(|(_, n)| **n).map(|(name, n)| (name.clone(), bytes(*n)));
        let named = |x| most(x).map_or_else(|| "-".into(), |(name, n)| format!("{name} {n}"));
        table.row([
            p.name.clone(),
            p.spent.rounds.to_string(),
            bytes(p.spent.bytes_total),
            bytes(p.spent.bytes_ahead),
            named(&p.spent.bytes_by_link),
            bytes(p.bytes_first),
            named(&p.bytes_by_layer),
            named(&p.bytes_by_protocol),
        ]);
    }
    table
}

/// A row for each measurement.
fn table(done: &[Measurement]) -> Table {
    let mut table = Table::new([
        "name",
        "iterations",
        "steady s",
        "median s",
        "min s",
        "max s",
        "CPU s",
        "of floor",
        "all links",
        "busiest link",
        "rounds",
        "peak memory",
        "peak queued",
    ]);
    for m in done {
        let most = |x: &BTreeMap<String, u64>| bytes(x.values().copied().max().unwrap_or(0));
        let seconds = |s: f64| format!("{s:.4}");
        table.row([
            m.name.clone(),
            m.iterations.to_string(),
            seconds(m.steady_s),
            seconds(m.median_s),
            seconds(m.min_s),
            seconds(m.max_s),
            m.cpu_s.values().map(|s| seconds(*s)).collect::<Vec<_>>().join(" "),
            m.cpu_to_floor.map_or_else(|| "-".into(), |ratio| format!("{ratio:.1}x")),
            bytes(m.bytes_total),
            most(&m.bytes_by_link),
            format!("{:.0}", m.rounds),
            most(&m.peak_rss_bytes),
            most(&m.queue_peak_bytes),
        ]);
    }
    table
}
