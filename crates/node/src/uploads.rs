//! The owners' records on their way into a party: who may upload what, and that all three parties have the same.

use crate::handshake::{compare, hello};
use crate::party::{Event, PartyConfig};
use crate::{Error, Training, Result};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use trefoil_client::{Manifest, TensorInfo, receive, refuse};
use trefoil_engine::Format;
use trefoil_mpc::Suite;
use trefoil_net::tls::{Listener, Stream};
use trefoil_net::{Id, Net};
use trefoil_nn::Data;
use trefoil_nn::train::LABEL;

/// The uploads of all owners, as all three parties have them.
///
/// # Errors
/// An owner does not come, sends something unfit, or sends the parties different things.
pub fn gather<S: Suite>(
    config: &PartyConfig,
    net: &mut dyn Net,
    listener: &Listener,
    timeout: Duration,
    emit: &mut dyn FnMut(Event),
) -> Result<Vec<receive::Upload>> {
    let me = config.id;
    let started = Instant::now();
    // Owners may take longer than a round does: each gets this long, and the peers wait as long for the slowest.
    let until = started + timeout * 10;
    let uploads = collect::<S>(config, listener, until)?;
    let digests: Vec<String> = uploads.iter().map(|(u, _)| hex::encode(u.manifest.digest())).collect();
    compare(net, &me.others(), "node.data", &hello(BTreeMap::from([("uploads", digests)])), until)?;
    if me != Id::P2 {
        let peer = if me == Id::P0 { Id::P1 } else { Id::P0 };
        let common = hello(BTreeMap::from([("masked records", common::<S>(me, &uploads))]));
        compare(net, &[peer], "node.common", &common, until)?;
    }
    let mut received = vec![];
    for (upload, mut stream) in uploads {
        receive::accepted(&mut stream)?;
        received.push(upload);
    }
    emit(Event::Shared { rows: config.job.train_rows, seconds: started.elapsed().as_secs_f64() });
    Ok(received)
}

