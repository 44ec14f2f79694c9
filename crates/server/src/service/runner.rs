//! Each lane of a service has a thread, which runs its sessions one after the other: what breaks a session, a peer that has gone or a link,
//! does not end the service. Questions that wait when the last lane closes are refused, and may be asked again.

use super::entry::ServiceHere;
use super::lane::LaneHere;
use super::session;
use crate::Error;
use serde_json::json;
use std::time::{Duration, Instant};
use trefoil_client::AGAIN;

/// Pauses between sessions grow from the first to the second of these.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(5)];

/// Starts the threads of the service's lanes, where it is approved and they do not run.
pub fn ensure(here: &ServiceHere) {
    if !here.is_live(here.server.identity.fingerprint()) {
        return;
    }
    for lane in LaneHere::all(here) {
        if here.change(|now| std::mem::replace(&mut now.lanes[lane.lane].running, true)) {
            continue;
        }
        let place = Place(lane);
        if let Err(e) = std::thread::Builder::new().name("service".into()).spawn(move || alone(&place.0)) {
            tracing::error!(service = %here.hash, "no thread: {e}");
        }
    }
}

/// A lane's thread, whose place is free again however it ends.
struct Place(LaneHere);

impl Drop for Place {
    fn drop(&mut self) {
        close(&self.0, "this party's service has ended");
        self.0.change(|now| now.lanes[self.0.lane].running = false);
    }
}

/// The lane takes no more questions; with the last one, those that wait are refused.
fn close(lane: &LaneHere, why: &str) {
    let waiting = lane.change(|now| {
        now.lanes[lane.lane].open = false;
        now.lanes[lane.lane].left(0);
        if now.open() { Default::default() } else { std::mem::take(&mut now.questions) }
    });
    waiting.into_iter().for_each(|question| question.refuse("lost", format!("{why}{AGAIN}")));
}

/// Where services have a budget a lane computes on one thread, and takes none of those that trainings share.
fn alone(lane: &LaneHere) {
    let pool = lane.server.budget.as_ref().map(|_| rayon::ThreadPoolBuilder::new().num_threads(1).build());
    match pool {
        None => run(lane),
        Some(Ok(pool)) => pool.install(|| run(lane)),
        Some(Err(e)) => tracing::error!(service = %lane.hash, "no thread: {e}"),
    }
}

fn run(lane: &LaneHere) {
    let (mut pause, mut last) = (PAUSES[0], String::new());
    while !lane.server.stopping() && !lane.now().ended {
        let began = Instant::now();
        let result = session::run(lane);
        close(lane, "the parties of the service have lost one another");
        let why = match result {
            Ok(()) | Err(Error::Interrupted) => {
                std::thread::sleep(PAUSES[0]);
                continue;
            }
            Err(e) => e,
        };
        // A party has lied, which is for people to look at: the lane answers again once its party has been started again.
        let lied = matches!(why.of_protocol(), Some(trefoil_mpc::Error::Rejected { .. }));
        let why = why.to_string();
        lane.change(|now| now.lanes[lane.lane].meeting.waiting_for = Some(why.clone()));
        if last != why {
            tracing::warn!(service = %lane.hash, "{why}");
            lane.server.noted(json!({ "what": "service session ended", "service": lane.hash, "pass": lane.size(), "why": why }));
            last = why;
        }
        while lied && !lane.server.stopping() && !lane.now().ended {
            std::thread::sleep(PAUSES[0]);
        }
        // A session that went well for a while was no try in vain.
        pause = if began.elapsed() > 2 * lane.server.config.timeout() { PAUSES[0] } else { (2 * pause).min(PAUSES[1]) };
        let until = Instant::now() + pause;
        while !lane.server.stopping() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
