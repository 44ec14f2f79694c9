//! Check 19: parties that do not agree on everything refuse before any share moves between them, and name the job or the field.

use crate::common::{PATIENCE, PartyProcess, approve, job, owner, share, small_csv, status, upload_to};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};
use trefoil_client::approval::{Approval, Role};
use trefoil_client::request::{self, Announcement, Request};
use trefoil_client::share::dial;
use trefoil_client::{Error, Patience};
use trefoil_data::Source;
use trefoil_data::schema::Column;
use trefoil_job::{Job, JobHash, sharing};
use trefoil_lab::demo::job::Keys;
use trefoil_mpc::securenn::Truncation;
use trefoil_net::Id;
use trefoil_net::identity::Identity;
use trefoil_net::tls::{Listener, Options, TlsNet};
use trefoil_server::Event;
use trefoil_server::handshake::{agreed, compare};

const TIMEOUT: &str = "timeout = 4";

/// Three parties with these lines in their configurations, and a job that is theirs.
fn parties(keys: &Keys, configs: [&str; 3]) -> ([PartyProcess; 3], Job) {
    let mut parties = Id::ALL.map(|id| PartyProcess::start(&keys.parties[id.index()], configs[id.index()]));
    let addresses = parties.each_mut().map(PartyProcess::address);
    (parties, job(keys, &addresses))
}

/// Somebody says which field it was, and nobody has got as far as sharing.
fn names(field: &str, parties: impl IntoIterator<Item = PartyProcess>) {
    let differs = format!("differs in {field}: found ");
    let mut said = vec![];
    for mut party in parties {
        said.extend(party.event());
        said.extend(party.let_go());
    }
    let (mut named, told) = (false, format!("{said:?}"));
    for event in said {
        match event {
            Event::Failed { message, code } => {
                assert!(code == 5 && !message.contains('\n'), "{message}");
                named |= message.contains(&differs);
            }
            // A peer that has refused already hangs up.
            Event::Interrupted { .. } => {}
            other => panic!("{field}: {other:?}"),
        }
    }
    assert!(named, "nobody names {field}: {told}");
}

fn shares(job: &Job, keys: &Keys) -> Result<(), trefoil_server::Error> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("small.csv");
    small_csv(&file, 30);
    let source = Source::of(file);
    sharing::share(job, &keys.owners[0], &source, PATIENCE, None, &mut |_| (), &mut |_| Ok(()))?;
    Ok(())
}

/// The operator of one party has approved another job: nobody gets a record, and the other parties get no session.
#[test]
fn one_party_with_another_job() {
    type Change = fn(&mut Job);
    let changes: [(&str, Change); 11] = [
        ("batch", |j| j.train.batch = 4),
        ("network", |j| j.train.hidden = vec![16]),
        ("fraction_bits", |j| j.train.fraction_bits = Some(14)),
        ("lr", |j| j.train.lr = 0.2),
        ("seed", |j| j.train.seed = 2),
        ("truncation", |j| (j.truncation, j.insecure_accept_wraps) = (Truncation::Local, true)),
        ("suite", |j| j.suite = trefoil_job::SuiteName::Securenn),
        ("opened", |j| j.open.loss = false),
        ("records", |j| j.data.columns[3] = Column::number("d", 0.0, 2.0)),
        ("owners", |j| j.owner.push(owner("one more", &Identity::generate("one more").unwrap()))),
        ("model owner", |j| {
            j.model_owner.iter_mut().for_each(|m| m.fingerprint = Identity::generate("another").unwrap().fingerprint())
        }),
    ];
    let keys = Keys::generate(1).unwrap();
    let (servers, base) = parties(&keys, [TIMEOUT; 3]);
    for (i, (field, change)) in changes.into_iter().enumerate() {
        let odd = Id::ALL[i % 3];
        let job = Job { name: field.into(), ..base.clone() };
        let mut other = job.clone();
        change(&mut other);
        assert_ne!(job.hash(), other.hash(), "{field}");
        for id in Id::ALL {
            approve(if id == odd { &other } else { &job }, id, &keys);
        }
        let unknown = format!("job {} is not known here", &job.hash().to_string()[..16]);
        let refused = shares(&job, &keys).unwrap_err();
        assert!(refused.exit_code() == 5 && refused.to_string().ends_with(&unknown), "{field}: {refused}");
        for id in odd.others() {
            assert_eq!(status(&job, id, &keys).owners[1], 0, "{field}");
            // Nor does a peer get a session there.
            let link = Request::Link { job: job.hash() };
            let link = request::call::<Value>(&job.addresses()[odd.index()], &keys.parties[id.index()], PATIENCE, &link);
            assert!(matches!(link, Err(Error::Refused { why, .. }) if why == unknown), "{field}");
        }
        assert!(servers[odd.index()].audit().contains(&unknown), "{field}");
    }
    for party in servers {
        assert!(party.let_go().is_empty());
    }
}

