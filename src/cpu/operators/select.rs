//! Operators that sort and select.

use hb_dialects::hfloat::{self, attributes};

use super::super::routines::{NonMaxSuppression, NonZero, TopK};
use super::Definition;
use super::node::{Node, Results};

pub(super) const OPERATORS: &[Definition] = &[
    ("hfloat.top_k", top_k),
    ("hfloat.non_zero", |node| node.call(NonZero)),
    ("hfloat.non_max_suppression", non_max_suppression),
];

/// ONNX TopK-11. The results are ordered whether `sorted` asks for it or not.
fn top_k(node: &mut Node) -> Results {
    let axis = hfloat::top_k_axis(node.operation).map_err(|reason| node.invalid(reason))?;
    let largest = attributes::largest(node.operation)?;
    node.call(TopK { axis, largest })
}

/// ONNX NonMaxSuppression-11.
fn non_max_suppression(node: &mut Node) -> Results {
    let center_point_box = attributes::center_point_box(node.operation)?;
    node.call(NonMaxSuppression { center_point_box })
}
