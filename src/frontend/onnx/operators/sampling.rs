//! Operators around GridSample: AffineGrid, which makes grids, and DeformConv, which samples at its kernel's places.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::compose::{Composer, Made};

/// Before opset 20 interpolation had the names that it has for images.
pub(super) fn adapt_grid_sample(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    for (old, new) in [("bilinear", "linear"), ("bicubic", "cubic")] {
        if node.attribute("mode") == Some(&Attribute::String(old.as_bytes().to_vec())) {
            node.set_attribute("mode", Attribute::String(new.as_bytes().to_vec()));
        }
    }
    rewriter.push(node)
}

/// Before opset 16 coordinates were not moved by half a pixel.
pub(super) fn adapt_roi_align(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    if rewriter.opset() >= 16 {
        return rewriter.push(node);
    }
    rewriter.push(node.with("coordinate_transformation_mode", Attribute::String(b"output_half_pixel".to_vec())))
}

/// Places of a kernel, each of which becomes some nodes.
const MOST_TAPS: i64 = 1024;

/// The place of pixel `index` of `size` between -1 and 1.
fn place(index: i64, size: i64, align_corners: bool) -> f64 {
    let (index, size) = (index as f64, size as f64);
    if align_corners && size > 1.0 { 2.0 * index / (size - 1.0) - 1.0 } else { (2.0 * index + 1.0) / size - 1.0 }
}

/// The places of all pixels, each times a matrix.
pub(super) fn compose_affine_grid(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let theta = c.input(0)?;
    let size = c.constant_ints(&c.input(1)?, "size")?;
    let align_corners = c.flag("align_corners");
    let spatial = size.get(2..).unwrap_or_default().to_vec();
    if !matches!(spatial.len(), 2 | 3) || spatial.iter().any(|size| !(1..1 << 20).contains(size)) {
        return Err(c.fault(format!("has the size {size:?}, it must be [N, C, H, W] or [N, C, D, H, W]")));
    }
    // Of each pixel its place along each dimension, the innermost one first, then 1.
    let columns = spatial.len() as i64 + 1;
    let coordinate = |index: i64| {
        let (mut pixel, column) = (index / columns, index % columns);
        for (number, &size) in spatial.iter().rev().enumerate() {
            if number as i64 == column {
                return place(pixel % size, size, align_corners);
            }
            pixel /= size;
        }
        1.0
    };
    let element = c.element(&theta)?;
    let pixels = c.table(element, &[spatial.iter().product(), columns], coordinate)?;
    let matrix = c.transpose(&theta, &[0, 2, 1])?;
    let grid = c.make("MatMul", &[&pixels, &matrix])?;
    let batch = c.known(&theta, 0)?;
    let shape: Vec<i64> = [vec![batch], spatial.clone(), vec![columns - 1]].concat();
    let result = c.reshape(&grid, &shape)?;
    c.give(&[&result])
}

/// A two-dimensional window.
struct Window {
    kernel: [i64; 2],
    strides: [i64; 2],
    dilations: [i64; 2],
    begins: [i64; 2],
    /// Of the result.
    sizes: [i64; 2],
    /// Of the input.
    input: [i64; 2],
}

fn pair(c: &Composer, name: &str, default: i64) -> Result<[i64; 2], OnnxError> {
    let values = c.ints(name).unwrap_or_else(|| vec![default; 2]);
    match values.as_slice() {
        &[rows, columns] if [rows, columns].iter().all(|value| (1..1 << 24).contains(value)) => Ok([rows, columns]),
        _ => Err(c.fault(format!("has {name} of {values:?}; two positive numbers are supported"))),
    }
}

impl Window {
    fn of(c: &Composer, weight: &str, offset: &str, x: &str) -> Result<Self, OnnxError> {
        let both = |value: &str| -> Result<[i64; 2], OnnxError> { Ok([c.known(value, 2)?, c.known(value, 3)?]) };
        let pads = c.ints("pads").unwrap_or_else(|| vec![0; 4]);
        let &[top, left, _, _] = pads.as_slice() else { return Err(c.fault(format!("has pads of {pads:?}"))) };
        if pads.iter().any(|pad| !(0..1 << 24).contains(pad)) {
            return Err(c.fault(format!("has pads of {pads:?}")));
        }
        Ok(Self {
            kernel: both(weight)?,
            strides: pair(c, "strides", 1)?,
            dilations: pair(c, "dilations", 1)?,
            begins: [top, left],
            sizes: both(offset)?,
            input: both(x)?,
        })
    }

