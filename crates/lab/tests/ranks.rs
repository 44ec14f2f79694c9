//! Parties of several ranks each, as threads of this process: each rank holds a part of the records, several jobs are in the lanes at a time, an owner may talk to any rank, and questions are spread over the lanes, of which
//! one loses its links meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ndarray::{Array2, s};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use three::{LONG, PATIENCE, Party, TWO, Three};
use trefoil_client::request::{self, Request};
use trefoil_client::share::Chunk;
use trefoil_data::Source;
use trefoil_data::schema::{Column, Scale};
use trefoil_job::service::{Asking, Clients, Limits, Origin, Shared};
use trefoil_job::{Job, Serve, Service, SuiteName, fetching, sharing};
use trefoil_net::Id;
use trefoil_net::identity::Identity;
use trefoil_nn::model::{Column as Prepared, Input};
use trefoil_nn::{ClassWeighting, Graph, Model, Reveal, TrainSpec};
use trefoil_ring::Tensor;
use trefoil_server::ServiceStatus;

#[path = "common/job.rs"]
mod job;
#[path = "common/three.rs"]
mod three;

/// Lanes do not divide those of them that are not held out.
const RECORDS: u64 = 43;

fn start() -> Three {
    of(TWO, "")
}

fn of(ranks: [usize; 3], more: &str) -> Three {
    let three = Three::of(ranks, 1, more);
    three.write_records();
    three
}

/// What these tests do with it.
trait Tests {
    fn write_records(&self);
    fn job(&self, name: &str, rank: usize, client: &Identity) -> Job;
    fn share(&self, job: &Job);
    fn service(&self, job: &Job, rank: usize, model: Origin) -> Service;
    fn approve_service(&self, service: &Service);
    fn asked_in_two_lanes(&self, service: &Service, client: &Identity, expected: impl Fn(&Array2<f64>) + Sync) -> Vec<u64>;
    fn passes(&self, service: &Service, id: Id) -> ServiceStatus;
}

impl Tests for Three {
    fn write_records(&self) {
        let row = |i: u64| format!("{}.5,{}.25,{}\n", i % 7, i % 5, ((i % 7 + i % 5) / 5).min(1));
        let text = "a,b,class\n".to_owned() + &(0..RECORDS).map(row).collect::<String>();
        std::fs::write(self.dir.path().join("records.csv"), text).unwrap();
    }

    /// A job as seen by somebody who knows this rank of each party.
    fn job(&self, name: &str, rank: usize, client: &Identity) -> Job {
        Job {
            train: TrainSpec { hidden: vec![4], batch: 8, epochs: 3, ..TrainSpec::default() },
            serve: Some(Serve {
                reveal: Reveal::Probabilities,
                client: Clients::Fixed(vec![job::member("client", client)]),
                records: 1_000_000,
            }),
            ..job::of(name, &self.keys, self.members(rank))
        }
    }

    fn share(&self, job: &Job) {
        let source = Source::of(self.dir.path().join("records.csv"));
        sharing::share(job, &self.keys.owners[0], &source, PATIENCE, None, &mut |_| (), &mut |_| Ok(())).unwrap();
    }

    fn service(&self, job: &Job, rank: usize, model: Origin) -> Service {
        Service {
            name: job.name.clone(),
            model,
            party: self.members(rank),
            client: job.serve.clone().unwrap().client,
            reveal: Reveal::Probabilities,
            limits: Limits { records_a_question: 8, records_an_hour: 1_000_000, records: 1_000_000 },
            until: "9999-12-31".into(),
        }
    }

    fn approve_service(&self, service: &Service) {
        self.keys.parties.iter().for_each(|key| drop(service.approve(key, PATIENCE).unwrap()));
    }

    /// Asks from several connections until another lane has answered, too; how many passes each lane of P0 has done then.
    fn asked_in_two_lanes(&self, service: &Service, client: &Identity, expected: impl Fn(&Array2<f64>) + Sync) -> Vec<u64> {
        let (until, over) = (Instant::now() + LONG, AtomicBool::new(false));
        let x = Array2::from_shape_fn((1, 2), |(_, j)| 0.5 - j as f64);
        let ask = || {
            while !over.load(Ordering::Relaxed) {
                assert!(Instant::now() < until, "one lane alone has answered: {:?}", self.passes(service, Id::P0).passes);
                match Asking::open(service, client, PATIENCE) {
                    Ok(mut asking) => (0..8).for_each(|_| expected(&asking.answers(&x).unwrap())),
                    // The parties have not met yet.
                    Err(_) => thread::sleep(Duration::from_millis(50)),
                }
                if self.passes(service, Id::P0).passes.get(1).is_some_and(|n| *n > 0) {
                    over.store(true, Ordering::Relaxed);
                }
            }
        };
        thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(ask))));
        self.passes(service, Id::P0).passes
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
    let (three, client) = (start(), Identity::generate("client").unwrap());
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
        assert_eq!(*party.by_lane.lock().unwrap(), [2; 2]);
    }
    three.parties.into_iter().for_each(Party::stop);
}

