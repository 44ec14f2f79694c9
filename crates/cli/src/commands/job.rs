//! `trefoil job`: from a file to a training that everybody has agreed to.

mod status;
mod template;

pub use status::{answered, statuses};

use super::keygen::PassphraseArgs;
use crate::output::{note, print};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;
use trefoil_client::keys::KeySource;
use trefoil_client::peers::Peers;
use trefoil_client::request::{self, Request};
use trefoil_client::{Address, Patience};
use trefoil_data::schema::Column;
use trefoil_job::{Job, JobHash, StartModel, SuiteName, plan, sharing};
use trefoil_lab::units::bytes;
use trefoil_net::identity::Identity;
use trefoil_nn::{Bounded, Held, Metric, Quantity};
use trefoil_server::{Error, Result, logs};

/// Options of `trefoil job`.
#[derive(Args)]
pub struct JobCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print a job's file to start from, with the columns and statistics of a file (they become public with the job)
    Template(template::Template),
    /// Show what a job's file says, and its hash
    Show {
        #[command(flatten)]
        job: JobArgs,
        /// Print the text that is hashed, and nothing else: its SHA-256 is the job's hash
        #[arg(long)]
        canonical: bool,
    },
    /// Send a job to its three parties, for their operators to look at
    Propose(JobWithKey),
    /// Agree to a job with a signature: as an operator for one's own party, as a data owner or model owner at all three
    Approve {
        #[command(flatten)]
        job: JobWithKey,
        /// The model that training starts from, where the job has the SHA-256 of its file; each operator brings it to its own party
        #[arg(long, value_name = "MODEL")]
        start: Option<PathBuf>,
    },
    /// Check who has agreed to a job, by signed approvals alone
    Verify(VerifyArgs),
    /// Operators: let a job begin that waits for it (start = "request")
    Start(JobWithKey),
    /// Where a job stands, at each party that may be asked
    Status(status::StatusArgs),
    /// Operators: let a job go on that has failed
    Resume(JobWithKey),
    /// Operators and data owners: end a job that is not trained yet; its records are removed
    Cancel(JobWithKey),
}

/// A job's file.
#[derive(Args)]
pub struct JobArgs {
    /// The job's file
    #[arg(value_name = "JOB")]
    file: PathBuf,

    /// Who is who, for members that the job calls by their names alone
    #[arg(long, value_name = "FILE", default_value = "peers.toml")]
    peers: PathBuf,
}

impl JobArgs {
    /// Reads the job.
    ///
    /// # Errors
    /// A file that is missing or malformed.
    pub fn load(&self) -> Result<Job> {
        Ok(Job::load(&self.file, &Peers::load(&self.peers)?)?)
    }
}

/// Whose key.
#[derive(Args)]
pub struct KeyArgs {
    /// The caller's private key: a file, env:NAME or fd:N
    #[arg(long, value_name = "SOURCE")]
    key: KeySource,

    #[command(flatten)]
    passphrase: PassphraseArgs,

    /// Seconds to try to reach a party, and to wait for its answer
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
}

impl KeyArgs {
    /// The caller's identity.
    ///
    /// # Errors
    /// No key, or no passphrase.
    pub fn identity(&self) -> Result<Identity> {
        Ok(self.key.load(&self.passphrase.source(), false)?)
    }

    /// How long to try.
    pub fn patience(&self) -> Patience {
        let timeout = Duration::from_secs(self.timeout);
        Patience { connect: timeout, answer: timeout }
    }
}

#[derive(Args)]
struct JobWithKey {
    #[command(flatten)]
    job: JobArgs,

    #[command(flatten)]
    key: KeyArgs,
}

/// Signed approvals, held against a job.
#[derive(Args)]
struct VerifyArgs {
    #[command(flatten)]
    job: JobArgs,

    /// What `trefoil job status --approvals --json` has printed, or a party's audit log
    #[arg(value_name = "FILE")]
    approvals: PathBuf,
}

impl JobCommand {
    /// Does what was asked for.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Template(template) => template.run(),
            Command::Show { job, canonical: false } => show(&job.load()?),
            Command::Show { job, canonical: true } => {
                print(job.load()?.canonical());
                Ok(())
            }
            Command::Propose(args) => {
                let (job, identity) = (args.job.load()?, args.key.identity()?);
                for party in job.addresses() {
                    sharing::propose(&job, &identity, &party, args.key.patience())?;
                    print(format_args!("{} has job {}\n", name(&job, &party), job.hash()));
                }
                Ok(())
            }
            Command::Approve { job: args, start } => {
                let (job, identity) = (args.job.load()?, args.key.identity()?);
                let start = start.as_deref().map(StartModel::load).transpose()?;
                let (hash, me) = (job.hash(), job.role(identity.fingerprint()));
                let mut told = |party: &Address| {
                    print(format_args!("{} has the approval of {me} for job {hash}\n", name(&job, party)));
                };
                Ok(sharing::approve(&job, &identity, start.as_ref(), args.key.patience(), &mut told)?)
            }
            Command::Verify(args) => args.run(),
            Command::Start(args) => {
                for (party, missing) in args.each::<Vec<String>>(|job| Request::Start { job })? {
                    let waits =
                        if missing.is_empty() { "begins".to_owned() } else { format!("waits for {}", missing.join(" and ")) };
                    print(format_args!("{party}: {waits}\n"));
                }
                Ok(())
            }
            Command::Status(args) => args.run(),
            Command::Resume(args) => args.done(|job| Request::Resume { job }, "goes on"),
            Command::Cancel(args) => args.done(|job| Request::Cancel { job }, "has cancelled the job"),
        }
    }
}

