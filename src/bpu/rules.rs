//! The rules of the `bpu` dialect: verifiers and folders.
//!
//! An operation is turned into a node of the plain model, and the model's own check speaks. So the verifier, the interpreter and
//! placement cannot disagree, and `docs/numerics.md` is the one place that says what is well formed. They live here and
//! not in `dialects/`, because that crate lies below the model.

use super::{
    mlir::{self, MirrorError},
    model::{BpuNode, Operator, Segment},
};
use hb_dialects::{
    bpu::Op,
    cpu::verify_segment_of,
    hooks::{Folded, Rules},
    ir::{self, OperationAttributes, Origin, TensorType},
};
use melior::ir::{Attribute, OperationRef, ValueLike, operation::OperationLike};

/// The rules of the dialect, for [`hb_dialects::hooks::add`].
pub const RULES: Rules = Rules { verify, fold };

fn verify(operation: OperationRef<'_, '_>) -> Result<(), String> {
    let Some(op) = Op::of(operation) else { return Err("is no operation of bpu".into()) };
    match op {
        // Its segment is what checks it.
        Op::Yield => Ok(()),
        Op::Segment => verify_segment(operation),
        Op::Constant => verify_constant(operation),
        // Reading its attributes tells what it is.
        _ => verify_node(operation),
    }
}

/// Only operations whose records have a folder come here.
fn fold<'c, 'a>(operation: OperationRef<'c, 'a>, _operands: &[Option<Attribute<'c>>]) -> Option<Folded<'c, 'a>> {
    match Op::of(operation)? {
        Op::Constant => operation.attribute("value").ok().map(Folded::Constant),
        _ => fold_unchanged(operation),
    }
}

fn verify_segment(operation: OperationRef<'_, '_>) -> Result<(), String> {
    verify_segment_of(operation, &["bpu"])
}

/// The sentence of an error without the names, which the diagnostic already has.
fn sentence(error: MirrorError) -> String {
    match error {
        MirrorError::Operation { reason, .. } => reason,
        other => other.to_string(),
    }
}

/// The segment that holds nothing but this operation, as its one node, with every operand as an input.
fn one_node(operation: OperationRef<'_, '_>) -> Result<Segment, String> {
    let mut segment = Segment::default();
    let mut inputs = Vec::with_capacity(operation.operand_count());
    for (index, operand) in operation.operands().enumerate() {
        let tensor = mlir::tensor_of(operand.r#type(), format!("operand {index}")).map_err(sentence)?;
        tensor.verify().map_err(|reason| format!("operand {index}: {reason}"))?;
        inputs.push(segment.add_input(tensor));
    }
    let result = operation.result(0).map_err(|error| error.to_string())?;
    let result = mlir::tensor_of(result.r#type(), "result".to_owned()).map_err(sentence)?;
    result.verify().map_err(|reason| format!("result: {reason}"))?;
    let operator = mlir::operator(operation, &result.shape).map_err(sentence)?;
    let output = segment.add_tensor(result);
    let Origin { name, nodes: origins } = operation.origin();
    segment.nodes.push(BpuNode { name, origins, operator, inputs, outputs: vec![output] });
    Ok(segment)
}

fn verify_node(operation: OperationRef<'_, '_>) -> Result<(), String> {
    let segment = one_node(operation)?;
    segment.nodes.iter().try_for_each(|node| segment.verify_node(node))
}

fn verify_constant(operation: OperationRef<'_, '_>) -> Result<(), String> {
    let value = operation.attribute("value").map_err(|error| error.to_string())?;
    let value = ir::elements_of(value).ok_or("has a value whose bytes are missing or do not fit its type")?;
    let result = operation.result(0).map_err(|error| error.to_string())?.r#type();
    let declared = TensorType::from_type(result).map_err(|error| error.to_string())?;
    let stored = TensorType { element: declared.element.storage().into(), ..declared };
    if stored != value.r#type {
        let context = operation.context_reference();
        return Err(format!(
            "has a value of type {}, but the result needs {}",
            value.r#type.to_type(context),
            stored.to_type(context)
        ));
    }
    let tensor = mlir::tensor_of(result, "result".to_owned()).map_err(sentence)?;
    tensor.verify().map_err(|reason| format!("result: {reason}"))
}

/// An operation that leaves every element of its input where and what it is folds to that input.
fn fold_unchanged<'c, 'a>(operation: OperationRef<'c, 'a>) -> Option<Folded<'c, 'a>> {
    let input = operation.operand(0).ok()?;
    if input.r#type() != operation.result(0).ok()?.r#type() {
        return None;
    }
    let tensor = mlir::tensor_of(input.r#type(), String::new()).ok()?;
    let unchanged = match mlir::operator(operation, &tensor.shape).ok()? {
        Operator::Requantize { clamp } => clamp.is_none_or(|clamp| {
            tensor.element.range().is_some_and(|range| clamp.low <= range.low && clamp.high >= range.high)
        }),
        Operator::Reshape => true,
        // Where only one cell is taken, the step does not matter.
        Operator::Slice { starts, steps, sizes } => {
            starts.iter().all(|start| *start == 0)
                && steps.iter().zip(&sizes).all(|(step, size)| *step == 1 || *size == 1)
        }
        Operator::Pad { before, after, .. } => before.iter().chain(&after).all(|count| *count == 0),
        Operator::Transpose { permutation } => permutation.is_sorted(),
        _ => false,
    };
    unchanged.then_some(Folded::Value(input))
}
