//! The protocol's datatypes, and what values may be of one.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use trefoil_data::records::Cells;

/// What a tensor's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)] // as in the protocol
pub enum Datatype {
    #[serde(rename = "BOOL")]
    Bool,
    #[serde(rename = "UINT8")]
    Uint8,
    #[serde(rename = "UINT16")]
    Uint16,
    #[serde(rename = "UINT32")]
    Uint32,
    #[serde(rename = "UINT64")]
    Uint64,
    #[serde(rename = "INT8")]
    Int8,
    #[serde(rename = "INT16")]
    Int16,
    #[serde(rename = "INT32")]
    Int32,
    #[serde(rename = "INT64")]
    Int64,
    #[serde(rename = "FP32")]
    Fp32,
    #[serde(rename = "FP64")]
    Fp64,
    #[serde(rename = "BYTES")]
    Bytes,
}

impl Datatype {
    /// All that are taken.
    pub const ALL: [Datatype; 12] = [
        Datatype::Bool,
        Datatype::Uint8,
        Datatype::Uint16,
        Datatype::Uint32,
        Datatype::Uint64,
        Datatype::Int8,
        Datatype::Int16,
        Datatype::Int32,
        Datatype::Int64,
        Datatype::Fp32,
        Datatype::Fp64,
        Datatype::Bytes,
    ];

    /// As the protocol writes it.
    pub fn name(self) -> &'static str {
        match self {
            Datatype::Bool => "BOOL",
            Datatype::Uint8 => "UINT8",
            Datatype::Uint16 => "UINT16",
            Datatype::Uint32 => "UINT32",
            Datatype::Uint64 => "UINT64",
            Datatype::Int8 => "INT8",
            Datatype::Int16 => "INT16",
            Datatype::Int32 => "INT32",
            Datatype::Int64 => "INT64",
            Datatype::Fp32 => "FP32",
            Datatype::Fp64 => "FP64",
            Datatype::Bytes => "BYTES",
        }
    }

    /// Bytes of a value in the binary form; `None` for texts, which differ.
    pub(super) fn size(self) -> Option<usize> {
        Some(match self {
            Datatype::Bool | Datatype::Uint8 | Datatype::Int8 => 1,
            Datatype::Uint16 | Datatype::Int16 => 2,
            Datatype::Uint32 | Datatype::Int32 | Datatype::Fp32 => 4,
            Datatype::Uint64 | Datatype::Int64 | Datatype::Fp64 => 8,
            Datatype::Bytes => return None,
        })
    }

    /// The least and the largest whole number; `None` for other values. Above 2^63 - 1 there are none here.
    fn range(self) -> Option<(i64, i64)> {
        Some(match self {
            Datatype::Bool => (0, 1),
            Datatype::Uint8 => (0, u8::MAX.into()),
            Datatype::Uint16 => (0, u16::MAX.into()),
            Datatype::Uint32 => (0, u32::MAX.into()),
            Datatype::Uint64 => (0, i64::MAX),
            Datatype::Int8 => (i8::MIN.into(), i8::MAX.into()),
            Datatype::Int16 => (i16::MIN.into(), i16::MAX.into()),
            Datatype::Int32 => (i32::MIN.into(), i32::MAX.into()),
            Datatype::Int64 => (i64::MIN, i64::MAX),
            Datatype::Fp32 | Datatype::Fp64 | Datatype::Bytes => return None,
        })
    }

    /// Values that came in JSON as values of this datatype; or what they are.
    pub(super) fn conform(self, cells: Cells) -> Result<Cells, String> {
        match (self.range(), cells) {
            (_, cells) if cells.is_empty() => Ok(cells),
            (Some((least, most)), Cells::Integers(v)) => match v.iter().find(|v| !(least..=most).contains(*v)) {
                Some(found) => Err(found.to_string()),
                None => Ok(Cells::Integers(v)),
            },
            (None, Cells::Integers(v)) if self != Datatype::Bytes => Ok(Cells::Floats(v.into_iter().map(|v| v as f64).collect())),
            (None, Cells::Floats(v)) if self != Datatype::Bytes => Ok(Cells::Floats(v)),
            (None, Cells::Texts(v)) if self == Datatype::Bytes => Ok(Cells::Texts(v)),
            (_, Cells::Texts(_) | Cells::Arrow(_)) => Err("texts".into()),
            (_, Cells::Integers(_)) => Err("numbers".into()),
            (Some(_), Cells::Floats(_)) => Err("numbers with fractions, or beyond 64 bits".into()),
            (None, Cells::Floats(_)) => Err("numbers".into()),
        }
    }
}

impl<'de> Deserialize<'de> for Datatype {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Datatype, D::Error> {
        let text = String::deserialize(from)?;
        Datatype::ALL.into_iter().find(|d| d.name() == text).ok_or_else(|| {
            let names = Datatype::ALL.map(Datatype::name).join(", ");
            D::Error::custom(format!("found datatype {:?}, expected one of: {names}", text.chars().take(40).collect::<String>()))
        })
    }
}