/// A suite that knows no lanes refuses them, in one line.
#[test]
fn a_suite_without_lanes() {
    let (three, client) = (start(), Identity::generate("client").unwrap());
    let job = Job { suite: SuiteName::Securenn, ..three.job("another suite", 0, &client) };
    three.approve(&job);
    three.share(&job);
    for why in three.failed(&job) {
        assert_eq!(why, "lanes: found 2 with the suite securenn, expected one, or the suite masked");
    }
    three.parties.into_iter().for_each(Party::stop);
}

/// Questions of several clients are answered in both lanes; one lane loses its links meanwhile, and each answer is right and its own client's.
#[test]
fn questions_are_spread_over_lanes() {
    let (three, client) = (start(), Identity::generate("client").unwrap());
    let job = three.job("served", 0, &client);
    three.approve(&job);
    three.share(&job);
    three.trained(&[&job]);
    let [service, at_rank_1] = [0, 1].map(|rank| three.service(&job, rank, Origin::Job(job.hash())));
    three.approve_service(&service);
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
                assert!(three.cables[0].cut() > 0);
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

/// Each rank holds rows of its own of the records, and the model is the one that one rank trains, bit for bit, also where columns are standardised and classes weighed by
/// all of them.
#[test]
fn the_same_model_whoever_holds_the_records() {
    let model = |ranks: [usize; 3], secure: bool| {
        let (three, client) = (of(ranks, "[insecure]\nmask_seed = 5\n"), Identity::generate("client").unwrap());
        let mut job = Job { insecure_masks: true, ..three.job("held", 0, &client) };
        if secure {
            job.data.columns = ["a", "b"].map(|name| Column::secure(name, Scale::Secure, [0.0, 8.0])).into();
            job.train.class_weights = ClassWeighting::Balanced;
        }
        three.approve(&job);
        let source = Source::of(three.dir.path().join("records.csv"));
        sharing::share(&job, &three.keys.owners[0], &source, PATIENCE, Some([7; 32]), &mut |_| (), &mut |_| Ok(())).unwrap();
        three.trained(&[&job]);
        let params = fetching::fetch_parameters(&job, &three.keys.model_owner, PATIENCE).unwrap();
        three.parties.into_iter().for_each(Party::stop);
        params
    };
    for secure in [false, true] {
        let one = model([1; 3], secure);
        assert!(one.iter().any(|param| param.iter().any(|w| *w != 0.0)));
        for ranks in [TWO, [4, 5, 4]] {
            assert!(model(ranks, secure) == one, "{ranks:?} ranks, standardised on shares: {secure}");
        }
    }
}

/// A row that breaks its promise is found by the lane that holds it, and its owner refused by name.
#[test]
fn records_are_checked_where_they_are_held() {
    let (three, client) = (start(), Identity::generate("client").unwrap());
    let job = three.job("checked", 0, &client);
    three.approve(&job);
    // Two features and two classes; the last row's feature is far beyond what the job promises.
    let row = |i: usize| [if i == 19 { 1 << 40 } else { i as u64 }, 3, (i as u64 + 1) % 2, i as u64 % 2];
    let x = Tensor::from_shape_vec((20, 4), (0..20).flat_map(row).collect()).unwrap();
    let mut chunks = Once(
        [(true, x.clone()), (false, x)]
            .map(|(test, x)| Chunk { test, x: if test { x.slice_move(s![..4, ..]) } else { x } })
            .into(),
    );
    sharing::send(&job, &three.keys.owners[0], &mut chunks, 4, PATIENCE, None, &|_, _| ()).unwrap();
    for why in three.failed(&job) {
        assert_eq!(why, "the records of owner are refused: values outside of the range that the job promises");
    }
    three.parties.into_iter().for_each(Party::stop);
}

/// The answer to a question that is asked again and again.
#[derive(Default)]
struct Alike(Mutex<Option<Array2<f64>>>);

impl Alike {
    fn take(&self, answer: &Array2<f64>) {
        let mut first = self.0.lock().unwrap();
        let first = first.get_or_insert_with(|| answer.clone());
        assert!((answer - &*first).iter().all(|d| d.abs() < 2e-3), "{answer} after {first}");
    }
}

struct Once(Vec<Chunk>);

impl trefoil_client::share::Source for Once {
    fn next(&mut self) -> Result<Option<Chunk>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.0.pop())
    }
}

/// Parties need not have as many ranks as one another: passes go to as many lanes as the smallest of them has.
#[test]
fn questions_where_parties_have_other_numbers_of_ranks() {
    let (three, client) = (of([3, 2, 4], ""), Identity::generate("client").unwrap());
    let job = three.job("unequal", 0, &client);
    three.approve(&job);
    three.share(&job);
    three.trained(&[&job]);
    let service = three.service(&job, 0, Origin::Job(job.hash()));
    three.approve_service(&service);
    let alike = Alike::default();
    let passes = three.asked_in_two_lanes(&service, &client, |answer| alike.take(answer));
    assert!(passes.len() == 2 && passes.iter().all(|n| *n > 0), "{passes:?}");
    three.parties.into_iter().for_each(Party::stop);
}

