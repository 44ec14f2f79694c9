//! Parties of two ranks each, as threads of this process: several jobs are in the lanes at a time, an owner may talk to any rank, and questions are spread over the lanes, of which
//! one loses its links meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ndarray::{Array2, s};
use serde::de::DeserializeOwned;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use trefoil_client::Patience;
use trefoil_client::request::{self, Request};
use trefoil_data::{Source, schema};
use trefoil_job::service::{Asking, Clients, Limits, Origin};
use trefoil_job::{Checkpoint, Job, JobHash, Member, Opened, Owner, Serve, Service, Start, SuiteName, sharing};
use trefoil_lab::demo::job::Keys;
use trefoil_mpc::Switch;
use trefoil_mpc::lanes::Threads;
use trefoil_net::Id;
use trefoil_net::identity::Identity;
use trefoil_nn::{Reveal, TrainSpec};
use trefoil_server::config::Config;
use trefoil_server::record::{State, Status};
use trefoil_server::{self as server, Event, ServiceStatus, lanes};

const PATIENCE: Patience = Patience { connect: Duration::from_secs(20), answer: Duration::from_secs(60) };
const LONG: Duration = Duration::from_secs(180);
const RANKS: usize = 2;

/// A port that nobody uses at any of these hosts, below those that the system gives to callers.
fn free_port(hosts: &[&str]) -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let port = 20_000 + (std::process::id() * 41 + NEXT.fetch_add(1, Ordering::Relaxed)) % 8_000;
        if hosts.iter().all(|host| TcpListener::bind(format!("{host}:{port}")).is_ok()) {
            return port as u16;
        }
    }
}

/// A party, whose ranks are threads.
struct Party {
    stop: &'static AtomicBool,
    ranks: Vec<JoinHandle<()>>,
    /// By job: what each lane has sent, once it is trained.
    by_lane: Arc<Mutex<Vec<usize>>>,
}

impl Party {
    /// Rank 0 listens at the first port, rank 1 at the second, where peers reach it at another host's.
    fn start(folder: &Path, key: &Identity, ports: [u16; 2], host: &str) -> Party {
        std::fs::create_dir(folder).unwrap();
        std::fs::write(folder.join("peers.toml"), "").unwrap();
        let [listen, lane] = ports;
        let at = |file: &str| folder.join(file).display().to_string();
        let text = format!(
            "listen = \"127.0.0.1:{listen}\"\nlanes = [\"{host}:{lane}\"]\nkey = \"none\"\ndata = {:?}\npeers = {:?}\ntimeout = 20\n",
            at("data"),
            at("peers.toml")
        );
        let config = Config::parse(&text, "party.toml").unwrap();
        let stop: &'static AtomicBool = Box::leak(Box::default());
        let switches: Vec<_> = Threads::new(RANKS).into_iter().map(|wire| Arc::new(Switch::new(wire))).collect();
        let by_lane = Arc::<Mutex<Vec<usize>>>::default();
        let mut ranks = vec![];
        for switch in switches {
            let (config, identity, seen) = (config.clone(), key.clone(), by_lane.clone());
            let emit = Box::new(move |event: Event| {
                if let Event::Done(report) = event {
                    assert!(report.lanes.iter().all(|sent| sent.iter().sum::<u64>() > 0), "{:?}", report.lanes);
                    seen.lock().unwrap().push(report.lanes.len());
                }
            });
            ranks.push(thread::spawn(move || {
                if switch.rank() > 0 {
                    lanes::follow(config, identity, &switch).unwrap();
                } else {
                    let ranks = Some(switch.clone());
                    let start = server::Start { identity, approve: None, ranks, stop, emit, shown: false, link: None };
                    server::run(config, start).unwrap();
                    lanes::leave(&switch);
                }
                switch.close();
            }));
        }
        Party { stop, ranks, by_lane }
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.ranks.into_iter().for_each(|rank| rank.join().unwrap());
    }
}

/// Passes connections on, and may cut all that there are.
struct Cable(Arc<Mutex<Vec<TcpStream>>>);

