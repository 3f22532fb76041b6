//! Operators that move elements to computed places: Compress, CenterCropPad, ReverseSequence, Col2Im, Scatter, TensorScatter.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::compose::{Composer, Made};
use hb_dialects::ElementType;

/// The slices along an axis where a condition holds.
pub(super) fn compose_compress(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let (x, condition) = (c.input(0)?, c.input(1)?);
    let (x, axis) = match c.int("axis") {
        Some(axis) => (x, axis),
        None => (c.reshape(&x, &[-1])?, 0),
    };
    let places = c.make("NonZero", &[&condition])?;
    let places = c.squeeze(&places, &[0])?;
    let result = c.gather(&x, &places, axis)?;
    c.give(&[&result])
}

/// Cuts or pads both ends of each axis alike; what is odd goes to the end.
pub(super) fn compose_center_crop_pad(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let mut x = c.input(0)?;
    let target = c.constant_ints(&c.input(1)?, "shape")?;
    let axes = c.ints("axes").unwrap_or_else(|| (0..target.len() as i64).collect());
    if axes.len() != target.len() {
        return Err(c.fault(format!("has {} axes and {} sizes", axes.len(), target.len())));
    }
    let (mut begins, mut ends) = (Vec::new(), Vec::new());
    for (&axis, &wanted) in axes.iter().zip(&target) {
        let place = c.axis(&x, axis)?;
        let size = c.known(&x, place)?;
        if wanted < 0 {
            return Err(c.fault(format!("has the size {wanted}")));
        }
        if size > wanted {
            let start = (size - wanted) / 2;
            x = c.slice(&x, axis, (start, start + wanted, 1))?;
        }
        let missing = (wanted - size).max(0);
        begins.push(missing / 2);
        ends.push(missing - missing / 2);
    }
    let pads = c.vector(&[begins, ends].concat())?;
    let (zero, axes) = (c.like(&x, 0.0)?, c.vector(&axes)?);
    let result = c.make("Pad", &[&x, &pads, &zero, &axes])?;
    c.give(&[&result])
}

/// The first elements of each sequence in reverse, the rest as they are.
pub(super) fn compose_reverse_sequence(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let (x, lengths) = (c.input(0)?, c.input(1)?);
    let time = c.axis(&x, c.int("time_axis").unwrap_or(0))?;
    let batch = c.axis(&x, c.int("batch_axis").unwrap_or(1))?;
    let rank = c.rank(&x)?;
    let lengths = c.cast(&lengths, ElementType::I64)?;
    let lengths = c.along(&lengths, batch, rank)?;
    let positions = c.positions(&x, time)?;
    let one = c.scalar(ElementType::I64, 1.0)?;
    let last = c.make("Sub", &[&lengths, &one])?;
    let reversed = c.make("Sub", &[&last, &positions])?;
    let is_inside = c.make("Less", &[&positions, &lengths])?;
    let places = c.make("Where", &[&is_inside, &reversed, &positions])?;
    let shape = c.make("Shape", &[&x])?;
    let places = c.make("Expand", &[&places, &shape])?;
    let result = c.make_with("GatherElements", &[&x, &places], vec![("axis", Attribute::Int(time as i64))])?;
    c.give(&[&result])
}

/// Scatter is ScatterElements under its name of opset 9.
pub(super) fn compose_scatter(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let inputs = [c.input(0)?, c.input(1)?, c.input(2)?];
    let attributes = c.attributes(&["axis"]);
    let result = c.make_with("ScatterElements", &inputs.each_ref().map(String::as_str), attributes)?;
    c.give(&[&result])
}

/// Writes an update into a cache along an axis, from a place for each sample on.
pub(super) fn compose_tensor_scatter(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let (cache, update) = (c.input(0)?, c.input(1)?);
    let axis = c.axis(&cache, c.int("axis").unwrap_or(-2))?;
    let rank = c.rank(&cache)?;
    let mut places = c.positions(&update, axis)?;
    if let Some(starts) = c.optional(2) {
        let starts = c.along(&starts, 0, rank)?;
        places = c.make("Add", &[&places, &starts])?;
    }
    if c.text("mode").as_deref() == Some("circular") {
        let size = c.size(&cache, axis)?;
        places = c.make("Mod", &[&places, &size])?;
    }
    let shape = c.make("Shape", &[&update])?;
    let places = c.make("Expand", &[&places, &shape])?;
    let axis = vec![("axis", Attribute::Int(axis as i64))];
    let result = c.make_with("ScatterElements", &[&cache, &places, &update], axis)?;
    c.give(&[&result])
}

/// The sums of overlapping blocks are a transposed convolution whose weight for a place in a block is 1 there.
pub(super) fn compose_col2im(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let x = c.input(0)?;
    let image = c.constant_ints(&c.input(1)?, "image_shape")?;
    let block = c.constant_ints(&c.input(2)?, "block_shape")?;
    let spatial = image.len();
    let given = |name: &str, length: usize, default: i64| c.ints(name).unwrap_or_else(|| vec![default; length]);
    let (strides, dilations, pads) =
        (given("strides", spatial, 1), given("dilations", spatial, 1), given("pads", 2 * spatial, 0));
    let fits =
        block.len() == spatial && strides.len() == spatial && dilations.len() == spatial && pads.len() == 2 * spatial;
    let is_positive = [&block, &strides, &dilations].into_iter().flatten().all(|size| (1..1 << 20).contains(size));
    if !fits || !is_positive || [&image, &pads].into_iter().flatten().any(|size| !(0..1 << 30).contains(size)) {
        return Err(c.fault("has sizes that do not fit each other"));
    }
    let places = block.iter().try_fold(1i64, |places, size| places.checked_mul(*size));
    let places = places.ok_or_else(|| c.fault(format!("has blocks of {block:?}")))?;
    let rows = c.known(&x, 1)?;
    if c.rank(&x)? != 3 || rows % places != 0 {
        return Err(c.fault(format!("has an input of {rows} rows, they must be those of blocks of {places}")));
    }
    // How many blocks there are along each axis, and what of the image lies behind the last of them.
    let (mut counts, mut rest) = (Vec::new(), Vec::new());
    for d in 0..spatial {
        let at = |values: &[i64], place: usize| values.get(place).copied().unwrap_or(0);
        let window = (at(&block, d) - 1) * at(&dilations, d) + 1;
        let room = at(&image, d) + at(&pads, d) + at(&pads, spatial + d) - window;
        if room < 0 {
            return Err(c.fault("has a block that is larger than its image"));
        }
        counts.push(room / at(&strides, d) + 1);
        rest.push(room % at(&strides, d));
    }
    let mut shape = vec![0, rows];
    shape.extend(&counts);
    let x = c.reshape(&x, &shape)?;
    let weight = one_hot_blocks(&mut c, &x, (rows, places), &block)?;
    let attributes = vec![
        ("group", Attribute::Int(rows / places)),
        ("strides", Attribute::Ints(strides)),
        ("dilations", Attribute::Ints(dilations)),
        ("pads", Attribute::Ints(pads)),
        ("output_padding", Attribute::Ints(rest)),
    ];
    let result = c.make_with("ConvTranspose", &[&x, &weight], attributes)?;
    c.give(&[&result])
}

/// `[rows, 1, block...]`: row r is 1 at place r of its block.
fn one_hot_blocks(c: &mut Composer, x: &str, (rows, places): (i64, i64), block: &[i64]) -> Made {
    let element = c.element(x)?;
    let shape: Vec<i64> = [rows, 1].iter().chain(block).copied().collect();
    c.table(element, &shape, |index| if index % places == (index / places) % places { 1.0 } else { 0.0 })
}
