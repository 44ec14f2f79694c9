//! Whether a job can be trained, and says what it must.

use super::Job;
use crate::{Error, Result};
use std::collections::BTreeSet;
use trefoil_data::schema::Partition;
use trefoil_mpc::securenn::Truncation;

impl Job {
    /// `file` is its name in errors.
    pub(super) fn check(&self, file: &str) -> Result<()> {
        let refuse = |what: &str, found: String, expected: &str| Err(Error::config(format!("{file}: {what}"), found, expected));
        self.data.check().map_err(Error::Data)?;
        let members = self.party.iter().chain([&self.model_owner]).map(|m| (&m.name, m.fingerprint));
        for (name, _) in members.chain(self.owner.iter().map(|o| (&o.name, o.fingerprint))) {
            if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
                return refuse("name", format!("{name:?}"), "1 to 64 characters");
            }
        }
        let mut seen = BTreeSet::new();
        let roles = self.party.iter().map(|m| m.fingerprint).chain(self.owner.iter().map(|o| o.fingerprint));
        for fingerprint in roles {
            if !seen.insert(fingerprint) {
                return refuse("roles", format!("{fingerprint} twice"), "a certificate of its own for each party and owner");
            }
        }
        if self.party.iter().any(|p| p.fingerprint == self.model_owner.fingerprint) {
            return refuse("model_owner", "a party's certificate".into(), "another: a party must not get the model");
        }
        if let Some(p) = self.party.iter().find(|p| p.address.as_deref().is_none_or(|a| !a.contains(':'))) {
            return refuse(&format!("party {}", p.name), format!("address {:?}", p.address), "host:port");
        }
        if self.owner.is_empty() || self.owner.len() > 10_000 {
            return refuse("owners", self.owner.len().to_string(), "1 to 10000");
        }
        if self.truncation == Truncation::Local && !self.insecure_accept_wraps {
            let expected = "dealer, or insecure_accept_wraps = true: local truncation destroys a model now and then";
            return refuse("truncation", "local".into(), expected);
        }
        if self.checkpoint.steps == 0 {
            return refuse("checkpoint.steps", "0".into(), "at least 1");
        }
        self.check_partition(file)?;
        if let Some(serve) = &self.serve {
            serve.check(self.data.task, file)?;
        }
        // What the hash is of says all of the job: a number that is none would be lost.
        let plain = self.without_addresses();
        if !serde_json::to_value(&plain).and_then(serde_json::from_value).is_ok_and(|again: Job| again == plain) {
            return refuse("numbers", "one that is not finite".into(), "finite numbers");
        }
        self.trial().trainer()?;
        Ok(())
    }

    fn check_partition(&self, file: &str) -> Result<()> {
        let refuse = |what: String, found: String, expected: &str| Err(Error::config(format!("{file}: {what}"), found, expected));
        if self.data.partition == Partition::Horizontal {
            return match self.owner.iter().find(|o| !o.columns.is_empty() || o.label) {
                Some(o) => refuse(format!("owner {}", o.name), "columns or label".into(), "neither, in a horizontal partition"),
                None => Ok(()),
            };
        }
        let labels = self.owner.iter().filter(|o| o.label).count();
        if labels != 1 {
            return refuse("owners with label = true".into(), labels.to_string(), "1, in a vertical partition");
        }
        let mut left: Vec<&str> = self.data.columns.iter().map(|c| c.name()).collect();
        for owner in &self.owner {
            if owner.columns.is_empty() {
                return refuse(format!("owner {}", owner.name), "no columns".into(), "the columns that it has");
            }
            for column in &owner.columns {
                match left.iter().position(|c| c == column) {
                    Some(i) => drop(left.swap_remove(i)),
                    None => {
                        return refuse(
                            format!("owner {}", owner.name),
                            format!("column {column:?}"),
                            "columns of the job, each once",
                        );
                    }
                }
            }
        }
        match left.first() {
            Some(column) => refuse(format!("column {column:?}"), "no owner".into(), "an owner for each column"),
            None => Ok(()),
        }
    }
}
