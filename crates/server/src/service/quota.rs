//! How much may still be asked: by a client in an hour, of a service in all, and of all services of a job together, in records.
//!
//! What is used up is on the disk before a pass begins, so that no restart gives any of it back. To write each pass down would take longer
//! than the pass: a party reserves some on the disk, uses that up in memory, and counts all of it as used after a restart.

use super::entry::{ServiceHere, Serving};
use crate::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};
use trefoil_net::identity::Fingerprint;
use trefoil_store::Database;

/// The table of what is used up.
const SERVED: &str = "served";
/// What is reserved at a time: this part of a limit, and no more than that.
const PART: u64 = 64;
const MOST: u64 = 4096;

/// What is used up, by what it is of.
#[derive(Default)]
pub struct Quotas(BTreeMap<String, Count>);

/// Of one limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Count {
    /// The hour since 1970 that it is of; 0 for one in all.
    hour: u64,
    /// What is written down as used.
    reserved: u64,
    #[serde(skip)]
    used: u64,
}

impl Quotas {
    /// What the database has: all that was reserved counts as used.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn load(database: &Database) -> Result<Quotas> {
        let all = database.all::<Count>(SERVED)?.into_iter();
        Ok(Quotas(all.map(|(of, count)| (of, Count { used: count.reserved, ..count })).collect()))
    }

    /// Records of a service that were asked about.
    pub fn used(&self, service: &Serving) -> u64 {
        self.0.get(&of_service(service)).map_or(0, |count| count.used)
    }

    /// Takes so many records, on the disk first; or says which limit is reached, and nothing is taken.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn take(
        &mut self,
        service: &ServiceHere,
        of_job: Option<u64>,
        by: Fingerprint,
        records: u64,
    ) -> Result<std::result::Result<(), String>> {
        let hour = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() / 3600);
        self.take_at(&service.server.database, &limits(service, of_job, by, hour), records)
    }

    fn take_at(&mut self, database: &Database, limits: &[Limit], records: u64) -> Result<std::result::Result<(), String>> {
        let mut taken = vec![];
        for Limit { of, hour, most, text } in limits {
            let count =
                self.0.get(of).copied().filter(|count| count.hour >= *hour).unwrap_or(Count { hour: *hour, ..Count::default() });
            let used = count.used.saturating_add(records);
            if used > *most {
                let left = most.saturating_sub(count.used);
                return Ok(Err(format!("{text}: found {records} records, expected at most the {left} that are left of {most}")));
            }
            let ahead = used.saturating_add((most / PART).min(MOST)).min(*most);
            let reserved = if used > count.reserved { ahead } else { count.reserved };
            taken.push((of, Count { used, reserved, ..count }, reserved != count.reserved));
        }
        for (of, count, _) in taken.iter().filter(|(.., more)| *more) {
            database.put(SERVED, of, count)?;
        }
        for (of, count, _) in taken {
            self.0.insert(of.clone(), count);
        }
        Ok(Ok(()))
    }
}

/// A limit, and where it is counted.
struct Limit {
    of: String,
    hour: u64,
    most: u64,
    text: &'static str,
}

fn of_service(service: &Serving) -> String {
    format!("service {}", service.hash)
}

fn limits(service: &ServiceHere, of_job: Option<u64>, by: Fingerprint, hour: u64) -> Vec<Limit> {
    let limits = service.service.limits;
    let of_job = service.service.model.job().zip(of_job).map(|(job, most)| Limit {
        of: format!("job {job}"),
        hour: 0,
        most,
        text: "limit of the job's services in all",
    });
    let own = [
        Limit { of: of_service(service), hour: 0, most: limits.records, text: "limit of the service in all" },
        Limit {
            of: format!("service {} client {by}", service.hash),
            hour,
            most: limits.records_an_hour,
            text: "limit of a client in an hour",
        },
    ];
    of_job.into_iter().chain(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_up_stays_used_up() {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::open(dir.path().join("jobs.redb")).unwrap();
        let limits = |hour| {
            [
                Limit { of: "all".into(), hour: 0, most: 1280, text: "all" },
                Limit { of: "a".into(), hour, most: 128, text: "an hour" },
            ]
        };
        let mut quotas = Quotas::load(&database).unwrap();
        for _ in 0..4 {
            assert_eq!(quotas.take_at(&database, &limits(7), 32).unwrap(), Ok(()));
        }
        let why = quotas.take_at(&database, &limits(7), 1).unwrap().unwrap_err();
        assert_eq!(why, "an hour: found 1 records, expected at most the 0 that are left of 128");
        // What was refused was not taken of the other limit; what was reserved may be counted after a restart, and nothing is given back.
        let again = Quotas::load(&database).unwrap();
        assert_eq!((quotas.0["all"].used, again.0["a"].used), (128, 128));
        assert!((128..=128 + 20).contains(&again.0["all"].used), "{:?}", again.0);
        // Another hour, another client.
        let mut quotas = again;
        for hour in 8..17 {
            quotas.take_at(&database, &limits(hour), 120).unwrap().unwrap();
        }
        assert!(quotas.take_at(&database, &limits(18), 128).unwrap().unwrap_err().starts_with("all: found 128 records"));
    }
}
