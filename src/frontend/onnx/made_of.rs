//! What a node of an exported model is made of, in the metadata of the node.
//!
//! | key | value |
//! |---|---|
//! | `hb.made_of` | a JSON list of the names of the user's nodes that went into it, in the order in which they ran |
//! | `hb.result_of` | the one whose result the first output is; absent where it is the result of none |
//!
//! A node without `hb.made_of` is a node of the user's network itself.

use hb_dialects::ir::Origin;
use std::collections::HashSet;

use super::model::{MadeOf, Node};
use super::proto::StringStringEntryProto;

const MADE_OF: &str = "hb.made_of";
const RESULT_OF: &str = "hb.result_of";
/// Of the nodes that went into one. Each part of the node, as those of an unrolled LSTM, has the list in its location, so that a long one would
/// fill the memory.
const MOST_NODES: usize = 64;

impl MadeOf {
    /// What the metadata of a node says.
    ///
    /// # Errors
    /// When the list is none.
    pub(super) fn read(metadata: &[StringStringEntryProto]) -> Result<Option<Self>, String> {
        let of = |key: &str| metadata.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
        let Some(list) = of(MADE_OF) else { return Ok(None) };
        let is_list = |nodes: &Vec<String>| {
            let different: HashSet<&String> = nodes.iter().filter(|node| !node.is_empty()).collect();
            nodes.len() <= MOST_NODES && different.len() == nodes.len()
        };
        let nodes = serde_json::from_str(list).ok().filter(is_list).ok_or_else(|| {
            format!("its metadata {MADE_OF:?} is no JSON list of at most {MOST_NODES} different names; remove that entry from the file")
        })?;
        let result_of = of(RESULT_OF).filter(|node| nodes.iter().any(|known| known == node)).map(str::to_owned);
        Ok(Some(Self { nodes, result_of }))
    }

    /// The metadata that [`Self::read`] reads.
    pub(super) fn metadata(&self) -> Vec<StringStringEntryProto> {
        // Too many are nobody's help; the node is then a part of none, which is compared with nothing.
        let nodes = if self.nodes.len() <= MOST_NODES { self.nodes.clone() } else { Vec::new() };
        let entry = |key: &str, value: String| StringStringEntryProto { key: key.to_owned(), value };
        let result = self.result_of.clone().filter(|node| nodes.contains(node));
        let made_of = entry(MADE_OF, serde_json::Value::from(nodes).to_string());
        [made_of].into_iter().chain(result.map(|node| entry(RESULT_OF, node))).collect()
    }
}

/// Tells the nodes that an operation became what they are made of. `result` is the name of its first result; `is_split` says that what was
/// fused into the operation is a node of its own again, behind the others.
pub(super) fn tell(nodes: &mut [Node], origin: &Origin, result: Option<&str>, is_split: bool) {
    let (last, before) = match origin.nodes.split_last() {
        Some((last, before)) if is_split && !before.is_empty() && origin.result_node().is_some() => {
            (Some(last), before)
        }
        _ => (None, origin.nodes.as_slice()),
    };
    for node in nodes {
        let gives_result = result.is_some_and(|result| node.outputs.iter().any(|output| output == result));
        let made = match (gives_result, last, before) {
            (true, Some(last), _) => MadeOf::itself(last),
            (true, None, _) => {
                MadeOf { nodes: origin.nodes.clone(), result_of: origin.result_node().map(str::to_owned) }
            }
            // Of more than two nodes nobody knows how many were before what was fused.
            (false, Some(_), [only]) if node.name == origin.name => MadeOf::itself(only),
            _ => MadeOf::part_of(before),
        };
        node.made_of = (made != MadeOf::itself(&node.name)).then_some(made);
    }
}
