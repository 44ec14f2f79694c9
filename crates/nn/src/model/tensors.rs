//! Numbers in files of weights: their types, and what becomes of them.

/// A type of floating-point numbers, least byte first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    F16,
    /// The upper half of an F32.
    BF16,
    F32,
    F64,
}

/// Dimensions, and values row by row in single precision.
pub(super) struct Tensor {
    pub dims: Vec<usize>,
    pub values: Vec<f32>,
}

impl Kind {
    fn size(self) -> usize {
        match self {
            Kind::F16 | Kind::BF16 => 2,
            Kind::F32 => 4,
            Kind::F64 => 8,
        }
    }

    /// The numbers of these bytes; `None` unless there are as many as the dimensions say.
    pub fn tensor(self, dims: Vec<usize>, bytes: &[u8]) -> Option<Tensor> {
        let count = dims.iter().try_fold(1_usize, |n, d| n.checked_mul(*d))?;
        (count.checked_mul(self.size()) == Some(bytes.len())).then(|| Tensor { dims, values: self.values(bytes) })
    }

    /// In single precision: what is too large for it becomes infinite, which no model may have.
    pub fn values(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Kind::F16 => bytes.as_chunks::<2>().0.iter().map(|c| half(u16::from_le_bytes(*c))).collect(),
            Kind::BF16 => {
                bytes.as_chunks::<2>().0.iter().map(|c| f32::from_bits(u32::from(u16::from_le_bytes(*c)) << 16)).collect()
            }
            Kind::F32 => bytes.as_chunks::<4>().0.iter().map(|c| f32::from_le_bytes(*c)).collect(),
            Kind::F64 => bytes.as_chunks::<8>().0.iter().map(|c| f64::from_le_bytes(*c) as f32).collect(),
        }
    }
}

/// IEEE 754's half precision, exactly: a sign, five bits of exponent, ten of fraction.
fn half(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023) / 1024.0);
    let size = match exponent {
        0 => fraction * (-14f32).exp2(),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction) * ((exponent - 15) as f32).exp2(),
    };
    if bits >> 15 == 1 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_numbers() {
        for (bits, want) in [(0x3c00, 1.0), (0xc000, -2.0), (0x7bff, 65504.0), (0x0001, 2f32.powi(-24)), (0x3555, 0.333_251_95)] {
            assert_eq!(Kind::F16.values(&u16::to_le_bytes(bits)), [want]);
        }
        assert_eq!(Kind::F16.values(&[0, 0x7c]), [f32::INFINITY]);
        assert!(Kind::F16.values(&[1, 0x7c])[0].is_nan());
        assert_eq!(Kind::BF16.values(&[0x80, 0x3f, 0x40, 0xc0]), [1.0, -3.0]);
        assert_eq!(Kind::F64.values(&0.1f64.to_le_bytes()), [0.1f32]);
        assert!(Kind::F64.tensor(vec![2, usize::MAX], &[0; 8]).is_none() && Kind::F32.tensor(vec![1, 1], &[0; 4]).is_some());
    }
}
