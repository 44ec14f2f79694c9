//! Every finding, provoked. [`provoke`] has an arm for each kind: the compiler asks for one where a kind is new.

use super::finding::{Finding, Kind, Level};
use super::there::{self, About, Target};
use super::{Examination, here};
use crate::record::{State, Status};
use crate::{Error, PROTOCOL, ServiceStatus};
use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use trefoil_client::approval::Role;
use trefoil_client::keys::{KeySource, PassphraseSource};
use trefoil_client::peers::Peers;
use trefoil_client::request::{self, Request};
use trefoil_job::{Job, Service};
use trefoil_net::identity::Identity;
use trefoil_net::tls::{Listener, Stream};
use trefoil_store::{Folder, audit};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const SHORT: Duration = Duration::from_secs(2);

/// A party's folder as its operator would have it.
struct Desk {
    dir: tempfile::TempDir,
    own: Identity,
    /// Lines of party.toml before `[insecure]`.
    config: Vec<String>,
    listen: String,
}

impl Desk {
    fn new() -> Desk {
        let desk =
            Desk { dir: tempfile::tempdir().unwrap(), own: identity("bank"), config: vec![], listen: "127.0.0.1:0".into() };
        desk.key(&desk.own.to_pem());
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        private(&self.path(name), text, 0o600);
        self.path(name)
    }

    fn key(&self, pem: &str) {
        self.write("key.pem", pem);
    }

    fn with(mut self, line: &str) -> Desk {
        self.config.push(line.into());
        self
    }

    fn at(self, listen: impl ToString) -> Desk {
        Desk { listen: listen.to_string(), ..self }
    }

    /// What the doctor says with `change` made to an examination of this party.
    fn examine(&self, change: impl FnOnce(&mut Examination)) -> Vec<Finding> {
        let lines = self.config.join("\n");
        let config = format!(
            "listen = {:?}\nkey = \"key.pem\"\ndata = \"data/new\"\n{lines}\n[insecure]\nplain_key = true\n",
            self.listen
        );
        let mut examination = Examination {
            config: Some(self.write("party.toml", &config)),
            job: None,
            service: None,
            peers: None,
            key: None,
            passphrase: PassphraseSource::default(),
            patience: SHORT,
        };
        change(&mut examination);
        findings(&examination)
    }

    fn found(&self) -> Vec<Finding> {
        self.examine(|_| ())
    }

    fn with_peers(&self, text: &str) -> Vec<Finding> {
        self.write("peers.toml", text);
        self.found()
    }

    fn with_job(&self, text: &str) -> Vec<Finding> {
        let job = self.write("job.toml", text);
        self.examine(|e| e.job = Some(job))
    }
}

fn findings(examination: &Examination) -> Vec<Finding> {
    let mut all = vec![];
    let result = examination.run(&mut |f| all.push(f.clone()));
    // The exit code is that of the first failure.
    let first = all.iter().find(|f| f.level == Level::Fail).map(|f| f.kind.code());
    assert_eq!(result.err().map(|e| e.exit_code()), first);
    all
}

fn identity(name: &str) -> Identity {
    Identity::generate(name).unwrap()
}

fn aged(from: i64, to: i64) -> Identity {
    let now = SystemTime::now();
    let at = |days: i64| if days < 0 { now - DAY * days.unsigned_abs() as u32 } else { now + DAY * days as u32 };
    Identity::generate_for("aged", at(from)..at(to)).unwrap()
}

fn private(path: &Path, text: &str, mode: u32) {
    let _ = fs::remove_file(path);
    fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// A port that nobody listens at, in all likelihood.
fn nowhere() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A party that takes connections from `allowed` and does this with each request.
fn party(who: &Identity, allowed: &Identity, answer: impl Fn(&mut Stream, Request) + Send + 'static) -> String {
    let listener = Listener::bind("127.0.0.1:0", who, &[allowed.fingerprint()]).unwrap();
    let address = listener.local_addr().to_string();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept(Duration::from_secs(5)) {
            let request = request::next(&mut stream).unwrap();
            answer(&mut stream, request);
            // Until the caller is done.
            let _ = stream.read(&mut [0]);
        }
    });
    address
}

