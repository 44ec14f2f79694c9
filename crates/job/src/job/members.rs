//! Who takes part in a job, and with what.

use super::{Job, Member};
use crate::{Error, Result};
use trefoil_client::Address;
use trefoil_data::schema::Partition;
use trefoil_net::Id;
use trefoil_net::identity::Fingerprint;

impl Member {
    /// As one of the three parties.
    pub fn as_party(&self, id: Id) -> Address {
        Address { id, address: self.address.clone().unwrap_or_default(), fingerprint: self.fingerprint }
    }
}

impl Job {
    /// How clients reach the three parties.
    pub fn addresses(&self) -> [Address; 3] {
        Id::ALL.map(|id| self.party[id.index()].as_party(id))
    }

    /// The parties that somebody speaks to: operators to their own, all others to all three.
    pub fn reached_by(&self, fingerprint: Fingerprint) -> Vec<Address> {
        let all = self.addresses();
        match self.party_of(fingerprint) {
            Some(id) => vec![all[id.index()].clone()],
            None => all.to_vec(),
        }
    }

    /// Everybody's fingerprints.
    pub fn members(&self) -> impl Iterator<Item = Fingerprint> {
        let owners = self.owner.iter().map(|o| o.fingerprint);
        self.party.iter().map(|p| p.fingerprint).chain(owners).chain(self.model_owner.iter().map(|m| m.fingerprint))
    }

    /// Which of the three has this certificate.
    pub fn party_of(&self, fingerprint: Fingerprint) -> Option<Id> {
        Id::ALL.into_iter().find(|id| self.party[id.index()].fingerprint == fingerprint)
    }

    /// The place of the owner with this certificate.
    pub fn owner_of(&self, fingerprint: Fingerprint) -> Option<usize> {
        self.owner.iter().position(|o| o.fingerprint == fingerprint)
    }

    /// Whether the model is for who has this certificate.
    pub fn is_model_owner(&self, fingerprint: Fingerprint) -> bool {
        self.model_owner.as_ref().is_some_and(|owner| owner.fingerprint == fingerprint)
    }

    /// Who gets the model.
    ///
    /// # Errors
    /// Nobody does.
    pub fn model_owner(&self) -> Result<&Member> {
        self.model_owner.as_ref().ok_or_else(|| {
            Error::Refused(format!(
                "job {} has no model_owner: nobody gets its model, which only answers from its shares",
                self.name
            ))
        })
    }

    /// What somebody is called in this job, and what they are.
    pub fn role(&self, fingerprint: Fingerprint) -> String {
        if let Some(id) = self.party_of(fingerprint) {
            return format!("party {} ({id})", self.party[id.index()].name);
        }
        if let Some(i) = self.owner_of(fingerprint) {
            return format!("data owner {}", self.owner[i].name);
        }
        match self.model_owner.iter().find(|m| m.fingerprint == fingerprint) {
            Some(owner) => format!("model owner {}", owner.name),
            None => format!("stranger {fingerprint}"),
        }
    }

    /// The feature columns of an owner, all of them in a horizontal partition, and whether it has the label.
    pub fn holding(&self, owner: usize) -> (Vec<String>, bool) {
        match self.data.partition {
            Partition::Horizontal => (vec![], true),
            Partition::Vertical => (self.owner[owner].columns.clone(), self.owner[owner].label),
        }
    }

    /// Numbers in a row of an owner: its features, and the label where it has it.
    pub fn widths(&self, owner: usize) -> (usize, usize) {
        let (columns, label) = self.holding(owner);
        let features: usize = match self.data.partition {
            Partition::Horizontal => self.data.handed_in(),
            Partition::Vertical => {
                self.data.columns.iter().filter(|c| columns.iter().any(|n| n == c.name())).map(|c| c.shared()).sum()
            }
        };
        (features, if label { self.data.outputs() } else { 0 })
    }
}
