//! PNG images, an image a record: one file, or those of a folder in the order of their names.
//!
//! A pixel is a grey level from 0 to 255, or one in each of red, green and blue: channel after channel, each row by
//! row. What a header says is compared with what is asked for before anything of its size is allocated.

use super::value::Value;
use crate::error::{Refusal, empty, mismatch};
use crate::{DataError, Result};
use ::png::{BitDepth, ColorType, Decoder, DecodingError, Transformations};
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Images that are read one by one.
pub(crate) struct Images {
    files: std::vec::IntoIter<PathBuf>,
    expected: Expected,
    /// Of the last one that was read: its name, and where it is.
    name: String,
    file: String,
    /// Where images have labels, those of the files: the names of their folders.
    labels: std::vec::IntoIter<String>,
}

/// What images must be like.
#[derive(Clone, Copy)]
enum Expected {
    /// Channels, height and width.
    Shape([usize; 3]),
    /// So many values, of one channel or three.
    Values(usize),
}

impl Expected {
    /// Channels of an image of this size.
    fn channels(self, [width, height]: [u32; 2]) -> Option<usize> {
        let [width, height] = [width, height].map(|side| usize::try_from(side).unwrap_or(usize::MAX));
        match self {
            Expected::Shape([channels, h, w]) => (h == height && w == width).then_some(channels),
            Expected::Values(values) => {
                let pixels = width.checked_mul(height)?;
                [1, 3].into_iter().find(|channels| pixels.checked_mul(*channels) == Some(values))
            }
        }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Expected::Shape([_, height, width]) => write!(f, "{width} x {height} as the model has"),
            Expected::Values(values) if values.is_multiple_of(3) => {
                write!(f, "{values} pixels as the model has inputs, or {} in colour", values / 3)
            }
            Expected::Values(values) => write!(f, "{values} pixels as the model has inputs"),
        }
    }
}

/// Whether this is read as images.
pub(super) fn is_images(path: &Path) -> bool {
    path.is_dir() || is_png(path)
}

fn is_png(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png"))
}

/// No record is left out without a word.
fn is_other_image(path: &Path) -> bool {
    let others = ["jpg", "jpeg", "gif", "bmp", "tif", "tiff", "webp", "heic", "dcm"];
    path.extension().is_some_and(|ending| others.iter().any(|other| ending.eq_ignore_ascii_case(other)))
}

impl Images {
    /// Finds the images that become records of so many values, of this shape where one is known: channels, height, width. `labelled` ones
    /// are in a folder for each class.
    ///
    /// # Errors
    /// A folder that cannot be read or is without images; a shape that no image has.
    pub(super) fn open(path: &Path, values: usize, shape: Option<[usize; 3]>, labelled: bool) -> Result<Images> {
        let file = path.display().to_string();
        let expected = match shape {
            None => Expected::Values(values),
            Some(shape @ [1 | 3, ..]) if shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d)) == Some(values) => {
                Expected::Shape(shape)
            }
            Some([channels, ..]) => {
                let found = format!("images, for a model of {channels} channels and {values} columns");
                return Err(mismatch(&file, found, "a model of grey (1) or RGB (3) images, or another kind of file"));
            }
        };
        let (mut files, mut labels) = (Vec::new(), Vec::new());
        if labelled && !path.is_dir() {
            return Err(mismatch(&file, "one image", "a folder of images for each class, in a folder"));
        }
        if labelled {
            for folder in inside(path, Path::is_dir)? {
                let label = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                let images = inside(&folder, is_png)?;
                if let Some(other) = inside(&folder, is_other_image)?.first() {
                    return Err(mismatch(&other.display().to_string(), "an image that is no PNG", "files that end in .png"));
                }
                labels.extend(std::iter::repeat_n(label, images.len()));
                files.extend(images);
            }
            if files.is_empty() {
                return Err(empty(&file, "no folders with images", "one folder for each class, with files that end in .png"));
            }
        } else if path.is_dir() {
            files = inside(path, is_png)?;
            if files.is_empty() {
                return Err(empty(&file, "no images", "one file that ends in .png"));
            }
        } else {
            files.push(path.to_path_buf());
        }
        Ok(Images { files: files.into_iter(), expected, name: String::new(), file: String::new(), labels: labels.into_iter() })
    }

    /// The file that the last record came from, without its folder.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Calls `each` with the values of the next image; false at the end.
    pub(super) fn row(&mut self, mut each: impl FnMut(usize, Value<'_>) -> Result<(), Refusal>) -> Result<bool> {
        let Some(path) = self.files.next() else { return Ok(false) };
        self.file = path.display().to_string();
        self.name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let levels = levels(&path, &self.file, self.expected)?;
        let width = levels.len();
        for (slot, level) in levels.into_iter().enumerate() {
            each(slot, Value::Integer(level.into())).map_err(|why| self.fault(why))?;
        }
        if let Some(label) = self.labels.next() {
            each(width, Value::Text(label.trim().as_bytes())).map_err(|why| self.fault(why))?;
        }
        Ok(true)
    }

    /// An error of the last image.
    pub(super) fn fault(&self, why: Refusal) -> DataError {
        mismatch(&self.file, why.found, why.expected)
    }
}

