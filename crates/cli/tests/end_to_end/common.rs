//! Starting the program, and the parties by hand.

use serde_json::Value;
use std::borrow::Cow;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};
use trefoil_client::approval::{Approval, Role};
use trefoil_client::request::{self, Announcement, Request, Standing, Summary};
use trefoil_client::share::dial;
use trefoil_client::{Address, Patience, Result};
use trefoil_data as data;
use trefoil_job::{Checkpoint, Member, Opened, Owner, Start};
use trefoil_job::{Job, SuiteName, sharing};
use trefoil_lab::demo::job::Keys;
use trefoil_mpc::{Suite, masked::Masked};
use trefoil_net::{At, Frame, Id, Part, identity::Identity};
use trefoil_nn::TrainSpec;
use trefoil_ring::Tensor;
use trefoil_server::Event;
use trefoil_server::record::Status;

/// The program with these arguments, in an environment of its own.
pub fn trefoil(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trefoil"));
    command.args(args).env_remove("TREFOIL_LOG").env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn run(args: &[&str]) -> Output {
    trefoil(args).output().unwrap()
}

/// Runs it; it must succeed, and what it prints is JSON.
pub fn json(args: &[&str]) -> Value {
    let out = run(args);
    assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A CSV file of `rows` records of four values that are easy to tell apart into two classes.
pub fn small_csv(file: &Path, rows: usize) {
    let mut text = String::from("a,b,c,d,class\n");
    for i in 0..rows {
        let (class, wobble) = (i % 2, (i * 37 % 100) as f64 / 100.0);
        let sign = if class == 0 { 1.0 } else { -1.0 };
        text += &format!("{:.3},{:.3},{:.3},{:.3},{class}\n", sign + wobble, 2.0 * sign - wobble, wobble, 3.0 * wobble - sign);
    }
    std::fs::write(file, text).unwrap();
}

/// Fails the test where the program does not end as it must: one line, that exit code, these words, no panic.
pub fn refused(out: &Output, code: i32, words: &[&str]) {
    let stderr = text(&out.stderr);
    assert_eq!(out.status.code(), Some(code), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("error: ") && !stderr.contains("panicked"), "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word:?} is not in: {stderr}");
    }
    assert!(out.stdout.is_empty(), "{}", text(&out.stdout));
}

/// Waits for a process to end.
pub fn ends_within(child: &mut Child, limit: Duration) -> i32 {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or(-1);
        }
        assert!(started.elapsed() < limit, "still running after {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A tiny job on records of four numbers and two classes.
pub fn job(keys: &Keys, addresses: &[String; 3]) -> Job {
    let member = |name: &str, key: &Identity| Member { name: name.into(), fingerprint: key.fingerprint(), address: None };
    let party =
        |id: Id| Member { address: Some(addresses[id.index()].clone()), ..member(&id.to_string(), &keys.parties[id.index()]) };
    let columns = ["a", "b", "c", "d"].map(|name| data::schema::Column::number(name, 0.0, 1.0));
    Job {
        name: "test".into(),
        insecure_masks: false,
        insecure_accept_wraps: false,
        suite: SuiteName::Masked,
        start: Start::Ready,
        party: Id::ALL.map(party),
        owner: keys.owners.iter().map(|key| owner("owner", key)).collect(),
        model_owner: Some(member("model-owner", &keys.model_owner)),
        data: data::schema::Schema {
            task: data::schema::Task::Classification,
            partition: data::schema::Partition::Horizontal,
            label: "class".into(),
            classes: vec!["0".into(), "1".into()],
            target: None,
            id: None,
            join: data::schema::Join::default(),
            pad: None,
            doubles: Default::default(),
            holdout: 5,
            seed: 0,
            clipped: 1.0,
            columns: columns.into(),
        },
        truncation: trefoil_mpc::securenn::Truncation::default(),
        train: TrainSpec { hidden: vec![8], epochs: 1, batch: 8, ..TrainSpec::default() },
        open: Opened::default(),
        checkpoint: Checkpoint::default(),
        serve: None,
    }
}

pub fn owner(name: &str, key: &Identity) -> Owner {
    Owner { name: name.into(), fingerprint: key.fingerprint(), address: None, columns: vec![], label: false }
}

pub const PATIENCE: Patience = Patience { connect: Duration::from_secs(2), answer: Duration::from_secs(20) };

/// What an operator does with a job: its own party gets and approves it.
pub fn approve(job: &Job, id: Id, keys: &Keys) {
    sharing::approve(job, &keys.parties[id.index()], None, PATIENCE, &mut |_| ()).unwrap();
}

/// A job's standing at a party, as the party's operator sees it.
pub fn status(job: &Job, id: Id, keys: &Keys) -> Status {
    let request = Request::Status { job: Some(job.hash().to_string()) };
    let mut all: Vec<Status> =
        request::call(&job.addresses()[id.index()], &keys.parties[id.index()], PATIENCE, &request).unwrap();
    all.pop().unwrap()
}

/// Waits until the party says that it waits for something that begins like this.
pub fn waits_for(job: &Job, id: Id, keys: &Keys, begins: &str) {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let missing = status(job, id, keys).missing;
        if missing.iter().any(|m| m.starts_with(begins)) {
            return;
        }
        assert!(Instant::now() < until, "{missing:?} is not {begins:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// An owner's request to share.
pub fn share(about: Announcement, owner: &Identity) -> Request {
    let approval = Approval::sign(owner, about.job, Role::DataOwner).unwrap();
    Request::Share { about, approval }
}

/// An owner who speaks to one party alone: 16 records to train on and 8 held out, all zeros, under this upload's name.
pub fn upload_to(job: &Job, id: Id, keys: &Keys, name: &str) -> Result<()> {
    upload_dealt(job, id, keys, name, 0)
}

/// The same under masks that `seed` makes.
pub fn upload_dealt(job: &Job, id: Id, keys: &Keys, name: &str, seed: u8) -> Result<()> {
    let chunk = |rows: u32, test: u32| (rows, test, [rows as u8 + seed; 32]);
    upload_cut(job, id, keys, name, &[chunk(16, 0), chunk(8, 1)])
}

/// The same in these chunks: rows, 1 if they are held out, and the seed of their masks.
pub fn upload_cut(job: &Job, id: Id, keys: &Keys, name: &str, chunks: &[(u32, u32, [u8; 32])]) -> Result<()> {
    let address: &Address = &job.addresses()[id.index()];
    let mut stream = dial(address, &keys.owners[0], PATIENCE)?;
    let width = job.data.features() + job.data.outputs();
    let about = Announcement { job: job.hash(), upload: name.into(), width };
    let _: Standing = request::ask(&mut stream, &share(about, &keys.owners[0]))?;
    let bytes = |x: &[u8]| Part::bits(&x.iter().map(|b| u64::from(*b)).collect::<Vec<_>>(), 8);
    let summary = Summary { chunks: chunks.len() as u64, train_rows: 16, test_rows: 8 };
    let rows = chunks.iter().map(|(rows, test, seed)| {
        let zeros = Tensor::zeros((*rows as usize, width));
        (*rows, *test, "client.rows", Masked::deal(&zeros, *seed)[id.index()].clone())
    });
    let end = (0, 0, "client.finish", vec![bytes(&serde_json::to_vec(&summary).unwrap())]);
    for (step, (rows, depth, label, parts)) in rows.chain([end]).enumerate() {
        stream.write_frame(&Frame { at: At { step: step as u64, op: rows }, depth, label: Cow::Borrowed(label), parts })?;
        let answer = stream.read_frame(1 << 20)?.unwrap();
        assert_eq!(answer.label, "client.acknowledged");
    }
    let new: bool = request::ask(&mut stream, &Request::Commit { job: job.hash(), upload: name.into() })?;
    assert!(new);
    Ok(())
}

/// One `trefoil party`, with a folder of its own.
pub struct PartyProcess {
    pub child: Child,
    pub stdin: Option<ChildStdin>,
    stdout: std::io::Lines<BufReader<ChildStdout>>,
    dir: tempfile::TempDir,
}

impl PartyProcess {
    /// Starts it with this PEM, these lines in its configuration and these further arguments.
    pub fn start_with(pem: &str, config: &str, args: &[&str]) -> PartyProcess {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("party.toml");
        let listen = if config.contains("listen = ") { "" } else { "listen = \"127.0.0.1:0\"\n" };
        std::fs::write(&file, format!("key = \"env:KEY\"\ndata = \"data\"\n{listen}{config}\n")).unwrap();
        PartyProcess::in_folder(dir, pem, args)
    }

    fn in_folder(dir: tempfile::TempDir, pem: &str, args: &[&str]) -> PartyProcess {
        let mut command = trefoil(&[&["party", "--events", "--config", path(&dir.path().join("party.toml"))], args].concat());
        let mut child =
            command.env("KEY", pem).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()).lines());
        PartyProcess { child, stdin, stdout, dir }
    }

    /// Kills it, and starts it again after `meanwhile` has been in its folder.
    pub fn again(&mut self, identity: &Identity, meanwhile: impl FnOnce(&Path)) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        meanwhile(self.dir.path());
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
        *self = PartyProcess::in_folder(dir, &identity.to_pem(), &[]);
    }

    /// One that is as it should be, but for these lines.
    pub fn start(identity: &Identity, config: &str) -> PartyProcess {
        PartyProcess::start_with(&identity.to_pem(), config, &[])
    }

    /// The next event, or the end.
    pub fn event(&mut self) -> Option<Event> {
        self.stdout.next().map(|line| serde_json::from_str(&line.unwrap()).unwrap())
    }

    /// Where it listens.
    pub fn address(&mut self) -> String {
        match self.event() {
            Some(Event::Listening { address }) => address,
            other => panic!("{other:?}"),
        }
    }

    /// What its audit log holds.
    pub fn audit(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("data/audit.jsonl")).unwrap()
    }

    /// Lets it go, and gives all that it said that was not read yet. It must end as one whose launcher has gone, and log no panic.
    pub fn let_go(mut self) -> Vec<Event> {
        drop(self.stdin.take());
        assert_eq!(ends_within(&mut self.child, Duration::from_secs(5)), 130);
        assert!(!self.log().contains("panicked"));
        std::iter::from_fn(|| self.event()).collect()
    }

    /// How it fails by itself: the message and its exit code. Its log must say it in one line.
    pub fn failure(mut self) -> (String, u8) {
        loop {
            match self.event() {
                Some(Event::Failed { message, code }) => {
                    let exit = ends_within(&mut self.child, Duration::from_secs(5));
                    let log = self.log();
                    assert_eq!(exit, i32::from(code), "{message}");
                    assert!(!message.contains('\n') && !log.contains("panicked"), "{message}\n{log}");
                    assert!(log.contains(&format!("error: {message}\n")), "{message}\n{log}");
                    return (message, code);
                }
                Some(_) => {}
                None => panic!("ended without a word: {}", self.log()),
            }
        }
    }

    fn log(&mut self) -> String {
        let mut log = String::new();
        std::io::Read::read_to_string(&mut self.child.stderr.take().unwrap(), &mut log).unwrap();
        log
    }
}

impl Drop for PartyProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
