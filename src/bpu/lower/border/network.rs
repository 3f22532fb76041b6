//! `hfloat-remove-border-nodes`: nodes of the user's network.

use super::{BorderNode, OPTIONS, Removable, Selection, check_samples, layout_said, note, permuted, say_input_layout};
use hb_dialects::{
    hfloat::{Op, attributes},
    ir::{self, OperationAttributes, TensorType},
    names::{LAYOUT, RETURN},
    pass::{PassDefinition, PassFailure, PassOptions},
    quant,
};
use melior::ir::{BlockLike, OperationRef, Value, ValueLike, operation::OperationLike};

/// `hfloat-remove-border-nodes`
pub static PASS: PassDefinition = PassDefinition {
    argument: "hfloat-remove-border-nodes",
    summary: "Remove chosen nodes of the network next to its inputs and outputs",
    description: "A node is removed where it is the only one that reads an input, or where its result is an output that nothing else \
reads, and it has one input that is no constant, and one result. That is repeated until no node is left that `names`, or without names \
`types`, asks for; Flatten, Squeeze and Unsqueeze are reshapes, too. The input or output keeps its name and takes the type of what is behind. \
Casts of quantization are looked through: they are no nodes here. Something is left between every input and output, and the conversion of \
deployed inputs stays. What was removed is listed in the attribute `hfloat.removed_nodes` of the function. `bpu-remove-border-nodes` goes on \
from here.",
    anchor: "func.func",
    options: &OPTIONS,
    run,
};

fn run(function: OperationRef<'_, '_>, options: &PassOptions) -> Result<(), PassFailure> {
    let selection = Selection::of(options)?;
    let Some(block) = ir::body(function).filter(|_| !selection.is_empty()) else { return Ok(()) };
    let Some(end) = block.terminator() else { return Ok(()) };
    for (index, argument) in ir::arguments(block).into_iter().enumerate() {
        while let Some(node) = first_reader(argument).filter(|node| node.is_taken_by(&selection)) {
            tell_layout(function, (index, argument), node.operation)?;
            note(function, &node.border_node());
            let (operation, result) = (node.operation, node.result);
            let casts = casts_before(operation);
            ir::replace_all_uses(result, argument);
            ir::set_result_type(argument, result.r#type());
            erase_with_casts(operation, casts);
        }
    }
    for index in 0..end.operand_count() {
        while let Some(node) = computed_last(end.operand_at(index)?).filter(|node| node.is_taken_by(&selection)) {
            note(function, &node.border_node());
            let mut casts = casts_of(end.operand_at(index)?).into_iter().chain([node.operation]);
            ir::set_operand(end, index, node.operand);
            if let Some(last) = casts.next() {
                erase_with_casts(last, casts.collect());
            }
        }
    }
    ir::update_function_type(function.context_reference(), function);
    Ok(())
}

/// The nodes of a network that could be removed, from each input and output inwards.
pub(super) fn removable(function: OperationRef<'_, '_>) -> Vec<BorderNode> {
    let Some(block) = ir::body(function) else { return Vec::new() };
    let mut found = Vec::new();
    for mut value in ir::arguments(block) {
        while let Some(node) = first_reader(value) {
            found.push(node.border_node());
            value = node.result;
        }
    }
    let Some(end) = block.terminator() else { return found };
    for mut value in end.operands() {
        // Something is left between an input and an output.
        while let Some(node) = computed_last(value).filter(|node| !found.contains(&node.border_node())) {
            found.push(node.border_node());
            value = node.operand;
        }
    }
    found
}

/// A node that can be removed.
struct Candidate<'c, 'a> {
    operation: OperationRef<'c, 'a>,
    kind: Removable,
    /// Its one input that is no constant.
    operand: Value<'c, 'a>,
    result: Value<'c, 'a>,
}

impl Candidate<'_, '_> {
    fn is_taken_by(&self, selection: &Selection) -> bool {
        let origin = self.operation.origin();
        selection.takes(self.kind, std::iter::once(&origin.name).chain(&origin.nodes))
    }

    fn border_node(&self) -> BorderNode {
        BorderNode { name: self.operation.node(), kind: self.kind }
    }
}

/// A node of the user's network of a type that can be removed, with one input and one result.
fn candidate<'c: 'a, 'a>(operation: OperationRef<'c, 'a>) -> Option<Candidate<'c, 'a>> {
    let kind = Removable::of(operation).filter(|_| !operation.origin().nodes.is_empty())?;
    let &[result] = ir::results(operation).as_slice() else { return None };
    let operands: Vec<_> = operation.operands().filter(|operand| ir::constant_of(source(*operand)).is_none()).collect();
    let &[operand] = operands.as_slice() else { return None };
    Some(Candidate { operation, kind, operand, result })
}

