//! The demo's page: what each party's own page would show, and one record beside what the parties hold of it. The launcher plays the owners, so it
//! knows the record; no party does.

use super::settings::Progress;
use serde::Serialize;
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use trefoil_data::Schema;
use trefoil_data::schema::Task;
use trefoil_job::SuiteName;
use trefoil_job::compiled::Compiled;
use trefoil_job::suites::{Chosen, WithSuite};
use trefoil_mpc::{Part, Party};
use trefoil_net::Id;
use trefoil_ring::Tensor;
use trefoil_server::{Error, Result};
use trefoil_web::door::Door;
use trefoil_web::feed::Feed;
use trefoil_web::{listen, page};

/// What a run goes through.
const PHASES: [&str; 5] = [
    "keys and connections",
    "data owners share their records",
    "training on shares",
    "model owner reconstructs the model",
    "float baseline",
];

/// The demo's page on a port of this machine, until it is dropped.
pub struct Page {
    door: Arc<Door>,
    feed: Arc<Feed>,
    at: SocketAddr,
    /// Epoch, loss and accuracy in the clear.
    clear: Mutex<Vec<(u64, f64, f64)>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Page {
    /// Serves it; nothing is shown yet.
    ///
    /// # Errors
    /// No port, thread or randomness.
    pub fn start() -> Result<Page> {
        let what = |e: &dyn std::fmt::Display| Error::config("page", e, "a port of this machine, and randomness");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(|e| what(&e))?;
        let listener = runtime.block_on(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).map_err(|e| what(&e))?;
        let at = listener.local_addr().map_err(|e| what(&e))?;
        let (door, feed) = (Arc::new(Door::new().map_err(|e| what(&e))?), Arc::<Feed>::default());
        let help = "the demo has printed a link that works once; another one comes at its end";
        runtime.spawn(listen::serve(listener, page::routes(door.clone(), feed.clone(), help)));
        Ok(Page { door, feed, at, clear: Mutex::default(), runtime: Some(runtime) })
    }

    /// A link to it, which works once.
    ///
    /// # Errors
    /// No randomness.
    pub fn link(&self) -> Result<String> {
        let secret = self.door.link().map_err(|e| Error::config("page", e, "randomness from the system"))?;
        Ok(format!("http://{}/?link={secret}", self.at))
    }

    fn show(&self, part: &str, value: &impl Serialize) {
        self.feed.show("demo", vec![(part, serde_json::to_string(value).unwrap_or_else(|_| "null".into()))]);
    }

    /// What is trained.
    pub(super) fn about(&self, text: &str) {
        self.show("about", &text);
    }

    /// How it goes on.
    pub(super) fn on(&self, event: &Progress<'_>) {
        match event {
            Progress::Phase(now) => self.show("phase", &json!({ "all": PHASES, "now": now })),
            Progress::FloatEpoch { epoch, loss, accuracy } => {
                let mut clear = self.clear.lock().unwrap_or_else(PoisonError::into_inner);
                clear.push((*epoch, *loss, *accuracy));
                self.show("clear", &*clear);
            }
            _ => {}
        }
    }

    /// It is over.
    pub(super) fn done(&self, results: &str) {
        self.show("phase", &json!({ "all": PHASES, "now": "done" }));
        self.show("results", &results);
    }

    /// What a party's own page shows.
    pub(super) fn party(&self, id: Id, part: &str, json: String) {
        self.feed.show(&id.to_string(), vec![(part, json)]);
    }

    /// One of an owner's records, from what the owner has sent: `x` are its words, `sent` the messages to P0, P1 and P2.
    pub(super) fn record(&self, suite: Chosen, schema: &Schema, owner: &str, x: &Tensor, sent: &[Vec<Part>; 3]) {
        if let Ok(holds) = suite.with(Held { n: x.len(), sent }) {
            self.show("record", &record(suite.suite, schema, owner, x, &holds));
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The matrices that each party has of what it was sent.
struct Held<'a> {
    n: usize,
    sent: &'a [Vec<Part>; 3],
}

impl WithSuite for Held<'_> {
    type Out = std::result::Result<[Vec<Vec<u64>>; 3], String>;

    fn run<S: Compiled>(self, _: impl Fn(Party) -> S) -> Self::Out {
        let mut all = Id::ALL.iter().map(|id| S::accept(*id, self.n, &self.sent[id.index()]));
        let mut next = || {
            let kept = all.next().unwrap_or_else(|| Err("no party".into()))?;
            Ok::<_, String>(kept.words().into_iter().filter(|words| !words.is_empty()).collect())
        };
        Ok([next()?, next()?, next()?])
    }
}

/// The picture of a record, as JSON.
fn record(suite: SuiteName, schema: &Schema, owner: &str, x: &Tensor, holds: &[Vec<Vec<u64>>; 3]) -> serde_json::Value {
    let (features, (frac, _)) = (schema.features(), schema.input());
    // A grey level is p/256. Of other numbers the bits that tell them apart: of standardised ones from -4 to 4.
    let low = if super::pixels(schema) { frac - 8 } else { frac - 5 };
    // A three is easier to make out than a one.
    let row = (0..x.nrows()).find(|row| x.get((*row, features + 3)) == Some(&1)).unwrap_or(0);
    let grey = |words: &mut dyn Iterator<Item = u64>| -> String {
        words.skip(row * x.ncols()).take(features).map(|word| format!("{:02x}", (word >> low) & 255)).collect()
    };
    let (names, says, why): ([&[&str]; 3], [&str; 3], &str) = match suite {
        SuiteName::Masked | SuiteName::Verified => (
            [&["m", "l₀"], &["m", "l₁"], &["l₀", "l₁"]],
            [
                "was sent m, and a seed that l₀ comes from",
                "was sent m, and a seed that l₁ comes from",
                "was sent the two seeds, and no m",
            ],
            "m = x + l₀ + l₁: each party lacks one of the three, and what it has is noise.",
        ),
        SuiteName::Securenn => (
            [&["x₀"], &["x₁"], &[]],
            ["was sent a seed that x₀ comes from", "was sent x₁", "was sent nothing of it"],
            "x = x₀ + x₁: each is noise without the other.",
        ),
    };
    let parties = Id::ALL.map(|id| {
        let held = names[id.index()].iter().zip(&holds[id.index()]);
        let pictures = held.map(|(name, words)| json!({ "name": name, "grey": grey(&mut words.iter().copied()) }));
        json!({ "id": id, "says": says[id.index()], "holds": pictures.collect::<Vec<_>>() })
    });
    let (by, how) = match suite {
        SuiteName::Masked | SuiteName::Verified => ([Id::P0, Id::P2], "x = m − l₀ − l₁"),
        SuiteName::Securenn => ([Id::P0, Id::P1], "x = x₀ + x₁"),
    };
    let together: Vec<u64> = match (suite, holds) {
        (SuiteName::Masked | SuiteName::Verified, [p0, _, p2]) => added(&p0[..1], &p2[..], |m, l| m.wrapping_sub(l)),
        (SuiteName::Securenn, [p0, p1, _]) => added(&p0[..1], &p1[..], |a, b| a.wrapping_add(b)),
    };
    let root = features.isqrt();
    let class = x.row(row).iter().skip(features).position(|word| *word == 1);
    json!({
        "owner": owner,
        "label": class.filter(|_| schema.task == Task::Classification).and_then(|class| schema.classes.get(class)),
        "width": if root * root == features { root } else { root + 1 },
        "numbers": features,
        "bits": [low, low + 7],
        "original": grey(&mut x.iter().copied()),
        "parties": parties,
        "pool": { "by": by, "how": how, "grey": grey(&mut together.into_iter()) },
        "why": why,
    })
}

/// The first of `from`, with all of `with` put to it.
fn added(from: &[Vec<u64>], with: &[Vec<u64>], put: impl Fn(u64, u64) -> u64) -> Vec<u64> {
    let mut sum = from.concat();
    for words in with {
        sum.iter_mut().zip(words).for_each(|(a, b)| *a = put(*a, *b));
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use trefoil_mpc::Suite;
    use trefoil_mpc::masked::Masked;
    use trefoil_mpc::securenn::{SecureNn, Truncation};

    const SCHEMA: &str = r#"{"task": "classification", "label": "digit", "classes": ["no", "yes"], "holdout": 0,
        "columns": [{"kind": "pixels", "name": "p", "count": 784}]}"#;

    /// A record in the middle of a chunk is as it was sent, too.
    #[test]
    fn a_three_is_found() {
        let classes = r#"["0", "1", "2", "3"]"#;
        let schema: Schema = serde_json::from_str(&SCHEMA.replace(r#"["no", "yes"]"#, classes)).unwrap();
        let x = Tensor::from_shape_fn((3, 788), |(i, j)| if j < 784 { i as u64 * 7 } else { u64::from(j == 784 + 2 + i.min(1)) });
        let sent = Masked::deal(&x, [9; 32]);
        let chosen = Chosen { suite: SuiteName::Masked, truncation: Truncation::Dealer };
        let shown = record(SuiteName::Masked, &schema, "o", &x, &chosen.with(Held { n: x.len(), sent: &sent }).unwrap());
        assert_eq!((shown["label"].as_str(), shown["original"].as_str()), (Some("3"), Some(&"07".repeat(784)[..])));
        assert_eq!(shown["pool"]["grey"], shown["original"]);
    }

    /// What each party holds is noise, what two put together is the record, and that is what its owner has.
    #[test]
    fn the_picture_is_of_what_was_sent() {
        let schema: Schema = serde_json::from_str(SCHEMA).unwrap();
        let x = Tensor::from_shape_fn((3, 786), |(i, j)| match j {
            785 => 1,
            784 => 0,
            _ => (i as u64 + 1) * u64::from(j % 28 == 14) * 80,
        });
        for (suite, sent) in [(SuiteName::Masked, Masked::deal(&x, [7; 32])), (SuiteName::Securenn, SecureNn::deal(&x, [7; 32]))]
        {
            let chosen = Chosen { suite, truncation: Truncation::Dealer };
            let holds = chosen.with(Held { n: x.len(), sent: &sent }).unwrap();
            let shown = record(suite, &schema, "owner-1", &x, &holds);
            let original = shown["original"].as_str().unwrap();
            assert_eq!(original.len(), 2 * 784);
            assert_eq!(original.matches("50").count(), 28, "{original}");
            assert_eq!(
                (&shown["pool"]["grey"], shown["label"].as_str(), shown["width"].as_u64()),
                (&shown["original"], Some("yes"), Some(28))
            );
            let pictures: Vec<&str> = shown["parties"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|p| p["holds"].as_array().unwrap())
                .map(|h| h["grey"].as_str().unwrap())
                .collect();
            assert_eq!(pictures.len(), if suite == SuiteName::Masked { 6 } else { 2 });
            for picture in pictures {
                // 255 +- 23 for noise; the record itself has some 190,000.
                let mut counts = [0f64; 256];
                (0..784).for_each(|i| counts[usize::from_str_radix(&picture[2 * i..2 * i + 2], 16).unwrap()] += 1.0);
                let expected = 784.0 / 256.0;
                let chi: f64 = counts.iter().map(|c| (c - expected) * (c - expected) / expected).sum();
                assert!(chi < 400.0, "{chi}");
            }
        }
    }
}
