//! Reaching a party, phase by phase.

use super::finding::{Finding, Kind, Level, clean};
use crate::record::{State, Status};
use crate::{PROTOCOL, ServiceStatus};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use trefoil_client::Error as ClientError;
use trefoil_client::peers::Peers;
use trefoil_client::request::{self, Request};
use trefoil_job::{Job, Member, Service};
use trefoil_net::Error as NetError;
use trefoil_net::Id;
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_net::tls::{Stream, connect_over};

/// Clocks may differ by so many seconds.
const CLOCK: u64 = 60;

/// What parties are asked about.
#[derive(Clone, Copy)]
pub enum About<'a> {
    Nothing,
    Job(&'a Job),
    Service(&'a Service),
}

/// A party to call.
#[derive(Clone)]
pub struct Target {
    pub name: String,
    pub address: String,
    pub fingerprint: Fingerprint,
}

impl Target {
    /// The three parties.
    pub fn of_parties(parties: &[Member; 3]) -> Vec<Target> {
        let target = |(id, member): (Id, &Member)| Target {
            name: format!("{id} {}", member.name),
            address: member.as_party(id).address,
            fingerprint: member.fingerprint,
        };
        Id::ALL.into_iter().zip(parties).map(target).collect()
    }

    /// Those with an address.
    pub fn of_peers(peers: &Peers) -> Vec<Target> {
        let called = peers.iter().filter_map(|(name, p)| Some((name, p.address.clone()?, p.fingerprint)));
        called.map(|(name, address, fingerprint)| Target { name: name.to_owned(), address, fingerprint }).collect()
    }
}

/// What a party says of itself.
#[derive(Deserialize)]
pub struct Pong {
    version: String,
    protocol: u32,
    /// Seconds since 1970.
    time: u64,
}

/// All phases, and how the job or the service stands there.
pub fn examine(target: &Target, identity: Option<&Identity>, about: About, patience: Duration) -> Vec<Finding> {
    let subject = format!("{} at {}", target.name, target.address);
    let Some(identity) = identity else {
        return vec![match dial(&target.address, patience) {
            Ok(_) => Finding::new(Kind::PeerUnasked, subject, "the name resolves, and something listens"),
            Err(finding) => Finding { subject, ..finding },
        }];
    };
    let mut findings = greet(target, identity, patience);
    let same = !findings.iter().any(|f| f.level == Level::Fail);
    match about {
        About::Job(job) if same => findings.push(standing(target, identity, job, patience)),
        About::Service(service) if same => findings.push(answers(target, identity, service, patience)),
        _ => {}
    }
    findings.into_iter().map(|f| Finding { subject: subject.clone(), ..f }).collect()
}

fn greet(target: &Target, identity: &Identity, patience: Duration) -> Vec<Finding> {
    let started = Instant::now();
    let before = now();
    let pong: Pong = match ask(&target.address, identity, target.fingerprint, patience, &Request::Ping) {
        Ok(pong) => pong,
        Err(finding) => return vec![finding],
    };
    let (took, after) = (started.elapsed(), now());
    let mut findings = vec![];
    let version = clean(&pong.version);
    if version != env!("CARGO_PKG_VERSION") {
        let message = format!("found version {version}, expected {} as here", env!("CARGO_PKG_VERSION"));
        findings.push(Finding::new(Kind::VersionOther, "", message));
    }
    if pong.protocol != PROTOCOL {
        let message = format!("found protocol {}, expected {PROTOCOL} as here", pong.protocol);
        findings.push(Finding::new(Kind::ProtocolOther, "", message));
    }
    let off = before.saturating_sub(pong.time).max(pong.time.saturating_sub(after));
    if off >= CLOCK {
        let which = if pong.time < before { "behind" } else { "ahead of" };
        let message = format!("their clock is {off} s {which} this one, expected less than {CLOCK} s");
        findings.push(Finding::new(Kind::ClockOff, "", message));
    }
    if findings.is_empty() {
        let message = format!("answers within {} ms, version {version}, protocol {PROTOCOL}", took.as_millis());
        findings.push(Finding::new(Kind::PeerReady, "", message));
    }
    findings
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

fn standing(target: &Target, identity: &Identity, job: &Job, patience: Duration) -> Finding {
    let hash = job.hash();
    let request = Request::Status { job: Some(hash.to_string()) };
    let found: Vec<Status> = match ask(&target.address, identity, target.fingerprint, patience, &request) {
        Ok(found) => found,
        Err(e) => return Finding::new(Kind::JobUnasked, "", format!("the job's status: {}", e.message)),
    };
    let Some(status) = found.into_iter().find(|s| s.hash == hash) else {
        return Finding::new(Kind::JobUnknown, "", format!("{} is not known there", job.name));
    };
    let state = status.state.to_string();
    let waits = if status.missing.is_empty() { String::new() } else { format!("; waits for {}", status.missing.join(" and ")) };
    let message = clean(&format!("{} is {state}{waits}", job.name));
    let kind = match status.state {
        State::Failed { .. } | State::Cancelled { .. } => Kind::JobBroken,
        _ if !status.approved => Kind::JobUnapproved,
        State::Running | State::Trained => Kind::JobGoesOn,
        State::Waiting | State::Interrupted { .. } => Kind::JobWaits,
    };
    Finding::new(kind, "", message)
}

/// Whether a service answers.
fn answers(target: &Target, identity: &Identity, service: &Service, patience: Duration) -> Finding {
    let hash = service.hash();
    let request = Request::Services { service: Some(hash.to_string()) };
    let found: Vec<ServiceStatus> = match ask(&target.address, identity, target.fingerprint, patience, &request) {
        Ok(found) => found,
        Err(e) => return Finding::new(Kind::ServiceUnasked, "", format!("the service's status: {}", e.message)),
    };
    let Some(s) = found.into_iter().find(|s| s.hash == hash) else {
        return Finding::new(Kind::ServiceUnknown, "", format!("{} is not known there", service.name));
    };
    let approved: Vec<String> = s.approved.iter().map(ToString::to_string).collect();
    let why = s.waiting_for.map_or_else(String::new, |why| format!(" ({why})"));
    let (approved, most) = (approved.join(", "), service.limits.records);
    let message = format!("{} is {}{why}, approved by {approved}; {} of {most} records used", service.name, s.state, s.records);
    let kind = match s.state.as_str() {
        "serving" => Kind::ServiceAnswers,
        "ended" | "over" => Kind::ServiceEnded,
        _ => Kind::ServiceWaits,
    };
    Finding::new(kind, "", clean(&message))
}

/// One request on a connection of its own. What failed is a finding without a subject.
pub fn ask<T: DeserializeOwned>(
    address: &str,
    identity: &Identity,
    expect: Fingerprint,
    patience: Duration,
    request: &Request,
) -> Result<T, Finding> {
    let tcp = dial(address, patience)?;
    let mut stream = connect_over(tcp, address, identity, expect, patience).map_err(|e| refused(e, identity))?;
    let answer = exchange(&mut stream, patience, request).map_err(|e| {
        let kind = match e {
            ClientError::Net(_) => Kind::PingSilent,
            ClientError::Refused { .. } => Kind::PingRefused,
            _ => Kind::PingOther,
        };
        Finding::new(kind, "", clean(&e.to_string()))
    })?;
    // The answer is here; whether the party hears the farewell changes nothing.
    let _ = stream.close();
    Ok(answer)
}

fn exchange<T: DeserializeOwned>(stream: &mut Stream, patience: Duration, request: &Request) -> trefoil_client::Result<T> {
    stream.set_timeouts(Some(patience), Some(patience))?;
    request::ask(stream, request)
}

fn dial(address: &str, patience: Duration) -> Result<TcpStream, Finding> {
    let none = || io::Error::new(ErrorKind::NotFound, "the name has no address");
    let resolved = address.to_socket_addrs().map(Iterator::collect::<Vec<_>>);
    let resolved = resolved.and_then(|all| if all.is_empty() { Err(none()) } else { Ok(all) });
    let all = resolved.map_err(|e| Finding::new(Kind::ResolveFailed, "", format!("no address: {e}")))?;
    let mut last = none();
    for at in all {
        match TcpStream::connect_timeout(&at, patience) {
            Ok(tcp) => return Ok(tcp),
            Err(e) => last = e,
        }
    }
    Err(match last.kind() {
        ErrorKind::ConnectionRefused => Finding::new(Kind::ConnectRefused, "", format!("nobody listens: {last}")),
        ErrorKind::TimedOut => Finding::new(Kind::ConnectSilent, "", format!("no answer within {} s", patience.as_secs_f32())),
        _ => Finding::new(Kind::ConnectFailed, "", format!("no way there: {last}")),
    })
}

/// Which phase it was. The messages are those of the TLS module, and its handshake's tests and these hold them in place.
fn refused(e: NetError, identity: &Identity) -> Finding {
    let why = match e {
        NetError::Fingerprint { found, expected, .. } => {
            return Finding::new(Kind::CertificateOther, "", format!("found fingerprint {found}, expected {expected}"));
        }
        NetError::Handshake { why, .. } => why,
        e => e.to_string(),
    };
    let said = |words: &str| why.contains(words);
    let kind = if said("peer's certificate has expired") {
        Kind::CertificateTheirsEnded
    } else if said("peer's certificate is not valid yet") {
        Kind::CertificateTheirsEarly
    } else if said("not allowed there") || said("on seeing this certificate") {
        let own = identity.fingerprint();
        let advice =
            format!("their operator must run `trefoil peers add NAME - {own}` and start their party anew, or approve the job");
        return Finding::new(Kind::HandshakeStranger, "", &why).advise(advice);
    } else if said("not valid at this time") {
        Kind::HandshakeOursEnded
    } else if said("does not speak TLS") {
        Kind::HandshakeNotTls
    } else if said("not done within") {
        Kind::HandshakeSilent
    } else {
        Kind::HandshakeFailed
    };
    Finding::new(kind, "", clean(&why))
}
