//! What the database has of jobs. It is neither encrypted nor signed, so that nothing in it is believed because it is there: a job that
//! does not have the hash under which it is kept is set aside, and the party does nothing with it; the others go on.

use crate::entry::Entry;
use crate::record::{Committed, Record};
use crate::server::JOBS;
use crate::{Result, approvals};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Display;
use trefoil_job::{JobHash, SEMANTICS};
use trefoil_net::identity::Fingerprint;
use trefoil_store::{Change, Database};

/// Jobs by their hashes.
pub struct Stored {
    /// Those that are what they were.
    pub jobs: BTreeMap<JobHash, Entry>,
    /// Why each of the others is set aside, by the name that it has there.
    pub aside: BTreeMap<String, String>,
    /// What is wrong with approvals of the former, which are not used: hashes of jobs, and why.
    pub untrue: Vec<(String, String)>,
}

/// The table of a job's uploads.
fn uploads_of(hash: impl Display) -> String {
    format!("uploads {hash}")
}

/// Writes down what has changed of a job, all of it or nothing.
///
/// # Errors
/// The database cannot be written.
pub fn put(database: &Database, hash: JobHash, before: &Record, after: &Record) -> Result<()> {
    let table = uploads_of(hash);
    let mut changes = vec![];
    if !after.is_stored_as(before) {
        changes.push(Change::new(JOBS, hash, Some(after))?);
    }
    let gone = before.uploads.keys().filter(|owner| !after.uploads.contains_key(owner));
    for owner in gone {
        changes.push(Change::new(&table, owner, None::<&Committed>)?);
    }
    for (owner, upload) in after.uploads.iter().filter(|(owner, upload)| before.uploads.get(owner) != Some(upload)) {
        changes.push(Change::new(&table, owner, Some(upload))?);
    }
    Ok(database.put_all(&changes)?)
}

/// Removes a job that is over.
///
/// # Errors
/// The database cannot be written.
pub fn forget(database: &Database, hash: JobHash) -> Result<()> {
    database.delete(JOBS, &hash.to_string())?;
    database.clear(&uploads_of(hash))?;
    database.clear(&approvals::table(hash))?;
    Ok(())
}

/// Reads the database of the party with this certificate.
///
/// # Errors
/// It cannot be read.
pub fn load(database: &Database, own: Fingerprint) -> Result<Stored> {
    let mut stored = Stored { jobs: BTreeMap::new(), aside: BTreeMap::new(), untrue: vec![] };
    for (name, value) in database.all::<Value>(JOBS)? {
        let uploads = database.all::<Value>(&uploads_of(&name))?;
        let (hash, mut entry) = match record(&name, value, uploads) {
            Ok((hash, record)) => (hash, Entry::new(record)),
            Err(why) => {
                stored.aside.insert(name, why);
                continue;
            }
        };
        // Who has approved is in the database by signatures alone.
        let (approvals, untrue) = approvals::load(database, hash, &entry.record.job)?;
        approvals.into_iter().for_each(|approval| entry.approve(approval, own));
        stored.untrue.extend(untrue.into_iter().map(|why| (name.clone(), why)));
        stored.jobs.insert(hash, entry);
    }
    Ok(stored)
}

