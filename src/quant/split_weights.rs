//! `quant-split-weights`: weights of 16 bits, as the sum of two layers whose weights have 8 each.
//!
//! A layer is linear in its weights. The first of the two has the weights rounded to the grid of int8 that the largest of each scale spans, the
//! second what the rounding left, on a grid of its own that is at least 254 times as fine. So every level computes it with what it has, exact to the bit.

use super::{
    info::QuantInfo,
    linear::{LinearLayer, weights_of},
    round_weights::{nearest, weights_on_grid},
    rules::{ResultScale, rule_of},
};
use crate::float::constant_before;
use hb_dialects::{
    hfloat::Op,
    ir::{self, Constant, IrError, Names, OperationAttributes, attribute},
    names::{OVER_STEPS, PART, SUM_OF_PARTS},
    pass::{OptionDefinition, PassDefinition, PassFailure, PassOptions},
};
use melior::ir::{Attribute, OperationRef, Value, ValueLike, operation::OperationLike};
use std::collections::BTreeSet;

/// The pass.
pub static PASS: PassDefinition = PassDefinition {
    argument: "quant-split-weights",
    summary: "Make layers whose weights shall have 16 bits the sum of two",
    description: "Reads `{prefix}_quant_info.json`. Each convolution, transposed convolution or Gemm that its `wide_weights` name becomes two, \
with the weights rounded to int8 and with what that leaves, and an `add` of both, which takes the activation. They are called `{node}/high`, \
`{node}/low` and `{node}/sum`. A name that no layer with constant weights has is an error.",
    anchor: "func.func",
    options: &[OptionDefinition { name: "info", default: "", description: "`{prefix}_quant_info.json`" }],
    run,
};

/// What the parts of a layer are called behind its name.
const PARTS: [&str; 2] = ["high", "low"];
const SUM: &str = "sum";
/// The attribute of a fused activation.
const ACTIVATION: &str = "activation";

fn run(function: OperationRef<'_, '_>, options: &PassOptions) -> Result<(), PassFailure> {
    let Some(path) = options.file("info") else {
        return Err(PassFailure::Message("give the file of what was decided as the option info".into()));
    };
    let failed = |reason: String| PassFailure::Message(format!("{}: {reason}", path.display()));
    let info = QuantInfo::read(&path).map_err(failed)?;
    Ok(split_weights(function, &info.wide_weights)?)
}

/// Splits the weights of these nodes.
///
/// # Errors
/// When a node is no layer with constant weights.
pub fn split_weights(function: OperationRef<'_, '_>, nodes: &BTreeSet<String>) -> Result<(), IrError> {
    let mut left: BTreeSet<&String> = nodes.iter().collect();
    let mut names = Names::of([function]);
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        let node = operation.node();
        if left.contains(&node)
            && let (Some(layer), Some(weight)) = (LinearLayer::of(function, operation)?, weights_of(operation)?)
        {
            split(operation, &layer, &weight, &mut names)?;
            left.remove(&node);
        }
    }
    match left.first() {
        Some(node) => {
            let (node, reason) =
                ((*node).clone(), "shall have 16 bits, but no layer with constant weights has this name");
            Err(IrError::Constant { node, reason: reason.into() })
        }
        None => Ok(()),
    }
}

/// The names of the operations that layers were split into, and of the sums of those that kept 32 bits: their results must not be rounded to int8.
pub fn parts(function: OperationRef<'_, '_>) -> Vec<String> {
    let operations = ir::body(function).map(ir::operations).unwrap_or_default();
    operations.iter().filter(|operation| operation.has_attribute(PART)).map(|operation| operation.node()).collect()
}

fn split(
    operation: OperationRef<'_, '_>,
    layer: &LinearLayer,
    weight: &Constant<'_>,
    names: &mut Names,
) -> Result<(), IrError> {
    let (context, origin) = (operation.context_reference(), operation.origin());
    let rule = rule_of(operation)?;
    let is_exact = rule.map(|rule| rule.result(operation)).transpose()? == Some(ResultScale::OwnOrExact);
    let values = weight.f32s()?;
    let high = weights_on_grid(layer, &values, &nearest(layer, &values)?)?;
    let low: Vec<f32> =
        values.iter().zip(&high).map(|(value, high)| (f64::from(*value) - f64::from(*high)) as f32).collect();
    let mut parts: Vec<Value<'_, '_>> = Vec::new();
    for (part, values) in PARTS.into_iter().zip([high, low]) {
        let constant = constant_before(operation, &format!("weight_{part}"), &weight.r#type, &values)?;
        let copy = ir::copy_before(operation, operation);
        ir::remove_attribute(copy, ACTIVATION);
        ir::set_attribute(copy, PART, Attribute::unit(context));
        ir::set_location(copy, names.derive(&origin, part).location(context));
        if let Ok(over_steps) = operation.string(OVER_STEPS) {
            ir::set_attribute(copy, OVER_STEPS, attribute::string(context, &format!("{over_steps}/{part}")));
        }
        // The bias is added once.
        match parts.is_empty() {
            true => ir::set_operand(copy, 1, constant),
            false => ir::set_operands(copy, &[operation.operand_at(0)?, constant]),
        }
        parts.extend(ir::results(copy));
    }
    let attributes: Vec<_> = operation.attribute(ACTIVATION).into_iter().map(|clamp| (ACTIVATION, clamp)).collect();
    let types: Vec<_> = ir::results(operation).iter().map(|result| result.r#type()).collect();
    let location = names.derive(&origin, SUM).location(context);
    let sum = ir::build(context, Op::Add.name(), &parts, &attributes, &types, vec![], location)?;
    let sum = ir::insert_before(operation, sum);
    ir::set_attribute(sum, SUM_OF_PARTS, Attribute::unit(context));
    if let Ok(over_steps) = operation.attribute(OVER_STEPS) {
        ir::set_attribute(sum, OVER_STEPS, over_steps);
    }
    // A layer that kept its 32-bit sums gives no less with better weights.
    if is_exact {
        ir::set_attribute(sum, PART, Attribute::unit(context));
    }
    for (old, new) in ir::results(operation).into_iter().zip(ir::results(sum)) {
        ir::replace_all_uses(old, new);
    }
    // SAFETY: its results are replaced, and the walk over the block is past it.
    unsafe { ir::erase(operation) };
    Ok(())
}
