//! What the database has of jobs. It is neither encrypted nor signed, so that nothing in it is believed because it is there: a job that
//! does not have the hash under which it is kept is set aside, and the party does nothing with it; the others go on.

use super::record::Record;
use super::{Entry, JOBS};
use crate::Result;
use crate::job::SEMANTICS;
use serde_json::Value;
use std::collections::BTreeMap;
use trefoil_store::Database;

/// Jobs by their hashes.
pub struct Stored {
    /// Those that are what they were.
    pub jobs: BTreeMap<String, Entry>,
    /// Why each of the others is set aside.
    pub aside: BTreeMap<String, String>,
}

/// Reads the database.
///
/// # Errors
/// It cannot be read.
pub fn load(database: &Database) -> Result<Stored> {
    let mut stored = Stored { jobs: BTreeMap::new(), aside: BTreeMap::new() };
    for (hash, value) in database.all::<Value>(JOBS)? {
        match record(&hash, value) {
            Ok(record) => drop(stored.jobs.insert(hash, Entry::new(record))),
            Err(why) => drop(stored.aside.insert(hash, why)),
        }
    }
    Ok(stored)
}

fn record(hash: &str, value: Value) -> std::result::Result<Record, String> {
    // Before anything else is read: other versions may have other fields.
    let semantics = value.get("semantics").and_then(Value::as_u64).unwrap_or(0);
    if semantics != u64::from(SEMANTICS) {
        return Err(format!(
            "job {hash} as it is stored here: found version {semantics} of what a job's fields mean, expected {SEMANTICS}: approve it anew"
        ));
    }
    let record: Record = serde_json::from_value(value).map_err(|e| format!("job {hash} as it is stored here: {e}"))?;
    record.job.is_the_one(hash).map_err(|e| e.to_string())?;
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job() -> crate::Job {
        let member = |name: &str, n: u8| json!({ "name": name, "fingerprint": hex::encode([n; 32]), "address": "a:1" });
        let columns = json!([{ "kind": "number", "name": "x", "mean": 0.0, "deviation": 1.0 }]);
        crate::Job::from_json(json!({
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
        let (job, other) = (job(), crate::Job { name: "another".into(), ..job() });
        let by = job.model_owner.fingerprint;
        let good = Record::new(job.clone(), by);
        let put = |record: &Value| database.put(JOBS, &job.hash(), record).unwrap();
        database.put(JOBS, &other.hash(), &Record::new(other.clone(), by)).unwrap();
        put(&serde_json::to_value(&good).unwrap());
        assert_eq!((load(&database).unwrap().jobs.len(), load(&database).unwrap().aside.len()), (2, 0));
        type Change = fn(&mut Value);
        let changes: [(Change, &str); 5] = [
            (|v| v["job"]["model_owner"]["fingerprint"] = hex::encode([5; 32]).into(), "found the hash "),
            (|v| v["job"]["train"]["epochs"] = 11.into(), "found the hash "),
            (|v| v["semantics"] = (SEMANTICS + 1).into(), "of what a job's fields mean, expected"),
            (|v| v["job"]["more"] = 1.into(), "unknown field `more`"),
            (|v| *v = json!(["nothing"]), "found version 0"),
        ];
        for (change, words) in changes {
            let mut value = serde_json::to_value(&good).unwrap();
            change(&mut value);
            put(&value);
            let stored = load(&database).unwrap();
            // The other job goes on.
            assert_eq!(stored.jobs.keys().collect::<Vec<_>>(), [&other.hash()]);
            let why = &stored.aside[&job.hash()];
            assert!(why.starts_with(&format!("job {} as it is stored here: ", job.hash())) && why.contains(words), "{why}");
        }
    }
}
