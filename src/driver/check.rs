//! The check of a model: what stands in its way, and what will run where.

use super::compile::CompileError;
use super::configuration::Purpose;
use super::outcome::CompilationOutcome;
use super::run::fault;
use super::tables::aligned;
use crate::bpu::lower::Placement;
use crate::frontend::onnx::model::Model;
use crate::frontend::onnx::normalize::check_operators;
use std::collections::BTreeMap;

/// What keeps a model from being compiled, all at once: `first`, and the operators that the compiler has not.
pub(super) fn obstacles(model: &Model, first: &str) -> CompileError {
    match check_operators(&model.graph) {
        Ok(()) => fault(first),
        Err(operators) => fault(format!("{first}\n{operators}")),
    }
}

/// Says on the console what runs where, and why.
pub(super) fn show(outcome: &CompilationOutcome) {
    if outcome.purpose != Some(Purpose::Check) || outcome.nodes.is_empty() {
        return;
    }
    let (on_bpu, on_cpu) = outcome.processors();
    tracing::info!("{on_bpu} of {} nodes run on the BPU, {on_cpu} on the CPU", outcome.nodes.len());
    let mut kinds: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for node in &outcome.nodes {
        if let Placement::Cpu { reason } = &node.placement {
            kinds.entry((node.operator.as_str(), reason.as_str())).or_default().push(&node.name);
        }
    }
    if kinds.is_empty() {
        return;
    }
    let rows: Vec<[String; 4]> = kinds
        .into_iter()
        .map(|((operator, reason), nodes)| {
            [operator.to_owned(), nodes.len().to_string(), shortened(&nodes), reason.to_owned()]
        })
        .collect();
    tracing::info!("on the CPU, and why:\n{}", aligned(&["Operator", "Nodes", "Names", "Reason"], &rows));
}

/// The first few names.
fn shortened(names: &[&str]) -> String {
    const SHOWN: usize = 3;
    let first = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{first}, ...") } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(shortened(&["a", "b", "c"]), "a, b, c");
        assert_eq!(shortened(&["a", "b", "c", "d"]), "a, b, c, ...");
    }
}
