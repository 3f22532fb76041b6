//! `bpu-remove-border-nodes`: what stands at the borders of segments.

use super::{
    BorderNode, OPTIONS, Removable, Selection, check_samples, inverse, layout_said, note, permuted, removed,
    say_input_layout, say_output_layout,
};
use hb_dialects::{
    bpu::{self, attributes},
    cpu, hfloat,
    ir::{self, Element, OperationAttributes, Quantized, Scale, TensorType},
    names::LAYOUT,
    pass::{PassDefinition, PassFailure, PassOptions},
};
use melior::ir::{BlockLike, OperationRef, Value, ValueLike, operation::OperationLike};

/// `bpu-remove-border-nodes`
pub static PASS: PassDefinition = PassDefinition {
    argument: "bpu-remove-border-nodes",
    summary: "Remove chosen nodes at the borders of the first and last segments",
    description: "As `hfloat-remove-border-nodes`, for what only exists in segments: quantization and the transposes and reshapes \
between the layout of the network and that of the BPU. Without `bpu.quantize` an input takes the integers themselves, without `bpu.dequantize` an \
output gives them; the type says their scales. A `bpu.dequantize` before transposes and reshapes moves behind them, so that it can be removed \
alone. `hfloat.layout` of an input or output follows. Names are those of the operations in segments.\n\n\
A name of `names` that neither pass removed is an error that says why.",
    anchor: "func.func",
    options: &OPTIONS,
    run,
};

fn run(function: OperationRef<'_, '_>, options: &PassOptions) -> Result<(), PassFailure> {
    let selection = Selection::of(options)?;
    let Some(block) = ir::body(function).filter(|_| !selection.is_empty()) else { return Ok(()) };
    let Some(end) = block.terminator() else { return Ok(()) };
    for index in 0..ir::arguments(block).len() {
        while let Some(node) =
            input_chain(function, index).into_iter().next().filter(|node| node.is_taken_by(&selection))
        {
            remove_first(function, index, &node)?;
        }
    }
    for index in 0..end.operand_count() {
        loop {
            sink_dequantize(output_chain(function, index), &selection)?;
            let last = output_chain(function, index).into_iter().next();
            let Some(node) = last.filter(|node| node.is_taken_by(&selection)) else { break };
            remove_last(function, index, &node)?;
        }
    }
    ir::update_function_type(function.context_reference(), function);
    check_names(function, &selection.names)
}

/// The nodes of segments that could be removed from their network, from each border inwards.
pub(super) fn removable(function: OperationRef<'_, '_>) -> Vec<BorderNode> {
    let Some(block) = ir::body(function) else { return Vec::new() };
    let outputs = block.terminator().map_or(0, |end| end.operand_count());
    let inputs = (0..ir::arguments(block).len()).map(|index| input_chain(function, index));
    let chains = inputs.chain((0..outputs).map(|index| output_chain(function, index)));
    chains.flatten().map(|node| node.border_node()).collect()
}

/// A node in a segment that can be removed, and the segment's own border before or behind it.
struct Node<'c, 'a> {
    operation: OperationRef<'c, 'a>,
    kind: Removable,
    operand: Value<'c, 'a>,
    result: Value<'c, 'a>,
    border: Border<'c, 'a>,
}

/// Where a segment takes or gives a value.
#[derive(Clone, Copy)]
struct Border<'c, 'a> {
    segment: OperationRef<'c, 'a>,
    /// The number of the operand or result.
    index: usize,
}

impl Node<'_, '_> {
    fn is_taken_by(&self, selection: &Selection) -> bool {
        selection.takes(self.kind, std::iter::once(&self.operation.node()))
    }

    fn border_node(&self) -> BorderNode {
        BorderNode { name: self.operation.node(), kind: self.kind }
    }
}

