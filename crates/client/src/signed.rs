//! What somebody's signature is made of, and how it is looked at: a certificate, whose fingerprint is known, and its key's signature, both in
//! hex. Whoever signs words begins them with a line of their kind's own, so that no signature of one kind is one of another.

use crate::Result;
use trefoil_net::identity::{Fingerprint, Identity, verify};

/// The longest certificate and signature that are looked at, in bytes.
const MOST: usize = 8192;

/// The signer's certificate, and its signature over these words, in hex.
///
/// # Errors
/// The key cannot sign.
pub(crate) fn sign(identity: &Identity, words: &str) -> Result<(String, String)> {
    Ok((hex::encode(identity.certificate_der()), hex::encode(identity.sign(words.as_bytes())?)))
}

/// Checks the signature, and that the certificate is the one of `by` and was valid `time` seconds after 1970.
///
/// # Errors
/// In words what is not so.
pub(crate) fn check(
    by: Fingerprint,
    (certificate, signature): (&str, &str),
    words: &str,
    time: u64,
) -> std::result::Result<(), String> {
    let bytes = |what: &str, text: &str| match text.len() <= 2 * MOST {
        true => hex::decode(text).map_err(|e| format!("{what}: found no hexadecimal digits ({e}), expected some")),
        false => Err(format!("{what}: found {} digits, expected at most {}", text.len(), 2 * MOST)),
    };
    let (certificate, signature) = (bytes("certificate", certificate)?, bytes("signature", signature)?);
    let found = Fingerprint::of(&certificate);
    if found != by {
        return Err(format!("found a certificate with fingerprint {found}, expected the signer's"));
    }
    verify(&certificate, words.as_bytes(), &signature, time).map_err(|e| e.to_string())
}