/// What is in a folder, in the order of names. Some systems put hidden files beside each.
fn inside(folder: &Path, wanted: fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let io = |source| DataError::Io { file: folder.display().to_string(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?.path();
        let hidden = entry.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if wanted(&entry) && !hidden {
            found.push(entry);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The grey levels of an image, channel after channel.
fn levels(path: &Path, file: &str, expected: Expected) -> Result<Vec<u8>> {
    let broken = |e: DecodingError| match e {
        DecodingError::IoError(e) if e.raw_os_error().is_some() => DataError::Io { file: file.to_owned(), source: e },
        other => mismatch(file, format!("broken PNG ({})", other.to_string().replace('\n', " ")), "a whole PNG image"),
    };
    let mut decoder = Decoder::new(BufReader::new(File::open(path).map_err(|e| broken(e.into()))?));
    // Palettes become colours, fewer bits eight, and a colour that stands for nothing an alpha channel.
    decoder.set_transformations(Transformations::EXPAND);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let info = decoder.read_header_info().map_err(broken)?;
    let (size, depth) = ([info.width, info.height], info.bit_depth);
    let Some(channels) = expected.channels(size) else {
        return Err(mismatch(
            file,
            format!("an image of {} x {} pixels (width x height)", size[0], size[1]),
            expected.to_string(),
        ));
    };
    if depth == BitDepth::Sixteen {
        return Err(mismatch(file, "16 bits a sample", "at most 8"));
    }
    let mut reader = decoder.read_info().map_err(broken)?;
    let mut samples = vec![0; reader.output_buffer_size().unwrap_or_default()];
    let form = reader.next_frame(&mut samples).map_err(broken)?;
    let (width, alpha) = match form.color_type {
        ColorType::Grayscale => (1, false),
        ColorType::GrayscaleAlpha => (2, true),
        ColorType::Rgb => (3, false),
        ColorType::Rgba => (4, true),
        ColorType::Indexed => return Err(mismatch(file, "a palette", "grey levels or colours")),
    };
    let mut planes = vec![Vec::new(); channels];
    for pixel in samples.chunks_exact(width) {
        let (colour, opacity) = pixel.split_at(width - usize::from(alpha));
        if opacity.iter().any(|&opacity| opacity != u8::MAX) {
            return Err(mismatch(file, "a pixel that is transparent", "an opaque image"));
        }
        let rgb = match *colour {
            [red, green, blue] => [red, green, blue],
            _ => [colour[0]; 3],
        };
        match &mut planes[..] {
            [grey] => grey.push(if colour.len() == 1 { colour[0] } else { luma(rgb) }),
            all => all.iter_mut().zip(rgb).for_each(|(plane, level)| plane.push(level)),
        }
    }
    Ok(planes.concat())
}

/// The grey level of a colour: 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601), in 16-bit fixed point and rounded, as Pillow has it.
fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let [red, green, blue] = [red, green, blue].map(u32::from);
    ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::png::Encoder;

    /// A PNG file of these samples.
    fn png([width, height]: [u32; 2], color: ColorType, depth: BitDepth, samples: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, width, height);
        encoder.set_color(color);
        encoder.set_depth(depth);
        encoder.set_palette(vec![9, 8, 7, 6, 5, 4]);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(samples).unwrap();
        writer.finish().unwrap();
        bytes
    }

    fn grey(size: [u32; 2], samples: &[u8]) -> Vec<u8> {
        png(size, ColorType::Grayscale, BitDepth::Eight, samples)
    }

    /// All levels of all images, and the name of the last.
    fn read(path: &Path, values: usize, shape: Option<[usize; 3]>) -> Result<(Vec<f64>, String)> {
        let (mut images, mut all) = (Images::open(path, values, shape, false)?, Vec::new());
        while images.row(|_, value| {
            all.push(value.number()?);
            Ok(())
        })? {}
        Ok((all, images.name().to_owned()))
    }

    #[test]
    fn levels_of_each_kind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.PNG");
        let levels = |bytes: Vec<u8>, values, shape| {
            fs::write(&path, bytes).unwrap();
            read(&path, values, shape).map(|(levels, _)| levels).map_err(|e| e.to_string())
        };
        let (two, eight) = ([2, 1], BitDepth::Eight);
        assert_eq!(levels(grey(two, &[3, 255]), 2, Some([1, 1, 2])).unwrap(), [3.0, 255.0]);
        assert_eq!(levels(grey(two, &[3, 255]), 2, None).unwrap(), [3.0, 255.0]);
        // A colour each: channel after channel.
        let colours = [1, 2, 3, 4, 5, 6];
        let rgb = png(two, ColorType::Rgb, eight, &colours);
        for shape in [Some([3, 1, 2]), None] {
            assert_eq!(levels(rgb.clone(), 6, shape).unwrap(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
            assert_eq!(levels(grey(two, &[7, 8]), 6, shape).unwrap(), [7.0, 8.0, 7.0, 8.0, 7.0, 8.0]);
        }
        // Pillow's Image.convert("L"): pure red, green, blue and white.
        let primaries = png([2, 2], ColorType::Rgb, eight, &[255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255]);
        assert_eq!(levels(primaries, 4, None).unwrap(), [76.0, 150.0, 29.0, 255.0]);
        // Fewer bits span the same range; a palette is its colours.
        assert_eq!(levels(png(two, ColorType::Grayscale, BitDepth::One, &[0b0100_0000]), 2, None).unwrap(), [0.0, 255.0]);
        let palette = png(two, ColorType::Indexed, BitDepth::One, &[0b0100_0000]);
        assert_eq!(levels(palette, 6, None).unwrap(), [9.0, 6.0, 8.0, 5.0, 7.0, 4.0]);
        // An alpha channel that hides nothing.
        assert_eq!(levels(png(two, ColorType::GrayscaleAlpha, eight, &[1, 255, 2, 255]), 2, None).unwrap(), [1.0, 2.0]);
        let error = levels(png(two, ColorType::Rgba, eight, &[1, 2, 3, 255, 4, 5, 6, 254]), 6, None).unwrap_err();
        assert!(error.ends_with("a.PNG: found a pixel that is transparent, expected an opaque image"), "{error}");
        let error = levels(png(two, ColorType::Grayscale, BitDepth::Sixteen, &[0; 4]), 2, None).unwrap_err();
        assert!(error.ends_with("found 16 bits a sample, expected at most 8"), "{error}");
    }

    #[test]
    fn a_folder_in_the_order_of_names() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        put("b.png", &grey([1, 1], &[2]));
        put("a.png", &grey([1, 1], &[1]));
        put("c.Png", &grey([1, 1], &[3]));
        put("._a.png", b"another system's");
        put("labels.txt", b"no image");
        assert_eq!(read(folder.path(), 1, None).unwrap(), (vec![1.0, 2.0, 3.0], "c.Png".to_owned()));
        put("bb.png", &grey([2, 1], &[3, 4]));
        let error = read(folder.path(), 1, Some([1, 1, 1])).unwrap_err().to_string();
        assert!(
            error.ends_with("bb.png: found an image of 2 x 1 pixels (width x height), expected 1 x 1 as the model has"),
            "{error}"
        );
        let nothing = tempfile::tempdir().unwrap();
        let error = read(nothing.path(), 1, None).unwrap_err().to_string();
        assert!(error.ends_with("found no images, expected at least one file that ends in .png"), "{error}");
    }

    #[test]
    fn what_is_no_image_or_does_not_fit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let refused = |bytes: &[u8], values, shape| {
            fs::write(&path, bytes).unwrap();
            let error = read(&path, values, shape).unwrap_err().to_string();
            assert!(error.contains("a.png: found ") && !error.contains('\n'), "{error}");
            error
        };
        let whole = grey([28, 28], &[5; 784]);
        // Up to the end of the pixels: what follows them says nothing about the image.
        let pixels = whole.len() - 12;
        for cut in 0..pixels {
            assert!(refused(&whole[..cut], 784, None).contains("broken PNG"), "{cut}");
        }
        // Damage that its checksums do not show must not be believed to be an image of another size.
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x81;
            fs::write(&path, damaged).unwrap();
            if let Ok((levels, _)) = read(&path, 784, None) {
                assert_eq!(levels.len(), 784);
            }
        }
        // A header alone that promises 4 GiB.
        let mut huge = Vec::new();
        Encoder::new(&mut huge, 65535, 65535).write_header().unwrap();
        assert!(refused(&huge, 784, None).contains("65535 x 65535"));
        let error = refused(&whole, 3072, None);
        assert!(
            error.ends_with("28 x 28 pixels (width x height), expected 3072 pixels as the model has inputs, or 1024 in colour")
        );
        assert!(refused(&whole, 784, Some([1, 14, 56])).ends_with("expected 56 x 14 as the model has"));
        assert!(refused(&whole, 1568, Some([2, 28, 28])).contains("2 channels"));
        assert!(refused(&whole, 9, Some([1, 28, 28])).contains("9 columns"));
    }
}
