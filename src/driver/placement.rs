//! What runs where: what `node_info` asks for, and what came of it.

use super::compare::{Crossing, NodeFacts};
use super::compile::NetworkStages;
use crate::bpu::lower::Placement;

impl NetworkStages<'_> {
    /// Says which nodes run on the CPU, why, and where their neighbours pay for it.
    pub(super) fn report_placement(&self, facts: &[NodeFacts]) {
        for fact in facts {
            if let Placement::Cpu { reason } = &fact.placement {
                let (name, operator, ways) = (&fact.name, &fact.operator, ways(&fact.crossings));
                tracing::info!("node '{name}' ({operator}) runs on the CPU: {reason}{ways}");
            }
        }
    }
}

/// Where values cross between the processors.
fn ways(crossings: &[Crossing]) -> String {
    let texts: Vec<String> = crossings
        .iter()
        .map(|Crossing { node, values, from_bpu }| match from_bpu {
            true => format!("{values} values of '{node}' come from the BPU"),
            false => format!("{values} values go to '{node}' on the BPU"),
        })
        .collect();
    if texts.is_empty() { String::new() } else { format!("; {}", texts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_told() {
        let crossing = |node: &str, from_bpu| Crossing { node: node.into(), values: 40, from_bpu };
        let text = ways(&[crossing("Conv_0", true), crossing("Conv_2", false)]);
        assert_eq!(text, "; 40 values of 'Conv_0' come from the BPU, 40 values go to 'Conv_2' on the BPU");
        assert_eq!(ways(&[]), "");
    }
}
