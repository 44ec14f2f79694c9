//! A job's model that answers from its shares: nobody has it, and whoever asks sees the answer alone.

use super::{LONG, entries, ready_without_approval, shared};
use crate::deployment::{Deployment, free_address, records, trained};
use ndarray::{Array2, s};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::time::Duration;
use trefoil_client::peers::Peers;
use trefoil_client::request::{self, Request};
use trefoil_client::{Patience, share::dial};
use trefoil_job::Service;
use trefoil_job::service::Asking;
use trefoil_mpc::Suite;
use trefoil_mpc::securenn::SecureNn;
use trefoil_net::identity::Identity;
use trefoil_net::{At, Frame, Part};
use trefoil_ring::Tensor;

/// Three parties with a trained job whose model may be asked by `ward`; all three have approved `service.toml`.
pub fn serving(suite: &str, reveal: &str, limits: &str) -> Deployment {
    let d = ready_without_approval(300);
    d.member("ward");
    d.ok(&["keygen", "stranger", "--dir", "keys", "--quiet"]);
    serve(&d, suite, "ward", &format!("reveal = \"{reveal}\""), limits);
    d
}

pub fn serve(d: &Deployment, suite: &str, client: &str, reveal: &str, limits: &str) {
    serve_all(d, suite, &format!("[{client:?}]"), reveal, limits);
}

/// `client` as it stands in the job's `[serve]`.
pub fn serve_all(d: &Deployment, suite: &str, client: &str, reveal: &str, limits: &str) {
    let serve = toml().replace("[\"ward\"]", client).replace("records = 100000", "records = 1000000");
    d.job("job.toml", "a job", suite, &format!("{serve}[train]\nhidden = [8]\nepochs = 3\n"));
    for party in ["p0", "p1", "p2"] {
        d.ok(&["job", "approve", "job.toml", "--key", &format!("keys/{party}.pem")]);
    }
    ["north", "south"].iter().for_each(|owner| shared(d, owner));
    d.until("job.toml", LONG, "trained", trained);
    let commands = commands();
    let text = d.ok(&words(&commands[0])).replace("reveal = \"probabilities\"", reveal);
    let begin = text.find("[limits]").unwrap();
    d.write("service.toml", &format!("{}[limits]\n{limits}\n", &text[..begin]));
    // Some records to ask about.
    records(&d.path("records.csv"), 150, 7);
    approve(d, "service.toml");
}

pub fn approve(d: &Deployment, service: &str) {
    commands()[1..4].iter().for_each(|command| drop(d.ok(&words(&command.replace("service.toml", service)))));
}

/// The page that is followed here.
const PAGE: &str = include_str!("../../../../docs/serving.md");

