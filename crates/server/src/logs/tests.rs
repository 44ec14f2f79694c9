use super::*;
use serde_json::{Value, json};
use std::path::PathBuf;
use tempfile::TempDir;
use trefoil_client::JobHash;
use trefoil_client::approval::{Approval, Role};
use trefoil_net::identity::Identity;
use trefoil_store::audit;

/// Three parties' logs of one job, as they write them, with a head exchanged at the start and the end of its session.
struct World {
    dir: TempDir,
    parties: [Identity; 3],
    owner: Identity,
    job: JobHash,
}

impl World {
    fn new() -> World {
        let identity = |name: &str| Identity::generate(name).unwrap();
        World {
            dir: tempfile::tempdir().unwrap(),
            parties: ["P0", "P1", "P2"].map(identity),
            owner: identity("owner"),
            job: JobHash([0xab; 32]),
        }
    }

    fn path(&self, party: usize) -> PathBuf {
        self.dir.path().join(format!("{party}.jsonl"))
    }

    /// Writes all three logs; `change` is given each party's number and event, and may make another of it, or none.
    fn write(&self, change: impl Fn(usize, Value) -> Option<Value>) -> [Log; 3] {
        let mut logs = [0, 1, 2].map(|i| {
            let _ = std::fs::remove_file(self.path(i));
            audit::Log::open(self.path(i)).unwrap()
        });
        let signed = |key: &Identity, role| {
            let mut event = serde_json::to_value(Approval::sign(key, self.job, role).unwrap()).unwrap();
            event["what"] = "approved".into();
            event
        };
        let approvals: Vec<Value> =
            [Role::P0, Role::P1, Role::P2].into_iter().zip(&self.parties).map(|(role, key)| signed(key, role)).collect();
        let owner = signed(&self.owner, Role::DataOwner);
        let note = |logs: &mut [audit::Log; 3], i: usize, event: Value| {
            if let Some(event) = change(i, event) {
                logs[i].append(&event).unwrap();
            }
        };
        let heads = |logs: &[audit::Log; 3], when: &str| {
            json!({
                "what": "heads", "job": self.job, "session": "5e55", "when": when,
                "P0": hex::encode(logs[0].last()), "P1": hex::encode(logs[1].last()), "P2": hex::encode(logs[2].last()),
                "entries": { "P0": logs[0].entries(), "P1": logs[1].entries(), "P2": logs[2].entries() },
            })
        };
        for i in 0..3 {
            note(&mut logs, i, json!({ "what": "started", "fingerprint": self.parties[i].fingerprint() }));
            note(&mut logs, i, approvals[i].clone());
            note(&mut logs, i, json!({ "what": "refused", "job": self.job, "why": "nobody" }));
            let upload = json!({
                "what": "uploaded", "job": self.job, "by": self.owner.fingerprint(), "upload": "00ff",
                "rows": { "train_rows": 8 }, "sha256": i.to_string(),
            });
            note(&mut logs, i, owner.clone());
            note(&mut logs, i, upload);
            for other in (0..3).filter(|other| *other != i) {
                note(&mut logs, i, approvals[other].clone());
            }
        }
        let start = heads(&logs, "start");
        for i in 0..3 {
            note(&mut logs, i, start.clone());
            note(
                &mut logs,
                i,
                json!({ "what": "session", "job": self.job, "session": "5e55", "from step": 0, "opens": ["loss"] }),
            );
            if i < 2 {
                let figures = json!({ "epoch": 1, "loss": 0.5 });
                note(&mut logs, i, json!({ "what": "opened", "job": self.job, "figures": figures }));
            }
            note(&mut logs, i, json!({ "what": "trained", "job": self.job, "model": "aa" }));
        }
        let end = heads(&logs, "end");
        for i in 0..3 {
            note(&mut logs, i, end.clone());
            note(&mut logs, i, json!({ "what": "model share given", "job": self.job, "to": "m", "model": "aa" }));
        }
        drop(logs);
        [0, 1, 2].map(|i| Log::read(&self.path(i)).unwrap())
    }
}

