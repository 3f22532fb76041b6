//! LogSoftmax, Hardmax, and the losses that are made of the former.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::compose::{Composer, Made};

/// An operator along an axis that, before opset 13, sees its input as a matrix whose second dimension holds those from `axis` on.
fn along_axis(c: &mut Composer, body: impl FnOnce(&mut Composer, &str, i64) -> Made) -> Made {
    let x = c.input(0)?;
    if c.opset() >= 13 {
        return body(c, &x, c.int("axis").unwrap_or(-1));
    }
    let axis = c.int("axis").unwrap_or(1);
    let shape = c.make("Shape", &[&x])?;
    let matrix = c.make_with("Flatten", &[&x], vec![("axis", Attribute::Int(axis))])?;
    let result = body(c, &matrix, 1)?;
    c.make("Reshape", &[&result, &shape])
}

/// x - max, less the logarithm of the sum of its exponentials.
fn log_softmax(c: &mut Composer, x: &str, axis: i64) -> Made {
    let element = c.element(x)?;
    let x = c.widened(x)?;
    let largest = c.reduce("ReduceMax", &x, &[axis], true)?;
    let shifted = c.make("Sub", &[&x, &largest])?;
    let powers = c.make("Exp", &[&shifted])?;
    let sum = c.reduce("ReduceSum", &powers, &[axis], true)?;
    let logarithm = c.make("Log", &[&sum])?;
    let result = c.make("Sub", &[&shifted, &logarithm])?;
    c.cast(&result, element)
}

pub(super) fn compose_log_softmax(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let result = along_axis(&mut c, log_softmax)?;
    c.give(&[&result])
}

/// 1 at the first of the largest elements, 0 elsewhere.
pub(super) fn compose_hardmax(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let result = along_axis(&mut c, |c, x, axis| {
        let first =
            c.make_with("ArgMax", &[x], vec![("axis", Attribute::Int(axis)), ("keepdims", Attribute::Int(1))])?;
        let positions = c.positions(x, c.axis(x, axis)?)?;
        let is_first = c.make("Equal", &[&positions, &first])?;
        c.cast(&is_first, c.element(x)?)
    })?;
    c.give(&[&result])
}

pub(super) fn compose_negative_log_likelihood(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let scores = c.input(0)?;
    let loss = negative_log_likelihood(&mut c, &scores)?;
    c.give(&[&loss])
}

pub(super) fn compose_softmax_cross_entropy(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let scores = c.input(0)?;
    let log_prob = log_softmax(&mut c, &scores, 1)?;
    let loss = negative_log_likelihood(&mut c, &log_prob)?;
    c.give(&[&loss, &log_prob])
}

/// The negative of the score `[N, C, ...]` of the target `[N, ...]`, times the weight of its class; 0 where the target is ignored.
/// The mean is that of the weights.
fn negative_log_likelihood(c: &mut Composer, scores: &str) -> Made {
    let element = c.element(scores)?;
    let (scores, mut target) = (c.widened(scores)?, c.input(1)?);
    let zero = c.like(&scores, 0.0)?;
    let mut ignored = None;
    if let Some(index) = c.int("ignore_index") {
        let index = c.like(&target, index as f64)?;
        let is_ignored = c.make("Equal", &[&target, &index])?;
        let first = c.like(&target, 0.0)?;
        target = c.make("Where", &[&is_ignored, &first, &target])?;
        ignored = Some(is_ignored);
    }
    let classes = c.unsqueeze(&target, &[1])?;
    let of_target = c.make_with("GatherElements", &[&scores, &classes], vec![("axis", Attribute::Int(1))])?;
    let of_target = c.squeeze(&of_target, &[1])?;
    let mut loss = c.make("Neg", &[&of_target])?;
    let mut weights = match c.optional(2) {
        Some(weights) => {
            let weights = c.widened(&weights)?;
            Some(c.gather(&weights, &target, 0)?)
        }
        None => None,
    };
    if let Some(weights) = &weights {
        loss = c.make("Mul", &[&loss, weights])?;
    }
    if let Some(is_ignored) = &ignored {
        loss = c.make("Where", &[is_ignored, &zero, &loss])?;
        let all = match weights {
            Some(weights) => weights,
            None => c.like(&scores, 1.0)?,
        };
        weights = Some(c.make("Where", &[is_ignored, &zero, &all])?);
    }
    let loss = match (c.text("reduction").as_deref(), weights) {
        (Some("none"), _) => loss,
        (Some("sum"), _) => c.reduce("ReduceSum", &loss, &[], false)?,
        (_, None) => c.reduce("ReduceMean", &loss, &[], false)?,
        (_, Some(weights)) => {
            let [loss, weights] = [loss, weights].map(|value| c.reduce("ReduceSum", &value, &[], false));
            c.make("Div", &[&loss?, &weights?])?
        }
    };
    c.cast(&loss, element)
}
