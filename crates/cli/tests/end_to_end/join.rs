//! Owners' identifiers at real parties: what comes of them is a plain join, what is hostile is refused in one line, and limits hold over restarts
//! and jobs.

use crate::common::{PATIENCE, PartyProcess, approve, job, owner, status};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use trefoil_client::approval::{Approval, Role};
use trefoil_client::join::{Joining, Matched};
use trefoil_client::request::{self, Request};
use trefoil_client::share::dial;
use trefoil_client::{Address, Result, pieces};
use trefoil_data::schema::{Doubles, Partition};
use trefoil_job::Job;
use trefoil_join::BATCH;
use trefoil_join::oprf::{Element, Key};
use trefoil_lab::demo::job::Keys;
use trefoil_net::identity::Identity;
use trefoil_net::tls::Stream;
use trefoil_net::{At, Frame, Id, Part};

/// A job of columns, whose rows are joined.
fn vertical(keys: &Keys, addresses: &[String; 3], name: &str) -> Job {
    let mut job = job(keys, addresses);
    job.name = name.into();
    job.data.partition = Partition::Vertical;
    job.data.id = Some("id".into());
    job.owner = vec![owner("bank", &keys.owners[0]), owner("telecom", &keys.owners[1])];
    job.owner[0].columns = vec!["a".into(), "b".into()];
    job.owner[1].columns = vec!["c".into(), "d".into()];
    job.owner[1].label = true;
    job
}

fn parties(keys: &Keys, config: &str) -> ([PartyProcess; 3], [String; 3]) {
    let mut parties = keys.parties.each_ref().map(|key| PartyProcess::start(key, config));
    let addresses = parties.each_mut().map(PartyProcess::address);
    (parties, addresses)
}

fn approved(job: &Job, keys: &Keys) {
    Id::ALL.into_iter().for_each(|id| approve(job, id, keys));
}

fn signed(job: &Job, key: &Identity) -> Approval {
    Approval::sign(key, job.hash(), Role::DataOwner).unwrap()
}

fn join(job: &Job, key: &Identity, identifiers: &[String]) -> Result<Vec<u32>> {
    let identifiers: Vec<Vec<u8>> = identifiers.iter().map(|x| x.clone().into_bytes()).collect();
    let (parties, approval) = (job.addresses(), signed(job, key));
    Joining { parties: &parties, identity: key, approval: &approval, patience: PATIENCE, pad: job.data.pad }
        .run(&identifiers, &mut |_| Ok(()))
}

fn both(job: &Job, keys: &Keys, of: [&[String]; 2]) -> [Vec<u32>; 2] {
    std::thread::scope(|scope| {
        let other = scope.spawn(|| join(job, &keys.owners[1], of[1]).unwrap());
        [join(job, &keys.owners[0], of[0]).unwrap(), other.join().unwrap()]
    })
}

/// So many names, from one on, in an order that has nothing to do with it.
fn names(from: usize, count: usize, stride: usize) -> Vec<String> {
    (0..count).map(|i| format!("customer {}", from + i * stride % count)).collect()
}

/// Check 34.
#[test]
fn a_join_is_a_plain_join() {
    let keys = Keys::generate(2).unwrap();
    let (_parties, addresses) = parties(&keys, "");
    // More than a batch at one of them.
    let cases = [
        (names(0, BATCH + 700, 11), names(BATCH, 1500, 7)),
        (names(0, 300, 7), names(0, 300, 11)),
        (names(0, 30, 7), names(30, 30, 7)),
        (names(5, 1, 1), names(0, 30, 7)),
        (names(5, 1, 1), names(5, 1, 1)),
    ];
    for (n, (of_bank, of_telecom)) in cases.iter().enumerate() {
        let job = vertical(&keys, &addresses, &format!("join {n}"));
        approved(&job, &keys);
        let [bank, telecom] = both(&job, &keys, [of_bank, of_telecom]);
        let named = |rows: &[u32], of: &[String]| rows.iter().map(|row| of[*row as usize].clone()).collect::<Vec<_>>();
        let joined = named(&bank, of_bank);
        assert_eq!(joined, named(&telecom, of_telecom));
        let [a, b] = [of_bank, of_telecom].map(|of| of.iter().cloned().collect::<BTreeSet<_>>());
        assert_eq!(joined.len(), joined.iter().collect::<BTreeSet<_>>().len());
        assert_eq!(joined.iter().cloned().collect::<BTreeSet<_>>(), &a & &b);
        // The order is nobody's.
        let mut sorted = joined.clone();
        sorted.sort();
        assert!(joined.len() < 100 || (joined != sorted && bank.windows(2).any(|two| two[0] > two[1])));
        // Asked again, the same.
        assert_eq!(join(&job, &keys.owners[0], of_bank).unwrap(), bank);
    }
}

