//! The decisions behind a program, as plain data.

use serde::{Deserialize, Serialize};

use super::super::schedule::Stay;
use super::super::tile::apply::Tiling;

/// A tensor that stays in L1M from its producer to its last consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resident {
    /// Index of the tensor in the segment (of its first name, where a reshape renames it).
    pub tensor: usize,
    /// In local memory.
    pub address: u64,
    /// Its size.
    pub bytes: u64,
}

/// How the instruction forms of one node are cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePlan {
    /// Its name.
    pub node: String,
    /// One per instruction form: none for an alias or a node of a group, several for a concat.
    pub tilings: Vec<Tiling>,
}

/// Consecutive nodes that are computed together, a stripe of rows at a time. What they hand to each other is in local memory only as long as
/// rows of it are needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeGroup {
    /// Its first node.
    pub first: usize,
    /// The first node behind it.
    pub end: usize,
    /// How many stripes the results of the group are made in.
    pub pieces: usize,
    /// How far its nodes are apart.
    #[serde(default, skip_serializing_if = "Lag::is_default")]
    pub lag: Lag,
}

/// By how many stripes a node of a group comes later than one that it reads: what engines hand to each other in one stripe, they wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lag {
    /// Than one on another engine.
    pub handed: usize,
    /// Than one on the same engine whose rows it reads again in the next stripe: the layout engine copies them in between.
    pub kept: usize,
}

impl Lag {
    /// Engines work side by side.
    pub const NEAR: Lag = Lag { handed: 1, kept: 0 };
    /// Nobody waits for what was handed on in the stripe before, nor for rows that were copied meanwhile.
    pub const WIDE: Lag = Lag { handed: 2, kept: 2 };
    /// More makes too many rows wait.
    pub const MOST: usize = 8;

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Lag {
    fn default() -> Self {
        Self::NEAR
    }
}

impl NodeGroup {
    /// The group of a node, among groups in order.
    pub fn of(groups: &[NodeGroup], node: usize) -> Option<&NodeGroup> {
        groups.get(groups.partition_point(|group| group.end <= node)).filter(|group| group.contains(node))
    }

    /// Whether a node, or its moment, is of the group.
    pub fn contains(&self, node: usize) -> bool {
        (self.first..self.end).contains(&node)
    }
}

/// All decisions about a segment. Tensors that are not resident live in DDR.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoweringPlan {
    /// The nodes of the segment in the order in which they are computed; empty where that is their own. Everything below counts in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<usize>,
    /// Tensors that stay in local memory.
    pub residents: Vec<Resident>,
    /// In order, disjoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<NodeGroup>,
    /// In order.
    pub nodes: Vec<NodePlan>,
    /// Of each box of an operand that tiles bring to local memory, in the order of the tiles.
    pub stays: Vec<Stay>,
    /// The instructions, as they are without cuts, with which function calls begin; the first one goes without saying.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<usize>,
}
