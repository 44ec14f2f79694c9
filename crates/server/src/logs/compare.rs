//! Whether several parties' logs can be true at once. Logs are copied at different times, and a crash may come between two parties' lines:
//! that one of them has no line is a contradiction only where another line shows that it must have had one.

use super::log::Log;
use crate::Result;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trefoil_client::approval::Role;
use trefoil_net::identity::Fingerprint;

const PARTIES: [Role; 3] = [Role::P0, Role::P1, Role::P2];

/// What was found to agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Common {
    /// Jobs that more than one log tells of.
    pub jobs: usize,
    /// Sessions that more than one log tells of.
    pub sessions: usize,
    /// Heads that one party was told by another, and that are in the other's log.
    pub heads: usize,
}

/// A line, and what it says.
type Fact<'a> = (u64, &'a Value);

/// What a log says of one job.
#[derive(Default)]
struct Told<'a> {
    /// Who has approved as what, from which line on.
    approved: BTreeMap<(Role, Fingerprint), u64>,
    /// Uploads of each owner.
    uploads: BTreeMap<&'a str, Vec<Fact<'a>>>,
    sessions: BTreeMap<&'a str, Session<'a>>,
    /// The session that lines without one belong to.
    current: Option<&'a str>,
    /// By session and `start` or `end`.
    heads: BTreeMap<(&'a str, &'a str), Fact<'a>>,
    models: Vec<Fact<'a>>,
    given: Vec<Fact<'a>>,
}

struct Session<'a> {
    begun: Fact<'a>,
    /// Figures by epoch.
    opened: BTreeMap<u64, Fact<'a>>,
}

/// Compares logs of different parties.
///
/// # Errors
/// The first contradiction, with file and line.
pub fn compare(logs: &[Log]) -> Result<Common> {
    for (i, log) in logs.iter().enumerate() {
        let Some(party) = log.party else {
            return Err(log.wrong(1, "party", "no start that names a certificate", "a party's log"));
        };
        if let Some(other) = logs[..i].iter().find(|l| l.party == Some(party)) {
            return Err(log.wrong(1, "party", party, format!("another than that of {}", other.name)));
        }
    }
    let told: Vec<BTreeMap<&str, Told<'_>>> = logs.iter().map(jobs).collect();
    let names: BTreeSet<&str> = told.iter().flat_map(|jobs| jobs.keys().copied()).collect();
    let mut common = Common::default();
    for job in names {
        let here: Vec<(&Log, &Told<'_>)> = logs.iter().zip(&told).filter_map(|(log, jobs)| Some((log, jobs.get(job)?))).collect();
        common.jobs += usize::from(here.len() > 1);
        let mut sessions = BTreeSet::new();
        for (i, a) in here.iter().enumerate() {
            for b in &here[i + 1..] {
                sessions.extend(two(*a, *b)?);
            }
        }
        common.sessions += sessions.len();
        for (log, told) in &here {
            for (line, given) in &told.given {
                let model = given.get("model");
                if !told.models.iter().any(|(_, trained)| trained.get("model") == model) {
                    return Err(log.wrong(*line, "model", shown(model), "one that was trained before"));
                }
            }
        }
        common.heads += heads(logs, &here)?;
    }
    Ok(common)
}

/// What a log says, by job.
fn jobs(log: &Log) -> BTreeMap<&str, Told<'_>> {
    let mut jobs: BTreeMap<&str, Told<'_>> = BTreeMap::new();
    let mut signed = log.approvals.iter().peekable();
    for (line, event) in &log.facts {
        let (Some(what), Some(job)) = (text(event, "what"), text(event, "job")) else { continue };
        let told = jobs.entry(job).or_default();
        match what {
            "approved" => {
                if let Some((_, approval)) = signed.next_if(|(n, _)| n == line) {
                    told.approved.entry((approval.role, approval.by)).or_insert(*line);
                }
            }
            "uploaded" => told.uploads.entry(text(event, "by").unwrap_or_default()).or_default().push((*line, event)),
            "session" => {
                told.current = text(event, "session");
                let session = Session { begun: (*line, event), opened: BTreeMap::new() };
                told.sessions.insert(told.current.unwrap_or_default(), session);
            }
            "opened" => {
                let epoch = event.pointer("/figures/epoch").and_then(Value::as_u64).unwrap_or_default();
                if let Some(session) = told.current.and_then(|name| told.sessions.get_mut(name)) {
                    session.opened.insert(epoch, (*line, event));
                }
            }
            "heads" => {
                let key = (text(event, "session").unwrap_or_default(), text(event, "when").unwrap_or_default());
                told.heads.insert(key, (*line, event));
            }
            "trained" => told.models.push((*line, event)),
            "model share given" => told.given.push((*line, event)),
            _ => {}
        }
    }
    jobs
}

