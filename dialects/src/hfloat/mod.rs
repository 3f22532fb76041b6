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
mod rearrange;
mod reduce;
mod resize;
mod resize_samples;
mod window;

pub use conv_transpose::TransposedWindow;
pub use layout::{SliceRange, gather_axis, normalize_axis, pad_amounts, slice_ranges, unsqueeze_axes};
pub use rearrange::split_sizes;
pub use reduce::reduced_dimensions;
pub use resize::{Resize, ResizedAxis};
pub use resize_samples::Sample;
pub use window::Window;

use crate::{
    hooks::{FoldFunction, Rules},
    ir::{OperationAttributes, TensorType},
};
use melior::ir::{OperationRef, ValueLike};

/// The sizes of a tensor as far as they are known.
pub type Dimensions = Option<Vec<Option<u64>>>;

/// The result types that operands and attributes give.
type Infer = fn(OperationRef<'_, '_>) -> Result<Vec<TensorType>, String>;

/// The rules of one operation of the dialect.
struct Definition {
    name: &'static str,
    infer: Infer,
    fold: Option<FoldFunction>,
}

impl Definition {
    const fn new(name: &'static str, infer: Infer) -> Self {
        Self { name, infer, fold: None }
    }

    const fn foldable(name: &'static str, infer: Infer, fold: FoldFunction) -> Self {
        Self { name, infer, fold: Some(fold) }
    }
}

const DEFINITIONS: &[&[Definition]] = &[
    constants::DEFINITIONS,
    conv_transpose::DEFINITIONS,
    elementwise::DEFINITIONS,
    layout::DEFINITIONS,
    matrix::DEFINITIONS,
    normalize::DEFINITIONS,
    rearrange::DEFINITIONS,
    resize::DEFINITIONS,
    reduce::DEFINITIONS,
    window::DEFINITIONS,
];

fn definition(name: &str) -> Option<&'static Definition> {
    DEFINITIONS.iter().copied().flatten().find(|definition| definition.name == name)
}

pub(crate) fn rules() -> impl Iterator<Item = Rules> {
    DEFINITIONS.iter().copied().flatten().map(|definition| Rules {
        name: definition.name,
        verify,
        fold: definition.fold,
    })
}

/// The result types of an `hfloat` operation, as exact as its operand types and constant operands allow.
///
/// # Errors
/// The reason why the operation is invalid, worded to follow `'hfloat.name' op `.
pub fn infer_types(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let name = operation.operation_name();
    let definition = definition(&name).ok_or_else(|| format!("'{name}' has no shape rule"))?;
    (definition.infer)(operation)
}

fn verify(operation: OperationRef<'_, '_>) -> Result<(), String> {
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
