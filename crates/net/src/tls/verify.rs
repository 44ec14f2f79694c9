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
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

/// Verifies either end; one client expects one server, a server allows several clients.
#[derive(Debug)]
pub(super) struct Pinned {
    allowed: RwLock<BTreeSet<Fingerprint>>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// The certificate's fingerprint is not among those allowed.
#[derive(Debug, thiserror::Error)]
#[error("certificate with fingerprint {0} is not allowed here")]
pub(super) struct Stranger(pub(super) Fingerprint);

impl Pinned {
    pub(super) fn new(allowed: impl IntoIterator<Item = Fingerprint>) -> Arc<Pinned> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        Arc::new(Pinned { allowed: RwLock::new(allowed.into_iter().collect()), algorithms })
    }

    /// Replaces the list for every check from now on.
    pub(super) fn allow(&self, allowed: impl IntoIterator<Item = Fingerprint>) {
        let allowed = allowed.into_iter().collect();
        *self.allowed.write().unwrap_or_else(PoisonError::into_inner) = allowed;
    }

    pub(super) fn allows(&self, who: Fingerprint) -> bool {
        self.allowed.read().unwrap_or_else(PoisonError::into_inner).contains(&who)
    }

    fn check(&self, certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
        // Before anything else: bytes of strangers are not parsed.
        let found = Fingerprint::of(certificate);
        if !self.allows(found) {
            let stranger = OtherError(Arc::new(Stranger(found)));
            return Err(Error::InvalidCertificate(CertificateError::Other(stranger)));
        }
        // A pinned certificate is its own and only trust anchor; what is left to check is its period of validity.
        let mut root = RootCertStore::empty();
        root.add(certificate.clone().into_owned())?;
        let parsed = ParsedCertificate::try_from(certificate)?;
        verify_server_cert_signed_by_trust_anchor(&parsed, &root, &[], now, self.algorithms.all)
    }
}

/// What both of the library's traits ask alike. Only TLS 1.3 is offered, so TLS 1.2's signatures are never asked for.
macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, certificate, signed, &self.algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.algorithms.supported_schemes()
        }
    };
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

    signatures!();
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

    signatures!();
}
