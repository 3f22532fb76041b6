//! Orders of the nodes of a segment.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

use super::LowerError;
use crate::bpu::model::{BpuNode, Segment, TensorId};

/// The segment with its nodes in this order; an empty one is the order that they have.
///
/// # Errors
/// When it is no order of the nodes. Whether nodes come before those that they read, [`Segment::verify`] says.
pub fn ordered<'a>(segment: &'a Segment, order: &[usize]) -> Result<Cow<'a, Segment>, LowerError> {
    if order.is_empty() {
        return Ok(Cow::Borrowed(segment));
    }
    let once: HashSet<usize> = order.iter().copied().collect();
    let nodes = order.iter().map(|&node| segment.nodes.get(node).cloned()).collect::<Option<Vec<BpuNode>>>();
    match nodes.filter(|nodes| nodes.len() == segment.nodes.len() && once.len() == nodes.len()) {
        Some(nodes) => Ok(Cow::Owned(Segment { nodes, ..segment.clone() })),
        None => Err(LowerError::Plan("its order is no order of the nodes".to_owned())),
    }
}

/// What needs less memory afterwards is done as soon as it can be, the rest in the order that it has.
pub fn memory_order(segment: &Segment) -> Vec<usize> {
    let mut state = Order::new(segment);
    let mut order = Vec::with_capacity(segment.nodes.len());
    while let Some(node) = state.next() {
        order.push(node);
        state.done(node);
    }
    order
}

struct Order<'a> {
    segment: &'a Segment,
    made_by: HashMap<TensorId, usize>,
    /// Per tensor that a node makes, how many nodes and outputs still read it.
    readers: HashMap<TensorId, usize>,
    /// Per node, how many of its operands are not made.
    missing: Vec<usize>,
    /// Nodes that can be next: those that need less memory afterwards, and the others.
    shrinking: BTreeSet<usize>,
    ready: BTreeSet<usize>,
    done: Vec<bool>,
    read_by: HashMap<TensorId, Vec<usize>>,
}

impl<'a> Order<'a> {
    fn new(segment: &'a Segment) -> Self {
        let mut made_by = HashMap::new();
        for (index, node) in segment.nodes.iter().enumerate() {
            made_by.extend(node.outputs.iter().map(|&id| (id, index)));
        }
        let (mut readers, mut read_by, mut missing) = (HashMap::new(), HashMap::<_, Vec<usize>>::new(), Vec::new());
        for (index, node) in segment.nodes.iter().enumerate() {
            let operands: BTreeSet<TensorId> =
                node.inputs.iter().copied().filter(|id| made_by.contains_key(id)).collect();
            missing.push(operands.len());
            for id in operands {
                *readers.entry(id).or_insert(0) += 1;
                read_by.entry(id).or_default().push(index);
            }
        }
        for &id in &segment.outputs {
            *readers.entry(id).or_insert(0) += 1;
        }
        let done = vec![false; segment.nodes.len()];
        let (shrinking, ready) = (BTreeSet::new(), BTreeSet::new());
        let mut order = Order { segment, made_by, readers, missing, shrinking, ready, done, read_by };
        for node in 0..segment.nodes.len() {
            order.consider(node);
        }
        order
    }

    fn bytes(&self, id: TensorId) -> usize {
        self.segment.tensor(id).and_then(|tensor| tensor.byte_count()).unwrap_or(0)
    }

    /// Whether there is less to keep after a node than before it.
    fn shrinks(&self, node: &BpuNode) -> bool {
        let made: usize = node.outputs.iter().map(|&id| self.bytes(id)).fold(0, usize::saturating_add);
        let last = |id: &&TensorId| self.made_by.contains_key(id) && self.readers.get(id) == Some(&1);
        let operands: BTreeSet<&TensorId> = node.inputs.iter().collect();
        let freed = operands.into_iter().filter(last).map(|&id| self.bytes(id)).fold(0, usize::saturating_add);
        made < freed
    }

    /// Puts a node among those that can be next, if it can.
    fn consider(&mut self, index: usize) {
        let segment = self.segment;
        let Some(node) = segment.nodes.get(index) else { return };
        if self.done.get(index) != Some(&false) || self.missing.get(index) != Some(&0) {
            return;
        }
        let (to, from) = if self.shrinks(node) {
            (&mut self.shrinking, &mut self.ready)
        } else {
            (&mut self.ready, &mut self.shrinking)
        };
        from.remove(&index);
        to.insert(index);
    }

    fn next(&self) -> Option<usize> {
        self.shrinking.first().or(self.ready.first()).copied()
    }

    fn done(&mut self, index: usize) {
        let segment = self.segment;
        let Some(node) = segment.nodes.get(index) else { return };
        self.shrinking.remove(&index);
        self.ready.remove(&index);
        if let Some(done) = self.done.get_mut(index) {
            *done = true;
        }
        let operands: BTreeSet<TensorId> = node.inputs.iter().copied().collect();
        let mut changed = BTreeSet::new();
        for id in operands {
            if let Some(readers) = self.readers.get_mut(&id) {
                *readers = readers.saturating_sub(1);
                changed.extend(self.read_by.get(&id).into_iter().flatten().copied().filter(|_| *readers == 1));
            }
        }
        for id in &node.outputs {
            for &reader in self.read_by.get(id).into_iter().flatten() {
                if let Some(missing) = self.missing.get_mut(reader) {
                    *missing = missing.saturating_sub(1);
                }
                changed.insert(reader);
            }
        }
        changed.into_iter().for_each(|index| self.consider(index));
    }
}
