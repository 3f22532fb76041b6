//! Operators that read or write at places that are data.

use hb_dialects::hfloat::{attributes, elements_axis};
use hb_runtime::routines::{GatherNd, GridSample, Interpolation, Outside, Places, Reduction, Scatter};
use melior::ir::OperationRef;

use super::super::error::Error;
use super::node::{OperatorNode, Results};

/// ONNX GatherND-13.
pub(super) fn gather_nd(node: &mut OperatorNode) -> Results {
    let batch_dims = attributes::batch_dims(node.operation)?;
    let batch_dims = usize::try_from(batch_dims).map_err(|_| node.invalid("has a negative batch_dims"))?;
    node.call(GatherNd { batch_dims })
}

fn reduction(operation: OperationRef<'_, '_>) -> Result<Reduction, Error> {
    Ok(match attributes::reduction(operation)? {
        "add" => Reduction::Add,
        "mul" => Reduction::Multiply,
        "max" => Reduction::Maximum,
        "min" => Reduction::Minimum,
        _ => Reduction::Last,
    })
}

/// ONNX ScatterElements-18.
pub(super) fn scatter_elements(node: &mut OperatorNode) -> Results {
    let axis = elements_axis(node.operation).map_err(|reason| node.invalid(reason))?;
    node.call(Scatter { places: Places::AlongAxis(axis), reduction: reduction(node.operation)? })
}

/// ONNX ScatterND-18.
pub(super) fn scatter_nd(node: &mut OperatorNode) -> Results {
    node.call(Scatter { places: Places::Slices, reduction: reduction(node.operation)? })
}

/// ONNX GridSample-22.
pub(super) fn grid_sample(node: &mut OperatorNode) -> Results {
    let interpolation = match attributes::mode(node.operation)? {
        "nearest" => Interpolation::Nearest,
        "cubic" => Interpolation::Cubic,
        _ => Interpolation::Linear,
    };
    let outside = match attributes::padding_mode(node.operation)? {
        "border" => Outside::Border,
        "reflection" => Outside::Reflection,
        _ => Outside::Zeros,
    };
    node.call(GridSample { interpolation, outside, align_corners: attributes::align_corners(node.operation)? })
}