/// Owners that make up their number of rows have the same join, and no party hears how many rows they have.
#[test]
fn a_padded_join_is_the_same() {
    let keys = Keys::generate(2).unwrap();
    let (parties, addresses) = parties(&keys, "");
    let mut job = vertical(&keys, &addresses, "padded");
    job.data.pad = Some(500);
    approved(&job, &keys);
    let of = [names(0, 300, 7), names(200, 120, 11)];
    let [bank, telecom] = both(&job, &keys, [&of[0], &of[1]]);
    let named = |rows: &[u32], of: &[String]| rows.iter().map(|row| of[*row as usize].clone()).collect::<Vec<_>>();
    let joined = named(&bank, &of[0]);
    assert_eq!(joined, named(&telecom, &of[1]));
    let expected: BTreeSet<String> = (200..300).map(|i| format!("customer {i}")).collect();
    assert_eq!((joined.len(), joined.into_iter().collect::<BTreeSet<_>>()), (100, expected));
    // Asked again, the same, after the owner has forgotten all.
    assert_eq!(join(&job, &keys.owners[0], &of[0]).unwrap(), bank);
    for party in &parties {
        let lines: Vec<String> = party.audit().lines().filter(|line| line.contains("rows")).map(str::to_owned).collect();
        assert!(lines.iter().all(|line| line.contains("\"rows\":500")) && lines.len() >= 2, "{lines:?}");
    }
    // More rows than that, and another number than the job's.
    let mut small = vertical(&keys, &addresses, "too small");
    small.data.pad = Some(200);
    approved(&small, &keys);
    one_line(join(&small, &keys.owners[0], &of[0]), "found 300 rows, expected at most 200");
    one_line(public_key(&small, Id::P0, &keys.owners[0], 120), "found 120 rows, expected 200");
}

/// Owners of whole records: what an owner before has is not an owner's, and is told to nobody else.
#[test]
fn doubles_are_left_out() {
    let keys = Keys::generate(3).unwrap();
    let (_parties, addresses) = parties(&keys, "");
    let mut job = crate::common::job(&keys, &addresses);
    (job.name, job.data.id, job.data.doubles) = ("doubles".into(), Some("id".into()), Doubles::LeaveOut);
    job.owner = ["first", "second", "third"].iter().zip(&keys.owners).map(|(name, key)| owner(name, key)).collect();
    approved(&job, &keys);
    let of = [names(0, 100, 7), names(80, 100, 11), names(50, 150, 7)];
    let found: Vec<Vec<u32>> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..3)
            .map(|i| {
                scope.spawn({
                    let (job, keys, of) = (&job, &keys, &of);
                    move || join(job, &keys.owners[i], &of[i]).unwrap()
                })
            })
            .collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let mut seen = BTreeSet::new();
    for (rows, of) in found.iter().zip(&of) {
        let kept: BTreeSet<String> = rows.iter().map(|row| of[*row as usize].clone()).collect();
        let all: BTreeSet<String> = of.iter().cloned().collect();
        assert_eq!(kept, &all - &seen);
        assert_eq!(kept.len(), rows.len());
        seen.extend(all);
    }
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [100, 80, 20]);
}

/// Another job, other keys: a pseudonym of one says nothing of another's.
fn public_key(job: &Job, id: Id, key: &Identity, rows: u64) -> Result<Option<String>> {
    let request = Request::Join { job: job.hash(), rows, approval: signed(job, key) };
    request::call(&job.addresses()[id.index()], key, PATIENCE, &request)
}

struct Talk<'a> {
    job: &'a Job,
    key: &'a Identity,
}

