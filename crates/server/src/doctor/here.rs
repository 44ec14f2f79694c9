//! The checks of this machine: files, folder and ports.

use super::finding::{Finding, Kind};
use super::there::{self, About, Pong};
use crate::config::Config;
use crate::status::{local, this_machine};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, SystemTime};
use trefoil_client::Error as ClientError;
use trefoil_client::keys::{KeyError, KeySource, PassphraseSource};
use trefoil_client::peers::Peers;
use trefoil_client::request::Request;
use trefoil_job::service::Origin;
use trefoil_job::{Job, Service};
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_store::{Folder, StoreError, audit};

type Tell<'a> = &'a mut dyn FnMut(Finding);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// So long before a certificate ends, its owner is told.
const NOTICE: Duration = DAY.saturating_mul(30);
/// Less free room than this, in bytes, is little.
const ROOM: u64 = 1 << 30;

pub fn config(file: &Path, tell: Tell) -> Option<Config> {
    match Config::load(file) {
        Ok(config) => {
            let message = format!("listens at {}, keeps its data in {}", config.listen, config.data.display());
            tell(Finding::new(Kind::ConfigRead, file.display(), message));
            Some(config)
        }
        Err(e) => {
            tell(Finding::new(Kind::ConfigUnusable, file.display(), e));
            None
        }
    }
}

pub fn key(source: KeySource, passphrase: &PassphraseSource, plain: bool, tell: Tell) -> Option<Identity> {
    match source.load(passphrase, plain) {
        Ok(identity) => {
            tell(Finding::new(Kind::KeyRead, source, format!("fingerprint {}", identity.fingerprint())));
            Some(identity)
        }
        Err(e) => {
            let kind = match &e {
                ClientError::Key(KeyError::Source { .. } | KeyError::Io { .. }) => Kind::KeyUnreadable,
                ClientError::Key(KeyError::Exposed { .. }) => Kind::KeyExposed,
                ClientError::Key(KeyError::Plain { .. }) => Kind::KeyPlain,
                ClientError::Key(KeyError::NoPassphrase | KeyError::Passphrase(_)) => Kind::KeyPassphrase,
                e if e.to_string().contains("wrong passphrase") => Kind::KeyPassphrase,
                _ => Kind::KeyUnusable,
            };
            tell(Finding::new(kind, source, e));
            None
        }
    }
}

pub fn certificate(identity: &Identity, now: SystemTime, tell: Tell) {
    let subject = identity.fingerprint();
    let days = |from: SystemTime, to: SystemTime| to.duration_since(from).unwrap_or_default().as_secs() / DAY.as_secs();
    tell(match identity.valid() {
        Err(e) => Finding::new(Kind::KeyUnusable, subject, e),
        Ok(valid) if now < valid.start => {
            Finding::new(Kind::CertificateEarly, subject, format!("not valid yet, for {} days", days(now, valid.start)))
        }
        Ok(valid) if now >= valid.end => {
            Finding::new(Kind::CertificateEnded, subject, format!("not valid any more, for {} days", days(valid.end, now)))
        }
        Ok(valid) => {
            let kind = if valid.end < now + NOTICE { Kind::CertificateEnding } else { Kind::CertificateValid };
            Finding::new(kind, subject, format!("valid for {} more days", days(now, valid.end)))
        }
    });
}

/// Folder, room, ports and audit log of a party; whether it runs.
pub fn machine(config: &Config, identity: Option<&Identity>, patience: Duration, tell: Tell) -> bool {
    folder(&config.data, tell);
    if let Some(free) = free(&config.data) {
        tell(room(&config.data, free));
    }
    let runs = listen(&config.listen, identity, patience, tell);
    status(config, patience, tell);
    log(&config.data.join("audit.jsonl"), tell);
    runs
}

