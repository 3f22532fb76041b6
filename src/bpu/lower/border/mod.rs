//! Nodes at the borders of a network that the deployed model does without: `remove_node_type` and `remove_node_name`.
//!
//! From each input, and from each output backwards, a chain of nodes can be removed: each has one input and one output, is of a type that
//! the manual lists, and nothing else reads what it reads or gives. `network` removes nodes of the user's network before it is cut into
//! segments, `segments` what stands at the borders of segments then: quantization and the changes of layout that lowering needs.

mod network;
mod segments;

use hb_dialects::{
    bpu, hfloat,
    ir::{self, OperationAttributes, attribute},
    names::{BATCH, LAYOUT},
    pass::{OptionDefinition, PassDefinition, PassFailure, PassOptions},
};
use melior::ir::{OperationRef, operation::OperationLike};
use std::fmt;

/// The two passes, in their order.
pub(super) const PASSES: [&PassDefinition; 2] = [&network::PASS, &segments::PASS];

/// The attribute of a function that lists what was removed from it: names and types of nodes, one after the other.
const REMOVED: &str = "hfloat.removed_nodes";

/// Types of nodes, as the manual lists them for `remove_node_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removable {
    /// float32 to integers.
    Quantize,
    /// Another order of dimensions.
    Transpose,
    /// Integers to float32.
    Dequantize,
    /// One element type to another.
    Cast,
    /// The same elements in another shape.
    Reshape,
    /// The softmax of the output.
    Softmax,
}

impl Removable {
    /// In the order of the manual.
    pub const ALL: [Self; 6] =
        [Self::Quantize, Self::Transpose, Self::Dequantize, Self::Cast, Self::Reshape, Self::Softmax];

    /// The type that a word of the configuration means.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == word)
    }

    /// The word of the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quantize => "Quantize",
            Self::Transpose => "Transpose",
            Self::Dequantize => "Dequantize",
            Self::Cast => "Cast",
            Self::Reshape => "Reshape",
            Self::Softmax => "Softmax",
        }
    }

    /// The type of a node, if it is one of these.
    fn of(operation: OperationRef<'_, '_>) -> Option<Self> {
        match bpu::Op::of(operation) {
            Some(op) => Self::of_bpu(op),
            None => Self::of_float(hfloat::Op::of(operation)?),
        }
    }

    /// The type of an operator of ONNX.
    pub fn of_onnx(operator: &str) -> Option<Self> {
        match operator {
            "QuantizeLinear" => Some(Self::Quantize),
            "DequantizeLinear" => Some(Self::Dequantize),
            other => hfloat::Op::ALL.iter().find(|op| op.onnx().name == other).and_then(|op| Self::of_float(*op)),
        }
    }

    /// The type of an operation of the BPU.
    pub fn of_bpu(op: bpu::Op) -> Option<Self> {
        match op {
            bpu::Op::Quantize => Some(Self::Quantize),
            bpu::Op::Dequantize => Some(Self::Dequantize),
            bpu::Op::Transpose => Some(Self::Transpose),
            bpu::Op::Reshape => Some(Self::Reshape),
            _ => None,
        }
    }

    /// The type of an operation of the float level.
    pub fn of_float(op: hfloat::Op) -> Option<Self> {
        match op {
            hfloat::Op::Transpose => Some(Self::Transpose),
            hfloat::Op::Cast => Some(Self::Cast),
            // All of them only give the elements another shape.
            hfloat::Op::Reshape | hfloat::Op::Flatten | hfloat::Op::Squeeze | hfloat::Op::Unsqueeze => {
                Some(Self::Reshape)
            }
            hfloat::Op::Softmax => Some(Self::Softmax),
            _ => None,
        }
    }
}

impl fmt::Display for Removable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A node at a border, by its name and type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BorderNode {
    /// The name.
    pub name: String,
    /// The type.
    pub kind: Removable,
}

/// The nodes that `remove_node_type` and `remove_node_name` could take away from a network before it is cut into segments, or from its first
/// and last segments then.
pub fn removable(function: OperationRef<'_, '_>) -> Vec<BorderNode> {
    let mut found: Vec<BorderNode> = Vec::new();
    for node in network::removable(function).into_iter().chain(segments::removable(function)) {
        if !found.contains(&node) {
            found.push(node);
        }
    }
    found
}

/// Why nodes of these names are still in a network of segments, a line for each that is.
pub fn unremoved(function: OperationRef<'_, '_>, names: &[String]) -> Vec<String> {
    segments::unremoved(function, names)
}

/// What the deployed network does without, in the order in which it was removed.
pub fn removed(function: OperationRef<'_, '_>) -> Vec<BorderNode> {
    let words = function.attribute(REMOVED).ok().and_then(attribute::array_elements).unwrap_or_default();
    let words: Vec<String> = words.into_iter().filter_map(attribute::text).collect();
    let pairs = words.as_chunks::<2>().0.iter();
    pairs.filter_map(|[name, word]| Some(BorderNode { name: name.clone(), kind: Removable::named(word)? })).collect()
}