impl Talk<'_> {
    fn address(&self, id: Id) -> Address {
        self.job.addresses()[id.index()].clone()
    }

    fn open(&self, id: Id, rows: u64) -> Stream {
        let mut stream = dial(&self.address(id), self.key, PATIENCE).unwrap();
        let request = Request::Join { job: self.job.hash(), rows, approval: signed(self.job, self.key) };
        let _: Option<String> = request::ask(&mut stream, &request).unwrap();
        stream
    }

    /// What P0 says to such a frame after it was told of so many rows.
    fn say(&self, rows: u64, batch: u64, label: &'static str, elements: &[Element]) -> std::result::Result<Vec<u64>, String> {
        let mut stream = self.open(Id::P0, rows);
        let words: Vec<u64> = elements.as_flattened().chunks(8).map(|w| u64::from_le_bytes(w.try_into().unwrap())).collect();
        let at = At { step: batch, op: elements.len() as u32 };
        stream.write_frame(&Frame { at, depth: 0, label: label.into(), parts: vec![Part::words(&words)] }).unwrap();
        let answer = stream.read_frame(1 << 20).unwrap().unwrap();
        match &*answer.label {
            "client.evaluated" => Ok(answer.parts[0].to_words(4 * elements.len()).unwrap()),
            "client.refused" => {
                let text = &answer.parts[0];
                Err(text.to_bits(text.len(), 8).unwrap().into_iter().map(|b| b as u8 as char).collect())
            }
            other => panic!("{other}"),
        }
    }

    fn pseudonyms(&self, id: Id, bytes: &[u8], sha256: &str) -> std::result::Result<(), String> {
        let request = Request::Pseudonyms { job: self.job.hash(), sha256: sha256.into() };
        pieces::give(&self.address(id), self.key, PATIENCE, &request, bytes).map_err(|e| e.to_string())
    }
}

fn one_line(refused: std::result::Result<impl Sized, impl ToString>, words: &str) {
    let text = refused.map(|_| ()).map_err(|e| e.to_string()).unwrap_err();
    assert!(text.contains(words) && !text.contains('\n'), "{words:?} is not in {text:?}");
}

