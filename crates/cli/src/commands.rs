//! One file a command.

mod audit;
mod bench;
mod completions;
mod data;
mod demo;
mod doctor;
mod evaluate;
mod gateway;
mod job;
mod keygen;
mod lanes;
mod model;
mod page;
mod party;
mod peers;
mod plain;
mod plan;
mod predict;
mod report;
mod service;
mod share;

use crate::output;
use clap::{Parser, Subcommand};
use std::process::{ExitCode, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use trefoil_server::{Error, Result, machine};

static VERSION: LazyLock<String> = LazyLock::new(machine::version);

/// Train a neural network on data that its owners may not show to each other.
#[derive(Parser)]
#[command(name = "trefoil", version = VERSION.as_str(), arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// A command with its options.
#[derive(Subcommand)]
pub enum Command {
    /// Train on secret shares, in three processes on this machine, and compare with training in the clear
    Demo(demo::Demo),
    /// Train in the clear: the baseline alone
    Plain(plain::Plain),
    /// Accuracy of a model file, in the clear
    Evaluate(evaluate::Evaluate),
    /// What a model says of the records in a file: in the clear, on shares, or asked of a service
    Predict(predict::Predict),
    /// A demo's run folder as one page: curves, mistakes, cost, and who could see what
    Report(report::Report),
    /// What a training will take, before anything runs: rounds, bytes, and time on given links
    Plan(plan::Plan),
    /// Fetch datasets
    Data(data::Data),
    /// Measure training steps
    Bench(bench::Bench),
    /// Make a private key, its certificate and fingerprint
    Keygen(keygen::Keygen),
    /// List, add and remove those that this process deals with
    Peers(peers::Peers),
    /// Print a script that completes commands and options in a shell
    Completions(completions::Completions),
    /// Run a computing party: a server that takes jobs, records and model owners' requests
    Party(party::Party),
    /// Print a link to the page of a party that runs on this machine, for its operator: it works once
    Page(page::PageCommand),
    /// One party of a measurement; `trefoil bench` starts it
    #[command(hide = true)]
    BenchParty,
    /// Propose, approve and follow jobs
    Job(job::JobCommand),
    /// Let a trained model answer from its shares: approve, follow and end services
    Service(service::ServiceCommand),
    /// Let applications on this machine ask a service over HTTP, in the Open Inference Protocol
    Gateway(gateway::GatewayCommand),
    /// Share a file's records with the parties of a job
    Share(share::Share),
    /// Fetch and show trained models
    Model(model::ModelCommand),
    /// Look for what is wrong: configuration, key, ports, the way to the parties, the job's standing there
    Doctor(doctor::Doctor),
    /// Verify and show a party's audit log
    Audit(audit::Audit),
}

/// The command that the program was called with. Where there is none: what to end with, all being said.
pub fn parse() -> std::result::Result<Command, ExitCode> {
    Cli::try_parse().map(|cli| cli.command).map_err(|e| {
        if !e.use_stderr() || e.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            e.exit();
        }
        output::fail(one_line(&e.render().to_string()), 2)
    })
}

/// The message of clap's error without the usage that follows it.
fn one_line(text: &str) -> String {
    let message = text.split("\n\nUsage:").next().unwrap_or(text).split("\n\nFor more").next().unwrap_or(text);
    let words: Vec<&str> = message.split_whitespace().collect();
    words.join(" ").trim_start_matches("error: ").to_owned()
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Everything that can go wrong, with an exit code.
    pub fn run(self) -> Result<()> {
        match self {
            Command::Demo(demo) => demo.run(),
            Command::Plain(plain) => plain.run(),
            Command::Evaluate(evaluate) => evaluate.run(),
            Command::Predict(predict) => predict.run(),
            Command::Report(report) => report.run(),
            Command::Plan(plan) => plan.run(),
            Command::Data(data) => data.run(),
            Command::Bench(bench) => bench.run(),
            Command::Keygen(keygen) => keygen.run(),
            Command::Peers(peers) => peers.run(),
            Command::Completions(completions) => completions.run(),
            Command::Party(party) => party.run(),
            Command::Page(page) => page.run(),
            Command::BenchParty => party::bench(),
            Command::Job(job) => job.run(),
            Command::Service(service) => service.run(),
            Command::Gateway(gateway) => gateway.run(),
            Command::Share(share) => share.run(),
            Command::Model(model) => model.run(),
            Command::Doctor(doctor) => doctor.run(),
            Command::Audit(audit) => audit.run(),
        }
    }
}

/// Set by Ctrl-C and by a request to terminate; a second one ends this process at once.
///
/// # Errors
/// The system lets no handler in.
fn stop_flag() -> Result<&'static AtomicBool> {
    static STOP: AtomicBool = AtomicBool::new(false);
    let handler = || {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    };
    ctrlc::set_handler(handler).map_err(|e| Error::config("Ctrl-C", e, "a signal handler"))?;
    Ok(&STOP)
}

/// The path of this program, which is also the parties'.
fn this_program() -> Result<std::path::PathBuf> {
    std::env::current_exe().map_err(|e| Error::config("this program", e, "its path"))
}

/// Opens a link in a browser, where this machine has one and a screen; whether it does is nobody's error.
fn open(link: &str) {
    let (program, screen) = match std::env::consts::OS {
        "macos" => ("open", true),
        _ => ("xdg-open", ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some())),
    };
    if screen {
        let mut command = std::process::Command::new(program);
        let _ = command.arg(link).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    }
}

/// Threads for each of three parties that share this machine.
fn threads(asked: Option<usize>) -> Result<usize> {
    match asked {
        Some(0) => Err(Error::config("--threads", 0, "at least 1")),
        Some(n) => Ok(n),
        None => Ok((std::thread::available_parallelism().map_or(1, usize::from) / 3).max(1)),
    }
}

/// The shape of the parties' links; none where nothing is to be changed.
fn shape(links: trefoil_net::shaped::Profile) -> Option<String> {
    (links != Default::default()).then(|| links.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn options_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn usage_errors_are_one_line() {
        for (args, words) in [
            (&["demo", "--dataset", "cifar"][..], ["cifar", "digits, mnist, csv"]),
            (&["demo", "--epochs", "many"], ["many", "--epochs"]),
            (&["demo", "--links", "40"], ["40", "--links"]),
            (&["evaluate"], ["not provided", "MODEL"]),
            (&["bench", "--frob"], ["unexpected argument", "--frob"]),
        ] {
            let e = Cli::try_parse_from([&["trefoil"], args].concat()).err().map(|e| one_line(&e.render().to_string())).unwrap();
            assert!(!e.contains('\n') && !e.contains("Usage") && !e.starts_with("error"), "{e}");
            assert!(words.iter().all(|w| e.contains(w)), "{e}");
        }
    }
}
