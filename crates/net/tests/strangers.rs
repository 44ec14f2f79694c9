//! Who is let in. Every refusal happens in the handshake and says why in a line, at both ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{SHORT, frame, identities, pair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use trefoil_net::identity::{Fingerprint, Identity};
use trefoil_net::tls::{Listener, Options, Stream, connect, mesh};
use trefoil_net::{Error, Id, Part};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What client and server say when `client` calls `server`, which allows `allowed`.
fn refused(server: &Identity, allowed: &[Fingerprint], client: &Identity, expect: Fingerprint) -> [String; 2] {
    let listener = Listener::bind("127.0.0.1:0", server, allowed).unwrap();
    let address = listener.local_addr().to_string();
    let called = thread::scope(|s| {
        let call = s.spawn(|| connect(&address, client, expect, SHORT).err().expect("refused"));
        let accepted = listener.accept(SHORT).err().expect("refused");
        [call.join().unwrap(), accepted].map(|e| e.to_string())
    });
    for line in &called {
        assert!(line.starts_with("127.0.0.1:") && !line.contains('\n'), "{line}");
    }
    called
}

#[test]
fn foreign() {
    let [server, party, foreign] = identities();
    let [client, accepted] = refused(&server, &[party.fingerprint()], &foreign, server.fingerprint());
    assert!(client.ends_with("the peer refused this certificate (its fingerprint is not allowed there)"), "{client}");
    assert!(accepted.ends_with(&format!("certificate with fingerprint {} is not allowed here", foreign.fingerprint())));
}

#[test]
fn another_partys_valid_one() {
    let [p0, p1, p2] = identities();
    // P2 answers where P1 is expected; both are allowed in this network.
    let listener = Listener::bind("127.0.0.1:0", &p2, &[p0.fingerprint(), p1.fingerprint()]).unwrap();
    let address = listener.local_addr().to_string();
    match connect(&address, &p0, p1.fingerprint(), SHORT).err().unwrap() {
        Error::Fingerprint { found, expected, .. } => {
            assert_eq!((found, expected), (p2.fingerprint(), p1.fingerprint()));
        }
        e => panic!("{e}"),
    }
    assert!(listener.accept(SHORT).is_err());
}

#[test]
fn expired_or_not_valid_yet() {
    let now = SystemTime::now();
    let fresh = Identity::generate("fresh").unwrap();
    let stale = Identity::generate_for("stale", now - 2 * DAY..now - Duration::from_secs(60)).unwrap();
    let early = Identity::generate_for("early", now + DAY..now + 2 * DAY).unwrap();
    for (other, why) in [(&stale, "the peer's certificate has expired"), (&early, "not valid yet")] {
        let all = [fresh.fingerprint(), other.fingerprint()];
        let [client, server] = refused(&fresh, &all, other, fresh.fingerprint());
        assert!(client.ends_with("the peer refused this certificate (it is not valid at this time)"), "{client}");
        assert!(server.contains(why), "{server}");
        let [client, _] = refused(other, &all, &fresh, other.fingerprint());
        assert!(client.contains(why), "{client}");
    }
}

/// A client that takes any server and has no certificate.
#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

#[test]
fn no_certificate() {
    let (_server, _client, listener, address, _) = pair();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous))
        .with_no_client_auth();
    let mut tls = ClientConnection::new(Arc::new(config), "trefoil".try_into().unwrap()).unwrap();
    let mut tcp = TcpStream::connect(&address).unwrap();
    let e = rustls::Stream::new(&mut tls, &mut tcp).read(&mut [0]).unwrap_err();
    assert!(e.to_string().contains("CertificateRequired"), "{e}");
    let e = listener.accept(SHORT).err().unwrap().to_string();
    assert!(e.ends_with("TLS handshake failed: the peer sent no certificate"), "{e}");
}

#[test]
fn not_tls_at_all() {
    let (_server, _client, listener, address, _) = pair();
    let mut tcp = TcpStream::connect(&address).unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let e = listener.accept(SHORT).err().unwrap().to_string();
    assert!(e.ends_with("the peer does not speak TLS"), "{e}");
    drop(TcpStream::connect(&address).unwrap());
    let e = listener.accept(SHORT).err().unwrap().to_string();
    assert!(e.ends_with("the peer closed the connection"), "{e}");
}