impl Cable {
    fn between(from: String, to: String) -> Cable {
        let (listener, all) = (TcpListener::bind(from).unwrap(), Arc::<Mutex<Vec<TcpStream>>>::default());
        let cable = Cable(all.clone());
        let pump = |mut from: TcpStream, mut to: TcpStream| {
            let mut piece = vec![0; 1 << 16];
            while let Ok(n @ 1..) = from.read(&mut piece) {
                if to.write_all(&piece[..n]).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Write);
        };
        thread::spawn(move || {
            for caller in listener.incoming().flatten() {
                let Ok(called) = TcpStream::connect(&to) else { continue };
                let ends = [&caller, &called].map(|end| end.try_clone().unwrap());
                all.lock().unwrap().extend([&caller, &called].map(|end| end.try_clone().unwrap()));
                let [a, b] = ends;
                thread::spawn(move || pump(caller, called));
                thread::spawn(move || pump(b, a));
            }
        });
        cable
    }

    fn cut(&self) -> usize {
        let all: Vec<_> = self.0.lock().unwrap().drain(..).collect();
        all.iter().filter(|end| end.shutdown(Shutdown::Both).is_ok()).count()
    }
}

/// Three parties of two ranks.
struct Three {
    parties: [Party; 3],
    keys: Keys,
    ports: [[u16; 2]; 3],
    /// In the way of P1's rank 1.
    cable: Cable,
    dir: TempDir,
}

impl Three {
    fn start() -> Three {
        let (dir, keys) = (tempfile::tempdir().unwrap(), Keys::generate(1).unwrap());
        let ports = Id::ALL.map(|_| [free_port(&["127.0.0.1"]), free_port(&["127.0.0.1", "127.0.0.2"])]);
        let far = ports[1][1];
        let cable = Cable::between(format!("127.0.0.2:{far}"), format!("127.0.0.1:{far}"));
        let parties = Id::ALL.map(|id| {
            let host = if id == Id::P1 { "127.0.0.2" } else { "127.0.0.1" };
            Party::start(&dir.path().join(id.to_string()), &keys.parties[id.index()], ports[id.index()], host)
        });
        let three = Three { parties, keys, ports, cable, dir };
        three.write_records();
        three
    }

    fn members(&self, rank: usize) -> [Member; 3] {
        Id::ALL.map(|id| Member {
            name: id.to_string(),
            fingerprint: self.keys.parties[id.index()].fingerprint(),
            address: Some(format!("127.0.0.1:{}", self.ports[id.index()][rank])),
        })
    }

    fn write_records(&self) {
        let row = |i: u64| format!("{}.5,{}.25,{}\n", i % 7, i % 5, ((i % 7 + i % 5) / 5).min(1));
        let text = "a,b,class\n".to_owned() + &(0..40).map(row).collect::<String>();
        std::fs::write(self.dir.path().join("records.csv"), text).unwrap();
    }

    /// A job as seen by somebody who knows this rank of each party.
    fn job(&self, name: &str, rank: usize, client: &Identity) -> Job {
        let member = |name: &str, key: &Identity| Member { name: name.into(), fingerprint: key.fingerprint(), address: None };
        let (name_of_owner, fingerprint) = ("owner".to_owned(), self.keys.owners[0].fingerprint());
        let owner = Owner { name: name_of_owner, fingerprint, address: None, columns: vec![], label: false };
        Job {
            name: name.into(),
            insecure_masks: false,
            insecure_accept_wraps: false,
            suite: SuiteName::Masked,
            start: Start::Ready,
            party: self.members(rank),
            owner: vec![owner],
            model_owner: Some(member("model-owner", &self.keys.model_owner)),
            data: schema::Schema {
                task: schema::Task::Classification,
                partition: schema::Partition::Horizontal,
                label: "class".into(),
                classes: vec!["0".into(), "1".into()],
                target: None,
                id: None,
                join: schema::Join::default(),
                pad: None,
                doubles: Default::default(),
                holdout: 5,
                seed: 0,
                clipped: 1.0,
                columns: ["a", "b"].map(|name| schema::Column::number(name, 3.0, 2.0)).into(),
            },
            truncation: trefoil_mpc::securenn::Truncation::default(),
            train: TrainSpec { hidden: vec![4], batch: 8, epochs: 3, ..TrainSpec::default() },
            open: Opened { least_records: 1, ..Opened::default() },
            checkpoint: Checkpoint::default(),
            serve: Some(Serve {
                reveal: Reveal::Probabilities,
                client: Clients::Fixed(vec![member("client", client)]),
                records: 1_000_000,
            }),
        }
    }

