//! `hfloat-set-outputs`: the network ends at nodes that somebody names.

use hb_dialects::{
    hfloat::Op,
    ir::{self, Names, OperationAttributes},
    names::{RETURN, output_names},
    pass::{OptionDefinition, PassDefinition, PassFailure, PassOptions},
};
use melior::ir::{BlockLike, OperationRef, operation::OperationLike};
use std::collections::HashMap;

/// What `hb-opt` calls [`PASS`].
pub const PASS_NAME: &str = "hfloat-set-outputs";

/// `hfloat-set-outputs`
pub static PASS: PassDefinition = PassDefinition {
    argument: PASS_NAME,
    summary: "Make the results of named nodes the outputs of the network",
    description: "The results of the nodes, in the order in which they are named, are what the function returns instead of its own \
results; all results of a node that has several. A node that the importer made several operations of is named as in the user's network, \
and its results are those of the last of them. An output has the name of its node, with `_0`, `_1`.. where the node has several results; one \
that was an output before keeps its name, and no other one gets it. What is needed for no output any more goes: operations, and arguments that only they read. \
Without names nothing changes. It runs before everything else, so that nothing is fused over an output.",
    anchor: "func.func",
    options: &[OptionDefinition {
        name: "nodes",
        default: "",
        description: "names of nodes, separated by commas; bytes other than letters, digits and `-_./` as `%` and two digits",
    }],
    run,
};

fn run(function: OperationRef<'_, '_>, options: &PassOptions) -> Result<(), PassFailure> {
    let nodes = options.names("nodes");
    let Some(block) = ir::body(function) else { return Ok(()) };
    let Some(end) = block.terminator().filter(|_| !nodes.is_empty()) else { return Ok(()) };
    let old = end.operands().map(ir::address).collect::<Vec<_>>().into_iter().zip(output_names(function));
    let old: HashMap<usize, String> = old.collect();
    let read_before: Vec<bool> =
        ir::arguments(block).into_iter().map(|argument| !ir::users(argument).is_empty()).collect();
    let (mut values, mut names, mut taken) = (Vec::new(), Vec::new(), Names::default());
    // Whoever reads an output by its name must not get another one.
    taken.extend(old.values().cloned());
    for (index, node) in nodes.iter().enumerate() {
        if nodes.iter().take(index).any(|other| other == node) {
            return Err(PassFailure::Message(format!("node '{node}' is named twice")));
        }
        let results = ir::results(last_operation(block, node)?);
        for (number, result) in results.iter().enumerate() {
            let own = if results.len() == 1 { node.clone() } else { format!("{node}_{number}") };
            let name = old.get(&ir::address(*result)).cloned().unwrap_or_else(|| taken.unique(&own));
            if name != own {
                tracing::info!("the result of node '{node}' is output '{name}'");
            }
            names.push(name);
            values.push(*result);
        }
    }
    ir::set_returned(function, &values, &names)?;
    for operation in ir::operations(block).into_iter().rev() {
        let unread = ir::results(operation).into_iter().all(|result| ir::users(result).is_empty());
        if unread && operation.operation_name() != RETURN {
            // SAFETY: nothing reads its results; what comes before it is looked at next, and no handle of it is kept.
            unsafe { ir::erase(operation) };
        }
    }
    for index in (0..read_before.len()).rev().filter(|index| read_before.get(*index) == Some(&true)) {
        ir::erase_argument(function, index);
    }
    Ok(())
}

/// The last operation that a node of the user's network became.
fn last_operation<'c, 'a>(
    block: melior::ir::BlockRef<'c, 'a>,
    node: &str,
) -> Result<OperationRef<'c, 'a>, PassFailure> {
    let operations = ir::operations(block).into_iter().rev();
    let mut computing = operations.filter(|operation| Op::of(*operation).is_some_and(|op| op != Op::Constant));
    let found = computing.find(|operation| {
        let origin = operation.origin();
        origin.name == node || origin.nodes.iter().any(|origin| origin == node)
    });
    found.ok_or_else(|| {
        PassFailure::Message(match ir::holder_of(ir::operations(block), node) {
            Some(holder) => {
                let (holder, kind) = (holder.node(), Op::of(holder).map(|op| op.onnx().name).unwrap_or_default());
                format!("node '{node}' is inside of node '{holder}' ({kind}), whose results alone can be outputs")
            }
            None => format!("the network has no node '{node}'"),
        })
    })
}
