//! Starting the program, and the parties by hand.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};
use trefoil_node::net::{Id, identity::Identity};
use trefoil_node::party::{Event, PartyConfig};
use trefoil_node::{Training, SuiteName};

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

/// Keys of a run.
pub struct Keys {
    pub parties: [Identity; 3],
    pub owner: Identity,
    pub model_owner: Identity,
}

impl Keys {
    pub fn generate() -> Keys {
        let key = |name| Identity::generate(name).unwrap();
        Keys { parties: ["P0", "P1", "P2"].map(key), owner: key("owner"), model_owner: key("model-owner") }
    }

    /// What a launcher would tell party `id`.
    pub fn config(&self, id: Id) -> PartyConfig {
        PartyConfig {
            id,
            listen: "127.0.0.1:0".into(),
            key: self.parties[id.index()].to_pem().to_string(),
            parties: [0, 1, 2].map(|i: usize| self.parties[i].fingerprint()),
            owners: vec![self.owner.fingerprint()],
            model_owner: self.model_owner.fingerprint(),
            job: job(),
            timeout: 4.0,
            threads: 1,
            network: None,
            insecure_mask_seed: None,
            insecure_record: None,
            bench: None,
        }
    }
}

/// A tiny job.
pub fn job() -> Training {
    Training {
        suite: SuiteName::Securenn,
        dataset: "test".into(),
        network: vec![4, 8, 2],
        epochs: 1,
        batch: 8,
        lr: 0.1,
        lr_schedule: "constant".into(),
        momentum: 0.0,
        softmax: "exact".into(),
        truncation: "dealer".into(),
        fraction_bits: 16,
        seed: 1,
        input_frac: 12,
        input_bits: 15,
        train_rows: 16,
        test_rows: 8,
    }
}

/// One `trefoil party`.
pub struct PartyProcess {
    pub child: Child,
    stdin: ChildStdin,
    stdout: std::io::Lines<BufReader<ChildStdout>>,
}

impl PartyProcess {
    pub fn start(config: &PartyConfig) -> PartyProcess {
        let mut child = trefoil(&["party"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{}", serde_json::to_string(config).unwrap()).unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        PartyProcess { child, stdin, stdout }
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

    pub fn addresses(&mut self, all: &[String; 3]) {
        writeln!(self.stdin, "{}", serde_json::to_string(all).unwrap()).unwrap();
    }

    /// How it fails: the message, its exit code and whether it was connected before. Its log must say it in one line.
    pub fn failure(mut self) -> Failure {
        let mut connected = false;
        loop {
            match self.event() {
                Some(Event::Failed { message, code }) => {
                    let exit = ends_within(&mut self.child, Duration::from_secs(5));
                    let mut log = String::new();
                    std::io::Read::read_to_string(&mut self.child.stderr.take().unwrap(), &mut log).unwrap();
                    assert_eq!(exit, i32::from(code), "{message}");
                    assert!(!message.contains('\n') && !log.contains("panicked"), "{message}\n{log}");
                    return Failure { message, code, connected };
                }
                Some(Event::Connected) => connected = true,
                Some(_) => {}
                None => panic!("ended without a word"),
            }
        }
    }
}

impl Drop for PartyProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub struct Failure {
    pub message: String,
    pub code: u8,
    pub connected: bool,
}

/// Starts three parties, tells them of one another, and waits until all have failed.
pub fn failures(configs: [PartyConfig; 3]) -> [Failure; 3] {
    let mut parties = configs.map(|c| PartyProcess::start(&c));
    let addresses = parties.each_mut().map(PartyProcess::address);
    parties.iter_mut().for_each(|p| p.addresses(&addresses));
    parties.map(PartyProcess::failure)
}
