//! The embedded default: UCI handwritten digits, 1,797 real images of ten classes. `assets/ATTRIBUTION.md` names the
//! authors and the licence.
//!
//! The 8x8 images of grey levels 0 to 16 are enlarged to MNIST's 28x28 by bilinear interpolation between pixel centres,
//! and quantised to p/256 with p at most 255. All of it is integer arithmetic, so that every platform gets the same bytes.

use crate::records::memory::Images;
use crate::shuffle::{Stream, shuffle};
use crate::{DataError, Dataset, Records, Result, Samples, file, mnist};

const PACKED: &[u8] = include_bytes!("../assets/digits.csv.gz");
const NAME: &str = "embedded digits.csv.gz";

/// Side of an image as recorded.
const SMALL: usize = 8;
/// Side of an image as returned.
const SIDE: usize = 28;
/// Grey levels are 0 to this.
const WHITE: u8 = 16;

/// Records to train on; the other 360 of the 1,797 are held out. The same ones always, whatever seed a run has.
const TRAIN: usize = 1_437;

/// The dataset: 1,437 training and 360 test images of 784 pixels.
///
/// # Errors
/// None unless the embedded file was damaged when this crate was built.
pub fn load() -> Result<Dataset> {
    let text = file::inflate(PACKED, NAME, 1 << 20)?;
    let records = text.trim_ascii_end().split(|&b| b == b'\n').enumerate().map(|(i, line)| record(i, line));
    let images = Images::new(NAME, records.collect::<Result<Vec<_>>>()?);
    let schema = mnist::schema(SIDE * SIDE);
    let [all, _] = Samples::read(&mut Records::of_images(NAME, images, &schema)?)?;
    let order = shuffle(all.rows(), 0, Stream::Test);
    let (train, test) = order.split_at(TRAIN.min(order.len()));
    Ok(Dataset { name: "digits".to_string(), schema, train: all.select(train), test: all.select(test) })
}

/// One line: 64 grey levels and the label.
fn record(index: usize, line: &[u8]) -> Result<(Vec<u8>, u8)> {
    let number = |field: &[u8]| std::str::from_utf8(field).ok()?.trim().parse::<u8>().ok();
    let values: Option<Vec<u8>> = line.split(|&b| b == b',').map(number).collect();
    match values.as_deref() {
        Some([small @ .., label]) if small.len() == SMALL * SMALL && small.iter().all(|&v| v <= WHITE) && *label < 10 => {
            Ok((enlarge(small), *label))
        }
        _ => Err(DataError::Mismatch {
            file: NAME.to_string(),
            found: format!("another form in line {}", index + 1),
            expected: "64 grey levels of 0 to 16 and a label of 0 to 9".to_string(),
        }),
    }
}

/// 8x8 grey levels of 0..=16 to 28x28 pixels of 0..=255.
fn enlarge(small: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(SIDE * SIDE);
    for row in 0..SIDE {
        for col in 0..SIDE {
            let mut sum = 0;
            for (r, weight_r) in neighbours(row) {
                for (c, weight_c) in neighbours(col) {
                    sum += weight_r * weight_c * u32::from(small[r * SMALL + c]);
                }
            }
            // sum / (14 * 14 * 16) is in [0, 1]; times 255, rounded.
            let white = 14 * 14 * u32::from(WHITE);
            out.push(((sum * 255 + white / 2) / white) as u8);
        }
    }
    out
}

/// The two small pixels that pixel `i` lies between, with weights in fourteenths. Its centre is at
/// (i + 1/2) 8/28 - 1/2 = (4 i - 5)/14 in small pixels; beyond the border, the border's value continues.
fn neighbours(i: usize) -> [(usize, u32); 2] {
    let at = (4 * i).saturating_sub(5).min(14 * (SMALL - 1));
    let (low, part) = (at / 14, (at % 14) as u32);
    [(low, 14 - part), ((low + 1).min(SMALL - 1), part)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_range_and_classes() {
        let d = load().unwrap();
        assert_eq!((d.train.rows(), d.test.rows(), d.schema.features(), d.schema.outputs()), (1437, 360, 784, 10));
        let ([x, _], [_, y]) = (d.train.decoded(&d.schema), d.test.decoded(&d.schema));
        assert!(x.iter().all(|&v| (0.0..1.0).contains(&v) && (v * 256.0).fract() == 0.0));
        for class in 0..10 {
            let count = y.column(class).sum() as usize;
            assert!((25..=47).contains(&count), "class {class}: {count} of 360");
        }
        assert!(d.test == load().unwrap().test);
    }

    #[test]
    fn enlarging_keeps_flat_images_and_mirrors() {
        assert!(enlarge(&[16; 64]).iter().all(|&p| p == 255));
        assert!(enlarge(&[0; 64]).iter().all(|&p| p == 0));
        let small: Vec<u8> = (0..64).map(|i| (i * 7 % 17) as u8).collect();
        let mut mirrored: Vec<u8> = enlarge(&small.iter().rev().copied().collect::<Vec<_>>());
        mirrored.reverse();
        assert_eq!(enlarge(&small), mirrored);
    }

    /// The images still are what their labels say: the nearest training image has the right label almost always.
    #[test]
    fn nearest_neighbours_agree() {
        let d = load().unwrap();
        let ([x, y], [test, expected]) = (d.train.decoded(&d.schema), d.test.take(100).decoded(&d.schema));
        let half: Vec<f64> = x.rows().into_iter().map(|r| r.dot(&r) / 2.0).collect();
        let products = test.dot(&x.t());
        let right = products.rows().into_iter().zip(expected.rows()).filter(|(row, expected)| {
            let near = (0..half.len()).min_by(|&a, &b| (half[a] - row[a]).total_cmp(&(half[b] - row[b])));
            near.is_some_and(|i| y.row(i) == *expected)
        });
        assert!(right.count() >= 95);
    }
}