/// A node of a type that can be removed, with one operand that is no constant and one result.
fn node<'c: 'a, 'a>(operation: OperationRef<'c, 'a>, border: Border<'c, 'a>) -> Option<Node<'c, 'a>> {
    let kind = Removable::of(operation)?;
    let &[result] = ir::results(operation).as_slice() else { return None };
    let operands: Vec<_> = operation.operands().filter(|operand| ir::constant_of(*operand).is_none()).collect();
    let &[operand] = operands.as_slice() else { return None };
    Some(Node { operation, kind, operand, result, border })
}

fn is_segment(operation: OperationRef<'_, '_>) -> bool {
    bpu::Op::Segment.is(operation) || cpu::Op::Segment.is(operation)
}

/// The nodes that can be removed behind an input, the first one first.
fn input_chain<'c: 'a, 'a>(function: OperationRef<'c, 'a>, index: usize) -> Vec<Node<'c, 'a>> {
    let mut chain = Vec::new();
    let argument = ir::body(function).and_then(|block| ir::arguments(block).get(index).copied());
    let Some(argument) = argument else { return chain };
    let &[segment] = ir::users(argument).as_slice() else { return chain };
    let Some(position) = segment.operands().position(|operand| operand == argument) else { return chain };
    let Some(block) = ir::body(segment).filter(|_| is_segment(segment)) else { return chain };
    let (Some(mut value), Some(end)) = (ir::arguments(block).get(position).copied(), block.terminator()) else {
        return chain;
    };
    while let &[reader] = ir::users(value).as_slice() {
        let Some(node) = node(reader, Border { segment, index: position }) else { break };
        if end.operands().any(|given| given == node.result) || !is_of_the_network(&node) {
            break;
        }
        value = node.result;
        chain.push(node);
    }
    chain
}

/// The nodes that can be removed before an output, the last one first.
fn output_chain<'c: 'a, 'a>(function: OperationRef<'c, 'a>, index: usize) -> Vec<Node<'c, 'a>> {
    let mut chain = Vec::new();
    let returned = ir::body(function).and_then(|block| block.terminator()).and_then(|end| end.operand_at(index).ok());
    let Some(returned) = returned else { return chain };
    let Some(segment) = ir::defining_operation(returned).filter(|segment| is_segment(*segment)) else { return chain };
    let position = ir::results(segment).into_iter().position(|result| result == returned);
    let end = ir::body(segment).and_then(|block| block.terminator());
    let (Some(position), Some(end), 1) = (position, end, ir::users(returned).len()) else { return chain };
    let Ok(mut value) = end.operand_at(position) else { return chain };
    while let (Some(operation), 1) = (ir::defining_operation(value), ir::users(value).len()) {
        let Some(node) = node(operation, Border { segment, index: position }) else { break };
        if ir::defining_operation(node.operand).is_none() {
            break;
        }
        value = node.operand;
        chain.push(node);
    }
    chain
}

/// Quantization and changes of layout are of the node that they are for. What is of none is the conversion of a deployed input, which somebody
/// asked for.
fn is_of_the_network(node: &Node<'_, '_>) -> bool {
    !node.operation.origin().nodes.is_empty()
}