/// The matrices of an upload, in order, with the columns and fraction bits that the job says.
fn shapes(job: &Training) -> [(&'static str, usize, Format); 4] {
    let (features, classes) = (job.network[0], job.network[job.network.len() - 1]);
    let x = job.input();
    [("train.x", features, x), ("train.y", classes, LABEL), ("test.x", features, x), ("test.y", classes, LABEL)]
}

/// Whether an owner's announcement fits the job.
fn allow(config: &PartyConfig, manifest: &Manifest) -> trefoil_client::Result<()> {
    let refuse = |what, found: String, expected: String| Err(trefoil_client::Error::Upload { what, found, expected });
    let (job, terms) = (&config.job, config.terms());
    if manifest.job != terms {
        return refuse("job", manifest.job.chars().take(64).collect::<String>().escape_debug().to_string(), terms);
    }
    let expected = shapes(job);
    if manifest.tensors.len() != expected.len() {
        return refuse("matrices", manifest.tensors.len().to_string(), expected.len().to_string());
    }
    for (TensorInfo { name, rows, cols, frac }, (expected, width, format)) in manifest.tensors.iter().zip(expected) {
        let most = if expected.starts_with("train") { job.train_rows } else { job.test_rows };
        if name != expected || *cols != width || *frac != format.frac || *rows > most {
            let name = name.chars().take(20).collect::<String>().escape_debug().to_string();
            let found = format!("{name} of {rows} x {cols}, {frac} fraction bits");
            return refuse("matrix", found, format!("{expected} of at most {most} x {width}, {} fraction bits", format.frac));
        }
    }
    let rows = |i: usize| manifest.tensors[i].rows;
    if rows(0) != rows(1) || rows(2) != rows(3) {
        return refuse("labels", format!("{} and {}", rows(1), rows(3)), format!("{} and {}", rows(0), rows(2)));
    }
    Ok(())
}

/// One upload from each owner, in the owners' order, with the connections on which they wait for an answer.
fn collect<S: Suite>(config: &PartyConfig, listener: &Listener, until: Instant) -> Result<Vec<(receive::Upload, Stream)>> {
    let mut uploads: Vec<Option<(receive::Upload, Stream)>> = config.owners.iter().map(|_| None).collect();
    let (sender, done) = std::sync::mpsc::channel();
    let timeout = Duration::from_secs_f64(config.timeout);
    let mut started = vec![false; config.owners.len()];
    while uploads.iter().any(Option::is_none) {
        if let Ok((owner, result)) = done.try_recv() {
            let _: usize = owner;
            match result {
                Ok(upload) => uploads[owner] = Some(upload),
                // A connection that broke may be made again; an upload that is refused ends the run.
                Err(trefoil_client::Error::Net(e)) => {
                    tracing::warn!("data owner {}: {e}; waiting for it to come again", config.owners[owner]);
                    started[owner] = false;
                }
                Err(e) => return Err(e.into()),
            }
            continue;
        }
        if Instant::now() > until {
            let missing: Vec<String> =
                config.owners.iter().zip(&uploads).filter(|(_, u)| u.is_none()).map(|(f, _)| f.to_string()).collect();
            return Err(Error::config("data owners", format!("nothing from {}", missing.join(", ")), "an upload from each"));
        }
        // Short waits, so that a finished upload is noticed; a stranger's failed handshake is the listener's to log.
        let Ok((mut stream, from)) = listener.accept(Duration::from_millis(20)) else { continue };
        let Some(owner) = config.owners.iter().position(|o| *o == from) else {
            refuse(&mut stream, "this party is waiting for data owners");
            continue;
        };
        if std::mem::replace(&mut started[owner], true) {
            refuse(&mut stream, "this owner has uploaded already");
            continue;
        }
        let (sender, config, id) = (sender.clone(), config.clone(), config.id);
        std::thread::spawn(move || {
            let take = |stream: &mut Stream| {
                stream.set_timeouts(Some(timeout), Some(timeout))?;
                receive::upload(stream, |m| allow(&config, m), |n, parts| S::accept(id, n, parts))
            };
            let result = take(&mut stream).map(|upload| (upload, stream));
            // The receiver is gone only if the party has failed already.
            let _ = sender.send((owner, result));
        });
    }
    Ok(uploads.into_iter().flatten().collect())
}

/// Hashes of what P0 and P1 hold in common, where the suite has such.
fn common<S: Suite>(me: Id, uploads: &[(receive::Upload, Stream)]) -> Vec<Option<String>> {
    uploads.iter().flat_map(|(u, _)| &u.tensors).map(|kept| S::common(me, kept).map(hex::encode)).collect()
}

/// The owners' matrices joined in order: training data and test data.
///
/// # Errors
/// There are not as many records as the job says.
pub fn join<E: Suite>(e: &E, job: &Training, mut uploads: Vec<receive::Upload>) -> Result<[Data<E::Num>; 2]> {
    let rows = |i: usize, uploads: &[receive::Upload]| uploads.iter().map(|u| u.manifest.tensors[i].rows).sum::<usize>();
    let found = (rows(0, &uploads), rows(2, &uploads));
    if found != (job.train_rows, job.test_rows) {
        return Err(Error::config(
            "records of all owners",
            format!("{} to train and {} to test", found.0, found.1),
            format!("{} and {}", job.train_rows, job.test_rows),
        ));
    }
    // One matrix at a time, and each owner's part is let go as soon as it is copied: training data is large.
    let mut matrix = |i: usize, (_, cols, format): (&str, usize, Format)| {
        let rows = rows(i, &uploads);
        let part = |half: usize, uploads: &mut [receive::Upload]| {
            let mut words = Vec::new();
            for upload in uploads {
                let kept = std::mem::take(&mut upload.tensors[i][half]);
                if words.is_empty() {
                    words.reserve_exact(if kept.is_empty() { 0 } else { rows * cols });
                }
                words.extend(kept);
            }
            words
        };
        let words = [part(0, &mut uploads), part(1, &mut uploads)];
        e.input([rows, cols], format, words)
    };
    let [ax, ay, bx, by] = shapes(job);
    Ok([Data { x: matrix(0, ax), y: matrix(1, ay) }, Data { x: matrix(2, bx), y: matrix(3, by) }])
}
