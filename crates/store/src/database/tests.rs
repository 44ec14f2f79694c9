use super::*;
use crate::disk::tests::folder;
use serde::Deserialize;
use std::fs;

#[derive(Serialize, Deserialize, PartialEq, Clone, Debug)]
struct Job {
    step: u64,
    note: String,
}

fn job(step: u64) -> Job {
    Job { step, note: "\"ü".to_owned() }
}

#[test]
fn values_in_tables() {
    let (_dir, path) = folder();
    let db = Database::open(&path).unwrap();
    assert_eq!(db.get::<Job>("jobs", "a").unwrap(), None);
    assert!(db.all::<Job>("jobs").unwrap().is_empty() && !db.delete("jobs", "a").unwrap());
    db.put("jobs", "b", &job(2)).unwrap();
    db.put("jobs", "a", &job(1)).unwrap();
    db.put("jobs", "a", &job(3)).unwrap();
    db.put("peers", "a", &"elsewhere").unwrap();
    assert_eq!(db.get("jobs", "a").unwrap(), Some(job(3)));
    drop(db);
    let db = Database::open(&path).unwrap();
    assert_eq!(db.all("jobs").unwrap(), [("a".to_owned(), job(3)), ("b".to_owned(), job(2))]);
    assert!(db.delete("jobs", "a").unwrap() && !db.delete("jobs", "a").unwrap());
    assert_eq!(db.all("jobs").unwrap(), [("b".to_owned(), job(2))]);
    assert_eq!(db.get("peers", "a").unwrap(), Some("elsewhere".to_owned()));
    assert!(db.clear("jobs").unwrap() && !db.clear("jobs").unwrap());
    drop(db);
    let db = Database::open(&path).unwrap();
    assert!(db.all::<Job>("jobs").unwrap().is_empty());
    assert_eq!(db.get("peers", "a").unwrap(), Some("elsewhere".to_owned()));
}

#[test]
fn updates() {
    let (_dir, path) = folder();
    let db = Database::open(&path).unwrap();
    let seen = db.update("jobs", "a", |old: Option<Job>| Ok((Some(job(1)), old))).unwrap();
    assert_eq!(seen, None);
    let seen = db.update("jobs", "a", |old: Option<Job>| Ok((old.clone().map(|j| job(j.step + 1)), old))).unwrap();
    assert_eq!((seen, db.get("jobs", "a").unwrap()), (Some(job(1)), Some(job(2))));
    let refused: Result<()> = db.update("jobs", "a", |_: Option<Job>| Err(StoreError::Broken { file: "f".into() }));
    assert!(matches!(refused, Err(StoreError::Broken { .. })));
    assert_eq!(db.get("jobs", "a").unwrap(), Some(job(2)));
    db.update("jobs", "a", |_: Option<Job>| Ok((None, ()))).unwrap();
    assert_eq!(db.get::<Job>("jobs", "a").unwrap(), None);
}

#[test]
fn updates_wait_for_each_other() {
    let (_dir, path) = folder();
    let db = Database::open(&path).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    db.update("n", "n", |n: Option<u64>| Ok((Some(n.unwrap_or(0) + 1), ()))).unwrap();
                }
            });
        }
    });
    assert_eq!(db.get("n", "n").unwrap(), Some(40));
}

/// What a machine that stops finds afterwards: the file as it is while the database is open.
#[test]
fn what_is_put_survives() {
    let (dir, path) = folder();
    let db = Database::open(&path).unwrap();
    for step in 0..5 {
        db.put("jobs", "a", &job(step)).unwrap();
        let copy = dir.path().join(format!("copy{step}"));
        fs::copy(&path, &copy).unwrap();
        assert_eq!(Database::open(&copy).unwrap().get("jobs", "a").unwrap(), Some(job(step)));
    }
}

#[test]
fn another_type() {
    let (_dir, path) = folder();
    let db = Database::open(&path).unwrap();
    db.put("jobs", "a", &"text").unwrap();
    let start = format!("{}: table jobs, key a: ", path.display());
    for error in [
        db.get::<Job>("jobs", "a").map(drop),
        db.all::<Job>("jobs").map(drop),
        db.update("jobs", "a", |_: Option<Job>| Ok((None, ()))),
        db.put("jobs", "a", &std::collections::HashMap::from([([1_u8], 1)])),
    ] {
        assert!(matches!(&error, Err(e @ StoreError::Value { .. }) if e.to_string().starts_with(&start)), "{error:?}");
    }
    assert_eq!(db.get("jobs", "a").unwrap(), Some("text".to_owned()));
}

#[test]
fn one_process_at_a_time() {
    let (_dir, path) = folder();
    let db = Database::open(&path).unwrap();
    let error = Database::open(&path).err().unwrap();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    drop(db);
    Database::open(&path).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn files_that_are_no_database() {
    let (dir, path) = folder();
    let good = Database::open(&path).unwrap();
    (0..20).for_each(|i| good.put("jobs", &i.to_string(), &job(i)).unwrap());
    drop(good);
    let good = fs::read(&path).unwrap();
    let mut damaged = vec![b"{\"jobs\": []}".to_vec(), vec![0; 4096], vec![0xff; 100_000]];
    damaged.extend([1, 9, 100, 4095, 4096, 10_000, good.len() - 1].map(|length| good[..length].to_vec()));
    for (i, bytes) in damaged.into_iter().enumerate() {
        let bad = dir.path().join(format!("bad{i}"));
        fs::write(&bad, &bytes).unwrap();
        let opened = Database::open(&bad).and_then(|db| db.all::<Job>("jobs"));
        let error = opened.err().unwrap_or_else(|| panic!("{i}: opened"));
        let start = format!("{}: cannot ", bad.display());
        assert!(error.to_string().starts_with(&start) && !error.to_string().contains('\n'), "{i}: {error}");
    }
    assert!(matches!(Database::open(dir.path()), Err(StoreError::Io { .. })));
}

/// A bit flipped anywhere in a file, closed or not: an error, or the same values.
#[test]
fn damage_is_noticed() {
    let (dir, path) = folder();
    let db = Database::open(&path).unwrap();
    for i in 0..10 {
        db.put("jobs", &i.to_string(), &job(i)).unwrap();
    }
    let values: Vec<(String, Job)> = db.all("jobs").unwrap();
    let open = fs::read(&path).unwrap();
    drop(db);
    let closed = fs::read(&path).unwrap();
    let bad = dir.path().join("bad");
    for good in [closed, open] {
        let written = (0..good.len()).filter(|at| good[*at] != 0);
        let mut refused = 0;
        for at in (0..320).step_by(5).chain(written.step_by(67)) {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&bad, &bytes).unwrap();
            match Database::open(&bad).and_then(|db| db.all::<Job>("jobs")) {
                Ok(found) => assert_eq!(found, values, "byte {at}"),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 20, "{refused}");
    }
}

#[test]
fn another_version() {
    let (dir, path) = folder();
    Database::open(&path).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    for (version, found) in [(Some(2), "2"), (None, "none")] {
        let redb = redb::Database::create(&path).unwrap();
        let transaction = redb.begin_write().unwrap();
        match version {
            Some(v) => drop(transaction.open_table(ABOUT).unwrap().insert("version", v).unwrap()),
            None => drop(transaction.delete_table(ABOUT).unwrap()),
        }
        transaction.commit().unwrap();
        drop(redb);
        let error = Database::open(&path).err().unwrap().to_string();
        assert_eq!(error, format!("{}: version: found {found}, expected 1", path.display()));
    }
}
