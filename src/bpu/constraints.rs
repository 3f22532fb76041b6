//! What a node must satisfy to run on the BPU: one function and one sentence each.
//!
//! The sentence is the reason in the placement report and the row of the generated `docs/operators.md`. The limits here
//! follow from `docs/numerics.md` and from the instruction set (`docs/nash-isa.md`); the size of a layer is no limit,
//! since tiles may be as small as they must.

mod rules;
#[cfg(test)]
mod tests;

use super::model::{BpuNode, BpuTensor, Segment};
use hb_dialects::bpu::Op;

/// How much of a node is known when it is asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Known {
    /// Element types and shapes. Scales are place holders, and constants have no values: what depends on them holds.
    Types,
    /// The scales too. Constants may have no values: the largest of their type stand for them.
    Scales,
    /// Everything.
    #[default]
    Values,
}

/// A node with its tensors, for a constraint to look at.
#[derive(Clone, Copy)]
pub struct NodeContext<'a> {
    /// How much of them is known.
    pub known: Known,
    /// Holds the tensors.
    pub segment: &'a Segment,
    /// The node in question; it need not be in the segment's list.
    pub node: &'a BpuNode,
}

impl<'a> NodeContext<'a> {
    /// The operand at `index`, if the node has one there.
    #[must_use]
    pub fn operand(&self, index: usize) -> Option<&'a BpuTensor> {
        self.segment.tensor(*self.node.inputs.get(index)?)
    }

    /// The result.
    #[must_use]
    pub fn result(&self) -> Option<&'a BpuTensor> {
        self.segment.tensor(*self.node.outputs.first()?)
    }

    /// Whether the operand at `index` is a constant, of which the values may not be known.
    #[must_use]
    pub fn is_constant(&self, index: usize) -> bool {
        let Some(id) = self.node.inputs.get(index) else { return false };
        let computed = || self.segment.nodes.iter().any(|node| node.outputs.contains(id));
        let valueless = || self.known != Known::Values && !self.segment.inputs.contains(id) && !computed();
        self.operand(index).is_some_and(|tensor| tensor.data.is_some()) || valueless()
    }

    /// Every operand, then every result.
    pub fn tensors(&self) -> impl Iterator<Item = &'a BpuTensor> + use<'a> {
        let segment = self.segment;
        self.node.inputs.iter().chain(&self.node.outputs).filter_map(|id| segment.tensor(*id))
    }
}

/// One condition of one operator, or of all.
pub struct Constraint {
    /// What must hold, as one sentence.
    pub sentence: &'static str,
    /// Whether it holds. A check that lacks what it looks at passes: that a tensor is missing is the concern of another.
    pub check: fn(&NodeContext) -> bool,
}

/// Whether the BPU can run the node, as far as it is known; if not, the sentences of all constraints that it breaks.
///
/// # Errors
/// The broken constraints, the general ones first.
pub fn explain(segment: &Segment, node: &BpuNode, known: Known) -> Result<(), Vec<&'static str>> {
    let context = NodeContext { known, segment, node };
    let broken: Vec<&'static str> = rules::GENERAL
        .iter()
        .chain(rules::of(node.operator.op()))
        .filter(|constraint| !(constraint.check)(&context))
        .map(|constraint| constraint.sentence)
        .collect();
    if broken.is_empty() { Ok(()) } else { Err(broken) }
}

/// A row of `docs/operators.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The operator's name in the `bpu` dialect; "every operator" for what holds for all.
    pub operator: &'static str,
    /// Its constraints.
    pub sentences: Vec<&'static str>,
}

/// The rows for the generated documentation: first what holds for every operator, then each operator by name.
#[must_use]
pub fn documentation() -> Vec<Row> {
    let sentences = |constraints: &[Constraint]| constraints.iter().map(|constraint| constraint.sentence).collect();
    let general = Row { operator: "every operator", sentences: sentences(rules::GENERAL) };
    let specific = Op::ALL.iter().filter(|op| !matches!(op, Op::Yield | Op::Segment | Op::Constant));
    let specific =
        specific.map(|op| Row { operator: op.definition().mnemonic(), sentences: sentences(rules::of(*op)) });
    std::iter::once(general).chain(specific).collect()
}
