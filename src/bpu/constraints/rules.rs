//! The constraints, and which operator has which.

use super::{Constraint, Known, NodeContext};
use crate::bpu::model::{
    AveragePool, BpuElement, BpuTensor, MAX_RANK, MAX_TENSOR_BYTES, Operator, TensorScale, average_pool_counts,
    moved_scale, vector_frame,
};
use crate::numerics::{
    MAX_ROW, MAX_VECTOR_OPERANDS, Multiplier, SumMultipliers, accumulator_bound, accumulator_fits, average_multiplier,
};
use hb_dialects::bpu::Op;

const RANK: Constraint = Constraint { sentence: "Every tensor has a rank of at most 6.", check: rank };
const SIZE: Constraint =
    Constraint { sentence: "Every tensor has at least one element and takes at most 2 GiB.", check: size };
const WELL_FORMED: Constraint = Constraint {
    sentence: "Attributes, shapes, element types and scales of operands and result fit the operator.",
    check: well_formed,
};
const ACTIVATIONS: Constraint =
    Constraint { sentence: "Activations are int8 or int16 with one scale for the whole tensor.", check: activations };
const IMAGES: Constraint =
    Constraint { sentence: "Input and weight have rank 4: images with one or two spatial dimensions.", check: images };
const CONSTANT_WEIGHTS: Constraint =
    Constraint { sentence: "The weight is a constant of int8, the bias a constant of int32.", check: constant_weights };
const CONVOLUTION_ACCUMULATOR: Constraint = Constraint {
    sentence: "The 32-bit accumulator cannot overflow: of every output channel, the sum of the magnitudes of the weights \
                   times 128 (int8 input) or 32768 (int16 input), plus that of the bias, is at most 2^31 - 1.",
    check: convolution_accumulator,
};
const CONVOLUTION_RATIO: Constraint = Constraint {
    sentence: "For every output channel the scale of the input times that of the weight over that of the result lies \
                   in [2^-32, 2^31).",
    check: convolution_ratio,
};
const INT8_FACTOR: Constraint = Constraint {
    sentence: "The second operand is int8.",
    check: |context| context.operand(1).is_none_or(|b| b.element == BpuElement::I8),
};
const MATMUL_ACCUMULATOR: Constraint = Constraint {
    sentence: "The 32-bit accumulator cannot overflow: the number of products times the largest magnitudes of both \
                   operands (their actual values, where constant) is at most 2^31 - 1.",
    check: matmul_accumulator,
};
const PRODUCT_RATIO: Constraint = Constraint {
    sentence: "The product of the scales of the operands over that of the result lies in [2^-32, 2^31).",
    check: product_ratio,
};
const SUM_RATIO: Constraint = Constraint {
    sentence: "The larger scale of the operands over that of the result lies in [2^-32, 2^31).",
    check: sum_ratio,
};
const REQUANTIZE_RATIO: Constraint = Constraint {
    sentence: "The scale of the input over that of the result lies in [2^-32, 2^31).",
    check: requantize_ratio,
};
const AVERAGE_SUM: Constraint = Constraint {
    sentence: "The sum of a window cannot overflow 32 bits: at most 16777215 cells of int8 or 65535 of int16.",
    check: average_sum,
};
const AVERAGE_RATIO: Constraint = Constraint {
    sentence: "The scale of the input over that of the result and the number of cells lies in [2^-32, 2^31).",
    check: average_ratio,
};
const WINDOWS: Constraint =
    Constraint { sentence: "Every window contains at least one cell of the input.", check: windows };
const INT8: Constraint = Constraint {
    sentence: "Input and result are int8.",
    check: |context| context.tensors().all(|tensor| tensor.element == BpuElement::I8),
};
const CURVE: Constraint = Constraint {
    sentence: "Input and result are int8 or int16 with one scale; one of the two is int16.",
    check: |context| {
        context.tensors().all(is_activation) && context.tensors().any(|tensor| tensor.element == BpuElement::I16)
    },
};
const SAME_TYPE: Constraint = Constraint {
    sentence: "Operands and result have the same element type and the same single scale.",
    check: same_type,
};
const MOVED_TYPE: Constraint = Constraint {
    sentence: "Operand and result have the same element type and the same scales; scales along a dimension go with it.",
    check: moved_type,
};
const QUANTIZE: Constraint =
    Constraint { sentence: "The input is float32, the result int8 or int16 with one scale.", check: quantize };
