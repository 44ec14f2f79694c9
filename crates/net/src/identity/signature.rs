//! Signatures by a certificate's key, over what the caller says. Whoever calls begins each kind of message with words of its own, so that
//! no signature of one kind is one of another; what TLS signs begins with 64 spaces.

use super::{Identity, identity, valid};
use crate::Result;
use rustls::SignatureScheme;
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use std::time::{Duration, UNIX_EPOCH};
use webpki::{EndEntityCert, Error, ring};

/// What a key of each kind signs with, and how that is verified. Keys of `keygen` are of the second kind.
const SCHEMES: [SignatureScheme; 4] = [
    SignatureScheme::ED25519,
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
];
const ALGORITHMS: [&dyn SignatureVerificationAlgorithm; 4] =
    [ring::ED25519, ring::ECDSA_P256_SHA256, ring::ECDSA_P384_SHA384, ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY];

impl Identity {
    /// Signs `message`.
    ///
    /// # Errors
    /// The key is of a kind that is not signed with, or the operating system gives no randomness.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let signer = self.certified_key()?.key.choose_scheme(&SCHEMES);
        let signer =
            signer.ok_or_else(|| identity("found a private key of another kind, expected P-256, P-384, Ed25519 or RSA"))?;
        signer.sign(message).map_err(|e| identity(format!("cannot sign: {e}")))
    }
}

/// Checks that the key of `certificate` (DER) has signed `message`, and that the certificate is valid `time` seconds after 1970.
///
/// # Errors
/// It has not, or is not; the certificate is malformed.
pub fn verify(certificate: &[u8], message: &[u8], signature: &[u8], time: u64) -> Result<()> {
    let der = CertificateDer::from(certificate);
    let parsed = EndEntityCert::try_from(&der).map_err(|e| identity(format!("certificate: {e}")))?;
    let period = valid(certificate)?;
    if !UNIX_EPOCH.checked_add(Duration::from_secs(time)).is_some_and(|at| period.contains(&at)) {
        return Err(identity(
            "found a signature of a time at which its certificate is not valid, expected one within its validity",
        ));
    }
    let verified = ALGORITHMS.iter().map(|algorithm| parsed.verify_signature(*algorithm, message, signature));
    // All but one of them are for keys of another kind.
    let other = |e: &Error| matches!(e, Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_));
    match verified.into_iter().find(|result| !result.as_ref().is_err_and(other)) {
        Some(Ok(())) => Ok(()),
        Some(Err(_)) => {
            Err(identity("found a signature that is not by this certificate's key over these words, expected one that is"))
        }
        None => Err(identity("found a certificate with a key of another kind, expected P-256, P-384, Ed25519 or RSA")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn now() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
    }

    #[test]
    fn signed_and_altered() {
        let [a, b] = ["a", "b"].map(|name| Identity::generate(name).unwrap());
        let signature = a.sign(b"a message").unwrap();
        verify(a.certificate_der(), b"a message", &signature, now()).unwrap();
        let why = |certificate: &[u8], message: &[u8], signature: &[u8], time| {
            verify(certificate, message, signature, time).unwrap_err().to_string()
        };
        assert!(why(b.certificate_der(), b"a message", &signature, now()).contains("not by this certificate's key"));
        assert!(why(a.certificate_der(), b"a massage", &signature, now()).contains("not by this certificate's key"));
        for at in 0..signature.len() {
            let mut altered = signature.clone();
            altered[at] ^= 1;
            assert!(verify(a.certificate_der(), b"a message", &altered, now()).is_err(), "byte {at}");
            assert!(verify(a.certificate_der(), b"a message", &signature[..at], now()).is_err(), "{at} bytes");
        }
        for time in [0, now() + 4000 * 24 * 3600, u64::MAX] {
            assert!(why(a.certificate_der(), b"a message", &signature, time).contains("not valid"), "{time}");
        }
        for certificate in [&b""[..], b"certificate", &a.certificate_der()[1..]] {
            assert!(why(certificate, b"a message", &signature, now()).starts_with("identity: certificate: "));
        }
    }

    /// Keys that were made elsewhere.
    #[test]
    fn keys_of_other_kinds() {
        for kind in [&rcgen::PKCS_ED25519, &rcgen::PKCS_ECDSA_P384_SHA384] {
            let pair = rcgen::KeyPair::generate_for(kind).unwrap();
            let certificate = rcgen::CertificateParams::default().self_signed(&pair).unwrap();
            let it = Identity::new(certificate.der(), pair.serialize_der().into()).unwrap();
            let signature = it.sign(b"a message").unwrap();
            verify(it.certificate_der(), b"a message", &signature, now()).unwrap();
            assert!(verify(it.certificate_der(), b"another", &signature, now()).is_err());
        }
    }
}
