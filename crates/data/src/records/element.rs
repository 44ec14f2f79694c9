//! The type of an array's values, as NumPy names it: a letter for the order of bytes, one for the kind, and the size.

use super::value::Value;
use half::f16;

/// Longer texts are taken for a mistake.
const LONGEST: usize = 1 << 16;

/// A value's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    kind: Kind,
    /// Bytes.
    size: usize,
    big_endian: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Boolean,
    Signed,
    Unsigned,
    Float,
    /// Bytes, padded with zeros.
    Bytes,
    /// Characters of four bytes, padded with zeros.
    Characters,
}

impl Element {
    /// Of IDX.
    pub(super) const BYTE: Element = Element { kind: Kind::Unsigned, size: 1, big_endian: false };

    /// By its name; none for what is not read.
    pub(super) fn of(descr: &str) -> Option<Element> {
        let rest = descr.trim_start_matches(['<', '>', '|', '=']);
        let (kind, count) = (rest.get(..1)?, rest.get(1..)?.parse::<usize>().ok()?);
        let (kind, size) = match (kind, count) {
            ("b", 1) => (Kind::Boolean, 1),
            ("i", 1 | 2 | 4 | 8) => (Kind::Signed, count),
            ("u", 1 | 2 | 4 | 8) => (Kind::Unsigned, count),
            ("f", 2 | 4 | 8) => (Kind::Float, count),
            ("S", 1..=LONGEST) => (Kind::Bytes, count),
            ("U", 1..=LONGEST) => (Kind::Characters, 4 * count),
            _ => return None,
        };
        // Without a sign the order is that of the machine that wrote it, which is little-endian on all that matter.
        Some(Element { kind, size, big_endian: descr.starts_with('>') })
    }

    /// Bytes of a value.
    pub(super) fn size(self) -> usize {
        self.size
    }

    /// What these bytes stand for; `text` is where a text is put.
    pub(super) fn value<'a>(self, bytes: &'a [u8], text: &'a mut Vec<u8>) -> Value<'a> {
        let mut word = [0; 8];
        if self.size <= 8 {
            word[..self.size.min(bytes.len())].copy_from_slice(&bytes[..self.size.min(bytes.len())]);
            if self.big_endian {
                word[..self.size].reverse();
            }
        }
        let unsigned = u64::from_le_bytes(word);
        match self.kind {
            Kind::Boolean => Value::Boolean(unsigned != 0),
            Kind::Unsigned => i64::try_from(unsigned).map_or(Value::Float(unsigned as f64), Value::Integer),
            Kind::Signed => {
                let unused = 64 - 8 * self.size as u32;
                Value::Integer((unsigned << unused) as i64 >> unused)
            }
            Kind::Float => Value::Float(match self.size {
                2 => f16::from_bits(unsigned as u16).into(),
                4 => f32::from_bits(unsigned as u32).into(),
                _ => f64::from_bits(unsigned),
            }),
            Kind::Bytes => Value::Text(bytes.split(|b| *b == 0).next().unwrap_or_default().trim_ascii()),
            Kind::Characters => {
                text.clear();
                for c in bytes.chunks_exact(4).map(|c| c.try_into().unwrap_or_default()) {
                    let code = if self.big_endian { u32::from_be_bytes(c) } else { u32::from_le_bytes(c) };
                    if code == 0 {
                        break;
                    }
                    let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                    text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Value::Text(text.trim_ascii())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_in_both_orders() {
        let number = |descr: &str, bytes: &[u8]| {
            let e = Element::of(descr).unwrap();
            assert_eq!(e.size(), bytes.len(), "{descr}");
            e.value(bytes, &mut Vec::new()).number().unwrap()
        };
        assert_eq!(number("|b1", &[1]), 1.0);
        assert_eq!((number("|i1", &[0xff]), number("|u1", &[0xff])), (-1.0, 255.0));
        assert_eq!((number("<i2", &[0xfe, 0xff]), number(">i2", &[0xff, 0xfe])), (-2.0, -2.0));
        assert_eq!((number("<u2", &[1, 2]), number(">u2", &[2, 1])), (513.0, 513.0));
        assert_eq!((number("<u4", &[0, 0, 0, 0x80]), number("<i4", &[0, 0, 0, 0x80])), (2_147_483_648.0, -2_147_483_648.0));
        assert_eq!((number("<u8", &[0xff; 8]), number("<i8", &[0xff; 8])), (u64::MAX as f64, -1.0));
        assert_eq!((number("<f2", &[0, 0x3e]), number(">f2", &[0x3e, 0])), (1.5, 1.5));
        assert_eq!((number("<f4", &1.5_f32.to_le_bytes()), number(">f8", &1.5_f64.to_be_bytes())), (1.5, 1.5));
        let text = |descr: &str, bytes: &[u8]| {
            Element::of(descr).unwrap().value(bytes, &mut Vec::new()).text(|t| String::from_utf8_lossy(t).into_owned()).unwrap()
        };
        assert_eq!(text("|S3", b"ab\0"), "ab");
        assert_eq!(text("<U3", &[0x73, 0, 0, 0, 0xed, 0, 0, 0, 0, 0, 0, 0]), "s\u{ed}");
        assert_eq!(text(">U1", &[0, 0, 0, 0xed]), "\u{ed}");
        for descr in ["|O", "<c8", "<f16", "<M8[ns]", "|V4", "", "<", "<U0", "<i3", "\u{e9}8"] {
            assert_eq!(Element::of(descr), None, "{descr}");
        }
    }
}