#[test]
fn what_is_hostile_is_refused() {
    let keys = Keys::generate(2).unwrap();
    let (mut parties, addresses) = parties(&keys, "");
    let job = vertical(&keys, &addresses, "hostile");
    let bank = &keys.owners[0];
    let talk = Talk { job: &job, key: bank };
    approved(&job, &keys);
    // Numbers of rows.
    one_line(public_key(&job, Id::P0, bank, 0), "found 0 rows, expected 1 to");
    one_line(public_key(&job, Id::P0, bank, u64::MAX), "expected 1 to");
    one_line(public_key(&job, Id::P0, bank, 10_000_001), "the operator's most_joined_rows");
    let [k0, k1] = [Id::P0, Id::P1].map(|id| public_key(&job, id, bank, 2).unwrap().unwrap());
    assert!(k0 != k1 && public_key(&job, Id::P2, bank, 2).unwrap().is_none());
    one_line(public_key(&job, Id::P0, bank, 3), "found 3 rows, expected 2 as first committed");
    // Who is none of the owners.
    one_line(public_key(&job, Id::P0, &keys.model_owner, 2), "joined by the job's data owners");
    let horizontal = Job { name: "horizontal".into(), ..crate::common::job(&keys, &addresses) };
    approved(&horizontal, &keys);
    one_line(public_key(&horizontal, Id::P0, bank, 2), "are not joined by identifiers");
    // Batches.
    let [a, b, c] = [(); 3].map(|()| Key::fresh().unwrap().public());
    one_line(talk.say(2, 0, "client.blinded", &[a, [0; 32]]), "batch 0: element 1: found the identity");
    one_line(talk.say(2, 0, "client.blinded", &[[0xff; 32], a]), "batch 0: element 0: found other bytes");
    one_line(talk.say(2, 0, "client.blinded", &[a]), "expected 2 elements of 32 bytes");
    one_line(talk.say(2, 0, "client.blinded", &[a, b, c]), "expected 2 elements of 32 bytes");
    one_line(talk.say(2, 1, "client.blinded", &[a, b]), "found batch 1 of");
    one_line(talk.say(2, u64::MAX, "client.blinded", &[a, b]), "of 2 rows");
    one_line(talk.say(2, 0, "client.rows", &[a, b]), "client.rows");
    let evaluated = talk.say(2, 0, "client.blinded", &[a, b]).unwrap();
    one_line(talk.say(2, 0, "client.blinded", &[a, c]), "found other identifiers than before");
    // Nor after the party was killed; but the same again.
    parties[0].again(&keys.parties[0], |_| ());
    let mut moved = job.clone();
    moved.party[0].address = Some(parties[0].address());
    let talk = Talk { job: &moved, key: bank };
    one_line(talk.say(2, 0, "client.blinded", &[b, a]), "found other identifiers than before");
    assert_eq!(talk.say(2, 0, "client.blinded", &[a, b]).unwrap(), evaluated);
    // Lists of pseudonyms.
    let list = |of: [u8; 2]| of.map(|v| [v; 16]).concat();
    let hash = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
    let good = list([1, 2]);
    one_line(talk.pseudonyms(Id::P0, &good, &hash(&good)), "matched by P2; this is P0");
    let of_telecom = Talk { job: &moved, key: &keys.owners[1] };
    one_line(of_telecom.pseudonyms(Id::P2, &good, &hash(&good)), "expected the number of rows first");
    for bad in [list([2, 1]), list([1, 1])] {
        one_line(talk.pseudonyms(Id::P2, &bad, &hash(&bad)), "pseudonym 1: found one that is not above the one before");
    }
    one_line(talk.pseudonyms(Id::P2, &good, &hash(b"another")), "others than were announced");
    talk.pseudonyms(Id::P2, &good, &hash(&good)).unwrap();
    talk.pseudonyms(Id::P2, &good, &hash(&good)).unwrap();
    one_line(talk.pseudonyms(Id::P2, &list([1, 3]), &hash(&list([1, 3]))), "found other pseudonyms than before");
    let joined = Request::Joined { job: job.hash() };
    let matched: Matched = request::call(&talk.address(Id::P2), bank, PATIENCE, &joined).unwrap();
    assert_eq!((matched.missing, matched.joined), (vec!["telecom".to_owned()], 0));
    // Other keys in another job.
    let other = vertical(&keys, &addresses.clone(), "another");
    let other = Job { party: moved.party.clone(), ..other };
    approved(&other, &keys);
    let of_other = [Id::P0, Id::P1].map(|id| public_key(&other, id, bank, 2).unwrap().unwrap());
    assert!(of_other[0] != k0 && of_other[1] != k1 && !of_other.contains(&k0));
    assert!(status(&moved, Id::P0, &keys).state == trefoil_server::record::State::Waiting);
}

/// An owner has so many rows evaluated in all jobs together, and its operator sees how many.
#[test]
fn limits_hold_over_jobs() {
    let keys = Keys::generate(2).unwrap();
    let (mut parties, addresses) = parties(&keys, "most_joined_rows = 10");
    let bank = &keys.owners[0];
    let [one, two, three] = ["one", "two", "three"].map(|name| {
        let job = vertical(&keys, &addresses, name);
        approved(&job, &keys);
        job
    });
    public_key(&one, Id::P0, bank, 6).unwrap();
    one_line(public_key(&two, Id::P0, bank, 5), "found 5 rows, 11 with those of the owner's other jobs, expected at most 10");
    public_key(&two, Id::P0, bank, 4).unwrap();
    // Whatever became of the first, and of the party.
    let cancel = Request::Cancel { job: one.hash() };
    request::call::<()>(&one.addresses()[0], bank, PATIENCE, &cancel).unwrap();
    parties[0].again(&keys.parties[0], |_| ());
    let mut three = three;
    three.party[0].address = Some(parties[0].address());
    one_line(public_key(&three, Id::P0, bank, 1), "11 with those of the owner's other jobs");
    // Another owner has its own.
    public_key(&three, Id::P0, &keys.owners[1], 10).unwrap();
    let log: Vec<Value> =
        parties[0].audit().lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["event"].clone()).collect();
    let rows: Vec<&Value> = log.iter().filter(|e| e["what"] == "rows to join").collect();
    let told: Vec<(u64, u64)> = rows.iter().map(|e| (e["rows"].as_u64().unwrap(), e["in all jobs"].as_u64().unwrap())).collect();
    assert_eq!(told, [(6, 6), (4, 10), (10, 10)]);
}