/// The node that alone reads an input, if it can be removed and does not give an output.
fn first_reader<'c: 'a, 'a>(argument: Value<'c, 'a>) -> Option<Candidate<'c, 'a>> {
    let &[reader] = readers(argument).as_slice() else { return None };
    let node = candidate(reader)?;
    let after = readers(node.result);
    (!after.is_empty() && after.iter().all(|reader| reader.operation_name() != RETURN)).then_some(node)
}

/// The node that computes an output that nothing else reads, if it can be removed and does not read an input.
fn computed_last<'c: 'a, 'a>(output: Value<'c, 'a>) -> Option<Candidate<'c, 'a>> {
    let computed = source(output);
    let node = candidate(ir::defining_operation(computed)?)?;
    (readers(computed).len() == 1 && ir::defining_operation(source(node.operand)).is_some()).then_some(node)
}

/// What reads a value, through casts, once per use.
fn readers<'c: 'a, 'a>(value: Value<'c, 'a>) -> Vec<OperationRef<'c, 'a>> {
    let through = |user: OperationRef<'c, 'a>| match quant::Op::is_cast(user) {
        true => ir::results(user).into_iter().flat_map(readers).collect(),
        false => vec![user],
    };
    ir::users(value).into_iter().flat_map(through).collect()
}

/// The value that casts were made of.
fn source<'c: 'a, 'a>(value: Value<'c, 'a>) -> Value<'c, 'a> {
    let cast = ir::defining_operation(value).filter(|operation| quant::Op::is_cast(*operation));
    cast.and_then(|cast| cast.operand_at(0).ok()).map_or(value, source)
}

/// The casts that a value comes out of, the last one first.
fn casts_of<'c: 'a, 'a>(mut value: Value<'c, 'a>) -> Vec<OperationRef<'c, 'a>> {
    let mut casts = Vec::new();
    while let Some(cast) = ir::defining_operation(value).filter(|operation| quant::Op::is_cast(*operation)) {
        casts.push(cast);
        let Ok(before) = cast.operand_at(0) else { break };
        value = before;
    }
    casts
}

/// The casts of the operand of a node that is no constant, the last one first.
fn casts_before<'c: 'a, 'a>(operation: OperationRef<'c, 'a>) -> Vec<OperationRef<'c, 'a>> {
    candidate(operation).map(|node| casts_of(node.operand)).unwrap_or_default()
}

/// Erases an operation and the casts before it, as far as nothing reads them any more.
fn erase_with_casts(operation: OperationRef<'_, '_>, casts: Vec<OperationRef<'_, '_>>) {
    for unread in std::iter::once(operation).chain(casts) {
        if ir::results(unread).into_iter().all(|result| ir::users(result).is_empty()) {
            // SAFETY: nothing reads its results, and no handle of it is used again.
            unsafe { ir::erase(unread) };
        }
    }
}

/// Says what becomes of the layout of an input when its first node goes.
fn tell_layout(
    function: OperationRef<'_, '_>,
    (index, argument): (usize, Value<'_, '_>),
    node: OperationRef<'_, '_>,
) -> Result<(), PassFailure> {
    let r#type = TensorType::from_type(argument.r#type())?;
    let layout = layout_said(ir::argument_attribute(function, index, LAYOUT), r#type.rank()?);
    match Op::of(node) {
        Some(Op::Transpose) => {
            let permutation = attributes::perm(node)?;
            check_samples(function, &node.node(), &r#type.static_shape()?, &permutation)?;
            say_input_layout(function, index, &permuted(&layout, &permutation));
        }
        Some(Op::Cast | Op::Softmax) => {}
        _ => say_input_layout(function, index, ""),
    }
    Ok(())
}