fn record(name: &str, value: Value, uploads: Vec<(String, Value)>) -> std::result::Result<(JobHash, Record), String> {
    // Before anything else is read: other versions may have other fields.
    let semantics = value.get("semantics").and_then(Value::as_u64).unwrap_or(0);
    if semantics != u64::from(SEMANTICS) {
        return Err(format!(
            "job {name} as it is stored here: found version {semantics} of what a job's fields mean, expected {SEMANTICS}: approve it anew"
        ));
    }
    let mut record: Record = serde_json::from_value(value).map_err(|e| {
        format!(
            "job {name} as it is stored here: {e}. If another version of trefoil has written it, that one still reads it, and gives its \
             model; a job with another name may be approved here in its place"
        )
    })?;
    for (owner, upload) in uploads {
        let wrong = |e: &dyn Display| format!("job {name} as it is stored here: upload of {owner}: {e}");
        let upload = serde_json::from_value(upload).map_err(|e| wrong(&e))?;
        record.uploads.insert(owner.parse().map_err(|e| wrong(&e))?, upload);
    }
    let hash: JobHash = name.parse().map_err(|e| format!("job {name} as it is stored here: {e}"))?;
    record.job.is_the_one(hash).map_err(|e| e.to_string())?;
    Ok((hash, record))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;
    use trefoil_client::approval::{Approval, Role};
    use trefoil_net::identity::Identity;

    pub fn job() -> trefoil_job::Job {
        let member = |name: &str, n: u8| json!({ "name": name, "fingerprint": hex::encode([n; 32]), "address": "a:1" });
        let columns = json!([{ "kind": "number", "name": "x", "mean": 0.0, "deviation": 1.0 }]);
        trefoil_job::Job::from_json(json!({
            "name": "job",
            "party": [member("p0", 0), member("p1", 1), member("p2", 2)],
            "owner": [{ "name": "o", "fingerprint": hex::encode([3; 32]) }],
            "model_owner": { "name": "m", "fingerprint": hex::encode([4; 32]) },
            "data": { "task": "classification", "label": "y", "classes": ["0", "1"], "columns": columns },
        }))
        .unwrap()
    }

    #[test]
    fn what_was_altered_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::open(dir.path().join("jobs.redb")).unwrap();
        let (job, other) = (job(), trefoil_job::Job { name: "another".into(), ..job() });
        let (by, own) = (job.owner[0].fingerprint, job.party[0].fingerprint);
        let good = Record::new(job.clone(), by);
        let put = |record: &Value| database.put(JOBS, &job.hash().to_string(), record).unwrap();
        database.put(JOBS, &other.hash().to_string(), &Record::new(other.clone(), by)).unwrap();
        put(&serde_json::to_value(&good).unwrap());
        assert_eq!((load(&database, own).unwrap().jobs.len(), load(&database, own).unwrap().aside.len()), (2, 0));
        type Change = fn(&mut Value);
        let changes: [(Change, &str); 5] = [
            (|v| v["job"]["model_owner"]["fingerprint"] = hex::encode([5; 32]).into(), "found the hash "),
            (|v| v["job"]["train"]["epochs"] = 11.into(), "found the hash "),
            (|v| v["semantics"] = (SEMANTICS + 1).into(), "of what a job's fields mean, expected"),
            (|v| v["job"]["more"] = 1.into(), "another version of trefoil"),
            (|v| *v = json!(["nothing"]), "found version 0"),
        ];
        for (change, words) in changes {
            let mut value = serde_json::to_value(&good).unwrap();
            change(&mut value);
            put(&value);
            let stored = load(&database, own).unwrap();
            // The other job goes on.
            assert_eq!(stored.jobs.keys().collect::<Vec<_>>(), [&other.hash()]);
            let why = &stored.aside[&job.hash().to_string()];
            assert!(why.starts_with(&format!("job {} as it is stored here: ", job.hash())) && why.contains(words), "{why}");
        }
    }

    /// One more upload is one more entry; and all of it is there again.
    #[test]
    fn uploads_are_entries_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::open(dir.path().join("jobs.redb")).unwrap();
        let (job, own) = (job(), job().party[0].fingerprint);
        let (hash, by) = (job.hash(), job.owner[0].fingerprint);
        let new = Record::new(job, by);
        database.put(JOBS, &hash.to_string(), &new).unwrap();
        let summary = trefoil_client::request::Summary { chunks: 1, train_rows: 2, test_rows: 3 };
        let upload = Committed { upload: "a".into(), summary, sha256: "b".into(), parts: vec![], checked: false };
        let mut with = new.clone();
        with.uploads.insert(by, upload);
        assert!(with.is_stored_as(&new));
        put(&database, hash, &new, &with).unwrap();
        assert_eq!(*load(&database, own).unwrap().jobs[&hash].record, with);
        // Taken back, and why: both at once.
        let mut without = Record { steps: 7, ..with.clone() };
        let upload = without.uploads.remove(&by).unwrap().upload;
        without.withdrawn.push(crate::record::Withdrawn { owner: by, upload, why: "why".into() });
        assert!(!without.is_stored_as(&with));
        put(&database, hash, &with, &without).unwrap();
        assert_eq!(*load(&database, own).unwrap().jobs[&hash].record, without);
        // An entry that is none sets the job aside.
        database.put(&uploads_of(hash), &by.to_string(), &json!({ "upload": 3 })).unwrap();
        assert!(load(&database, own).unwrap().aside[&hash.to_string()].contains("upload of 03030303"));
        forget(&database, hash).unwrap();
        assert!(database.all::<Value>(&uploads_of(hash)).unwrap().is_empty() && load(&database, own).unwrap().aside.is_empty());
    }

    /// A signature makes an approval, not an entry of the database.
    #[test]
    fn approvals_are_believed_by_their_signatures() {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::open(dir.path().join("jobs.redb")).unwrap();
        let [party, owner, other] = ["party", "owner", "other"].map(|name| Identity::generate(name).unwrap());
        let (mut job, own) = (job(), party.fingerprint());
        (job.party[0].fingerprint, job.owner[0].fingerprint) = (own, owner.fingerprint());
        let hash = job.hash();
        let mut value = serde_json::to_value(Record::new(job.clone(), own)).unwrap();
        assert!(value.get("approved").is_none());
        database.put(JOBS, &hash.to_string(), &value).unwrap();
        let approve = |key: &str, approval: &Approval| database.put(&approvals::table(hash), key, approval).unwrap();
        let good = [(Role::P0, &party), (Role::DataOwner, &owner)].map(|(role, key)| Approval::sign(key, hash, role).unwrap());
        let untrue = [
            Approval::sign(&other, hash, Role::P0).unwrap(),
            Approval { by: own, ..Approval::sign(&other, hash, Role::P0).unwrap() },
            Approval::sign(&party, JobHash([0; 32]), Role::P0).unwrap(),
            Approval::sign(&party, hash, Role::P1).unwrap(),
        ];
        for (i, approval) in untrue.iter().enumerate() {
            approve(&i.to_string(), approval);
        }
        let stored = load(&database, own).unwrap();
        let record = &stored.jobs[&hash].record;
        assert!(!record.approved && record.owners.is_empty() && stored.untrue.len() == 4, "{:?}", stored.untrue);
        assert!(stored.untrue.iter().all(|(_, why)| why.contains(" as it is stored here: ") && !why.contains('\n')));
        good.iter().for_each(|approval| approve(&approval.role.to_string(), approval));
        let stored = load(&database, own).unwrap();
        let record = &stored.jobs[&hash].record;
        assert!(record.approved && record.owners.contains(&owner.fingerprint()));
        // That the record says so is worth nothing.
        value["approved"] = true.into();
        database.put(JOBS, &hash.to_string(), &value).unwrap();
        assert!(load(&database, own).unwrap().aside[&hash.to_string()].contains("unknown field `approved`"));
    }
}
