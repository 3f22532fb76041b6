//! The rules of the `hfloat` dialect: for every operation its result types, what makes it invalid, and what it folds to.
//!
//! A verifier is shape inference plus a comparison with the declared result, so that the rule is written once.

mod bounds;
mod constants;
mod control;
mod conv_transpose;
mod elementwise;
mod indexed;
mod layout;
mod limits;
mod matrix;
mod normalize;
mod operands;
mod operations;
mod quantized;
mod rearrange;
mod recurrent;
mod reduce;
mod resize;
mod resize_samples;
mod result_map;
mod select;
mod window;

pub use bounds::{ResultSize, Source, has_unknown_sizes, says_sizes, size_sources};
pub use control::{NO_TRIP_LIMIT, carried_count, has_faults, missing_shape, region_block, undecided_fault, yielded};
pub use conv_transpose::TransposedWindow;
pub use hb_runtime::routines::RecurrentSizes;
pub use indexed::elements_axis;
pub use layout::{SliceRange, gather_axis, normalize_axis, pad_amounts, slice_ranges, unsqueeze_axes};
pub use operations::{
    Composite, FoldRule, Op, OpKind, ScalarFunction, ShapeRule, StructuredOp, UpgradeRule, YIELD, attributes,
    onnx_operators,
};
pub use rearrange::split_sizes;
pub use recurrent::{recurrent_directions, recurrent_sizes};
pub use reduce::reduced_dimensions;
pub use resize::{Resize, ResizedAxis};
pub use resize_samples::Sample;
pub use result_map::{ResultMap, gives_plain_result, shifts_round};
pub use select::top_k_axis;
pub use window::SlidingWindow;

use crate::{
    hooks::{FoldFunction, Folded},
    ir::{OperationAttributes, TensorType},
};
use melior::ir::{Attribute, OperationRef, ValueLike, operation::OperationLike};

/// The sizes of a tensor as far as they are known.
pub type Dimensions = Option<Vec<Option<u64>>>;

/// The result types that operands and attributes give.
type Infer = fn(OperationRef<'_, '_>) -> Result<Vec<TensorType>, String>;

/// The rule of a family of shapes.
fn shape_rule(rule: ShapeRule) -> Infer {
    match rule {
        ShapeRule::BatchNormalization => matrix::batch_normalization,
        ShapeRule::BitCast => constants::bit_cast,
        ShapeRule::Broadcast => elementwise::binary,
        ShapeRule::Cast => constants::cast,
        ShapeRule::Clip => elementwise::clip,
        ShapeRule::Comparison => elementwise::comparison,
        ShapeRule::Concat => layout::concat,
        ShapeRule::Constant => constants::constant,
        ShapeRule::ConstantOfShape => constants::constant_of_shape,
        ShapeRule::Conv => window::conv,
        ShapeRule::ConvTranspose => conv_transpose::conv_transpose,
        ShapeRule::DepthToSpace => rearrange::depth_to_space,
        ShapeRule::DequantizeLinear => quantized::dequantize_linear,
        ShapeRule::Det => matrix::det,
        ShapeRule::Expand => rearrange::expand,
        ShapeRule::Flatten => layout::flatten,
        ShapeRule::Gather => layout::gather,
        ShapeRule::GatherElements => indexed::gather_elements,
        ShapeRule::GatherNd => indexed::gather_nd,
        ShapeRule::Gemm => matrix::gemm,
        ShapeRule::GlobalPool => window::global_pool,
        ShapeRule::GridSample => indexed::grid_sample,
        ShapeRule::GroupNormalization => normalize::group_normalization,
        ShapeRule::Identity => constants::identity,
        ShapeRule::If => control::branches,
        ShapeRule::InstanceNormalization => normalize::instance_normalization,
        ShapeRule::Integers => elementwise::integers,
        ShapeRule::LayerNormalization => normalize::layer_normalization,
        ShapeRule::Loop => control::repeated,
        ShapeRule::Lrn => normalize::lrn,
        ShapeRule::MatMul => matrix::mat_mul,
        ShapeRule::MaxRoiPool => select::max_roi_pool,
        ShapeRule::NonMaxSuppression => select::non_max_suppression,
        ShapeRule::NonZero => select::non_zero,
        ShapeRule::PRelu => elementwise::p_relu,
        ShapeRule::Pad => layout::pad,
        ShapeRule::Pool => window::pool,
        ShapeRule::PoolIndices => window::pool_indices,
        ShapeRule::PositionOfExtreme => reduce::arg,
        ShapeRule::Pow => elementwise::pow,
        ShapeRule::QuantizeLinear => quantized::quantize_linear,
        ShapeRule::Range => elementwise::range,
        ShapeRule::Recurrent => recurrent::recurrent,
        ShapeRule::Reduce => reduce::reduce,
        ShapeRule::Reshape => layout::reshape,
        ShapeRule::Resize => resize::resize,
        ShapeRule::RoiAlign => select::roi_align,
        ShapeRule::ScatterElements => indexed::scatter_elements,
        ShapeRule::ScatterNd => indexed::scatter_nd,
        ShapeRule::Shape => constants::shape,
        ShapeRule::Slice => layout::slice,
        ShapeRule::Softmax => elementwise::softmax,
        ShapeRule::SpaceToDepth => rearrange::space_to_depth,
        ShapeRule::Split => rearrange::split,
        ShapeRule::Squeeze => rearrange::squeeze,
        ShapeRule::Tile => rearrange::tile,
        ShapeRule::TopK => select::top_k,
        ShapeRule::Transpose => layout::transpose,
        ShapeRule::Unary => elementwise::unary,
        ShapeRule::Unique => select::unique,
        ShapeRule::Unsqueeze => layout::unsqueeze,
        ShapeRule::Where => elementwise::r#where,
    }
}

