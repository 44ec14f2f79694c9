//! Parties die, hang and are stopped at random moments; every job must come to its end all the same, at its accuracy.
//!
//! `TREFOIL_CHAOS=25 cargo test --release -p trefoil --test chaos -- --nocapture` is the long run of the book; by default each suite
//! is struck three times. Times of day are the source of chance: no two runs strike alike.

#![cfg(unix)]

#[path = "../deployment/mod.rs"]
#[allow(dead_code)]
mod deployment;

use deployment::{Deployment, records, trained};
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