/// The page's job.
fn toml() -> String {
    let (_, rest) = PAGE.split_once("```toml\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// The page's commands: the first or the second block of them.
pub fn block(number: usize) -> String {
    let rest = PAGE.split("```console\n").nth(1 + number).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// The page's commands: what stands behind `trefoil`, without where it is written to.
fn commands() -> Vec<String> {
    let command = |line: &str| line.split_once("$ trefoil ").unwrap().1.split(" > ").next().unwrap().to_owned();
    let all: Vec<String> = block(0).lines().map(command).collect();
    assert!(all.len() == 5 && all[0].starts_with("service template") && all[4].starts_with("predict"), "{all:?}");
    all
}

pub fn words(command: &str) -> Vec<&str> {
    command.split(' ').collect()
}

pub const ENOUGH: &str = "records_an_hour = 100000\nrecords = 100000";

/// The page's question.
fn ask(d: &Deployment, more: &[&str]) -> std::process::Output {
    let commands = commands();
    d.run(&[&words(&commands[4])[..], more].concat())
}

pub fn told(d: &Deployment, more: &[&str]) -> String {
    let out = ask(d, more);
    assert!(out.status.success(), "{}\n{}", String::from_utf8_lossy(&out.stderr), d.logs());
    String::from_utf8(out.stdout).unwrap()
}

fn not_told(d: &Deployment, more: &[&str]) -> String {
    let commands = commands();
    d.refused(&[&words(&commands[4])[..], more].concat())
}

pub fn classes(csv: &str) -> Vec<String> {
    csv.lines().skip(1).map(|line| line.split(',').next().unwrap_or_default().to_owned()).collect()
}

pub fn probabilities(csv: &str) -> Vec<f64> {
    csv.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect()
}

/// The answers of all suites are those of the model that its owner gets; class tells no more than the class.
#[test]
fn answers_are_the_models() {
    for suite in ["masked", "securenn", "verified"] {
        let d = serving(suite, "probabilities", ENOUGH);
        d.ok(&["model", "fetch", "job.toml", "--key", "keys/research.pem", "--out", "m.safetensors"]);
        let clear = d.ok(&["predict", "m.safetensors", "records.csv"]);
        let told = told(&d, &[]);
        assert_eq!((classes(&told), classes(&told).len()), (classes(&clear), 150), "{suite}");
        for (a, b) in probabilities(&told).iter().zip(probabilities(&clear)) {
            assert!((a - b).abs() < 2e-3, "{suite}: {a} {b}");
        }
        let status: Value =
            serde_json::from_str(&d.ok(&["service", "status", "service.toml", "--key", "keys/ward.pem", "--json"])).unwrap();
        for party in status.as_array().unwrap() {
            // 128 and 22 records: passes of 128 and 32, of which P2 hears nothing.
            let (s, hears) = (&party["status"], party["party"] != "P2");
            assert_eq!(
                (s["state"].as_str(), s["answered"].as_u64(), s["approved"].as_array().unwrap().len()),
                (Some("serving"), Some(if hears { 2 } else { 0 }), 3),
                "{s}"
            );
            let used = if hears { 160..=160 + 100_000 / 64 } else { 0..=0 };
            assert!(used.contains(&s["records"].as_u64().unwrap()), "{s}");
        }
        for party in 0..3 {
            let until = std::time::Instant::now() + LONG;
            // One session for passes of 1, 8, 32 and 128 records.
            while entries(&d.audit(party), "service session").len() < 4 && std::time::Instant::now() < until {
                std::thread::sleep(Duration::from_millis(100));
            }
            let audit = d.audit(party);
            // Who has asked how much, and where: P2 has heard of nothing.
            let answered: Vec<_> =
                entries(&audit, "answered").iter().map(|e| (e["questions"].clone(), e["records"].clone())).collect();
            let expected = if party == 2 { vec![] } else { vec![(2.into(), 160.into())] };
            assert_eq!(answered, expected, "P{party}");
            let [approved, sessions] = ["approved service", "service session"].map(|what| entries(&audit, what).len());
            assert_eq!((approved, sessions), (3, 4), "{audit:#?}");
        }
        // Of a class nothing but the class: the job allows more, the service less.
        let text = fs::read_to_string(d.path("service.toml")).unwrap();
        d.write("class.toml", &text.replace("reveal = \"probabilities\"", "reveal = \"class\""));
        approve(&d, "class.toml");
        let told = d.ok(&["predict", "--service", "class.toml", "records.csv", "--key", "keys/ward.pem"]);
        assert!(told.starts_with("class\n") && !told.contains(','), "{told}");
        assert_eq!(classes(&told), classes(&clear), "{suite}");
        // As numbers, where a file has no names; whoever reads it is told which is which.
        let ask = ["predict", "--service", "class.toml", "records.csv", "--key", "keys/ward.pem", "--out", "classes.npy"];
        assert_eq!(d.ok(&ask), "");
        let file = fs::read(d.path("classes.npy")).unwrap();
        assert!(String::from_utf8_lossy(&file[..128]).contains("'descr': '<i8', 'fortran_order': False, 'shape': (150,)"));
        let numbers: Vec<i64> = file[128..].chunks(8).map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap())).collect();
        assert_eq!(numbers.iter().map(ToString::to_string).collect::<Vec<_>>(), classes(&clear), "{suite}");
    }
}

#[test]
fn who_may_not_ask_is_refused() {
    let d = serving("masked", "class", "records_a_question = 32\nrecords_an_hour = 64\nrecords = 100000");
    // Somebody that no party has heard of.
    let line =
        d.refused(&["predict", "--service", "service.toml", "records.csv", "--key", "keys/stranger.pem", "--timeout", "2"]);
    assert!(line.contains("wrong certificate") || line.contains("refused") || line.contains("closed"), "{line}");
    // Somebody who is known, and no client.
    let line = d.refused(&["predict", "--service", "service.toml", "records.csv", "--key", "keys/north.pem"]);
    assert!(line.contains("questions are for the service's clients"), "{line}");
    // A client beyond its quota: 150 records are five passes of 32, and two are allowed.
    let line = not_told(&d, &[]);
    assert!(
        line.contains("limit of a client in an hour: found 32 records, expected at most the 0 that are left of 64"),
        "{line}"
    );
    // What was not approved here: another limit is another service.
    let text = fs::read_to_string(d.path("service.toml")).unwrap();
    d.write("other.toml", &text.replace("records_an_hour = 64", "records_an_hour = 65"));
    let line = d.refused(&["predict", "--service", "other.toml", "records.csv", "--key", "keys/ward.pem"]);
    assert!(line.contains("is not known here"), "{line}");
    // What exceeds the job is not approved, by whoever; and nobody but an operator approves.
    d.write("more.toml", &text.replace("records = 100000", "records = 1000001"));
    let line = d.refused(&["service", "approve", "more.toml", "--key", "keys/p0.pem"]);
    assert!(line.contains("limits.records: found 1000001, expected at most 1000000"), "{line}");
    let line = d.refused(&["service", "approve", "service.toml", "--key", "keys/ward.pem"]);
    assert!(line.contains("one of the service's parties"), "{line}");
    d.write("over.toml", &text.replace("until = \"2099-12-31\"", "until = \"2020-01-01\""));
    approve(&d, "over.toml");
    let line = d.refused(&["predict", "--service", "over.toml", "records.csv", "--key", "keys/ward.pem"]);
    assert!(line.contains("the service's last day was 2020-01-01"), "{line}");
    // Another schema: the records' columns are the job's.
    d.write("records.csv", "a,b\n1,2\n");
    let line = not_told(&d, &[]);
    assert!(line.contains("records.csv") && line.contains("column"), "{line}");
    // One operator ends it, for all.
    d.ok(&["service", "end", "service.toml", "--key", "keys/p1.pem"]);
    records(&d.path("records.csv"), 5, 1);
    let line = not_told(&d, &["--timeout", "2"]);
    assert!(line.contains("was ended") || line.contains("have not met"), "{line}");
    assert!(d.refused(&["service", "approve", "service.toml", "--key", "keys/p1.pem"]).contains("was ended here"));
}

/// What a party tells those who watch over its machine.
fn metrics(status: &str) -> String {
    let mut stream = std::net::TcpStream::connect(status).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// Parties die and come back: the service answers again without its owner, and what was used of the limits stays used.
#[test]
fn a_service_survives_its_parties() {
    let mut d = serving("masked", "class", "records_an_hour = 1024\nrecords = 1024");
    let before = told(&d, &[]);
    let status = free_address();
    for party in [1, 0, 2] {
        d.signal(party, "KILL");
        if party == 0 {
            let config = fs::read_to_string(d.path("p0.toml")).unwrap();
            d.write("p0.toml", &format!("{config}status = {status:?}\n"));
        }
        d.start(party, None);
        assert_eq!(told(&d, &["--timeout", "120"]), before, "after P{party} came back");
    }
    // What P2 had dealt before it died may have answered: the three meet again all the same.
    let until = std::time::Instant::now() + LONG;
    let metrics = loop {
        let text = metrics(&status);
        let open = text.lines().any(|l| l.starts_with("trefoil_service_open{") && l.ends_with(" 1"));
        if open || std::time::Instant::now() > until {
            break text;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    for (name, value) in [
        ("trefoil_service_open{", "1"),
        ("trefoil_service_questions{which=answered", "4"),
        ("trefoil_service_records{which=limit", "1024"),
    ] {
        let (name, label) = name.split_once('{').unwrap();
        let label = label.split_once('=').map_or_else(String::new, |(which, of)| format!("{which}=\"{of}\""));
        let line = metrics.lines().find(|l| l.starts_with(name) && l.contains(&label));
        assert!(line.is_some_and(|l| l.ends_with(&format!(" {value}"))), "{name} {label} {value}: {metrics}");
    }
    // 160 records a time, of 1024; what a party had reserved counts as used after its restart.
    let mut more = 0;
    let line = loop {
        let out = ask(&d, &["--timeout", "5"]);
        if !out.status.success() {
            break String::from_utf8(out.stderr).unwrap();
        }
        more += 1;
    };
    assert!((1..=2).contains(&more) && line.contains("limit"), "{more} more: {line}");
}

/// What the service's file says, for a client of these tests' own.
pub fn loaded(d: &Deployment) -> Service {
    Service::load(&d.path("service.toml"), &Peers::load(&d.path("peers.toml")).unwrap()).unwrap()
}

/// A number serves one question, which goes to the two that hear it, and has the parts that it says.
#[test]
fn a_client_that_keeps_to_no_rule_is_told_nothing() {
    let d = ready_without_approval(300);
    let client = Identity::generate("client").unwrap();
    d.ok(&["peers", "add", "client", "-", &client.fingerprint().to_string()]);
    serve(&d, "masked", "client", "reveal = \"class\"", ENOUGH);
    let service = loaded(&d);
    let patience = Patience { connect: Duration::from_secs(60), answer: Duration::from_secs(60) };
    let x = Tensor::from_elem((1, 4), 1 << 12);
    let told = |told: Vec<Part>| {
        let text = told[0].to_bits(told[0].len(), 8).unwrap();
        String::from_utf8(text.into_iter().map(|byte| byte as u8).collect::<Vec<u8>>()).unwrap()
    };
    let raw = |party: usize, number: u64, op: u32, parts: &[Part]| {
        let mut stream = dial(&service.addresses()[party], &client, patience).unwrap();
        let conversation = format!("{:032x}", 1000 * party as u64 + 10 * u64::from(op) + number + parts.len() as u64 * 7919);
        let request = Request::Ask { service: service.hash(), conversation };
        if let Err(e) = request::ask::<Value>(&mut stream, &request) {
            return e.to_string();
        }
        let at = At { step: number, op };
        let parts = [&[Part::bits(&[0], 32)], parts].concat();
        stream.write_frame(&Frame { at, depth: 0, label: "client.question".into(), parts }).unwrap();
        told(stream.read_frame(1 << 16).unwrap().unwrap().parts)
    };
    let [of_p0, of_p1, _] = SecureNn::deal(&x, [7; 32]);
    assert_eq!(raw(1, 2, 1, &of_p1), "number of a question: found 2, expected 1; each serves one question");
    assert_eq!(raw(0, 0, 1, &of_p0), "number of a question: found 0, expected 1; each serves one question");
    assert!(raw(2, 1, 1, &[]).contains("this is P2, which hears of none"));
    assert!(raw(1, 1, 2, &of_p1).contains("records of a question: found 2, expected 1, 8, 32 or 128, at most 128"));
    // Other sizes, other parts.
    assert!(raw(1, 1, 8, &of_p1).starts_with("question: "), "{}", raw(1, 1, 8, &of_p1));
    assert!(raw(0, 1, 1, &[]).contains("question: 0 tensors, expected 1"));
    // A question that P1 has not been brought: P0 hears of it, and says so.
    let mut stream = dial(&service.addresses()[0], &client, patience).unwrap();
    let request = Request::Ask { service: service.hash(), conversation: "f".repeat(32) };
    request::ask::<Value>(&mut stream, &request).unwrap();
    let frame = Frame {
        at: At { step: 1, op: 1 },
        depth: 0,
        label: "client.question".into(),
        parts: [vec![Part::bits(&[0], 32)], of_p0.clone()].concat(),
    };
    stream.write_frame(&frame).unwrap();
    let line = told(stream.read_frame(1 << 16).unwrap().unwrap().parts);
    assert!(line.contains("P1: the question is not there") || line.contains("have not met"), "{line}");
    // One without a deadline, not even none.
    let mut stream = dial(&service.addresses()[0], &client, patience).unwrap();
    let request = Request::Ask { service: service.hash(), conversation: "e".repeat(32) };
    request::ask::<Value>(&mut stream, &request).unwrap();
    stream.write_frame(&Frame { parts: of_p0, ..frame }).unwrap();
    let line = told(stream.read_frame(1 << 16).unwrap().unwrap().parts);
    assert!(line.contains("a question that does not begin with its deadline"), "{line}");
    // The service goes on.
    let mut asking = Asking::open(&service, &client, patience).unwrap();
    assert_eq!(asking.answers(&Array2::from_elem((1, 4), 0.25)).unwrap().dim(), (1, 2));
}

/// Many ask at once, share passes, and each is told about its own records.
#[test]
fn clients_that_share_a_pass_get_their_own_rows() {
    for suite in ["masked", "securenn"] {
        let d = ready_without_approval(300);
        let client = Identity::generate("client").unwrap();
        d.ok(&["peers", "add", "client", "-", &client.fingerprint().to_string()]);
        serve(&d, suite, "client", "reveal = \"probabilities\"", ENOUGH);
        let service = loaded(&d);
        let patience = Patience { connect: Duration::from_secs(60), answer: Duration::from_secs(60) };
        let x = Array2::from_shape_fn((64, 4), |(i, j)| ((i * 37 + j * 101) % 128) as f64 / 64.0 - 1.0);
        let expected = Asking::open(&service, &client, patience).unwrap().answers(&x).unwrap();
        let ask = |i: usize| {
            let mut asking = Asking::open(&service, &client, patience).unwrap();
            for row in (i..64).step_by(8) {
                let told = asking.answers(&x.slice(s![row..=row, ..]).to_owned()).unwrap();
                let far = (&told - &expected.slice(s![row..=row, ..])).mapv(f64::abs).into_iter().fold(0.0, f64::max);
                assert!(far < 2e-3, "{suite}, record {row}: {told} instead of {}", expected.row(row));
            }
        };
        let ask = &ask;
        std::thread::scope(|scope| (0..8).for_each(|i| drop(scope.spawn(move || ask(i)))));
    }
}

/// While P2 hangs a pass waits for it, and who waits for that pass waits as long as it says. Its question is in no pass, and does not count.
#[test]
fn a_question_has_a_deadline() {
    let d = &mut ready_without_approval(300);
    let client = Identity::generate("client").unwrap();
    d.ok(&["peers", "add", "client", "-", &client.fingerprint().to_string()]);
    serve(d, "securenn", "client", "reveal = \"class\"", ENOUGH);
    let (service, x) = (loaded(d), Array2::from_elem((1, 4), 0.25));
    let patience = Patience { connect: Duration::from_secs(60), answer: Duration::from_secs(60) };
    let open = || Asking::open(&service, &client, patience).unwrap();
    let (mut first, mut second) = (open(), open());
    second.set_deadline(Some(Duration::from_secs(60)));
    [&mut first, &mut second].into_iter().for_each(|asking| drop(asking.answers(&x).unwrap()));
    let at_p0 = |d: &Deployment| -> Value {
        let all = d.ok(&["service", "status", "service.toml", "--key", "keys/p0.pem", "--json"]);
        serde_json::from_str::<Value>(&all).unwrap()[0]["status"].clone()
    };
    let before = at_p0(d);
    d.signal(2, "STOP");
    std::thread::scope(|scope| {
        let first = scope.spawn(|| first.answers(&x).unwrap());
        let until = std::time::Instant::now() + LONG;
        let begun = loop {
            let status = at_p0(d);
            if status["records"] != before["records"] || std::time::Instant::now() > until {
                break status;
            }
        };
        second.set_deadline(Some(Duration::from_millis(300)));
        let asked = std::time::Instant::now();
        let e = second.answers(&x).unwrap_err().to_string();
        let took = asked.elapsed();
        let after = at_p0(d);
        d.signal(2, "CONT");
        assert!(e.contains("late: the question's pass has not begun within its 300 ms") && !e.contains('\n'), "{e}");
        assert!(took >= Duration::from_millis(300), "{took:?}");
        assert_eq!((&after["records"], &after["refused"]), (&begun["records"], &1.into()), "{after}");
        first.join().unwrap();
    });
}

/// Clients and questions in all: `TREFOIL_LOAD=200,10000` for more than the suite has time for.
fn load() -> (usize, usize) {
    let of = std::env::var("TREFOIL_LOAD").unwrap_or_else(|_| "12,240".into());
    let (clients, questions) = of.split_once(',').unwrap();
    (clients.parse().unwrap(), questions.parse().unwrap())
}

/// While many ask, a party is killed and comes back. Each answer is its own client's and right; what fails says so, and is asked again.
#[test]
fn a_party_dies_while_many_ask() {
    let (clients, questions) = load();
    let mut d = ready_without_approval(300);
    let identities: Vec<Identity> = (0..clients).map(|i| Identity::generate(&format!("client-{i}")).unwrap()).collect();
    for (i, client) in identities.iter().enumerate() {
        d.ok(&["peers", "add", &format!("client-{i}"), "-", &client.fingerprint().to_string()]);
    }
    let names: Vec<String> = (0..clients).map(|i| format!("\"client-{i}\"")).collect();
    let limits = "records_an_hour = 1000000\nrecords = 1000000";
    serve_all(&d, "masked", &format!("[{}]", names.join(", ")), "reveal = \"probabilities\"", limits);
    let service = loaded(&d);
    let patience = Patience { connect: Duration::from_secs(60), answer: Duration::from_secs(120) };
    // No two records are alike, and each client has its own.
    let x = Array2::from_shape_fn((128, 4), |(i, j)| ((i * 37 + j * 101) % 512) as f64 / 256.0 - 1.0);
    let expected = Asking::open(&service, &identities[0], patience).unwrap().answers(&x).unwrap();
    let each = questions / clients;
    let (done, patience) = (std::sync::atomic::AtomicUsize::new(0), &patience);
    let mut seconds: Vec<f64> = std::thread::scope(|scope| {
        let ask = |i: usize| {
            let (service, expected, x, done, identity) = (&service, &expected, &x, &done, &identities[i]);
            scope.spawn(move || {
                let mut asking = loop {
                    match Asking::open(service, identity, *patience) {
                        Ok(asking) => break asking,
                        // It is the party that dies.
                        Err(_) => std::thread::sleep(Duration::from_millis(200)),
                    }
                };
                let mut seconds = vec![];
                for question in 0..each {
                    let row = (i * 7 + question * 13) % 128;
                    let started = std::time::Instant::now();
                    let told = asking.answers(&x.slice(s![row..=row, ..]).to_owned()).unwrap();
                    seconds.push(started.elapsed().as_secs_f64());
                    let far = (&told - &expected.slice(s![row..=row, ..])).mapv(f64::abs).into_iter().fold(0.0, f64::max);
                    assert!(far < 2e-3, "client {i}, record {row}: {told} instead of {}", expected.row(row));
                    done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
                seconds
            })
        };
        let all: Vec<_> = (0..clients).map(ask).collect();
        while done.load(std::sync::atomic::Ordering::Relaxed) < clients * each / 2 {
            assert!(!all.iter().all(|client| client.is_finished()), "all have stopped");
            std::thread::sleep(Duration::from_millis(5));
        }
        d.signal(1, "KILL");
        // From now on its lanes take turns.
        let config = fs::read_to_string(d.path("p1.toml")).unwrap();
        d.write("p1.toml", &format!("{config}serve_threads = 1\n"));
        d.start(1, None);
        all.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    assert_eq!(seconds.len(), clients * each);
    seconds.sort_by(f64::total_cmp);
    let at = |part: f64| seconds[((seconds.len() - 1) as f64 * part) as usize] * 1e3;
    println!(
        "{clients} clients, {} questions, P1 killed in the middle: all right; p50 {:.1} ms, p99 {:.1} ms, longest {:.0} ms",
        seconds.len(),
        at(0.5),
        at(0.99),
        at(1.0),
    );
}