#[test]
fn a_silent_stranger_holds_nobody_up() {
    let (_server, client, listener, address, print) = pair();
    let _silent: Vec<_> = (0..10).map(|_| TcpStream::connect(&address).unwrap()).collect();
    let start = Instant::now();
    let mut there = connect(&address, &client, print, SHORT).unwrap();
    let (mut here, from) = listener.accept(SHORT).unwrap();
    assert!(start.elapsed() < SHORT);
    assert_eq!(from, client.fingerprint());
    // A question and an answer on one connection.
    let sent = frame(1, vec![Part::words(&[1, 2, 3])]);
    there.write_frame(&sent).unwrap();
    assert_eq!(here.read_frame(1000).unwrap().unwrap(), sent);
    here.write_frame(&sent).unwrap();
    assert_eq!(there.read_frame(1000).unwrap().unwrap(), sent);
    assert!(there.written() > 24 && here.written() > 24);
    there.close().unwrap();
    assert!(here.read_frame(1000).unwrap().is_none());
}

#[test]
fn timeouts_name_the_address() {
    let (_server, client, listener, address, print) = pair();
    let mut there = connect(&address, &client, print, SHORT).unwrap();
    let (_here, _) = listener.accept(SHORT).unwrap();
    let short = Some(Duration::from_millis(30));
    there.set_timeouts(short, short).unwrap();
    let e = there.read_frame(1000).unwrap_err().to_string();
    assert_eq!(e, format!("{address}: nothing arrived within 0.03 s"));
    let large = frame(1, vec![Part::words(&vec![0; 4 << 20])]);
    let e = there.write_frame(&large).unwrap_err().to_string();
    assert_eq!(e, format!("{address}: took no data for 0.03 s"));
    let e = listener.accept(Duration::from_millis(10)).err().unwrap().to_string();
    assert_eq!(e, format!("{address}: nobody connected within 0.01 s"));
}

#[test]
fn peers_start_at_different_times() {
    let [server, client, _] = identities();
    let free = Listener::bind("127.0.0.1:0", &server, &[]).unwrap().local_addr().to_string();
    let e = connect(&free, &client, server.fingerprint(), Duration::ZERO).err().unwrap().to_string();
    assert!(e.starts_with(&format!("{free}: cannot connect: ")), "{e}");
    thread::scope(|s| {
        let call = s.spawn(|| connect(&free, &client, server.fingerprint(), SHORT).map(|_| ()));
        thread::sleep(Duration::from_millis(100));
        let listener = Listener::bind(&free, &server, &[client.fingerprint()]).unwrap();
        listener.accept(SHORT).unwrap();
        call.join().unwrap().unwrap();
        let e = Listener::bind(&free, &server, &[]).err().unwrap().to_string();
        assert!(e.starts_with(&format!("{free}: cannot listen: ")), "{e}");
    });
}

#[test]
fn mesh_names_who_is_missing() {
    let identities = identities();
    let prints = identities.each_ref().map(Identity::fingerprint);
    let listeners = identities.each_ref().map(|i| Listener::bind("127.0.0.1:0", i, &prints).unwrap());
    let address = |id: Id| (id, listeners[id.index()].local_addr().to_string(), prints[id.index()]);
    let options = Options { gather: Duration::from_millis(200), ..Options::default() };
    let run = |peers| mesh(Id::P0, &listeners[0], &identities[0], peers, options).err().unwrap().to_string();
    // P1 calls, and so does P0 itself (which is no peer and is left for later); P2 does not.
    let call = |who: usize| connect(&address(Id::P0).1, &identities[who], prints[0], SHORT).unwrap();
    let _calls: [Stream; 2] = [call(0), call(1)];
    assert_eq!(run([address(Id::P1), address(Id::P2)]), "P2: did not connect within 0.2 s");
    assert_eq!(listeners[0].accept(SHORT).unwrap().1, prints[0]);
    assert!(run([address(Id::P1), address(Id::P0)]).contains("found P1 and P0, expected P1 and P2"));
    let wrong = run([address(Id::P1), (Id::P2, address(Id::P1).1, prints[2])]);
    assert!(wrong.contains(&format!("found fingerprint {}, expected {}", prints[1], prints[2])), "{wrong}");
}
