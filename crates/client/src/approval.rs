//! A signed approval: who agreed to which job, or to which service of its model, as what, and when. It holds its signer's certificate, whose fingerprint is in the job, so
//! that anybody who has the job can check it, and needs nobody's word for it.

use crate::{Error, JobHash, Result, ServiceHash, signed};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};
use trefoil_net::Id;
use trefoil_net::identity::{Fingerprint, Identity};

/// What somebody is in a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
pub enum Role {
    P0,
    P1,
    P2,
    #[serde(rename = "data owner")]
    DataOwner,
    #[serde(rename = "model owner")]
    ModelOwner,
}

impl From<Id> for Role {
    fn from(id: Id) -> Role {
        [Role::P0, Role::P1, Role::P2][id.index()]
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::P0 => "P0",
            Role::P1 => "P1",
            Role::P2 => "P2",
            Role::DataOwner => "data owner",
            Role::ModelOwner => "model owner",
        })
    }
}

/// A signed approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The job's hash.
    pub job: JobHash,
    /// Where it is a service of the job's model that is approved, and not the job: the service's hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceHash>,
    /// What the signer is in the job.
    pub role: Role,
    /// The signer: the certificate's fingerprint.
    pub by: Fingerprint,
    /// When, in seconds since 1970, by the signer's clock.
    pub time: u64,
    /// In DER, in hex.
    pub certificate: String,
    /// By the certificate's key over [`Approval::words`], in hex.
    pub signature: String,
}

impl Approval {
    /// Signs that `identity` agrees to a job as `role`.
    ///
    /// # Errors
    /// The key cannot sign, or its certificate is not valid now.
    pub fn sign(identity: &Identity, job: JobHash, role: Role) -> Result<Approval> {
        Approval::sign_either(identity, job, None, role)
    }

    /// Signs that `identity`, which is `role` in a job, agrees to a service of the job's model.
    ///
    /// # Errors
    /// As for [`Approval::sign`].
    pub fn sign_service(identity: &Identity, job: JobHash, service: ServiceHash, role: Role) -> Result<Approval> {
        Approval::sign_either(identity, job, Some(service), role)
    }

    fn sign_either(identity: &Identity, job: JobHash, service: Option<ServiceHash>, role: Role) -> Result<Approval> {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let by = identity.fingerprint();
        let mut approval = Approval { job, service, role, by, time, certificate: String::new(), signature: String::new() };
        (approval.certificate, approval.signature) = signed::sign(identity, &approval.words())?;
        approval.verify()?;
        Ok(approval)
    }

    /// What is signed: five lines, and one more of a service.
    pub fn words(&self) -> String {
        let service = self.service.map_or_else(String::new, |hash| format!("service {hash}\n"));
        format!("trefoil approval 1\njob {}\n{service}role {}\nby {}\ntime {}\n", self.job, self.role, self.by, self.time)
    }

    /// Checks the signature, and that the certificate is the one of `by` and was valid at that time. Whether `by` is what `role` says in
    /// the job is for who has the job to look up.
    ///
    /// # Errors
    /// Something of it is not so.
    pub fn verify(&self) -> Result<()> {
        let fault = |why: String| Error::Approval { role: self.role, by: self.by, why };
        signed::check(self.by, (&self.certificate, &self.signature), &self.words(), self.time).map_err(fault)
    }

    /// What stays where somebody has signed twice: of all that hold both, each keeps the same.
    pub fn is_before(&self, other: &Approval) -> bool {
        (self.time, &self.signature, &self.certificate) < (other.time, &other.signature, &other.certificate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Check: an altered signature, hash, role or time is refused, and so is somebody else's certificate.
    #[test]
    fn altered_approvals_are_refused() {
        let [a, b] = ["a", "b"].map(|name| Identity::generate(name).unwrap());
        let good = Approval::sign(&a, JobHash([0x0f; 32]), Role::DataOwner).unwrap();
        good.verify().unwrap();
        let again: Approval = serde_json::from_str(&serde_json::to_string(&good).unwrap()).unwrap();
        assert_eq!(again, good);
        let words = good.words();
        assert!(
            words.starts_with("trefoil approval 1\njob 0f0f") && words.ends_with(&format!("\ntime {}\n", good.time)),
            "{words}"
        );
        type Change = fn(&mut Approval, &Identity);
        let changes: [(Change, &str); 9] = [
            (|x, _| x.job = JobHash([0x1f; 32]), "not by this certificate's key"),
            // A job's approval is none of a service of its model.
            (|x, _| x.service = Some(ServiceHash([0x0f; 32])), "not by this certificate's key"),
            (|x, _| x.role = Role::ModelOwner, "not by this certificate's key"),
            (|x, _| x.time -= 1, "not by this certificate's key"),
            (|x, _| x.time = 0, "not valid"),
            (|x, _| x.signature = x.signature.replace(['0', '1', '2', '3'], "4"), "not by this certificate's key"),
            (|x, _| x.signature.push('0'), "no hexadecimal digits"),
            (|x, b| x.by = b.fingerprint(), "expected the signer's"),
            (|x, b| (x.by, x.certificate) = (b.fingerprint(), hex::encode(b.certificate_der())), "not by this certificate's key"),
        ];
        for (change, why) in changes {
            let mut altered = good.clone();
            change(&mut altered, &b);
            let e = altered.verify().unwrap_err().to_string();
            assert!(e.contains(why) && !e.contains('\n'), "{why}: {e}");
        }
        // A job's hash has one text, which cannot bring lines of its own.
        let text = serde_json::to_string(&good).unwrap();
        for job in [format!("{}\\nrole P0", "1f".repeat(32)), "0F".repeat(32)] {
            let e = serde_json::from_str::<Approval>(&text.replace(&good.job.to_string(), &job)).unwrap_err().to_string();
            assert!(e.contains("expected 64 hexadecimal digits"), "{e}");
        }
    }

    #[test]
    fn of_two_everybody_keeps_one() {
        let a = Identity::generate("a").unwrap();
        let one = Approval::sign(&a, JobHash([0; 32]), Role::P1).unwrap();
        let two = Approval { time: one.time + 1, ..one.clone() };
        assert!(one.is_before(&two) && !two.is_before(&one) && !one.is_before(&one));
    }
}
