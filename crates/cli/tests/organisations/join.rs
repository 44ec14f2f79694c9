//! Owners with columns of some of the same people, in files of any order: joined by identifiers that nobody is shown, through the program.

use crate::deployment::{Deployment, trained};
use crate::{LONG, entries, files, job_folder, ready_without_approval};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

/// The first customer's number: it is looked for in all that the parties write.
const FIRST: usize = 77_000_000;

const JOB: &str = r#"
name = "frauds"
party = ["p0", "p1", "p2"]
model_owner = "research"

[[owner]]
name = "bank"
columns = ["paid"]
label = true

[[owner]]
name = "telecom"
columns = ["roams", "calls"]

[train]
hidden = [8]
epochs = 15

[open]
least_records = 1

[data]
task = "classification"
partition = "vertical"
id = "customer"
label = "fraud"
classes = ["no", "yes"]
columns = [
    { kind = "number", name = "paid", mean = 0, deviation = 1 },
    { kind = "number", name = "roams", mean = 0, deviation = 1 },
    { kind = "number", name = "calls", mean = 0, deviation = 1 },
]
"#;

/// Two owners and three parties that log all that they can. The bank has customers 0 to 399, the telephone company 150 to 499; what is a fraud
/// shows in the telephone company's columns alone, so that rows of two different customers teach nothing.
fn joining() -> Deployment {
    let mut d = Deployment::new(&["bank", "telecom"], 5);
    let fraud = |i: usize| i.count_ones() % 2 == 1;
    // In different orders; and one of them writes numbers with leading zeros.
    let bank: String = (0..400)
        .map(|n| n * 7 % 400)
        .map(|i| format!("{:.2},00{},{}\n", (i % 13) as f64 / 6.5 - 1.0, FIRST + i, if fraud(i) { "yes" } else { "no" }))
        .collect();
    d.write("bank.csv", &format!("paid,customer,fraud\n{bank}"));
    let telecom: String = (150..500)
        .rev()
        .map(|i| {
            let (sign, wobble) = (if fraud(i) { 1.0 } else { -1.0 }, (i * 37 % 100) as f64 / 100.0);
            format!("{},{:.2},{:.2}\n", FIRST + i, sign + wobble, 2.0 * sign - wobble)
        })
        .collect();
    d.write("telecom.csv", &format!("customer,roams,calls\n{telecom}"));
    d.write("job.toml", JOB);
    for party in 0..3 {
        let config = fs::read_to_string(d.path(&format!("p{party}.toml"))).unwrap();
        d.write(&format!("p{party}.toml"), &format!("{config}log = \"trace\"\n"));
        d.start(party, Some("job.toml"));
    }
    d
}

fn share(d: &Deployment, owner: &str) -> Child {
    let args = ["share", &format!("{owner}.csv"), "--job", "job.toml", "--key", &format!("keys/{owner}.pem"), "--json"];
    d.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Reads what it says until it says this.
fn says(child: &mut Child, words: &str) {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains(words)), "it ended without {words:?}");
    // The rest is read, too, lest it stand still.
    std::thread::spawn(move || lines.for_each(drop));
}

fn shared(d: &Deployment, child: Child) -> Value {
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "{}\n{}", String::from_utf8_lossy(&out.stderr), d.logs());
    serde_json::from_slice(&out.stdout).unwrap()
}

/// Whether some file of a folder has this text in it.
fn holds(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| match path.is_dir() {
        true => holds(&path, text),
        false => fs::read(&path).unwrap_or_default().windows(text.len()).any(|bytes| bytes == text.as_bytes()),
    })
}

#[test]
fn rows_are_joined_whatever_dies() {
    let mut d = joining();
    // The bank is first: it waits, its process dies, and so does a party that has evaluated for it.
    let mut bank = share(&d, "bank");
    says(&mut bank, "waiting for the identifiers of telecom");
    bank.kill().unwrap();
    bank.wait().unwrap();
    for party in [0, 2] {
        d.signal(party, "KILL");
        d.start(party, None);
    }
    // The same command goes on, and another owner's is started again before it has ended.
    let mut bank = share(&d, "bank");
    says(&mut bank, "waiting for the identifiers of telecom");
    let telecom = share(&d, "telecom");
    let [bank, telecom] = [shared(&d, bank), shared(&d, telecom)];
    for receipt in [&bank, &telecom] {
        // 250 customers are at both; every fifth of them is held out.
        assert_eq!((&receipt["summary"]["train_rows"], &receipt["summary"]["test_rows"]), (&200.into(), &50.into()));
    }
    let all = d.until("job.toml", LONG, "trained", trained);
    // Labels and the columns that tell them are of the same customers.
    assert!(all[0]["last"]["metric"].as_f64().unwrap() >= 0.95, "{all:?}");
    for party in 0..3 {
        let audit = d.audit(party);
        let rows: Vec<u64> = entries(&audit, "rows to join").iter().map(|e| e["rows"].as_u64().unwrap()).collect();
        assert_eq!(rows, [400, 350], "P{party}");
        assert_eq!(entries(&audit, "pseudonyms").len(), if party == 2 { 2 } else { 0 });
        assert_eq!(files(job_folder(&d, party)).iter().map(|f| f.file_name().unwrap()).collect::<Vec<_>>(), ["model.sealed"]);
        for customer in [0, 150, 399, 499] {
            let number = (FIRST + customer).to_string();
            assert!(!d.log(party).contains(&number) && !holds(&d.path(&format!("data{party}")), &number), "P{party}: {number}");
        }
    }
    let again = d.refused(&["share", "bank.csv", "--job", "job.toml", "--key", "keys/bank.pem"]);
    assert!(again.contains("the job is trained"), "{again}");
}

