//! What `output_nodes`, `remove_node_type`, `remove_node_name`, `input_batch` and `separate_batch` make of the passes, and what is said of
//! it.

use super::compare;
use super::compile::{CompileError, StageError, assign_preprocessing_pass};
use super::configuration::{
    CheckedInput, Configuration, INPUT_BATCH, OUTPUT_NODES, Problem, Problems, REMOVE_NODE_NAME, REMOVE_NODE_TYPE,
    SEPARATE_BATCH, Word, batch_fault,
};
use super::log::tell_names;
use crate::bpu::lower::border::{self, BorderNode};
use crate::bpu::lower::separate;
use crate::bpu::verify;
use crate::float::{batch, set_outputs};
use crate::pipeline::{self, on_functions};
use crate::wording::suggestion;
use hb_dialects::ir::{self, OperationAttributes};
use hb_dialects::names::input_names;
use hb_dialects::pass::word;
use melior::{
    Context,
    ir::{Module, OperationRef},
};

/// The pass that cuts the network at the nodes that are to be its outputs; none where its own outputs stay.
pub(super) fn set_outputs_pass(configuration: &Configuration) -> Option<String> {
    let nodes = configuration.get(&OUTPUT_NODES);
    let nodes: Vec<String> = nodes.iter().map(word).collect();
    (!nodes.is_empty()).then(|| on_functions(&format!("{}{{nodes={}}}", set_outputs::PASS_NAME, nodes.join(","))))
}

/// Cuts a network as it was imported; the inputs that it still has.
///
/// # Errors
/// When the result of a node cannot be an output.
pub(super) fn set_outputs(
    context: &Context,
    configuration: &Configuration,
    module: &mut Module<'_>,
    inputs: Vec<CheckedInput>,
) -> Result<Vec<CheckedInput>, StageError> {
    let Some(pass) = set_outputs_pass(configuration) else {
        check_batch(configuration, &inputs)?;
        return Ok(inputs);
    };
    pipeline::run(context, module, &pass)?;
    let function = compare::network(module.as_operation())?;
    let left = input_names(function);
    let (needed, unneeded): (Vec<_>, Vec<_>) = inputs.into_iter().partition(|input| left.contains(&input.name));
    if !unneeded.is_empty() {
        let names: Vec<&str> = unneeded.iter().map(|input| input.name.as_str()).collect();
        tracing::info!(
            "no output needs these inputs any more, so the compiled model does not have them: {}",
            names.join(", ")
        );
    }
    check_batch(configuration, &needed)?;
    Ok(needed)
}

/// The samples that the deployed network takes at once.
pub(super) fn samples(configuration: &Configuration) -> usize {
    usize::try_from(*configuration.get(&INPUT_BATCH)).unwrap_or(1)
}

/// Whether the inputs of the network that is compiled can be those of a batch (manual, `input_batch`).
fn check_batch(configuration: &Configuration, inputs: &[CheckedInput]) -> Result<(), CompileError> {
    let shapes: Vec<_> = inputs.iter().map(|input| Some(input.shape.clone())).collect();
    match batch_fault(*configuration.get(&INPUT_BATCH), "the model that is compiled has", &shapes) {
        Some(fault) => Err(Problems(vec![configuration.problem(fault.parameter, fault.what, fault.remedy)]).into()),
        None => Ok(()),
    }
}

/// The pass that makes the quantized network one of several samples; none for one sample.
pub(super) fn set_batch_pass(configuration: &Configuration) -> Option<String> {
    (samples(configuration) > 1).then(|| on_functions(&configuration.pass(batch::PASS_NAME, &[])))
}

/// The passes that make of the quantized network the one that is deployed, up to its placement.
pub(super) fn deploying_passes(configuration: &Configuration, inputs: &[CheckedInput]) -> Vec<String> {
    inputs.iter().map(assign_preprocessing_pass).chain(set_batch_pass(configuration)).collect()
}

/// The passes that make each sample of a network of segments an input of its own; none where samples are given together.
pub(super) fn separating_passes(configuration: &Configuration) -> Option<String> {
    let separate = samples(configuration) > 1 && *configuration.get(&SEPARATE_BATCH);
    separate.then(|| on_functions(&format!("{},{}", separate::PASS_NAME, verify::PASS_NAME)))
}

