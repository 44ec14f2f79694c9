//! The weights of the first layer as pictures, where a record is an image.

use super::images::Picture;
use trefoil_nn::Model;
use trefoil_nn::graph::{Kind, Shape};
use trefoil_server::Result;

/// Units, or filters, that are shown at most.
const MOST: usize = 256;
/// Sides of a sheet at most, in points.
const MOST_SIDE: usize = 1 << 12;

/// A sheet of the first layer's units or filters.
pub struct Sheet {
    /// Of `<img>`.
    pub source: String,
    /// In points.
    pub size: [usize; 2],
    /// How many times larger it is shown.
    pub zoom: usize,
    /// What is on it.
    pub about: String,
}

/// The sheet of a model; `None` where the first layer does not see an image.
///
/// # Errors
/// The picture cannot be made.
pub fn sheet(model: &Model) -> Result<Option<Sheet>> {
    let graph = model.graph();
    let first = graph.nodes.iter().zip(graph.names()).find(|(node, _)| matches!(node.op, Kind::Linear(_) | Kind::Conv2d(_)));
    let Some((node, name)) = first else { return Ok(None) };
    let weight = format!("{name}.weight");
    let Some((param, values)) = model.params().find(|(param, _)| param.name == weight) else { return Ok(None) };
    let ([channels, height, width], what) = match (&node.op, &param.dims[..]) {
        (Kind::Conv2d(_), [_, channels, height, width]) => ([*channels, *height, *width], "filters"),
        (_, [_, inputs]) => match image(model, *inputs) {
            Some(sides) => (sides, "hidden units"),
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    let units = values.nrows();
    let shown = units.min(MOST);
    let across = ((shown as f64).sqrt().ceil() as usize).max(1);
    // The channels of a unit are side by side, with a point between them, as between units.
    let tile = [channels * (width + 1), height + 1];
    let size = [across * tile[0], shown.div_ceil(across) * tile[1]];
    if size.iter().any(|side| *side > MOST_SIDE) {
        return Ok(None);
    }
    // A few weights that are far larger than all others would leave those pale.
    let mut magnitudes: Vec<f64> = values.iter().map(|v| f64::from(v.abs())).collect();
    magnitudes.sort_by(f64::total_cmp);
    let most = magnitudes.get(magnitudes.len() * 995 / 1000).copied().unwrap_or(1.0).max(1e-30);
    let mut picture = Picture::new(size[0], size[1]);
    for (i, row) in values.outer_iter().take(shown).enumerate() {
        let corner = [i % across * tile[0], i / across * tile[1]];
        for (k, value) in row.iter().enumerate() {
            let (channel, y, x) = (k / (height * width), k / width % height, k % width);
            picture.put(corner[0] + channel * (width + 1) + x, corner[1] + y, f64::from(*value) / most);
        }
    }
    let channels = if channels > 1 { format!(", {channels} channels of each side by side") } else { String::new() };
    let about = format!("The first {shown} of {units} {what} of {name}{channels}");
    let about =
        if shown == units { about.replacen("The first ", "All ", 1).replacen(&format!(" of {units}"), "", 1) } else { about };
    Ok(Some(Sheet { source: picture.signed()?, size, zoom: (640 / size[0].max(1)).clamp(1, 8), about }))
}

/// The sides of the image that a linear layer sees: of the record's shape, or of a square of grey levels.
fn image(model: &Model, inputs: usize) -> Option<[usize; 3]> {
    match model.graph().input {
        Shape::Image(sides) => (sides.iter().product::<usize>() == inputs && sides[1] > 1 && sides[2] > 1).then_some(sides),
        Shape::Flat(n) => {
            let side = (n as f64).sqrt() as usize;
            (n == inputs && side * side == n && side >= 4 && model.input() == crate::demo::PIXELS).then_some([1, side, side])
        }
    }
}
