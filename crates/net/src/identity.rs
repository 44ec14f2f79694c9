//! Who a process is: a self-signed certificate and its key, known to others by the certificate's fingerprint.

use crate::{Error, Result};
use base64::{Engine, prelude::BASE64_STANDARD};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use rustls::{crypto::ring, sign::CertifiedKey};
use sha2::{Digest, Sha256};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fmt, ops::Range, str::FromStr};
use zeroize::{Zeroize, Zeroizing};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// SHA-256 of a certificate in DER, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    pub fn of(certificate: &[u8]) -> Fingerprint {
        Fingerprint(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = Error;

    /// Reads 64 hexadecimal digits of either case; colons between them are ignored.
    fn from_str(s: &str) -> Result<Fingerprint> {
        let digits: String = s.chars().filter(|&c| c != ':').collect();
        let mut bytes = [0; 32];
        hex::decode_to_slice(&digits, &mut bytes).map_err(|_| {
            let hexadecimal = digits.chars().filter(char::is_ascii_hexdigit).count();
            let n = digits.chars().count();
            identity(format!("fingerprint: found {n} characters, {hexadecimal} of them hexadecimal, expected 64"))
        })?;
        Ok(Fingerprint(bytes))
    }
}

impl From<Fingerprint> for String {
    fn from(f: Fingerprint) -> String {
        f.to_string()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = Error;
    fn try_from(s: String) -> Result<Fingerprint> {
        s.parse()
    }
}

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
    /// The operating system gives no randomness, or a date is before 1970.
    pub fn generate_for(name: &str, validity: Range<SystemTime>) -> Result<Identity> {
        let failed = |e: rcgen::Error| identity(format!("cannot generate: {e}"));
        let date = |t: SystemTime| match t.duration_since(UNIX_EPOCH) {
            Ok(since) => Ok(rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(since.as_secs())),
            Err(_) => Err(identity("cannot generate: validity before 1970".to_owned())),
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

    /// What others know this identity by.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }

    /// Certificate and private key (PKCS #8) as PEM.
    pub fn to_pem(&self) -> Zeroizing<String> {
        // Room for all of it at once: growing would leave copies of the key behind.
        let mut out = Zeroizing::new(String::with_capacity(2 * (self.certificate.len() + self.key.len()) + 256));
        for (tag, der) in [("CERTIFICATE", self.certificate.as_ref()), ("PRIVATE KEY", self.key.as_slice())] {
            out.push_str(&format!("-----BEGIN {tag}-----\n"));
            for line in der.chunks(48) {
                BASE64_STANDARD.encode_string(line, &mut out);
                out.push('\n');
            }
            out.push_str(&format!("-----END {tag}-----\n"));
        }
        out
    }

    /// Reads what [`to_pem`](Self::to_pem) wrote: the first certificate and the first PKCS #8 key.
    ///
    /// # Errors
    /// Either is missing or malformed, or the key is not the certificate's.
    pub fn from_pem(pem: &str) -> Result<Identity> {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|e| identity(format!("no certificate in PEM: {e}")))?
            .into_owned();
        let mut key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|e| identity(format!("no PKCS #8 private key in PEM: {e}")))?;
        let it = Identity { certificate, key: Zeroizing::new(key.secret_pkcs8_der().to_vec()) };
        key.zeroize();
        let pair = it.certified_key()?;
        pair.keys_match().map_err(|e| identity(format!("certificate and private key: {e}")))?;
        Ok(it)
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

fn identity(what: String) -> Error {
    Error::Identity { what }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The certificate of one identity with the key of another: what a thief of the certificate alone has.
    pub(crate) fn stolen(certificate: &Identity, key: &Identity) -> Identity {
        Identity { certificate: certificate.certificate.clone(), key: key.key.clone() }
    }

    #[test]
    fn pem_round_trip() {
        let it = Identity::generate("P0").unwrap();
        let back = Identity::from_pem(&it.to_pem()).unwrap();
        assert_eq!(it.fingerprint(), back.fingerprint());
        assert_eq!(it.key, back.key);
        assert_ne!(it.fingerprint(), Identity::generate("P0").unwrap().fingerprint());
    }

    #[test]
    fn pem_refused() {
        let (a, b) = (Identity::generate("a").unwrap(), Identity::generate("b").unwrap());
        let pem = a.to_pem();
        let at = pem.find("-----BEGIN PRIVATE KEY").unwrap();
        let cases = [
            ("", "no certificate"),
            (&pem[..at], "no PKCS #8 private key"),
            (&pem[at..], "no certificate"),
            (&stolen(&a, &b).to_pem(), "certificate and private key"),
            (&format!("{}-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", &pem[..at]), "unusable"),
        ];
        for (pem, why) in cases {
            let e = Identity::from_pem(pem).err().unwrap().to_string();
            assert!(e.contains(why), "{e}");
            assert!(!e.contains('\n'), "{e}");
        }
    }

    #[test]
    fn fingerprint_text() {
        let f = Fingerprint(std::array::from_fn(|i| i as u8 * 8));
        let text = f.to_string();
        assert_eq!(text.parse::<Fingerprint>().unwrap(), f);
        let pairs: Vec<_> = (0..32).map(|i| text[2 * i..2 * i + 2].to_uppercase()).collect();
        assert_eq!(pairs.join(":").parse::<Fingerprint>().unwrap(), f);
        assert_eq!(serde_json::to_string(&f).unwrap(), format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Fingerprint>(&format!("\"{text}\"")).unwrap(), f);
        for bad in ["", "00", &text[1..], &format!("{text}0"), &text.replace('0', "g"), &"é".repeat(32)] {
            assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
        }
        assert_eq!(Fingerprint::of(b"").to_string()[..8], *"e3b0c442");
    }
}
