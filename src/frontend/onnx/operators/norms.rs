//! Normalizations that are made of reductions: LpNormalization, MeanVarianceNormalization, RMSNormalization, and pools of norms.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::compose::{Composer, Made};
use hb_dialects::ElementType;

/// x over its norm along an axis; where that is 0, x, which is 0.
pub(super) fn compose_lp_normalization(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let x = c.input(0)?;
    let operator = match c.int("p").unwrap_or(2) {
        1 => "ReduceL1",
        2 => "ReduceL2",
        p => return Err(c.fault(format!("has p = {p}; ONNX defines 1 and 2"))),
    };
    let norm = c.reduce(operator, &x, &[c.int("axis").unwrap_or(-1)], true)?;
    let [zero, one] = [0.0, 1.0].map(|number| c.like(&x, number));
    let is_zero = c.make("Equal", &[&norm, &zero?])?;
    let norm = c.make("Where", &[&is_zero, &one?, &norm])?;
    let result = c.make("Div", &[&x, &norm])?;
    c.give(&[&result])
}

/// x less its mean, over its standard deviation.
pub(super) fn compose_mean_variance_normalization(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let x = c.input(0)?;
    let axes = c.ints("axes").unwrap_or_else(|| vec![0, 2, 3]);
    let mean = c.reduce("ReduceMean", &x, &axes, true)?;
    let centred = c.make("Sub", &[&x, &mean])?;
    let square = c.make("Mul", &[&centred, &centred])?;
    let variance = c.reduce("ReduceMean", &square, &axes, true)?;
    let deviation = c.make("Sqrt", &[&variance])?;
    let epsilon = c.like(&x, 1e-9)?;
    let deviation = c.make("Add", &[&deviation, &epsilon])?;
    let result = c.make("Div", &[&centred, &deviation])?;
    c.give(&[&result])
}

/// The axes from the one that the attribute says to the last.
fn last_axes(c: &Composer, x: &str) -> Result<Vec<i64>, OnnxError> {
    let first = c.axis(x, c.int("axis").unwrap_or(-1))?;
    Ok((first as i64..c.rank(x)? as i64).collect())
}

/// 1 / sqrt(mean of squares + epsilon).
fn inverse_deviation(c: &mut Composer, x: &str, axes: &[i64]) -> Made {
    let square = c.make("Mul", &[x, x])?;
    let mean = c.reduce("ReduceMean", &square, axes, true)?;
    let epsilon = c.like(x, c.float("epsilon").unwrap_or(1e-5).into())?;
    let sum = c.make("Add", &[&mean, &epsilon])?;
    let root = c.make("Sqrt", &[&sum])?;
    c.make("Reciprocal", &[&root])
}

/// The element type in which statistics are computed.
fn stash_element(c: &Composer) -> Result<ElementType, OnnxError> {
    Ok(c.element_attribute("stash_type")?.unwrap_or(ElementType::F32))
}

/// x over the root of the mean of its squares, times the scale.
pub(super) fn compose_rms_normalization(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let (x, scale) = (c.input(0)?, c.input(1)?);
    let element = c.element(&x)?;
    let axes = last_axes(&c, &x)?;
    let x = c.cast(&x, stash_element(&c)?)?;
    let factor = inverse_deviation(&mut c, &x, &axes)?;
    let normalized = c.make("Mul", &[&x, &factor])?;
    let normalized = c.cast(&normalized, element)?;
    let normalized = c.cast(&normalized, c.element(&scale)?)?;
    let result = c.make("Mul", &[&normalized, &scale])?;
    c.give(&[&result])
}

/// LayerNormalization whose mean and inverse deviation are read, too: these are computed beside it.
pub(super) fn compose_layer_normalization(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let x = c.input(0)?;
    let axes = last_axes(&c, &x)?;
    let inputs = c.inputs();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let attributes = c.attributes(&["axis", "epsilon"]);
    let result = c.make_with("LayerNormalization", &inputs, attributes)?;
    let x = c.cast(&x, stash_element(&c)?)?;
    let mean = c.reduce("ReduceMean", &x, &axes, true)?;
    let centred = c.make("Sub", &[&x, &mean])?;
    let inverse = inverse_deviation(&mut c, &centred, &axes)?;
    c.give(&[&result, &mean, &inverse])
}

/// The power of which norms are made.
fn power(c: &Composer) -> Result<i64, OnnxError> {
    match (c.int("p").unwrap_or(2), c.float("p")) {
        (_, Some(p)) => Err(c.fault(format!("has p = {p}, a float, as only opset 1 has it"))),
        (p, None) if p > 0 => Ok(p),
        (p, None) => Err(c.fault(format!("has p = {p}; it must be positive"))),
    }
}

