//! What people and peers write, against the committed corpus and against arbitrary bytes: no panic, one line of error. Files whose
//! names begin with `ok-` must be read, those with `bad-` refused. The fuzz targets start from the same folders.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use std::fs;
use std::path::Path;
use trefoil_client::ServiceHash;
use trefoil_client::clients::{ClientList, Listed};
use trefoil_client::peers::Peers;
use trefoil_client::request::Request;
use trefoil_job::{Job, Service};
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_server::config::Config;

type Parsed = Result<(), String>;

fn job(text: &str) -> Parsed {
    let job = Job::parse(text, "fuzz", &Peers::default()).map_err(|e| e.to_string())?;
    // What goes to a party comes out of it again, under the same hash, wherever the parties live.
    let mut again = Job::from_json(serde_json::to_value(&job).unwrap()).unwrap();
    again.party[0].address = Some("moved.example:1".into());
    assert_eq!(job.hash(), again.hash());
    Ok(())
}

fn service(text: &str) -> Parsed {
    let service = Service::parse(text, "fuzz", &Peers::default()).map_err(|e| e.to_string())?;
    assert_eq!(Service::from_json(serde_json::to_value(&service).unwrap()).unwrap().hash(), service.hash());
    Ok(())
}

fn config(text: &str) -> Parsed {
    Config::parse(text, "fuzz").map(drop).map_err(|e| e.to_string())
}

fn request(text: &str) -> Parsed {
    serde_json::from_str::<Request>(text).map(drop).map_err(|e| e.to_string())
}

fn clients(text: &str) -> Parsed {
    let list = ClientList::from_bytes(text.as_bytes()).map_err(|e| e.to_string())?;
    assert_eq!(ClientList::from_bytes(&list.to_bytes()).unwrap(), list);
    Ok(())
}

fn replay(folder: &str, parse: fn(&str) -> Parsed) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(folder);
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let result = parse(&fs::read_to_string(&path).unwrap());
        assert_eq!(result.is_ok(), name.starts_with("ok-"), "{name}: {result:?}");
        if let Err(e) = result {
            assert!(!e.contains('\n') && e.len() < 600, "{name}: {e}");
        }
        count += 1;
    }
    assert!(count >= 9);
}

#[test]
fn the_corpus() {
    replay("job", job);
    replay("service", service);
    replay("config", config);
    replay("request", request);
    replay("clients", clients);
}

/// The corpus of lists of clients, anew: for another form of them.
#[test]
#[ignore = "writes the corpus anew, with another key"]
fn write_the_lists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/clients");
    fs::create_dir_all(&folder).unwrap();
    let key = Identity::generate("signer").unwrap();
    let of = |names: &[&str]| {
        let listed = |(n, name): (usize, &&str)| Listed { name: (*name).into(), fingerprint: Fingerprint([n as u8; 32]) };
        ClientList::sign(&key, ServiceHash([0x0f; 32]), 7, names.iter().enumerate().map(listed).collect()).unwrap()
    };
    let save = |name: &str, text: String| fs::write(folder.join(format!("{name}.json")), text).unwrap();
    let text = |list: &ClientList| String::from_utf8(list.to_bytes()).unwrap();
    let good = of(&["ward", "clinic"]);
    save("ok-empty", text(&of(&[])));
    save("ok-two", text(&good));
    save("ok-names", text(&of(&["a \"b\" \\", "caf\u{e9}"])));
    save("bad-empty", String::new());
    save("bad-array", "[]".into());
    save("bad-cut", text(&good)[..200].into());
    save("bad-version", text(&ClientList { version: 8, ..good.clone() }));
    save("bad-version-0", text(&ClientList { version: 0, ..good.clone() }));
    save("bad-negative", text(&good).replace("\"version\":7", "\"version\":-7"));
    save("bad-field", text(&good).replace("{\"service\"", "{\"more\":1,\"service\""));
    save("bad-twice", text(&good).replace(&"01".repeat(32), &"00".repeat(32)));
    save("bad-order", text(&good).replace(&"00".repeat(32), &"02".repeat(32)));
    save("bad-name", text(&good).replace("clinic", "ward"));
    save("bad-line", text(&good).replace("clinic", "x\\ny"));
    save("bad-signature", text(&ClientList { signature: "zz".into(), ..good.clone() }));
    save("bad-certificate", text(&ClientList { certificate: "00".repeat(9000), ..good.clone() }));
}

/// Links and neural networks have both been called networks: who takes one for the other is told which is which.
#[test]
fn links_are_no_network() {
    let told = |line: &str| config(&format!("listen = \"a:1\"\nkey = \"k\"\ndata = \"d\"\n{line}\n")).unwrap_err();
    let error = told("network = \"40ms,100Mbps\"");
    assert!(error.contains("line 4: found network, expected links = \"40ms,100Mbps\""), "{error}");
    let error = told("links = \"784-128-10\"");
    assert!(error.contains("links: found") && error.contains("such as 40ms,100Mbps"), "{error}");
}

/// A small job with one line put out of order.
fn bent() -> impl Strategy<Value = String> {
    let text = include_str!("corpus/job/ok-vertical.toml");
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    (0..lines.len(), "[ -~]{0,40}").prop_map(move |(at, line)| {
        let mut lines = lines.clone();
        lines[at] = line;
        lines.join("\n")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text(text in "[ -~\n]{0,300}") {
        let _ = (job(&text), service(&text), config(&text), request(&text), clients(&text));
    }

    #[test]
    fn jobs_that_are_nearly_right(text in bent()) {
        let _ = job(&text);
    }
}
