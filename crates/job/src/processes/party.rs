//! The party's side: a process that trains.

use super::{FAILED, Fault, Listens, MATRIX, PARAMETER, SAID, START, TASK, Task, Who, frame, json, link, parsed};
use crate::local::TIMEOUT;
use crate::train::{Said, Work};
use crate::{Error, Result};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use trefoil_mpc::{Id, Key, Part, Party, Seeds};
use trefoil_net::Frame;
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_net::tls::{Listener, Options, Stream, mesh};

/// The body of a party's process.
///
/// # Errors
/// Nobody has started it who tells it what to do. All else is told to who has.
pub fn party() -> Result<()> {
    let line = std::io::stdin().lines().next().and_then(std::io::Result::ok).unwrap_or_default();
    let expected = "what a training in three processes tells its parties";
    let who: Who = serde_json::from_str(&line).map_err(|_| Error::config("standard input", "something else", expected))?;
    drop(line);
    let done = Arc::new(AtomicBool::new(false));
    let ended = done.clone();
    std::thread::spawn(move || {
        std::io::stdin().lines().map_while(std::io::Result::ok).for_each(drop);
        if !ended.load(Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    let me = Identity::from_pem(&who.key).map_err(link)?;
    let peers = who.id.others().map(|id| who.parties[id.index()]);
    let listen = |allowed: &[Fingerprint]| Listener::bind("127.0.0.1:0", &me, allowed).map_err(link);
    let (of_user, of_peers) = (listen(&[who.user])?, listen(&peers)?);
    let listens = Listens { user: of_user.local_addr().to_string(), peers: of_peers.local_addr().to_string() };
    // Without a reader there is nobody to train for, and the end of standard input says so too.
    let _ = writeln!(std::io::stdout(), "{}", serde_json::to_string(&listens).unwrap_or_default());
    let (stream, _) = of_user.accept(START).map_err(link)?;
    let stream = Mutex::new(stream);
    let trained = trained(&who, &me, &of_peers, &stream);
    done.store(true, Ordering::Relaxed);
    let mut stream = stream.into_inner().unwrap_or_else(PoisonError::into_inner);
    let last = match trained {
        Ok(parts) => parts.into_iter().map(|parts| frame(PARAMETER, parts)).collect(),
        Err(e) => vec![frame(FAILED, vec![json(&Fault { message: e.to_string(), cause: e.cause() })])],
    };
    // Where it does not arrive, who has started this has gone.
    let _ = last.iter().try_for_each(|frame| stream.write_frame(frame));
    let _ = stream.close();
    Ok(())
}

/// What a party makes of what it is told.
fn trained(who: &Who, me: &Identity, listener: &Listener, stream: &Mutex<Stream>) -> Result<Vec<Vec<Part>>> {
    let next = |label: &str| -> Result<Frame> {
        let frame = stream.lock().unwrap_or_else(PoisonError::into_inner).read_frame(usize::MAX).map_err(link)?;
        frame.filter(|frame| frame.label == label).ok_or_else(|| Error::config("connection", "something else", label))
    };
    let first = next(TASK)?;
    let Task { parties, training, chosen } = parsed(&first)?;
    let shared = |at: usize| -> Result<Key> {
        let key = first.parts.get(at).and_then(|part| part.bytes().try_into().ok());
        Ok(Key::from_bytes(key.ok_or_else(|| Error::config("key", "something else", "32 bytes"))?))
    };
    let [a, b] = who.id.others();
    let seeds = Seeds::new(who.id, [(a, shared(1)?), (b, shared(2)?)]);
    let trainer = training.trainer()?;
    let mut dealt = Vec::new();
    for _ in 0..4 {
        let Frame { at, parts, .. } = next(MATRIX)?;
        dealt.push(([at.step as usize, at.op as usize], parts));
    }
    let peer = |id: Id| (id, parties[id.index()].peers.clone(), who.parties[id.index()]);
    let options = Options { timeout: TIMEOUT, gather: START, ..Options::default() };
    let party = Party::new(who.id, mesh(who.id, listener, me, [peer(a), peer(b)], options).map_err(link)?, seeds);
    let tell = |_, said: Said| {
        let _ = stream.lock().unwrap_or_else(PoisonError::into_inner).write_frame(&frame(SAID, vec![json(&said)]));
    };
    chosen.with(Work { party, trainer: &trainer, dealt, stop: &AtomicBool::new(false), tell: &tell })
}
