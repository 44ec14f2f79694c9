//! What a certificate is known by, in digits for files and in words for the telephone.

use super::identity;
use crate::{Error, Result};
use bip39::{Language, Mnemonic};
use sha2::{Digest, Sha256};
use std::{fmt, str::FromStr};

/// SHA-256 of a certificate in DER, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    pub fn of(certificate: &[u8]) -> Fingerprint {
        Fingerprint(Sha256::digest(certificate).into())
    }

    /// The same as 24 English words of BIP 39, the last of which carries a checksum of eight bits: to be read aloud.
    pub fn words(&self) -> String {
        // 256 bits are one of the lengths that the standard has.
        Mnemonic::from_entropy_in(Language::English, &self.0).map_or_else(|_| self.to_string(), |m| m.to_string())
    }

    fn from_words(words: &[&str]) -> Result<Fingerprint> {
        let fault = |what: String| identity(format!("fingerprint: {what}"));
        if words.len() != 24 {
            return Err(fault(format!("found {} words, expected 24 (or 64 hexadecimal digits)", words.len())));
        }
        let text = words.join(" ").to_lowercase();
        let mnemonic = Mnemonic::parse_in_normalized(Language::English, &text).map_err(|e| match e {
            bip39::Error::UnknownWord(i) => {
                let word: String = words.get(i).into_iter().flat_map(|w| w.chars()).take(20).collect();
                fault(format!("word {}: found {word:?}, expected one of the 2048 English words of BIP 39", i + 1))
            }
            _ => fault("the words' checksum is wrong: one is misread, or two are swapped".to_owned()),
        })?;
        let (entropy, _) = mnemonic.to_entropy_array();
        let mut bytes = [0; 32];
        bytes.copy_from_slice(&entropy[..32]);
        Ok(Fingerprint(bytes))
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

    /// Reads 64 hexadecimal digits, where colons are ignored, or 24 words with any space between them; either in either
    /// case.
    fn from_str(s: &str) -> Result<Fingerprint> {
        let words: Vec<&str> = s.split_whitespace().take(25).collect();
        if words.len() > 1 {
            return Fingerprint::from_words(&words);
        }
        let digits: String = s.trim().chars().filter(|&c| c != ':').collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn digits() {
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

    /// The standard's own vectors.
    #[test]
    fn words_of_the_standard() {
        let zeros = format!("{}art", "abandon ".repeat(23));
        assert_eq!(Fingerprint([0; 32]).words(), zeros);
        assert_eq!(Fingerprint([0xff; 32]).words(), format!("{}vote", "zoo ".repeat(23)));
        let f: Fingerprint = "68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c".parse().unwrap();
        let words = "hamster diagram private dutch cause delay private meat slide toddler razor book happy fancy gospel \
                     tennis maple dilemma loan word shrug inflict delay length";
        assert_eq!(f.words(), words);
        assert_eq!(words.parse::<Fingerprint>().unwrap(), f);
        assert_eq!(format!("\n {} ", words.to_uppercase().replace(' ', "\n\t")).parse::<Fingerprint>().unwrap(), f);
    }

    #[test]
    fn words_refused() {
        let right = Fingerprint([7; 32]).words();
        let mut list: Vec<&str> = right.split(' ').collect();
        let why = |s: &str| s.parse::<Fingerprint>().unwrap_err().to_string();
        assert!(why(&list[..23].join(" ")).contains("found 23 words, expected 24"));
        assert!(why(&format!("{right} zoo")).contains("found 25 words"));
        list[4] = "trefoil";
        assert!(why(&list.join(" ")).contains("word 5: found \"trefoil\""));
        list[4] = "zoo";
        assert!(why(&list.join(" ")).contains("checksum"));
    }

    proptest! {
        #[test]
        fn words_round_trip(bytes: [u8; 32]) {
            let f = Fingerprint(bytes);
            prop_assert_eq!(f.words().split(' ').count(), 24);
            prop_assert_eq!(f.words().parse::<Fingerprint>().unwrap(), f);
        }

        #[test]
        fn any_text(s: String) {
            let _ = s.parse::<Fingerprint>();
        }
    }
}