/// What is wrong with identifiers is said before anything leaves the machine; who waits for nobody is told how to go on.
#[test]
fn identifiers_that_are_none() {
    let d = joining();
    let text = fs::read_to_string(d.path("bank.csv")).unwrap();
    let refused = |from: &str, to: &str| {
        let altered = text.replacen(from, to, 1);
        assert_ne!(altered, text);
        d.write("altered.csv", &altered);
        d.refused(&["share", "altered.csv", "--job", "job.toml", "--key", "keys/bank.pem"])
    };
    // Records 2 and 3 of the file are customers 7 and 14.
    let twice = refused(",0077000014,", ",77000007,");
    assert!(
        twice.contains(
            "altered.csv: line 4, column \"customer\": found \"77000007\" again, expected each identifier once: record 2 has it"
        ),
        "{twice}"
    );
    assert!(refused(",0077000014,", ",,").contains("line 4, column \"customer\": found a missing value, expected an identifier"));
    assert!([0, 1, 2].iter().all(|party| entries(&d.audit(*party), "rows to join").is_empty()));
    let args = ["share", "bank.csv", "--job", "job.toml", "--key", "keys/bank.pem", "--wait", "1"];
    let waited = d.refused(&args);
    assert!(
        waited.contains("found no identifiers of telecom within 1 s, expected them; the same command goes on from here"),
        "{waited}"
    );
    // Its rows are committed: with one more it would have another try at somebody.
    d.write("altered.csv", &(text.clone() + "0.5,1,no\n"));
    let more = d.refused(&["share", "altered.csv", "--job", "job.toml", "--key", "keys/bank.pem"]);
    assert!(more.contains("found 401 rows, expected 400 as first committed"), "{more}");
    // Nor another in place of one.
    d.write("altered.csv", &text.replacen(",0077000014,", ",1,", 1));
    let other = d.refused(&["share", "altered.csv", "--job", "job.toml", "--key", "keys/bank.pem"]);
    assert!(other.contains("batch 0: found other identifiers than before"), "{other}");
    // In another order they are the same to everybody.
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1..].reverse();
    d.write("altered.csv", &(lines.join("\n") + "\n"));
    let args = ["share", "altered.csv", "--job", "job.toml", "--key", "keys/bank.pem", "--wait", "1"];
    assert!(d.refused(&args).contains("found no identifiers of telecom"));
}

/// Owners of whole records, some of which both have: the second leaves its copies out, and is told how many; and what is left trains.
#[test]
fn doubles_are_left_out() {
    let mut d = ready_without_approval(300);
    for (from, owner) in [(0, "north"), (200, "south")] {
        let text = fs::read_to_string(d.path(&format!("{owner}.csv"))).unwrap();
        let row = |(i, line): (usize, &str)| if i == 0 { format!("{line},id\n") } else { format!("{line},{}\n", from + i) };
        d.write(&format!("{owner}.csv"), &text.lines().enumerate().map(row).collect::<String>());
    }
    d.columns = format!("id = \"id\"\ndoubles = \"leave-out\"\n{}", d.columns);
    d.job("job.toml", "a job", "masked", "");
    for party in ["p0", "p1", "p2"] {
        d.ok(&["job", "approve", "job.toml", "--key", &format!("keys/{party}.pem")]);
    }
    let [north, south] = std::thread::scope(|scope| {
        ["north", "south"]
            .map(|owner| {
                scope.spawn({
                    let d = &d;
                    move || d.share(owner, &format!("{owner}.csv"), "job.toml")
                })
            })
            .map(|shared| shared.join().unwrap())
    });
    let said = |out: &std::process::Output| String::from_utf8(out.stderr.clone()).unwrap();
    assert!(north.status.success() && south.status.success(), "{}\n{}\n{}", said(&north), said(&south), d.logs());
    assert!(said(&north).contains("0 of 300 records are at an owner before this one too"), "{}", said(&north));
    assert!(said(&south).contains("100 of 300 records are at an owner before this one too, and left out"), "{}", said(&south));
    let all = d.until("job.toml", LONG, "trained", trained);
    assert!(all[0]["last"]["metric"].as_f64().unwrap() >= 0.9, "{all:?}");
    // Of 500 records a fifth of each owner's is held out.
    let audit = d.audit(2);
    let rows: u64 = entries(&audit, "uploaded")
        .iter()
        .map(|e| e["rows"]["train_rows"].as_u64().unwrap() + e["rows"]["test_rows"].as_u64().unwrap())
        .sum();
    assert_eq!(rows, 500, "{audit:?}");
}
