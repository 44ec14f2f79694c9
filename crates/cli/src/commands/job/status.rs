//! `trefoil job status`: how a job stands at each party, and who has agreed to it. All parties are asked at once: one that does not answer
//! keeps nobody from seeing what the others say.

use super::{JobArgs, KeyArgs, metric, name};
use crate::output::{json, print};
use clap::Args;
use std::collections::BTreeMap;
use std::time::Duration;
use trefoil_client::approval::{Approval, Role};
use trefoil_client::request::Request;
use trefoil_client::{self as client, Address, Patience};
use trefoil_job::{Job, Member, sharing};
use trefoil_net::Id;
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_nn::Figure;
use trefoil_server::record::{State, Status};
use trefoil_server::{Error, Result};
use trefoil_store::time;

/// Options of `trefoil job status`.
#[derive(Args)]
pub struct StatusArgs {
    #[command(flatten)]
    job: JobArgs,

    #[command(flatten)]
    key: KeyArgs,

    /// Ask again every second until the job is trained, has failed or is cancelled
    #[arg(long)]
    follow: bool,

    /// Show who has approved the job; with --json, the signed approvals, for `trefoil job verify`
    #[arg(long, conflicts_with = "follow")]
    approvals: bool,

    /// Print JSON
    #[arg(long, conflicts_with = "follow")]
    json: bool,
}

/// What a party has said, or why it has not.
type Answers<T> = Vec<(Address, Result<T>)>;