#[test]
fn logs_that_agree() {
    let world = World::new();
    let logs = world.write(|_, event| Some(event));
    assert_eq!(compare(&logs).unwrap(), Common { jobs: 1, sessions: 1, heads: 18 });
    // In any order, and two of them.
    let [a, b, c] = logs;
    assert_eq!(compare(&[c, a]).unwrap(), Common { jobs: 1, sessions: 1, heads: 8 });
    assert!(compare(&[b]).is_ok());
    // One that was copied earlier lacks lines that it must not have had yet; heads were told later than that.
    let text = std::fs::read_to_string(world.path(2)).unwrap();
    let early: String = text.split_inclusive('\n').take(7).collect();
    std::fs::write(world.path(2), early).unwrap();
    let logs = [1, 2].map(|i| Log::read(&world.path(i)).unwrap());
    let e = compare(&logs).unwrap_err().to_string();
    assert!(e.contains("P2's head at the end of session 5e55") && e.contains("7 lines in all"), "{e}");
}

/// Each contradiction is found by its own line, and named.
#[test]
fn contradictions_are_named() {
    let world = World::new();
    let set = |what: &'static str, pointer: &'static str, to: Value| {
        move |i: usize, mut event: Value| {
            if i == 1 && event["what"] == what {
                *event.pointer_mut(pointer).unwrap() = to.clone();
            }
            Some(event)
        }
    };
    let drops = |what: &'static str| move |i: usize, event: Value| (i != 1 || event["what"] != what).then_some(event);
    type Change<'a> = Box<dyn Fn(usize, Value) -> Option<Value> + 'a>;
    let by = world.owner.fingerprint();
    let changes: [(Change<'_>, String); 14] = [
        (Box::new(drops("session")), "session 5e55: found none in its first 10 lines, expected one, as in ".into()),
        (
            Box::new(set("model share given", "/model", "bb".into())),
            "1.jsonl, line 13: model: found \"bb\", expected one that was trained before".into(),
        ),
        (Box::new(set("opened", "/figures/loss", 0.25.into())), "1.jsonl, line 10: figures of epoch 1: found {".into()),
        (
            Box::new(set("uploaded", "/upload", "0000".into())),
            format!("1.jsonl, line 5: upload, upload of {by} before session 5e55: found \"0000\", expected \"00ff\", as in "),
        ),
        (Box::new(set("uploaded", "/rows/train_rows", 9.into())), "rows, upload of".into()),
        (Box::new(drops("uploaded")), "1.jsonl, line 8: upload of ".into()),
        (
            Box::new(set("session", "/from step", 5.into())),
            "1.jsonl, line 9: from step of session 5e55: found 5, expected 0".into(),
        ),
        (Box::new(set("session", "/opens", json!([]))), "opens of session 5e55: found [], expected [\"loss\"]".into()),
        (Box::new(set("trained", "/model", "bb".into())), "1.jsonl, line 11: model: found \"bb\", expected \"aa\"".into()),
        (Box::new(set("model share given", "/to", "x".into())), "1.jsonl, line 13: to: found \"x\", expected \"m\"".into()),
        (Box::new(set("heads", "/P0", "00".repeat(32).into())), "P0 at the end of session 5e55: found \"0000".into()),
        (Box::new(set("heads", "/entries/P2", 6.into())), "entries at the end of session 5e55".into()),
        (
            Box::new(|i, event| (i != 1 || event["role"] != "data owner").then_some(event)),
            format!("approval of data owner {by} before session 5e55: found none, expected one, as in "),
        ),
        (
            Box::new(|i, mut event| {
                // All three are told the same, and it is not what P1 has.
                if event["what"] == "heads" {
                    event["P1"] = "11".repeat(32).into();
                }
                let _ = i;
                Some(event)
            }),
            "P1's head at the end of session 5e55: found 1111".into(),
        ),
    ];
    for (change, words) in changes {
        let e = compare(&world.write(change)).unwrap_err();
        assert!(e.to_string().contains(&words) && !e.to_string().contains('\n') && e.exit_code() == 3, "{words}: {e}");
    }
}

/// A party that writes its log anew after the others were told its head.
#[test]
fn a_log_that_was_written_anew() {
    let world = World::new();
    world.write(|_, event| Some(event));
    let path = world.path(0);
    let events: Vec<Value> = audit::read(&path).unwrap().map(|e| e.unwrap().event).collect();
    std::fs::remove_file(&path).unwrap();
    let mut anew = audit::Log::open(&path).unwrap();
    // One refusal is left out.
    events.iter().filter(|e| e["what"] != "refused").for_each(|e| anew.append(e).unwrap());
    drop(anew);
    let logs = [0, 1, 2].map(|i| Log::read(&world.path(i)).unwrap());
    let e = compare(&logs).unwrap_err().to_string();
    assert!(e.contains("P0's head at the end of session 5e55") && e.contains("0.jsonl has after"), "{e}");
}

#[test]
fn logs_that_are_none() {
    let world = World::new();
    let logs = world.write(|_, event| (event["what"] != "started").then_some(event));
    assert!(compare(&logs).unwrap_err().to_string().contains("found no start that names a certificate"));
    let [a, ..] = world.write(|_, event| Some(event));
    let again = Log::read(&world.path(0)).unwrap();
    assert!(compare(&[a, again]).unwrap_err().to_string().contains("expected another than that of"));
    // An approval that nobody has signed.
    for altered in ["time", "role", "job", "signature", "nothing"] {
        let change = |i: usize, mut event: Value| {
            if i == 2 && event["what"] == "approved" && event["role"] == "data owner" {
                match altered {
                    "time" => event["time"] = 1_900_000_000.into(),
                    "role" => event["role"] = "model owner".into(),
                    "job" => event["job"] = "00".repeat(32).into(),
                    "signature" => event["signature"] = event["signature"].as_str().unwrap().replace('0', "1").into(),
                    _ => event = json!({ "what": "approved", "job": event["job"], "by": event["by"] }),
                }
            }
            Some(event)
        };
        let all = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.write(change)));
        assert!(all.is_err());
        let e = Log::read(&world.path(2)).err().unwrap();
        assert!(e.to_string().contains("2.jsonl, line 4: approval: found ") && e.exit_code() == 3, "{altered}: {e}");
    }
}

