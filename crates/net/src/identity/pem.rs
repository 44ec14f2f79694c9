//! A certificate and its key as text: the key in the clear, or encrypted as OpenSSL does it (PKCS #8, PBES2 with
//! scrypt and AES-256-CBC).

use super::{Identity, identity};
use crate::Result;
use base64::{Engine, prelude::BASE64_STANDARD};
use pkcs8::der::{Encode, asn1::OctetStringRef};
use pkcs8::pkcs5::{self, EncryptionScheme, pbes2};
use pkcs8::{EncryptedPrivateKeyInfoOwned, EncryptedPrivateKeyInfoRef};
use zeroize::Zeroizing;

const CERTIFICATE: &str = "CERTIFICATE";
const PLAIN: &str = "PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// The cost of one guess at a passphrase: log2 of N, r and p of scrypt. 16 MiB, because OpenSSL refuses to take more
/// than 32 MiB; five times, which makes it as dear as 128 MiB once.
const COST: (u8, u32, u32) = (14, 8, 5);
/// The most memory that a file may make scrypt take, in bytes, and the most work, in bytes written.
const MOST_MEMORY: u64 = 256 << 20;
const MOST_WORK: u64 = 4 << 30;
/// The most iterations of PBKDF2 that a file may ask for.
const MOST_ITERATIONS: u32 = 10_000_000;
/// The longest file that is looked at, in bytes.
const MOST_TEXT: usize = 1 << 20;

impl Identity {
    /// Certificate and private key (PKCS #8) as PEM, the key in the clear.
    pub fn to_pem(&self) -> Zeroizing<String> {
        // Room for all of it at once: growing would leave copies of the key behind.
        let mut out = Zeroizing::new(String::with_capacity(2 * (self.certificate.len() + self.key.len()) + 256));
        write(&mut out, CERTIFICATE, &self.certificate);
        write(&mut out, PLAIN, &self.key);
        out
    }

    /// Certificate and private key as PEM, the key encrypted under `passphrase`. Takes a moment, as it is meant to.
    ///
    /// # Errors
    /// The passphrase is empty, or the operating system gives no randomness.
    pub fn to_encrypted_pem(&self, passphrase: &str) -> Result<Zeroizing<String>> {
        if passphrase.is_empty() {
            return Err(identity("the passphrase is empty"));
        }
        let failed = |e: &dyn std::fmt::Display| identity(format!("cannot encrypt: {e}"));
        let (mut salt, mut iv) = ([0; 16], [0; 16]);
        getrandom::fill(&mut salt).and_then(|()| getrandom::fill(&mut iv)).map_err(|e| failed(&e))?;
        let (log_n, r, p) = COST;
        let cost = pkcs5::scrypt::Params::new(log_n, r, p).map_err(|e| failed(&e))?;
        let scheme = pbes2::Parameters::generate_scrypt_aes256cbc(cost, &salt, iv).map_err(|e| failed(&e))?;
        let data = scheme.encrypt(passphrase, &self.key).map_err(|e| failed(&e))?;
        let data = OctetStringRef::new(&data).map_err(|e| failed(&e))?;
        let info = EncryptedPrivateKeyInfoRef { encryption_algorithm: scheme.into(), encrypted_data: data };
        let der = info.to_der().map_err(|e| failed(&e))?;
        let mut out = Zeroizing::new(String::new());
        write(&mut out, CERTIFICATE, &self.certificate);
        write(&mut out, ENCRYPTED, &der);
        Ok(out)
    }

    /// Whether the private key in this text is encrypted; not where there is one in the clear as well.
    pub fn is_encrypted(pem: &str) -> bool {
        pem.contains(&begin(ENCRYPTED)) && !pem.contains(&begin(PLAIN))
    }

    /// Reads what [`to_pem`](Self::to_pem) wrote: the first certificate and the first PKCS #8 key.
    ///
    /// # Errors
    /// Either is missing or malformed, or the key is not the certificate's.
    pub fn from_pem(pem: &str) -> Result<Identity> {
        let certificate = read(pem, CERTIFICATE)?;
        let key = read(pem, PLAIN)?;
        Identity::new(&certificate, key)
    }