/// Takes the node away that reads an input: the input becomes its result.
fn remove_first<'c>(function: OperationRef<'c, '_>, index: usize, node: &Node<'c, '_>) -> Result<(), PassFailure> {
    let Some(argument) = ir::body(function).and_then(|block| ir::arguments(block).get(index).copied()) else {
        return Ok(());
    };
    if bpu::Op::Transpose.is(node.operation) {
        let permutation = attributes::permutation(node.operation)?;
        check_samples(function, &node.operation.node(), &shape(argument)?, &permutation)?;
    }
    let layout = layout_said(ir::argument_attribute(function, index, LAYOUT), rank(argument)?);
    if let Some(layout) = layout_after(node, &layout, Side::Input)? {
        say_input_layout(function, index, &layout);
    }
    note(function, &node.border_node());
    let r#type = node.result.r#type();
    ir::replace_all_uses(node.result, node.operand);
    ir::set_result_type(node.operand, r#type);
    ir::set_result_type(argument, r#type);
    // SAFETY: its result is replaced, and no handle of it is used again.
    unsafe { ir::erase(node.operation) };
    Ok(())
}

/// Takes the node away that computes an output: the output becomes its operand.
fn remove_last<'c>(function: OperationRef<'c, '_>, index: usize, node: &Node<'c, '_>) -> Result<(), PassFailure> {
    let layout = layout_said(ir::result_attribute(function, index, LAYOUT), rank(node.result)?);
    if let Some(layout) = layout_after(node, &layout, Side::Output)? {
        say_output_layout(function, index, &layout);
    }
    note(function, &node.border_node());
    let Border { segment, index: position } = node.border;
    let end = ir::body(segment).and_then(|block| block.terminator());
    if let (Some(end), Some(result)) = (end, ir::results(segment).get(position)) {
        ir::set_operand(end, position, node.operand);
        ir::set_result_type(*result, node.operand.r#type());
    }
    // SAFETY: only the end of the segment read its result, and no handle of it is used again.
    unsafe { ir::erase(node.operation) };
    Ok(())
}

fn rank(value: Value<'_, '_>) -> Result<usize, PassFailure> {
    Ok(TensorType::from_type(value.r#type())?.rank()?)
}

/// Whether a node is taken from behind an input or from before an output.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Input,
    Output,
}

/// The layout of an input or output without its node; none where it stays.
fn layout_after(node: &Node<'_, '_>, layout: &str, side: Side) -> Result<Option<String>, PassFailure> {
    Ok(match bpu::Op::of(node.operation) {
        Some(bpu::Op::Transpose) => {
            let permutation = attributes::permutation(node.operation)?;
            let permutation = if side == Side::Input { permutation } else { inverse(&permutation) };
            Some(permuted(layout, &permutation))
        }
        Some(bpu::Op::Reshape) => {
            let (from, to) = match side {
                Side::Input => (node.operand, node.result),
                Side::Output => (node.result, node.operand),
            };
            Some(layout_of_reshaped(layout, &shape(from)?, &shape(to)?))
        }
        _ => None,
    })
}

/// A reshape may stand for the transpose between the two layouts of images, when that moves no element.
fn layout_of_reshaped(layout: &str, from: &[usize], to: &[usize]) -> String {
    let (&[n, a, b, c], &[m, d, e, f]) = (from, to) else { return String::new() };
    let is = |other: [usize; 4]| other == [m, d, e, f];
    match layout {
        "NCHW" if is([n, b, c, a]) => "NHWC".to_owned(),
        "NHWC" if is([n, c, a, b]) => "NCHW".to_owned(),
        _ => String::new(),
    }
}

fn shape(value: Value<'_, '_>) -> Result<Vec<usize>, PassFailure> {
    Ok(TensorType::from_type(value.r#type())?.static_shape()?)
}

/// Moves a `bpu.dequantize` that is to be removed behind the transposes and reshapes that follow it, where these stay.
fn sink_dequantize(chain: Vec<Node<'_, '_>>, selection: &Selection) -> Result<(), PassFailure> {
    let is_dequantize = |node: &Node<'_, '_>| node.kind == Removable::Dequantize;
    let Some(position) = chain.iter().position(is_dequantize).filter(|position| *position > 0) else { return Ok(()) };
    let (movements, rest) = chain.split_at(position);
    let Some(dequantize) = rest.first().filter(|node| node.is_taken_by(selection)) else { return Ok(()) };
    if movements.first().is_none_or(|last| last.is_taken_by(selection)) {
        return Ok(());
    }
    let context = dequantize.operation.context_reference();
    let integers = TensorType::from_type(dequantize.operand.r#type())?;
    let mut element = integers.element;
    let mut types = Vec::new();
    for movement in movements.iter().rev() {
        let Some(moved) = moved_element(movement, element)? else { return Ok(()) };
        element = moved;
        types.push(TensorType::new(element.clone(), &shape(movement.result)?).to_type(context));
    }
    let Some(last) = movements.first() else { return Ok(()) };
    let (float, end) = (last.result.r#type(), ir::users(last.result));
    let Some(end) = end.into_iter().next() else { return Ok(()) };
    ir::replace_all_uses(dequantize.result, dequantize.operand);
    for (movement, r#type) in movements.iter().rev().zip(types) {
        ir::set_result_type(movement.result, r#type);
    }
    let moved = ir::move_before(end, dequantize.operation);
    ir::set_result_type(dequantize.result, float);
    ir::replace_all_uses(last.result, dequantize.result);
    ir::set_operand(moved, 0, last.result);
    Ok(())
}

/// The element type with its scales behind a transpose or reshape; none where the scales run along no dimension any more.
fn moved_element(movement: &Node<'_, '_>, element: Element) -> Result<Option<Element>, PassFailure> {
    let Element::Quantized(Quantized { bits, scale: Scale::PerAxis { axis, scales } }) = element else {
        return Ok(Some(element));
    };
    let moved = match bpu::Op::of(movement.operation) {
        Some(bpu::Op::Transpose) => {
            let permutation = attributes::permutation(movement.operation)?;
            permutation.iter().position(|from| usize::try_from(*from) == Ok(axis))
        }
        _ => crate::bpu::model::reshaped_axis(&shape(movement.operand)?, &shape(movement.result)?, axis),
    };
    Ok(moved.map(|axis| Element::Quantized(Quantized { bits, scale: Scale::PerAxis { axis, scales } })))
}

/// Every name that was asked for was removed by now, or it is said why not.
fn check_names(function: OperationRef<'_, '_>, names: &[String]) -> Result<(), PassFailure> {
    let left = unremoved(function, names);
    if left.is_empty() { Ok(()) } else { Err(PassFailure::Message(left.join("\n"))) }
}

/// Why nodes of these names are still in a network of segments, a line for each that is.
pub(super) fn unremoved(function: OperationRef<'_, '_>, names: &[String]) -> Vec<String> {
    let removed = removed(function);
    let left = names.iter().filter(|name| !removed.iter().any(|node| node.name == **name));
    left.map(|name| format!("node '{name}' cannot be removed: {}", obstacle(function, name))).collect()
}

/// Why a node was not removed.
fn obstacle(function: OperationRef<'_, '_>, name: &str) -> String {
    let segments = ir::body(function).map(ir::operations).unwrap_or_default();
    let inside: Vec<_> = segments.into_iter().filter_map(ir::body).flat_map(ir::operations).collect();
    let named = inside.iter().find(|operation| operation.node() == name);
    let found =
        named.or_else(|| inside.iter().find(|operation| operation.origin().nodes.iter().any(|node| node == name)));
    let Some(found) = found else {
        return match ir::holder_of(inside.iter().copied(), name) {
            Some(holder) => {
                format!("it is inside of node '{}' ({}), which stays whole", holder.node(), kind_of(holder))
            }
            None => "nothing of that name is left to compute in the compiled network".to_owned(),
        };
    };
    match Removable::of(*found) {
        Some(kind) => format!(
            "it became a {kind} that is not next to an input or output of the model that only it reads or gives; what is between \
             must be removed, too"
        ),
        None => {
            let all = Removable::ALL.map(Removable::name).join(", ");
            format!(
                "it became part of a {}; what can be removed is {all} next to an input or output of the model",
                kind_of(*found)
            )
        }
    }
}

/// An operation, as ONNX calls it where it does.
fn kind_of(operation: OperationRef<'_, '_>) -> String {
    hfloat::Op::of(operation).map_or_else(|| operation.operation_name(), |op| op.onnx().name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reshapes_between_layouts() {
        assert_eq!(layout_of_reshaped("NCHW", &[1, 1, 8, 9], &[1, 8, 9, 1]), "NHWC");
        assert_eq!(layout_of_reshaped("NHWC", &[1, 1, 1, 7], &[1, 7, 1, 1]), "NCHW");
        assert_eq!(layout_of_reshaped("NCHW", &[1, 4, 2, 2], &[1, 16]), "");
        assert_eq!(layout_of_reshaped("NCHW", &[1, 2, 3, 1], &[1, 6, 1, 1]), "");
    }
}
