//! A training by three processes on this machine, with TLS between them. Whoever starts them sees everything.
//!
//! Keys and certificates are made for one training and are in memory alone. A party is started with nothing in its arguments. It is told who
//! it is, with its private key, in the first line of its standard input; it says in a line of its standard output where it listens for its
//! user and for its peers. All else is frames over TLS, both ends pinned: the task and its shares of the records to the party; from it how the
//! training goes, and its parts of the parameters or what went wrong. When its standard input ends, so does the party.

mod party;

pub use party::party;

use crate::local::{gone, key};
use crate::suites::Chosen;
use crate::train::{Dealt, Said, Tell};
use crate::{Cause, Error, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::borrow::Cow;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use trefoil_mpc::{Id, Key, Part};
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_net::tls::connect;
use trefoil_net::{At, Error as NetError, Frame};
use trefoil_nn::{Trainer, Training};

/// How long the processes may take to start.
const START: Duration = Duration::from_secs(60);
/// Between two looks at whether it shall stop.
const MOMENT: Duration = Duration::from_millis(20);
/// For other parties to tell the cause, when one has failed.
const AFTERMATH: Duration = Duration::from_millis(500);

const TASK: &str = "party.task";
const MATRIX: &str = "party.matrix";
const SAID: &str = "party.said";
const FAILED: &str = "party.failed";
const PARAMETER: &str = "party.parameter";

/// Who a party is. It has no `Debug`, for its private key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Who {
    id: Id,
    /// Certificate and private key, PEM.
    key: String,
    parties: [Fingerprint; 3],
    user: Fingerprint,
}

/// Where a party listens.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listens {
    user: String,
    peers: String,
}

/// What the three do.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Task<'a> {
    parties: [Listens; 3],
    training: Cow<'a, Training>,
    chosen: Chosen,
}

/// What went wrong at a party.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    message: String,
    cause: Cause,
}

/// The three processes. Dropping it ends them.
struct Fleet(Vec<Child>);