    /// Reads what [`to_encrypted_pem`](Self::to_encrypted_pem) wrote, or a key that OpenSSL encrypted under scrypt or
    /// PBKDF2 with SHA-2.
    ///
    /// # Errors
    /// Certificate or encrypted key is missing or malformed, the passphrase is wrong, the file asks for more memory or
    /// time than any honest one, or the key is not the certificate's.
    pub fn from_encrypted_pem(pem: &str, passphrase: &str) -> Result<Identity> {
        let certificate = read(pem, CERTIFICATE)?;
        let der = read(pem, ENCRYPTED)?;
        let info = EncryptedPrivateKeyInfoOwned::try_from(der.as_slice())
            .map_err(|e| identity(format!("encrypted private key: malformed or of an unknown kind: {e}")))?;
        let scheme = affordable(&info.encryption_algorithm)?;
        let key = scheme.decrypt(passphrase, info.encrypted_data.as_bytes()).map(Zeroizing::new).map_err(|e| match e {
            pkcs5::Error::DecryptFailed => wrong(),
            e => identity(format!("encrypted private key: {e}")),
        })?;
        // One wrong passphrase in 256 leaves the padding intact by chance.
        pkcs8::PrivateKeyInfoRef::try_from(key.as_slice()).map_err(|_| wrong())?;
        Identity::new(&certificate, key)
    }
}

fn wrong() -> crate::Error {
    identity("wrong passphrase, or the encrypted private key is damaged")
}

/// The scheme, where trying a passphrase with it costs no more than it may. Nothing is computed here.
fn affordable(scheme: &EncryptionScheme) -> Result<&pbes2::Parameters> {
    let refused = |what: &str, found: u64, expected: u64| {
        Err(identity(format!("encrypted private key: {what}: found {found}, expected at most {expected}")))
    };
    let EncryptionScheme::Pbes2(parameters) = scheme else {
        return Err(identity("encrypted private key: found PBES1, expected PBES2 (openssl pkcs8 -topk8 -scrypt)"));
    };
    match &parameters.kdf {
        pbes2::Kdf::Scrypt(cost) => {
            let block = 128 * u64::from(cost.block_size);
            let memory = cost.cost_parameter.saturating_mul(block);
            let work = memory.saturating_mul(u64::from(cost.parallelization));
            if memory > MOST_MEMORY {
                return refused("bytes of memory that scrypt takes", memory, MOST_MEMORY);
            }
            if work > MOST_WORK {
                return refused("bytes that scrypt goes through", work, MOST_WORK);
            }
        }
        pbes2::Kdf::Pbkdf2(cost) if cost.iteration_count > MOST_ITERATIONS => {
            return refused("iterations of PBKDF2", cost.iteration_count.into(), MOST_ITERATIONS.into());
        }
        _ => {}
    }
    Ok(parameters)
}

fn begin(tag: &str) -> String {
    format!("-----BEGIN {tag}-----")
}

fn write(out: &mut String, tag: &str, der: &[u8]) {
    out.push_str(&begin(tag));
    for line in der.chunks(48) {
        out.push('\n');
        BASE64_STANDARD.encode_string(line, out);
    }
    out.push_str(&format!("\n-----END {tag}-----\n"));
}