const NORMALIZE: Constraint = Constraint {
    sentence: "The input is float32, the result int8 or int16 with one scale; means and factors are finite.",
    check: |context| quantize(context) && finite_normalization(context),
};
const DEQUANTIZE: Constraint = Constraint {
    sentence: "The input is int8, int16 or int32 with one scale, or one per index of an axis; the result is float32.",
    check: dequantize,
};
const VECTOR: Constraint = Constraint {
    sentence: "There are 1 to 6 operands; operands and result are float32 or float16, or int8 or int16 with one scale for the whole tensor.",
    check: |context| {
        let number = |tensor: &BpuTensor| tensor.element.is_real() || is_activation(tensor);
        (1..=MAX_VECTOR_OPERANDS).contains(&context.node.inputs.len()) && context.tensors().all(number)
    },
};
const VECTOR_ROW: Constraint = Constraint {
    sentence: "A row whose elements are combined (summed, for instance) has at most 131072 elements, which local memory holds as a whole.",
    check: vector_row,
};

const CAMERA_IMAGE: Constraint = Constraint {
    sentence: "The result is int8 with one scale; the planes are uint8, or of the type of the result.",
    check: |context| {
        let planes = || context.node.inputs.iter().filter_map(|id| context.segment.tensor(*id));
        let fits = |x: &BpuTensor, y: &BpuTensor| {
            x.element == BpuElement::U8 || (x.element, &x.scale) == (y.element, &y.scale)
        };
        context.result().is_none_or(|y| is_activation(y) && y.element == BpuElement::I8 && planes().all(|x| fits(x, y)))
    },
};

const ROI_RESIZE: Constraint = Constraint {
    sentence: "The plane is uint8, its region four int32, the result int8 with one scale.",
    check: |context| {
        context.operand(0).is_none_or(|plane| plane.element == BpuElement::U8)
            && context.operand(1).is_none_or(|region| region.element == BpuElement::I32)
            && context.result().is_none_or(|y| is_activation(y) && y.element == BpuElement::I8)
    },
};

/// What must hold for every operator.
pub(super) const GENERAL: &[Constraint] = &[RANK, SIZE, WELL_FORMED];

/// What must hold for an operator beside that.
pub(super) const fn of(op: Op) -> &'static [Constraint] {
    match op {
        // They compute nothing.
        Op::Yield | Op::Segment | Op::Constant => &[],
        Op::Conv2D => &[ACTIVATIONS, IMAGES, CONSTANT_WEIGHTS, CONVOLUTION_ACCUMULATOR, CONVOLUTION_RATIO],
        Op::MatMul => &[ACTIVATIONS, INT8_FACTOR, MATMUL_ACCUMULATOR, PRODUCT_RATIO],
        Op::Add | Op::Sub => &[ACTIVATIONS, SUM_RATIO],
        Op::Mul => &[ACTIVATIONS, PRODUCT_RATIO],
        Op::PRelu => &[ACTIVATIONS, REQUANTIZE_RATIO, PRODUCT_RATIO],
        Op::Requantize => &[REQUANTIZE_RATIO],
        Op::Lookup => &[INT8],
        Op::Curve => &[CURVE],
        Op::MaxPool => &[ACTIVATIONS, WINDOWS, SAME_TYPE],
        Op::AveragePool => &[ACTIVATIONS, AVERAGE_SUM, AVERAGE_RATIO, WINDOWS],
        Op::CameraImage => &[CAMERA_IMAGE],
        Op::RoiResize => &[ROI_RESIZE],
        Op::Concat | Op::Slice | Op::Pad => &[SAME_TYPE],
        Op::Transpose | Op::Reshape => &[MOVED_TYPE],
        Op::Quantize => &[QUANTIZE],
        Op::Normalize => &[NORMALIZE],
        Op::Vector => &[VECTOR, VECTOR_ROW],
        Op::Dequantize => &[DEQUANTIZE],
    }
}

fn rank(context: &NodeContext) -> bool {
    context.tensors().all(|tensor| tensor.shape.len() <= MAX_RANK)
}

fn size(context: &NodeContext) -> bool {
    context.tensors().all(|tensor| tensor.byte_count().is_some_and(|bytes| (1..=MAX_TENSOR_BYTES).contains(&bytes)))
}

fn well_formed(context: &NodeContext) -> bool {
    context.segment.verify_node(context.node).is_ok() && context.tensors().all(|tensor| tensor.verify().is_ok())
}

fn is_activation(tensor: &BpuTensor) -> bool {
    tensor.element.is_activation() && tensor.scale.per_tensor().is_some()
}

