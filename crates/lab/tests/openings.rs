//! Each epoch's figures are opened at most once over all sessions of a job, whenever a party dies: parties are processes, and kill
//! themselves at planned moments of every epoch's end, also between the moment when an opening is on disk and the opening itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use trefoil_client::Patience;
use trefoil_client::request::{self, Request};
use trefoil_data::Source;
use trefoil_job::{Checkpoint, Member};
use trefoil_job::{Job, JobHash, SuiteName, fetching, sharing};
use trefoil_lab::demo::job::Keys;
use trefoil_net::Id;
use trefoil_net::identity::Identity;
use trefoil_nn::{Keep, Schedule, TrainSpec};
use trefoil_server as server;
use trefoil_server::Event;
use trefoil_server::config::Config;
use trefoil_server::record::{State, Status};

#[path = "common/job.rs"]
mod job;

const PATIENCE: Patience = Patience { connect: Duration::from_secs(5), answer: Duration::from_secs(30) };
const STEPS: u64 = 3;
const FOLDER: &str = "TREFOIL_TEST_PARTY";

/// The party that this program is when it was started by [`Party::start`]; nothing where the tests run.
#[test]
fn party_process() {
    let Ok(folder) = std::env::var(FOLDER).map(PathBuf::from) else { return };
    static STOP: AtomicBool = AtomicBool::new(false);
    let identity = Identity::from_pem(&std::fs::read_to_string(folder.join("key.pem")).unwrap()).unwrap();
    let emit = move |event: Event| {
        let event = serde_json::to_value(event).unwrap();
        let mut said = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("said")).unwrap();
        writeln!(said, "{event}").unwrap();
        // Whom a line of the plan meets dies at once, and the line is struck out.
        let plan = std::fs::read_to_string(folder.join("plan")).unwrap();
        let meets = |line: &&str| {
            let planned: Value = serde_json::from_str(line).unwrap();
            planned.as_object().unwrap().iter().all(|(key, value)| event.get(key) == Some(value))
        };
        if let Some(met) = plan.lines().find(meets) {
            let left: Vec<&str> = plan.lines().filter(|line| *line != met).collect();
            std::fs::write(folder.join("plan"), left.join("\n")).unwrap();
            std::process::abort();
        }
    };
    let config = Config::load(&Path::new(&std::env::var(FOLDER).unwrap()).join("party.toml")).unwrap();
    server::run(
        config,
        server::Start { identity, approve: None, ranks: None, stop: &STOP, emit: Box::new(emit), shown: false, link: None },
    )
    .unwrap();
}

struct Party {
    folder: PathBuf,
    child: Child,
    deaths: usize,
}

