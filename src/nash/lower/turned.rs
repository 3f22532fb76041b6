//! Tensors whose rows are not their outermost dimension: what is between the order of dimensions that a network's user sees and that of the
//! machine. In a group, such a tensor lies by rows, whatever the order of its dimensions; an input or output of the program is moved as
//! boxes of rows.

use crate::bpu::model::{BpuNode, Operator, Segment, TensorId};

/// Per tensor, the dimension of its rows where that is not its first with more than one index. Only what is between operators that move whole
/// dimensions or look at one row at a time can have its rows elsewhere.
pub fn row_dimensions(segment: &Segment) -> Vec<Option<usize>> {
    let turns: Vec<Option<Turn>> = segment.nodes.iter().map(|node| Turn::of(segment, node)).collect();
    let fixed = fixed(segment, &turns);
    let mut rows: Vec<Option<usize>> = segment
        .tensors
        .iter()
        .zip(&fixed)
        .map(|(tensor, &fixed)| tensor.shape.iter().position(|&size| size > 1).filter(|_| fixed))
        .collect();
    turns.iter().flatten().for_each(|turn| turn.spread(true, &mut rows));
    turns.iter().flatten().rev().for_each(|turn| turn.spread(false, &mut rows));
    let aliases = Aliases::new(segment, &turns);
    for (id, tensor) in segment.tensors.iter().enumerate() {
        let first = tensor.shape.iter().position(|&size| size > 1);
        let stays = fixed.get(id).copied().unwrap_or(true) || aliases.is_read_too_often(id);
        if let Some(rows) = rows.get_mut(id).filter(|rows| stays || **rows == first) {
            *rows = None;
        }
    }
    // What shares its bytes has its rows in the same place, or nobody has.
    while turns.iter().flatten().any(|turn| turn.parts(&mut rows)) {}
    rows
}

/// Per tensor, whether a node makes or reads it that needs its rows outermost.
fn fixed(segment: &Segment, turns: &[Option<Turn>]) -> Vec<bool> {
    let mut fixed = vec![false; segment.tensors.len()];
    for (node, _) in segment.nodes.iter().zip(turns).filter(|(_, turn)| turn.is_none()) {
        for id in node.inputs.iter().chain(&node.outputs) {
            if let Some(fixed) = fixed.get_mut(id.0) {
                *fixed = true;
            }
        }
    }
    fixed
}

/// A node that moves whole dimensions, or leaves them where they are.
struct Turn {
    from: TensorId,
    to: TensorId,
    /// For each dimension of the result, that of the operand that it is; none where its indices are combined, or where it is new.
    dimensions: Vec<Option<usize>>,
    /// The result is the bytes of the operand.
    is_alias: bool,
}

impl Turn {
    fn of(segment: &Segment, node: &BpuNode) -> Option<Turn> {
        let (&[from], &[to]) = (node.inputs.as_slice(), node.outputs.as_slice()) else { return None };
        let (before, after) = (segment.tensor(from)?, segment.tensor(to)?);
        let every = |dimension: usize| Some(dimension);
        let dimensions = match &node.operator {
            Operator::Transpose { permutation } => permutation.iter().copied().map(Some).collect(),
            Operator::Quantize
            | Operator::Normalize { .. }
            | Operator::Dequantize
            | Operator::Requantize { .. }
            | Operator::Lookup { .. }
            | Operator::Curve { .. } => (0..after.shape.len()).map(every).collect(),
            Operator::Vector { axes, .. } if before.shape == after.shape => {
                (0..after.shape.len()).map(|dimension| every(dimension).filter(|own| !axes.contains(own))).collect()
            }
            Operator::Reshape => without_ones(&before.shape, &after.shape)?,
            _ => return None,
        };
        Some(Turn { from, to, dimensions, is_alias: matches!(node.operator, Operator::Reshape) })
    }

    /// The dimension of the result that one of the operand becomes.
    fn forward(&self, dimension: usize) -> Option<usize> {
        self.dimensions.iter().position(|own| *own == Some(dimension))
    }

    /// Takes the dimension of rows from the operand to the result, or back, where it is not known there.
    fn spread(&self, forward: bool, rows: &mut [Option<usize>]) {
        let (known, wanted) = if forward { (self.from, self.to) } else { (self.to, self.from) };
        let Some(dimension) = rows.get(known.0).copied().flatten() else { return };
        let found = if forward { self.forward(dimension) } else { self.dimensions.get(dimension).copied().flatten() };
        if let Some(entry) = rows.get_mut(wanted.0).filter(|entry| entry.is_none()) {
            *entry = found;
        }
    }

    /// Forgets the rows of two names of the same bytes that do not agree; whether they did not.
    fn parts(&self, rows: &mut [Option<usize>]) -> bool {
        let of = |id: TensorId| rows.get(id.0).copied().flatten();
        let (from, to) = (of(self.from), of(self.to));
        let agree = from.and_then(|from| self.forward(from)) == to && from.is_some() == to.is_some();
        if !self.is_alias || agree {
            return false;
        }
        for id in [self.from, self.to] {
            if let Some(entry) = rows.get_mut(id.0) {
                *entry = None;
            }
        }
        true
    }
}

/// For each dimension of a shape, that of another shape which has the same sizes but for dimensions of one index; none where they differ in more.
fn without_ones(before: &[usize], after: &[usize]) -> Option<Vec<Option<usize>>> {
    let mut sized = before.iter().enumerate().filter(|(_, size)| **size != 1);
    let mut dimensions = Vec::with_capacity(after.len());
    for &size in after {
        dimensions.push(match size {
            1 => None,
            _ => Some(sized.next().filter(|(_, before)| **before == size)?.0),
        });
    }
    sized.next().is_none().then_some(dimensions)
}

/// The tensors that are names of the same bytes, and who reads these.
struct Aliases {
    /// Per tensor, the first name of its bytes.
    first: Vec<usize>,
    /// By first name.
    readers: Vec<usize>,
    /// By first name, how many may read it: what is loaded as boxes is loaded for each reader, and what is stored so is nowhere to be read.
    most: Vec<usize>,
}

impl Aliases {
    fn new(segment: &Segment, turns: &[Option<Turn>]) -> Self {
        let count = segment.tensors.len();
        let mut aliases =
            Aliases { first: (0..count).collect(), readers: vec![0; count], most: vec![usize::MAX; count] };
        for (node, turn) in segment.nodes.iter().zip(turns) {
            match turn.as_ref().filter(|turn| turn.is_alias) {
                Some(turn) => {
                    let source = aliases.of(turn.from);
                    if let Some(first) = aliases.first.get_mut(turn.to.0) {
                        *first = source;
                    }
                }
                None => node.inputs.iter().for_each(|id| {
                    let first = aliases.of(*id);
                    if let Some(readers) = aliases.readers.get_mut(first) {
                        *readers += 1;
                    }
                }),
            }
        }
        for (ids, most) in [(&segment.inputs, 1), (&segment.outputs, 0)] {
            for id in ids {
                let first = aliases.of(*id);
                if let Some(known) = aliases.most.get_mut(first) {
                    *known = most.min(*known);
                }
            }
        }
        aliases
    }

    fn of(&self, id: TensorId) -> usize {
        self.first.get(id.0).copied().unwrap_or(id.0)
    }

    fn is_read_too_often(&self, id: usize) -> bool {
        let first = self.of(TensorId(id));
        self.readers.get(first).zip(self.most.get(first)).is_none_or(|(readers, most)| readers > most)
    }
}
