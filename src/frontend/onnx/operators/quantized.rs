//! Arithmetic on quantized integers, as the float and integer operations that ONNX defines it by. Products of 8-bit integers are summed in
//! f64, which holds every such sum exactly.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::super::tensor::Tensor;
use super::compose::{Composer, Made};
use hb_dialects::ElementType;

/// A scale or zero point as a tensor that broadcasts to `x`: of one element, of one for each place along `axis`, or of one for each
/// block along it.
fn spread(c: &mut Composer, parameter: &str, x: &str) -> Made {
    let (rank, own) = (c.rank(x)?, c.rank(parameter)?);
    let block = c.int("block_size").unwrap_or(0);
    if own == 0 || (own == 1 && c.dimensions(parameter)? == [Some(1)]) {
        return c.reshape(parameter, &[]);
    }
    let axis = c.axis(x, c.int("axis").unwrap_or(1))?;
    if block == 0 {
        return if own == 1 { c.along(parameter, axis, rank) } else { Ok(parameter.to_owned()) };
    }
    let size = c.known(x, axis)?;
    if block < 0 || own != rank || c.known(parameter, axis)? != (size + block - 1) / block {
        return Err(c.fault(format!("has blocks of {block} along {size} elements, its scale does not fit them")));
    }
    let blocks = c.table(ElementType::I64, &[size], |place| (place / block) as f64)?;
    c.gather(parameter, &blocks, axis as i64)
}

/// The integers of reals: x / scale, rounded to the nearest, halves to the even one, plus the zero point, within the element type.
fn quantize(c: &mut Composer, x: &str, scale: &str, zero_point: Option<&str>, to: ElementType) -> Made {
    let Some((low, high)) = to.integer_range().filter(|_| to.bytes() <= 2) else {
        return Err(c.fault(format!("quantizes to {to}; int8, uint8, int16 and uint16 are supported")));
    };
    let quotient = c.make("Div", &[x, scale])?;
    let mut rounded = c.make("Round", &[&quotient])?;
    if let Some(zero_point) = zero_point {
        let zero_point = c.cast(zero_point, c.element(&rounded)?)?;
        rounded = c.make("Add", &[&rounded, &zero_point])?;
    }
    let [low, high] = [low, high].map(|bound| c.like(x, bound as f64));
    let clipped = c.make("Clip", &[&rounded, &low?, &high?])?;
    c.cast(&clipped, to)
}

/// Whether a node is what the dialect has: one scale, or one for each place along an axis, of f32.
fn is_plain(rewriter: &Rewriter, node: &Node) -> bool {
    let number = |name| match node.attribute(name) {
        Some(Attribute::Int(number)) => *number,
        _ => 0,
    };
    let is_f32 = |name| matches!(number(name), 0) || number(name) == i64::from(ElementType::F32.onnx_code());
    let has_rank = rewriter.shape(node, 1).is_some_and(|shape| shape.len() <= 1);
    number("block_size") == 0
        && is_f32("precision")
        && has_rank
        && rewriter.input_element(node, 1).is_ok_and(|scale| scale == ElementType::F32)
}

/// The form of the dialect: with a zero point, and without what says that it is this form.
fn push_plain(rewriter: &mut Rewriter, mut node: Node, integers: ElementType) -> Result<(), OnnxError> {
    if node.input(2).is_none() {
        let shape: Option<Vec<usize>> = rewriter
            .shape(&node, 1)
            .and_then(|shape| shape.into_iter().map(|size| usize::try_from(size?).ok()).collect());
        let shape = shape.ok_or_else(|| OnnxError::node(&node, "the number of its scales must be known"))?;
        let bytes = vec![0; shape.iter().product::<usize>() * integers.bytes()];
        let zeros = Tensor::new(integers, shape, bytes.into()).map_err(|reason| OnnxError::node(&node, reason))?;
        rewriter.complete_input(&mut node, 2, "zero_point", zeros)?;
    }
    for name in ["block_size", "output_dtype", "precision", "saturate"] {
        node.take_attribute(name);
    }
    rewriter.push(node)
}

fn holds_reals(element: ElementType) -> bool {
    matches!(element, ElementType::I8 | ElementType::U8 | ElementType::I16 | ElementType::U16)
}

