//! Jobs between organisations, through the program: what works, what is refused and how, what survives.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(unix)]

mod approvals;
mod clients;
#[path = "../deployment/mod.rs"]
#[allow(dead_code)]
mod deployment;
mod gateway;
mod join;
mod kinds;
mod page;
mod secure;
mod serve;
mod share_model;
mod standing;
mod start;
mod stored;
mod unowned;

use deployment::{Deployment, records, trained};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
const LONG: Duration = Duration::from_secs(180);

/// Two owners with a file each, three parties that have approved `job.toml`.
fn ready(suite: &str, more: &str, rows: usize) -> Deployment {
    let mut d = with_records(rows);
    d.job("job.toml", "a job", suite, more);
    (0..3).for_each(|party| d.start(party, Some("job.toml")));
    d
}

/// The same with parties that know of no job.
fn ready_without_approval(rows: usize) -> Deployment {
    let mut d = with_records(rows);
    (0..3).for_each(|party| d.start(party, None));
    d
}

fn with_records(rows: usize) -> Deployment {
    let d = Deployment::new(&["north", "south"], 5);
    for (i, owner) in ["north", "south"].iter().enumerate() {
        records(&d.path(&format!("{owner}.csv")), rows, i);
    }
    d
}

fn shared(d: &Deployment, owner: &str) {
    let out = d.share(owner, &format!("{owner}.csv"), "job.toml");
    assert!(out.status.success(), "{}\n{}", String::from_utf8_lossy(&out.stderr), d.logs());
}

fn job_folder(d: &Deployment, party: usize) -> PathBuf {
    let jobs = d.path(&format!("data{party}/jobs"));
    fs::read_dir(jobs).ok().and_then(|mut jobs| jobs.next()).map_or_else(PathBuf::new, |job| job.unwrap().path())
}

fn files(folder: PathBuf) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

fn entries<'a>(audit: &'a [Value], what: &str) -> Vec<&'a Value> {
    audit.iter().filter(|e| e["what"] == what).collect()
}

