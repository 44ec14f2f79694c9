//! An oblivious pseudorandom function: RFC 9497, ciphersuite ristretto255-SHA512, mode OPRF.
//!
//! G is the group's generator, k the party's key, K = k G its public key, H1 the RFC's HashToGroup.
//!
//! ```text
//! owner   r uniform, B = H1(x) + r G                -> B
//! party   E = k B                                    -> E
//! owner   N = E - r K = k H1(x),  F_k(x) = SHA-512(len(x), x, len(N), N, "Finalize")
//! ```
//!
//! **What the party sees is uniform.** r G is a uniform group element whatever x is, and so is B; the party has r from nowhere else.
//! **What the owner sees** is K and k times elements that it chose: to find F_k of one that it had not evaluated is the one-more
//! Diffie-Hellman problem, which the RFC rests on as well.
//!
//! # Departures from the RFC
//!
//! | departure | in place of | why |
//! |---|---|---|
//! | the blind is added, B = H1(x) + r G | B = r H1(x), N = E / r | both of the owner's products are of points that are known before, G and K, for which tables make them four times as fast; the outputs are the RFC's, and so is what the party does |
//! | r is HMAC-SHA512 of x under a seed of this owner, job and party, modulo the group's order | r from a generator of random bits | an owner that begins again sends the same elements, so that a party can tell what it has evaluated already, and counts it once. To who has no seed it is uniform, and each x of an owner is another one |
//! | elements are checked, decoded and evaluated in batches | one by one | time |
//! | keys are uniform scalars from the operating system | DeriveKeyPair of a seed | nobody needs to make them again: they are kept sealed for as long as the job lives |
//!
//! **The owner takes K on trust**, as it does that the party evaluates everybody under the same key: the mode without proof. A party that gives
//! somebody another K, or evaluates under another key, makes the pseudonyms of that owner match nobody's: the join comes out
//! smaller, and it learns nothing by it, since it sees no pseudonym.
//!
//! Tests: the RFC's vectors below; `tests/views.rs` for what a party sees.

use crate::{Error, Result};
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoBasepointTable, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use hmac::{Hmac, KeyInit, Mac};
use rayon::prelude::*;
use sha2::{Digest, Sha512};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// An encoded group element.
pub type Element = [u8; 32];
/// F_k(x).
pub type Output = [u8; 64];

/// "HashToGroup-", then the RFC's context string: version, mode 0 (OPRF), ciphersuite.
const HASH_TO_GROUP: &[u8] = b"HashToGroup-OPRFV1-\x00-ristretto255-SHA512";

/// A party's key, of one job. It has no `Debug`, and is erased when dropped.
#[derive(ZeroizeOnDrop)]
pub struct Key(Scalar);

impl Key {
    /// A key from the operating system's randomness.
    ///
    /// # Errors
    /// [`Error::NoRandomness`].
    pub fn fresh() -> Result<Key> {
        loop {
            let mut wide = Zeroizing::new([0; 64]);
            getrandom::fill(&mut *wide).map_err(Error::NoRandomness)?;
            let key = Scalar::from_bytes_mod_order_wide(&wide);
            if key != Scalar::ZERO {
                return Ok(Key(key));
            }
        }
    }

    /// As it was written down.
    ///
    /// # Errors
    /// [`Error::Key`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Key> {
        let mut copy = Zeroizing::new([0; 32]);
        if bytes.len() != copy.len() {
            return Err(Error::Key);
        }
        copy.copy_from_slice(bytes);
        let key: Option<Scalar> = Scalar::from_canonical_bytes(*copy).into();
        key.filter(|k| *k != Scalar::ZERO).map(Key).ok_or(Error::Key)
    }

    /// To be sealed.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// K = k G, which owners are told.
    #[must_use]
    pub fn public(&self) -> Element {
        RistrettoPoint::mul_base(&self.0).compress().to_bytes()
    }

    /// The RFC's BlindEvaluate, of each element.
    ///
    /// # Errors
    /// [`Error::Element`]: one is none, or the identity.
    pub fn evaluate(&self, blinded: &[Element]) -> Result<Vec<Element>> {
        let one = |(place, b): (usize, &Element)| -> Result<Element> { Ok((self.0 * decode(place, b)?).compress().to_bytes()) };
        blinded.par_iter().enumerate().map(one).collect()
    }
}

