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
    let indices = node.operand(1)?;
    match node.tensor(indices)?.sizes {
        None => node.call(GatherNd { batch_dims, is_counted: false }),
        Some(sizes) => {
            let (data, output) = (node.operand(0)?, node.result_tensor()?);
            node.push_call(GatherNd { batch_dims, is_counted: true }, vec![data, indices, sizes], vec![output])?;
            Ok(vec![output])
        }
    }
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
    node.call(Scatter { places: Places::AlongAxis(axis), reduction: reduction(node.operation)?, is_counted: false })
}

/// ONNX ScatterND-18.
pub(super) fn scatter_nd(node: &mut OperatorNode) -> Results {
    let scatter = |is_counted| -> Result<Scatter, Error> {
        Ok(Scatter { places: Places::Slices, reduction: reduction(node.operation)?, is_counted })
    };
    let [data, indices, updates] = [node.operand(0)?, node.operand(1)?, node.operand(2)?];
    let (Some(rows), Some(own)) = (node.tensor(indices)?.sizes, node.tensor(updates)?.sizes) else {
        let scatter = scatter(false)?;
        return node.call(scatter);
    };
    let (scatter, output) = (scatter(true)?, node.result_tensor()?);
    node.push_call(scatter, vec![data, indices, updates, rows, own], vec![output])?;
    Ok(vec![output])
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
