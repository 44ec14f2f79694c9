//! `trefoil demo`: three processes train on secret shares.

use crate::args::{self, DataArgs, TrainArgs};
use crate::output::{json, note, print};
use crate::progress::Reporter;
use crate::table::Table;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use trefoil_job::suites::{self, Chosen};
use trefoil_job::{StartModel, SuiteName};
use trefoil_lab::demo::{self, Outcome};
use trefoil_lab::report;
use trefoil_lab::summary::Summary;
use trefoil_lab::units::{bytes, percent};
use trefoil_lab::wraps;
use trefoil_mpc::securenn::Truncation;
use trefoil_net::shaped::Profile;
use trefoil_nn::Figure;
use trefoil_server::{Error, Result};

/// How often it is looked whether to stop showing the page.
const GLANCE: Duration = Duration::from_millis(50);

/// Options of `trefoil demo`.
#[derive(Args)]
pub struct Demo {
    #[command(flatten)]
    data: DataArgs,

    #[command(flatten)]
    train: TrainArgs,

    /// Protocol suite
    #[arg(long, value_name = "SUITE", default_value = "masked")]
    suite: SuiteName,

    /// How products of the securenn suite lose their extra fraction bits: dealer (never wrong within its range), or local
    /// (wrong now and then)
    #[arg(long, value_name = "KIND", default_value = "dealer", value_parser = suites::truncation)]
    truncation: Truncation,

    /// Train even if local truncation is expected to destroy the model
    #[arg(long)]
    insecure_accept_wraps: bool,

    /// Threads of each party [default: a third of this machine's cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,

    /// How long a party waits for another
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,

    /// Folder for the evidence [default: runs/DATASET-TIME]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,

    /// Print the summary as JSON on standard output, and nothing else
    #[arg(long)]
    json: bool,

    /// The links between parties: local as they are, or round-trip time and rate of each, such as 40ms,100Mbps
    #[arg(long, value_name = "PROFILE", default_value = "local", value_parser = args::links)]
    links: Profile,

    /// Show the run in a browser too, on a port of this machine: prints a link, opens it where there is a browser, and stays until Ctrl-C
    #[arg(long)]
    open: bool,

    /// INSECURE, for tests: masks from this seed instead of the operating system
    #[arg(long, value_name = "N")]
    insecure_mask_seed: Option<u64>,

    /// INSECURE, for study: write every frame that each party receives to this folder, as JSON lines
    #[arg(long, value_name = "DIR")]
    insecure_record: Option<PathBuf>,
}

impl Demo {
    /// Trains, and shows what came of it.
    pub fn run(self) -> Result<()> {
        let stop = super::stop_flag()?;
        let threads = super::threads(self.threads)?;
        let data = self.train.load(&self.data)?;
        if self.suite != SuiteName::Securenn && self.truncation == Truncation::Local {
            let expected = format!("dealer: the truncation of the suite {} is its own and does not fail", self.suite);
            return Err(Error::config("--truncation", "local", expected));
        }
        let start = self.train.start()?;
        let training = self.train.training(&data, &self.data, start.as_ref())?;
        let trainer = StartModel::trainer(start.as_ref(), &training, &data.schema)?;
        Chosen { suite: self.suite, truncation: self.truncation }.trains(trainer.network().graph())?;
        self.check_wraps(wraps::expected(self.truncation, &trainer))?;
        note(format_args!(
            "{}: {} records of {} owners to train on, {} held out; {}, {} steps of {} records",
            data.name,
            training.records.train_rows,
            self.train.owners,
            training.records.test_rows,
            trainer.network().graph(),
            trainer.total_steps(),
            training.spec.batch,
        ));
        let run_dir =
            self.run_dir.clone().unwrap_or_else(|| Path::new("runs").join(format!("{}-{}", data.name, utc(SystemTime::now()))));
        let page = self.open.then(demo::Page::start).transpose()?;
        if let Some(page) = &page {
            let link = page.link()?;
            note(format_args!("page: {link} (works once)"));
            super::open(&link);
        }
        let demo = demo::Demo {
            training,
            start,
            suite: Chosen { suite: self.suite, truncation: self.truncation },
            owners: self.train.owners,
            threads,
            timeout: Duration::from_secs(self.timeout),
            run_dir,
            program: super::this_program()?,
            links: super::shape(self.links),
            page,
            insecure_mask_seed: self.insecure_mask_seed,
            insecure_record: self.insecure_record,
        };
        let mut reporter = Reporter::new();
        let outcome = demo::run(&demo, &data, stop, &mut |e| reporter.on(e));
        reporter.finish();
        let outcome = outcome?;
        if self.json {
            json(&outcome.summary)?;
        } else {
            print(format_args!("\n{}\n", results(&outcome)));
            if let Some(figures) = figures(&outcome.summary, &data.schema.classes) {
                print(format_args!("{figures}\n"));
            }
            print(format_args!("{}\n", seen(&outcome)));
            print(format_args!("{}\n", files(&demo.run_dir)));
            print(format_args!("report: {}\n", demo.run_dir.join(report::NAME).display()));
        }
        if let Some(page) = &demo.page {
            note(format_args!("the page stays until Ctrl-C; for another browser: {}", page.link()?));
            while !stop.load(Ordering::Relaxed) {
                std::thread::sleep(GLANCE);
            }
        }
        Ok(())
    }