fn pong(version: &str, protocol: u32, ahead: i64) -> serde_json::Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    json!({ "version": version, "protocol": protocol, "time": now.saturating_add_signed(ahead) })
}

fn well() -> serde_json::Value {
    pong(env!("CARGO_PKG_VERSION"), PROTOCOL, 0)
}

fn call(own: &Identity, expect: &Identity, address: &str) -> Vec<Finding> {
    call_about(own, expect, address, About::Nothing)
}

fn call_about(own: &Identity, expect: &Identity, address: &str, about: About) -> Vec<Finding> {
    let target = Target { name: "P1 clinic".into(), address: address.into(), fingerprint: expect.fingerprint() };
    there::examine(&target, Some(own), about, Duration::from_millis(500))
}

/// A party with its own key, called by a party that it allows.
fn answered(answer: impl Fn(&mut Stream, Request) + Send + 'static) -> Vec<Finding> {
    let [own, other] = ["bank", "clinic"].map(identity);
    call(&own, &other, &party(&other, &own, answer))
}

fn ping(pong: serde_json::Value) -> Vec<Finding> {
    answered(move |stream, _| request::accept(stream, &pong).unwrap())
}

/// A TCP server that does this with each connection.
fn tcp(f: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || listener.incoming().for_each(|tcp| f(tcp.unwrap())));
    address
}

fn to_tcp(f: impl Fn(TcpStream) + Send + 'static) -> Vec<Finding> {
    call(&identity("bank"), &identity("clinic"), &tcp(f))
}

const REST: &str = "[data]\ntask = \"classification\"\nlabel = \"y\"\nclasses = [\"a\", \"b\"]\n\
                    columns = [{ kind = \"number\", name = \"x\", mean = 0.0, deviation = 1.0 }]\n";

fn job_text(parties: [(&Identity, &str); 3]) -> String {
    let member =
        |name: &str, who: &Identity, at: &str| format!("{{ name = \"{name}\", fingerprint = \"{}\"{at} }}", who.fingerprint());
    let names = ["bank", "clinic", "university"];
    let parties: Vec<_> =
        names.iter().zip(parties).map(|(name, (who, at))| member(name, who, &format!(", address = \"{at}\""))).collect();
    let [owner, model] = ["owner", "model"].map(|n| member(n, &identity(n), ""));
    format!("name = \"trial\"\nparty = [{}]\nowner = [{owner}]\nmodel_owner = {model}\n{REST}", parties.join(", "))
}

/// A job of `own` and two others that cannot be reached.
fn job_of(own: &Identity) -> String {
    let (a, at) = (["clinic", "university"].map(identity), nowhere());
    job_text([(own, "127.0.0.1:9"), (&a[0], &at), (&a[1], &at)])
}

/// What is said of a job whose status a party gives like this.
fn standing(status: impl Fn(&Job) -> Option<Status>) -> Vec<Finding> {
    let [own, other] = ["bank", "clinic"].map(identity);
    let job = Job::parse(&job_of(&own), "job.toml", &Peers::default()).unwrap();
    let found: Vec<Status> = status(&job).into_iter().collect();
    let address = party(&other, &own, move |stream, request| match request {
        Request::Ping => request::accept(stream, &well()).unwrap(),
        _ => request::accept(stream, &found).unwrap(),
    });
    call_about(&own, &other, &address, About::Job(&job))
}

/// A job of `own`, as P0, whose model `client` may ask.
fn served_job(own: &Identity, client: &Identity) -> String {
    let client = format!("{{ name = \"ward\", fingerprint = \"{}\" }}", client.fingerprint());
    format!("{}[serve]\nreveal = \"class\"\nclient = [{client}]\nrecords = 1000\n", job_of(own))
}

/// A service of its model with all that it allows.
fn service_of(job: &str) -> String {
    let job = Job::parse(job, "job.toml", &Peers::default()).unwrap();
    let (party, client) = (&job.party, &job.serve.as_ref().unwrap().client);
    let lines = [json!({ "party": party }), json!({ "client": client })].map(|members| toml::to_string(&members).unwrap());
    format!(
        "name = \"advice\"\nmodel = {{ job = \"{}\" }}\nreveal = \"class\"\nuntil = \"2099-12-31\"\n\
         limits = {{ records_an_hour = 10, records = 1000 }}\n{}",
        job.hash(),
        lines.concat()
    )
}