/// |x|^p.
fn powered(c: &mut Composer, x: &str, p: i64) -> Made {
    let magnitude = c.make("Abs", &[x])?;
    match p {
        1 => Ok(magnitude),
        2 => c.make("Mul", &[x, x]),
        _ => {
            let exponent = c.like(x, p as f64)?;
            c.make("Pow", &[&magnitude, &exponent])
        }
    }
}

/// The pth root of a sum.
fn root(c: &mut Composer, sum: &str, p: i64) -> Made {
    match p {
        1 => Ok(sum.to_owned()),
        2 => c.make("Sqrt", &[sum]),
        _ => {
            let exponent = c.like(sum, 1.0 / p as f64)?;
            c.make("Pow", &[sum, &exponent])
        }
    }
}

pub(super) fn compose_global_lp_pool(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let x = c.input(0)?;
    let p = power(&c)?;
    let axes: Vec<i64> = (2..c.rank(&x)? as i64).collect();
    let powers = powered(&mut c, &x, p)?;
    let sum = c.reduce("ReduceSum", &powers, &axes, true)?;
    let result = root(&mut c, &sum, p)?;
    c.give(&[&result])
}

/// The sums of windows are a convolution of each channel with ones. Windows that begin in the input and end behind its padding, as
/// `ceil_mode` has them, get more of it.
pub(super) fn compose_lp_pool(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let x = c.input(0)?;
    let p = power(&c)?;
    let kernel = c.ints("kernel_shape").unwrap_or_default();
    if kernel.len() + 2 != c.rank(&x)? || kernel.iter().any(|size| !(1..=1 << 20).contains(size)) {
        return Err(c.fault(format!("has a kernel_shape of {kernel:?}, its input has rank {}", c.rank(&x)?)));
    }
    let channels = c.known(&x, 1)?;
    let mut attributes = c.attributes(&["strides", "dilations", "pads", "auto_pad"]);
    if c.flag("ceil_mode") && matches!(c.text("auto_pad").as_deref(), None | Some("NOTSET")) {
        attributes.retain(|(name, _)| *name != "pads");
        attributes.push(("pads", Attribute::Ints(ceiled_pads(&c, &x, &kernel)?)));
    }
    attributes.push(("group", Attribute::Int(channels)));
    let shape: Vec<i64> = [channels, 1].iter().chain(&kernel).copied().collect();
    let ones = c.table(c.element(&x)?, &shape, |_| 1.0)?;
    let powers = powered(&mut c, &x, p)?;
    let sum = c.convolve(&[&powers, &ones], attributes)?;
    let result = root(&mut c, &sum, p)?;
    c.give(&[&result])
}

/// Pads with which the last window, which begins in the input or its padding, is whole.
fn ceiled_pads(c: &Composer, x: &str, kernel: &[i64]) -> Result<Vec<i64>, OnnxError> {
    let spatial = kernel.len();
    let ones = || vec![1; spatial];
    let (strides, dilations) = (c.ints("strides").unwrap_or_else(ones), c.ints("dilations").unwrap_or_else(ones));
    let mut pads = c.ints("pads").unwrap_or_else(|| vec![0; 2 * spatial]);
    let is_small = |values: &[i64]| values.iter().all(|value| (0..1 << 31).contains(value));
    if ![&strides, &dilations, &pads].into_iter().all(|values| is_small(values)) {
        return Err(c.fault("has strides, dilations or pads that are negative or too large"));
    }
    for (d, size) in kernel.iter().enumerate() {
        let (Some(&stride), Some(&dilation), Some(&begin), Some(&end)) =
            (strides.get(d), dilations.get(d), pads.get(d), pads.get(spatial + d))
        else {
            return Err(c.fault("has strides, dilations or pads of another rank than its kernel"));
        };
        let input = c.known(x, d + 2)?;
        let window = (size - 1) * dilation + 1;
        let room = input + begin + end - window;
        if stride < 1 || room < 0 {
            return Err(c.fault(format!("has no window in dimension {}", d + 2)));
        }
        let steps = (room + stride - 1) / stride;
        // A window that would begin behind the input is left out.
        let steps = if steps * stride >= input + begin { steps - 1 } else { steps };
        if let Some(pad) = pads.get_mut(spatial + d) {
            *pad = end + (steps * stride - room).max(0);
        }
    }
    Ok(pads)
}
