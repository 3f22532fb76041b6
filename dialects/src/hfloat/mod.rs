//! The rules of the `hfloat` dialect: for every operation its result types, what makes it invalid, and what it folds to.
//!
//! A verifier is shape inference plus a comparison with the declared result, so that the rule is written once.

mod constants;
mod conv_transpose;
mod elementwise;
mod layout;
mod matrix;
mod normalize;
mod operands;
mod operations;
mod rearrange;
mod reduce;
mod resize;
mod resize_samples;
mod window;

pub use conv_transpose::TransposedWindow;
pub use layout::{SliceRange, gather_axis, normalize_axis, pad_amounts, slice_ranges, unsqueeze_axes};
pub use operations::{
    Composite, FoldRule, Op, OpKind, ScalarFunction, ShapeRule, StructuredOp, UpgradeRule, attributes, onnx_operators,
};
pub use rearrange::split_sizes;
pub use reduce::reduced_dimensions;
pub use resize::{Resize, ResizedAxis};
pub use resize_samples::Sample;
pub use window::Window;

use crate::{
    hooks::{FoldFunction, Folded},
    ir::{OperationAttributes, TensorType},
};
use melior::ir::{Attribute, OperationRef, ValueLike};

/// The sizes of a tensor as far as they are known.
pub type Dimensions = Option<Vec<Option<u64>>>;

/// The result types that operands and attributes give.
type Infer = fn(OperationRef<'_, '_>) -> Result<Vec<TensorType>, String>;

/// The rule of a family of shapes.
fn shape_rule(rule: ShapeRule) -> Infer {
    match rule {
        ShapeRule::BatchNormalization => matrix::batch_normalization,
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
        ShapeRule::Expand => rearrange::expand,
        ShapeRule::Flatten => layout::flatten,
        ShapeRule::Gather => layout::gather,
        ShapeRule::Gemm => matrix::gemm,
        ShapeRule::GlobalPool => window::global_pool,
        ShapeRule::GroupNormalization => normalize::group_normalization,
        ShapeRule::Identity => constants::identity,
        ShapeRule::InstanceNormalization => normalize::instance_normalization,
        ShapeRule::LayerNormalization => normalize::layer_normalization,
        ShapeRule::Lrn => normalize::lrn,
        ShapeRule::MatMul => matrix::mat_mul,
        ShapeRule::PRelu => elementwise::p_relu,
        ShapeRule::Pad => layout::pad,
        ShapeRule::Pool => window::pool,
        ShapeRule::PositionOfExtreme => reduce::arg,
        ShapeRule::Pow => elementwise::pow,
        ShapeRule::Range => elementwise::range,
        ShapeRule::Reduce => reduce::reduce,
        ShapeRule::Reshape => layout::reshape,
        ShapeRule::Resize => resize::resize,
        ShapeRule::Shape => constants::shape,
        ShapeRule::Slice => layout::slice,
        ShapeRule::Softmax => elementwise::softmax,
        ShapeRule::SpaceToDepth => rearrange::space_to_depth,
        ShapeRule::Split => rearrange::split,
        ShapeRule::Squeeze => rearrange::squeeze,
        ShapeRule::Tile => rearrange::tile,
        ShapeRule::Transpose => layout::transpose,
        ShapeRule::Unary => elementwise::unary,
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
    shape_rule(op.shape_rule())(operation)
}

/// Checks an operation; the message of an error follows its name.
pub(crate) fn verify(operation: OperationRef<'_, '_>) -> Result<(), String> {
    for (index, inferred) in infer_types(operation)?.iter().enumerate() {
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
        (Some(left), Some(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| left.is_none() || right.is_none() || left == right)
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
    TensorType { element: left.element.clone(), dimensions }
}