/// What is said to its client of a service that stands like this at a party, or is not known there.
fn answering(state: Option<&str>) -> Vec<Finding> {
    let [own, ward, clinic] = ["bank", "ward", "clinic"].map(identity);
    let service = Service::parse(&service_of(&served_job(&own, &ward)), "service.toml", &Peers::default()).unwrap();
    let status = |state: &str| ServiceStatus {
        hash: service.hash(),
        name: service.name.clone(),
        job: service.model.job(),
        approved: vec![Role::P0, Role::P1],
        state: state.into(),
        waiting_for: (state == "waiting").then(|| "P2: does\nnot answer".into()),
        answered: 3,
        refused: 0,
        waiting: 0,
        passes: vec![],
        records: 96,
        clients: None,
    };
    let found: Vec<ServiceStatus> = state.map(status).into_iter().collect();
    let address = party(&clinic, &ward, move |stream, request| match request {
        Request::Ping => request::accept(stream, &well()).unwrap(),
        _ => request::accept(stream, &found).unwrap(),
    });
    call_about(&ward, &clinic, &address, About::Service(&service))
}

fn status(job: &Job, approved: bool, state: State) -> Option<Status> {
    let missing = if state == State::Waiting { vec!["records of owner".to_owned()] } else { vec![] };
    let (hash, name, proposed_by) = (job.hash(), job.name.clone(), "party clinic (P1)".into());
    Some(Status {
        hash,
        name,
        proposed_by,
        approved,
        owners: [1, 0, 1],
        state,
        missing,
        refused: vec![],
        not_opened: vec![],
        steps: [0; 3],
        last: None,
        figures: vec![],
        statistics: vec![],
        checked: false,
        epoch: None,
        delivered: false,
    })
}

/// A listener whose queue is full: the system drops what comes.
fn full() -> (socket2::Socket, Vec<socket2::Socket>, String) {
    use socket2::{Domain, Socket, Type};
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let waiting = (0..4).map(|_| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&address);
        socket
    });
    (listener, waiting.collect(), address.as_socket().unwrap().to_string())
}

