//! Conv.

use super::super::error::OnnxError;
use super::super::model::Node;
use super::super::normalize::Rewriter;
use super::rule::{Kind, Operator, ResultElement, attribute, inputs};
use super::shape;
use super::window::{AUTO_PAD, ints, make_explicit};

pub const OPERATORS: &[Operator] = &[Operator {
    name: "Conv",
    dialect: "hfloat.conv",
    versions: &[1, 11, 22],
    inputs: &[inputs(2, 3)],
    attributes: &[
        attribute("auto_pad", AUTO_PAD).string("NOTSET"),
        attribute("dilations", Kind::Ints),
        attribute("group", Kind::Int).int(1),
        // That of the weights.
        attribute("kernel_shape", Kind::Ints).consumed(),
        attribute("pads", Kind::Ints),
        attribute("strides", Kind::Ints),
    ],
    results: &[ResultElement::Input(0)],
    shape: shape::convolution,
    adapt,
}];

fn adapt(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let kernel = ints(&node, "kernel_shape").map(<[i64]>::to_vec);
    let weight = rewriter.shape(&node, 1).cloned();
    let rank = match (&weight, &kernel) {
        (Some(weight), _) => weight.len(),
        (None, Some(kernel)) => kernel.len() + 2,
        (None, None) => rewriter.rank(&node, 0)?,
    };
    let Some(spatial) = rank.checked_sub(2) else {
        return Err(OnnxError::node(&node, format!("its weights have {rank} dimensions, at least 3 are needed")));
    };
    if let (Some(kernel), Some(weight)) = (&kernel, &weight) {
        let sizes = weight.iter().skip(2);
        let agrees = |(given, size): (&i64, &Option<usize>)| size.is_none_or(|size| i64::try_from(size) == Ok(*given));
        if kernel.len() != spatial || !kernel.iter().zip(sizes).all(agrees) {
            return Err(OnnxError::node(&node, format!("kernel_shape {kernel:?} is not that of its weights")));
        }
    }
    make_explicit(&mut node, spatial)?;
    node.take_attribute("kernel_shape");
    rewriter.push(node)
}