/// An owner's blinds towards one party, under whose key it has identifiers evaluated. They have no `Debug`.
pub struct Blinds {
    seed: Seed,
    /// Of K.
    table: Box<RistrettoBasepointTable>,
}

#[derive(Zeroize, ZeroizeOnDrop)]
struct Seed([u8; 32]);

impl Blinds {
    /// `seed` is a secret of this owner's, another one for each job and party; `public` is what the party says that K is.
    ///
    /// # Errors
    /// [`Error::Element`]: that is no group element.
    pub fn new(seed: [u8; 32], public: &Element) -> Result<Blinds> {
        Ok(Blinds { seed: Seed(seed), table: Box::new(RistrettoBasepointTable::create(&decode(0, public)?)) })
    }

    /// B of each identifier.
    #[must_use]
    pub fn blind(&self, identifiers: &[&[u8]]) -> Vec<Element> {
        let one = |x: &&[u8]| (hash_to_group(x) + RistrettoPoint::mul_base(&self.r(x))).compress().to_bytes();
        identifiers.par_iter().map(one).collect()
    }

    /// F_k of each identifier, from what the party has made of their blinded elements.
    ///
    /// # Errors
    /// [`Error::Count`], [`Error::Element`].
    pub fn finalize(&self, identifiers: &[&[u8]], evaluated: &[Element]) -> Result<Vec<Output>> {
        if evaluated.len() != identifiers.len() {
            return Err(Error::Count { found: evaluated.len(), expected: identifiers.len() });
        }
        let one = |(place, (x, e)): (usize, (&&[u8], &Element))| -> Result<Output> {
            let n = decode(place, e)? - &*self.table * &self.r(x);
            Ok(finish(x, &n))
        };
        identifiers.par_iter().zip(evaluated).enumerate().map(one).collect()
    }

    /// The blind of an identifier.
    fn r(&self, x: &[u8]) -> Scalar {
        let Ok(mut mac) = <Hmac<Sha512> as KeyInit>::new_from_slice(&self.seed.0) else { unreachable!("any length will do") };
        mac.update(b"trefoil join blind 1");
        mac.update(x);
        let wide = Zeroizing::new(<[u8; 64]>::from(mac.finalize().into_bytes()));
        Scalar::from_bytes_mod_order_wide(&wide)
    }
}

/// The RFC's DeserializeElement: only canonical encodings, and no identity.
fn decode(place: usize, bytes: &Element) -> Result<RistrettoPoint> {
    let point = CompressedRistretto(*bytes).decompress().ok_or(Error::Element { place, found: "other bytes" })?;
    if point.is_identity() { Err(Error::Element { place, found: "the identity" }) } else { Ok(point) }
}

/// H1: expand_message_xmd of RFC 9380 with SHA-512 for 64 bytes, which are one block of it, and ristretto255's map.
fn hash_to_group(x: &[u8]) -> RistrettoPoint {
    let tag = [HASH_TO_GROUP, &[HASH_TO_GROUP.len() as u8]].concat();
    // A block of zeros, the message, the length that is asked for.
    let b0 = Sha512::new().chain_update([0u8; 128]).chain_update(x).chain_update([0u8, 64, 0]).chain_update(&tag).finalize();
    let b1 = Sha512::new().chain_update(b0).chain_update([1u8]).chain_update(&tag).finalize();
    RistrettoPoint::from_uniform_bytes(&b1.into())
}

