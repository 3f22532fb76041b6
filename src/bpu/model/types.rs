//! BpuElement types and scales that each operator takes.

use super::vector;
use super::verify::{Check, ensure};
use hb_dialects::ir::Affine;

use super::{BpuElement, BpuTensor, Operator, PadMode, TensorScale};

/// How far the scale of an int32 tensor may be from the product it stands for: such scales pass through text.
const PRODUCT_TOLERANCE: f64 = 1e-6;

pub(super) fn check_clamp(operator: &Operator, output: &BpuTensor) -> Check {
    let (Some(clamp), Some(range)) = (operator.clamp(), output.element.range()) else {
        return Ok(());
    };
    ensure(!clamp.is_empty() && range.contains(clamp), || {
        format!("the clamp [{}, {}] is empty or leaves the range of {}", clamp.low, clamp.high, output.element)
    })
}

pub(super) fn check_types(operator: &Operator, operands: &[&BpuTensor], output: &BpuTensor) -> Check {
    match operator {
        Operator::Convolution(convolution) => match operands {
            [x, w, rest @ ..] => check_convolution(x, w, rest.first().copied(), output, convolution.clamp.is_some()),
            _ => Err(operator.miscounted(operands.len())),
        },
        Operator::MatMul { clamp } => {
            let [a, b] = operator.exactly(operands)?;
            activation(a, "the first operand")?;
            activation(b, "the second operand")?;
            symmetric(b, "the second operand")?;
            check_sum_of_products(a, b, output, clamp.is_some())
        }
        Operator::Add { .. } | Operator::Sub { .. } | Operator::Mul { .. } | Operator::PRelu { .. } => {
            let [a, b] = operator.exactly(operands)?;
            activation(a, "the first operand")?;
            activation(b, "the second operand")?;
            activation(output, "the result")
        }
        Operator::AveragePool(_) => {
            let [x] = operator.exactly(operands)?;
            activation(x, "the input")?;
            activation(output, "the result")
        }
        Operator::MaxPool(_) => {
            let [x] = operator.exactly(operands)?;
            activation(x, "the input")?;
            same_type(x, output)
        }
        Operator::Lookup { .. } => {
            let [x] = operator.exactly(operands)?;
            activation(x, "the input")?;
            activation(output, "the result")?;
            ensure(x.element == BpuElement::I8 && output.element == BpuElement::I8, || {
                "a table maps i8 to i8".to_owned()
            })
        }
        Operator::Curve { curve } => {
            let [x] = operator.exactly(operands)?;
            activation(x, "the input")?;
            activation(output, "the result")?;
            ensure(x.element == BpuElement::I16 || output.element == BpuElement::I16, || {
                "a function from i8 to i8 is a table".to_owned()
            })?;
            let least = x.element.range().map_or(0, |range| range.low);
            ensure(i32::from(curve.first()) == least, || {
                format!("its first piece starts at {}, not at the least {}, {least}", curve.first(), x.element)
            })
        }
        Operator::Requantize { .. } => {
            let [x] = operator.exactly(operands)?;
            ensure(x.element.range().is_some() && x.scale.per_tensor().is_some(), || {
                "the input must be integers with one scale".to_owned()
            })?;
            activation(output, "the result")
        }
        Operator::CameraImage { .. } => {
            for plane in operands.iter().filter(|plane| plane.element != BpuElement::U8) {
                same_type(plane, output)?;
            }
            activation(output, "the result")?;
            ensure(output.element == BpuElement::I8, || format!("the result must be i8, not {}", output.element))
        }
        Operator::RoiResize { .. } => {
            let [plane, region] = operator.exactly(operands)?;
            ensure(plane.element == BpuElement::U8, || format!("the plane must be ui8, not {}", plane.element))?;
            ensure(region.element == BpuElement::I32 && region.scale == TensorScale::None, || {
                format!("the region must be i32 without a scale, not {}", region.element)
            })?;
            activation(output, "the result")?;
            ensure(output.element == BpuElement::I8, || format!("the result must be i8, not {}", output.element))
        }
        Operator::Quantize | Operator::Normalize { .. } => {
            let [x] = operator.exactly(operands)?;
            ensure(x.element == BpuElement::F32, || format!("the input must be f32, not {}", x.element))?;
            activation(output, "the result")
        }
        Operator::Vector { axes, program } => vector::check(program, axes, operands, output),
        Operator::Dequantize => {
            let [x] = operator.exactly(operands)?;
            ensure(x.element.range().is_some() && x.scale != TensorScale::None, || {
                "the input must be integers with a scale".to_owned()
            })?;
            ensure(output.element == BpuElement::F32, || format!("the result must be f32, not {}", output.element))
        }
        Operator::Concat { .. } | Operator::Slice { .. } | Operator::Transpose { .. } => {
            check_movement(operator, operands, output)
        }
        Operator::Reshape => {
            check_movement(operator, operands, output)?;
            let [x] = operator.exactly(operands)?;
            ensure(x.element_count() == output.element_count(), || {
                format!("shapes {:?} and {:?} have different numbers of elements", x.shape, output.shape)
            })
        }
        Operator::Pad { mode, .. } => {
            check_movement(operator, operands, output)?;
            let PadMode::Constant(value) = mode else { return Ok(()) };
            // For reals only 0 has the same meaning as an integer and as a number.
            let fits = output.element.range().map_or(*value == 0, |range| (range.low..=range.high).contains(value));
            ensure(fits, || format!("{} cannot hold the padding {value}", output.element))
        }
    }
}

