//! A service whose clients are a list that grows and shrinks while it runs.

use super::deployment::PASSPHRASE;
use super::serve::{ENOUGH, loaded, serve_all, told};
use super::{LONG, entries, ready_without_approval};
use crate::deployment::Deployment;
use ndarray::Array2;
use serde_json::{Value, json};
use std::fs;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};
use trefoil_client::Patience;
use trefoil_client::clients::{ClientList, Listed};
use trefoil_client::keys::{KeySource, PassphraseSource};
use trefoil_job::ServiceHash;
use trefoil_job::service::Asking;
use trefoil_net::identity::{Fingerprint, Identity};

/// `trefoil service clients` by who signs the list.
fn clients(d: &Deployment, more: &[&str]) -> String {
    d.ok(&[&["service", "clients", "service.toml", "--key", "keys/research.pem"][..], more].concat())
}

/// Waits until all three hold this version.
fn until_held(d: &Deployment, version: u64) {
    let until = Instant::now() + LONG;
    loop {
        let status = d.ok(&["service", "status", "service.toml", "--key", "keys/research.pem", "--json"]);
        let status: Value = serde_json::from_str(&status).unwrap();
        let held = status.as_array().unwrap().iter().filter(|s| s["status"]["clients"][0] == version).count();
        if held == 3 {
            return;
        }
        assert!(Instant::now() < until, "{status:#}\n{}", d.logs());
        std::thread::sleep(Duration::from_millis(100));
    }
}

pub fn key(d: &Deployment, name: &str) -> Identity {
    d.write("passphrase", PASSPHRASE);
    let passphrase = fs::File::open(d.path("passphrase")).unwrap();
    let source = PassphraseSource { fd: Some(passphrase.as_raw_fd() as u32) };
    KeySource::File(d.path(&format!("keys/{name}.pem"))).load(&source, false).unwrap()
}

