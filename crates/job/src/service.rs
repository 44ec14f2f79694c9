//! A service: a model that stays on shares, and answers. `service.toml` says who asks what, and is approved by the three parties. Whether a
//! job's model may stands in the job ([`Serve`]), which all owners have signed, and a service may not exceed it; a model that was trained
//! elsewhere answers once its owner has shared it for the service ([`Shared`]).
//!
//! The hash is of everything but the addresses, as for jobs.

mod asking;
mod check;
mod clients;
mod model;

pub use asking::Asking;
pub use clients::{Clients, Growing};
pub use model::{Known, Origin, Shared};

use crate::job::{canonical, load_text, parse_table, resolve_clients, resolve_members};
use crate::{Error, Member, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::Path;
use trefoil_client::approval::{Approval, Role};
use trefoil_client::peers::Peers;
use trefoil_client::request::{self, Request};
use trefoil_client::{Address, JobHash, Patience, ServiceHash};
use trefoil_net::Id;
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_nn::Reveal;

/// The version of what a service's fields mean, as [`SEMANTICS`](crate::SEMANTICS) is of a job's.
pub const SERVICE_SEMANTICS: u32 = 1;

/// Records of a pass. A question has as many as one of these, filled up with zeros, so that its size says little.
pub const PASSES: [usize; 4] = [1, 8, 32, 128];

/// More clients than this need a list that grows.
const MOST_CLIENTS: usize = 10_000;

/// In a job: that its model may answer questions from its shares, and what all services of it together may do at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Serve {
    /// What answers tell: class, probabilities (which tell the class too) or, of a regression, value.
    pub reveal: Reveal,
    /// Who may ask.
    pub client: Clients,
    /// Records in all questions, those that fill up a pass included.
    pub records: u64,
}

/// Everything that the parties of a service agree to.
///
/// ```
/// use trefoil_client::peers::Peers;
/// use trefoil_job::Service;
/// let member = |name: &str, n: u8| format!("{{ name = \"{name}\", fingerprint = \"{}\"", format!("{n:02x}").repeat(32));
/// let party = |name: &str, n| format!("{}, address = \"{name}.example:7001\" }}", member(name, n));
/// let text = format!("
/// name = \"ward\"
/// model = {{ job = \"{}\" }}
/// party = [{}, {}, {}]
/// client = [{} }}]
/// reveal = \"class\"
/// until = 2027-12-31
/// limits = {{ records_an_hour = 500, records = 1000 }}
/// ", "ab".repeat(32), party("p0", 1), party("p1", 2), party("p2", 3), member("ward", 4));
/// let service = Service::parse(&text, "service.toml", &Peers::default()).unwrap();
/// assert_eq!(service.limits.records_a_question, 128);
/// // Of a question the parties see the pass that holds it: one record or 8, 32, 128.
/// assert_eq!(Service::pass(5), Some(8));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// For people.
    pub name: String,
    /// Whose shares answer.
    pub model: Origin,
    /// P0, P1 and P2; those of the job, where there is one.
    pub party: [Member; 3],
    /// Who may ask.
    pub client: Clients,
    /// What answers tell.
    pub reveal: Reveal,
    /// How much may be asked.
    pub limits: Limits,
    /// The last day, in UTC: "2027-12-31".
    pub until: String,
}

/// How much may be asked, in records; those that fill up a pass count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// In a question: one of [`PASSES`].
    #[serde(default = "largest")]
    pub records_a_question: u64,
    /// By one client in an hour.
    pub records_an_hour: u64,
    /// By all clients together, for as long as the service is there.
    pub records: u64,
}

fn largest() -> u64 {
    128
}

impl Service {
    /// Reads a service's file; members that are names alone are looked up in `peers`.
    ///
    /// # Errors
    /// The file cannot be read, or is no service.
    pub fn load(path: &Path, peers: &Peers) -> Result<Service> {
        Service::parse(&load_text(path)?, &path.display().to_string(), peers)
    }

    /// The same from text; `file` is its name in errors.
    ///
    /// # Errors
    /// As for [`Service::load`].
    pub fn parse(text: &str, file: &str, peers: &Peers) -> Result<Service> {
        let service: Service = parse_table(text, file, "a service", |table| {
            // A date of TOML's is one, too.
            if let Some(until) = table.get_mut("until").filter(|until| until.is_datetime()) {
                *until = toml::Value::String(until.to_string());
            }
            resolve_members(table, &["party"], peers, file)?;
            resolve_clients(table, peers, file)?;
            match table.get_mut("model").and_then(|model| model.get_mut("shared")).and_then(toml::Value::as_table_mut) {
                Some(shared) => resolve_members(shared, &["owner"], peers, file),
                None => Ok(()),
            }
        })?;
        service.check(file)?;
        Ok(service)
    }

