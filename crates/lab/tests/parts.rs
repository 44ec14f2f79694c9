//! Uploads in parts: owners send to all ranks of each party at once, each of which keeps its chunks on a disk of its own until the job is over.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::borrow::Cow;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use three::{PATIENCE, Party, Three};
use trefoil_client::approval::{Approval, Role};
use trefoil_client::parts;
use trefoil_client::request::{self, Announcement, Request, Standing, Summary};
use trefoil_client::share::{Chunk, Receipt, dial};
use trefoil_data::schema::{Join, Partition};
use trefoil_job::compiled::Compiled;
use trefoil_job::suites::WithSuite;
use trefoil_job::{Job, Owner, Start, fetching, sharing};
use trefoil_net::identity::Identity;
use trefoil_net::tls::{Stream, connect_for};
use trefoil_net::{At, Frame, Id, Part};
use trefoil_nn::TrainSpec;
use trefoil_ring::Tensor;
use trefoil_server::record::{State, Status};

#[path = "common/job.rs"]
mod job;
#[path = "common/three.rs"]
mod three;

const SPREAD: &str = "spread_uploads = true\n[insecure]\nmask_seed = 5\n";
const ALONE: &str = "[insecure]\nmask_seed = 5\n";

/// Chunks of five rows, an owner's.
const CHUNK: usize = 5;
const TRAIN: usize = 41;
const TEST: usize = 12;

/// A job of two owners, who have whole records or columns of the same ones; it begins when it is told to.
fn job_of(three: &Three, partition: Partition) -> Job {
    let mut job = Job {
        insecure_masks: true,
        start: Start::Request,
        train: TrainSpec { hidden: vec![4], batch: 12, epochs: 2, ..TrainSpec::default() },
        ..job::of("in parts", &three.keys, three.members(0))
    };
    job.data.partition = partition;
    for (i, Owner { name, columns, label, .. }) in job.owner.iter_mut().enumerate() {
        *name = ["north", "south"][i].into();
        if partition == Partition::Vertical {
            (*columns, *label) = (vec![["a", "b"][i].into()], i == 1);
        }
    }
    if partition == Partition::Vertical {
        (job.data.id, job.data.join) = (Some("id".into()), Join::Order);
    }
    job
}

/// An owner's chunks: of row i, a and b and the two classes, or its columns of these. Before each chunk something may happen.
struct Rows<'a> {
    owner: usize,
    partition: Partition,
    next: usize,
    before: &'a dyn Fn(usize) -> Result<(), String>,
}

impl trefoil_client::share::Source for Rows<'_> {
    fn next(&mut self) -> Result<Option<Chunk>, Box<dyn std::error::Error + Send + Sync>> {
        let (first, test) = (self.next, self.next >= TRAIN);
        let end = if test { TRAIN + TEST } else { TRAIN };
        // In columns of the same records, the owners' chunks are not cut alike.
        let rows = first..end.min(first + CHUNK + self.owner);
        if rows.is_empty() {
            return Ok(None);
        }
        (self.before)(first)?;
        self.next = rows.end;
        let row = |i: usize| {
            let i = i as u64 + if self.partition == Partition::Horizontal { 100 * self.owner as u64 } else { 0 };
            let all = [(i % 7) << 10, (i % 5) << 10, (i + 1) % 2, i % 2];
            match (self.partition, self.owner) {
                (Partition::Horizontal, _) => all.to_vec(),
                (_, 0) => all[..1].to_vec(),
                _ => all[1..].to_vec(),
            }
        };
        let words: Vec<u64> = rows.clone().flat_map(row).collect();
        let width = words.len() / rows.len();
        Ok(Some(Chunk { test, x: Tensor::from_shape_vec((rows.len(), width), words)? }))
    }
}

fn share(three: &Three, job: &Job, owner: usize, before: &dyn Fn(usize) -> Result<(), String>) -> trefoil_job::Result<Receipt> {
    let partition = job.data.partition;
    let (features, labels) = job.widths(owner);
    let mut rows = Rows { owner, partition, next: 0, before };
    let seed = Some([7 + owner as u8; 32]);
    sharing::send(job, &three.keys.owners[owner], &mut rows, features + labels, PATIENCE, seed, &|_, _| ())
}

