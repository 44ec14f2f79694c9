//! Who a process is: a self-signed certificate and its key, known to others by the certificate's fingerprint.

mod fingerprint;
mod pem;
mod signature;

pub use fingerprint::Fingerprint;
pub use signature::verify;

use crate::{Error, Result};
use hmac::{Hmac, KeyInit, Mac};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{crypto::ring, sign::CertifiedKey};
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use x509_cert::der::Decode;
use zeroize::{Zeroize, Zeroizing};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A certificate and its private key. This copy of the key is wiped on drop; the TLS library keeps its own while
/// connections are open.
#[derive(Clone)]
pub struct Identity {
    certificate: CertificateDer<'static>,
    key: Zeroizing<Vec<u8>>, // PKCS #8
}

impl Identity {
    /// A fresh P-256 key and a certificate for it in the name of `name`, valid for ten years.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub fn generate(name: &str) -> Result<Identity> {
        let now = SystemTime::now();
        // A day back: the clocks of two machines need not agree.
        Identity::generate_for(name, now - DAY..now + 3653 * DAY)
    }

    /// Like [`generate`](Self::generate), valid from `validity.start` to `validity.end`.
    ///
    /// # Errors
    /// The operating system gives no randomness, or a date is before 1970 or after 9999.
    pub fn generate_for(name: &str, validity: Range<SystemTime>) -> Result<Identity> {
        /// 9999-12-31, the last day that a certificate has digits for.
        const LAST: Duration = DAY.saturating_mul(2_932_896);
        let failed = |e: rcgen::Error| identity(format!("cannot generate: {e}"));
        let date = |t: SystemTime| match t.duration_since(UNIX_EPOCH) {
            Ok(since) if since <= LAST => Ok(rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(since.as_secs())),
            _ => Err(identity("cannot generate: validity before 1970 or after 9999")),
        };
        let pair = rcgen::KeyPair::generate().map_err(failed)?;
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.not_before = date(validity.start)?;
        params.not_after = date(validity.end)?;
        let certificate = params.self_signed(&pair).map_err(failed)?.der().clone();
        Ok(Identity { certificate, key: Zeroizing::new(pair.serialize_der()) })
    }

    /// A certificate in DER and its private key (PKCS #8).
    fn new(certificate: &[u8], key: Zeroizing<Vec<u8>>) -> Result<Identity> {
        let it = Identity { certificate: certificate.to_vec().into(), key };
        it.certified_key()?.keys_match().map_err(|e| identity(format!("certificate and private key: {e}")))?;
        Ok(it)
    }

    /// What others know this identity by.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }

    /// The certificate in DER; it is public.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate
    }

    /// From when to when the certificate is valid.
    ///
    /// # Errors
    /// The certificate has no such dates.
    pub fn valid(&self) -> Result<Range<SystemTime>> {
        valid(&self.certificate)
    }

    /// A secret that only who has this private key can compute, another one for each `label`: HMAC-SHA256 of the label
    /// under the key as its file has it (PKCS #8). It is for what this identity keeps for itself, on its disk.
    pub fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        let mut block = Zeroizing::new([0; 64]);
        block[..32].copy_from_slice(&Sha256::digest(&self.key)); // as HMAC does with keys longer than a block
        let mut mac = Hmac::<Sha256>::new((&*block).into());
        mac.update(b"trefoil identity derive\0");
        mac.update(label.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().into())
    }

    /// Certificate and key as the TLS library wants them.
    pub(crate) fn certified_key(&self) -> Result<CertifiedKey> {
        let mut der = PrivateKeyDer::Pkcs8(self.key.to_vec().into());
        let key = ring::sign::any_supported_type(&der);
        der.zeroize();
        let key = key.map_err(|e| identity(format!("unusable private key: {e}")))?;
        Ok(CertifiedKey::new(vec![self.certificate.clone()], key))
    }
}

/// From when to when a certificate (DER) is valid.
fn valid(certificate: &[u8]) -> Result<Range<SystemTime>> {
    let certificate = x509_cert::Certificate::from_der(certificate)
        .map_err(|e| identity(format!("certificate: no period of validity: {e}")))?;
    let validity = certificate.tbs_certificate().validity();
    let at = |t: x509_cert::time::Time| UNIX_EPOCH + t.to_unix_duration();
    Ok(at(validity.not_before)..at(validity.not_after))
}

fn identity(what: impl Into<String>) -> Error {
    Error::Identity { what: what.into() }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The certificate of one identity with the key of another: what a thief of the certificate alone has.
    pub(crate) fn stolen(certificate: &Identity, key: &Identity) -> Identity {
        Identity { certificate: certificate.certificate.clone(), key: key.key.clone() }
    }

    #[test]
    fn each_is_another() {
        let [a, b] = ["P0", "P0"].map(|name| Identity::generate(name).unwrap());
        assert_ne!(a.fingerprint(), b.fingerprint());
        assert_eq!(a.fingerprint(), Fingerprint::of(a.certificate_der()));
    }

    #[test]
    fn period_of_validity() {
        let at = |s| UNIX_EPOCH + Duration::from_secs(s);
        // Dates before 2050 and later ones are written differently.
        for period in [at(1_000_000_000)..at(2_000_000_000), at(3_000_000_000)..at(4_000_000_000)] {
            assert_eq!(Identity::generate_for("P0", period.clone()).unwrap().valid().unwrap(), period);
        }
        let it = Identity::generate("P0").unwrap().valid().unwrap();
        assert!(it.contains(&SystemTime::now()) && it.end > SystemTime::now() + 3600 * DAY);
        for wrong in [UNIX_EPOCH - DAY..at(1), at(1)..UNIX_EPOCH + 3_000_000 * DAY] {
            let e = Identity::generate_for("P0", wrong).err().unwrap().to_string();
            assert!(e.contains("before 1970 or after 9999"), "{e}");
        }
    }

    #[test]
    fn derived_secrets() {
        let [a, b] = ["a", "b"].map(|name| Identity::generate(name).unwrap());
        assert_eq!(a.derive("store"), Identity::from_pem(&a.to_pem()).unwrap().derive("store"));
        assert_ne!(a.derive("store"), a.derive("log"));
        assert_ne!(a.derive("store"), b.derive("store"));
    }
}