    /// A service as it came from somebody else.
    ///
    /// # Errors
    /// It is none.
    pub fn from_json(value: serde_json::Value) -> Result<Service> {
        let service: Service =
            serde_json::from_value(value).map_err(|e| Error::config("service", e, "the fields of a service"))?;
        service.check("service")?;
        Ok(service)
    }

    /// SHA-256 of the [canonical text](Service::canonical): what is approved.
    pub fn hash(&self) -> ServiceHash {
        ServiceHash(Sha256::digest(self.canonical()).into())
    }

    /// What is hashed: a line with a tag and the version of the meaning, then the service without addresses as RFC 8785 writes JSON.
    pub fn canonical(&self) -> String {
        let mut plain = self.clone();
        let owner = match &mut plain.model {
            Origin::Shared(shared) => Some(&mut shared.owner),
            Origin::Job(_) => None,
        };
        plain.party.iter_mut().chain(owner).for_each(|m| m.address = None);
        plain.client.forget_addresses();
        canonical("service", SERVICE_SEMANTICS, &plain)
    }

    /// How clients reach the three parties.
    pub fn addresses(&self) -> [Address; 3] {
        Id::ALL.map(|id| self.party[id.index()].as_party(id))
    }

    /// Which of the three has this certificate.
    pub fn party_of(&self, fingerprint: Fingerprint) -> Option<Id> {
        Id::ALL.into_iter().find(|id| self.party[id.index()].fingerprint == fingerprint)
    }

    /// What somebody is called in this service, and what they are, as far as the service itself says so.
    pub fn role(&self, fingerprint: Fingerprint) -> String {
        let owner = self.model.shared().map(|shared| &shared.owner).filter(|owner| owner.fingerprint == fingerprint);
        match (self.party_of(fingerprint), self.client_of(fingerprint, None), self.client.signer(), owner) {
            (Some(id), ..) => format!("party {} ({id})", self.party[id.index()].name),
            (_, Some(client), ..) => format!("client {client}"),
            (.., Some(owner)) => format!("model owner {}", owner.name),
            (_, _, Some(signer), _) if signer.fingerprint == fingerprint => {
                format!("{}, who signs the list of clients", signer.name)
            }
            _ => format!("stranger {fingerprint}"),
        }
    }

    /// The job that an approval of this service names; zeros where the model is no job's.
    fn job_of_approvals(&self) -> JobHash {
        self.model.job().unwrap_or(JobHash([0; 32]))
    }

    /// That this is a signed approval of this service by the party that it says it is of.
    ///
    /// # Errors
    /// It is not.
    pub fn check_approval(&self, approval: &Approval) -> Result<()> {
        let Approval { job, service, role, by, .. } = approval;
        let hash = self.hash();
        if (*job, *service) != (self.job_of_approvals(), Some(hash)) {
            let found = service.map_or_else(|| format!("job {job}"), |service| format!("service {service}"));
            return Err(Error::Refused(format!("approval of {role} {by}: found {found}, expected service {hash}")));
        }
        if self.party_of(*by).map(Role::from) != Some(*role) {
            return Err(Error::Refused(format!(
                "approval of {role} {by}: found {}, expected the service's {role}",
                self.role(*by)
            )));
        }
        Ok(approval.verify()?)
    }

    /// Whose party this certificate's operator has.
    ///
    /// # Errors
    /// None of the three.
    pub fn own_party(&self, identity: &Identity) -> Result<Address> {
        let me = identity.fingerprint();
        let id = self.party_of(me).ok_or_else(|| Error::config("key", self.role(me), "one of the service's parties"))?;
        Ok(self.addresses()[id.index()].clone())
    }

    /// Operator: brings the service to its own party, with a signed approval.
    ///
    /// # Errors
    /// The identity is no party's; the party cannot be reached, refuses, or takes it for another service.
    pub fn approve(&self, identity: &Identity, patience: Patience) -> Result<Address> {
        let (party, hash) = (self.own_party(identity)?, self.hash());
        let approval = Approval::sign_service(identity, self.job_of_approvals(), hash, Role::from(party.id))?;
        let service = serde_json::to_value(self).map_err(|e| Error::config("service", e, "a service"))?;
        let found: ServiceHash = request::call(&party, identity, patience, &Request::ApproveService { service, approval })?;
        match found == hash {
            true => Ok(party),
            false => Err(Error::config(format!("service's hash at {}", party.id), found, hash)),
        }
    }

    /// The smallest pass that holds so many records.
    pub fn pass(records: usize) -> Option<usize> {
        PASSES.into_iter().find(|pass| *pass >= records)
    }
}

#[cfg(test)]
mod tests;
