//! Parties that die, and Ctrl-C.

use crate::common::{ends_within, path, text, trefoil};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

/// A demo in the middle of a long training.
struct Run {
    launcher: Child,
    stderr: BufReader<ChildStderr>,
    /// P0, P1, P2.
    parties: Vec<u32>,
    dir: tempfile::TempDir,
}

fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

fn running(pid: u32) -> bool {
    // A zombie has ended; it is gone once its parent, or init, has asked.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z "))
}

fn training() -> Run {
    let dir = tempfile::tempdir().unwrap();
    let args = [
        "demo",
        "--hidden",
        "32",
        "--epochs",
        "1000",
        "--lr-schedule",
        "0.01",
        "--batch",
        "64",
        "--timeout",
        "4",
        "--run-dir",
        path(dir.path()),
    ];
    let mut launcher = trefoil(&args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(launcher.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("epoch 1") {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "ended before it trained");
    }
    let pid = launcher.id();
    let children: Vec<u32> = std::fs::read_dir(format!("/proc/{pid}/task"))
        .unwrap()
        .flat_map(|task| {
            std::fs::read_to_string(task.unwrap().path().join("children"))
                .unwrap_or_default()
                .split_whitespace()
                .map(|p| p.parse().unwrap())
                .collect::<Vec<_>>()
        })
        .collect();
    // Each writes its own log.
    let party = |name: &str| {
        let log = dir.path().join(name);
        *children.iter().find(|c| std::fs::read_link(format!("/proc/{c}/fd/2")).is_ok_and(|l| l == *log)).unwrap()
    };
    let parties = ["P0.log", "P1.log", "P2.log"].map(party).to_vec();
    Run { launcher, stderr, parties, dir }
}

impl Run {
    /// Its exit code and the rest of its standard error. All parties have ended with it.
    fn ends_within(mut self, limit: Duration) -> (i32, String) {
        let code = ends_within(&mut self.launcher, limit);
        let mut rest = vec![];
        self.stderr.read_to_end(&mut rest).unwrap();
        let until = Instant::now() + Duration::from_secs(2);
        while self.parties.iter().any(|&p| running(p)) {
            assert!(Instant::now() < until, "a party outlives its launcher");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(Path::new(self.dir.path()).join("config.toml").exists());
        (code, text(&rest))
    }
}

/// The last line is the only one that is no progress.
fn last_line(stderr: &str) -> &str {
    assert!(!stderr.contains("panicked") && stderr.matches("error: ").count() == 1, "{stderr}");
    stderr.lines().last().unwrap()
}

#[test]
fn ctrl_c_ends_all() {
    let run = training();
    signal("-INT", run.launcher.id());
    let (code, stderr) = run.ends_within(Duration::from_secs(5));
    assert_eq!((code, last_line(&stderr)), (130, "error: stopped"));
}

#[test]
fn a_launcher_that_dies_takes_its_parties_along() {
    let mut run = training();
    run.launcher.kill().unwrap();
    run.ends_within(Duration::from_secs(5));
}

#[test]
fn a_killed_party_is_named() {
    for (i, name) in ["P0", "P1", "P2"].into_iter().enumerate() {
        let run = training();
        signal("-KILL", run.parties[i]);
        let (code, stderr) = run.ends_within(Duration::from_secs(4 + 5));
        assert!(code == 4 && last_line(&stderr).contains(name), "{stderr}");
    }
}

#[test]
fn a_stopped_party_is_named() {
    let run = training();
    signal("-STOP", run.parties[1]);
    let (code, stderr) = run.ends_within(Duration::from_secs(4 + 5));
    assert!(code == 4 && last_line(&stderr).contains("P1: nothing arrived within 4 s"), "{stderr}");
}