/// Tries the folder as the party does, and leaves nothing behind that would belong to whoever runs this.
fn folder(data: &Path, tell: Tell) {
    let missing: Vec<&Path> = data.ancestors().take_while(|p| !p.as_os_str().is_empty() && !p.exists()).collect();
    let lock = data.join("lock");
    let new_lock = !lock.exists();
    let found = Folder::lock(data);
    if new_lock && found.is_ok() {
        // Where one cannot be removed it is there to be seen, and does no harm.
        let _ = std::fs::remove_file(lock);
    }
    missing.iter().for_each(|p| drop(std::fs::remove_dir(p)));
    let subject = data.display();
    tell(match found {
        Ok(_) if missing.is_empty() => Finding::new(Kind::FolderReady, subject, "can be written; no party runs on it"),
        Ok(_) => Finding::new(Kind::FolderReady, subject, "is not there yet, and can be made"),
        Err(StoreError::InUse { by, .. }) => {
            let by = by.map_or_else(String::new, |process| format!(" by process {process}"));
            Finding::new(Kind::FolderRunning, subject, format!("is in use{by}: the party runs"))
        }
        Err(e) => Finding::new(Kind::FolderUnusable, subject, e),
    });
}

/// Bytes that are free where the folder is or will be; nothing where the system does not tell.
fn free(data: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let there = std::path::absolute(data).ok()?;
        let found = there.ancestors().find_map(|p| rustix::fs::statvfs(p).ok())?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = data;
        None
    }
}

pub fn room(data: &Path, free: u64) -> Finding {
    let gib = free as f64 / ROOM as f64;
    match free < ROOM {
        true => Finding::new(Kind::SpaceLow, data.display(), format!("{gib:.2} GiB free, expected at least 1 GiB")),
        false => Finding::new(Kind::SpaceEnough, data.display(), format!("{gib:.0} GiB free")),
    }
}

fn listen(listen: &str, identity: Option<&Identity>, patience: Duration, tell: Tell) -> bool {
    let found = match TcpListener::bind(listen) {
        Ok(_) => Finding::new(Kind::ListenFree, listen, "is free; the party does not run"),
        Err(e) if e.kind() == ErrorKind::AddrInUse => match identity {
            None => Finding::new(Kind::ListenUnasked, listen, "is in use"),
            Some(own) => match there::ask::<Pong>(&local(listen), own, own.fingerprint(), patience, &Request::Ping) {
                Ok(_) => Finding::new(Kind::ListenOwn, listen, "the party runs, and answers"),
                Err(e) => Finding::new(Kind::ListenTaken, listen, format!("is in use, not by this party: {}", e.message)),
            },
        },
        Err(e) => Finding::new(Kind::ListenImpossible, listen, format!("cannot listen: {e}")),
    };
    let runs = found.kind == Kind::ListenOwn;
    tell(found);
    runs
}

fn status(config: &Config, patience: Duration, tell: Tell) {
    let at = match config.status_address() {
        Ok(None) => return,
        Ok(Some(at)) => at,
        Err(e) => return tell(Finding::new(Kind::StatusUnusable, config.status.as_deref().unwrap_or("status"), e)),
    };
    tell(match TcpListener::bind(at) {
        Ok(_) => Finding::new(Kind::StatusFree, at, "is free"),
        Err(_) if healthy(this_machine(at), patience) => Finding::new(Kind::StatusOwn, at, "/healthz answers"),
        Err(e) => Finding::new(Kind::StatusTaken, at, format!("cannot listen: {e}; and /healthz does not answer there")),
    });
}

fn healthy(at: SocketAddr, patience: Duration) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut tcp = TcpStream::connect_timeout(&at, patience)?;
        tcp.set_read_timeout(Some(patience))?;
        tcp.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        tcp.take(4096).read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"))
    };
    ask().unwrap_or(false)
}

fn log(file: &Path, tell: Tell) {
    let mut found = audit::verify(file);
    if matches!(found, Err(StoreError::Torn { .. })) {
        // A line may be on its way.
        std::thread::sleep(Duration::from_millis(100));
        found = audit::verify(file);
    }
    let subject = file.display();
    tell(match found {
        Ok(summary) => Finding::new(
            Kind::AuditWhole,
            subject,
            format!("{} entries, unbroken; head {}", summary.entries, hex::encode(summary.head)),
        ),
        Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
            Finding::new(Kind::AuditNone, subject, "is not there yet: the party begins it")
        }
        Err(e @ StoreError::Torn { .. }) => Finding::new(Kind::AuditTorn, subject, e),
        Err(e) => Finding::new(Kind::AuditBroken, subject, e),
    });
}

