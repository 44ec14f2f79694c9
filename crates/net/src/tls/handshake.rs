//! The two sides of the handshake. TLS 1.3 only, no resumption, no early data, the `ring` provider always.
//!
//! A TLS 1.3 client is done before the server has seen its certificate, so the server sends one byte once it is
//! content; without it a refused client would take itself for connected.

use super::{socket::Socket, stream::Stream, verify::Pinned, verify::Stranger};
use crate::identity::{Fingerprint, Identity};
use crate::{Error, Result};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::server::NoServerSessionStorage;
use rustls::sign::SingleCertAndKey;
use rustls::{AlertDescription, CertificateError, ClientConfig, ClientConnection, Connection};
use rustls::{ServerConfig, ServerConnection, version::TLS13};
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};
use std::{net::TcpStream, sync::Arc};

/// How long a client's handshake may take in all, the wait for a place at the server included.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How long a server gives each client: who says nothing holds a place for no longer, and those who wait for one are
/// still there afterwards.
pub(super) const PLACE: Duration = Duration::from_secs(5);
/// How long a refused peer may take to read why.
const LINGER: Duration = Duration::from_secs(1);
const READY: u8 = 1;

pub(super) fn client_config(identity: &Identity, expect: Fingerprint) -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(ring::default_provider());
    let key = SingleCertAndKey::from(identity.certified_key()?);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(unsupported)?
        .dangerous() // what the library calls every verifier but its own
        .with_custom_certificate_verifier(Pinned::new([expect]))
        .with_client_cert_resolver(Arc::new(key));
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(Arc::new(config))
}

pub(super) fn server_config(identity: &Identity, allowed: Arc<Pinned>) -> Result<Arc<ServerConfig>> {
    let provider = Arc::new(ring::default_provider());
    let key = SingleCertAndKey::from(identity.certified_key()?);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(unsupported)?
        .with_client_cert_verifier(allowed)
        .with_cert_resolver(Arc::new(key));
    // Every connection shows its certificate: a session that could be resumed would outlive the list of who is allowed.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

pub(super) fn client(
    tcp: TcpStream,
    address: &str,
    config: Arc<ClientConfig>,
    expect: Fingerprint,
    patience: Duration,
) -> Result<Stream> {
    let failed = |e: io::Error| match stranger(&e) {
        Some(found) => Error::Fingerprint { address: address.to_owned(), found, expected: expect },
        None => Error::Handshake { address: address.to_owned(), why: why(&e, patience) },
    };
    // Never sent nor checked: the fingerprint is the name.
    let name = ServerName::try_from("trefoil").map_err(|e| failed(io::Error::other(e)))?;
    let tls = ClientConnection::new(config, name).map_err(|e| failed(io::Error::other(e)))?;
    let mut stream = start(Connection::Client(tls), tcp, address, patience).map_err(failed)?;
    stream.shake_hands().map_err(failed)?;
    let mut ready = [0];
    stream.read_exact(&mut ready).map_err(|e| {
        let why = match refusal(&e) {
            Some(reason) => format!("the peer refused this certificate ({reason})"),
            None if is_end(&e) => "the peer closed the connection on seeing this certificate".to_owned(),
            None => why(&e, patience),
        };
        Error::Handshake { address: address.to_owned(), why }
    })?;
    if ready != [READY] {
        let why = format!("found byte {} after it, expected {READY}", ready[0]);
        return Err(Error::Handshake { address: address.to_owned(), why });
    }
    stream.set_timeouts(None, None)?;
    Ok(stream)
}

pub(super) fn server(tcp: TcpStream, address: &str, config: Arc<ServerConfig>) -> Result<(Stream, Fingerprint)> {
    let failed = |e: io::Error| Error::Handshake { address: address.to_owned(), why: why(&e, PLACE) };
    let tls = ServerConnection::new(config).map_err(|e| failed(io::Error::other(e)))?;
    let mut stream = start(Connection::Server(tls), tcp, address, PLACE).map_err(failed)?;
    if let Err(e) = stream.shake_hands() {
        if e.kind() == ErrorKind::InvalidData {
            stream.socket().linger(LINGER);
        }
        return Err(failed(e));
    }
    let certificate = stream.tls().peer_certificates().and_then(|c| c.first()).map(|c| Fingerprint::of(c));
    let fingerprint = certificate.ok_or_else(|| failed(rustls_error(rustls::Error::NoCertificatesPresented)))?;
    stream.write_all(&[READY]).map_err(failed)?;
    stream.set_timeouts(None, None)?;
    Ok((stream, fingerprint))
}

fn start(tls: Connection, tcp: TcpStream, address: &str, patience: Duration) -> io::Result<Stream> {
    Ok(Stream::new(tls, Socket::new(tcp, Instant::now() + patience)?, address.to_owned()))
}

fn unsupported(e: rustls::Error) -> Error {
    Error::Identity { what: format!("TLS 1.3 is not available: {e}") }
}

fn rustls_error(e: rustls::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, e)
}