impl Party {
    /// A party that dies as planned.
    fn start(folder: PathBuf, key: &Identity, address: &str, plan: &[Value]) -> Party {
        std::fs::create_dir(&folder).unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        write("key.pem", &key.to_pem());
        write("plan", &plan.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"));
        write("peers.toml", "");
        let insecure = "[insecure]\nrecord = \"record\"\n";
        write("party.toml", &format!("listen = {address:?}\nkey = \"key.pem\"\ndata = \"data\"\ntimeout = 20\n{insecure}"));
        let child = Party::spawn(&folder);
        Party { folder, child, deaths: 0 }
    }

    fn spawn(folder: &Path) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "party_process", "--nocapture"]).env(FOLDER, folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Starts it again if it has died.
    fn revive(&mut self) {
        if self.child.try_wait().unwrap().is_some() {
            self.deaths += 1;
            self.child = Party::spawn(&self.folder);
        }
    }

    fn lines(&self, file: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What its audit log has of one kind.
    fn audit(&self, what: &str) -> Vec<Value> {
        let events = self.lines("data/audit.jsonl").into_iter().map(|line| line["event"].clone());
        events.filter(|event| event["what"] == what).collect()
    }

    /// Epochs in which a peer's part of an opened figure came in, each once a session. Before the first step another count is opened: that
    /// of what an upload violates.
    fn received(&self, label: &str) -> Vec<u64> {
        let mut epochs = vec![];
        for file in std::fs::read_dir(self.folder.join("record")).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            // A party that was killed has torn its last line off.
            let frames = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let opened: BTreeSet<u64> =
                frames.filter(|f| f["label"] == label).map(|f| f["step"].as_u64().unwrap().div_ceil(STEPS)).collect();
            epochs.extend(opened.into_iter().filter(|epoch| *epoch > 0));
        }
        epochs
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn job(suite: SuiteName, train: TrainSpec, keys: &Keys, addresses: &[String; 3]) -> Job {
    let party = |id: Id| Member {
        address: Some(addresses[id.index()].clone()),
        ..job::member(&id.to_string(), &keys.parties[id.index()])
    };
    let of = job::of("openings", keys, Id::ALL.map(party));
    Job {
        suite,
        // Every second epoch ends in one, so that epochs are done again whose figures are known, too.
        // Where the best epoch is followed a session must go on from it.
        checkpoint: if train.follows_best() { Checkpoint { steps: STEPS } } else { Checkpoint::default() },
        train: TrainSpec { hidden: of.train.hidden.clone(), batch: of.train.batch, ..train },
        ..of
    }
}

fn call<T: serde::de::DeserializeOwned>(job: &Job, id: Id, keys: &Keys, request: &Request) -> Option<T> {
    request::call(&job.addresses()[id.index()], &keys.parties[id.index()], PATIENCE, request).ok()
}

/// Trains a job whose parties die as planned and are started again; how it stands at each in the end.
fn train(suite: SuiteName, spec: TrainSpec, plans: &[Vec<Value>; 3]) -> ([Party; 3], Vec<Status>, TempDir) {
    let (dir, keys) = (tempfile::tempdir().unwrap(), Keys::generate(1).unwrap());
    let addresses = Id::ALL.map(|_| free_address());
    let mut parties = Id::ALL.map(|id| {
        let i = id.index();
        Party::start(dir.path().join(id.to_string()), &keys.parties[i], &addresses[i], &plans[i])
    });
    let job = job(suite, spec, &keys, &addresses);
    let propose = Request::Propose { job: serde_json::to_value(&job).unwrap() };
    for id in Id::ALL {
        let until = Instant::now() + Duration::from_secs(60);
        while call::<JobHash>(&job, id, &keys, &propose).is_none() {
            assert!(Instant::now() < until, "{id} does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        sharing::approve(&job, &keys.parties[id.index()], None, PATIENCE, &mut |_| ()).unwrap();
    }
    let file = dir.path().join("records.csv");
    let row = |i: u64| format!("{}.5,{}.25,{}\n", i % 7, i % 5, (i % 7 + i % 5) / 5);
    std::fs::write(&file, "a,b,class\n".to_owned() + &(0..30).map(row).collect::<String>()).unwrap();
    let source = Source::of(file);
    sharing::share(&job, &keys.owners[0], &source, PATIENCE, None, &mut |_| (), &mut |_| Ok(())).unwrap();

    let until = Instant::now() + Duration::from_secs(300);
    let status = |id: Id| {
        let all: Option<Vec<Status>> = call(&job, id, &keys, &Request::Status { job: Some(job.hash().to_string()) });
        all.and_then(|mut all| all.pop())
    };
    let ends = loop {
        parties.iter_mut().for_each(Party::revive);
        let all: Vec<Status> = Id::ALL.into_iter().filter_map(status).collect();
        if all.len() == 3 && all.iter().all(|s| s.state == State::Trained) {
            break all;
        }
        assert!(Instant::now() < until && all.iter().all(|s| !matches!(s.state, State::Failed { .. })), "{all:?}");
        std::thread::sleep(Duration::from_millis(50));
    };
    fetching::fetch_model(&job, &keys.model_owner, PATIENCE).unwrap();
    (parties, ends, dir)
}

fn dies_at_every_epochs_end(suite: SuiteName, label: &str) {
    let mut plans: [Vec<Value>; 3] = Default::default();
    for epoch in 1..=4 {
        let turn = epoch as usize;
        // After the last step, before anything is on disk.
        plans[(turn + 1) % 3].push(json!({ "event": "step", "step": epoch * STEPS }));
        // On disk, and not opened.
        if epoch % 2 == 0 {
            plans[turn / 2 % 2].push(json!({ "event": "opening", "epoch": epoch }));
        }
        // Opened, and in no checkpoint.
        plans[turn % 3].push(json!({ "event": "epoch", "epoch": epoch }));
    }
    // Two more, in which nobody dies.
    let epochs = 6;
    let (parties, ends, _dir) = train(suite, TrainSpec { epochs, ..TrainSpec::default() }, &plans);
    // Everybody has died as planned, but for those whom another's death has kept from an opening that one had begun.
    let spared: Vec<Value> = parties.iter().flat_map(|party| party.lines("plan")).collect();
    assert!(spared.iter().all(|plan| plan["event"] == "opening") && spared.len() < 2, "{spared:?}");
    assert_eq!(parties.iter().map(|party| party.deaths).sum::<usize>(), plans.concat().len() - spared.len());

    let once = |epochs: Vec<u64>, what: &str| {
        let each: BTreeSet<u64> = epochs.iter().copied().collect();
        assert_eq!(each.len(), epochs.len(), "{what}: {epochs:?}");
        each
    };
    let all = |events: Vec<Value>, path: &str| events.iter().map(|e| e.pointer(path).unwrap().as_u64().unwrap()).collect();
    let lost: Vec<BTreeSet<u64>> = parties
        .iter()
        .map(|party| {
            let told = party.audit("not opened (fault)").into_iter().flat_map(|e| e["epochs"].as_array().unwrap().clone());
            once(told.map(|n| n.as_u64().unwrap()).collect(), "lost")
        })
        .collect();
    for (id, party) in Id::ALL.into_iter().zip(&parties) {
        let said = party.lines("said").into_iter();
        let begun = once(all(said.filter(|e| e["event"] == "opening").collect(), "/epoch"), "begun");
        let opened = once(all(party.audit("opened"), "/figures/epoch"), "opened");
        let received = || once(party.received(label), "received");
        // The last session's file is whole a moment after its end.
        let until = Instant::now() + Duration::from_secs(20);
        while id != Id::P2 && !received().contains(&epochs) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
        let received = received();
        assert!(opened.is_subset(&begun) && received.is_subset(&begun), "{id}: {begun:?}, {opened:?}, {received:?}");
        let last = |epochs: &BTreeSet<u64>| epochs.is_superset(&[5, 6].into());
        assert!(if id == Id::P2 { begun.is_empty() } else { last(&opened) && last(&received) }, "{id}: {opened:?}, {received:?}");
        // Whoever was killed, all three know the same of what was lost; and nothing else is missing.
        assert_eq!(lost[id.index()], lost[0], "{id}");
        assert!((1..=epochs).all(|epoch| id == Id::P2 || opened.contains(&epoch) || lost[0].contains(&epoch)), "{id}");
    }
    assert!([2, 4].iter().all(|epoch| lost[0].contains(epoch)), "{lost:?}");
    // What was opened is the same for both that it was opened to.
    let figures = |i: usize| -> BTreeMap<u64, Value> {
        parties[i].audit("opened").into_iter().map(|e| (e["figures"]["epoch"].as_u64().unwrap(), e["figures"].clone())).collect()
    };
    let (ours, theirs) = (figures(0), figures(1));
    assert!(ours.iter().all(|(epoch, figures)| theirs.get(epoch).is_none_or(|other| other == figures)), "{ours:?} {theirs:?}");
    assert!(ends.iter().all(|s| s.checked && s.last.is_none_or(|last| last.epoch == epochs && !last.lost)), "{ends:?}");
}

/// The last epoch's figures are lost, and its weights not checked: everybody says so, and the model is there.
#[test]
fn dies_at_the_last_opening() {
    let plans = [vec![json!({ "event": "opening", "epoch": 2 })], vec![], vec![]];
    let (parties, ends, _dir) = train(SuiteName::Masked, TrainSpec { epochs: 2, ..TrainSpec::default() }, &plans);
    assert_eq!(parties.map(|party| party.deaths), [1, 0, 0]);
    for status in ends {
        let last = status.last.unwrap();
        assert!((last.epoch, last.loss, last.metric, last.lost) == (2, None, None, true) && !status.checked, "{last:?}");
    }
}

/// With a rate of 0 no epoch is better than the first. The second epoch's figures are lost, and those of the third were opened and are in no
/// checkpoint: neither counts, at any of the three, so that the fourth and the fifth end the training.
fn ends_early_after_faults(suite: SuiteName) {
    let plans = [vec![json!({ "event": "opening", "epoch": 2 })], vec![json!({ "event": "epoch", "epoch": 3 })], vec![]];
    let (patience, keep, lr_schedule) = (Some(2), Keep::Best, Schedule::Constant);
    let spec = TrainSpec { epochs: 9, lr: 0.0, lr_schedule, patience, keep, ..TrainSpec::default() };
    let (parties, ends, _dir) = train(suite, spec, &plans);
    assert_eq!(parties.each_ref().map(|party| party.deaths), [1, 1, 0]);
    let steps = 5 * STEPS;
    for (party, end) in parties.iter().zip(&ends) {
        assert_eq!((end.epoch, end.steps, end.checked), (Some(1), [steps; 3], true), "{end:?}");
        assert_eq!(party.audit("trained")[0]["epoch"], 1);
        let told = &party.audit("session")[0]["opens"]["told to P2"];
        assert_eq!(told, "whether the epoch was better than all before");
    }
}

/// An address of this machine that nobody listens at, below the ports that the system gives to callers.
fn free_address() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let port = 12_000 + (std::process::id() * 37 + NEXT.fetch_add(1, Ordering::Relaxed)) % 8_000;
        let address = format!("127.0.0.1:{port}");
        if std::net::TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}

#[test]
fn ends_early_after_faults_in_either_suite() {
    ends_early_after_faults(SuiteName::Masked);
    ends_early_after_faults(SuiteName::Securenn);
}

#[test]
fn masked() {
    dies_at_every_epochs_end(SuiteName::Masked, "masked.share.open");
}

#[test]
fn securenn() {
    dies_at_every_epochs_end(SuiteName::Securenn, "securenn.share.open");
}