/// The contents of the first section `tag`.
fn read(pem: &str, tag: &str) -> Result<Zeroizing<Vec<u8>>> {
    let what = match tag {
        PLAIN => "PKCS #8 private key",
        ENCRYPTED => "encrypted private key",
        _ => "certificate",
    };
    if pem.len() > MOST_TEXT {
        return Err(identity(format!("PEM: found {} bytes, expected at most {MOST_TEXT}", pem.len())));
    }
    let missing = || identity(format!("no {what} in PEM"));
    let (_, rest) = pem.split_once(&begin(tag)).ok_or_else(missing)?;
    let (body, _) = rest.split_once(&format!("-----END {tag}-----")).ok_or_else(missing)?;
    let mut digits = Zeroizing::new(String::with_capacity(body.len()));
    digits.extend(body.chars().filter(|c| !c.is_ascii_whitespace()));
    // The decoder's own message would quote a character of the key.
    let der = BASE64_STANDARD.decode(digits.as_bytes()).map_err(|_| identity(format!("{what} in PEM: malformed base64")))?;
    Ok(Zeroizing::new(der))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::stolen;
    use proptest::prelude::*;

    fn why(read: Result<Identity>) -> String {
        let e = read.err().unwrap().to_string();
        assert!(e.starts_with("identity: ") && !e.contains('\n'), "{e}");
        e
    }

    #[test]
    fn round_trip() {
        let it = Identity::generate("P0").unwrap();
        let back = Identity::from_pem(&it.to_pem()).unwrap();
        assert_eq!((it.fingerprint(), &it.key), (back.fingerprint(), &back.key));
        let pem = it.to_encrypted_pem("hunter2 ü").unwrap();
        assert!(Identity::is_encrypted(&pem) && !Identity::is_encrypted(&it.to_pem()));
        let back = Identity::from_encrypted_pem(&pem, "hunter2 ü").unwrap();
        assert_eq!((it.fingerprint(), &it.key), (back.fingerprint(), &back.key));
        assert_ne!(*pem, *it.to_encrypted_pem("hunter2 ü").unwrap());
        assert!(why(Identity::from_encrypted_pem(&pem, "hunter3")).contains("wrong passphrase"));
        assert!(why(Identity::from_pem(&pem)).contains("no PKCS #8 private key"));
        assert!(why(Identity::from_encrypted_pem(&it.to_pem(), "x")).contains("no encrypted private key"));
        assert!(it.to_encrypted_pem("").unwrap_err().to_string().contains("passphrase is empty"));
    }

    #[test]
    fn refused() {
        let (a, b) = (Identity::generate("a").unwrap(), Identity::generate("b").unwrap());
        let pem = a.to_pem();
        let at = pem.find("-----BEGIN PRIVATE KEY").unwrap();
        let cases = [
            ("", "no certificate"),
            (&pem[..at], "no PKCS #8 private key"),
            (&pem[at..], "no certificate"),
            (&pem[..pem.len() - 10], "no PKCS #8 private key"),
            (&pem.replacen("\nMI", "\n%%", 1), "certificate in PEM: malformed base64"),
            (&stolen(&a, &b).to_pem(), "certificate and private key"),
            (&format!("{}-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", &pem[..at]), "unusable"),
            (&"x".repeat(MOST_TEXT + 1), "expected at most"),
        ];
        for (pem, expected) in cases {
            let e = why(Identity::from_pem(pem));
            assert!(e.contains(expected), "{e}");
        }
    }

    /// `openssl req -x509 -key k.pem -subj /CN=test -days 36500; openssl pkcs8 -topk8 -in k.pem -passout pass:swordfish`:
    /// PBKDF2, as is its default.
    #[test]
    fn openssls_own() {
        let pem = include_str!("openssl.pem");
        let it = Identity::from_encrypted_pem(pem, "swordfish").unwrap();
        assert_eq!(it.fingerprint(), Identity::from_pem(&it.to_pem()).unwrap().fingerprint());
        assert!(why(Identity::from_encrypted_pem(pem, "Swordfish")).contains("wrong passphrase"));
    }

    /// A file whose costs are absurd is refused before anything is computed.
    #[test]
    fn absurd_costs() {
        let it = Identity::generate("P0").unwrap();
        let with = |kdf: pbes2::Kdf| {
            let encryption = pbes2::EncryptionScheme::Aes256Cbc { iv: [0; 16] };
            let parameters = pbes2::Parameters { kdf, encryption };
            let encrypted_data = OctetStringRef::new(&[0; 144]).unwrap();
            let info = EncryptedPrivateKeyInfoRef { encryption_algorithm: parameters.into(), encrypted_data };
            let mut pem = String::new();
            write(&mut pem, CERTIFICATE, &it.certificate);
            write(&mut pem, ENCRYPTED, &info.to_der().unwrap());
            why(Identity::from_encrypted_pem(&pem, "x"))
        };
        let scrypt = |cost_parameter, block_size, parallelization| {
            let salt = [1; 16].as_slice().try_into().unwrap();
            with(pbes2::ScryptParams { salt, cost_parameter, block_size, parallelization, key_length: None }.into())
        };
        assert!(scrypt(1 << 40, 8, 1).contains("bytes of memory that scrypt takes: found 1125899906842624"));
        assert!(scrypt(1 << 63, u16::MAX, u16::MAX).contains("memory"));
        assert!(scrypt(1 << 14, 8, u16::MAX).contains("goes through"));
        assert!(scrypt(3, 8, 1).contains("invalid"));
        assert!(scrypt(16, 8, 1).contains("wrong passphrase"));
        let pbkdf2 = pbes2::Pbkdf2Params::hmac_sha256(MOST_ITERATIONS + 1, &[1; 16]).unwrap();
        assert!(with(pbkdf2.into()).contains("iterations of PBKDF2: found 10000001"));
    }

    proptest! {
        #[test]
        fn any_text(body: String, bytes: Vec<u8>) {
            let section = |tag: &str, body: &str| format!("{}{body}-----END {tag}-----\n", begin(tag));
            for body in [body, BASE64_STANDARD.encode(bytes)] {
                let pem = section(CERTIFICATE, &body) + &section(PLAIN, &body) + &section(ENCRYPTED, &body);
                prop_assert!(Identity::from_pem(&pem).is_err());
                prop_assert!(Identity::from_encrypted_pem(&pem, "x").is_err());
            }
        }
    }
}