#[test]
fn one_party_with_other_settings() {
    let keys = Keys::generate(1).unwrap();
    let (parties, job) = parties(&keys, [TIMEOUT, TIMEOUT, "timeout = 4\nlinks = \"1ms,1Gbps\""]);
    Id::ALL.into_iter().for_each(|id| approve(&job, id, &keys));
    shares(&job, &keys).unwrap();
    names("links", parties);
}

/// Masks from a seed are for those who know of it: the job must say so, and every party do so.
#[test]
fn one_party_with_insecure_masks() {
    let keys = Keys::generate(1).unwrap();
    let (_parties, job) = parties(&keys, [TIMEOUT, "timeout = 4\n[insecure]\nmask_seed = 1", TIMEOUT]);
    for (job, id) in [(job.clone(), Id::P1), (Job { insecure_masks: true, ..job }, Id::P0)] {
        let (address, key) = (&job.addresses()[id.index()], &keys.parties[id.index()]);
        let propose = Request::Propose { job: serde_json::to_value(&job).unwrap() };
        let hash: JobHash = request::call(address, key, PATIENCE, &propose).unwrap();
        let approval = Approval::sign(key, hash, id.into()).unwrap();
        let refused = request::call::<Value>(address, key, PATIENCE, &Request::Approve { job: hash, approval });
        assert!(matches!(refused, Err(Error::Refused { why, .. }) if why.contains("masks from an insecure seed")));
    }
}

/// An owner that brings the parties different uploads.
#[test]
fn one_party_with_another_upload() {
    let keys = Keys::generate(1).unwrap();
    let (parties, job) = parties(&keys, [TIMEOUT; 3]);
    for (id, name) in Id::ALL.into_iter().zip(["a", "b", "a"]) {
        approve(&job, id, &keys);
        upload_to(&job, id, &keys, &name.repeat(32)).unwrap();
    }
    names("uploads", parties);
}

/// An approval counts for who has signed it, in that role, for that job, and from nobody else's hands.
#[test]
fn approvals_that_are_none() {
    let keys = Keys::generate(1).unwrap();
    let (parties, job) = parties(&keys, [TIMEOUT; 3]);
    approve(&job, Id::P0, &keys);
    let (hash, [p0, p1, _], owner) = (job.hash(), &keys.parties, &keys.owners[0]);
    let sign = |key: &Identity, role| Approval::sign(key, hash, role).unwrap();
    let good = sign(owner, Role::DataOwner);
    let bring = |from: &Identity, approval: Approval| {
        let request = Request::Approve { job: hash, approval };
        request::call::<Value>(&job.addresses()[0], from, PATIENCE, &request)
    };
    for (from, approval, why) in [
        (owner, Approval { time: good.time + 1, ..good.clone() }, "not by this certificate's key"),
        (owner, Approval { role: Role::ModelOwner, ..good.clone() }, "expected the job's model owner"),
        (owner, sign(owner, Role::P1), "expected the job's P1"),
        (owner, Approval::sign(owner, JobHash([0; 32]), Role::DataOwner).unwrap(), "found job 0000"),
        (owner, sign(&keys.model_owner, Role::ModelOwner), "who brings it"),
        (&keys.model_owner, good.clone(), "who brings it"),
        (p1, sign(p1, Role::P1), "approves at its own party"),
        (p0, good.clone(), "who brings it"),
    ] {
        let refused = bring(from, approval);
        assert!(matches!(&refused, Err(Error::Refused { why: said, .. }) if said.contains(why)), "{why}: {refused:?}");
    }
    assert_eq!(status(&job, Id::P0, &keys).owners[0], 0);
    bring(owner, good.clone()).unwrap();
    bring(owner, good).unwrap();
    bring(&keys.model_owner, sign(&keys.model_owner, Role::ModelOwner)).unwrap();
    assert_eq!(status(&job, Id::P0, &keys).owners[0], 1);
    let audit = parties[0].audit();
    assert_eq!(audit.matches("\"what\":\"approved\"").count(), 3, "{audit}");
}