    fn call<T: DeserializeOwned>(&self, job: &Job, id: Id, request: &Request) -> T {
        request::call(&job.addresses()[id.index()], &self.keys.parties[id.index()], PATIENCE, request).unwrap()
    }

    fn approve(&self, job: &Job) {
        let propose = Request::Propose { job: serde_json::to_value(job).unwrap() };
        for id in Id::ALL {
            self.call::<JobHash>(job, id, &propose);
            sharing::approve(job, &self.keys.parties[id.index()], None, PATIENCE, &mut |_| ()).unwrap();
        }
    }

    fn share(&self, job: &Job) {
        let source = Source::of(self.dir.path().join("records.csv"));
        sharing::share(job, &self.keys.owners[0], &source, PATIENCE, None, &mut |_| (), &mut |_| Ok(())).unwrap();
    }

    fn trained(&self, jobs: &[&Job]) {
        let until = Instant::now() + LONG;
        let status = |job: &Job, id: Id| -> Status {
            let all: Vec<Status> = self.call(job, id, &Request::Status { job: Some(job.hash().to_string()) });
            all.into_iter().next().unwrap()
        };
        loop {
            let all: Vec<Status> = jobs.iter().flat_map(|job| Id::ALL.map(|id| status(job, id))).collect();
            if all.iter().all(|s| s.state == State::Trained) {
                return;
            }
            assert!(Instant::now() < until && all.iter().all(|s| !matches!(s.state, State::Failed { .. })), "{all:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn passes(&self, service: &Service, id: Id) -> ServiceStatus {
        let request = Request::Services { service: Some(service.hash().to_string()) };
        let (address, key) = (&service.addresses()[id.index()], &self.keys.parties[id.index()]);
        request::call::<Vec<ServiceStatus>>(address, key, PATIENCE, &request).unwrap().swap_remove(0)
    }
}

/// Two jobs that begin at the same time are both in the lanes, and an owner that knows rank 1 alone brings its records there.
#[test]
fn two_jobs_at_once_and_an_owner_at_another_rank() {
    let (three, client) = (Three::start(), Identity::generate("client").unwrap());
    let jobs = ["one", "another"].map(|name| three.job(name, 0, &client));
    jobs.iter().for_each(|job| three.approve(job));
    let at_rank_1 = three.job("one", 1, &client);
    assert_eq!(at_rank_1.hash(), jobs[0].hash());
    thread::scope(|scope| {
        scope.spawn(|| three.share(&at_rank_1));
        scope.spawn(|| three.share(&jobs[1]));
    });
    three.trained(&[&at_rank_1, &jobs[1]]);
    for party in &three.parties {
        let until = Instant::now() + LONG;
        while party.by_lane.lock().unwrap().len() < 2 && Instant::now() < until {
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(*party.by_lane.lock().unwrap(), [RANKS; 2]);
    }
    three.parties.into_iter().for_each(Party::stop);
}

/// A suite that knows no lanes refuses them, in one line.
#[test]
fn a_suite_without_lanes() {
    let (three, client) = (Three::start(), Identity::generate("client").unwrap());
    let job = Job { suite: SuiteName::Securenn, ..three.job("another suite", 0, &client) };
    three.approve(&job);
    three.share(&job);
    let until = Instant::now() + LONG;
    for id in Id::ALL {
        let why = loop {
            let all: Vec<Status> = three.call(&job, id, &Request::Status { job: Some(job.hash().to_string()) });
            if let State::Failed { why } = &all[0].state {
                break why.clone();
            }
            assert!(Instant::now() < until, "{all:?}");
            thread::sleep(Duration::from_millis(50));
        };
        assert_eq!(why, "lanes: found 2 with the suite securenn, expected one, or the suite masked");
    }
    three.parties.into_iter().for_each(Party::stop);
}

/// Questions of several clients are answered in both lanes; one lane loses its links meanwhile, and each answer is right and its own client's.
#[test]
fn questions_are_spread_over_lanes() {
    let (three, client) = (Three::start(), Identity::generate("client").unwrap());
    let job = three.job("served", 0, &client);
    three.approve(&job);
    three.share(&job);
    three.trained(&[&job]);
    let service = |rank: usize| Service {
        name: job.name.clone(),
        model: Origin::Job(job.hash()),
        party: three.members(rank),
        client: job.serve.clone().unwrap().client,
        reveal: Reveal::Probabilities,
        limits: Limits { records_a_question: 8, records_an_hour: 1_000_000, records: 1_000_000 },
        until: "9999-12-31".into(),
    };
    let [service, at_rank_1] = [0, 1].map(service);
    three.keys.parties.iter().for_each(|key| drop(service.approve(key, PATIENCE).unwrap()));
    let x = Array2::from_shape_fn((96, 2), |(i, j)| ((i * 37 + j * 101) % 128) as f64 / 64.0 - 1.0);
    let until = Instant::now() + LONG;
    let mut first = loop {
        match Asking::open(&service, &client, PATIENCE) {
            Ok(asking) => break asking,
            Err(e) => assert!(Instant::now() < until, "{e}"),
        }
        thread::sleep(Duration::from_millis(50));
    };
    let expected = first.answers(&x).unwrap();
    let (done, cut) = (AtomicUsize::new(0), AtomicBool::new(false));
    let ask = |i: usize| {
        // Some know rank 1 alone.
        let service = if i.is_multiple_of(2) { &service } else { &at_rank_1 };
        let mut asking = Asking::open(service, &client, PATIENCE).unwrap();
        let spread = || Id::ALL.into_iter().take(2).all(|id| three.passes(service, id).passes.get(1).is_some_and(|n| *n > 20));
        // Until the lane that was cut has come back.
        for round in 0.. {
            for row in (i..96).step_by(6) {
                let told = asking.answers(&x.slice(s![row..=row, ..]).to_owned()).unwrap();
                let far = (&told - &expected.slice(s![row..=row, ..])).mapv(f64::abs).into_iter().fold(0.0, f64::max);
                assert!(far < 2e-3, "client {i}, record {row}: {told} instead of {}", expected.row(row));
                done.fetch_add(1, Ordering::Relaxed);
            }
            if round > 2 && cut.load(Ordering::Relaxed) || Instant::now() > until {
                break;
            }
            if i == 0 && spread() {
                assert!(three.cable.cut() > 0);
                cut.store(true, Ordering::Relaxed);
            }
        }
    };
    let ask = &ask;
    thread::scope(|scope| (0..6).for_each(|i| drop(scope.spawn(move || ask(i)))));
    assert!(cut.load(Ordering::Relaxed), "one lane alone has answered: {:?}", three.passes(&service, Id::P0).passes);
    // The lane comes back.
    let before = three.passes(&service, Id::P0).passes;
    let mut row = 0;
    loop {
        thread::scope(|scope| {
            (0..4).for_each(|_| {
                drop(scope.spawn(|| {
                    let mut asking = Asking::open(&service, &client, PATIENCE).unwrap();
                    drop(asking.answers(&x.slice(s![row..row + 1, ..]).to_owned()).unwrap());
                }));
            });
        });
        row = (row + 1) % 96;
        if three.passes(&service, Id::P0).passes[1] > before[1] {
            break;
        }
        assert!(Instant::now() < until, "the lane that was cut has not come back");
    }
    let all = Id::ALL.map(|id| three.passes(&service, id));
    assert!(all.iter().all(|status| status.state == "serving"), "{all:?}");
    // Whatever was asked again after the cut counts again: P0 and P1 count alike, and P2 hears of nothing.
    assert_eq!(all[2].records, 0);
    println!("{} questions; passes by lane at P0: {:?}", done.load(Ordering::Relaxed), all[0].passes);
    drop(first);
    three.parties.into_iter().for_each(Party::stop);
}