#[test]
fn since_an_earlier_head() {
    let world = World::new();
    let [log, ..] = world.write(|_, event| Some(event));
    assert_eq!(log.since(&hex::encode(log.head())).unwrap().entries, log.entries());
    assert_eq!(log.since(&hex::encode(log.heads[3])).unwrap().entries, 3);
    assert!(log.since(&"00".repeat(32)).is_ok_and(|then| then.entries == 0));
    let e = log.since(&"01".repeat(32)).unwrap_err();
    assert!(e.to_string().contains(": head: found another at each line, expected 0101") && e.exit_code() == 3, "{e}");
    assert!(log.since("0g").unwrap_err().to_string().contains("64 hexadecimal digits"));
}

/// Approvals are read from a log and from a list, and checked in both.
#[test]
fn approvals_of_a_file() {
    let world = World::new();
    world.write(|_, event| Some(event));
    let all = approvals(&world.path(0)).unwrap();
    assert_eq!(all.len(), 4);
    let list = world.dir.path().join("list.json");
    std::fs::write(&list, serde_json::to_string_pretty(&all).unwrap()).unwrap();
    assert_eq!(approvals(&list).unwrap(), all);
    let altered = Approval { time: all[0].time + 1, ..all[0].clone() };
    std::fs::write(&list, serde_json::to_string(&[altered]).unwrap()).unwrap();
    assert!(approvals(&list).unwrap_err().to_string().starts_with("approval of P0 "));
    std::fs::write(&list, "[1]").unwrap();
    assert!(approvals(&list).unwrap_err().to_string().contains("expected signed approvals"));
}