/// The list; `asked` where somebody counts on there being one.
pub fn peers(file: &Path, asked: bool, tell: Tell) -> Option<Peers> {
    match Peers::load(file) {
        Ok(peers) => {
            let n = peers.iter().count();
            if n > 0 {
                tell(Finding::new(Kind::PeersRead, file.display(), format!("{n} known")));
            } else if asked {
                tell(Finding::new(Kind::PeersNone, file.display(), "found nobody: only members of jobs may call"));
            }
            Some(peers)
        }
        Err(e) => {
            tell(Finding::new(Kind::PeersUnusable, file.display(), e));
            None
        }
    }
}

pub fn job(file: &Path, peers: Option<&Peers>, tell: Tell) -> Option<Job> {
    let nobody = Peers::default();
    let peers = peers.unwrap_or(&nobody);
    let job = match Job::load(file, peers) {
        Ok(job) => job,
        Err(e) => {
            let contradicts = matches!(&e, trefoil_job::Error::Config { what, .. } if what.contains(": fingerprint of "));
            let kind = if contradicts { Kind::JobContradicts } else { Kind::JobUnusable };
            tell(Finding::new(kind, file.display(), e));
            return None;
        }
    };
    tell(Finding::new(Kind::JobRead, file.display(), format!("{}, hash {}", job.name, job.hash())));
    let parties = job.party.iter().chain(&job.model_owner).map(|m| (&m.name, m.fingerprint, m.address.as_deref()));
    for (name, fingerprint, address) in parties.chain(job.owner.iter().map(|o| (&o.name, o.fingerprint, None))) {
        let Some((known, peer)) = peers.named(fingerprint) else { continue };
        if known != name {
            tell(Finding::new(Kind::JobOtherName, file.display(), format!("{name} is {known} in the peers file")));
        }
        if let (Some(address), Some(other)) = (address, peer.address.as_deref().filter(|a| Some(*a) != address)) {
            let message = format!("{name} is at {address}, in the peers file at {other}");
            tell(Finding::new(Kind::JobOtherAddress, file.display(), message));
        }
    }
    Some(job)
}

/// A service, which its job must allow where that is given.
pub fn service(file: &Path, peers: Option<&Peers>, job: Option<&Job>, tell: Tell) -> Option<Service> {
    let nobody = Peers::default();
    let service = match Service::load(file, peers.unwrap_or(&nobody)) {
        Ok(service) => service,
        Err(e) => {
            tell(Finding::new(Kind::ServiceUnusable, file.display(), e));
            return None;
        }
    };
    let allowed = match (&service.model, job) {
        (Origin::Job(_), Some(job)) => Some(service.check_against(job)),
        (Origin::Job(_), None) => None,
        (Origin::Shared(_), _) => Some(service.known(None).map(drop)),
    };
    tell(match allowed {
        Some(Err(e)) => Finding::new(Kind::ServiceExceeds, file.display(), e),
        allowed => {
            let by_job = service.model.job().is_some() && allowed.is_some();
            let allowed = if by_job { "; its job allows it" } else { "" };
            Finding::new(Kind::ServiceRead, file.display(), format!("{}, hash {}{allowed}", service.name, service.hash()))
        }
    });
    Some(service)
}

/// Who has this certificate in a job or a service; `party` where it is a party's own machine that is looked at.
pub fn role(about: About, own: Fingerprint, party: bool, tell: Tell) {
    let (what, name, role, known, id) = match about {
        About::Nothing => return,
        About::Job(job) => ("job", &job.name, job.role(own), job.members().any(|m| m == own), job.party_of(own)),
        About::Service(service) => {
            let id = service.party_of(own);
            let known =
                id.is_some() || service.client_of(own, None).is_some() || service.is_signer(own) || service.is_model_owner(own);
            match service.client.signer().filter(|_| !known) {
                // The list itself is at the parties.
                Some(signer) => ("service", &service.name, format!("a client, if it is in {}'s list", signer.name), true, id),
                None => ("service", &service.name, service.role(own), known, id),
            }
        }
    };
    tell(if !known {
        Finding::new(Kind::RoleStranger, name, format!("{own} is nobody in this {what}"))
    } else if party && id.is_none() {
        Finding::new(Kind::RoleNoParty, name, format!("this party is {role}, expected one of the three parties"))
    } else {
        Finding::new(Kind::RoleFound, name, format!("this is {role}"))
    });
}