pub(super) fn adapt_quantize_linear(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let stated = match (rewriter.input_element(&node, 2), node.attribute("output_dtype")) {
        (Ok(element), _) => Some(element),
        (_, Some(Attribute::Int(code))) if *code != 0 => {
            i32::try_from(*code).ok().and_then(|code| super::super::tensor::element_type(code).ok())
        }
        _ => Some(ElementType::U8),
    };
    match stated {
        Some(integers)
            if holds_reals(integers)
                && is_plain(rewriter, &node)
                && rewriter.input_element(&node, 0)? == ElementType::F32 =>
        {
            push_plain(rewriter, node, integers)
        }
        _ => compose_quantize_linear(rewriter, node),
    }
}

pub(super) fn adapt_dequantize_linear(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let to = match node.attribute("output_dtype") {
        Some(Attribute::Int(code)) => *code,
        _ => 0,
    };
    let integers = rewriter.input_element(&node, 0)?;
    let is_f32 = to == 0 || to == i64::from(ElementType::F32.onnx_code());
    if is_f32 && holds_reals(integers) && is_plain(rewriter, &node) {
        push_plain(rewriter, node, integers)
    } else {
        compose_dequantize_linear(rewriter, node)
    }
}

fn compose_quantize_linear(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let (x, scale) = (c.input(0)?, c.input(1)?);
    let zero_point = c.optional(2);
    let to = match (&zero_point, c.element_attribute("output_dtype")?) {
        (Some(zero_point), _) => c.element(zero_point)?,
        (None, Some(element)) => element,
        (None, None) => ElementType::U8,
    };
    let precision = c.element_attribute("precision")?.unwrap_or(ElementType::F32);
    let scale = spread(&mut c, &scale, &x)?;
    let zero_point = zero_point.map(|zero_point| spread(&mut c, &zero_point, &x)).transpose()?;
    let (x, scale) = (c.cast(&x, precision)?, c.cast(&scale, precision)?);
    let result = quantize(&mut c, &x, &scale, zero_point.as_deref(), to)?;
    c.give(&[&result])
}

/// x less a zero point, in an element type that holds the difference.
fn centred(c: &mut Composer, x: &str, zero_point: Option<&str>, element: ElementType) -> Made {
    let wide = c.cast(x, element)?;
    let Some(zero_point) = zero_point else { return Ok(wide) };
    let zero_point = c.cast(zero_point, element)?;
    c.make("Sub", &[&wide, &zero_point])
}

fn compose_dequantize_linear(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let (x, scale) = (c.input(0)?, c.input(1)?);
    let element = match c.element_attribute("output_dtype")? {
        Some(element) => element,
        None => c.element(&scale)?,
    };
    let scale = spread(&mut c, &scale, &x)?;
    let zero_point = c.optional(2).map(|zero_point| spread(&mut c, &zero_point, &x)).transpose()?;
    let difference = centred(&mut c, &x, zero_point.as_deref(), ElementType::I32)?;
    let (difference, scale) = (c.cast(&difference, ElementType::F32)?, c.cast(&scale, ElementType::F32)?);
    let real = c.make("Mul", &[&difference, &scale])?;
    let result = c.cast(&real, element)?;
    c.give(&[&result])
}

/// Scale and zero point are those of the values at hand: the range from 0 to the largest and to the smallest of them is 0 to 255.
pub(super) fn compose_dynamic_quantize_linear(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let x = c.input(0)?;
    let zero = c.like(&x, 0.0)?;
    let [high, low] = [("ReduceMax", "Max"), ("ReduceMin", "Min")].map(|(over_all, with_zero)| {
        let extreme = c.reduce(over_all, &x, &[], false)?;
        c.make(with_zero, &[&extreme, &zero])
    });
    let (high, low) = (high?, low?);
    let range = c.make("Sub", &[&high, &low])?;
    let steps = c.like(&x, 255.0)?;
    let scale = c.make("Div", &[&range, &steps])?;
    let below = c.make("Neg", &[&low])?;
    let zero_point = quantize(&mut c, &below, &scale, None, ElementType::U8)?;
    let result = quantize(&mut c, &x, &scale, Some(&zero_point), ElementType::U8)?;
    c.give(&[&result, &scale, &zero_point])
}

/// A parameter of the rows of a matrix: a vector becomes a column.
fn by_row(c: &mut Composer, parameter: &str) -> Made {
    if c.rank(parameter)? == 1 { c.unsqueeze(parameter, &[1]) } else { Ok(parameter.to_owned()) }
}