impl StatusArgs {
    /// Shows it.
    pub fn run(self) -> Result<()> {
        let (job, identity, patience) = (self.job.load()?, self.key.identity()?, self.key.patience());
        if self.approvals {
            return self.approvals(&job, &identity, patience);
        }
        let mut last: [String; 3] = Default::default();
        loop {
            let all = statuses(&job, &identity, patience, |party, answer| {
                let text = line(&job, party, answer);
                if !self.json && text != last[party.id.index()] {
                    print(&text);
                    last[party.id.index()] = text;
                }
            });
            if self.json {
                let value = |answer: &Result<Option<Status>>| match answer {
                    Ok(status) => serde_json::json!(status),
                    Err(e) => serde_json::json!({ "no answer": e.to_string() }),
                };
                json(&all.iter().map(|(party, answer)| (name(&job, party), value(answer))).collect::<BTreeMap<_, _>>())?;
            }
            let over = all.iter().all(|(_, s)| s.as_ref().ok().and_then(Option::as_ref).is_none_or(|s| s.state.is_final()));
            if !self.follow || over {
                let mut known = answered(all)?.into_iter().filter_map(|(party, status)| Some((party, status?.state)));
                return match known.find(|(_, state)| matches!(state, State::Failed { .. })) {
                    Some((party, State::Failed { why })) if self.follow => {
                        Err(Error::Refused(format!("{}: {why}", name(&job, &party))))
                    }
                    _ => Ok(()),
                };
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// Who has approved, as each party shows by signatures; these are checked here.
    fn approvals(&self, job: &Job, identity: &Identity, patience: Patience) -> Result<()> {
        let hash = job.hash();
        let mut all: Answers<Vec<Approval>> = vec![];
        let request = Request::Approvals { job: hash };
        sharing::ask(job, identity, patience, &request, |party, answer| all.push((party, answer.map_err(Error::from))));
        all.sort_by_key(|(party, _)| party.id);
        let mut kept: BTreeMap<(Role, Fingerprint), (Approval, Vec<Id>)> = BTreeMap::new();
        for (party, answer) in &all {
            for approval in answer.iter().flatten() {
                job.check_approval(hash, approval).map_err(|e| Error::Peer { peer: party.id, why: e.to_string() })?;
                let (earliest, parties) = kept.entry((approval.role, approval.by)).or_insert_with(|| (approval.clone(), vec![]));
                parties.push(party.id);
                if approval.is_before(earliest) {
                    earliest.clone_from(approval);
                }
            }
        }
        if self.json {
            json(&kept.values().map(|(approval, _)| approval).collect::<Vec<_>>())?;
        } else {
            let parties = |ids: &[Id]| ids.iter().map(Id::to_string).collect::<Vec<_>>().join(", ");
            table(job, |who| kept.get(who).map(|(approval, ids)| (approval, format!("; kept by {}", parties(ids)))));
            for (party, answer) in &all {
                if let Err(e) = answer {
                    print(format_args!("{}: {e}\n", name(job, party)));
                }
            }
        }
        answered(all).map(drop)
    }
}

/// Prints a line for each who is to approve, and for the model owner, or that there is none; how many of the former have not.
pub fn table<'a>(job: &Job, of: impl Fn(&(Role, Fingerprint)) -> Option<(&'a Approval, String)>) -> usize {
    let mut missing = 0;
    let deciders = job.deciders().map(|who| (who, job.role(who.1)));
    let owner = |owner: &Member| ((Role::ModelOwner, owner.fingerprint), format!("model owner {}", owner.name));
    for (who, called) in deciders.chain(job.model_owner.as_ref().map(owner)) {
        match of(&who) {
            Some((approval, more)) => {
                print(format_args!("{called}: approved {}{more}\n", time::rfc3339(approval.time.saturating_mul(1000))))
            }
            None if who.0 == Role::ModelOwner => print(format_args!("{called}: approves when it fetches\n")),
            None => {
                missing += 1;
                print(format_args!("{called}: has not approved\n"));
            }
        }
    }
    if job.model_owner.is_none() {
        print("no model owner: nobody gets the model\n");
    }
    missing
}

/// How a job stands at each party that the caller speaks to, `None` where it is not known; `told` hears each as it comes.
pub fn statuses(
    job: &Job,
    identity: &Identity,
    patience: Patience,
    mut told: impl FnMut(&Address, &Result<Option<Status>>),
) -> Answers<Option<Status>> {
    let request = Request::Status { job: Some(job.hash().to_string()) };
    let mut all = vec![];
    sharing::ask(job, identity, patience, &request, |party, answer: trefoil_job::Result<Vec<Status>>| {
        let answer = answer.map(|mut found| found.pop()).map_err(Error::from);
        told(&party, &answer);
        all.push((party, answer));
    });
    all.sort_by_key(|(party, _)| party.id);
    all
}

/// What all of them have said.
///
/// # Errors
/// What one of them has refused; else the first that does not answer, with its reason.
pub fn answered<T>(all: Answers<T>) -> Result<Vec<(Address, T)>> {
    let (mut said, mut silent) = (vec![], None);
    for (party, answer) in all {
        match answer {
            Ok(answer) => said.push((party, answer)),
            Err(e @ Error::Client(client::Error::Refused { .. })) => return Err(e),
            Err(e) => silent = silent.or(Some(Error::Peer { peer: party.id, why: e.to_string() })),
        }
    }
    silent.map_or(Ok(said), Err)
}

/// A job's standing at a party in a line.
fn line(job: &Job, party: &Address, answer: &Result<Option<Status>>) -> String {
    let party = name(job, party);
    let s = match answer {
        Ok(Some(status)) => status,
        Ok(None) => return format!("{party}: the job is not known\n"),
        Err(Error::Client(client::Error::Refused { why, .. })) => return format!("{party}: refuses: {why}\n"),
        Err(e) => return format!("{party}: does not answer: {e}\n"),
    };
    let state = match &s.state {
        State::Waiting => "waiting".to_owned(),
        State::Running => format!("running, step {} of {} ({} in a checkpoint)", s.steps[0], s.steps[2], s.steps[1]),
        State::Interrupted { why } => {
            format!("interrupted at step {} of {}, {} in a checkpoint: {why}", s.steps[0], s.steps[2], s.steps[1])
        }
        State::Failed { why } => format!("failed: {why}"),
        State::Cancelled { by } => format!("cancelled by {by}"),
        State::Trained => {
            let unchecked = if s.checked { "" } else { "; not checked at the end (fault)" };
            let epoch = s.epoch.map_or_else(String::new, |epoch| format!(", the model of epoch {epoch}"));
            format!(
                "trained, {} steps{epoch}{unchecked}{}",
                s.steps[2],
                match (&job.model_owner, s.delivered) {
                    (None, _) => "; the model stays in shares",
                    (Some(_), true) => "; the model is delivered",
                    (Some(_), false) => "",
                }
            )
        }
    };
    let mut text = format!("{party}: {state}");
    if !s.missing.is_empty() {
        text += &format!("; waits for {}", s.missing.join(" and "));
    }
    if let Some(last) = s.last {
        let figure = |name: &str, x: Option<f64>| x.map_or_else(String::new, |x| format!(", {name} {x:.4}"));
        let lost = if last.lost { ", not opened (fault)" } else { "" };
        text += &format!("; epoch {}{}{}{lost}", last.epoch, figure("loss", last.loss), figure(metric(job), last.metric));
    }
    for line in Figure::told(&s.figures, &job.data.classes) {
        text += &format!("\n    {line}");
    }
    for of in &s.statistics {
        text += &format!("\n    opened: {of}");
    }
    for why in &s.refused {
        text += &format!("\n    refused: the records of {why}");
    }
    for why in &s.not_opened {
        text += &format!("\n    not opened: {why}");
    }
    text + "\n"
}