/// Something that makes the doctor find this, and words of its message and advice.
fn provoke(kind: Kind) -> (Vec<Finding>, &'static [&'static str]) {
    let desk = Desk::new();
    let own = desk.own.clone();
    match kind {
        Kind::ConfigRead => (desk.found(), &["party.toml: listens at 127.0.0.1:0"]),
        Kind::ConfigUnusable => (desk.with("speed = 1").found(), &["line 4: found unknown field `speed`"]),

        Kind::KeyRead => (desk.found(), &["key.pem: fingerprint "]),
        Kind::KeyNone => (desk.with("speed = 1").found(), &["found neither"]),
        Kind::KeyUnreadable => {
            fs::remove_file(desk.path("key.pem")).unwrap();
            (desk.found(), &["key.pem: No such file", "trefoil keygen"])
        }
        Kind::KeyExposed => {
            private(&desk.path("key.pem"), &own.to_pem(), 0o640);
            (desk.found(), &["others may read or write it (mode 0640)", "chmod 600"])
        }
        Kind::KeyPlain => {
            let key = KeySource::File(desk.path("key.pem"));
            (desk.examine(|e| (e.config, e.key) = (None, Some(key))), &["is not encrypted", "--import"])
        }
        Kind::KeyPassphrase => {
            desk.key(&own.to_encrypted_pem("right").unwrap());
            let wrong = fs::File::open(desk.write("passphrase", "wrong\n")).unwrap();
            let fd = Some(wrong.as_raw_fd() as u32);
            (desk.examine(|e| e.passphrase = PassphraseSource { fd }), &["wrong passphrase", "TREFOIL_PASSPHRASE"])
        }
        Kind::KeyUnusable => {
            desk.key("hello");
            (desk.found(), &["no certificate in PEM"])
        }

        Kind::CertificateValid => (desk.found(), &["valid for 3652 more days"]),
        Kind::CertificateEnding => {
            desk.key(&aged(-100, 29).to_pem());
            (desk.found(), &["valid for 28 more days", "make a new key"])
        }
        Kind::CertificateEnded => {
            desk.key(&aged(-100, -3).to_pem());
            (desk.found(), &["not valid any more, for 3 days"])
        }
        Kind::CertificateEarly => {
            desk.key(&aged(3, 100).to_pem());
            (desk.found(), &["not valid yet, for 2 days", "clock"])
        }

        Kind::FolderReady => {
            let found = desk.found();
            assert!(found.iter().any(|f| f.message.contains("is not there yet, and can be made")));
            assert!(!desk.path("data").exists());
            drop(Folder::lock(desk.path("data/new")).unwrap());
            fs::remove_file(desk.path("data/new/lock")).unwrap();
            let found = desk.found();
            // Nothing that would belong to the doctor's user instead of the party's.
            assert_eq!(fs::read_dir(desk.path("data/new")).unwrap().count(), 0);
            (found, &["can be written; no party runs on it"])
        }
        Kind::FolderRunning => {
            let _held = Folder::lock(desk.path("data/new")).unwrap();
            (desk.found(), &["is in use by process ", ": the party runs"])
        }
        Kind::FolderUnusable => {
            fs::create_dir_all(desk.path("data/new")).unwrap();
            fs::set_permissions(desk.path("data/new"), fs::Permissions::from_mode(0o755)).unwrap();
            (desk.found(), &["found mode 755, expected 700"])
        }
        Kind::SpaceEnough => (vec![here::room(desk.dir.path(), 5 << 30)], &["5 GiB free"]),
        Kind::SpaceLow => (vec![here::room(desk.dir.path(), 1 << 28)], &["0.25 GiB free, expected at least 1 GiB", "make room"]),

        Kind::ListenFree => (desk.found(), &["is free; the party does not run"]),
        Kind::ListenOwn => {
            let at = party(&own, &own, |stream, _| request::accept(stream, &well()).unwrap());
            (desk.at(at).found(), &["the party runs, and answers"])
        }
        Kind::ListenUnasked => {
            fs::remove_file(desk.path("key.pem")).unwrap();
            let taken = TcpListener::bind("127.0.0.1:0").unwrap();
            (desk.at(taken.local_addr().unwrap()).found(), &["is in use"])
        }
        Kind::ListenTaken => {
            let other = party(&identity("other"), &own, |_, _| ());
            (desk.at(other).found(), &["is in use, not by this party: found fingerprint "])
        }
        Kind::ListenImpossible => (desk.at("192.0.2.1:7001").found(), &["cannot listen: "]),
        Kind::StatusFree => (desk.with("status = \"127.0.0.1:0\"").found(), &["is free"]),
        Kind::StatusOwn => {
            let at = tcp(|mut tcp| {
                let _ = tcp.read(&mut [0; 1000]);
                tcp.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n").unwrap();
            });
            (desk.with(&format!("status = {at:?}")).found(), &["/healthz answers"])
        }
        Kind::StatusUnusable => (desk.with("status = \"0.0.0.0:9100\"").found(), &["found 0.0.0.0:9100", "status_public = true"]),
        Kind::StatusTaken => {
            (desk.with(&format!("status = {:?}", tcp(drop))).found(), &["cannot listen: ", "does not answer there"])
        }

        Kind::AuditWhole => {
            log(&desk);
            (desk.found(), &["2 entries, unbroken; head "])
        }
        Kind::AuditNone => (desk.found(), &["is not there yet"]),
        Kind::AuditTorn => {
            fs::OpenOptions::new().append(true).open(log(&desk)).unwrap().write_all(b"{\"n\":3").unwrap();
            (desk.found(), &["line 3: found 6 bytes and no newline"])
        }
        Kind::AuditBroken => {
            let file = log(&desk);
            let text = fs::read_to_string(&file).unwrap().replacen("first", "other", 1);
            fs::write(file, text).unwrap();
            (desk.found(), &["line 2: hash of the line before: found ", "somebody changed the log"])
        }

        Kind::PeersRead => (desk.with_peers(&format!("[clinic]\nfingerprint = \"{}\"\n", own.fingerprint())), &["1 known"]),
        Kind::PeersNone => (desk.found(), &["found nobody", "trefoil peers add"]),
        Kind::PeersUnusable => (desk.with_peers("[clinic]\n"), &["line 1: missing field `fingerprint`"]),

        Kind::JobRead => (desk.with_job(&job_of(&own)), &["trial, hash "]),
        Kind::JobUnusable => (desk.with_job("name = \"trial\"\n"), &["missing field"]),
        Kind::JobContradicts => {
            desk.write("peers.toml", &format!("[clinic]\nfingerprint = \"{}\"\n", identity("another").fingerprint()));
            (desk.with_job(&job_of(&own)), &["fingerprint of clinic: found ", "on another channel"])
        }
        Kind::JobOtherName => {
            desk.write("peers.toml", &format!("[our-bank]\nfingerprint = \"{}\"\n", own.fingerprint()));
            (desk.with_job(&job_of(&own)), &["bank is our-bank in the peers file"])
        }
        Kind::JobOtherAddress => {
            desk.write("peers.toml", &format!("[bank]\naddress = \"b.example:1\"\nfingerprint = \"{}\"\n", own.fingerprint()));
            (desk.with_job(&job_of(&own)), &["bank is at 127.0.0.1:9, in the peers file at b.example:1"])
        }
        Kind::RoleFound => (desk.with_job(&job_of(&own)), &["this is party bank (P0)"]),
        Kind::RoleStranger => (desk.with_job(&job_of(&identity("another"))), &["is nobody in this job"]),
        Kind::RoleNoParty => {
            let text = job_of(&identity("another"));
            let owner = Job::parse(&text, "job", &Peers::default()).unwrap().owner[0].fingerprint.to_string();
            (
                desk.with_job(&text.replace(&owner, &own.fingerprint().to_string())),
                &["this party is data owner owner, expected one"],
            )
        }

        Kind::ServiceRead => {
            let job = served_job(&own, &identity("ward"));
            let (service, job) = (desk.write("service.toml", &service_of(&job)), desk.write("job.toml", &job));
            let found = desk.examine(|e| (e.job, e.service) = (Some(job), Some(service.clone())));
            assert!(found.iter().any(|f| f.kind == Kind::RoleFound && f.message == "this is party bank (P0)"), "{found:?}");
            assert!(found.iter().any(|f| f.message.ends_with("; its job allows it")), "{found:?}");
            // Its parties are called; and who is none of its clients is nobody in it.
            assert_eq!(found.iter().filter(|f| f.kind == Kind::ConnectRefused).count(), 2, "{found:?}");
            desk.key(&identity("stranger").to_pem());
            let found = desk.examine(|e| e.service = Some(service));
            assert!(found.iter().any(|f| f.message.ends_with("is nobody in this service")), "{found:?}");
            (found, &["service.toml: advice, hash "])
        }
        Kind::ServiceUnusable => {
            let service = desk.write("service.toml", "name = \"advice\"\n");
            (desk.examine(|e| e.service = Some(service)), &["missing field"])
        }
        Kind::ServiceExceeds => {
            let job = served_job(&own, &identity("ward"));
            let more = service_of(&job).replace("records = 1000", "records = 1001");
            let (service, job) = (desk.write("service.toml", &more), desk.write("job.toml", &job));
            let found = desk.examine(|e| (e.job, e.service) = (Some(job), Some(service)));
            (found, &["limits.records: found 1001, expected at most 1000", "narrow the service"])
        }

        Kind::PeerReady => (ping(well()), &["P1 clinic at 127.0.0.1:", "answers within ", "protocol 9"]),
        Kind::PeerUnasked => {
            let target = Target { name: "P1".into(), address: tcp(drop), fingerprint: own.fingerprint() };
            (there::examine(&target, None, About::Nothing, SHORT), &["something listens"])
        }
        Kind::PeersNobody => (desk.found(), &["found none with an address"]),
        Kind::ResolveFailed => (call(&own, &own, "no..such..host:7001"), &["no address: ", "DNS"]),
        Kind::ConnectRefused => (call(&own, &own, &nowhere()), &["nobody listens: ", "does not run"]),
        Kind::ConnectSilent => {
            let (_listener, _waiting, address) = full();
            (call(&own, &own, &address), &["no answer within 0.5 s", "firewall"])
        }
        Kind::ConnectFailed => (call(&own, &own, "255.255.255.255:7001"), &["no way there: "]),
        Kind::CertificateOther => {
            let at = party(&identity("other"), &own, |_, _| ());
            (call(&own, &identity("clinic"), &at), &["found fingerprint ", ", expected ", "trefoil peers add --replace"])
        }
        Kind::CertificateTheirsEnded => {
            let other = aged(-9, -1);
            (call(&own, &other, &party(&other, &own, |_, _| ())), &["the peer's certificate has expired", "their operator"])
        }
        Kind::CertificateTheirsEarly => {
            let other = aged(1, 9);
            (call(&own, &other, &party(&other, &own, |_, _| ())), &["the peer's certificate is not valid yet", "clocks"])
        }
        Kind::HandshakeStranger => {
            let other = identity("clinic");
            let found = call(&own, &other, &party(&other, &identity("friend"), |_, _| ()));
            assert!(found[0].advice.contains(&format!("trefoil peers add NAME - {}", own.fingerprint())), "{found:?}");
            (found, &["its fingerprint is not allowed there", "their operator must", "approve the job"])
        }
        Kind::HandshakeOursEnded => {
            let (old, other) = (aged(-9, -1), identity("clinic"));
            (call(&old, &other, &party(&other, &old, |_, _| ())), &["refused this certificate (it is not valid at this time)"])
        }
        Kind::HandshakeNotTls => {
            let greeting = |mut tcp: TcpStream| {
                let _ = tcp.write_all(b"SSH-2.0-something\r\n");
                let _ = tcp.read(&mut [0; 4096]);
            };
            (to_tcp(greeting), &["does not speak TLS", "correct the port"])
        }
        Kind::HandshakeSilent => (to_tcp(|_| std::thread::sleep(SHORT)), &["not done within 0.5 s"]),
        Kind::HandshakeFailed => {
            let read = |mut tcp: TcpStream| drop(tcp.read(&mut [0; 4096]));
            (to_tcp(read), &["the peer closed the connection", "a proxy or a firewall"])
        }
        Kind::PingSilent => (answered(|_, _| std::thread::sleep(SHORT)), &["nothing arrived within 0.5 s"]),
        Kind::PingRefused => {
            (answered(|stream, _| trefoil_client::refuse(stream, "too many connections")), &["refused: too many"])
        }
        Kind::PingOther => (ping(json!("hello")), &["expected a message in JSON", "same release"]),
        Kind::VersionOther => (ping(pong("0.0.9\n", PROTOCOL, 0)), &["found version 0.0.9 , expected ", "same release"]),
        Kind::ProtocolOther => (ping(pong(env!("CARGO_PKG_VERSION"), 6, 0)), &["found protocol 6, expected 9 as here"]),
        Kind::ClockOff => {
            let ahead = ping(pong(env!("CARGO_PKG_VERSION"), PROTOCOL, 3600));
            assert!(ahead[0].message.starts_with("their clock is ") && ahead[0].message.contains("ahead of"), "{ahead:?}");
            // A second or more may pass before it is read.
            (ping(pong(env!("CARGO_PKG_VERSION"), PROTOCOL, -120)), &["their clock is 12", " s behind this one", "NTP"])
        }

        Kind::JobGoesOn => (standing(|job| status(job, true, State::Running)), &["trial is running"]),
        Kind::JobWaits => (standing(|job| status(job, true, State::Waiting)), &["trial is waiting; waits for records of owner"]),
        Kind::JobUnapproved => (standing(|job| status(job, false, State::Waiting)), &["trial is waiting", "trefoil job approve"]),
        Kind::JobUnknown => (standing(|_| None), &["trial is not known there", "trefoil job propose"]),
        Kind::JobBroken => {
            let failed = |job: &Job| status(job, true, State::Failed { why: "loss:\nnot a number".into() });
            (standing(failed), &["trial is failed: loss: not a number", "trefoil job resume"])
        }
        Kind::ServiceAnswers => (answering(Some("serving")), &["advice is serving, approved by P0, P1; 96 of 1000 records used"]),
        Kind::ServiceWaits => {
            (answering(Some("waiting")), &["advice is waiting (P2: does not answer), approved", "must approve it"])
        }
        Kind::ServiceUnknown => (answering(None), &["advice is not known there", "trefoil service approve"]),
        Kind::ServiceEnded => (answering(Some("over")), &["advice is over, ", "another one"]),
        Kind::ServiceUnasked => {
            let ward = identity("ward");
            let service = Service::parse(&service_of(&served_job(&own, &ward)), "service.toml", &Peers::default()).unwrap();
            let address = party(&own, &ward, |stream, request| match request {
                Request::Ping => request::accept(stream, &well()).unwrap(),
                _ => trefoil_client::refuse(stream, "not now"),
            });
            (call_about(&ward, &own, &address, About::Service(&service)), &["the service's status: ", "refused: not now"])
        }
        Kind::JobUnasked => {
            let other = identity("clinic");
            let job = Job::parse(&job_of(&own), "job.toml", &Peers::default()).unwrap();
            let address = party(&other, &own, |stream, request| match request {
                Request::Ping => request::accept(stream, &well()).unwrap(),
                _ => trefoil_client::refuse(stream, "not now"),
            });
            (call_about(&own, &other, &address, About::Job(&job)), &["the job's status: ", "refused: not now"])
        }
    }
}

