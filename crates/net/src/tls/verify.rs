//! Which certificates are accepted: those with a pinned fingerprint, while they are valid, from whoever has the key.

use crate::identity::Fingerprint;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, PeerIncompatible};
use rustls::{RootCertStore, SignatureScheme};
use std::{collections::BTreeSet, sync::Arc};

/// Verifies either end; one client expects one server, a server allows several clients.
#[derive(Debug)]
pub(super) struct Pinned {
    allowed: BTreeSet<Fingerprint>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// The certificate's fingerprint is not among those allowed.
#[derive(Debug, thiserror::Error)]
#[error("certificate with fingerprint {0} is not allowed here")]
pub(super) struct Stranger(pub(super) Fingerprint);

impl Pinned {
    pub(super) fn new(allowed: impl IntoIterator<Item = Fingerprint>) -> Arc<Pinned> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        Arc::new(Pinned { allowed: allowed.into_iter().collect(), algorithms })
    }

    fn check(&self, certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
        // Before anything else: bytes of strangers are not parsed.
        let found = Fingerprint::of(certificate);
        if !self.allowed.contains(&found) {
            let stranger = OtherError(Arc::new(Stranger(found)));
            return Err(Error::InvalidCertificate(CertificateError::Other(stranger)));
        }
        // A pinned certificate is its own and only trust anchor; what is left to check is its period of validity.
        let mut root = RootCertStore::empty();
        root.add(certificate.clone().into_owned())?;
        let parsed = ParsedCertificate::try_from(certificate)?;
        verify_server_cert_signed_by_trust_anchor(&parsed, &root, &[], now, self.algorithms.all)
    }

    fn signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }
}

/// Only TLS 1.3 is offered, so this is never asked for.
fn old() -> Result<HandshakeSignatureValid, Error> {
    Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(certificate, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(certificate, now).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
