//! Three parties, some owners and a model owner, as people run them: through the program, with keys and files of their own.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const PASSPHRASE: &str = "correct horse battery staple";

/// Folders, keys, peers file, configurations; and the parties that run.
pub struct Deployment {
    dir: TempDir,
    pub owners: Vec<String>,
    parties: [Option<Child>; 3],
    /// Seconds that a party waits for a silent peer.
    pub timeout: u64,
    /// Of its jobs' records, as a job's file has them.
    pub columns: String,
}

impl Deployment {
    /// Keys for p0, p1, p2, these owners and `research`, the model owner. No party runs yet.
    pub fn new(owners: &[&str], timeout: u64) -> Deployment {
        let dir = tempfile::tempdir().unwrap();
        let columns = ["a", "b", "c", "d"]
            .map(|c| format!("[[data.columns]]\nkind = \"number\"\nname = \"{c}\"\nmean = 0\ndeviation = 1\n"))
            .concat();
        let named: Vec<String> = owners.iter().map(|o| (*o).to_owned()).collect();
        let d = Deployment { dir, owners: named, parties: [None, None, None], timeout, columns };
        let names: Vec<&str> = ["p0", "p1", "p2", "research"].into_iter().chain(owners.iter().copied()).collect();
        let out = d.ok(&[&["keygen", "--quiet", "--dir", "keys"][..], &names].concat());
        for (name, fingerprint) in names.iter().zip(out.lines()) {
            let address = match name.strip_prefix('p').and_then(|n| n.parse::<usize>().ok()) {
                Some(_) => free_address(),
                None => "-".to_owned(),
            };
            d.ok(&["peers", "add", name, &address, fingerprint]);
        }
        for i in 0..3 {
            let address = d.address(i);
            d.write(
                &format!("p{i}.toml"),
                &format!(
                    "listen = \"{address}\"\nkey = \"keys/p{i}.pem\"\ndata = \"data{i}\"\ntimeout = {timeout}\ngrace = 20\n"
                ),
            );
        }
        d
    }

    /// Somebody more, with a key, in the peers file.
    pub fn member(&self, name: &str) {
        let fingerprint = self.ok(&["keygen", "--quiet", "--dir", "keys", name]);
        self.ok(&["peers", "add", name, "-", fingerprint.trim()]);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Where a party listens, from the peers file.
    pub fn address(&self, party: usize) -> String {
        let peers: toml::Table = toml::from_str(&fs::read_to_string(self.path("peers.toml")).unwrap()).unwrap();
        peers[&format!("p{party}")]["address"].as_str().unwrap().to_owned()
    }

    /// A job's file over all owners: a small network on its columns.
    pub fn job(&self, file: &str, name: &str, suite: &str, more: &str) {
        let owners: Vec<String> = self.owners.iter().map(|o| format!("{o:?}")).collect();
        let columns = &self.columns;
        self.write(
            file,
            &format!(
                "name = {name:?}\nsuite = {suite:?}\nparty = [\"p0\", \"p1\", \"p2\"]\nowner = [{}]\nmodel_owner = \"research\"\n{more}\n\
                 [data]\ntask = \"classification\"\nlabel = \"class\"\nclasses = [\"0\", \"1\"]\n{columns}",
                owners.join(", "),
            ),
        );
    }

    /// The program, in this deployment's folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trefoil"));
        command.args(args).current_dir(self.dir.path()).env("TREFOIL_PASSPHRASE", PASSPHRASE).stdin(Stdio::null());
        command.env_remove("TREFOIL_LOG").env_remove("RUST_LOG");
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs it; it must succeed. What it printed.
    pub fn ok(&self, args: &[&str]) -> String {
        let out = self.run(args);
        assert!(out.status.success(), "{args:?}: {}\n{}", String::from_utf8_lossy(&out.stderr), self.logs());
        String::from_utf8(out.stdout).unwrap()
    }

    /// Runs it; it must be refused in one line. That line.
    pub fn refused(&self, args: &[&str]) -> String {
        let out = self.run(args);
        let text = String::from_utf8(out.stderr).unwrap();
        let lines: Vec<&str> = text.lines().filter(|l| l.starts_with("error: ")).collect();
        assert!(!out.status.success() && lines.len() == 1 && !text.contains("panicked"), "{args:?}: {text}");
        lines[0].to_owned()
    }

    /// Starts a party, and waits until it listens.
    pub fn start(&mut self, party: usize, approve: Option<&str>) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path(&format!("log{party}"))).unwrap();
        let config = format!("p{party}.toml");
        let mut args = vec!["party", "--config", &config];
        args.extend(approve.iter().flat_map(|job| ["--approve", job]));
        let before = self.listening(party);
        let child = self.command(&args).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.parties[party] = Some(child);
        let until = Instant::now() + Duration::from_secs(20);
        while self.listening(party) == before {
            let ended = self.parties[party].as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < until, "party {party} does not listen: {}", self.logs());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn listening(&self, party: usize) -> usize {
        self.log(party).matches("listening").count()
    }

