//! Tensors whose rows are not their outermost dimension: what is between the order of dimensions that a network's user sees and that of the
//! machine. In a group, such a tensor lies by rows, whatever the order of its dimensions; an input or output of the program is moved as
//! boxes of rows.

use crate::bpu::model::{BpuNode, Operator, Segment, TensorId};

/// Per tensor, the dimension of its rows where that is not its first with more than one index. Only what is between operators that move whole
/// dimensions or look at one element at a time can have its rows elsewhere.
pub fn row_dimensions(segment: &Segment) -> Vec<Option<usize>> {
    let mut rows: Vec<Option<usize>> = vec![None; segment.tensors.len()];
    let mut fixed = vec![false; segment.tensors.len()];
    let mut readers = vec![0usize; segment.tensors.len()];
    for node in &segment.nodes {
        let passes = turns(node).is_some();
        for (place, id) in node.inputs.iter().chain(&node.outputs).enumerate() {
            if let Some(fixed) = fixed.get_mut(id.0) {
                *fixed |= !passes;
            }
            if let Some(readers) = readers.get_mut(id.0).filter(|_| place < node.inputs.len()) {
                *readers += 1;
            }
        }
    }
    for (id, tensor) in segment.tensors.iter().enumerate() {
        if let (Some(true), Some(rows)) = (fixed.get(id), rows.get_mut(id)) {
            *rows = tensor.shape.iter().position(|&size| size > 1);
        }
    }
    let ends = |id: TensorId| fixed.get(id.0).copied().unwrap_or(true);
    for node in &segment.nodes {
        spread(node, true, &mut rows);
    }
    for node in segment.nodes.iter().rev() {
        spread(node, false, &mut rows);
    }
    for (id, tensor) in segment.tensors.iter().enumerate() {
        let id = TensorId(id);
        let first = tensor.shape.iter().position(|&size| size > 1);
        // What is loaded as boxes is loaded for each reader, and what is stored so is nowhere to be read.
        let most = if segment.outputs.contains(&id) {
            0
        } else if segment.inputs.contains(&id) {
            1
        } else {
            usize::MAX
        };
        let several = readers.get(id.0).is_none_or(|&readers| readers > most);
        if let Some(rows) = rows.get_mut(id.0).filter(|rows| ends(id) || several || **rows == first) {
            *rows = None;
        }
    }
    rows
}

/// From which dimension of its operand each dimension of the result of a node comes, if that is all that it does to dimensions: in the order of
/// the operand, or in another.
fn turns(node: &BpuNode) -> Option<Option<&[usize]>> {
    match (&node.operator, node.inputs.as_slice(), node.outputs.as_slice()) {
        (Operator::Transpose { permutation }, [_], [_]) => Some(Some(permutation)),
        (
            Operator::Quantize
            | Operator::Normalize { .. }
            | Operator::Dequantize
            | Operator::Requantize { .. }
            | Operator::Lookup { .. }
            | Operator::Curve { .. },
            [_],
            [_],
        ) => Some(None),
        _ => None,
    }
}

/// Takes the dimension of rows from the operand of a node to its result, or back, where it is not known there.
fn spread(node: &BpuNode, forward: bool, rows: &mut [Option<usize>]) {
    let (Some(turn), [from], [to]) = (turns(node), node.inputs.as_slice(), node.outputs.as_slice()) else { return };
    let (known, wanted) = if forward { (from, to) } else { (to, from) };
    let Some(dimension) = rows.get(known.0).copied().flatten() else { return };
    let found = match (turn, forward) {
        (None, _) => Some(dimension),
        (Some(permutation), true) => permutation.iter().position(|&axis| axis == dimension),
        (Some(permutation), false) => permutation.get(dimension).copied(),
    };
    if let Some(entry) = rows.get_mut(wanted.0).filter(|entry| entry.is_none()) {
        *entry = found;
    }
}
