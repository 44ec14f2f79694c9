//! Three parties of several ranks each, as threads of this process. Each test uses what it needs of it.

#![allow(dead_code)]

use serde::de::DeserializeOwned;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use trefoil_client::Patience;
use trefoil_client::request::{self, Request};
use trefoil_job::{Job, JobHash, Member, sharing};
use trefoil_lab::demo::job::Keys;
use trefoil_mpc::Switch;
use trefoil_mpc::lanes::Threads;
use trefoil_net::Id;
use trefoil_net::identity::Identity;
use trefoil_server::config::Config;
use trefoil_server::record::{State, Status};
use trefoil_server::{self as server, Event, lanes};
use trefoil_store::Folder;

pub const PATIENCE: Patience = Patience { connect: Duration::from_secs(20), answer: Duration::from_secs(60) };
pub const LONG: Duration = Duration::from_secs(180);

/// Ranks of P0, P1 and P2.
pub const TWO: [usize; 3] = [2; 3];

/// A port that nobody uses at any of these hosts, below those that the system gives to callers.
pub fn free_port(hosts: &[&str]) -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let port = 20_000 + (std::process::id() * 41 + NEXT.fetch_add(1, Ordering::Relaxed)) % 8_000;
        if hosts.iter().all(|host| TcpListener::bind(format!("{host}:{port}")).is_ok()) {
            return port as u16;
        }
    }
}

/// A party, whose ranks are threads.
pub struct Party {
    stop: &'static AtomicBool,
    ranks: Vec<JoinHandle<()>>,
    /// By job: what each lane has sent, once it is trained.
    pub by_lane: Arc<Mutex<Vec<usize>>>,
}

impl Party {
    /// Each rank listens at a port of its own; peers reach all but rank 0 at this host's. `more` is of the configuration.
    pub fn start(folder: &Path, key: &Identity, ports: &[u16], host: &str, more: &str) -> Party {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("peers.toml"), "").unwrap();
        let lanes: Vec<String> = ports[1..].iter().map(|port| format!("{host}:{port}")).collect();
        let at = |file: &str| folder.join(file).display().to_string();
        let text = format!(
            "listen = \"127.0.0.1:{}\"\nlanes = {lanes:?}\nkey = \"none\"\ndata = {:?}\npeers = {:?}\ntimeout = 20\n{more}",
            ports[0],
            at("data"),
            at("peers.toml")
        );
        let config = Config::parse(&text, "party.toml").unwrap();
        let stop: &'static AtomicBool = Box::leak(Box::default());
        let switches: Vec<_> = Threads::new(ports.len()).into_iter().map(|wire| Arc::new(Switch::new(wire))).collect();
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

    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.ranks.into_iter().for_each(|rank| rank.join().unwrap());
    }
}

/// Passes connections on, and may cut all that there are.
pub struct Cable(Arc<Mutex<Vec<TcpStream>>>);

impl Cable {
    pub fn between(from: String, to: String) -> Cable {
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

    pub fn cut(&self) -> usize {
        let all: Vec<_> = self.0.lock().unwrap().drain(..).collect();
        all.iter().filter(|end| end.shutdown(Shutdown::Both).is_ok()).count()
    }
}

fn started(dir: &Path, keys: &Keys, ports: &[Vec<u16>; 3], ranks: [usize; 3], more: &str) -> [Party; 3] {
    Id::ALL.map(|id| {
        let (host, i) = (if id == Id::P1 { "127.0.0.2" } else { "127.0.0.1" }, id.index());
        Party::start(&dir.join(id.to_string()), &keys.parties[i], &ports[i][..ranks[i]], host, more)
    })
}

/// Three parties of several ranks.
pub struct Three {
    pub parties: [Party; 3],
    pub keys: Keys,
    pub ports: [Vec<u16>; 3],
    /// In the way of P1's ranks, but for the first.
    pub cables: Vec<Cable>,
    pub dir: TempDir,
}

impl Three {
    /// With so many owners; `more` is of the parties' configuration.
    pub fn of(ranks: [usize; 3], owners: usize, more: &str) -> Three {
        let (dir, keys) = (tempfile::tempdir().unwrap(), Keys::generate(owners).unwrap());
        let ports = ranks.map(|n| (0..n).map(|_| free_port(&["127.0.0.1", "127.0.0.2"])).collect::<Vec<u16>>());
        let far = |port: &u16| Cable::between(format!("127.0.0.2:{port}"), format!("127.0.0.1:{port}"));
        let cables = ports[1][1..].iter().map(far).collect();
        let parties = started(dir.path(), &keys, &ports, ranks, more);
        Three { parties, keys, ports, cables, dir }
    }

    /// The same parties, with other numbers of ranks.
    pub fn restart(self, ranks: [usize; 3], more: &str) -> Three {
        let Three { parties, keys, ports, cables, dir } = self;
        parties.into_iter().for_each(Party::stop);
        // Threads that are not waited for end a moment later, and with them the locks of the folders.
        let until = Instant::now() + LONG;
        let folders = ports.iter().zip(Id::ALL).flat_map(|(ports, id)| {
            let data = dir.path().join(id.to_string()).join("data");
            (0..ports.len()).map(move |rank| if rank == 0 { data.clone() } else { data.join(format!("rank-{rank}")) })
        });
        for folder in folders.filter(|folder| folder.is_dir()) {
            while Folder::lock(&folder).is_err() {
                assert!(Instant::now() < until, "{}", folder.display());
                thread::sleep(Duration::from_millis(20));
            }
        }
        let parties = started(dir.path(), &keys, &ports, ranks, more);
        Three { parties, keys, ports, cables, dir }
    }

    pub fn members(&self, rank: usize) -> [Member; 3] {
        Id::ALL.map(|id| Member {
            name: id.to_string(),
            fingerprint: self.keys.parties[id.index()].fingerprint(),
            address: Some(format!("127.0.0.1:{}", self.ports[id.index()][rank])),
        })
    }

    pub fn call<T: DeserializeOwned>(&self, job: &Job, id: Id, request: &Request) -> T {
        request::call(&job.addresses()[id.index()], &self.keys.parties[id.index()], PATIENCE, request).unwrap()
    }

    pub fn approve(&self, job: &Job) {
        let propose = Request::Propose { job: serde_json::to_value(job).unwrap() };
        for id in Id::ALL {
            self.call::<JobHash>(job, id, &propose);
            sharing::approve(job, &self.keys.parties[id.index()], None, PATIENCE, &mut |_| ()).unwrap();
        }
    }

    pub fn trained(&self, jobs: &[&Job]) {
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

    /// Why it has failed, at each party.
    pub fn failed(&self, job: &Job) -> [String; 3] {
        let until = Instant::now() + LONG;
        Id::ALL.map(|id| {
            loop {
                let all: Vec<Status> = self.call(job, id, &Request::Status { job: Some(job.hash().to_string()) });
                if let State::Failed { why } = &all[0].state {
                    return why.clone();
                }
                assert!(Instant::now() < until, "{all:?}");
                thread::sleep(Duration::from_millis(50));
            }
        })
    }
}
