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
        let members = self.party.iter().chain(&self.model_owner).map(|m| (&m.name, m.fingerprint));
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
        if self.party.iter().any(|p| self.is_model_owner(p.fingerprint)) {
            return refuse("model_owner", "a party's certificate".into(), "another: a party must not get the model");
        }
        if self.model_owner.is_none() && self.serve.is_none() {
            return refuse("model_owner", "none".into(), "one member, or [serve]: a model that nobody gets must answer");
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
            serve.check(crate::predict::task(&self.data), file)?;
        }
        // What the hash is of says all of the job: a number that is none would be lost.
        let plain = self.without_addresses();
        if !serde_json::to_value(&plain).and_then(serde_json::from_value).is_ok_and(|again: Job| again == plain) {
            return refuse("numbers", "one that is not finite".into(), "finite numbers");
        }
        let trainer = self.trial().trainer()?;
        self.chosen().trains(trainer.network().graph())?;
        if self.model_owner.is_some() {
            trainer.exported()?;
        }
        if (self.open.statistics || self.open.clipped) && self.data.secure().is_empty() {
            return refuse(
                if self.open.statistics { "open.statistics" } else { "open.clipped" },
                "true".into(),
                "false: no column is standardised on shares; all others' statistics are public, and `trefoil share` tells each owner what is clipped",
            );
        }
        if self.train.start.is_some() && !self.data.secure().is_empty() {
            let expected =
                "public statistics of all columns: a model to start from was trained on records that were prepared by such";
            return refuse("train.start", "columns that are standardised on shares beside it".into(), expected);
        }
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
        let mut left: BTreeSet<&str> = self.data.columns.iter().map(|c| c.name()).collect();
        for owner in &self.owner {
            if owner.columns.is_empty() {
                return refuse(format!("owner {}", owner.name), "no columns".into(), "the columns that it has");
            }
            for column in &owner.columns {
                if !left.remove(column.as_str()) {
                    let expected = "columns of the job, each once";
                    return refuse(format!("owner {}", owner.name), format!("column {column:?}"), expected);
                }
            }
        }
        match left.first() {
            Some(column) => refuse(format!("column {column:?}"), "no owner".into(), "an owner for each column"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetching;
    use crate::job::JOB;
    use std::time::Duration;
    use trefoil_client::Patience;
    use trefoil_client::approval::{Approval, Role};
    use trefoil_client::peers::Peers;
    use trefoil_net::identity::Identity;

    const SERVE: &str = "[serve]\nreveal = \"value\"\nrecords = 1000\n\
        client = [{ name = \"c\", fingerprint = \"0505050505050505050505050505050505050505050505050505050505050505\" }]\n";
    const MODEL_OWNER: &str =
        r#""model_owner":{"fingerprint":"0404040404040404040404040404040404040404040404040404040404040404","name":"m"},"#;

    fn job(owned: bool, more: &str) -> Result<Job> {
        let lines = JOB.lines().filter(|line| owned || !line.trim_start().starts_with("model_owner"));
        Job::parse(&format!("{}\n{more}", lines.collect::<Vec<_>>().join("\n")), "job.toml", &Peers::default())
    }

    /// A model that nobody gets must be good for something; and then it is in nobody's reach, by no approval.
    #[test]
    fn without_a_model_owner_the_model_only_answers() {
        let e = job(false, "").unwrap_err().to_string();
        assert_eq!(e, "job.toml: model_owner: found none, expected one member, or [serve]: a model that nobody gets must answer");
        let (owned, unowned) = (job(true, SERVE).unwrap(), job(false, SERVE).unwrap());
        // What is absent is absent in the text that is hashed, and nothing else differs.
        assert!(owned.canonical().contains(MODEL_OWNER));
        assert_eq!(owned.canonical().replace(MODEL_OWNER, ""), unowned.canonical());
        // As it travels, and as `job show` prints it.
        assert_eq!(Job::from_json(serde_json::to_value(&unowned).unwrap()).unwrap(), unowned);
        assert_eq!(Job::parse(&toml::to_string(&unowned).unwrap(), "again", &Peers::default()).unwrap(), unowned);

        let [of_owner, of_nobody] = [&owned, &unowned].map(|job| job.deciders().collect::<Vec<_>>());
        assert_eq!(of_owner, of_nobody);
        assert_eq!(owned.members().count(), unowned.members().count() + 1);
        let identity = Identity::generate("somebody").unwrap();
        for who in owned.members().chain([identity.fingerprint()]) {
            assert!(!unowned.roles(who).contains(&Role::ModelOwner) && !unowned.is_shown_figures(who), "{who}");
        }
        let hash = unowned.hash();
        let approval = Approval::sign(&identity, hash, Role::ModelOwner).unwrap();
        let e = unowned.check_approval(hash, &approval).unwrap_err().to_string();
        assert!(e.ends_with("expected the job's model owner"), "{e}");
        // Nobody is even called.
        let patience = Patience { connect: Duration::ZERO, answer: Duration::ZERO };
        let e = fetching::fetch_model(&unowned, &identity, patience).unwrap_err().to_string();
        assert!(e.contains("has no model_owner: nobody gets its model") && !e.contains('\n'), "{e}");
    }

    /// Statistics are opened where some are hidden, and a model to start from was trained on records that were prepared in public.
    #[test]
    fn columns_that_are_standardised_on_shares() {
        let secure = |more: &str| {
            let text = JOB.replace(
                r#"{ kind = "range", name = "x", min = -3, max = 12 }"#,
                r#"{ kind = "number", name = "x", scale = "secure", within = [-3, 12] }"#,
            );
            Job::parse(&format!("{text}\n{more}"), "job.toml", &Peers::default())
        };
        let plain = secure("").unwrap();
        assert_eq!((plain.trial().secure.len(), plain.trial().shared().bits), (1, 22));
        let open = secure("[open]\nstatistics = true\n").unwrap();
        // What is as it mostly is is not in the text that is hashed.
        assert!(open.canonical().contains(r#""statistics":true"#) && !plain.canonical().contains("statistics"));
        assert_eq!([9, 100].map(|rows| open.opened(rows, 0).statistics), [false, true]);
        assert!(open.not_opened(9, 0).iter().any(|line| line.starts_with("statistics: of 9 training records")));
        let refused = |job: Result<Job>| job.unwrap_err().to_string();
        let line = refused(job(true, "[open]\nstatistics = true\n"));
        assert!(line.starts_with("job.toml: open.statistics: found true") && !line.contains('\n'), "{line}");
        let line = refused(secure(&format!("start = \"{}\"\n", "07".repeat(32))));
        assert!(
            line.starts_with("job.toml: train.start: found columns that are standardised on shares") && !line.contains('\n'),
            "{line}"
        );
    }
}
