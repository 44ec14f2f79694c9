//! Pictures as PNG within the page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use trefoil_server::{Error, Result};

/// Strengths that are told apart, to each side of nothing.
const LEVELS: u8 = 24;
/// What is below nothing and what is above, as colours; nothing is what the page has behind it.
const BELOW: [u8; 3] = [0xd9, 0x6a, 0x1c];
const ABOVE: [u8; 3] = [0x2f, 0x7d, 0xe0];

/// A picture by its palette: a place in it for each point, row by row.
pub struct Picture {
    /// Points in a row.
    pub width: usize,
    /// Places in the palette.
    pub points: Vec<u8>,
}

impl Picture {
    /// An empty one.
    pub fn new(width: usize, height: usize) -> Picture {
        Picture { width, points: vec![0; width * height] }
    }

    /// Puts a value at a point, as a share of the largest that there is: -1 to 1.
    pub fn put(&mut self, x: usize, y: usize, share: f64) {
        let level = (share.abs().clamp(0.0, 1.0) * f64::from(LEVELS)).round() as u8;
        if let Some(point) = self.points.get_mut(y * self.width + x) {
            *point = if share < 0.0 { level + LEVELS * u8::from(level > 0) } else { level };
        }
    }

    /// `<img>`'s source: values below nothing in one colour, those above in another, the stronger the less transparent.
    ///
    /// # Errors
    /// Points that are no rows.
    pub fn signed(&self) -> Result<String> {
        let levels = || 1..=LEVELS;
        let palette = std::iter::once([0; 3]).chain(levels().map(|_| ABOVE)).chain(levels().map(|_| BELOW)).flatten().collect();
        let alpha = |level| (255 * u16::from(level) / u16::from(LEVELS)) as u8;
        let alphas = std::iter::once(0).chain(levels().map(alpha)).chain(levels().map(alpha)).collect();
        encode(self.width, &self.points, Some((palette, alphas)))
    }
}

/// `<img>`'s source of grey levels.
///
/// # Errors
/// Levels that are no rows.
pub fn grey(width: usize, levels: &[u8]) -> Result<String> {
    encode(width, levels, None)
}

fn encode(width: usize, points: &[u8], palette: Option<(Vec<u8>, Vec<u8>)>) -> Result<String> {
    let wrong = |e: png::EncodingError| Error::config("picture", e, "a PNG");
    let height = points.len() / width.max(1);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_compression(png::Compression::High);
    if let Some((colours, alphas)) = palette {
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_palette(colours);
        encoder.set_trns(alphas);
    }
    let mut writer = encoder.write_header().map_err(wrong)?;
    writer.write_image_data(points).map_err(wrong)?;
    writer.finish().map_err(wrong)?;
    Ok(format!("data:image/png;base64,{}", BASE64.encode(bytes)))
}
