//! Parties die, hang and are stopped at random moments; every job must come to its end all the same, at its accuracy.
//!
//! `TREFOIL_CHAOS=25 cargo test --release -p trefoil --test chaos -- --nocapture` is the long run of the book; by default each suite
//! is struck three times. Times of day are the source of chance: no two runs strike alike.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(unix)]

#[path = "../deployment/mod.rs"]
#[allow(dead_code)]
mod deployment;

use deployment::{Deployment, records, trained};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const TIMEOUT: u64 = 4;

fn chance(below: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    // The low bits of the clock alone would favour what a scheduler favours.
    now.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23) % below
}

#[test]
fn masked() {
    strike("masked");
}

#[test]
fn securenn() {
    strike("securenn");
}

/// P0 and P1 hang at once, while P2, which runs ahead, waits for them at a checkpoint or still sends: it finds out by itself within the timeout,
/// and says so when its last words have found no taker for as long. When both wake up again, the job goes on.
#[test]
fn two_that_hang_at_once() {
    let timeout = 3;
    let mut d = ready("masked", timeout, "", "[train]\nhidden = [16]\nepochs = 20\nbatch = 8\n[checkpoint]\nsteps = 100000\n");
    // Under way, so that P2 is far ahead or through with its part.
    let until = Instant::now() + Duration::from_secs(60);
    while d.status("job.toml").iter().any(|s| s["steps"][0].as_u64() < Some(20)) {
        assert!(Instant::now() < until, "{}", d.logs());
        std::thread::sleep(Duration::from_millis(20));
    }
    (0..2).for_each(|party| d.signal(party, "STOP"));
    let (struck, mut noticed) = (Instant::now(), None);
    while noticed.is_none() && struck.elapsed() < Duration::from_secs(6 * timeout) {
        let log = d.log(2);
        noticed = ["nothing arrived within 3 s", "took no data for 3 s"]
            .iter()
            .any(|said| log.contains(said))
            .then(|| struck.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    (0..2).for_each(|party| d.signal(party, "CONT"));
    let noticed = noticed.unwrap_or_else(|| panic!("P2 has not noticed: {}", d.logs()));
    println!("two hung: noticed after {:.1} s of a timeout of {timeout}", noticed.as_secs_f64());
    assert!(noticed < Duration::from_secs(4 * timeout), "{noticed:?}");
    d.until("job.toml", Duration::from_secs(180), "trained after both hung", trained);
}

/// A step takes longer than the timeout, and P2 waits for several: nobody is cut off. All three logs hold where all three stood, before
/// and after.
#[test]
fn slow_and_alive() {
    let timeout = 2;
    let more = "[train]\nhidden = [4]\nepochs = 1\nbatch = 100\n[checkpoint]\nsteps = 100000\n[open]\nloss = false\nmetric = \"nothing\"\n";
    let began = Instant::now();
    let d = ready("masked", timeout, "links = \"250ms\"\n", more);
    d.until("job.toml", Duration::from_secs(180), "trained over a slow network", trained);
    assert!(began.elapsed() > Duration::from_secs(3 * timeout), "{:?}", began.elapsed());
    for party in 0..3 {
        assert_eq!(sessions(&d, party), 1, "{}", d.logs());
    }
    let until = Instant::now() + Duration::from_secs(20);
    let heads = |party: usize| -> Vec<Value> { d.audit(party).into_iter().filter(|e| e["what"] == "heads").collect() };
    while (0..3).any(|party| heads(party).len() < 2) {
        assert!(Instant::now() < until, "{:?}", heads(0));
        std::thread::sleep(Duration::from_millis(50));
    }
    let logs = [0, 1, 2].map(|i| std::fs::read_to_string(d.path(&format!("data{i}/audit.jsonl"))).unwrap());
    for (i, when) in ["start", "end"].iter().enumerate() {
        let told = heads(0)[i].clone();
        assert!(told["when"] == *when && told["session"].as_str().is_some_and(|id| id.len() == 64), "{told}");
        for (party, log) in logs.iter().enumerate() {
            assert_eq!(heads(party)[i], told);
            // What was told is a line of that party's log, and more of it follows.
            let id = format!("P{party}");
            let line = told["entries"][&id].as_u64().unwrap() as usize;
            assert_eq!(hex::encode(Sha256::digest(log.lines().nth(line - 1).unwrap())), told[&id], "{id}, {when}");
            assert!(log.lines().count() > line, "{id}, {when}");
        }
    }
}

/// Three parties that have a job with the records of two owners.
fn ready(suite: &str, timeout: u64, config: &str, job: &str) -> Deployment {
    let mut d = Deployment::new(&["north", "south"], timeout);
    for party in 0..3 {
        let file = d.path(&format!("p{party}.toml"));
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, text + config).unwrap();
        d.start(party, None);
    }
    d.job("job.toml", "slow or silent", suite, job);
    for party in ["p0", "p1", "p2"] {
        d.ok(&["job", "approve", "job.toml", "--key", &format!("keys/{party}.pem")]);
    }
    for (i, owner) in ["north", "south"].iter().enumerate() {
        records(&d.path(&format!("{i}.csv")), 300, i);
        let out = d.share(owner, &format!("{i}.csv"), "job.toml");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
    d
}

fn sessions(d: &Deployment, party: usize) -> usize {
    d.log(party).matches(" from step ").count()
}

fn strike(suite: &str) {
    let times: usize = std::env::var("TREFOIL_CHAOS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let mut d = Deployment::new(&["north", "south"], TIMEOUT);
    for i in 0..2 {
        records(&d.path(&format!("{i}.csv")), 300, i);
    }
    (0..3).for_each(|party| d.start(party, None));
    let mut recovered = vec![];
    for round in 0..times {
        let job = format!("job{round}.toml");
        let (victim, kind) = (chance(3) as usize, if round % 3 == 2 { "STOP" } else { "KILL" });
        // Now and then the strike falls while all three meet at a checkpoint.
        let every = if kind == "STOP" { 2 } else { 50 };
        let more = format!("[train]\nhidden = [16]\nepochs = 30\nbatch = 16\n[checkpoint]\nsteps = {every}\n");
        d.job(&job, &format!("{suite} {round}"), suite, &more);
        for party in ["p0", "p1", "p2"] {
            d.ok(&["job", "approve", &job, "--key", &format!("keys/{party}.pem")]);
        }
        for (i, owner) in ["north", "south"].iter().enumerate() {
            let out = d.share(owner, &format!("{i}.csv"), &job);
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        }
        std::thread::sleep(Duration::from_millis(chance(2500)));
        let before = d.status(&job)[0]["steps"][0].as_u64().unwrap_or(0);
        let begun = sessions(&d, victim);
        d.signal(victim, kind);
        let struck = Instant::now();
        if kind == "KILL" {
            d.start(victim, None);
        } else {
            // The two others must notice by themselves, unless they are through.
            let others: Vec<usize> = (0..3).filter(|p| *p != victim).collect();
            std::thread::sleep(Duration::from_secs(TIMEOUT + 1));
            for p in others {
                let state = d.log(p);
                assert!(!state.contains("panicked"), "{state}");
            }
            d.signal(victim, "CONT");
        }
        // The next session, or the end of one that the strike came too late for.
        let deadline = Instant::now() + Duration::from_secs(TIMEOUT + 20);
        while sessions(&d, victim) == begun && !trained(&d.status(&job)[victim]) {
            assert!(Instant::now() < deadline, "no new session: {}", d.logs());
            std::thread::sleep(Duration::from_millis(20));
        }
        let again = struck.elapsed().as_secs_f64();
        let all = d.until(&job, Duration::from_secs(180), "trained after a fault", trained);
        let accuracy = all[0]["last"]["metric"].as_f64().unwrap();
        assert!(accuracy >= 0.95, "{suite}, round {round}: accuracy {accuracy}");
        let resumed = d.log(0).lines().rfind(|l| l.contains("from step")).unwrap_or_default().to_owned();
        let resumed = resumed.split("from step ").nth(1).and_then(|s| s.split(' ').next().map(str::to_owned)).unwrap_or_default();
        println!(
            "{suite} {round}: {kind} P{victim} at step {before}, next session after {again:.1} s from step {resumed}, trained {:.1} s after the strike, accuracy {accuracy:.3}",
            struck.elapsed().as_secs_f64()
        );
        recovered.push(again);
        // The model comes whole from all three.
        d.ok(&["model", "fetch", &job, "--key", "keys/research.pem", "--out", "model.safetensors"]);
        (0..3).for_each(|p| drop(d.audit(p)));
    }
    recovered.sort_by(f64::total_cmp);
    let (median, worst) = (recovered[times / 2], recovered[times - 1]);
    println!("{suite}: {times} strikes, until the next session: median {median:.1} s, worst {worst:.1} s; every job trained");
}
