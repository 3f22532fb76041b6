//! Operators that sort and select.

use hb_dialects::hfloat::{self, attributes};

use super::super::routines::{MaxRoiPool, NonMaxSuppression, NonZero, TopK};
use super::node::{OperatorNode, Results};

/// ONNX TopK-11. The results are ordered whether `sorted` asks for it or not.
pub(super) fn top_k(node: &mut OperatorNode) -> Results {
    let axis = hfloat::top_k_axis(node.operation).map_err(|reason| node.invalid(reason))?;
    let largest = attributes::largest(node.operation)?;
    node.call(TopK { axis, largest })
}

/// ONNX NonZero-13.
pub(super) fn non_zero(node: &mut OperatorNode) -> Results {
    node.call(NonZero)
}

/// ONNX MaxRoiPool-22.
pub(super) fn max_roi_pool(node: &mut OperatorNode) -> Results {
    let spatial_scale = attributes::spatial_scale(node.operation)? as f32;
    node.call(MaxRoiPool { spatial_scale })
}

/// ONNX NonMaxSuppression-11.
pub(super) fn non_max_suppression(node: &mut OperatorNode) -> Results {
    let center_point_box = attributes::center_point_box(node.operation)?;
    node.call(NonMaxSuppression { center_point_box })
}