/// What was committed is neither taken again nor replaced, whoever replays it, under whatever name.
#[test]
fn a_replayed_upload() {
    let keys = Keys::generate(1).unwrap();
    let (parties, job) = parties(&keys, [TIMEOUT; 3]);
    let (first, second) = ("a".repeat(32), "b".repeat(32));
    approve(&job, Id::P0, &keys);
    upload_to(&job, Id::P0, &keys, &first).unwrap();
    let width = job.data.features() + job.data.outputs();
    let ask = |request: &Request| request::call::<Value>(&job.addresses()[0], &keys.owners[0], PATIENCE, request);
    for name in [&first, &second] {
        let again = Announcement { job: job.hash(), upload: name.clone(), width };
        assert_eq!(ask(&share(again, &keys.owners[0])).unwrap(), json!({ "state": "committed", "upload": first }));
    }
    let commit = |upload: &String| ask(&Request::Commit { job: job.hash(), upload: upload.clone() });
    assert_eq!(commit(&first).unwrap(), json!(false));
    assert!(matches!(commit(&second), Err(Error::Refused { why, .. }) if why.contains("a second upload")));
    let audit = parties[0].audit();
    assert_eq!((audit.matches("\"uploaded\"").count(), audit.matches("a second upload").count()), (1, 3), "{audit}");
}

/// This test plays P1, with a hello that agrees in everything but its version or protocol.
#[test]
fn one_party_of_another_version() {
    for field in ["version", "protocol"] {
        let keys = Keys::generate(1).unwrap();
        let (p0, p1, p2) = (&keys.parties[0], &keys.parties[1], &keys.parties[2]);
        let mut others = [p0, p2].map(|key| PartyProcess::start(key, "timeout = 10"));
        let listener = Listener::bind("127.0.0.1:0", p1, &[p0.fingerprint(), p2.fingerprint()]).unwrap();
        let [a, c] = others.each_mut().map(PartyProcess::address);
        let job = job(&keys, &[a, listener.local_addr().to_string(), c]);
        for id in Id::P1.others() {
            approve(&job, id, &keys);
            upload_to(&job, id, &keys, &"a".repeat(32)).unwrap();
        }
        let net = as_p1(&listener, &job, &keys);
        let training = job.training(16, 8);
        let uploads =
            BTreeMap::from([(keys.owners[0].fingerprint().to_string(), format!("{}, 16 and 8 records", "a".repeat(32)))]);
        let mut map = agreed(&training, job.chosen(), job.hash(), false, None, &uploads);
        map.insert(field.into(), "another".into());
        let until = Instant::now() + Duration::from_secs(4);
        let ours = compare(&net, &Id::P1.others(), "node.hello", &map, until).unwrap_err();
        assert!(ours.to_string().contains(&format!("differs in {field}")), "{ours}");
        names(field, others);
    }
}

/// Links to and from P0 and P2.
fn as_p1(listener: &Listener, job: &Job, keys: &Keys) -> TlsNet {
    let link = Request::Link { job: job.hash() };
    let mut incoming = BTreeMap::new();
    let mut outgoing = BTreeMap::new();
    let until = Instant::now() + Duration::from_secs(20);
    while incoming.len() < 2 || outgoing.len() < 2 {
        assert!(Instant::now() < until, "no links");
        if let Ok((mut stream, from)) = listener.accept(Duration::from_millis(50)) {
            assert!(matches!(request::next(&mut stream).unwrap(), Request::Link { job: theirs } if theirs == job.hash()));
            request::accept(&mut stream, &json!({ "answer": "linked" })).unwrap();
            incoming.insert(job.party_of(from).unwrap(), stream);
        }
        for id in Id::P1.others() {
            let patience = Patience { connect: Duration::from_secs(1), answer: Duration::from_secs(4) };
            if let Entry::Vacant(place) = outgoing.entry(id) {
                let mut stream = dial(&job.addresses()[id.index()], &keys.parties[1], patience).unwrap();
                let answer: Value = request::ask(&mut stream, &link).unwrap();
                if answer["answer"] == "linked" {
                    place.insert(stream);
                }
            }
        }
    }
    let two = |mut all: BTreeMap<Id, _>| Id::P1.others().map(|id| (id, all.remove(&id).unwrap()));
    TlsNet::new(two(outgoing), two(incoming), Options { timeout: Duration::from_secs(4), ..Options::default() }).unwrap()
}
