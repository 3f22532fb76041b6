//! Which tensors are made in their part of what they are joined to, so that nothing is copied.

use std::collections::{HashMap, HashSet};

use super::plan::NodeGroup;
use super::storage::{ALIGNMENT, is_small};
use crate::bpu::model::{BpuTensor, Operator, Segment, TensorId};
use crate::target::Target;

/// More dimensions than this may not fit an instruction, when none can be merged with its neighbour.
const MOST_DIMENSIONS: usize = 4;

/// What a tensor is a part of.
pub struct JoinedPart {
    pub joined: TensorId,
    /// The dimension along which it is joined, and where in it the part begins.
    pub axis: usize,
    pub index: usize,
}

/// Per tensor, the joined tensor of which it is a part in memory. It is made by a node, and one concat alone reads it, once.
///
/// Where dimensions outside of the joined one have one index, it is a run of bytes, whose start must be aligned as that of a tensor of its
/// own. Else it has gaps: then it must not have parts itself, which may be in groups, and its runs must not be much shorter than a burst,
/// unless what is joined is small and finds room in local memory.
pub fn joined_parts(segment: &Segment, target: &Target, groups: &[NodeGroup]) -> HashMap<TensorId, JoinedPart> {
    let mut uses: HashMap<TensorId, usize> = HashMap::new();
    for id in segment.nodes.iter().flat_map(|node| &node.inputs).chain(&segment.outputs) {
        *uses.entry(*id).or_default() += 1;
    }
    let (mut made, mut alone) = (HashSet::new(), HashSet::new());
    for (index, node) in segment.nodes.iter().enumerate() {
        // A reshape has no bytes of its own to be put elsewhere.
        if !matches!(node.operator, Operator::Reshape) {
            made.extend(node.outputs.iter().copied());
        }
        if NodeGroup::of(groups, index).is_none() {
            alone.extend(node.outputs.iter().copied());
        }
    }
    let joins = segment.nodes.iter().filter(|node| matches!(node.operator, Operator::Concat { .. }));
    let joins: HashSet<TensorId> = joins.flat_map(|node| &node.outputs).copied().collect();
    let mut parts = HashMap::new();
    for node in &segment.nodes {
        let (Operator::Concat { axis }, Some(id)) = (&node.operator, node.outputs.first()) else { continue };
        let Some(joined) = segment.tensor(*id) else { continue };
        let mut index = 0usize;
        for part in &node.inputs {
            let Some(tensor) = segment.tensor(*part) else { continue };
            let free = uses.get(part) == Some(&1) && made.contains(part);
            let apart = alone.contains(id) && alone.contains(part) && !joins.contains(part);
            if free
                && (is_run(joined, (*axis, index), target) || apart && may_have_gaps((tensor, joined), *axis, target))
            {
                parts.insert(*part, JoinedPart { joined: *id, axis: *axis, index });
            }
            index = index.saturating_add(tensor.shape.get(*axis).copied().unwrap_or(0));
        }
    }
    parts
}

/// Bytes of the dimensions from one on.
fn bytes_from(tensor: &BpuTensor, axis: usize) -> u64 {
    let sizes = tensor.shape.get(axis..).unwrap_or_default().iter();
    sizes.fold(tensor.element.bytes().into(), |bytes: u64, &size| bytes.saturating_mul(size as u64))
}

/// Whether a part that begins at an index of a dimension is one run of bytes, and begins as a tensor of its own would.
fn is_run(joined: &BpuTensor, (axis, index): (usize, usize), target: &Target) -> bool {
    let start = bytes_from(joined, axis + 1).saturating_mul(index as u64);
    joined.shape.iter().take(axis).all(|size| *size == 1) && start.is_multiple_of(target.l1m_alignment().max(ALIGNMENT))
}

/// Whether a part that is made with gaps takes at most what copying it would: in DDR, it is stored once instead of stored, loaded and stored.
fn may_have_gaps((part, joined): (&BpuTensor, &BpuTensor), axis: usize, target: &Target) -> bool {
    let long = bytes_from(part, axis).saturating_mul(3) >= target.ddr.burst_bytes.value;
    part.shape.len() <= MOST_DIMENSIONS && (long || is_small(joined, target))
}
