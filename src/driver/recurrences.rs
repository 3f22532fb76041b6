//! What the log says of recurrent layers.

use super::compare;
use super::compile::{NetworkStages, StageError};
use super::configuration::{OPTIMIZATION, Optimization, counted};
use super::log::tell_names;
use crate::quant::requests::TypeRequests;
use hb_dialects::ir::{self, OperationAttributes};
use hb_dialects::names::OVER_STEPS;
use melior::ir::{Module, OperationRef, operation::OperationLike};
use std::collections::BTreeSet;

/// The nodes that became the operations of their steps.
fn unrolled(function: OperationRef<'_, '_>) -> BTreeSet<String> {
    let operations = ir::body(function).map(ir::operations).unwrap_or_default();
    let of_steps = operations.into_iter().filter(|operation| operation.has_attribute(OVER_STEPS));
    of_steps.flat_map(|operation| operation.origin().nodes).collect()
}

/// Says what comes of types that are asked for single inputs of such nodes.
pub(super) fn tell_numbered(function: OperationRef<'_, '_>, requests: &TypeRequests) {
    let is_asked = |node: &String| requests.nodes.get(node).is_some_and(|types| !types.input.is_empty());
    for node in unrolled(function).into_iter().filter(is_asked) {
        tracing::warn!(
            "types: node '{node}' runs as the operations of its steps: what is asked for one of its inputs is asked for the input of that number of \
             each of these"
        );
    }
}

impl NetworkStages<'_> {
    /// Says which layers became the operations of their steps, and what comes of `lstm_batch_last`.
    pub(super) fn report_recurrences(&self, module: &Module<'_>) -> Result<(), StageError> {
        let unrolled: Vec<String> = unrolled(compare::network(module.as_operation())?).into_iter().collect();
        if !unrolled.is_empty() {
            let count = counted(unrolled.len(), "recurrent layer");
            tell_names(&format!("{count} as the operations of the steps, with the batch along the width"), &unrolled);
        }
        if self.configuration.get(&OPTIMIZATION).contains(&Optimization::LstmBatchLast) {
            match unrolled.is_empty() {
                true => tracing::warn!("lstm_batch_last changes nothing: no recurrent layer runs on the BPU"),
                false => tracing::info!("lstm_batch_last changes nothing: the batch always lies along the width"),
            }
        }
        Ok(())
    }

    /// Says which states are int16.
    pub(super) fn tell_states(&self, function: OperationRef<'_, '_>) -> Result<(), StageError> {
        let states: Vec<String> = self.wide_states(function)?.into_iter().collect();
        if !states.is_empty() {
            let count = counted(states.len(), "value");
            tell_names(&format!("{count} of recurrent states int16, because rounding adds up over the steps"), &states);
        }
        Ok(())
    }
}