/// Two parties' words about a job; the sessions that both have had.
fn two<'a>((a, said): (&Log, &Told<'a>), (b, other): (&Log, &Told<'a>)) -> Result<Vec<&'a str>> {
    for role in PARTIES {
        let of = |told: &Told<'_>| told.approved.iter().find(|((r, _), _)| *r == role).map(|((_, by), line)| (*by, *line));
        if let (Some((mine, _)), Some((theirs, line))) = (of(said), of(other))
            && mine != theirs
        {
            return Err(b.wrong(line, format!("{role} of the job"), theirs, format!("{mine}, as in {}", a.name)));
        }
    }
    let mut sessions = vec![];
    for (name, mine) in &said.sessions {
        let Some(theirs) = other.sessions.get(name) else { continue };
        sessions.push(*name);
        for field in ["from step", "opens"] {
            same(a, mine.begun, b, theirs.begun, &format!("{field} of session {}", short(name)), |e| e.get(field))?;
        }
        let (mine_at, theirs_at) = (mine.begun.0, theirs.begun.0);
        before_a_session((a, said, mine_at), (b, other, theirs_at), name)?;
        before_a_session((b, other, theirs_at), (a, said, mine_at), name)?;
        for (epoch, mine) in &mine.opened {
            if let Some(theirs) = theirs.opened.get(epoch) {
                same(a, *mine, b, *theirs, &format!("figures of epoch {epoch}"), |e| e.get("figures"))?;
            }
        }
    }
    for (key, mine) in &said.heads {
        if let Some(theirs) = other.heads.get(key) {
            for field in ["P0", "P1", "P2", "entries"] {
                let what = format!("{field} at the {} of session {}", key.1, short(key.0));
                same(a, *mine, b, *theirs, &what, |e| e.get(field))?;
            }
        }
    }
    for (field, mine, theirs) in [("model", &said.models, &other.models), ("to", &said.given, &other.given)] {
        if let (Some(mine), Some(theirs)) = (mine.first(), theirs.first()) {
            same(a, *mine, b, *theirs, field, |e| e.get(field))?;
        }
    }
    Ok(sessions)
}

/// Before a session begins, both parties have compared the uploads, and shown each other the approvals of parties and data owners: what
/// one had by then, the other had too.
fn before_a_session((a, said, at): (&Log, &Told<'_>, u64), (b, other, until): (&Log, &Told<'_>, u64), name: &str) -> Result<()> {
    let when = format!("before session {}", short(name));
    for ((role, by), line) in said.approved.iter().filter(|((role, _), line)| *role != Role::ModelOwner && **line < at) {
        if other.approved.get(&(*role, *by)).is_none_or(|line| *line > until) {
            let expected = format!("one, as in {} line {line}", a.name);
            return Err(b.wrong(until, format!("approval of {role} {by} {when}"), "none", expected));
        }
    }
    let last =
        |uploads: &Vec<Fact<'_>>, until: u64| uploads.iter().rfind(|(line, _)| *line < until).map(|(l, e)| (*l, (*e).clone()));
    for (owner, uploads) in &said.uploads {
        let Some((line, mine)) = last(uploads, at) else { continue };
        let what = format!("upload of {owner} {when}");
        let Some((there, theirs)) = other.uploads.get(owner).and_then(|uploads| last(uploads, until)) else {
            return Err(b.wrong(until, what, "none", format!("one, as in {} line {line}", a.name)));
        };
        for field in ["upload", "rows"] {
            same(a, (line, &mine), b, (there, &theirs), &format!("{field}, {what}"), |e| e.get(field))?;
        }
    }
    Ok(())
}

fn same<'e>(
    a: &Log,
    mine: (u64, &'e Value),
    b: &Log,
    theirs: (u64, &'e Value),
    what: &str,
    field: impl Fn(&'e Value) -> Option<&'e Value>,
) -> Result<()> {
    let (expected, found) = (field(mine.1), field(theirs.1));
    if found == expected {
        return Ok(());
    }
    Err(b.wrong(theirs.0, what, shown(found), format!("{}, as in {} line {}", shown(expected), a.name, mine.0)))
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |v| v.to_string().chars().take(200).collect())
}

/// Each head that a party was told must have been the other's, after so many lines; and who has told one at the end of a session must have
/// had the session by then.
fn heads(logs: &[Log], here: &[(&Log, &Told<'_>)]) -> Result<usize> {
    let mut found = 0;
    for role in PARTIES {
        let party = here.iter().find_map(|(_, told)| told.approved.keys().find(|(r, _)| *r == role)).map(|(_, by)| *by);
        let Some(theirs) = logs.iter().find(|log| log.party.is_some() && log.party == party) else { continue };
        for (log, told) in here {
            for ((session, when), (line, event)) in &told.heads {
                let name = role.to_string();
                let what = format!("{name}'s head at the {when} of session {}", short(session));
                let head = text(event, &name).unwrap_or_default();
                let entries = event.get("entries").and_then(|e| e.get(&name)).and_then(Value::as_u64);
                let is = entries.and_then(|n| theirs.heads.get(usize::try_from(n).ok()?)).map(hex::encode);
                if is.as_deref() != Some(head) {
                    let lines = entries.map_or("an unknown number of".into(), |n| n.to_string());
                    let is = is.unwrap_or_else(|| format!("{} lines in all", theirs.entries()));
                    let expected = format!("{is}, as {} has after {lines} lines", theirs.name);
                    return Err(log.wrong(*line, what, head.chars().take(64).collect::<String>().escape_debug(), expected));
                }
                let at = here.iter().find(|(l, _)| std::ptr::eq(*l, theirs)).and_then(|(_, told)| told.sessions.get(session));
                let n = entries.unwrap_or_default();
                if *when == "end" && at.is_none_or(|s| s.begun.0 > n) {
                    let (what, found) = (format!("session {}", short(session)), format!("none in its first {n} lines"));
                    return Err(theirs.wrong(n, what, found, format!("one, as in {} line {line}", log.name)));
                }
                found += 1;
            }
        }
    }
    Ok(found)
}

fn text<'a>(event: &'a Value, field: &str) -> Option<&'a str> {
    event.get(field).and_then(Value::as_str)
}

/// The first digits of a session's name.
fn short(name: &str) -> String {
    name.chars().take(12).collect::<String>().escape_debug().to_string()
}
