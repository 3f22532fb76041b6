//! What `remove_node_type` and `remove_node_name` could take away: nodes at the ends of a network, to a fixed point (manual, "Model
//! Parameters").

use crate::bpu::lower::border::Removable;
use std::collections::{HashMap, HashSet};

/// A node with the values that it reads, without constants, and gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edges {
    /// Its name.
    pub name: String,
    /// As what it can be removed; none where it computes.
    pub kind: Option<Removable>,
    /// What it reads.
    pub inputs: Vec<String>,
    /// What it gives.
    pub outputs: Vec<String>,
}

/// The nodes without the pairs of a network in QDQ form, which say what integers a value is and are no nodes any more once that is read; with the
/// values that outputs are then.
fn without_pairs(nodes: &[Edges], outputs: &[String]) -> (Vec<Edges>, Vec<String>) {
    let readers = |value: &String| nodes.iter().filter(|node| node.inputs.contains(value)).collect::<Vec<_>>();
    // By what the second of a pair gives: what the first reads.
    let mut read = HashMap::new();
    let mut firsts = HashSet::new();
    for node in nodes.iter().filter(|node| node.kind == Some(Removable::Quantize)) {
        let ([input], [integers]) = (node.inputs.as_slice(), node.outputs.as_slice()) else { continue };
        let is_pair = |reader: &Edges| reader.kind == Some(Removable::Dequantize) && reader.outputs.len() == 1;
        let readers = readers(integers);
        if outputs.contains(integers) || readers.is_empty() || !readers.iter().all(|reader| is_pair(reader)) {
            continue;
        }
        firsts.insert(node.name.as_str());
        read.extend(readers.into_iter().flat_map(|reader| &reader.outputs).map(|output| (output.as_str(), input)));
    }
    // Values are in the order of the network, so that this ends.
    let source = |value: &String| {
        let mut value = value;
        while let Some(before) = read.get(value.as_str()) {
            value = before;
        }
        value.clone()
    };
    let is_second = |node: &Edges| node.outputs.iter().any(|output| read.contains_key(output.as_str()));
    let kept = nodes.iter().filter(|node| !firsts.contains(node.name.as_str()) && !is_second(node));
    let kept = kept.map(|node| Edges { inputs: node.inputs.iter().map(source).collect(), ..node.clone() });
    (kept.collect(), outputs.iter().map(source).collect())
}

/// Names and types of the nodes that can be removed when all of their types are given, in the order in which they go.
pub fn removable(nodes: &[Edges], inputs: &[String], outputs: &[String]) -> Vec<(String, &'static str)> {
    let (nodes, outputs) = without_pairs(nodes, outputs);
    let mut inputs: HashSet<&str> = inputs.iter().map(String::as_str).collect();
    let mut outputs: HashSet<&str> = outputs.iter().map(String::as_str).collect();
    let mut left: Vec<&Edges> = nodes.iter().collect();
    let mut removed = Vec::new();
    loop {
        let found = left.iter().enumerate().find_map(|(place, node)| {
            let kind = node.kind?.name();
            let ([input], [output]) = (node.inputs.as_slice(), node.outputs.as_slice()) else { return None };
            let readers =
                |value: &str| left.iter().flat_map(|node| &node.inputs).filter(|input| *input == value).count();
            // One that is all that is left between an input and an output stays.
            let first = inputs.contains(input.as_str())
                && readers(input) == 1
                && !outputs.contains(input.as_str())
                && !outputs.contains(output.as_str());
            let last = outputs.contains(output.as_str())
                && readers(output) == 0
                && readers(input) == 1
                && !outputs.contains(input.as_str())
                && !inputs.contains(input.as_str());
            (first || last).then_some((place, kind, first))
        });
        let Some((place, kind, first)) = found else { return removed };
        let node = left.remove(place);
        removed.push((node.name.clone(), kind));
        if let ([input], [output]) = (node.inputs.as_slice(), node.outputs.as_slice()) {
            let (ends, gone, new) = if first { (&mut inputs, input, output) } else { (&mut outputs, output, input) };
            ends.remove(gone.as_str());
            ends.insert(new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, operator: &str, inputs: &[&str], output: &str) -> Edges {
        let inputs = inputs.iter().map(|input| (*input).to_owned()).collect();
        Edges { name: name.into(), kind: Removable::of_onnx(operator), inputs, outputs: vec![output.into()] }
    }

    fn names(nodes: &[Edges], inputs: &[&str], outputs: &[&str]) -> Vec<(String, &'static str)> {
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        removable(nodes, &all(inputs), &all(outputs))
    }

    /// What says which integers a value is stands between no node and the end.
    #[test]
    fn pairs_of_a_quantized_network_are_no_ends() {
        let nodes = [
            node("q0", "QuantizeLinear", &["x"], "a"),
            node("d0", "DequantizeLinear", &["a"], "b"),
            node("t", "Transpose", &["b"], "c"),
            node("conv", "Conv", &["c"], "d"),
            node("q1", "QuantizeLinear", &["d"], "e"),
            node("d1", "DequantizeLinear", &["e"], "f"),
            node("s", "Softmax", &["f"], "g"),
            node("q2", "QuantizeLinear", &["g"], "h"),
            node("d2", "DequantizeLinear", &["h"], "y"),
        ];
        assert_eq!(names(&nodes, &["x"], &["y"]), [("t".to_owned(), "Transpose"), ("s".to_owned(), "Softmax")]);
        // A network that ends in integers gives them.
        let found = names(&nodes[..8], &["x"], &["h"]);
        assert_eq!(found.last(), Some(&("s".to_owned(), "Softmax")));
        assert!(found.contains(&("q2".to_owned(), "Quantize")), "{found:?}");
    }

    #[test]
    fn both_ends_are_eaten_up_to_what_computes() {
        let nodes = [
            node("t", "Transpose", &["x"], "a"),
            node("q", "QuantizeLinear", &["a"], "b"),
            node("c", "Conv", &["b"], "d"),
            node("r", "Flatten", &["d"], "e"),
            node("s", "Softmax", &["e"], "y"),
        ];
        let expected = [("t", "Transpose"), ("q", "Quantize"), ("s", "Softmax"), ("r", "Reshape")];
        assert_eq!(names(&nodes, &["x"], &["y"]), expected.map(|(name, kind)| (name.to_owned(), kind)));
    }

    #[test]
    fn what_has_other_readers_stays() {
        let shared = [node("t", "Transpose", &["x"], "a"), node("c", "Conv", &["a", "x"], "y")];
        assert_eq!(names(&shared, &["x"], &["y"]), []);
        let inner = [node("c", "Conv", &["x"], "a"), node("s", "Softmax", &["a"], "y")];
        assert_eq!(names(&inner, &["x"], &["y", "a"]), []);
        let alone = [node("s", "Softmax", &["x"], "y")];
        assert_eq!(names(&alone, &["x"], &["y"]), []);
        let two = [node("c", "Concat", &["x", "z"], "a"), node("s", "Cast", &["a"], "y")];
        assert_eq!(names(&two, &["x", "z"], &["y"]), [("s".to_owned(), "Cast")]);
    }
}