    /// Refuses a training whose truncations are expected to go wrong.
    fn check_wraps(&self, expected: f64) -> Result<()> {
        if expected > wraps::MOST && !self.insecure_accept_wraps {
            let most = format!("at most {:.1e}, or --insecure-accept-wraps", wraps::MOST);
            return Err(Error::config("number of local truncations that will wrap", format!("{expected:.1e}"), most));
        }
        if expected > 0.0 {
            note(format_args!("local truncation: {expected:.1e} wraps are to be expected in this training"));
        }
        Ok(())
    }
}

/// The results next to those in the clear.
fn results(outcome: &Outcome) -> Table {
    let s = &outcome.summary;
    let mut table = Table::new([format!("{} on {}", s.network, s.dataset), "result".into()]);
    table.row(["accuracy, opened from shares".into(), percent(s.secure_test_accuracy)]);
    table.row(["accuracy of the model file".into(), percent(s.model_test_accuracy)]);
    table.row(["accuracy in the clear (float)".into(), percent(s.float_test_accuracy)]);
    table.row(["loss on shares".into(), format!("{:.4}", s.secure_loss)]);
    table.row(["loss in the clear (float)".into(), format!("{:.4}", s.float_loss)]);
    table.row(["largest difference of a weight".into(), format!("{:.5}", s.max_weight_difference)]);
    table.row(["seconds per step (median)".into(), format!("{:.4}", s.seconds_per_step_median)]);
    table.row(["bytes per step, all links".into(), bytes(s.bytes_per_step)]);
    table.row(["rounds per step".into(), format!("{:.0}", s.rounds_per_step)]);
    table.row(["steps".into(), s.steps.to_string()]);
    table.row(["seconds in all, sharing included".into(), format!("{:.1}", s.seconds_total)]);
    table.row(["seconds in the clear (float)".into(), format!("{:.1}", s.seconds_float)]);
    table.row([
        "wrapped truncations expected".into(),
        if s.expected_wraps == 0.0 { "0".into() } else { format!("{:.1e}", s.expected_wraps) },
    ]);
    table
}

/// The other figures of the records held out, next to those in the clear, if any were opened.
fn figures(s: &Summary, classes: &[String]) -> Option<Table> {
    let told = |figures: &[Figure]| figures.iter().flat_map(|figure| figure.rows(classes)).collect::<Vec<_>>();
    let (shares, float) = (told(&s.figures), told(&s.float_figures));
    let mut table = Table::new(["of the records held out", "opened from shares", "in the clear (float)"]);
    for (i, [name, value]) in shares.iter().enumerate() {
        table.row([name.clone(), value.clone(), float.get(i).map_or_else(String::new, |[_, value]| value.clone())]);
    }
    (s.figures.len() > 1).then_some(table)
}

/// What each party saw.
fn seen(outcome: &Outcome) -> Table {
    let r = &outcome.reports;
    let mut table = Table::new(["what each party saw", "P0", "P1", "P2"]);
    let mut row = |name: &str, cells: [String; 3]| table.row([vec![name.to_owned()], cells.to_vec()].concat());
    let holds = match outcome.summary.suite.as_str() {
        "masked" | "verified" => ["masked values, half a mask", "masked values, half a mask", "masks, no value"],
        _ => ["one of two shares", "one of two shares", "masks it dealt, no share"],
    };
    row("holds", holds.map(str::to_owned));
    row("from the data owners", [0, 1, 2].map(|i| bytes(r[i].from_owners)));
    row("from the other parties", [0, 1, 2].map(|i| bytes(r[i].bytes_seen)));
    row("  in frames", [0, 1, 2].map(|i| r[i].frames_seen.to_string()));
    row(
        "  chi-square of sampled words (255 +- 23 for noise)",
        [0, 1, 2].map(|i| r[i].chi_square.map_or("no words".into(), |x| format!("{x:.0}"))),
    );
    row("values opened to it (losses, accuracies, checks)", [0, 1, 2].map(|i| r[i].opened.to_string()));
    table
}

/// The run folder and what is in it.
fn files(dir: &Path) -> String {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    format!("{}: {}", dir.display(), names.join(", "))
}

/// The time as 20260131T235959Z.
fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March, so that the leap day is the last; eras of 400 years have 146,097 days.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month_name) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year + 400 * era + u64::from(month_name <= 2);
    format!("{year:04}{month_name:02}{day:02}T{:02}{:02}{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_735_689_599, "20241231T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }
}