/// Begins the training; the model, once nothing of the records is left anywhere.
fn trained(three: &Three, job: &Job) -> Vec<ndarray::Array2<f64>> {
    for id in Id::ALL {
        three.call::<Vec<String>>(job, id, &Request::Start { job: job.hash() });
    }
    three.trained(&[job]);
    let params = fetching::fetch_parameters(job, &three.keys.model_owner, PATIENCE).unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let left: Vec<PathBuf> =
            sealed(three.dir.path()).into_iter().filter(|file| file.to_str().unwrap().contains("uploads")).collect();
        if left.is_empty() {
            return params;
        }
        // Other ranks remove theirs a moment later.
        assert!(Instant::now() < until, "{left:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// All sealed files below.
fn sealed(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    entries
        .flat_map(|path| if path.is_dir() { sealed(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|e| e == "sealed"))
        .collect()
}

/// How many uploads or parts of some a rank keeps.
fn kept(three: &Three, id: Id, rank: usize) -> usize {
    let data = three.dir.path().join(id.to_string()).join("data");
    let at = if rank == 0 { data.join("jobs") } else { data.join(format!("rank-{rank}")) };
    sealed(&at).len()
}

fn model(ranks: [usize; 3], partition: Partition) -> Vec<ndarray::Array2<f64>> {
    let three = Three::of(ranks, 2, if ranks == [1; 3] { ALONE } else { SPREAD });
    let job = job_of(&three, partition);
    three.approve(&job);
    (0..2).for_each(|owner| drop(share(&three, &job, owner, &|_| Ok(())).unwrap()));
    for id in Id::ALL {
        (0..ranks[id.index()]).for_each(|rank| assert_eq!(kept(&three, id, rank), 2, "{id}, rank {rank}"));
    }
    let params = trained(&three, &job);
    three.parties.into_iter().for_each(Party::stop);
    params
}

/// Each rank takes a part of each upload, keeps it, and reads it when the training begins; the model is the one that one rank trains, bit for bit. Owners have whole records, or
/// columns of the same ones.
#[test]
fn the_same_model_wherever_uploads_lie() {
    for partition in [Partition::Horizontal, Partition::Vertical] {
        let one = model([1; 3], partition);
        assert!(one.iter().any(|param| param.iter().any(|w| *w != 0.0)));
        for ranks in [[2; 3], [3, 2, 4], [1, 3, 2]] {
            assert!(model(ranks, partition) == one, "{ranks:?} ranks, {partition:?}");
        }
    }
}

/// A party that starts again with other numbers of ranks reads what the others have kept, from those that are there and from a file system that all share. One whose part is gone says so.
#[test]
fn other_ranks_go_on_with_what_was_kept() {
    let partition = Partition::Horizontal;
    let three = Three::of([3; 3], 2, SPREAD);
    let job = job_of(&three, partition);
    three.approve(&job);
    (0..2).for_each(|owner| drop(share(&three, &job, owner, &|_| Ok(())).unwrap()));
    let three = three.restart([1, 3, 2], SPREAD);
    assert!(trained(&three, &job) == model([1; 3], partition));

    let again = Job { name: "again".into(), ..job };
    three.approve(&again);
    (0..2).for_each(|owner| drop(share(&three, &again, owner, &|_| Ok(())).unwrap()));
    std::fs::remove_dir_all(three.dir.path().join("P1/data/rank-2")).unwrap();
    let three = three.restart([1, 3, 2], SPREAD);
    for id in Id::ALL {
        three.call::<Vec<String>>(&again, id, &Request::Start { job: again.hash() });
    }
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let all: Vec<Status> = three.call(&again, Id::P1, &Request::Status { job: Some(again.hash().to_string()) });
        if let State::Failed { why } = &all[0].state {
            let expected = "records of north at rank 2: found none, expected the part of them that it keeps; start this party with that rank and its disk, or cancel";
            assert!(why.starts_with(expected), "{why}");
            break;
        }
        assert!(Instant::now() < until, "{all:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    three.parties.into_iter().for_each(Party::stop);
}

/// An owner whose file ends in the middle shares again; links to ranks that break are made again; and what is complete is taken once.
#[test]
fn half_uploads_and_broken_links() {
    let three = Three::of([2; 3], 2, SPREAD);
    let job = job_of(&three, Partition::Horizontal);
    three.approve(&job);
    let half = share(&three, &job, 0, &|first| if first > 20 { Err("the file ends".into()) } else { Ok(()) });
    assert!(half.unwrap_err().to_string().contains("the file ends"));
    assert_eq!(kept(&three, Id::P1, 1), 1);
    let links = Cell::new(0);
    let cut = |first: usize| {
        // Both before and after chunks that go there.
        if [10, 15, 35].contains(&first) {
            links.set(links.get() + three.cables[0].cut());
        }
        Ok(())
    };
    let receipt = share(&three, &job, 0, &cut).unwrap();
    assert_eq!(receipt.summary.unwrap(), Summary { chunks: 12, train_rows: TRAIN as u64, test_rows: TEST as u64 });
    assert!(links.get() > 0);
    let twice = share(&three, &job, 0, &|_| Ok(())).unwrap_err().to_string();
    assert!(twice.contains("each record is used once"), "{twice}");
    share(&three, &job, 1, &|_| Ok(())).unwrap();
    assert!(trained(&three, &job) == model([1; 3], Partition::Horizontal));
    three.parties.into_iter().for_each(Party::stop);
}

/// A chunk that fits the job, as a party is sent it.
struct Dealt(Id);

impl WithSuite for Dealt {
    type Out = Vec<Part>;

    fn run<S: Compiled>(self, _: impl Fn(trefoil_mpc::Party) -> S) -> Vec<Part> {
        S::deal(&Tensor::zeros((2, 4)), [3; 32]).into_iter().nth(self.0.index()).unwrap()
    }
}

fn frame(label: &'static str, number: u64, parts: Vec<Part>) -> Frame {
    Frame { at: At { step: number, op: 2 }, depth: 0, label: Cow::Borrowed(label), parts }
}

/// What a party says to it.
fn told(stream: &mut Stream, frame: &Frame) -> String {
    stream.write_frame(frame).unwrap();
    let answer = stream.read_frame(1 << 20).unwrap().unwrap();
    let text = answer.parts.first().map(|part| part.to_bits(part.len(), 8).unwrap()).unwrap_or_default();
    format!("{} {}", answer.label, String::from_utf8(text.into_iter().map(|b| b as u8).collect()).unwrap())
}

/// Whoever is no owner of a job gets no further than the first words, and an owner only with the upload that rank 0 knows of. Chunks that are at two ranks, or at none, are refused before anything counts.
#[test]
fn a_part_is_taken_as_rank_0_says() {
    let three = Three::of([2; 3], 2, SPREAD);
    let job = job_of(&three, Partition::Horizontal);
    three.approve(&job);
    let (owner, party) = (&three.keys.owners[0], &three.keys.parties[0]);
    let rank_1 = format!("127.0.0.1:{}", three.ports[0][1]);
    let dialled = |hello: &[u8], key: &Identity| connect_for(&rank_1, hello, key, party.fingerprint(), Duration::ZERO);
    let hello = parts::hello(job.hash(), owner.fingerprint());
    let mut unknown = hello;
    unknown[39] ^= 1;
    assert!(dialled(&unknown, owner).is_err());
    let e = dialled(&hello, &three.keys.owners[1]).err().unwrap().to_string();
    assert!(e.contains("refused this certificate"), "{e}");

    let about = Announcement { job: job.hash(), upload: "ab".repeat(16), width: 4 };
    let approval = Approval::sign(owner, job.hash(), Role::DataOwner).unwrap();
    let request = Request::Share { about, approval };
    let ask = |stream: &mut Stream| request::ask::<Standing>(stream, &request).map_err(|e| e.to_string());
    let e = ask(&mut dialled(&hello, owner).unwrap()).unwrap_err();
    assert!(e.ends_with("refused: another upload than the one that rank 0 was told of"), "{e}");
    let mut first = dial(&job.addresses()[0], owner, PATIENCE).unwrap();
    assert_eq!(ask(&mut first).unwrap(), Standing::Open { chunks: 0, lanes: vec![rank_1.clone()] });
    let mut second = dialled(&hello, owner).unwrap();
    assert_eq!(ask(&mut second).unwrap(), Standing::Open { chunks: 0, lanes: vec![] });

    let chunk = |number| frame("client.rows", number, job.chosen().with(Dealt(Id::P0)));
    let finish = |chunks: u64| {
        let summary = serde_json::to_vec(&Summary { chunks, train_rows: 2 * chunks, test_rows: 0 }).unwrap();
        let bytes: Vec<u64> = summary.into_iter().map(u64::from).collect();
        frame("client.finish", chunks, vec![Part::bits(&bytes, 8)])
    };
    for stream in [&mut first, &mut second] {
        assert!(told(stream, &chunk(0)).starts_with("client.acknowledged"));
    }
    assert!(told(&mut second, &finish(1)).starts_with("client.acknowledged"));
    let found = told(&mut first, &finish(2));
    assert_eq!(found, "client.refused upload: found chunk 0 as number 1 of all ranks, expected each once");
    three.parties.into_iter().for_each(Party::stop);
}
