//! One thread a service: sessions, one after the other. Questions that wait when a session ends are refused, and may be asked again.

use super::{ServiceHere, session};
use crate::Error;
use serde_json::json;
use std::time::{Duration, Instant};
use trefoil_client::AGAIN;

/// Pauses between sessions grow from the first to the second of these.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(5)];

/// Starts the service's thread, where it is approved and none runs.
pub fn ensure(here: &ServiceHere) {
    let own = here.server.identity.fingerprint();
    if !here.is_live(own) || here.change(|now| std::mem::replace(&mut now.running, true)) {
        return;
    }
    let place = Place(here.clone());
    if let Err(e) = std::thread::Builder::new().name("service".into()).spawn(move || run(&place.0)) {
        tracing::error!(service = %here.hash, "no thread: {e}");
    }
}

/// A service's thread, whose place is free again however it ends.
struct Place(ServiceHere);

impl Drop for Place {
    fn drop(&mut self) {
        close(&self.0, "this party's service has ended");
        self.0.change(|now| now.running = false);
    }
}

/// Takes no more questions, and refuses those that wait.
fn close(here: &ServiceHere, why: &str) {
    let waiting = here.change(|now| {
        now.open = false;
        std::mem::take(&mut now.questions)
    });
    for question in waiting {
        // Who asked may be gone.
        let _ = question.answer.try_send(Err(format!("{why}{AGAIN}")));
    }
}

fn run(here: &ServiceHere) {
    let (mut pause, mut last) = (PAUSES[0], String::new());
    while !here.server.stopping() && !here.now().ended {
        let began = Instant::now();
        let result = session::run(here);
        close(here, "the parties of the service have lost one another");
        let why = match result {
            Ok(()) | Err(Error::Interrupted) => continue,
            Err(e) => e.to_string(),
        };
        here.change(|now| now.meeting.waiting_for = Some(why.clone()));
        if last != why {
            tracing::warn!(service = %here.hash, "{why}");
            here.server.noted(json!({ "what": "service session ended", "service": here.hash, "why": why }));
            last = why;
        }
        // A session that went well for a while was no try in vain.
        pause = if began.elapsed() > 2 * here.server.config.timeout() { PAUSES[0] } else { (2 * pause).min(PAUSES[1]) };
        let until = Instant::now() + pause;
        while !here.server.stopping() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