    pub fn log(&self, party: usize) -> String {
        fs::read_to_string(self.path(&format!("log{party}"))).unwrap_or_default()
    }

    pub fn logs(&self) -> String {
        let tail = |i: usize| {
            let log = self.log(i);
            let lines: Vec<&str> = log.lines().collect();
            format!("P{i}:\n{}\n", lines[lines.len().saturating_sub(15)..].join("\n"))
        };
        [0, 1, 2].map(tail).concat()
    }

    pub fn pid(&self, party: usize) -> u32 {
        self.parties[party].as_ref().map_or(0, Child::id)
    }

    /// Sends a signal, such as KILL, STOP, CONT or TERM.
    pub fn signal(&mut self, party: usize, name: &str) {
        let Some(child) = &mut self.parties[party] else { return };
        let ok = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap().success();
        assert!(ok, "kill -{name}");
        if name == "KILL" {
            child.wait().unwrap();
            self.parties[party] = None;
        }
    }

    /// Waits for a party to end by itself; its exit code.
    pub fn ends(&mut self, party: usize, within: Duration) -> i32 {
        let mut child = self.parties[party].take().unwrap();
        let until = Instant::now() + within;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < until, "party {party} does not end: {}", self.logs());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn share(&self, owner: &str, file: &str, job: &str) -> Output {
        self.run(&["share", file, "--job", job, "--key", &format!("keys/{owner}.pem"), "--json"])
    }

    /// A job's standing at P0, P1 and P2, as the model owner sees it.
    pub fn status(&self, job: &str) -> [Value; 3] {
        let out = self.ok(&["job", "status", job, "--key", "keys/research.pem", "--json"]);
        let all: Value = serde_json::from_str(&out).unwrap();
        [0, 1, 2].map(|i| all[format!("P{i} p{i}")].clone())
    }

    /// Waits until all three parties say so.
    pub fn until(&self, job: &str, within: Duration, what: &str, so: impl Fn(&Value) -> bool) -> [Value; 3] {
        let until = Instant::now() + within;
        loop {
            let all = self.status(job);
            if all.iter().all(&so) {
                return all;
            }
            assert!(Instant::now() < until, "{what}: {all:#?}\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The events of a party's audit log, which must be unbroken.
    pub fn audit(&self, party: usize) -> Vec<Value> {
        let file = self.path(&format!("data{party}/audit.jsonl"));
        self.ok(&["audit", file.to_str().unwrap()]);
        let text = fs::read_to_string(file).unwrap();
        text.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["event"].clone()).collect()
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        for child in self.parties.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// An address of this machine that nobody listens at: below the ports that the system gives to callers, so that a party that is
/// started again finds its own free.
pub fn free_address() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let port = 20_000 + (std::process::id() * 37 + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        let address = format!("127.0.0.1:{port}");
        if std::net::TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}

/// Records of four values that are easy to tell apart into two classes.
pub fn records(file: &Path, rows: usize, seed: usize) {
    let mut text = String::from("a,b,c,d,class\n");
    for i in 0..rows {
        let (class, wobble) = ((i + i / 5) % 2, ((i + 31 * seed) * 37 % 100) as f64 / 100.0);
        let sign = if class == 0 { 1.0 } else { -1.0 };
        text += &format!("{:.3},{:.3},{:.3},{:.3},{class}\n", sign + wobble, 2.0 * sign - wobble, wobble, 3.0 * wobble - sign);
    }
    fs::write(file, text).unwrap();
}

pub fn trained(status: &Value) -> bool {
    status["state"]["is"] == "trained"
}