/// A pipeline with the options that say what is removed next to inputs and outputs.
pub(super) fn removing(configuration: &Configuration, pipeline: &str) -> String {
    let types: Vec<&str> = configuration.get(&REMOVE_NODE_TYPE).iter().map(|kind| kind.word()).collect();
    let names: Vec<String> = configuration.get(&REMOVE_NODE_NAME).iter().map(word).collect();
    match (types.is_empty(), names.is_empty()) {
        (true, true) => pipeline.to_owned(),
        // Names win over types.
        (_, false) => format!("{pipeline}{{names={}}}", names.join(",")),
        (false, true) => format!("{pipeline}{{types={}}}", types.join(",")),
    }
}

/// Runs the pipeline that removes nodes from segments. That a name stays is an error of the parameter that gives it.
pub(super) fn run_removing(
    context: &Context,
    configuration: &Configuration,
    module: &mut Module<'_>,
    pipeline: &str,
) -> Result<(), StageError> {
    let Err(error) = pipeline::run(context, module, &removing(configuration, pipeline)) else { return Ok(()) };
    let names: Vec<String> = configuration.get(&REMOVE_NODE_NAME).iter().cloned().collect();
    let left = border::unremoved(compare::network(module.as_operation())?, &names);
    // The pipeline may have failed for another reason, before everything was removed.
    if left.is_empty() || !left.iter().all(|line| error.0.contains(line.as_str())) {
        return Err(error.into());
    }
    let problem = |line| configuration.problem(&REMOVE_NODE_NAME, line, "leave it out");
    Err(CompileError::from(Problems(left.into_iter().map(problem).collect())).into())
}

/// Whether nodes are asked for by name.
pub(super) fn removes_by_name(configuration: &Configuration) -> bool {
    !configuration.get(&REMOVE_NODE_NAME).is_empty()
}

/// Checks the names of nodes to remove against a network in which everything is still there: `nodes` are the user's, the others are in the
/// segments of `function`.
///
/// # Errors
/// When a name is that of no node.
pub(super) fn check_removed_names(
    configuration: &Configuration,
    nodes: &[String],
    function: OperationRef<'_, '_>,
) -> Result<(), CompileError> {
    let segments = ir::body(function).map(ir::operations).unwrap_or_default();
    let inside: Vec<_> = segments.into_iter().filter_map(ir::body).flat_map(ir::operations).collect();
    let known: Vec<String> = nodes.iter().cloned().chain(inside.iter().map(|operation| operation.node())).collect();
    let is_known = |name: &String| known.contains(name) || ir::holder_of(inside.iter().copied(), name).is_some();
    let unknown = configuration.get(&REMOVE_NODE_NAME).iter().filter(|name| !is_known(name));
    let network =
        if configuration.get(&OUTPUT_NODES).is_empty() { "the model has" } else { "up to output_nodes there is" };
    let problem = |name: &String| -> Problem {
        let nearest = suggestion(name, known.iter().map(String::as_str), "the log lists what can be removed");
        configuration.problem(&REMOVE_NODE_NAME, format!("{network} no node '{name}'"), nearest)
    };
    let problems: Vec<Problem> = unknown.map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems).into()) }
}

/// Says what was removed from a network of segments, and what could be: in the segments, and in the network that they were cut from.
pub(super) fn report(configuration: &Configuration, function: OperationRef<'_, '_>, mut removable: Vec<BorderNode>) {
    if removes_by_name(configuration) && !configuration.get(&REMOVE_NODE_TYPE).is_empty() {
        tracing::warn!("remove_node_name is given, so remove_node_type is not used: names win over types");
    }
    let list = |nodes: &[BorderNode]| -> Vec<String> {
        nodes.iter().map(|node| format!("{} ({})", node.name, node.kind)).collect()
    };
    let removed = border::removed(function);
    removable
        .extend(border::removable(function).into_iter().filter(|node| !removable.contains(node)).collect::<Vec<_>>());
    if !removed.is_empty() {
        tell_names("removed next to inputs and outputs", &list(&removed));
    } else if !configuration.get(&REMOVE_NODE_TYPE).is_empty() {
        tracing::info!("no node of a type of remove_node_type is next to an input or output");
    }
    if !removable.is_empty() {
        tell_names("removable nodes (remove_node_name, remove_node_type)", &list(&removable));
    }
}