/// The rule by which an operation folds.
fn fold_rule(rule: FoldRule) -> FoldFunction {
    match rule {
        FoldRule::Constant => constants::fold_constant,
        FoldRule::Pad => layout::fold_pad,
        FoldRule::SameShape => constants::fold_same_shape,
        FoldRule::Slice => layout::fold_slice,
        FoldRule::ToInput => constants::fold_to_input,
        FoldRule::Transpose => layout::fold_transpose,
    }
}

/// The result types of an `hfloat` operation, as exact as its operand types and constant operands allow.
///
/// # Errors
/// The reason why the operation is invalid, worded to follow `'hfloat.name' op `.
pub fn infer_types(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let op = Op::of(operation).ok_or_else(|| format!("'{}' is no operation of hfloat", operation.operation_name()))?;
    let mut types = shape_rule(op.shape_rule())(operation)?;
    bounds::complete(operation, op, &mut types)?;
    Ok(types)
}

/// Checks an operation; the message of an error follows its name.
pub(crate) fn verify(operation: OperationRef<'_, '_>) -> Result<(), String> {
    let inferred = infer_types(operation)?;
    if inferred.len() != operation.result_count() {
        return Err(format!("has {} results; it gives {}", operation.result_count(), inferred.len()));
    }
    for (index, inferred) in inferred.iter().enumerate() {
        let result = operation.result(index).map_err(|error| error.to_string())?;
        let declared = TensorType::from_type(result.r#type()).map_err(|error| error.to_string())?;
        if !compatible(&declared, inferred) {
            let context = operation.context_reference();
            return Err(format!(
                "result {index} is declared {}, but its operands give {}",
                result.r#type(),
                inferred.to_type(context)
            ));
        }
    }
    Ok(())
}

/// What an operation is equal to, if that is known.
pub(crate) fn fold<'c, 'a>(
    operation: OperationRef<'c, 'a>,
    operands: &[Option<Attribute<'c>>],
) -> Option<Folded<'c, 'a>> {
    fold_rule(Op::of(operation)?.fold_rule()?)(operation, operands)
}

/// Whether one tensor can have both types: unknown sizes fit all.
fn compatible(left: &TensorType, right: &TensorType) -> bool {
    if left.element != right.element {
        return false;
    }
    match (&left.dimensions, &right.dimensions) {
        (Some(sizes), Some(others)) => {
            let same = |(left, right): (&Option<u64>, &Option<u64>)| left.is_none() || right.is_none() || left == right;
            sizes.len() == others.len() && sizes.iter().zip(others).all(same)
        }
        _ => true,
    }
}

/// The more exact of two compatible types, dimension by dimension.
pub fn refine(left: &TensorType, right: &TensorType) -> TensorType {
    let dimensions = match (&left.dimensions, &right.dimensions) {
        (Some(left), Some(right)) if left.len() == right.len() => {
            Some(left.iter().zip(right).map(|(left, right)| left.or(*right)).collect())
        }
        (Some(known), _) | (None, Some(known)) => Some(known.clone()),
        (None, None) => None,
    };
    let bounds = match (&left.bounds, &right.bounds) {
        (Some(left), Some(right)) => Some(left.iter().zip(right).map(|(left, right)| *left.min(right)).collect()),
        (left, right) => left.clone().or_else(|| right.clone()),
    };
    let known: Option<Vec<Option<u64>>> = dimensions.clone().filter(|dimensions| dimensions.contains(&None));
    let bounds = known.zip(bounds).map(|(known, bounds): (Vec<Option<u64>>, Vec<u64>)| {
        known.iter().zip(bounds).map(|(size, bound)| size.unwrap_or(bound)).collect()
    });
    TensorType { element: left.element.clone(), dimensions, bounds }
}