fn activations(context: &NodeContext) -> bool {
    let inputs = if matches!(context.node.operator, Operator::Convolution(_)) { 1 } else { 2 };
    let sums = matches!(context.node.operator, Operator::Convolution(_) | Operator::MatMul { .. });
    (0..inputs).filter_map(|index| context.operand(index)).all(is_activation)
        // An int32 result is the unscaled accumulator.
        && context.result().is_none_or(|y| is_activation(y) || (sums && y.element == BpuElement::I32))
}

fn images(context: &NodeContext) -> bool {
    [0, 1].iter().filter_map(|index| context.operand(*index)).all(|tensor| tensor.shape.len() == 4)
}

fn constant_weights(context: &NodeContext) -> bool {
    let constant = |index, element| {
        context.operand(index).is_none_or(|tensor| context.is_constant(index) && tensor.element == element)
    };
    constant(1, BpuElement::I8) && constant(2, BpuElement::I32)
}

/// The integers of a constant.
fn values(tensor: &BpuTensor) -> Option<Vec<i32>> {
    let data = tensor.data.as_ref()?;
    Some(match tensor.element {
        BpuElement::I8 => data.iter().map(|byte| i32::from(*byte as i8)).collect(),
        BpuElement::I16 => data.as_chunks::<2>().0.iter().map(|bytes| i16::from_le_bytes(*bytes).into()).collect(),
        BpuElement::I32 => data.as_chunks::<4>().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect(),
        BpuElement::F32 | BpuElement::F16 | BpuElement::U8 => return None,
    })
}

fn convolution_accumulator(context: &NodeContext) -> bool {
    let (Some(x), Some(w)) = (context.operand(0), context.operand(1)) else { return true };
    let bias = context.operand(2).and_then(values).unwrap_or_default();
    let Some(weights) = values(w) else {
        let largest =
            w.shape.iter().skip(1).fold(u64::from(w.element.magnitude()), |sum, size| sum.saturating_mul(*size as u64));
        let bias = bias.iter().map(|bias| u64::from(bias.unsigned_abs())).max().unwrap_or(0);
        let bound = largest.saturating_mul(x.magnitude().into()).saturating_add(bias);
        return context.known != Known::Scales || accumulator_fits(bound);
    };
    let Some(&filters) = w.shape.first() else { return true };
    if filters == 0 || weights.len() < filters {
        return true;
    }
    weights.chunks(weights.len() / filters).enumerate().all(|(filter, weights)| {
        let bias = bias.get(filter).copied().unwrap_or(0);
        accumulator_fits(accumulator_bound(weights.iter().copied(), x.magnitude(), bias))
    })
}

fn convolution_ratio(context: &NodeContext) -> bool {
    let (Some(x), Some(w), Some(y)) = (context.operand(0), context.operand(1), context.result()) else { return true };
    let (Some(s_x), Some(s_y)) = (one_scale(x), one_scale(y)) else { return true };
    if y.element == BpuElement::I32 {
        return true;
    }
    match &w.scale {
        TensorScale::None => true,
        TensorScale::PerTensor(w) => Multiplier::of_product(s_x, w.scale, s_y).is_ok(),
        TensorScale::PerChannel { scales, .. } => {
            scales.iter().all(|s_w| Multiplier::of_product(s_x, *s_w, s_y).is_ok())
        }
    }
}

/// The scale of a tensor that has one.
fn one_scale(tensor: &BpuTensor) -> Option<f64> {
    tensor.scale.per_tensor().map(|affine| affine.scale)
}

/// The scales of both operands and the result.
fn three_scales(context: &NodeContext) -> Option<[f64; 3]> {
    let scale = |tensor: Option<&BpuTensor>| tensor.and_then(one_scale);
    Some([scale(context.operand(0))?, scale(context.operand(1))?, scale(context.result())?])
}

fn matmul_accumulator(context: &NodeContext) -> bool {
    let (Some(a), Some(b)) = (context.operand(0), context.operand(1)) else { return true };
    let magnitude = |tensor: &BpuTensor| match values(tensor) {
        Some(values) => {
            let zero_point = tensor.scale.zero_point();
            values.iter().map(|value| u64::from(value.abs_diff(zero_point))).max().unwrap_or(0)
        }
        None => u64::from(tensor.magnitude()),
    };
    // A constant whose values are not known yet may have small ones.
    let unknown = |index: usize, tensor: &BpuTensor| context.is_constant(index) && tensor.data.is_none();
    if context.known == Known::Types && (unknown(0, a) || unknown(1, b)) {
        return true;
    }
    let terms = a.shape.last().map_or(0, |terms| *terms as u64);
    accumulator_fits(terms.saturating_mul(magnitude(a)).saturating_mul(magnitude(b)))
}