/// A model that its owner shares is answered from in all lanes, with either suite: a pass is one lane's, so nothing is asked of a suite that does not train in lanes.
#[test]
fn a_shared_model_in_lanes_with_either_suite() {
    let (three, client) = (start(), Identity::generate("client").unwrap());
    let graph = Graph::perceptron(&[2, 4, 2]);
    let params: Vec<_> =
        graph.params().unwrap().iter().map(|p| Array2::from_shape_fn(p.shape(), |(i, j)| (i as f64 - j as f64) / 2.0)).collect();
    let columns = ["a", "b"].map(|name| Prepared::Numbers {
        name: name.into(),
        count: 1,
        subtract: 0.0,
        divide: 1.0,
        clip: Some([-8.0, 8.0]),
        log: false,
    });
    let model = Model::new(&graph, &params, "by hand").unwrap().with_classes(&["no".into(), "yes".into()]).unwrap();
    let model =
        model.with_input(Input { columns: columns.into(), named: true, missing: vec![], dates: vec![], target: None }).unwrap();
    let mut answers: Vec<Array2<f64>> = vec![];
    for suite in [SuiteName::Masked, SuiteName::Securenn] {
        let owner = job::member("owner of a model", &three.keys.model_owner);
        let (shared, _) = Shared::of(&model, owner, suite, 3).unwrap();
        let job = three.job(&format!("shared-{suite}"), 0, &client);
        let service = three.service(&job, 0, Origin::Shared(Box::new(shared)));
        three.approve_service(&service);
        service.share_model(&model, &three.keys.model_owner, PATIENCE).unwrap();
        let alike = Alike::default();
        let passes = three.asked_in_two_lanes(&service, &client, |answer| alike.take(answer));
        assert!(passes.len() == 2 && passes.iter().all(|n| *n > 0), "{suite}: {passes:?}");
        answers.extend(alike.0.into_inner().unwrap());
    }
    assert!((&answers[0] - &answers[1]).iter().all(|d| d.abs() < 5e-3), "{answers:?}");
    three.parties.into_iter().for_each(Party::stop);
}

/// Questions that a service answers in a second, in one lane and in several: `TREFOIL_LANES=1,2,4`, on links of `TREFOIL_LINKS`. Each asks about as many records as the largest pass has, so each is a pass,
/// and more of them are asked at a time than there are lanes.
#[test]
#[ignore = "measures"]
fn questions_a_second() {
    let set = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.into());
    let links = set("TREFOIL_LINKS", "20ms,1Gbps");
    let (mut alone, x) = (0.0, Array2::from_shape_fn((128, 2), |(i, j)| ((i + j) % 8) as f64));
    for lanes in set("TREFOIL_LANES", "1,2,4").split(',').map(|n| n.trim().parse::<usize>().unwrap()) {
        let (three, client) = (of([lanes; 3], &format!("links = {links:?}\n")), Identity::generate("client").unwrap());
        let mut job = three.job("measured", 0, &client);
        job.train.epochs = 1;
        three.approve(&job);
        three.share(&job);
        three.trained(&[&job]);
        let limits = Limits { records_a_question: 128, records_an_hour: 1_000_000, records: 1_000_000 };
        let service = Service { limits, ..three.service(&job, 0, Origin::Job(job.hash())) };
        three.approve_service(&service);
        let (over, asked, until) = (AtomicBool::new(false), AtomicUsize::new(0), Instant::now() + LONG);
        let ask = || {
            while !over.load(Ordering::Relaxed) {
                // The parties have not met yet, or too many ask.
                let Ok(mut asking) = Asking::open(&service, &client, PATIENCE) else { continue };
                while !over.load(Ordering::Relaxed) && asking.answers(&x).is_ok() {
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        let rate = thread::scope(|scope| {
            (0..2 * lanes + 2).for_each(|_| drop(scope.spawn(ask)));
            // Until all lanes answer.
            while three.passes(&service, Id::P0).passes.iter().filter(|n| **n > 1).count() < lanes {
                assert!(Instant::now() < until, "{:?}", three.passes(&service, Id::P0).passes);
                thread::sleep(Duration::from_millis(100));
            }
            let (before, begun) = (asked.load(Ordering::Relaxed), Instant::now());
            thread::sleep(Duration::from_secs(set("TREFOIL_SECONDS", "20").parse().unwrap()));
            let rate = (asked.load(Ordering::Relaxed) - before) as f64 / begun.elapsed().as_secs_f64();
            over.store(true, Ordering::Relaxed);
            rate
        });
        alone = if alone == 0.0 { rate } else { alone };
        println!(
            "{lanes} lanes: {rate:.2} questions of 128 records a second, {:.2}x; passes by lane: {:?}",
            rate / alone,
            three.passes(&service, Id::P0).passes
        );
        three.parties.into_iter().for_each(Party::stop);
    }
}
