//! A service's file to start from: for the model of a job, with all that the job allows, or for one that its owner will share.

use crate::output::{note, print};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use trefoil_client::peers::Peers;
use trefoil_job::service::{Origin, Shared};
use trefoil_job::{Job, Member, Service, SuiteName, evaluate};
use trefoil_nn::{Bound, Network, Reveal, Task};
use trefoil_server::{Error, Result};

/// Records in all, where no job says how many.
const RECORDS: u64 = 100_000;

/// Options of `trefoil service template`.
#[derive(Args)]
pub struct Template {
    /// A job's file (.toml) whose model is to answer; or a model's (.onnx, .safetensors, .npz), of which everything but the weights becomes public
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Who is who
    #[arg(long, value_name = "FILE", default_value = "peers.toml")]
    peers: PathBuf,

    /// A model: who has it, by the name in the peers file
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,

    /// A model: P0, P1 and P2
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "p0,p1,p2")]
    party: Vec<String>,

    /// A model: who may ask [default: whom the owner lists by `trefoil service clients`]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    client: Vec<String>,

    /// A model: protocol suite
    #[arg(long, value_name = "SUITE", default_value = "masked")]
    suite: SuiteName,

    /// A model: numbers of records whose range it does not say stay below 2^BITS
    #[arg(long, value_name = "BITS", default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=30))]
    input_bits: u8,
}

impl Template {
    /// Prints it.
    pub fn run(self) -> Result<()> {
        let peers = Peers::load(&self.peers)?;
        match self.file.extension().is_some_and(|e| e == "toml") {
            true => of_job(&Job::load(&self.file, &peers)?),
            false => self.of_model(&peers),
        }
    }

    fn of_model(&self, peers: &Peers) -> Result<()> {
        let Some(name) = &self.owner else {
            return Err(Error::config("--owner", "none", "the model's, by the name in the peers file"));
        };
        let fingerprint = peers.get(name).map_err(trefoil_job::Error::from)?.fingerprint;
        let model = evaluate::load(&self.file)?;
        let owner = Member { name: name.clone(), fingerprint, address: None };
        let (shared, bound) = Shared::of(&model, owner, self.suite, self.input_bits)?;
        let reveal = match shared.task() {
            Task::Regression => Reveal::Value,
            Task::Classification(_) => Reveal::Probabilities,
        };
        let network = Network::new(shared.network.graph()?)?;
        let model = toml::to_string(&Only { model: Origin::Shared(Box::new(shared)) })
            .map_err(|e| Error::config("model", e, "one that TOML can hold"))?;
        print_all(&Filled {
            name,
            model: "# The model stands below: all of it but its weights, which its owner shares once the three parties have approved this.\n",
            party: &self.party,
            client: if self.client.is_empty() { format!("{{ list = {name:?} }}") } else { format!("{:?}", self.client) },
            reveal,
            rows: Service::largest_question(&network, reveal),
            records: RECORDS,
        });
        print(format_args!("\n{model}"));
        note(format_args!("numbers' ranges are {bound}"));
        if bound != Bound::Proven {
            note("a record that breaks the promise is answered wrongly; look at answers of records whose answer you know");
        }
        Ok(())
    }
}

/// The table that describes a model.
#[derive(Serialize)]
struct Only {
    model: Origin,
}

/// What a file is made of.
struct Filled<'a> {
    name: &'a str,
    model: &'a str,
    party: &'a [String],
    client: String,
    reveal: Reveal,
    rows: u64,
    records: u64,
}

fn print_all(filled: &Filled<'_>) {
    let Filled { name, model, party, client, reveal, rows, records } = filled;
    print(format_args!(
        "name = {name:?}\n{model}# By their names in peers.toml.\nparty = {party:?}\nclient = {client}\n\
         # What answers tell: class, probabilities or value.\nreveal = \"{reveal}\"\n# The last day, in UTC.\nuntil = \"2099-12-31\"\n\n\
         # In records; those that fill up a pass of 1, 8, 32 or 128 count.\n[limits]\nrecords_a_question = {rows}\nrecords_an_hour = {records}\nrecords = {records}\n",
    ));
}

/// With all that the job allows.
fn of_job(job: &Job) -> Result<()> {
    let Some(serve) = &job.serve else {
        return Err(Error::config(
            "job",
            format!("{} without [serve]", job.name),
            "a job whose members have agreed that its model is served",
        ));
    };
    let names = |members: &[Member]| members.iter().map(|m| m.name.clone()).collect::<Vec<_>>();
    print_all(&Filled {
        name: &job.name,
        model: &format!(
            "# Of job {:?}. The job allows no more than what stands here: other clients, a larger limit.\nmodel = {{ job = \"{}\" }}\n",
            job.name,
            job.hash()
        ),
        party: &names(&job.party),
        client: match serve.client.signer() {
            Some(signer) => format!("{{ list = {:?} }}", signer.name),
            None => format!("{:?}", names(serve.client.fixed())),
        },
        reveal: serve.reveal,
        rows: Service::largest_question(&Network::new(job.network()?)?, serve.reveal),
        records: serve.records,
    });
    Ok(())
}