#[test]
fn from_empty_folders_to_a_model() {
    let d = ready("masked", "", 300);
    shared(&d, "north");
    let waiting = d.status("job.toml");
    assert!(waiting.iter().all(|s| s["missing"][0] == "records of south"), "{waiting:?}");
    // A column that is a thousand times as large in the file as in the job, and five more.
    let text = fs::read_to_string(d.path("south.csv")).unwrap();
    let thousands = |line: &str| {
        line.split_once(',').map(|(a, rest)| format!("{},{rest}\n", a.parse::<f64>().unwrap() * 1000.0 + 5.0)).unwrap()
    };
    let (head, rows) = text.split_once('\n').unwrap();
    d.write("thousands.csv", &format!("{head}\n{}", rows.lines().map(thousands).collect::<String>()));
    let share = ["share", "thousands.csv", "--job", "job.toml", "--key", "keys/south.pem"];
    assert!(d.refused(&share).contains("values beyond the range"));
    d.ok(&[&share[..], &["--unit", "a=(x - 5) / 1000"]].concat());
    d.ok(&["model", "fetch", "job.toml", "--key", "keys/research.pem", "--wait", "60", "--out", "m.safetensors,m.npz,m.onnx"]);
    let all = d.until("job.toml", LONG, "delivered", |s| s["delivered"] == true);
    assert!(all[0]["last"]["metric"].as_f64().unwrap() >= 0.95, "{all:?}");
    // P2 has seen no figure.
    assert!(all[2]["last"].is_null());
    let shown = d.ok(&["model", "show", "m.safetensors", "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((shown["network"].as_str(), shown["task"].as_str()), (Some("4-16-2"), Some("classification")));
    assert!(shown["input"].as_str().unwrap().contains("deviation"));
    for party in 0..3 {
        let audit = d.audit(party);
        for (what, times) in
            [("proposed", 1), ("approved", 6), ("uploaded", 2), ("session", 1), ("trained", 1), ("model share given", 1)]
        {
            assert_eq!(entries(&audit, what).len(), times, "P{party}: {what} in {audit:#?}");
        }
        assert_eq!(entries(&audit, "opened").len(), if party == 2 { 0 } else { 10 });
        // Nothing of the records is kept, and nothing is readable.
        assert_eq!(files(job_folder(&d, party)).iter().map(|f| f.file_name().unwrap()).collect::<Vec<_>>(), ["model.sealed"]);
    }
    // The model is its owner's alone, and may be fetched again.
    assert!(d.refused(&["model", "fetch", "job.toml", "--key", "keys/north.pem"]).contains("expected the job's model owner"));
    d.ok(&["model", "fetch", "job.toml", "--key", "keys/research.pem", "--out", "again.safetensors"]);
    assert_eq!(fs::read(d.path("m.safetensors")).unwrap(), fs::read(d.path("again.safetensors")).unwrap());
}

#[test]
fn what_nobody_approved_is_refused() {
    let mut d = Deployment::new(&["north", "south"], 5);
    records(&d.path("north.csv"), 50, 0);
    d.job("job.toml", "a job", "masked", "");
    (0..3).for_each(|party| d.start(party, None));
    let north = &["share", "north.csv", "--job", "job.toml", "--key", "keys/north.pem"];
    // Nobody has heard of it.
    assert!(d.refused(north).contains("is not known here"));
    // Proposed, by an owner, and not approved.
    d.ok(&["job", "propose", "job.toml", "--key", "keys/north.pem"]);
    assert!(d.refused(north).contains("is not approved by this party"));
    // Approved; but the owner's file says something else.
    for party in ["p0", "p1", "p2"] {
        d.ok(&["job", "approve", "job.toml", "--key", &format!("keys/{party}.pem")]);
    }
    d.job("altered.toml", "a job", "masked", "[train]\nepochs = 11\n");
    assert!(d.refused(&["share", "north.csv", "--job", "altered.toml", "--key", "keys/north.pem"]).contains("is not known here"));
    // Who is nobody in the job.
    assert!(
        d.refused(&["share", "north.csv", "--job", "job.toml", "--key", "keys/research.pem"])
            .contains("expected one of the job's data owners")
    );
    d.ok(&["keygen", "stranger", "--dir", "keys", "--quiet"]);
    d.refused(&["job", "status", "job.toml", "--key", "keys/stranger.pem", "--timeout", "2"]);
    // An operator's business.
    let line = d.refused(&["job", "start", "job.toml", "--key", "keys/north.pem"]);
    assert!(line.contains("is for this party's operator"), "{line}");
    // P0's address answers with P1's certificate.
    let text = fs::read_to_string(d.path("peers.toml")).unwrap();
    fs::write(
        d.path("swapped.toml"),
        text.replace(&d.address(0), "?").replace(&d.address(1), &d.address(0)).replace('?', &d.address(1)),
    )
    .unwrap();
    let line = d.refused(&["share", "north.csv", "--job", "job.toml", "--peers", "swapped.toml", "--key", "keys/north.pem"]);
    assert!(line.contains("wrong certificate: found fingerprint"), "{line}");
    let audit = d.audit(0);
    let refused: Vec<String> = entries(&audit, "refused").iter().map(|e| e["why"].to_string()).collect();
    for why in ["not known here", "not approved", "for this party's operator"] {
        assert!(refused.iter().any(|r| r.contains(why)), "{why}: {refused:?}");
    }
    assert_eq!(entries(&audit, "refused connection").len(), 1, "{audit:#?}");
}

#[test]
fn records_are_used_once() {
    let d = ready("masked", "start = \"request\"\n", 60);
    shared(&d, "north");
    let again = d.refused(&["share", "north.csv", "--job", "job.toml", "--key", "keys/north.pem"]);
    assert!(again.contains("found a second upload, expected none"), "{again}");
    // Two at once: one of them, whole.
    let command = || {
        let mut command = d.command(&["share", "south.csv", "--job", "job.toml", "--key", "keys/south.pem"]);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap()
    };
    let mut both = [command(), command()];
    let ended = both.each_mut().map(|c| c.wait().unwrap().success());
    assert!(ended != [true, true], "both uploads were taken");
    if ended == [false, false] {
        shared(&d, "south");
    }
    let all = d.until("job.toml", LONG, "waiting for a word", |s| s["missing"][0] == "a word to start" && s["owners"][1] == 2);
    assert!(all.iter().all(|s| s["state"]["is"] == "waiting"));
    for party in ["p0", "p1", "p2"] {
        d.ok(&["job", "start", "job.toml", "--key", &format!("keys/{party}.pem")]);
    }
    d.until("job.toml", LONG, "trained", trained);
    let audits = [0, 1, 2].map(|p| d.audit(p));
    let uploads = audits.each_ref().map(|a| entries(a, "uploaded").iter().map(|e| e["upload"].clone()).collect::<Vec<_>>());
    assert!(uploads[0] == uploads[1] && uploads[1] == uploads[2] && uploads[0].len() == 2, "{uploads:?}");
    assert!(!entries(&audits[0], "refused").is_empty());
}

/// Cut by a party's death and by the owner's own, an upload still counts once.
#[test]
fn uploads_that_are_cut() {
    let rows = 200_000;
    let mut d = ready("securenn", "start = \"request\"\n", rows);
    let share = |d: &Deployment, owner: &str| {
        let file = format!("{owner}.csv");
        let key = format!("keys/{owner}.pem");
        d.command(&["share", &file, "--job", "job.toml", "--key", &key]).stderr(std::process::Stdio::null()).spawn().unwrap()
    };
    let begun = |d: &Deployment, uploads: usize| {
        let until = Instant::now() + LONG;
        while files(job_folder(d, 2).join("uploads")).len() < uploads {
            assert!(Instant::now() < until, "no upload begins: {}", d.logs());
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    // A party dies: the owner waits for it, and goes on.
    let mut north = share(&d, "north");
    begun(&d, 1);
    d.signal(1, "KILL");
    d.start(1, None);
    assert!(north.wait().unwrap().success(), "{}", d.logs());
    // The owner dies: what it sent does not count, and it may share again.
    let mut south = share(&d, "south");
    begun(&d, 2);
    south.kill().unwrap();
    south.wait().unwrap();
    if d.status("job.toml")[0]["owners"][1] == 1 {
        let until = Instant::now() + LONG;
        while !share(&d, "south").wait().unwrap().success() {
            assert!(Instant::now() < until, "{}", d.logs());
        }
    }
    d.until("job.toml", LONG, "both uploads", |s| s["owners"][1] == 2);
    let rows_of = |party: usize| -> u64 {
        let audit = d.audit(party);
        entries(&audit, "uploaded")
            .iter()
            .map(|e| e["rows"]["train_rows"].as_u64().unwrap() + e["rows"]["test_rows"].as_u64().unwrap())
            .sum()
    };
    assert_eq!([0, 1, 2].map(rows_of), [2 * rows as u64; 3]);
}

/// SIGTERM: to the next checkpoint, and no further; started again, the job goes on from there.
#[test]
fn a_party_is_stopped_and_started() {
    let more = "[train]\nepochs = 40\nbatch = 8\n[checkpoint]\nsteps = 20\n";
    let mut d = ready("masked", more, 300);
    shared(&d, "north");
    shared(&d, "south");
    d.until("job.toml", LONG, "a checkpoint", |s| s["steps"][1].as_u64() >= Some(20));
    d.signal(0, "TERM");
    assert_eq!(d.ends(0, Duration::from_secs(30)), 0, "{}", d.logs());
    let stopped = d.log(0);
    assert!(stopped.contains("stopping: sessions end after their next checkpoint"));
    d.start(0, None);
    d.until("job.toml", LONG, "trained", trained);
    let from: Vec<u64> = entries(&d.audit(0), "session").iter().map(|e| e["from step"].as_u64().unwrap()).collect();
    assert!(from.len() >= 2 && from[0] == 0 && from[1] >= 20 && from[1].is_multiple_of(20), "{from:?}");
}

/// Check 22: a damaged checkpoint and one party a step behind give the newest common state, never a mix.
#[test]
fn checkpoints_that_are_damaged() {
    let more = "[train]\nepochs = 40\nbatch = 8\n[checkpoint]\nsteps = 20\n";
    let mut d = ready("masked", more, 300);
    shared(&d, "north");
    shared(&d, "south");
    d.until("job.toml", LONG, "a checkpoint", |s| s["steps"][1].as_u64() >= Some(40));
    (0..3).for_each(|p| d.signal(p, "KILL"));
    // What a crash in the middle of writing leaves, and a flipped bit, at P1.
    let checkpoints = job_folder(&d, 1).join("checkpoints");
    let found: Vec<PathBuf> =
        files(checkpoints.clone()).into_iter().filter(|f| f.extension().is_some_and(|e| e == "sealed")).collect();
    assert!(!found.is_empty());
    for file in &found {
        let mut bytes = fs::read(file).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        fs::write(file, bytes).unwrap();
    }
    fs::write(checkpoints.join("000000999999-half.sealed"), b"not all of it").unwrap();
    (0..3).for_each(|p| d.start(p, None));
    d.until("job.toml", LONG, "trained", trained);
    let last = |p: usize| entries(&d.audit(p), "session").last().unwrap()["from step"].as_u64().unwrap();
    assert_eq!([0, 1, 2].map(last), [0; 3], "P1 has no whole checkpoint, so that all begin again");
    assert!(d.log(1).contains("not used: "), "{}", d.log(1));
    assert!(d.status("job.toml")[0]["last"]["metric"].as_f64().unwrap() >= 0.95);
}

#[test]
fn a_job_is_cancelled() {
    let d = ready("masked", "[train]\nepochs = 5000\nlr_schedule = \"constant\"\n", 200);
    shared(&d, "north");
    shared(&d, "south");
    d.until("job.toml", LONG, "running", |s| s["state"]["is"] == "running");
    d.ok(&["job", "cancel", "job.toml", "--key", "keys/north.pem"]);
    d.until("job.toml", LONG, "cancelled", |s| s["state"]["is"] == "cancelled");
    for party in 0..3 {
        let until = Instant::now() + LONG;
        while !files(job_folder(&d, party)).is_empty() {
            assert!(Instant::now() < until, "P{party} keeps {:?}", files(job_folder(&d, party)));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    let line = d.refused(&["model", "fetch", "job.toml", "--key", "keys/research.pem"]);
    assert!(line.contains("no model yet: cancelled by data owner north"), "{line}");
}

/// What training itself finds wrong is final, and said.
#[test]
fn a_training_that_diverges() {
    let d =
        ready("masked", "[train]\nlr = 4.0\nbatch = 4\nepochs = 40\nlr_schedule = \"constant\"\n[checkpoint]\nsteps = 10\n", 200);
    shared(&d, "north");
    shared(&d, "south");
    let all = {
        let until = Instant::now() + LONG;
        loop {
            let all = d.status("job.toml");
            if all[0]["state"]["is"] == "failed" || trained(&all[0]) || Instant::now() > until {
                break all;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    let why = all[0]["state"]["why"].as_str().unwrap_or_default().to_owned();
    assert!(why.contains("diverged") || why.contains("out of range"), "{all:?}\n{}", d.logs());
    // Owners learn that it failed, and no figure.
    let seen = d.ok(&["job", "status", "job.toml", "--key", "keys/north.pem", "--json"]);
    assert!(seen.contains("failed") && !seen.contains("diverged") && !seen.contains("out of range"), "{seen}");
    // What was opened is not opened again, so that nothing would find it wrong a second time: nobody goes on from there.
    for party in ["p0", "p1"] {
        let line = d.refused(&["job", "resume", "job.toml", "--key", &format!("keys/{party}.pem")]);
        assert!(line.contains("training has gone astray, and what showed it is not opened again"), "{line}");
    }
    d.ok(&["job", "resume", "job.toml", "--key", "keys/p2.pem"]);
    let all = d.until("job.toml", LONG, "failed everywhere", |s| s["state"]["is"] == "failed");
    assert_eq!(all[2]["state"]["why"], "P0: failed; its operator knows why");
    assert!(d.refused(&["model", "fetch", "job.toml", "--key", "keys/research.pem"]).contains("no model yet"));
}

/// Check 24: after two thousand steps a party holds what it held after two hundred.
#[test]
fn memory_and_descriptors_stay() {
    let more = "[train]\nepochs = 150\nbatch = 8\nlr_schedule = \"constant\"\n[checkpoint]\nsteps = 50\n";
    let d = ready("masked", more, 80);
    shared(&d, "north");
    shared(&d, "south");
    let held = || {
        let of = |party: usize| {
            let pid = d.pid(party);
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let rss = status
                .lines()
                .find_map(|l| l.strip_prefix("VmRSS:"))
                .and_then(|l| l.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
            (rss, fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count))
        };
        [0, 1, 2].map(of)
    };
    d.until("job.toml", LONG, "step 200", |s| s["steps"][0].as_u64() >= Some(200));
    let early = held();
    d.until("job.toml", LONG, "step 2200", |s| s["steps"][0].as_u64() >= Some(2200) || trained(s));
    let late = held();
    for ((rss, fds), (rss_late, fds_late)) in early.into_iter().zip(late) {
        let (Some(rss), Some(rss_late)) = (rss, rss_late) else { return println!("skipped: no /proc") };
        // 2 %, and a mebibyte for what the allocator does not give back.
        assert!(rss_late <= rss + rss / 50 + 1024, "resident: {rss} kB early, {rss_late} kB late");
        assert!(fds_late <= fds + 6, "descriptors: {fds} early, {fds_late} late");
    }
}

/// What is wrong with a file is told to its owner, and nothing of it leaves the machine.
#[test]
fn a_file_is_looked_at_before_it_is_shared() {
    let d = ready("masked", "", 60);
    let said = |out: &std::process::Output| String::from_utf8(out.stderr.clone()).unwrap();
    let out = d.run(&["data", "check", "north.csv", "--job", "job.toml"]);
    let (told, table) = (said(&out), String::from_utf8(out.stdout.clone()).unwrap());
    assert!(out.status.success(), "{told}");
    assert!(told.contains("60 records in 61 lines") && told.contains("48 records to train on and 12 held out"), "{told}");
    assert!(table.contains("class") && table.lines().count() > 6, "{table}");

    // Another unit: every value of a column is far out.
    let far: String = (0..60).map(|i| format!("1{i}00,0.5,0,0,{}\n", i % 2)).collect();
    d.write("far.csv", &format!("a,b,c,d,class\n{far}"));
    d.write("bad.csv", "a,b,c,d,class\n1,secret-word,0,0,0\n1,0,0,0,7\n");
    for (file, parts) in [
        ("far.csv", &["column \"a\": found 60 of 60 values beyond the range", "expected at most 1 %"][..]),
        ("bad.csv", &["bad.csv"]),
    ] {
        for args in
            [&["data", "check", file, "--job", "job.toml"][..], &["share", file, "--job", "job.toml", "--key", "keys/north.pem"]]
        {
            let line = d.refused(args);
            assert!(parts.iter().all(|part| line.contains(part)), "{args:?}: {line}");
        }
    }
    let out = d.run(&["data", "check", "bad.csv", "--job", "job.toml"]);
    assert!(said(&out).contains("line 2, column \"b\"") && said(&out).contains("line 3, column \"class\""), "{}", said(&out));
    assert_eq!(out.status.code(), Some(3));
    // No party has a record, or has heard of a value.
    let all = d.status("job.toml");
    assert!(all.iter().all(|s| s["missing"][0] == "records of north, south"), "{all:?}");
    for party in 0..3 {
        assert!(!d.log(party).contains("secret-word") && !d.log(party).contains("clipped"), "{}", d.log(party));
        assert!(entries(&d.audit(party), "uploaded").is_empty());
    }
    shared(&d, "north");
}

/// A batch is as large as the records, where these are few; and a figure that there is none of is named, with the reason.
#[test]
fn few_records_of_one_class() {
    let more = "[open]\nmetrics = [\"auc\", \"confusion\", \"recall\"]\nleast_records = 1\n[train]\nepochs = 2\nclass_weights = \"balanced\"\n";
    let d = ready("masked", more, 10);
    let few: String = (0..12).map(|i| format!("0.{i},0.5,-0.25,1,0\n")).collect();
    for owner in ["north", "south"] {
        d.write(&format!("{owner}.csv"), &format!("a,b,c,d,class\n{few}"));
        let out = d.share(owner, &format!("{owner}.csv"), "job.toml");
        let told = String::from_utf8(out.stderr).unwrap();
        assert!(out.status.success(), "{told}\n{}", d.logs());
        for part in ["10 records to train on are fewer than a batch of 32", "class \"1\" has no record"] {
            assert!(told.contains(part), "{told}");
        }
    }
    let all = d.until("job.toml", LONG, "trained", trained);
    // One step of all 20 records in each epoch.
    assert_eq!((&all[0]["steps"][0], &all[0]["steps"][2]), (&2.into(), &2.into()));
    assert_eq!(all[0]["not_opened"], serde_json::json!(["AUC: undefined, no positive among 4 held out"]));
    assert!((0..3).all(|party| d.log(party).contains("batches of 20 in place of 32")), "{}", d.logs());
    // Of several figures all are told to those who open them, and stand in their logs.
    for (party, status) in all.iter().enumerate() {
        let figures = status["figures"].as_array().unwrap();
        assert_eq!(figures.len(), if party == 2 { 0 } else { 3 });
        if party < 2 {
            let counts: Vec<Vec<u64>> = serde_json::from_value(figures[1]["counts"].clone()).unwrap();
            assert_eq!((counts[0].iter().sum::<u64>(), counts[1].iter().sum::<u64>()), (4, 0));
            assert_eq!(figures[2]["why"], "no record of 4 held out is in class 1");
            let audit = d.audit(party);
            assert!(entries(&audit, "opened").iter().all(|entry| entry["held out"].as_array().unwrap().len() == 3));
            let opens = entries(&audit, "session")[0]["opens"]["after each epoch"].to_string();
            assert!(opens.contains("records of each class taken for each") && opens.contains("recall of each class"), "{opens}");
        }
    }
}

/// What the template prints is a job, once it has members; a second owner's columns are printed alone.
#[test]
fn a_template_is_a_job() {
    let d = Deployment::new(&["north", "south"], 5);
    records(&d.path("north.csv"), 60, 0);
    let members = |text: String| {
        let text = text
            .replace("\"P0\", \"P1\", \"P2\"", "\"p0\", \"p1\", \"p2\"")
            .replace("\"owner-1\", \"owner-2\"", "\"north\", \"south\"");
        text.replace("\"model-owner\"", "\"research\"")
    };
    for args in [&["--label", "class"][..], &["--label", "a", "--task", "regression", "--without", "class"]] {
        let text = d.ok(&[&["job", "template", "north.csv"][..], args].concat());
        d.write("job.toml", &members(text));
        let shown = d.ok(&["job", "show", "job.toml"]);
        assert!(shown.contains("# SHA-256 of the job: "), "{shown}");
        let planned = &["plan", "job.toml", "--rows", "400", "--step-seconds", "0.001", "--links", "40ms,8Mbps"];
        let plan: Value = serde_json::from_str(&d.ok(&[&planned[..], &["--json"]].concat())).unwrap();
        // One of five records is held out; ten steps of 32 in each of ten epochs.
        assert_eq!((&plan["train_rows"], &plan["test_rows"], &plan["steps"]), (&320.into(), &80.into(), &100.into()));
        let of = |part: &str, figure: &str| plan[part][figure].as_u64().unwrap();
        let steps = (of("training", "bytes_total") - 10 * of("figures", "bytes_total")) / of("step", "bytes_total");
        // The first of an epoch may take less, and one at a lower rate another number of bits.
        assert!((90..=105).contains(&steps), "{plan}");
        let seconds = |what: &str| plan["seconds"]["training"][what].as_f64().unwrap();
        assert!((seconds("rounds") - 0.02 * of("training", "rounds") as f64).abs() < 1e-6, "{plan}");
        // What P2 sends ahead is on its way during the rounds.
        let in_rounds = plan["training"]["bytes_by_link"]["P0->P1"].as_f64().unwrap();
        assert!((seconds("transfer") - in_rounds / 1e6).abs() < 1e-6, "{plan}");
        let text = d.ok(planned);
        assert!(text.contains("training: 10 epochs, 100 steps") && text.contains(&of("step", "rounds").to_string()), "{text}");
    }
    // Dates are days and parts, and are told as dates.
    let dated: String = (1..29).map(|day| format!("{day:02}.02.2024,{}\n", day % 2)).collect();
    d.write("dated.csv", &format!("on,class\n{dated}"));
    let text = d.ok(&["job", "template", "dated.csv", "--label", "class"]);
    let column = "{ kind = \"date\", name = \"on\", format = \"%d.%m.%Y\", since = \"2000-01-01\", mean = 8810.5, deviation = 8.08, \
                  parts = [\"month\", \"weekday\"] }";
    assert!(text.contains(column), "{text}");
    d.write("dated.toml", &members(text));
    let table = d.ok(&["data", "check", "dated.csv", "--job", "dated.toml"]);
    assert!(table.contains("2024-02-01") && table.contains("8 days") && table.contains("2024-02-28"), "{table}");
    let alone = d.ok(&["job", "template", "north.csv", "--without", "class,a"]);
    assert!(alone.starts_with("columns = [\n  { kind = \"number\", name = \"b\", mean = "), "{alone}");
}