#[test]
fn a_list_of_clients_grows_and_shrinks() {
    let mut d = ready_without_approval(300);
    let fingerprints = d.ok(&["keygen", "--quiet", "--dir", "keys", "ward", "clinic"]);
    let add: Vec<String> = ["ward", "clinic"].iter().zip(fingerprints.lines()).map(|(name, f)| format!("{name}={f}")).collect();
    serve_all(&d, "masked", "{ list = \"research\" }", "reveal = \"class\"", ENOUGH);
    let ask = |key: &'static str| ["predict", "--service", "service.toml", "records.csv", "--timeout", "2", "--key", key];
    assert!(fs::read_to_string(d.path("service.toml")).unwrap().contains("client = { list = \"research\" }"));

    // Before there is a list nobody may ask, nor does an operator make one.
    assert_eq!(clients(&d, &[]), "version 0, 0 clients; held: P0 none, P1 none, P2 none\n");
    let line = d.refused(&ask("keys/research.pem"));
    assert!(line.contains("questions are for the service's clients; this is research, who signs the list"), "{line}");
    d.refused(&ask("keys/ward.pem"));
    let line = d.refused(&["service", "clients", "service.toml", "--key", "keys/p0.pem", "--add", &add[0]]);
    assert!(line.contains("found party p0 (P0), expected research "), "{line}");

    // P1 is away when the first version comes: it is shown it when the three meet again.
    d.signal(1, "KILL");
    let said = clients(&d, &["--timeout", "2", "--add", &add[0]]);
    assert!(said.starts_with("+ ward ") && said.ends_with("version 1, 1 clients; held: P0 1, P1 none, P2 1\n"), "{said}");
    d.start(1, None);
    until_held(&d, 1);
    let answer = told(&d, &[]);

    // A client is added while the service runs, and asks; it is taken out, and its conversation ends.
    let (service, desk) = (loaded(&d), Identity::generate("desk").unwrap());
    let patience = Patience { connect: Duration::from_secs(60), answer: Duration::from_secs(60) };
    let listed = Listed { name: "desk".into(), fingerprint: desk.fingerprint() };
    let said = clients(&d, &["--add", &add[1], "--add", &format!("desk={}", desk.fingerprint())]);
    assert!(said.ends_with("version 2, 3 clients; held: P0 2, P1 2, P2 2\n") && !said.contains("ward"), "{said}");
    let (x, mut asking) = (Array2::from_elem((1, 4), 0.25), Asking::open(&service, &desk, patience).unwrap());
    asking.answers(&x).unwrap();
    let said = clients(&d, &["--remove", "desk", "--remove", "ward"]);
    assert!(said.contains("- ward ") && said.ends_with("version 3, 1 clients; held: P0 3, P1 3, P2 3\n"), "{said}");
    let e = asking.answers(&x).unwrap_err().to_string();
    assert!(e.contains("the newest list of them has this one no more") && !e.contains('\n'), "{e}");
    let short = Patience { connect: Duration::from_secs(1), answer: Duration::from_secs(1) };
    assert!(Asking::open(&service, &desk, short).is_err());

    // After restarts of all parties it is as before.
    for party in 0..3 {
        d.signal(party, "KILL");
        d.start(party, None);
    }
    until_held(&d, 3);
    assert_eq!(d.ok(&[&ask("keys/clinic.pem")[..5], &["120", "--key", "keys/clinic.pem"]].concat()), answer);
    d.refused(&ask("keys/ward.pem"));

    // Lists that are older, replayed with others in it, somebody else's, another service's, altered.
    let [signer, clinic] = ["research", "clinic"].map(|name| key(&d, name));
    let sign = |by, hash, version| ClientList::sign(by, hash, version, vec![listed.clone()]).unwrap();
    let hash = service.hash();
    let held = ClientList::read(&service.addresses()[2], &signer, patience, hash).unwrap().unwrap();
    for party in service.addresses() {
        held.bring(&party, &signer, patience).unwrap();
        for (list, by, why) in [
            (sign(&signer, hash, 2), &signer, "found version 2, expected one after 3, which is held here"),
            (sign(&signer, hash, 3), &signer, "found version 3 with other clients, expected one after 3"),
            (sign(&clinic, hash, 4), &signer, "found one signed by "),
            (sign(&clinic, hash, 4), &clinic, "brought by who signs it"),
            (sign(&signer, hash, 4), &clinic, "brought by who signs it"),
            (sign(&signer, ServiceHash([7; 32]), 4), &signer, "is not known here"),
            (ClientList { version: 4, ..held.clone() }, &signer, "not by this certificate's key"),
        ] {
            let e = list.bring(&party, by, patience).unwrap_err().to_string();
            assert!(e.contains(why) && !e.contains('\n'), "{why}: {e}");
        }
    }
    let line = d.refused(&["service", "clients", "service.toml", "--key", "keys/research.pem", "--remove", "ward"]);
    assert!(line.contains("remove: found \"ward\""), "{line}");
    let shown: Value = serde_json::from_str(&clients(&d, &["--json"])).unwrap();
    assert_eq!((&shown["version"], &shown["held"]), (&json!(3), &json!({ "P0": 3, "P1": 3, "P2": 3 })));
    for party in 0..3 {
        let audit = d.audit(party);
        let lists: Vec<(u64, u64)> = entries(&audit, "list of clients")
            .iter()
            .map(|e| (e["version"].as_u64().unwrap(), e["clients"].as_u64().unwrap()))
            .collect();
        assert_eq!(lists, [(1, 1), (2, 3), (3, 1)], "P{party}");
    }

    // Its signer signs two of one version: the parties go on, each with its own, and who is in both may ask, until there is a greater one.
    for (party, n) in [(0, 7), (1, 8)] {
        let other = Listed { name: format!("other-{n}"), fingerprint: Fingerprint([n; 32]) };
        let both = [held.clients.clone(), vec![other]].concat();
        let list = ClientList::sign(&signer, hash, 4, both).unwrap();
        list.bring(&service.addresses()[party], &signer, patience).unwrap();
    }
    d.signal(2, "KILL");
    d.start(2, None);
    until_held(&d, 4);
    assert_eq!(d.ok(&[&ask("keys/clinic.pem")[..5], &["120", "--key", "keys/clinic.pem"]].concat()), answer);
    let audit = d.audit(0);
    let refused = |e: &&&Value| e["request"]["request"] == "list of clients";
    let refused = entries(&audit, "refused").iter().find(refused).map(|e| e["why"].as_str().unwrap().to_owned()).unwrap();
    assert!(refused.contains("found version 4 with other clients, expected one after 4"), "{refused}");
    let said = clients(&d, &["--add", &add[0]]);
    assert!(said.ends_with("version 5, 3 clients; held: P0 5, P1 5, P2 5\n"), "{said}");
    assert_eq!(told(&d, &[]), answer);
}
