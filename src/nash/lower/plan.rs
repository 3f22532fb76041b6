//! The decisions behind a program, as plain data.

use serde::{Deserialize, Serialize};

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
    /// One per instruction form: none for an alias, several for a concat.
    pub tilings: Vec<Tiling>,
}

/// All decisions about a segment. Tensors that are not resident live in DDR.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoweringPlan {
    /// Tensors that stay in local memory.
    pub residents: Vec<Resident>,
    /// In the order of the segment.
    pub nodes: Vec<NodePlan>,
}