/// A parameter of each output channel of a convolution, as a tensor that broadcasts to a value of this rank along this axis.
fn by_channel(c: &mut Composer, parameter: &str, axis: usize, rank: usize) -> Made {
    if c.rank(parameter)? == 1 { c.along(parameter, axis, rank) } else { Ok(parameter.to_owned()) }
}

/// The exact sums of products of two matrices, as i32.
fn integer_product(c: &mut Composer, [a, b]: [&str; 2], zero_points: [Option<String>; 2]) -> Made {
    let [of_a, of_b] = zero_points;
    let of_a = of_a.map(|zero_point| by_row(c, &zero_point)).transpose()?;
    let a = centred(c, a, of_a.as_deref(), ElementType::F64)?;
    let b = centred(c, b, of_b.as_deref(), ElementType::F64)?;
    let sums = c.make("MatMul", &[&a, &b])?;
    c.cast(&sums, ElementType::I32)
}

pub(super) fn compose_mat_mul_integer(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let zero_points = [c.optional(2), c.optional(3)];
    let (a, b) = (c.input(0)?, c.input(1)?);
    let result = integer_product(&mut c, [&a, &b], zero_points)?;
    c.give(&[&result])
}

pub(super) fn compose_qlinear_mat_mul(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let zero_points = [c.input(2)?, c.input(5)?].map(Some);
    let (a, a_scale, b, b_scale) = (c.input(0)?, c.input(1)?, c.input(3)?, c.input(4)?);
    let sums = integer_product(&mut c, [&a, &b], zero_points)?;
    let scale_of_rows = by_row(&mut c, &a_scale)?;
    let result = rescaled(&mut c, &sums, [&scale_of_rows, &b_scale], 6)?;
    c.give(&[&result])
}

/// Sums at the product of two scales, at the scale and zero point that are the inputs from `index` on.
fn rescaled(c: &mut Composer, sums: &str, scales: [&str; 2], index: usize) -> Made {
    let (y_scale, y_zero_point) = (c.input(index)?, c.input(index + 1)?);
    let to = c.element(&y_zero_point)?;
    let [a, b, y_scale] = [scales[0], scales[1], &y_scale].map(|scale| c.cast(scale, ElementType::F32));
    let scale = c.make("Mul", &[&a?, &b?])?;
    let sums = c.cast(sums, ElementType::F32)?;
    let real = c.make("Mul", &[&sums, &scale])?;
    quantize(c, &real, &y_scale?, Some(&y_zero_point), to)
}

/// The exact sums of a convolution of integers, with a bias if there is one.
fn integer_convolution(
    c: &mut Composer,
    [x, w]: [&str; 2],
    zero_points: [Option<String>; 2],
    bias: Option<String>,
) -> Made {
    let [of_x, of_w] = zero_points;
    let rank = c.rank(w)?;
    let of_w = of_w.map(|zero_point| by_channel(c, &zero_point, 0, rank)).transpose()?;
    let x = centred(c, x, of_x.as_deref(), ElementType::F64)?;
    let w = centred(c, w, of_w.as_deref(), ElementType::F64)?;
    let bias = bias.map(|bias| c.cast(&bias, ElementType::F64)).transpose()?;
    let mut inputs = vec![x.as_str(), w.as_str()];
    inputs.extend(bias.as_deref());
    let attributes = c.attributes(&["strides", "pads", "dilations", "group", "auto_pad"]);
    let sums = c.convolve(&inputs, attributes)?;
    c.cast(&sums, ElementType::I32)
}

pub(super) fn compose_conv_integer(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let zero_points = [c.optional(2), c.optional(3)];
    let (x, w) = (c.input(0)?, c.input(1)?);
    let result = integer_convolution(&mut c, [&x, &w], zero_points, None)?;
    c.give(&[&result])
}

pub(super) fn compose_qlinear_conv(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let zero_points = [c.input(2)?, c.input(5)?].map(Some);
    let bias = c.optional(8);
    let (x, x_scale, w, w_scale) = (c.input(0)?, c.input(1)?, c.input(3)?, c.input(4)?);
    let sums = integer_convolution(&mut c, [&x, &w], zero_points, bias)?;
    let rank = c.rank(&sums)?;
    let scale_of_channels = by_channel(&mut c, &w_scale, 1, rank)?;
    let result = rescaled(&mut c, &sums, [&x_scale, &scale_of_channels], 6)?;
    c.give(&[&result])
}
