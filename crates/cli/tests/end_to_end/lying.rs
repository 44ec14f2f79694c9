//! Owners that hand in what the job does not promise, to the real parties: refused by name before anything is trained or opened, in both
//! suites, tasks and partitions.

use crate::common::{PATIENCE, PartyProcess, approve, job, owner, status, upload_cut, upload_dealt};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};
use trefoil_client::approval::{Approval, Role};
use trefoil_client::request;
use trefoil_client::request::Request;
use trefoil_client::share::{Chunk, Source};
use trefoil_data::records::Missing;
use trefoil_data::schema::{Column, Join, Partition, Scale, Standard, Task};
use trefoil_job::{Job, SuiteName, sharing};
use trefoil_lab::demo::job::Keys;
use trefoil_net::Id;
use trefoil_net::identity::Identity;
use trefoil_ring::Tensor;
use trefoil_server::record::State;

/// Records as words, to train on and held out.
struct Words {
    left: Vec<Chunk>,
}

impl Source for Words {
    fn next(&mut self) -> Result<Option<Chunk>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.left.pop())
    }
}

/// Shares 16 records to train on and 8 held out, all as they should be but for what `lie` does to the held-out ones.
pub fn share(job: &Job, identity: &Identity, lie: impl Fn(&mut Tensor)) {
    let place = job.owner_of(identity.fingerprint()).unwrap();
    let (features, labels) = job.widths(place);
    let width = features + labels;
    let lacking = job.data.columns[0].is_filled_on_shares();
    let rows = |rows: usize| {
        Tensor::from_shape_fn((rows, width), |(i, j)| match (j.checked_sub(features), job.data.task) {
            // Of every third record the first value is missing, and the next number says so.
            (None, _) if lacking && (j == 1 || j == 0 && i % 3 == 0) => u64::from(j == 1 && i % 3 == 0),
            (None, _) => ((i * 37 + j * 11) as u64 % 4096).wrapping_sub(2000),
            (Some(class), Task::Classification) => u64::from(i % 2 == class),
            (Some(_), Task::Regression) => (i as u64 * 100).wrapping_sub(500),
        })
    };
    let mut held_out = rows(8);
    lie(&mut held_out);
    let mut words = Words { left: vec![Chunk { test: true, x: held_out }, Chunk { test: false, x: rows(16) }] };
    sharing::send(job, identity, &mut words, width, PATIENCE, None, &|_, _| ()).unwrap();
}