    /// Where one place of the kernel lies for each place of the result, as a grid between -1 and 1 `[N, rows, columns, 2]`. `offset` is
    /// `[N, 2, rows, columns]`: down, then right.
    fn grid(&self, c: &mut Composer, offset: &str, tap: [i64; 2]) -> Made {
        let mut coordinates = Vec::new();
        for axis in [1, 0] {
            let at = |values: &[i64; 2]| if axis == 0 { values[0] } else { values[1] };
            let start = at(&tap) * at(&self.dilations) - at(&self.begins);
            let count = at(&self.sizes);
            let shape = if axis == 0 { [count, 1] } else { [1, count] };
            let element = c.element(offset)?;
            let places = c.table(element, &shape, |place| (place * at(&self.strides) + start) as f64)?;
            let moved = c.slice(offset, 1, (axis, axis + 1, 1))?;
            let moved = c.squeeze(&moved, &[1])?;
            let place = c.make("Add", &[&moved, &places])?;
            // ((g + 1) * size - 1) / 2 is the place that the grid's g stands for.
            let (slope, constant) =
                (c.like(&place, 2.0 / at(&self.input) as f64)?, c.like(&place, 1.0 / at(&self.input) as f64 - 1.0)?);
            let scaled = c.make("Mul", &[&place, &slope])?;
            let coordinate = c.make("Add", &[&scaled, &constant])?;
            coordinates.push(c.unsqueeze(&coordinate, &[3])?);
        }
        c.concat(&coordinates.iter().map(String::as_str).collect::<Vec<_>>(), 3)
    }
}

/// Each place of the kernel is sampled where its offsets say; what it samples is one channel of an ordinary product.
pub(super) fn compose_deform_conv(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let (x, weight, offset) = (c.input(0)?, c.input(1)?, c.input(2)?);
    if c.rank(&x)? != 4 {
        return Err(c.fault(format!("has an input of rank {}; 4 is supported", c.rank(&x)?)));
    }
    let window = Window::of(&c, &weight, &offset, &x)?;
    let channels = c.known(&x, 1)?;
    let groups = c.int("offset_group").unwrap_or(1);
    let taps = window.kernel[0].saturating_mul(window.kernel[1]);
    if taps.saturating_mul(groups) > MOST_TAPS {
        return Err(
            c.fault(format!("has a kernel of {taps} places for {groups} groups; at most {MOST_TAPS} are supported"))
        );
    }
    if groups < 1 || channels % groups != 0 || c.known(&offset, 1)? != groups * taps * 2 {
        return Err(c.fault(format!("has {groups} groups of offsets for {channels} channels and {taps} places")));
    }
    let mut sampled = Vec::new();
    for group in 0..groups {
        let own = channels / groups;
        let x = c.slice(&x, 1, (group * own, (group + 1) * own, 1))?;
        let mut parts = Vec::new();
        for tap in 0..taps {
            let place = group * taps + tap;
            let offset = c.slice(&offset, 1, (2 * place, 2 * place + 2, 1))?;
            let grid = window.grid(&mut c, &offset, [tap / window.kernel[1], tap % window.kernel[1]])?;
            let mut part = c.make("GridSample", &[&x, &grid])?;
            if let Some(mask) = c.optional(4) {
                let mask = c.slice(&mask, 1, (place, place + 1, 1))?;
                part = c.make("Mul", &[&part, &mask])?;
            }
            parts.push(c.unsqueeze(&part, &[2])?);
        }
        sampled.push(c.concat(&parts.iter().map(String::as_str).collect::<Vec<_>>(), 2)?);
    }
    let sampled = c.concat(&sampled.iter().map(String::as_str).collect::<Vec<_>>(), 1)?;
    let [rows, columns] = window.sizes;
    let columns = c.reshape(&sampled, &[0, channels * taps, rows, columns])?;
    let (outputs, inputs) = (c.known(&weight, 0)?, c.known(&weight, 1)?);
    let matrix = c.reshape(&weight, &[outputs, inputs * taps, 1, 1])?;
    let mut operands = vec![columns.as_str(), matrix.as_str()];
    let bias = c.optional(3);
    operands.extend(bias.as_deref());
    let group = c.attributes(&["group"]);
    let result = c.convolve(&operands, group)?;
    c.give(&[&result])
}