fn product_ratio(context: &NodeContext) -> bool {
    if context.result().is_some_and(|y| y.element == BpuElement::I32) {
        return true;
    }
    three_scales(context).is_none_or(|[s_a, s_b, s_y]| Multiplier::of_product(s_a, s_b, s_y).is_ok())
}

fn sum_ratio(context: &NodeContext) -> bool {
    three_scales(context).is_none_or(|[s_a, s_b, s_y]| SumMultipliers::add(s_a, s_b, s_y).is_ok())
}

fn requantize_ratio(context: &NodeContext) -> bool {
    let scale = |tensor: Option<&BpuTensor>| tensor.and_then(one_scale);
    match (scale(context.operand(0)), scale(context.result())) {
        (Some(s_x), Some(s_y)) => Multiplier::of_change(s_x, s_y).is_ok(),
        _ => true,
    }
}

/// The numbers of cells that windows sum, and those that they divide by.
fn average_counts(context: &NodeContext, pool: &AveragePool) -> Option<(usize, Vec<usize>)> {
    let [mut rows, mut columns] = average_pool_counts(&context.operand(0)?.shape, pool).ok()?;
    for counts in [&mut rows, &mut columns] {
        counts.sort_unstable();
        counts.dedup();
    }
    let largest = rows.last()?.checked_mul(*columns.last()?)?;
    let divisors = if pool.count_include_pad {
        vec![pool.kernel[0].checked_mul(pool.kernel[1])?]
    } else {
        rows.iter().flat_map(|r| columns.iter().map(move |c| r.saturating_mul(*c))).collect()
    };
    Some((largest, divisors))
}

fn average_sum(context: &NodeContext) -> bool {
    let (Operator::AveragePool(pool), Some(x)) = (&context.node.operator, context.operand(0)) else { return true };
    average_counts(context, pool)
        .is_none_or(|(largest, _)| accumulator_fits((largest as u64).saturating_mul(x.magnitude().into())))
}

fn average_ratio(context: &NodeContext) -> bool {
    let (Operator::AveragePool(pool), Some(x), Some(y)) =
        (&context.node.operator, context.operand(0), context.result())
    else {
        return true;
    };
    let (Some(s_x), Some(s_y)) = (one_scale(x), one_scale(y)) else { return true };
    average_counts(context, pool).is_none_or(|(_, divisors)| {
        divisors
            .iter()
            .all(|count| u32::try_from(*count).is_ok_and(|count| average_multiplier(s_x, s_y, count).is_ok()))
    })
}

fn windows(context: &NodeContext) -> bool {
    let Some(x) = context.operand(0) else { return true };
    crate::bpu::model::output_shape(&context.node.operator, &[&x.shape]).is_ok()
}

fn same_type(context: &NodeContext) -> bool {
    let mut tensors = context.tensors();
    let Some(first) = tensors.next() else { return true };
    !matches!(first.scale, TensorScale::PerChannel { .. })
        && tensors.all(|tensor| tensor.element == first.element && tensor.scale == first.scale)
}

fn moved_type(context: &NodeContext) -> bool {
    let (Some(x), Some(y)) = (context.operand(0), context.result()) else { return true };
    x.element == y.element && moved_scale(&context.node.operator, x, &y.shape).as_ref() == Some(&y.scale)
}

fn quantize(context: &NodeContext) -> bool {
    context.operand(0).is_none_or(|x| x.element == BpuElement::F32) && context.result().is_none_or(is_activation)
}

fn vector_row(context: &NodeContext) -> bool {
    let Operator::Vector { axes, program } = &context.node.operator else { return true };
    let operands: Vec<&[usize]> =
        (0..context.node.inputs.len()).filter_map(|index| Some(context.operand(index)?.shape.as_slice())).collect();
    !program.reduces() || vector_frame(&operands, axes).map_or(true, |frame| frame.row <= MAX_ROW)
}

fn finite_normalization(context: &NodeContext) -> bool {
    let Operator::Normalize { mean, factor, .. } = &context.node.operator else { return true };
    mean.iter().chain(factor).all(|number| number.is_finite())
}

fn dequantize(context: &NodeContext) -> bool {
    context.operand(0).is_none_or(|x| x.element.range().is_some() && x.scale != TensorScale::None)
        && context.result().is_none_or(|y| y.element == BpuElement::F32)
}