/// What all three parties say of the job once it has failed.
fn failed(job: &Job, keys: &Keys) {
    let until = Instant::now() + Duration::from_secs(60);
    for id in Id::ALL {
        loop {
            let s = status(job, id, keys);
            if let State::Failed { why } = &s.state {
                assert!(why.contains("the records of liar are refused: "), "{id}: {why}");
                assert!(s.refused.len() == 1 && s.refused[0].starts_with("data owner liar: "), "{id}: {:?}", s.refused);
                assert!(s.last.is_none() && s.missing.is_empty() && s.owners[1] == s.owners[2] - 1, "{id}: {s:?}");
                break;
            }
            assert!(Instant::now() < until, "{id}: {s:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

pub fn resume(job: &Job, id: Id, keys: &Keys) {
    let resume = Request::Resume { job: job.hash() };
    request::call::<()>(&job.addresses()[id.index()], &keys.parties[id.index()], PATIENCE, &resume).unwrap();
}

/// Waits until all three have trained the job.
pub fn trained(job: &Job, keys: &Keys) {
    let until = Instant::now() + Duration::from_secs(60);
    while Id::ALL.into_iter().any(|id| status(job, id, keys).state != State::Trained) {
        assert!(Instant::now() < until, "{:?}", Id::ALL.map(|id| status(job, id, keys)));
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn audit<'a>(log: &'a [Value], job: &Job, what: &str) -> Vec<&'a Value> {
    let hash = job.hash().to_string();
    log.iter().filter(|e| e["what"] == what && e["job"] == hash.as_str()).collect()
}

fn logs(parties: &[PartyProcess; 3]) -> [Vec<Value>; 3] {
    let line = |line: &str| serde_json::from_str::<Value>(line).unwrap()["event"].clone();
    parties.each_ref().map(|p| p.audit().lines().map(line).collect())
}

/// A job of two owners, one of them called liar, who has the label where owners have columns.
fn two_owners(keys: &Keys, addresses: &[String; 3], suite: SuiteName, task: Task, partition: Partition) -> Job {
    let mut job = job(keys, addresses);
    job.name = format!("{suite} {task:?} {partition:?}");
    (job.suite, job.data.task, job.data.partition) = (suite, task, partition);
    job.owner = vec![owner("honest", &keys.owners[0]), owner("liar", &keys.owners[1])];
    if task == Task::Regression {
        job.data.classes.clear();
        job.data.target = Some(Standard { mean: 0.0, deviation: 1.0 });
    }
    if partition == Partition::Vertical {
        (job.data.id, job.data.join) = (Some("id".into()), Join::Order);
        job.owner[0].columns = vec!["a".into(), "b".into()];
        job.owner[1].columns = vec!["c".into(), "d".into()];
        job.owner[1].label = true;
    }
    job
}

#[test]
fn who_lies_is_refused_by_name() {
    let keys = Keys::generate(2).unwrap();
    let mut parties = keys.parties.each_ref().map(|key| PartyProcess::start(key, ""));
    let addresses = parties.each_mut().map(PartyProcess::address);
    for suite in [SuiteName::Masked, SuiteName::Securenn, SuiteName::Verified] {
        for task in [Task::Classification, Task::Regression] {
            for partition in [Partition::Horizontal, Partition::Vertical] {
                let job = two_owners(&keys, &addresses, suite, task, partition);
                Id::ALL.into_iter().for_each(|id| approve(&job, id, &keys));
                share(&job, &keys.owners[0], |_| {});
                // The label that would read the model's answers off the figures, one on each record.
                share(&job, &keys.owners[1], |x| {
                    let label = x.ncols() - 1;
                    for i in 0..x.nrows() {
                        x[[i, label]] = if task == Task::Classification { 1 << (6 + i) } else { 1 << 30 };
                    }
                });
                failed(&job, &keys);
                for (id, log) in Id::ALL.into_iter().zip(logs(&parties)) {
                    let refused = audit(&log, &job, "upload refused");
                    assert_eq!(refused.len(), 1, "{id}: {}", job.name);
                    assert_eq!(refused[0]["by"], keys.owners[1].fingerprint().to_string().as_str());
                    assert!(
                        audit(&log, &job, "session").is_empty() && audit(&log, &job, "opened").is_empty(),
                        "{id}: {}",
                        job.name
                    );
                }
            }
        }
    }

    // The owner shares again what it should have shared, and the job goes on.
    let job = two_owners(&keys, &addresses, SuiteName::Masked, Task::Classification, Partition::Horizontal);
    for id in Id::ALL {
        resume(&job, id, &keys);
        assert_eq!(status(&job, id, &keys).missing, ["records of liar"]);
    }
    share(&job, &keys.owners[1], |_| {});
    trained(&job, &keys);
    let s = status(&job, Id::P0, &keys);
    assert!(s.refused.is_empty() && s.last.is_none(), "{s:?}");
    // 32 records to train on and 16 held out: too few for a figure.
    assert_eq!(s.not_opened.len(), 3, "{:?}", s.not_opened);
    for log in logs(&parties) {
        assert!(audit(&log, &job, "checked").len() == 1 && audit(&log, &job, "opened").is_empty());
    }
}

/// What says that a value is missing is 0 or 1, and where it is 1 there is no value.
#[test]
fn who_lies_about_what_is_missing_is_refused_by_name() {
    let keys = Keys::generate(2).unwrap();
    let mut parties = keys.parties.each_ref().map(|key| PartyProcess::start(key, ""));
    let addresses = parties.each_mut().map(PartyProcess::address);
    for suite in [SuiteName::Masked, SuiteName::Securenn] {
        for (lie, words) in
            [("a number", [1, 2]), ("a value above", [1, 1]), ("one below", [u64::MAX, 1]), ("minus one", [0, u64::MAX])]
        {
            let mut job = two_owners(&keys, &addresses, suite, Task::Classification, Partition::Horizontal);
            job.name += lie;
            let missing = Missing { texts: vec!["NA".into()], fill: None, indicator: false };
            job.data.columns[0] = Column::secure("a", Scale::Secure, [0.0, 1.0]).or_missing(missing);
            Id::ALL.into_iter().for_each(|id| approve(&job, id, &keys));
            share(&job, &keys.owners[0], |_| {});
            share(&job, &keys.owners[1], |x| words.into_iter().enumerate().for_each(|(j, word)| x[[4, j]] = word));
            failed(&job, &keys);
            if suite == SuiteName::Masked && lie == "a number" {
                Id::ALL.into_iter().for_each(|id| resume(&job, id, &keys));
                share(&job, &keys.owners[1], |_| {});
                trained(&job, &keys);
            }
        }
    }
}

/// One owner, called liar, uploads to each party; none of them trains on it, and its name is told.
fn refused_as_dealt_differently(upload: impl Fn(&Job, Id, &Keys)) {
    let keys = Keys::generate(1).unwrap();
    let mut parties = keys.parties.each_ref().map(|key| PartyProcess::start(key, ""));
    let mut job = job(&keys, &parties.each_mut().map(PartyProcess::address));
    job.owner[0].name = "liar".into();
    Id::ALL.into_iter().for_each(|id| approve(&job, id, &keys));
    Id::ALL.into_iter().for_each(|id| upload(&job, id, &keys));
    failed(&job, &keys);
    assert!(status(&job, Id::P1, &keys).refused[0].contains("were handed different ones"));
}

/// P2 is given another seed than P0 and P1: nobody would notice but by the model.
#[test]
fn who_deals_differently_is_refused_by_name() {
    refused_as_dealt_differently(|job, id, keys| {
        upload_dealt(job, id, keys, &"a".repeat(32), if id == Id::P2 { 1 } else { 0 }).unwrap();
    });
}

/// Chunks of the same seeds and of as many rows in all, cut elsewhere at P2: it would expand other masks than the servers have.
#[test]
fn who_cuts_differently_is_refused_by_name() {
    refused_as_dealt_differently(|job, id, keys| {
        let cut = if id == Id::P2 { [10, 6] } else { [6, 10] };
        let chunks = [(cut[0], 0, [1; 32]), (cut[1], 0, [2; 32]), (8, 1, [3; 32])];
        upload_cut(job, id, keys, &"a".repeat(32), &chunks).unwrap();
    });
}

/// P1 dies after the verdict and before it has written it down: it comes back with an upload that the others have refused.
#[test]
fn a_refusal_that_a_party_has_missed_is_told_to_it() {
    let keys = Keys::generate(1).unwrap();
    // Below the ports that the system gives to callers, so that P1 finds it free again.
    let ports = (0..1000).map(|i| 10_000 + (std::process::id() * 37 + i) % 2_000);
    let address = ports.map(|port| format!("127.0.0.1:{port}")).find(|at| std::net::TcpListener::bind(at).is_ok()).unwrap();
    let config = |id| if id == Id::P1 { format!("listen = {address:?}") } else { String::new() };
    let mut parties = Id::ALL.map(|id| PartyProcess::start(&keys.parties[id.index()], &config(id)));
    let mut job = job(&keys, &parties.each_mut().map(PartyProcess::address));
    job.owner[0].name = "liar".into();
    job.start = trefoil_job::Start::Request;
    let begin = |id: Id| {
        let start = Request::Start { job: job.hash() };
        request::call::<Vec<String>>(&job.addresses()[id.index()], &keys.parties[id.index()], PATIENCE, &start).unwrap();
    };
    Id::ALL.into_iter().for_each(|id| approve(&job, id, &keys));
    let upload = |id: Id| upload_dealt(&job, id, &keys, &"a".repeat(32), u8::from(id == Id::P2));
    Id::ALL.into_iter().for_each(|id| upload(id).unwrap());
    let kept = tempfile::tempdir().unwrap();
    parties[1].again(&keys.parties[1], |folder| copy(&folder.join("data"), &kept.path().join("data")));
    parties[1].address();
    Id::ALL.into_iter().for_each(begin);
    failed(&job, &keys);

    parties[1].again(&keys.parties[1], |folder| {
        std::fs::remove_dir_all(folder.join("data")).unwrap();
        copy(&kept.path().join("data"), &folder.join("data"));
    });
    parties[1].address();
    assert_eq!(status(&job, Id::P1, &keys).owners, [1, 1, 1]);
    [Id::P0, Id::P2].into_iter().for_each(|id| resume(&job, id, &keys));
    begin(Id::P1);
    let until = Instant::now() + Duration::from_secs(30);
    while !matches!(&status(&job, Id::P1, &keys).state, State::Failed { why } if why.contains("the records of liar are refused"))
    {
        assert!(Instant::now() < until, "{:?}", status(&job, Id::P1, &keys));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(audit(&logs(&parties)[1], &job, "upload refused").len(), 1);
    resume(&job, Id::P1, &keys);
    for id in Id::ALL {
        let e = upload(id).unwrap_err().to_string();
        assert!(e.contains("again, which was refused"), "{id}: {e}");
        assert_eq!(status(&job, id, &keys).missing, ["records of liar"]);
    }
    share(&job, &keys.owners[0], |_| {});
    trained(&job, &keys);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// Who signs its approval again and again, each time of an earlier moment, has signed once.
#[test]
fn who_approves_again_fills_no_log() {
    let keys = Keys::generate(1).unwrap();
    let mut parties = keys.parties.each_ref().map(|key| PartyProcess::start(key, ""));
    let job = job(&keys, &parties.each_mut().map(PartyProcess::address));
    approve(&job, Id::P0, &keys);
    let owner = &keys.owners[0];
    let mut approval = Approval::sign(owner, job.hash(), Role::DataOwner).unwrap();
    let bring = |approval: &Approval| {
        let request = Request::Approve { job: job.hash(), approval: approval.clone() };
        request::call::<()>(&job.addresses()[0], owner, PATIENCE, &request).map_err(|e| e.to_string())
    };
    for _ in 0..5 {
        bring(&approval).unwrap();
        approval.time -= 1;
        approval.signature = hex::encode(owner.sign(approval.words().as_bytes()).unwrap());
    }
    approval.time -= 1;
    assert!(bring(&approval).unwrap_err().contains("not by this certificate's key"));
    let log = &logs(&parties)[0];
    assert_eq!(audit(log, &job, "approved").iter().filter(|e| e["role"] == "data owner").count(), 1);
}
