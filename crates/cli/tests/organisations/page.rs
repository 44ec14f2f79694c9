//! The page of each party, through its port: who gets in, what it shows to whom, and how soon.

use super::clients::key;
use super::serve::{ENOUGH, serving, told};
use super::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use trefoil_client::peers::Peers;
use trefoil_client::request::{self, Request};
use trefoil_client::{Address, Patience};
use trefoil_net::Id;

/// Sends a request to a status port.
fn send(status: &str, path: &str, more: &str) -> TcpStream {
    let mut stream = TcpStream::connect(status).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {status}\r\nConnection: close\r\n{more}\r\n").unwrap();
    stream
}

fn get(status: &str, path: &str, more: &str) -> String {
    let mut text = String::new();
    send(status, path, more).read_to_string(&mut text).unwrap();
    text
}

/// What a page shows, kept up to date by a thread until the stream ends: all parts ever shown, and the newest of each.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<Parts>>);

type Parts = (Vec<String>, serde_json::Map<String, Value>);

impl Shown {
    fn follow(status: &str, cookie: &str) -> Shown {
        let (shown, stream) = (Shown::default(), BufReader::new(send(status, "/events", cookie)));
        let into = shown.clone();
        std::thread::spawn(move || {
            for line in stream.lines().map_while(Result::ok) {
                let Some(news) = line.strip_prefix("data: ") else { continue };
                let mut into = into.0.lock().unwrap();
                into.0.push(news.to_owned());
                for part in serde_json::from_str::<Vec<(String, String, Value)>>(news).unwrap() {
                    into.1.insert(part.1, part.2);
                }
            }
        });
        shown
    }

    fn part(&self, name: &str) -> Value {
        self.0.lock().unwrap().1.get(name).cloned().unwrap_or_default()
    }

    fn job(&self) -> Value {
        self.part("jobs")["shown"][0].clone()
    }

