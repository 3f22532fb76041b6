//! The scales that a network brings which is quantized already.

use super::compare;
use super::compile::StageError;
use super::configuration::counted;
use super::log::tell_names;
use crate::quant::{
    TakenScales,
    calibrate::{CalibrationError, NodeValues},
    split_weights::split_weights,
    split_wide_weights, take_scales,
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
        let function = compare::network(module.as_operation())?;
        let wide_layers = split_wide_weights(function)?;
        let network = ir::copy_module(module)?;
        let scales = take_scales(function).map_err(CalibrationError::from)?;
        let network = (!scales.ranges.is_empty()).then_some(network);
        let given = Self { scales, network };
        given.tell(&wide_layers);
        Ok(given)
    }

    /// Says what is otherwise here than in the network.
    fn tell(&self, wide_layers: &[String]) {
        let TakenScales { made_symmetric, clips, refused, .. } = &self.scales;
        for (what, names) in [
            (
                "values have integers of 16 bits with a zero point in the network; here these are symmetric and reach as far, with a step of at \
                 most twice the size",
                made_symmetric.as_slice(),
            ),
            (
                "integers of the network end earlier than those that the value has here, for which there is a Clip",
                clips,
            ),
            ("layers have weights of 16 bits in the network: each is the sum of two here", wide_layers),
        ] {
            if !names.is_empty() {
                tell_names(&format!("{} {what}", names.len()), names);
            }
        }
        if !refused.is_empty() {
            let each = refused.iter().map(|(node, reason)| format!("'{node}': {reason}"));
            tracing::warn!(
                "the scales of {} are not taken, so that they run on the CPU and calibration measures what is beside them: {}",
                counted(refused.len(), "node"),
                each.collect::<Vec<_>>().join("; ")
            );
        }
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
