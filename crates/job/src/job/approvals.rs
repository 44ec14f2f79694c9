//! Who has to agree to a job, and whether somebody has.

use super::Job;
use crate::{Error, Result};
use trefoil_client::JobHash;
use trefoil_client::approval::{Approval, Role};
use trefoil_net::Id;
use trefoil_net::identity::Fingerprint;

impl Job {
    /// All that somebody is in this job: a data owner may be the model owner too.
    pub fn roles(&self, fingerprint: Fingerprint) -> Vec<Role> {
        let party = self.party_of(fingerprint).map(Role::from);
        let owner = self.owner_of(fingerprint).map(|_| Role::DataOwner);
        let model = self.is_model_owner(fingerprint).then_some(Role::ModelOwner);
        party.into_iter().chain(owner).chain(model).collect()
    }

    /// Those without whose approval no session begins: the three parties and all data owners. The model owner agrees when it fetches.
    pub fn deciders(&self) -> impl Iterator<Item = (Role, Fingerprint)> {
        let parties = Id::ALL.into_iter().map(|id| (Role::from(id), self.party[id.index()].fingerprint));
        parties.chain(self.owner.iter().map(|o| (Role::DataOwner, o.fingerprint)))
    }

    /// That this is an approval of this job, which goes by `hash`, by whom the job gives that role, and signed.
    ///
    /// # Errors
    /// It is not.
    pub fn check_approval(&self, hash: JobHash, approval: &Approval) -> Result<()> {
        let Approval { job, service, role, by, .. } = approval;
        if let Some(service) = service {
            return Err(Error::Refused(format!("approval of {role} {by}: found service {service}, expected job {hash}")));
        }
        if *job != hash {
            return Err(Error::Refused(format!("approval of {role} {by}: found job {job}, expected {hash}")));
        }
        if !self.roles(*by).contains(role) {
            return Err(Error::Refused(format!("approval of {role} {by}: found {}, expected the job's {role}", self.role(*by))));
        }
        Ok(approval.verify()?)
    }

    /// Whether somebody is shown in clients' answers what is opened to P0 and P1: the model owner, unless it has records of its own in
    /// the job. What it knows of these would help it to say more of the others'. Where nobody gets the model, nobody is.
    pub fn is_shown_figures(&self, fingerprint: Fingerprint) -> bool {
        self.is_model_owner(fingerprint) && self.owner_of(fingerprint).is_none()
    }
}