/// A log of two lines.
fn log(desk: &Desk) -> PathBuf {
    let _folder = Folder::lock(desk.path("data/new")).unwrap();
    let file = desk.path("data/new/audit.jsonl");
    let mut log = audit::Log::open(&file).unwrap();
    log.append(&json!({ "what": "first" })).unwrap();
    log.append(&json!({ "what": "second" })).unwrap();
    file
}

#[test]
fn every_finding() {
    let look = |kind: Kind| {
        let (all, words) = provoke(kind);
        let Some(found) = all.iter().find(|f| f.kind == kind) else { panic!("no {kind:?} among {all:?}") };
        let line = format!("{}: {} | {}", found.subject, found.message, found.advice);
        assert!(!line.contains('\n') && !found.subject.is_empty() && !found.message.is_empty(), "{line}");
        assert_eq!(found.advice.is_empty(), found.level == Level::Ok, "{line}");
        assert_eq!(kind.code() != 0, found.level == Level::Fail, "{line}");
        assert!(words.iter().all(|w| line.contains(w)), "{kind:?}: {words:?} in {line}");
        assert!(!line.contains("PRIVATE KEY"));
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = Kind::ALL.iter().map(|&kind| scope.spawn(move || look(kind))).collect();
        let failed: Vec<_> = threads.into_iter().zip(Kind::ALL).filter_map(|(t, kind)| t.join().err().map(|_| kind)).collect();
        assert!(failed.is_empty(), "{failed:?}");
    });
}

#[test]
fn in_order() {
    let desk = Desk::new();
    let kinds: Vec<Kind> = desk.with_job(&job_of(&desk.own)).iter().map(|f| f.kind).collect();
    use Kind::*;
    let here =
        [ConfigRead, KeyRead, CertificateValid, FolderReady, SpaceEnough, ListenFree, AuditNone, PeersNone, JobRead, RoleFound];
    let here = here.iter().filter(|k| **k != SpaceEnough || kinds.contains(k)).chain([&ConnectRefused; 2]);
    assert_eq!(kinds, here.copied().collect::<Vec<_>>());
    // The summary names the first failure.
    let e = Examination {
        config: None,
        job: None,
        service: None,
        peers: Some(desk.write("peers.toml", "[x]\n")),
        key: None,
        passphrase: PassphraseSource::default(),
        patience: SHORT,
    };
    match e.run(&mut |_| ()) {
        Err(e @ Error::Unhealthy { .. }) => {
            let text = e.to_string();
            assert!(text.starts_with("failed checks: 1, the first: peers of ") && e.exit_code() == 2, "{text}");
        }
        other => panic!("{other:?}"),
    }
}