impl Fleet {
    fn start(command: &dyn Fn() -> Command) -> Result<Fleet> {
        let threads = std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 3).max(1));
        let mut fleet = Fleet(Vec::new());
        for _ in Id::ALL {
            let mut command = command();
            command.env("RAYON_NUM_THREADS", threads.to_string());
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            // Ctrl-C on a terminal goes to a whole process group: it is for this process, which ends its parties.
            #[cfg(unix)]
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
            let child = command.spawn().map_err(Error::file(command.get_program().as_ref()))?;
            fleet.0.push(child);
        }
        Ok(fleet)
    }

    /// How the process of a party that has fallen silent has ended, if it has.
    fn end_of(&mut self, id: Id) -> Option<String> {
        let (until, child) = (Instant::now() + AFTERMATH, self.0.get_mut(id.index())?);
        loop {
            match child.try_wait().ok()? {
                Some(status) => return Some(format!("its process has ended, {status}")),
                None if Instant::now() < until => std::thread::sleep(MOMENT),
                None => return None,
            }
        }
    }

    /// Lets them end by themselves, for a while.
    fn finish(mut self) {
        let until = Instant::now() + Duration::from_secs(10);
        for child in &mut self.0 {
            while matches!(child.try_wait(), Ok(None)) && Instant::now() < until {
                std::thread::sleep(MOMENT);
            }
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What is heard of a party.
enum Heard {
    Listens(Listens),
    Said(Said),
    End(Result<Vec<Vec<Part>>>),
}

/// Trains in three processes, each of which `command` starts.
///
/// # Errors
/// A process cannot be started; [`Error::Party`] where one fails or ends; [`Error::Interrupted`] if `stop` is set.
pub(crate) fn train(
    trainer: &Trainer,
    chosen: Chosen,
    dealt: [Vec<Dealt>; 3],
    command: &dyn Fn() -> Command,
    stop: &AtomicBool,
    tell: Tell<'_>,
) -> Result<[Vec<Vec<Part>>; 3]> {
    let fresh = |name| Identity::generate(name).map_err(link);
    let (parties, user) = ([fresh("P0")?, fresh("P1")?, fresh("P2")?], fresh("user")?);
    let prints = parties.each_ref().map(Identity::fingerprint);
    let keys = [key()?, key()?, key()?];
    let last_words = [const { Mutex::new(String::new()) }; 3];
    let mut fleet = Fleet::start(command)?;
    std::thread::scope(|scope| {
        let (sender, heard) = channel();
        let (mut tasks, mut readers) = (Vec::new(), Vec::new());
        for (((id, me), child), dealt) in Id::ALL.into_iter().zip(&parties).zip(&mut fleet.0).zip(dealt) {
            let (Some(input), Some(output), Some(error)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
                return Err(gone());
            };
            let (task, tasked) = channel();
            tasks.push(task);
            let who = Who { id, key: me.to_pem().to_string(), parties: prints, user: user.fingerprint() };
            let with = |other: Id| keys[id.index() + other.index() - 1].clone();
            let talk = Talk { who, user: &user, keys: id.others().map(with), trainer, chosen, dealt, tasked };
            let (sender, words) = (sender.clone(), &last_words[id.index()]);
            scope.spawn(move || {
                // Who hears nothing any more has ended the processes.
                let say = |heard| sender.send((id, heard)).unwrap_or(());
                say(Heard::End(talk.run((input, output), &say)));
            });
            readers.push(scope.spawn(move || {
                for line in BufReader::new(error).lines().map_while(std::io::Result::ok).filter(|line| !line.trim().is_empty()) {
                    *words.lock().unwrap_or_else(PoisonError::into_inner) = line;
                }
            }));
        }
        match follow(&heard, &tasks, stop, tell) {
            Ok(parts) => {
                fleet.finish();
                Ok(parts)
            }
            // The threads end with the processes.
            Err(Error::Party { id, cause: Cause::Gone, message }) => {
                let end = fleet.end_of(id).map_or(message, |end| {
                    // What it said last may still be on its way here.
                    let until = Instant::now() + AFTERMATH;
                    while readers.get(id.index()).is_some_and(|reader| !reader.is_finished()) && Instant::now() < until {
                        std::thread::sleep(MOMENT);
                    }
                    end
                });
                let words = last_words[id.index()].lock().unwrap_or_else(PoisonError::into_inner);
                let words = if words.is_empty() { String::new() } else { format!(": {words}") };
                drop(fleet);
                Err(Error::Party { id, cause: Cause::Gone, message: format!("{end}{words}") })
            }
            Err(e) => {
                drop(fleet);
                Err(e)
            }
        }
    })
}

/// Hears the three until all have given their parts, or one of them has failed.
fn follow(
    heard: &Receiver<(Id, Heard)>,
    tasks: &[Sender<[Listens; 3]>],
    stop: &AtomicBool,
    tell: Tell<'_>,
) -> Result<[Vec<Vec<Part>>; 3]> {
    let (mut listening, mut parts) = ([const { None }; 3], [const { None }; 3]);
    let (mut faults, mut until) = (Vec::new(), Instant::now() + START);
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        match heard.recv_timeout(MOMENT) {
            Ok((id, Heard::Listens(where_to))) => {
                listening[id.index()] = Some(where_to);
                if let [Some(a), Some(b), Some(c)] = &listening {
                    let all = [a, b, c].map(Clone::clone);
                    tasks.iter().for_each(|task| task.send(all.clone()).unwrap_or(())); // its thread has told why
                }
            }
            Ok((id, Heard::Said(said))) => tell(id, said),
            Ok((id, Heard::End(Ok(of_it)))) => {
                parts[id.index()] = Some(of_it);
                parts = match parts {
                    [Some(a), Some(b), Some(c)] => return Ok([a, b, c]),
                    parts => parts,
                };
            }
            Ok((_, Heard::End(Err(fault)))) => {
                // Others that fail because of it may tell so first.
                if faults.is_empty() {
                    until = Instant::now() + AFTERMATH;
                }
                faults.push(fault);
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        let late = Instant::now() >= until;
        if faults.len() == 3 || late && !faults.is_empty() {
            let rank = |e: &Error| match e.cause() {
                Cause::Link => 2,
                Cause::Gone => 1,
                _ => 0,
            };
            return Err(faults.into_iter().min_by_key(rank).unwrap_or_else(gone));
        }
        if let (true, Some(silent)) = (late, listening.iter().position(Option::is_none)) {
            let found = format!("that it has not started within {} s", START.as_secs());
            return Err(Error::config(Id::ALL[silent], found, "a process that listens"));
        }
    }
}

/// The user's side of the conversation with a party.
struct Talk<'a> {
    who: Who,
    user: &'a Identity,
    keys: [Key; 2],
    trainer: &'a Trainer,
    chosen: Chosen,
    dealt: Vec<Dealt>,
    /// Where all three listen, once all do.
    tasked: Receiver<[Listens; 3]>,
}

impl Talk<'_> {
    /// From the process's start to its parts of the parameters.
    fn run(self, (mut input, output): (ChildStdin, ChildStdout), say: &dyn Fn(Heard)) -> Result<Vec<Vec<Part>>> {
        let id = self.who.id;
        let silent = |message: String| Error::Party { id, message, cause: Cause::Gone };
        let who = serde_json::to_string(&self.who).map_err(|e| Error::config(id, e, "JSON"))?;
        writeln!(input, "{who}").map_err(|e| silent(e.to_string()))?;
        let said = BufReader::new(output).lines().next().and_then(std::io::Result::ok);
        let said = said.ok_or_else(|| silent("its process says nothing".into()))?;
        say(Heard::Listens(serde_json::from_str(&said).map_err(|e| Error::config(id, e, "where it listens"))?));
        let Ok(parties) = self.tasked.recv() else { return Err(Error::Interrupted) };
        let cut = |e: NetError| silent(e.to_string());

        let (address, expect) = (parties[id.index()].user.clone(), self.who.parties[id.index()]);
        let mut stream = connect(&address, self.user, expect, START).map_err(cut)?;
        let training = Cow::Borrowed(self.trainer.training());
        let task = json(&Task { parties, training, chosen: self.chosen });
        let keys = self.keys.each_ref().map(|key| bytes(key.bytes()));
        stream.write_frame(&frame(TASK, [vec![task], keys.into()].concat())).map_err(cut)?;
        for ([rows, columns], parts) in self.dealt {
            let at = At { step: rows as u64, op: columns as u32 };
            stream.write_frame(&Frame { at, ..frame(MATRIX, parts) }).map_err(cut)?;
        }
        let (mut parts, params) = (Vec::new(), self.trainer.network().params().len());
        while parts.len() < params {
            let frame = stream.read_frame(usize::MAX).map_err(cut)?.ok_or_else(|| silent("its connection has ended".into()))?;
            match &*frame.label {
                SAID => say(Heard::Said(parsed(&frame)?)),
                PARAMETER => parts.push(frame.parts),
                _ => {
                    let Fault { message, cause } = parsed(&frame)?;
                    return Err(Error::Party { id, message, cause });
                }
            }
        }
        Ok(parts)
    }
}

fn link(e: NetError) -> Error {
    Error::Client(e.into())
}

fn frame(label: &'static str, parts: Vec<Part>) -> Frame {
    Frame { at: At::default(), depth: 0, label: label.into(), parts }
}

fn bytes(x: &[u8]) -> Part {
    Part::bits(&x.iter().map(|b| u64::from(*b)).collect::<Vec<_>>(), 8)
}

fn json(value: &impl Serialize) -> Part {
    bytes(&serde_json::to_vec(value).unwrap_or_default())
}

fn parsed<T: DeserializeOwned>(frame: &Frame) -> Result<T> {
    let text = frame.parts.first().map(Part::bytes).unwrap_or_default();
    serde_json::from_slice(text).map_err(|e| Error::config(&frame.label, e, "its fields in JSON"))
}
