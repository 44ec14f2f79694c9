//! The key of a party's sealed files. It is never stored: it follows from the party's private key (HKDF-SHA256), and who
//! replaces that key can no longer read what was sealed before.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A party's 256-bit storage key. It has no `Debug`, and is erased when dropped.
#[derive(Clone, ZeroizeOnDrop)]
pub struct StorageKey([u8; 32]);

impl StorageKey {
    /// The storage key of `secret`, the party's private key in DER.
    pub fn derive(secret: &[u8]) -> StorageKey {
        StorageKey(*expand(None, secret, b"trefoil storage key 1"))
    }

    /// The key of one segment of a file: only who knows the storage key finds it from the salt.
    pub(crate) fn for_salt(&self, salt: &[u8; 32]) -> Zeroizing<[u8; 32]> {
        expand(Some(salt), &self.0, b"trefoil sealed segment 1")
    }

    /// A public number that tells keys apart, and nothing else about them.
    pub(crate) fn number(&self) -> [u8; 8] {
        let mut number = [0; 8];
        number.copy_from_slice(&expand(None, &self.0, b"trefoil storage key's number 1")[..8]);
        number
    }
}

/// HKDF-SHA256 (RFC 5869).
fn expand(salt: Option<&[u8; 32]>, secret: &[u8], info: &[u8]) -> Zeroizing<[u8; 32]> {
    let (mut prk, hkdf) = Hkdf::<Sha256>::extract(salt.map(|s| &s[..]), secret);
    prk.as_mut_slice().zeroize();
    let mut key = Zeroizing::new([0; 32]);
    let Ok(()) = hkdf.expand(info, &mut key[..]) else { unreachable!("32 bytes are one block") };
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5869, appendix A.1 (its first 32 bytes; the salt there has 13 bytes, which HMAC fills up with zeros) and A.3.
    #[test]
    fn known_answers() {
        let mut salt = [0; 32];
        salt[..13].copy_from_slice(&hex::decode("000102030405060708090a0b0c").unwrap());
        let info = hex::decode("f0f1f2f3f4f5f6f7f8f9").unwrap();
        let key = expand(Some(&salt), &[0x0b; 22], &info);
        assert_eq!(hex::encode(*key), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
        let key = expand(None, &[0x0b; 22], b"");
        assert_eq!(hex::encode(*key), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
    }

    #[test]
    fn keys_differ_by_secret_salt_and_use() {
        let (a, b) = (StorageKey::derive(b"a"), StorageKey::derive(b"b"));
        assert!(a.0 != b.0 && a.number() != b.number());
        assert!(a.for_salt(&[1; 32]) != a.for_salt(&[2; 32]) && a.for_salt(&[1; 32]) != b.for_salt(&[1; 32]));
        assert!(a.0[..8] != a.number() && StorageKey::derive(b"a").0 == a.0);
    }

    #[test]
    fn keys_are_erased() {
        fn erased<T: ZeroizeOnDrop>() {}
        erased::<StorageKey>();
        erased::<aes_gcm::Aes256Gcm>();
    }
}