/// The RFC's Finalize. Its identifiers are shorter than 2^16 bytes: an owner's are [`MOST_IDENTIFIER`](crate::MOST_IDENTIFIER) at most.
fn finish(x: &[u8], n: &RistrettoPoint) -> Output {
    let hash = Sha512::new().chain_update((x.len() as u16).to_be_bytes()).chain_update(x);
    hash.chain_update([0u8, 32]).chain_update(n.compress().as_bytes()).chain_update(b"Finalize").finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9497, appendix A.1.1: input, blinded element, evaluated element, output. The blind is the same in both.
    const VECTORS: [[&str; 4]; 2] = [
        [
            "00",
            "609a0ae68c15a3cf6903766461307e5c8bb2f95e7e6550e1ffa2dc99e412803c",
            "7ec6578ae5120958eb2db1745758ff379e77cb64fe77b0b2d8cc917ea0869c7e",
            "527759c3d9366f277d8c6020418d96bb393ba2afb20ff90df23fb7708264e2f3ab9135e3bd69955851de4b1f9fe8a0973396719b7912ba9ee8aa7d0b5e24bcf6",
        ],
        [
            "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
            "da27ef466870f5f15296299850aa088629945a17d1f5b7f5ff043f76b3c06418",
            "b4cbf5a4f1eeda5a63ce7b77c7d23f461db3fcab0dd28e4e17cecb5c90d02c25",
            "f4a74c9c592497375e796aa837e907b1a045d34306a749db9f34221f7e750cb4f2a6413a6bf6fa5e19ba6348eb673934a722a7ede2e7621306d18951e7cf2c73",
        ],
    ];
    const KEY: &str = "5ebcea5ee37023ccb9fc2d2019f9d7737be85591ae8652ffa9ef0f4d37063b0e";
    const BLIND: &str = "64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706";

    fn element(text: &str) -> Element {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    #[test]
    fn vectors_of_the_rfc() {
        let key = Key::from_bytes(&hex::decode(KEY).unwrap()).unwrap();
        let blind = Scalar::from_canonical_bytes(element(BLIND)).unwrap();
        for [input, blinded, evaluated, output] in VECTORS {
            let x = hex::decode(input).unwrap();
            // The RFC's own blinding gives its element, so that the map to the group is the RFC's; and what the party does is.
            assert_eq!(hex::encode((blind * hash_to_group(&x)).compress().as_bytes()), blinded);
            assert_eq!(hex::encode(key.evaluate(&[element(blinded)]).unwrap()[0]), evaluated);
            let n = blind.invert() * decode(0, &element(evaluated)).unwrap();
            assert_eq!(hex::encode(finish(&x, &n)), output);
            // The blinding that is used here comes to the same.
            let blinds = Blinds::new([7; 32], &key.public()).unwrap();
            let sent = blinds.blind(&[&x]);
            assert_ne!(hex::encode(sent[0]), blinded);
            let outputs = blinds.finalize(&[&x], &key.evaluate(&sent).unwrap()).unwrap();
            assert_eq!(hex::encode(outputs[0]), output);
        }
    }

    #[test]
    fn what_is_no_element_is_refused() {
        let key = Key::fresh().unwrap();
        let good = key.public();
        let mut bad: Vec<(Element, &str)> = vec![([0; 32], "the identity"), ([0xff; 32], "other bytes")];
        // Negative, and not reduced: p + 2 where 2 is none either; and the encoding of p.
        let mut p = [0xff; 32];
        (p[0], p[31]) = (0xed, 0x7f);
        bad.push((p, "other bytes"));
        let mut negative = good;
        negative[0] ^= 1;
        bad.push((negative, "other bytes"));
        for (element, found) in bad {
            let e = key.evaluate(&[good, element]).unwrap_err();
            assert_eq!(e, Error::Element { place: 1, found });
            assert!(Blinds::new([1; 32], &element).is_err());
            let blinds = Blinds::new([1; 32], &good).unwrap();
            assert!(blinds.finalize(&[b"x"], &[element]).is_err());
        }
        let blinds = Blinds::new([1; 32], &good).unwrap();
        assert_eq!(blinds.finalize(&[], &[good]).unwrap_err(), Error::Count { found: 1, expected: 0 });
    }

    #[test]
    fn keys_are_read_back_or_refused() {
        let key = Key::fresh().unwrap();
        assert_eq!(Key::from_bytes(&key.to_bytes()[..]).unwrap().public(), key.public());
        for bad in [&[0; 32][..], &[0xff; 32], &[1; 31], &[]] {
            assert_eq!(Key::from_bytes(bad).err(), Some(Error::Key));
        }
        fn erased<T: ZeroizeOnDrop>() {}
        erased::<Key>();
    }
}
