//! `trefoil service`: a model that stays on shares, and answers.

mod clients;
mod template;

use super::job::KeyArgs;
use crate::output::{json, note, print};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use trefoil_client::peers::Peers;
use trefoil_client::request::{self, Request};
use trefoil_job::Service;
use trefoil_job::service::Origin;
use trefoil_server::{Error, Result, ServiceStatus};

/// Options of `trefoil service`.
#[derive(Args)]
pub struct ServiceCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print a service's file to start from, for the model of a job that says that it may be served, or for a model's file
    Template(template::Template),
    /// Show what a service's file says, and its hash
    Show {
        #[command(flatten)]
        service: ServiceArgs,
        /// Print the text that is hashed, and nothing else: its SHA-256 is the service's hash
        #[arg(long)]
        canonical: bool,
    },
    /// Operators: agree to a service with a signature, for one's own party
    Approve(ServiceWithKey),
    /// Operators: end a service, for good
    End(ServiceWithKey),
    /// Who may ask, where that is a list that grows: show it; or, for who signs it, add clients and take some out
    Clients(clients::Clients),
    /// How a service stands, at each party that may be asked
    Status {
        #[command(flatten)]
        service: ServiceWithKey,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// A service's file.
#[derive(Args)]
pub struct ServiceArgs {
    /// The service's file
    #[arg(value_name = "SERVICE")]
    file: PathBuf,

    /// Who is who, for members that the service calls by their names alone
    #[arg(long, value_name = "FILE", default_value = "peers.toml")]
    peers: PathBuf,
}

impl ServiceArgs {
    /// Reads the service.
    ///
    /// # Errors
    /// A file that is missing or malformed.
    pub fn load(&self) -> Result<Service> {
        Ok(Service::load(&self.file, &Peers::load(&self.peers)?)?)
    }
}

#[derive(Args)]
struct ServiceWithKey {
    #[command(flatten)]
    service: ServiceArgs,

    #[command(flatten)]
    key: KeyArgs,
}

impl ServiceCommand {
    /// Does what was asked for.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Template(template) => template.run(),
            Command::Show { service, canonical: true } => {
                print(service.load()?.canonical());
                Ok(())
            }
            Command::Show { service, canonical: false } => show(&service.load()?),
            Command::Approve(args) => {
                let (service, identity) = (args.service.load()?, args.key.identity()?);
                let party = service.approve(&identity, args.key.patience())?;
                let (role, hash) = (service.role(identity.fingerprint()), service.hash());
                print(format_args!("{} has the approval of {role} for service {hash}\n", party.id));
                Ok(())
            }
            Command::End(args) => {
                let (service, identity) = (args.service.load()?, args.key.identity()?);
                let party = service.own_party(&identity)?;
                request::call::<()>(&party, &identity, args.key.patience(), &Request::EndService { service: service.hash() })?;
                print(format_args!("{} has ended service {}\n", party.id, service.hash()));
                Ok(())
            }
            Command::Clients(args) => args.run(),
            Command::Status { service: args, json } => status(&args, json),
        }
    }
}

fn show(service: &Service) -> Result<()> {
    let text = toml::to_string(service).map_err(|e| Error::config("service", e, "a service that TOML can hold"))?;
    print(format_args!("{text}\n# SHA-256 of the service: {}\n", service.hash()));
    let model = match &service.model {
        Origin::Job(job) => format!("the model of job {}", job.short()),
        Origin::Shared(shared) => format!("the model of {}, which it shares by `trefoil model share`,", shared.owner.name),
    };
    note(format_args!(
        "{}: {model} answers {} until {}, and tells them the {}; {} records in all, {} an hour a client",
        service.name, service.client, service.until, service.reveal, service.limits.records, service.limits.records_an_hour,
    ));
    Ok(())
}

fn status(args: &ServiceWithKey, as_json: bool) -> Result<()> {
    let (service, identity) = (args.service.load()?, args.key.identity()?);
    let (hash, me) = (service.hash(), identity.fingerprint());
    let mut all = vec![];
    for party in service.addresses().into_iter().filter(|p| service.party_of(me).is_none_or(|id| id == p.id)) {
        let request = Request::Services { service: Some(hash.to_string()) };
        let found: Vec<ServiceStatus> = request::call(&party, &identity, args.key.patience(), &request)?;
        all.push((party.id, found.into_iter().next()));
    }
    if as_json {
        let all = all.iter().map(|(id, status)| serde_json::json!({ "party": id, "status": status }));
        return json(&all.collect::<Vec<_>>());
    }
    for (id, status) in all {
        let Some(s) = status else {
            print(format_args!("{id}: not known there\n"));
            continue;
        };
        let approved: Vec<String> = s.approved.iter().map(ToString::to_string).collect();
        let list = s
            .clients
            .map_or_else(String::new, |(version, clients)| format!("; list of clients: version {version}, {clients} in it"));
        let each = |(rank, passes): (usize, &u64)| format!("{passes} in lane {rank}");
        let lanes: Vec<String> = s.passes.iter().enumerate().map(each).collect();
        let lanes = if lanes.len() > 1 { format!("; passes: {}", lanes.join(", ")) } else { String::new() };
        let waits = s.waiting_for.map_or_else(String::new, |why| format!(" ({why})"));
        print(format_args!(
            "{id}: {}{waits}, approved by {}; {} questions answered, {} refused, {} waiting; {} of {} records used{lanes}{list}\n",
            s.state,
            approved.join(", "),
            s.answered,
            s.refused,
            s.waiting,
            s.records,
            service.limits.records,
        ));
    }
    Ok(())
}