fn tls_error(e: &io::Error) -> Option<&rustls::Error> {
    e.get_ref()?.downcast_ref()
}

/// The fingerprint that was found where none such is allowed.
fn stranger(e: &io::Error) -> Option<Fingerprint> {
    match tls_error(e)? {
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => other.0.downcast_ref::<Stranger>().map(|s| s.0),
        _ => None,
    }
}

/// The peer's reason for not taking this side's certificate.
fn refusal(e: &io::Error) -> Option<&'static str> {
    match tls_error(e)? {
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateUnknown => Some("its fingerprint is not allowed there"),
            AlertDescription::CertificateExpired => Some("it is not valid at this time"),
            AlertDescription::CertificateRequired => Some("none was sent"),
            AlertDescription::BadCertificate | AlertDescription::UnsupportedCertificate => Some("it is malformed"),
            AlertDescription::DecryptError => Some("its key does not fit"),
            AlertDescription::UnknownCA | AlertDescription::AccessDenied => Some("access denied"),
            _ => None,
        },
        _ => None,
    }
}

fn is_end(e: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(e.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

/// What went wrong in a handshake that had `patience`, in a line.
fn why(e: &io::Error, patience: Duration) -> String {
    if let Some(found) = stranger(e) {
        return Stranger(found).to_string();
    }
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    match tls_error(e) {
        Some(rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. })) => {
            "the peer's certificate has expired".to_owned()
        }
        Some(rustls::Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. })) => {
            "the peer's certificate is not valid yet".to_owned()
        }
        Some(rustls::Error::NoCertificatesPresented) => "the peer sent no certificate".to_owned(),
        Some(rustls::Error::InvalidMessage(_)) => "the peer does not speak TLS".to_owned(),
        Some(e) => e.to_string(),
        None if e.kind() == ErrorKind::TimedOut => format!("not done within {} s", patience.as_secs_f32()),
        None if is_end(e) => "the peer closed the connection".to_owned(),
        None => e.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::stolen;
    use crate::tls::{Listener, connect};

    /// A certificate is public: without its key it opens nothing, in either direction.
    #[test]
    fn stolen_certificate() {
        let [p0, p1, thief] = ["P0", "P1", "thief"].map(|name| Identity::generate(name).unwrap());
        let thief = stolen(&p1, &thief);
        let all = [p0.fingerprint(), p1.fingerprint()];
        for (server, client) in [(&p0, &thief), (&thief, &p0)] {
            let listener = Listener::bind("127.0.0.1:0", server, &all).unwrap();
            let address = listener.local_addr().to_string();
            assert_eq!(client.fingerprint() == p1.fingerprint(), server.fingerprint() == p0.fingerprint());
            let e = connect(&address, client, server.fingerprint(), PATIENCE).err().unwrap().to_string();
            assert!(e.contains("BadSignature") || e.ends_with("certificate (its key does not fit)"), "{e}");
            assert!(listener.accept(PATIENCE).is_err());
        }
    }
}