    fn until(&self, what: &str, so: impl Fn(&Shown) -> bool) {
        let until = Instant::now() + LONG;
        while !so(self) {
            assert!(Instant::now() < until, "{what}: {:#}", self.job());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Uses the link that the operator gets, as a browser does: the `Cookie` header from then on.
fn enter(d: &Deployment, party: usize, status: &str) -> String {
    let link = d.ok(&["page", "--config", &format!("p{party}.toml")]);
    let path = link.trim().strip_prefix(&format!("http://{status}")).unwrap_or_else(|| panic!("{link}")).to_owned();
    let answer = get(status, &path, "");
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    assert!(get(status, &path, "").starts_with("HTTP/1.1 401"));
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    format!("Cookie: {}\r\n", cookie.split(';').next().unwrap())
}

#[test]
fn a_page_for_each_operator() {
    let mut d = with_records(400);
    d.job("job.toml", "a job", "masked", "[train]\nepochs = 40\nbatch = 16\n");
    let status = [0, 1, 2].map(|party| {
        let (status, file) = (deployment::free_address(), format!("p{party}.toml"));
        let text = fs::read_to_string(d.path(&file)).unwrap();
        d.write(&file, &format!("{text}status = \"{status}\"\n"));
        d.start(party, Some("job.toml"));
        status
    });
    // A stranger on the machine, and a member of the job who is not the operator.
    for path in ["/", "/events", "/page.js", "/?link="] {
        assert!(get(&status[0], path, "").starts_with("HTTP/1.1 401"), "{path}");
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert!(get(&status[0], path, "").starts_with("HTTP/1.1 200"), "{path}");
    }
    let fingerprint = Peers::load(&d.path("peers.toml")).unwrap().get("p0").unwrap().fingerprint;
    let (north, address) = (key(&d, "north"), Address { id: Id::P0, address: d.address(0), fingerprint });
    let patience = Patience { connect: Duration::from_secs(5), answer: Duration::from_secs(5) };
    let refused = request::call::<String>(&address, &north, patience, &Request::Page).unwrap_err().to_string();
    assert!(refused.contains("the page is for this party's operator"), "{refused}");

    let pages = [0, 1, 2].map(|party| Shown::follow(&status[party], &enter(&d, party, &status[party])));
    pages[0].until("approvals of the operators", |page| page.job()["approvals"].as_array().is_some_and(|all| all.len() == 6));
    assert_eq!(pages[0].job()["missing"][0], "records of north, south");
    shared(&d, "north");
    shared(&d, "south");
    // Whatever step the party says that it has done, the page shows within a second: on a busy machine, three.
    let (mut slowest, mut steps) = (Duration::ZERO, 0);
    while steps < 1000 {
        let text = get(&status[0], "/metrics", "");
        let done = text.lines().find(|l| l.starts_with("trefoil_job_steps") && l.contains("done")).unwrap();
        let (done, since) = (done.rsplit(' ').next().unwrap().parse::<u64>().unwrap(), Instant::now());
        if done > steps {
            steps = done;
            pages[0].until("a step", |page| page.job()["steps"][0].as_u64() >= Some(done));
            slowest = slowest.max(since.elapsed());
        }
    }
    println!("a step shows within {slowest:?}");
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    d.until("job.toml", LONG, "trained", trained);
    for page in &pages {
        page.until("trained", |page| {
            page.job()["state"]["is"] == "trained" && page.part("audit").to_string().contains("trained")
        });
        let job = page.job();
        assert_eq!(job["approvals"].as_array().unwrap().iter().filter(|a| a["signed"].is_u64()).count(), 5, "{job:#}");
        assert!(page.part("memory")["now"].as_u64().unwrap() > 1 << 20);
        page.until("both peers answer", |page| {
            page.part("links")
                .as_array()
                .is_some_and(|all| all.len() == 2 && all.iter().all(|l| l["asked"]["milliseconds"].is_f64()))
        });
        let cost = page.part("cost")[job["hash"].as_str().unwrap()].clone();
        assert!(cost["lines"].as_array().unwrap().iter().any(|line| line["payload_bytes"].as_u64() > Some(0)), "{cost:#}");
    }
    let figures = |page: &Shown| {
        let curves = page.part("curves");
        let epochs = curves[page.job()["hash"].as_str().unwrap_or_default()]["epochs"].as_array();
        epochs.into_iter().flatten().filter(|e| e["loss"].is_f64() && e["metric"].is_f64()).count()
    };
    for (party, page) in pages.iter().enumerate() {
        // P2 is told no figure, so its page never had one.
        assert_eq!(figures(page), if party == 2 { 0 } else { 40 }, "P{party}: {}", page.part("curves"));
        let all = page.0.lock().unwrap().0.join("\n");
        assert_eq!(all.contains("\"loss\":0.") || all.contains("\"loss\":1.") || all.contains("\"metric\":0."), party != 2);
    }
    // What a party has shown it still shows after a restart: curves are in its audit log.
    d.signal(0, "KILL");
    d.start(0, None);
    let again = Shown::follow(&status[0], &enter(&d, 0, &status[0]));
    again.until("curves", |page| figures(page) == 40);
    assert!(entries(&d.audit(0), "link to the page given").len() >= 2);
    // Logs have no link.
    assert!(!d.logs().contains("link="));
}

/// Where a service stands, and how much was asked: of P2, which hears of no question, that there are some is not known.
#[test]
fn services_are_shown() {
    let mut d = serving("masked", "probabilities", ENOUGH);
    let pages = [0, 2].map(|party| {
        let (status, file) = (deployment::free_address(), format!("p{party}.toml"));
        let text = fs::read_to_string(d.path(&file)).unwrap();
        d.write(&file, &format!("{text}status = \"{status}\"\n"));
        d.signal(party, "KILL");
        d.start(party, None);
        Shown::follow(&status, &enter(&d, party, &status))
    });
    let service = |page: &Shown| page.part("services")["shown"][0].clone();
    pages[0].until("a service that serves", |page| service(page)["state"] == "serving");
    told(&d, &[]);
    pages[0].until("its answers", |page| service(page)["answered"].as_u64() > Some(0));
    for (page, asked) in pages.iter().zip([true, false]) {
        let shown = service(page);
        assert_eq!((shown["approved"].as_array().unwrap().len(), shown["answered"].as_u64() > Some(0)), (3, asked), "{shown}");
        assert_eq!((&shown["limit"], shown["until"].is_string()), (&100_000.into(), true), "{shown}");
    }
    // What was asked and answered is on no page.
    let all = pages[0].0.lock().unwrap().0.join("\n");
    assert!(!all.contains("probabilit") && !all.contains("\"class"), "{all}");
}

#[test]
fn a_party_without_a_status_port_has_no_page() {
    let mut d = with_records(20);
    d.start(0, None);
    let line = d.refused(&["page", "--config", "p0.toml"]);
    assert_eq!(line, "error: status: found none, expected an address in party.toml, such as 127.0.0.1:9100, where the page is");
}
