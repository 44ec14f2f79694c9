//! A lane's session: the parties meet, compare what must be equal, make fresh keys, and run one pass after the other.

use super::budget::{Budgeted, Turn};
use super::clients;
use super::crew::{self, Crew};
use super::desk::OwnDesk;
use super::lane::LaneHere;
use super::model::Model;
use super::passes::Passes;
use crate::handshake::{compare, exchange, hello, keys};
use crate::lap::Clock;
use crate::{Error, Event, Result, links, matrices, session};
use serde_json::json;
use std::time::Instant;
use trefoil_client::approval::{Approval, Role};
use trefoil_job::compiled::Compiled;
use trefoil_job::suites::WithSuite;
use trefoil_mpc::Party;
use trefoil_net::{Id, Net};

/// Runs one session, until the party stops or the service ends.
///
/// # Errors
/// What ended it.
pub fn run(lane: &LaneHere) -> Result<()> {
    let me = lane.me()?;
    let model = lane.model()?;
    let net = match links::gather(lane, &lane.service.addresses(), me)? {
        links::Gathered::Net(net) => *net,
        links::Gathered::Trained(_) => return Err(Error::Handshake("a peer took a service for a job".into())),
    };
    model.known.chosen.with(Work { lane, me, model: &model, net })
}

/// A session's work, with whichever engine.
struct Work<'a, N> {
    lane: &'a LaneHere,
    me: Id,
    model: &'a Model,
    net: N,
}

impl<N: Net + 'static> WithSuite for Work<'_, N> {
    type Out = Result<()>;

    fn run<S: Compiled>(self, engine: impl Fn(Party) -> S) -> Result<()> {
        let Work { lane, me, model, net } = self;
        let until = Instant::now() + lane.server.config.timeout() * 10;
        let agreed = hello(json!({
            "service": lane.hash,
            "pass": lane.size(),
            "job": lane.service.model.job(),
            "model": model.name,
            "suite": model.known.chosen,
            "links": lane.server.config.links,
        }));
        compare(&net, &me.others(), "service.hello", &agreed, until)?;
        approved(lane, me, &net, until)?;
        clients::exchange(lane, me, &net, until)?;
        let meeting = crew::exchange_ranks(lane, me, &net, until)?;
        let mut net = session::decorated(&lane.server, me, net)?;
        let turn = lane.server.budget.clone().map(Turn::of);
        if let Some(turn) = turn.clone() {
            net = Box::new(Budgeted { net, turn });
        }
        let seeds = keys(&net, me, until)?;
        let mut e = engine(Party::new(me, net, seeds));
        let shares = model.load(lane, &mut e)?;
        let kept = (meeting.lanes > 1).then(|| matrices::keep(&mut e, &shares)).transpose()?;
        let mut params = vec![];
        for param in shares {
            // What every pass uses is paid for once.
            params.push(e.prepare(&param)?);
        }
        // A party whose share cannot be read is found out before a question counts.
        e.party().meet("service.ready", &[])?;
        let event = json!({ "what": "service session", "service": lane.hash, "pass": lane.size(), "model": model.name });
        lane.server.note(event)?;
        tracing::info!(service = %lane.hash, pass = lane.size(), "serving");
        let crew = Crew::call(lane, &meeting, model, kept)?;
        lane.change(|now| {
            let own = &mut now.lanes[lane.lane];
            (own.open, own.meeting.waiting_for) = (true, None);
            own.joined(0);
        });
        let (mut clock, size) = (Clock::start(), lane.size());
        let after = &mut |p: &Party, seconds: f64| {
            lane.server.say(Event::Pass { records: size, lap: clock.lap(p, seconds) });
        };
        crew.beside(lane, me, &model.known, |broken| {
            let desk = &mut OwnDesk::of(lane, me, &model.known, 0, broken);
            let (prediction, reveal) = (&model.known.prediction, lane.service.reveal);
            Passes { size, prediction, reveal, params, begun: 0, turn, desk, after }.run(&mut e)
        })
    }
}

/// The parties show one another their operators' approvals, and each keeps all three.
fn approved(here: &LaneHere, me: Id, net: &dyn Net, until: Instant) -> Result<()> {
    let own: Vec<Approval> = here.now().approvals.values().cloned().collect();
    for (peer, theirs) in exchange(net, &me.others(), "service.approvals", &own, until)? {
        for approval in theirs {
            here.service
                .check_approval(&approval)
                .map_err(|e| Error::Handshake(format!("{peer} shows an approval that is none: {e}")))?;
            here.keep(approval)?;
        }
    }
    let missing = Id::ALL.into_iter().find(|id| !here.now().approvals.contains_key(&Role::from(*id)));
    match missing {
        None => Ok(()),
        Some(id) => Err(Error::Handshake(format!("found no approval of {id}, expected a signed one"))),
    }
}
