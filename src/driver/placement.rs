//! What runs where: what `node_info` asks for, and what came of it.

use super::compare::{Crossing, NodeFacts};
use super::compile::{NetworkStages, OPTIMIZE, StageError};
use super::configuration::{Configuration, NODE_INFO, Processor, counted};
use super::log::tell_lines;
use super::quantize::ASSIGN_PLACEMENT;
use crate::bpu::lower::Placement;
use crate::pipeline::{self, on_functions};
use hb_dialects::pass::word;
use melior::ir::Module;

/// The nodes that `node_info` asks onto a processor.
fn requested(configuration: &Configuration, processor: Processor) -> Vec<&str> {
    let requests = configuration.get(&NODE_INFO).iter();
    requests.filter(|request| request.on == Some(processor)).map(|request| request.name.as_str()).collect()
}

/// The pipeline of the float level. What shall run on the CPU is not taken apart for the BPU.
pub(super) fn optimize(configuration: &Configuration) -> String {
    let names: Vec<String> = requested(configuration, Processor::Cpu).into_iter().map(word).collect();
    if names.is_empty() { OPTIMIZE.to_owned() } else { format!("{OPTIMIZE}{{cpu={}}}", names.join(",")) }
}

/// The pass that puts nodes onto the CPU, where `node_info` asks for it. It runs before calibration: what will not be quantized has no
/// say in precision. The others are placed behind the scales that a network brings: between those, some would look as if they could not run on the BPU.
pub(super) fn requested_placement(configuration: &Configuration) -> Option<String> {
    let names: Vec<String> = requested(configuration, Processor::Cpu).into_iter().map(word).collect();
    (!names.is_empty()).then(|| on_functions(&format!("{ASSIGN_PLACEMENT}{{cpu={} others=leave}}", names.join(","))))
}

impl NetworkStages<'_> {
    /// Puts nodes where `node_info` asks for the CPU.
    pub(super) fn place_requested(&self, module: &mut Module<'_>) -> Result<(), StageError> {
        let Some(pass) = requested_placement(self.configuration) else { return Ok(()) };
        Ok(pipeline::run(self.context, module, &pass)?)
    }

    /// Says which nodes run on the CPU, why, and where their neighbours pay for it; and what came of the requests of `node_info`.
    pub(super) fn report_placement(&self, facts: &[NodeFacts]) {
        let line = |fact: &NodeFacts| {
            let Placement::Cpu { reason } = &fact.placement else { return None };
            let (name, operator, ways) = (&fact.name, &fact.operator, ways(&fact.crossings));
            Some(format!("node '{name}' ({operator}) runs on the CPU: {reason}{ways}"))
        };
        tell_lines(&facts.iter().filter_map(line).collect::<Vec<_>>(), "nodes run on the CPU");
        for name in requested(self.configuration, Processor::Bpu) {
            for fact in facts.iter().filter(|fact| is_made_of(fact, name)) {
                if let Placement::Cpu { reason } = &fact.placement {
                    tracing::warn!("node_info: node '{name}' cannot run on the BPU, it runs on the CPU: {reason}");
                }
            }
        }
        let asked = requested(self.configuration, Processor::Cpu);
        for (name, fact) in asked.iter().flat_map(|name| facts.iter().map(move |fact| (name, fact))) {
            // An operation that is made of several nodes runs in one place.
            let others: Vec<&str> =
                fact.origins.iter().map(String::as_str).filter(|origin| !asked.contains(origin)).collect();
            if is_made_of(fact, name) && !others.is_empty() {
                let others = others.join("', '");
                tracing::warn!(
                    "node_info: node '{name}' is one operation with '{others}', so that these run on the CPU, too"
                );
            }
        }
        for processor in [Processor::Cpu, Processor::Bpu] {
            let named = requested(self.configuration, processor).into_iter();
            for name in named.filter(|name| !facts.iter().any(|fact| is_made_of(fact, name))) {
                report_absent(name, processor, facts);
            }
        }
    }
}

/// Says why a node that is asked onto a processor has no place of its own.
fn report_absent(name: &str, processor: Processor, facts: &[NodeFacts]) {
    match facts.iter().find(|fact| fact.inner_nodes.iter().any(|inner| inner == name)) {
        // Branches and loops run there with all that is inside.
        Some(_) if processor == Processor::Cpu => {}
        Some(NodeFacts { name: holder, operator, .. }) => tracing::warn!(
            "node_info: node '{name}' is inside of node '{holder}' ({operator}), which runs on the CPU as a whole"
        ),
        None => tracing::warn!(
            "node_info: node '{name}' has nothing left to compute when the model runs, so it runs nowhere"
        ),
    }
}

/// Whether a node of the user's network went into a node.
fn is_made_of(fact: &NodeFacts, name: &str) -> bool {
    fact.name == name || fact.origins.iter().any(|origin| origin == name)
}

/// Where values cross between the processors.
fn ways(crossings: &[Crossing]) -> String {
    let texts: Vec<String> = crossings
        .iter()
        .map(|Crossing { node, values, from_bpu }| match from_bpu {
            true => format!("{} of '{node}' from the BPU", counted(*values, "value")),
            false => format!("{} to '{node}' on the BPU", counted(*values, "value")),
        })
        .collect();
    if texts.is_empty() { String::new() } else { format!("; {}", texts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_told() {
        let crossing = |node: &str, values, from_bpu| Crossing { node: node.into(), values, from_bpu };
        let text = ways(&[crossing("Conv_0", 40, true), crossing("Conv_2", 1, false)]);
        assert_eq!(text, "; 40 values of 'Conv_0' from the BPU, 1 value to 'Conv_2' on the BPU");
        assert_eq!(ways(&[]), "");
    }
}
