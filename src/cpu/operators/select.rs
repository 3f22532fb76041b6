//! Operators that sort and select.

use hb_dialects::hfloat::{self, attributes};
use hb_runtime::routines::{MaxRoiPool, NonMaxSuppression, NonZero, RoiAlign, TopK, Unique};

use super::node::{OperatorNode, Results};

/// ONNX TopK-11. The results are ordered whether `sorted` asks for it or not.
pub(super) fn top_k(node: &mut OperatorNode) -> Results {
    let axis = hfloat::top_k_axis(node.operation).map_err(|reason| node.invalid(reason))?;
    let largest = attributes::largest(node.operation)?;
    node.call(TopK { axis, largest, bounded: node.bounded_operands() })
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
    node.call(NonMaxSuppression { center_point_box, bounded: node.bounded_operands() })
}

/// ONNX Unique-11.
pub(super) fn unique(node: &mut OperatorNode) -> Results {
    let rank = node.shape(node.operand(0)?)?.len();
    let axis = attributes::axis(node.operation)?;
    let axis = hfloat::normalize_axis(axis, rank).map_err(|reason| node.invalid(reason))?;
    node.call(Unique { axis, sorted: attributes::sorted(node.operation)? })
}

/// ONNX RoiAlign-22.
pub(super) fn roi_align(node: &mut OperatorNode) -> Results {
    let operation = node.operation;
    let sampling_ratio = attributes::sampling_ratio(operation)?;
    let sampling_ratio = usize::try_from(sampling_ratio).ok().filter(|ratio| *ratio <= 1 << 16);
    let sampling_ratio =
        sampling_ratio.ok_or_else(|| node.invalid("has a sampling_ratio that is negative or too large"))?;
    node.call(RoiAlign {
        is_maximum: attributes::mode(operation)? == "max",
        half_pixel: attributes::coordinate_transformation_mode(operation)? == "half_pixel",
        sampling_ratio,
        spatial_scale: attributes::spatial_scale(operation)? as f32,
    })
}
