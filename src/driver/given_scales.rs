//! The scales that a network brings which is quantized already.

use super::compare;
use super::compile::StageError;
use crate::quant::{
    TakenScales,
    calibrate::{CalibrationError, NodeValues},
    split_weights::split_weights,
    take_scales,
};
use hb_dialects::ir;
use melior::ir::{Module, OperationRef};
use std::collections::BTreeSet;

/// What a quantized network brings.
pub(super) struct GivenScales<'c> {
    pub(super) scales: TakenScales,
    /// The network before its scales were taken, which clips where its integers end; none where it brings none.
    pub(super) network: Option<Module<'c>>,
}

impl<'c> GivenScales<'c> {
    /// Takes scales from a network.
    pub(super) fn take(module: &Module<'c>) -> Result<Self, StageError> {
        let network = ir::copy_module(module)?;
        let scales = take_scales(compare::network(module.as_operation())?).map_err(CalibrationError::from)?;
        let network = (!scales.ranges.is_empty()).then_some(network);
        Ok(Self { scales, network })
    }

    /// Splits layers of a network, also in the network as it was.
    pub(super) fn split(&self, function: OperationRef<'_, '_>, layers: &BTreeSet<String>) -> Result<(), StageError> {
        split_weights(function, layers)?;
        if let Some(network) = &self.network {
            split_weights(compare::network(network.as_operation())?, layers)?;
        }
        Ok(())
    }

    /// Values of the float network are what it makes of them.
    pub(super) fn show(&self, values: &mut NodeValues) {
        for (value, node) in &self.scales.shown_by {
            if let Some(shown) = values.remove(node) {
                values.insert(value.clone(), shown);
            }
        }
    }
}