/// The scale of a tensor behind an operator that moves its elements into `shape`; `None` where its scales run along a dimension that is none of
/// the result. Only transposes and reshapes take such scales along.
#[must_use]
pub fn moved_scale(operator: &Operator, x: &BpuTensor, shape: &[usize]) -> Option<TensorScale> {
    let TensorScale::PerChannel { axis, scales } = &x.scale else { return Some(x.scale.clone()) };
    let axis = match operator {
        Operator::Transpose { permutation } => permutation.iter().position(|from| from == axis),
        Operator::Reshape => reshaped_axis(&x.shape, shape, *axis),
        _ => None,
    }?;
    Some(TensorScale::PerChannel { axis, scales: scales.clone() })
}

/// Where a dimension of `from` stands after a reshape to `to`; `None` where it is cut or joined with others.
#[must_use]
pub fn reshaped_axis(from: &[usize], to: &[usize], axis: usize) -> Option<usize> {
    let before = |shape: &[usize], axis: usize| shape.get(..axis).map(|outer| outer.iter().product::<usize>());
    let (outer, size) = (before(from, axis)?, from.get(axis)?);
    (0..to.len()).find(|&to_axis| to.get(to_axis) == Some(size) && before(to, to_axis) == Some(outer))
}

/// Operators that copy: one type in and out.
fn check_movement(operator: &Operator, operands: &[&BpuTensor], output: &BpuTensor) -> Check {
    ensure(output.element != BpuElement::U8, || format!("{} moves no bytes of a camera", operator.name()))?;
    for operand in operands {
        let scale = moved_scale(operator, operand, &output.shape).ok_or_else(|| {
            format!("{} moves no tensor with a scale per channel that does not stay", operator.name())
        })?;
        same_type(&BpuTensor { scale, ..(*operand).clone() }, output)?;
    }
    Ok(())
}

fn check_convolution(
    x: &BpuTensor,
    w: &BpuTensor,
    bias: Option<&BpuTensor>,
    output: &BpuTensor,
    clamped: bool,
) -> Check {
    activation(x, "the input")?;
    ensure(w.element.is_activation(), || format!("the weight must be i8 or i16, not {}", w.element))?;
    symmetric(w, "the weight")?;
    ensure(!matches!(w.scale, TensorScale::PerChannel { axis, .. } if axis != 0), || {
        "the scales of the weight must run along its output channels, axis 0".to_owned()
    })?;
    if let Some(bias) = bias {
        ensure(bias.element == BpuElement::I32, || format!("the bias must be i32, not {}", bias.element))?;
        if bias.scale != TensorScale::None {
            ensure(is_product(x, w, bias), || {
                "the scale of the bias must be that of the input times that of the weight".to_owned()
            })?;
        }
    }
    check_sum_of_products(x, w, output, clamped)
}

/// The result of a sum of products: an activation, or the accumulator itself.
fn check_sum_of_products(a: &BpuTensor, b: &BpuTensor, output: &BpuTensor, clamped: bool) -> Check {
    if output.element != BpuElement::I32 {
        return activation(output, "the result");
    }
    ensure(!clamped, || "an i32 result is the accumulator itself and takes no clamp".to_owned())?;
    ensure(is_product(a, b, output), || {
        "the scale of an i32 result must be the product of the scales of the operands".to_owned()
    })
}

/// Whether the scale of each channel is that of `a` times that of `b`.
fn is_product(a: &BpuTensor, b: &BpuTensor, product: &BpuTensor) -> bool {
    let Some(scale) = a.scale.per_tensor().map(|affine| affine.scale) else {
        return false;
    };
    let channels = match (&b.scale, &product.scale) {
        (TensorScale::PerTensor(_), TensorScale::PerTensor(_)) => 1,
        (TensorScale::PerChannel { scales, .. }, TensorScale::PerChannel { axis, scales: products })
            if axis + 1 == product.shape.len() && scales.len() == products.len() =>
        {
            scales.len()
        }
        _ => return false,
    };
    (0..channels).all(|channel| match (b.scale.of_channel(channel), product.scale.of_channel(channel)) {
        (Some(factor), Some(found)) => (scale * factor - found).abs() <= found * PRODUCT_TOLERANCE,
        _ => false,
    })
}

fn activation(tensor: &BpuTensor, what: &str) -> Check {
    ensure(tensor.element.is_activation(), || format!("{what} must be i8 or i16, not {}", tensor.element))?;
    ensure(tensor.scale.per_tensor().is_some(), || format!("{what} must have one scale for the whole tensor"))
}

/// A factor that is not moved by a zero point when it meets the other one.
fn symmetric(tensor: &BpuTensor, what: &str) -> Check {
    ensure(tensor.scale.zero_point() == 0, || format!("{what} must have the zero point 0"))
}

fn same_type(x: &BpuTensor, y: &BpuTensor) -> Check {
    ensure(x.element == y.element && x.scale == y.scale, || {
        format!("operand and result must have the same type and scale, not {} and {}", type_of(x), type_of(y))
    })
}

fn type_of(tensor: &BpuTensor) -> String {
    match &tensor.scale {
        TensorScale::None => tensor.element.to_string(),
        TensorScale::PerTensor(Affine { scale, zero_point: 0 }) => format!("{}:{scale}", tensor.element),
        TensorScale::PerTensor(Affine { scale, zero_point }) => format!("{}:{scale}:{zero_point}", tensor.element),
        TensorScale::PerChannel { axis, .. } => {
            format!("{} with scales along axis {axis}", tensor.element)
        }
    }
}
