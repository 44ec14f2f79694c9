//! The binary form of a tensor's values: little-endian numbers without gaps; of a text its length in four bytes, then its bytes.

use super::Datatype;
use trefoil_data::records::Cells;

/// Bytes before each text.
const LENGTH: usize = 4;

/// So many values of a datatype; or what there is in their place.
pub(super) fn read(datatype: Datatype, bytes: &[u8], count: usize) -> Result<Cells, String> {
    let Some(size) = datatype.size() else { return texts(bytes, count) };
    if Some(bytes.len()) != count.checked_mul(size) {
        return Err(format!("{} bytes for {count} values of {size} bytes", bytes.len()));
    }
    let values = bytes.chunks_exact(size);
    if matches!(datatype, Datatype::Fp32 | Datatype::Fp64) {
        return Ok(Cells::Floats(values.map(float).collect()));
    }
    let signed = matches!(datatype, Datatype::Int8 | Datatype::Int16 | Datatype::Int32 | Datatype::Int64);
    let integers: Option<Vec<i64>> = values.map(|bytes| integer(bytes, signed)).collect();
    let integers = integers.ok_or("a number above 2^63 - 1")?;
    datatype.conform(Cells::Integers(integers))
}

fn float(bytes: &[u8]) -> f64 {
    match (<[u8; 4]>::try_from(bytes), <[u8; 8]>::try_from(bytes)) {
        (Ok(four), _) => f32::from_le_bytes(four).into(),
        (_, Ok(eight)) => f64::from_le_bytes(eight),
        _ => f64::NAN,
    }
}

/// At most eight bytes; `None` if what they say is beyond `i64`.
fn integer(bytes: &[u8], signed: bool) -> Option<i64> {
    let word = bytes.iter().rev().fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
    if signed {
        let above = 64 - 8 * bytes.len() as u32;
        return Some((word << above) as i64 >> above);
    }
    i64::try_from(word).ok()
}

fn texts(mut bytes: &[u8], count: usize) -> Result<Cells, String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        let Some((length, rest)) = bytes.split_first_chunk::<LENGTH>() else {
            return Err(format!("{} texts and {} bytes more for {count} texts", texts.len(), bytes.len()));
        };
        let length = u32::from_le_bytes(*length) as usize;
        let Some((text, rest)) = rest.split_at_checked(length) else {
            return Err(format!("a text of {length} bytes in the {} bytes that are left", rest.len()));
        };
        texts.push(text.to_vec());
        bytes = rest;
    }
    if !bytes.is_empty() {
        return Err(format!("{} bytes behind {count} texts", bytes.len()));
    }
    Ok(Cells::Texts(texts))
}

/// Appends a number.
pub(super) fn write_float(out: &mut Vec<u8>, value: f64) {
    out.extend(value.to_le_bytes());
}

/// Appends a text of less than 2^32 bytes.
pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(floats: Vec<f64>, singles: Vec<f32>, wide: Vec<i64>, narrow: Vec<i16>, bytes: Vec<u8>) {
            let finite = |v: &f64| if v.is_nan() { 0.5 } else { *v };
            let floats: Vec<f64> = floats.iter().map(finite).collect();
            let mut out = vec![];
            floats.iter().for_each(|v| write_float(&mut out, *v));
            prop_assert_eq!(read(Datatype::Fp64, &out, floats.len()), Ok(Cells::Floats(floats)));
            let singles: Vec<f32> = singles.iter().map(|v| finite(&f64::from(*v)) as f32).collect();
            let out: Vec<u8> = singles.iter().flat_map(|v| v.to_le_bytes()).collect();
            prop_assert_eq!(read(Datatype::Fp32, &out, singles.len()), Ok(Cells::Floats(singles.iter().map(|v| f64::from(*v)).collect())));
            let out: Vec<u8> = wide.iter().flat_map(|v| v.to_le_bytes()).collect();
            prop_assert_eq!(read(Datatype::Int64, &out, wide.len()), Ok(Cells::Integers(wide)));
            let out: Vec<u8> = narrow.iter().flat_map(|v| v.to_le_bytes()).collect();
            prop_assert_eq!(read(Datatype::Int16, &out, narrow.len()), Ok(Cells::Integers(narrow.iter().map(|v| i64::from(*v)).collect())));
            prop_assert_eq!(read(Datatype::Uint8, &bytes, bytes.len()), Ok(Cells::Integers(bytes.iter().map(|v| i64::from(*v)).collect())));
        }

        #[test]
        fn texts_come_back(texts: Vec<String>) {
            let mut out = vec![];
            texts.iter().for_each(|text| write_text(&mut out, text));
            let cells = Cells::Texts(texts.iter().map(|t| t.as_bytes().to_vec()).collect());
            prop_assert_eq!(read(Datatype::Bytes, &out, texts.len()), Ok(cells));
            prop_assert!(read(Datatype::Bytes, &out, texts.len() + 1).is_err());
            prop_assert!(texts.is_empty() || read(Datatype::Bytes, &out, texts.len() - 1).is_err());
        }

        #[test]
        fn whatever_comes_is_read_or_refused(bytes: Vec<u8>, count: usize, which in 0..Datatype::ALL.len()) {
            if let Ok(cells) = read(Datatype::ALL[which], &bytes, count) {
                prop_assert_eq!(cells.len(), count);
            }
        }
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        for (datatype, bytes, count, why) in [
            (Datatype::Fp64, &[0; 8][..], usize::MAX, "8 bytes for"),
            (Datatype::Fp64, &[0; 9], 1, "9 bytes for 1 values of 8 bytes"),
            (Datatype::Bool, &[2], 1, "2"),
            (Datatype::Uint64, &[255; 8], 1, "above 2^63"),
            (Datatype::Bytes, &[255, 255, 255, 255, 1], 1, "a text of 4294967295 bytes in the 1 bytes that are left"),
            (Datatype::Bytes, &[0, 0, 0], 1, "0 texts and 3 bytes more for 1 texts"),
            (Datatype::Bytes, &[0, 0, 0, 0], usize::MAX, "1 texts and 0 bytes more"),
            (Datatype::Bytes, &[0, 0, 0, 0, 7], 1, "1 bytes behind 1 texts"),
        ] {
            let error = read(datatype, bytes, count).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        assert_eq!(read(Datatype::Int8, &[255, 128], 2), Ok(Cells::Integers(vec![-1, -128])));
    }
}