/// Notes that a node was removed.
fn note(function: OperationRef<'_, '_>, node: &BorderNode) {
    let context = function.context_reference();
    let mut words = function.attribute(REMOVED).ok().and_then(attribute::array_elements).unwrap_or_default();
    words.extend([node.name.as_str(), node.kind.name()].map(|word| attribute::string(context, word)));
    ir::set_attribute(function, REMOVED, attribute::array(context, &words));
}

/// The options of both passes.
const OPTIONS: [OptionDefinition; 2] = [
    OptionDefinition {
        name: "types",
        default: "",
        description: "types of nodes, separated by commas: Quantize, Transpose, Dequantize, Cast, Reshape, Softmax; not used where \
`names` is given",
    },
    OptionDefinition {
        name: "names",
        default: "",
        description: "names of nodes, separated by commas; bytes other than letters, digits and `-_./` as `%` and two digits",
    },
];

/// Which nodes are to be removed.
struct Selection {
    names: Vec<String>,
    types: Vec<Removable>,
}

impl Selection {
    fn of(options: &PassOptions) -> Result<Self, PassFailure> {
        let kind = |word: String| {
            let all = || Removable::ALL.map(Removable::name).join(", ");
            Removable::named(&word).ok_or_else(|| PassFailure::Message(format!("types: '{word}' is none of {}", all())))
        };
        let types = options.names("types").into_iter().map(kind).collect::<Result<_, _>>()?;
        Ok(Self { names: options.names("names"), types })
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty() && self.types.is_empty()
    }

    /// Whether a node of these names is meant. Names win over types.
    fn takes<'n>(&self, kind: Removable, mut names: impl Iterator<Item = &'n String>) -> bool {
        if self.names.is_empty() { self.types.contains(&kind) } else { names.any(|name| self.names.contains(name)) }
    }
}

/// Dimensions in another order: letter `i` is letter `permutation[i]`. Empty where there are not as many of them.
fn permuted(layout: &str, permutation: &[i64]) -> String {
    let letters: Vec<char> = layout.chars().collect();
    let moved = permutation.iter().map(|from| usize::try_from(*from).ok().and_then(|from| letters.get(from)));
    moved.collect::<Option<String>>().filter(|moved| moved.len() == letters.len()).unwrap_or_default()
}

/// The permutation that undoes another.
fn inverse(permutation: &[i64]) -> Vec<i64> {
    let position = |wanted: usize| permutation.iter().position(|from| usize::try_from(*from) == Ok(wanted));
    (0..permutation.len()).map(|to| position(to).map_or(-1, |from| from as i64)).collect()
}

/// Whether a transpose of an input leaves the samples of a batch one after the other. They are in the outermost dimension of more than one.
///
/// # Errors
/// When it does not: such a transpose stays.
fn check_samples(
    function: OperationRef<'_, '_>,
    node: &str,
    shape: &[usize],
    permutation: &[i64],
) -> Result<(), PassFailure> {
    let batch = function.optional_integer(BATCH)?.is_some_and(|samples| samples > 1);
    let is_one = |axis: usize| shape.get(axis).is_none_or(|size| *size == 1);
    let outermost = (0..shape.len()).find(|axis| !is_one(*axis));
    let moved = permutation.iter().filter_map(|axis| usize::try_from(*axis).ok()).find(|axis| !is_one(*axis));
    if batch && outermost != moved {
        return Err(PassFailure::Message(format!(
            "node '{node}' cannot be removed: without it an input does not hold its samples one after the other, as input_batch needs; name \
             the nodes to remove in remove_node_name, without this one"
        )));
    }
    Ok(())
}

/// The layout that an attribute of an input or output says; without one, images are NCHW.
fn layout_said(said: Option<melior::ir::Attribute<'_>>, rank: usize) -> String {
    let default = if rank == 4 { "NCHW" } else { "" };
    said.map_or_else(|| default.to_owned(), |said| attribute::text(said).unwrap_or_default())
}

/// Says the layout of an input.
fn say_input_layout(function: OperationRef<'_, '_>, index: usize, layout: &str) {
    let context = function.context_reference();
    ir::set_argument_attribute(function, index, LAYOUT, attribute::string(context, known(layout)));
}

/// Says the layout of an output.
fn say_output_layout(function: OperationRef<'_, '_>, index: usize, layout: &str) {
    let context = function.context_reference();
    ir::set_result_attribute(function, index, LAYOUT, attribute::string(context, known(layout)));
}

/// Only these two orders have a name.
fn known(layout: &str) -> &str {
    if matches!(layout, "NCHW" | "NHWC") { layout } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_follow_permutations() {
        assert_eq!(permuted("NCHW", &[0, 2, 3, 1]), "NHWC");
        assert_eq!(permuted("NHWC", &inverse(&[0, 2, 3, 1])), "NCHW");
        assert_eq!(permuted("", &[0, 2, 3, 1]), "");
        assert_eq!(permuted("NCHW", &[0, 1]), "");
        assert_eq!(known("NWHC"), "");
    }
}
