//! A party's disk fills up during training, with a small file system of its own: one clear line, no checkpoint lost, and the job goes on
//! when there is room again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(target_os = "linux")]

#[path = "deployment/mod.rs"]
#[allow(dead_code)]
mod deployment;

use deployment::{Deployment, records, trained};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A file system of 8 MiB in memory, mounted for as long as this lives.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path) -> Option<Small> {
        fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m,mode=0700", "trefoil-test"])
            .arg(at)
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|s| s.success()).then(|| Small(at.to_owned()))
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("filler")).unwrap();
        while file.write(&[7; 4096]).is_ok() {}
    }

    fn room(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// The names of a party's whole checkpoints.
fn checkpoints(d: &Deployment, party: usize) -> Vec<String> {
    let jobs = fs::read_dir(d.path(&format!("data{party}/jobs"))).into_iter().flatten().flatten();
    let files = jobs.flat_map(|job| fs::read_dir(job.path().join("checkpoints")).into_iter().flatten().flatten());
    let mut names: Vec<String> = files.map(|f| f.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn during_training() {
    let mut d = Deployment::new(&["north", "south"], 4);
    let Some(small) = Small::mount(&d.path("data1")) else {
        // Past the capture of the test's output.
        writeln!(std::io::stderr(), "skipped: during_training, since no file system can be mounted here").unwrap();
        return;
    };
    (0..3).for_each(|party| d.start(party, None));
    d.job("job.toml", "full disk", "masked", "[train]\nhidden = [16]\nepochs = 60\nbatch = 8\n[checkpoint]\nsteps = 50\n");
    for party in ["p0", "p1", "p2"] {
        d.ok(&["job", "approve", "job.toml", "--key", &format!("keys/{party}.pem")]);
    }
    for (i, owner) in ["north", "south"].iter().enumerate() {
        records(&d.path(&format!("{i}.csv")), 200, i);
        let out = d.share(owner, &format!("{i}.csv"), "job.toml");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
    let wait = |d: &Deployment, what: &str, so: &dyn Fn(&Deployment) -> bool| {
        let until = Instant::now() + Duration::from_secs(60);
        while !so(d) {
            assert!(Instant::now() < until, "{what}: {:#?}\n{:?}\n{}", d.status("job.toml"), checkpoints(d, 1), d.logs());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait(&d, "a checkpoint", &|d| !checkpoints(d, 1).is_empty());
    small.fill();
    wait(&d, "a word on the full disk", &|d| d.log(1).contains("No space left on device"));
    let kept = checkpoints(&d, 1);
    assert!(!kept.is_empty(), "{}", d.logs());
    // It goes on trying, and loses nothing by it; nobody takes the job for failed.
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(checkpoints(&d, 1), kept, "{}", d.logs());
    let states = d.status("job.toml");
    assert!(states.iter().all(|s| s["state"]["is"] != "failed"), "{states:#?}\n{}", d.logs());
    let log = d.log(1);
    let said: Vec<&str> =
        log.lines().filter(|l| l.contains("WARN") && l.contains("runner") && l.contains("No space left")).collect();
    assert!(!said.is_empty() && !log.contains("panicked"), "{said:#?}");
    small.room();
    d.until("job.toml", Duration::from_secs(240), "trained when there is room", trained);
    // From the checkpoint that it had, and not from the beginning.
    assert!(!d.log(1).rsplit("No space left").next().unwrap().contains(" from step 0 "), "{}", d.logs());
}