impl VerifyArgs {
    /// Prints who has agreed. Somebody without whom no session begins must not be missing.
    fn run(self) -> Result<()> {
        let job = self.job.load()?;
        let (file, hash) = (self.approvals.display(), job.hash());
        let all = logs::approvals(&self.approvals)?;
        // A party's log tells of other jobs too.
        let (of_it, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|approval| approval.job == hash);
        if let (true, Some(other)) = (of_it.is_empty(), others.first()) {
            return Err(Error::config(format!("{file}: job"), other.job, hash));
        }
        of_it.iter().try_for_each(|approval| job.check_approval(hash, approval))?;
        let of = |who: &(_, _)| of_it.iter().find(|a| (a.role, a.by) == *who).map(|a| (a, String::new()));
        match status::table(&job, of) {
            0 => Ok(()),
            n => Err(Error::Refused(format!("{file}: found no approval of {n} parties or data owners, expected all of them"))),
        }
    }
}

impl JobWithKey {
    /// Asks each party that the caller speaks to.
    fn each<T: serde::de::DeserializeOwned>(&self, what: impl Fn(JobHash) -> Request) -> Result<Vec<(String, T)>> {
        let (job, identity) = (self.job.load()?, self.key.identity()?);
        let ask =
            |party: Address| Ok((name(&job, &party), request::call(&party, &identity, self.key.patience(), &what(job.hash()))?));
        job.reached_by(identity.fingerprint()).into_iter().map(ask).collect()
    }

    fn done(&self, what: impl Fn(JobHash) -> Request, text: &str) -> Result<()> {
        for (party, ()) in self.each(what)? {
            print(format_args!("{party} {text}\n"));
        }
        Ok(())
    }
}

fn name(job: &Job, party: &Address) -> String {
    format!("{} {}", party.id, job.party[party.id.index()].name)
}

/// The figure of the held-out records that is followed, in words.
fn metric(job: &Job) -> &'static str {
    job.metric().map_or("nothing", words)
}

/// A figure in words, with its unit where it has one.
fn words(metric: Metric) -> &'static str {
    match metric {
        Metric::Auc => "area under the curve",
        Metric::SquaredError => "squared error (in squared deviations)",
        Metric::Rmse => "root of the squared error (in deviations)",
        Metric::AbsoluteError => "absolute error (in deviations)",
        metric => metric.name(),
    }
}

/// What somebody who approves must know.
fn show(job: &Job) -> Result<()> {
    print(job.text()?);
    let metrics: Vec<&str> = job.metrics().map(words).collect();
    let metric = if metrics.is_empty() { "nothing".to_owned() } else { metrics.join(", ") };
    let goes = job.model_owner.as_ref().map(|owner| format!("the model goes to {}", owner.name));
    note(format_args!(
        "{}: {} on records of {} data owners, {} features; opened to P0 and P1 after each epoch: {}{metric}, and how many weights and \
         activations are out of range; {}",
        job.name,
        job.suite,
        job.owner.len(),
        job.data.features(),
        if job.open.loss { "loss, " } else { "" },
        goes.as_deref().unwrap_or("nobody gets the model, which only answers from its shares"),
    ));
    if let Some(line) = secure(job) {
        note(line);
    }
    let bounds = job.trial().trainer()?.bounds()?;
    Held::ALL.into_iter().filter_map(|held| ranges(&bounds, held)).for_each(note);
    note(format_args!(
        "activations are watched on a sample of the training records, unless it has fewer than {}",
        job.open.least_records
    ));
    if job.suite == SuiteName::Verified {
        note(format_args!("what a step takes is not stated for the suite {}, whose proofs are beside it", job.suite));
    } else {
        let step = plan::training(&job.trial().trainer()?, job.chosen())?.step.total();
        note(format_args!(
            "a step of {} records takes {} rounds and {} on all links; `trefoil plan` says what all of them take",
            job.train.batch,
            step.rounds,
            bytes(step.bytes())
        ));
    }
    if let Some(serve) = &job.serve {
        note(format_args!(
            "the model may answer from its shares: {}, who are told the {}, {} records in all",
            serve.client, serve.reveal, serve.records,
        ));
    }
    Ok(())
}

/// Which columns are standardised by statistics that are computed on shares, if there are any.
fn secure(job: &Job) -> Option<String> {
    let of = |column: &Column| column.scale().map(|_| column.name().to_owned());
    let names: Vec<String> = job.data.columns.iter().filter_map(of).collect();
    (!names.is_empty()).then(|| {
        let shown = if job.open.statistics { "opened to P0 and P1 before the first step" } else { "shown to nobody" };
        let clipped = if job.open.clipped { "; how many values of each were clipped is opened to them then" } else { "" };
        let names = names.join(", ");
        format!("statistics of {names} are computed on shares, over all owners' training records, and {shown}{clipped}")
    })
}

/// One line on what is kept in its range in this way, if there is something. Parameters are told by their number.
fn ranges(bounds: &[Bounded], held: Held) -> Option<String> {
    let (parameters, others): (Vec<_>, Vec<_>) =
        bounds.iter().filter(|b| b.held == held).partition(|b| b.quantity == Quantity::Parameter);
    let parameters = (!parameters.is_empty()).then(|| format!("all {} parameters", parameters.len()));
    let names: Vec<&str> = others.iter().map(|b| b.name.as_str()).chain(parameters.as_deref()).collect();
    (!names.is_empty()).then(|| format!("ranges {}: {}", held.name(), names.join(", ")))
}
