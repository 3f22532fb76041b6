//! Which layers need weights of 16 bits: those whose rounding to int8 costs the outputs so much that no activation could make up for it.

use super::{
    calibrate::{CalibrationError, Samples, network, outputs, threads},
    evidence::Evidence,
    linear::LinearLayer,
    round_weights::round_weights,
    rounded_weights::{RoundedWeights, apply},
    search::Compile,
    sensitivity::{Shown, error},
};
use crate::cpu::{Array, FloatExecutable};
use hb_dialects::ir::{self, IrError};
use melior::ir::{Module, OperationRef};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The part of the error that is wanted which weights may make: the rest is left to activations.
const SHARE: f64 = 0.5;
/// At most so many samples show what the weights of one layer cost. It is seen before a closing Softmax, so that few tell.
const SAMPLES: usize = 4;
/// Fewer layers with 16 bits must save this part of the error, or they are not worth it.
const WORTHWHILE: f64 = 0.5;

/// The step with which layers of one name begin, the name, and their nodes.
type Layer = (Option<usize>, String, BTreeSet<String>);

/// What a search for layers with wide weights has.
pub struct WeightSearch<'s, 'c> {
    /// The calibrated float network.
    pub module: &'s Module<'c>,
    /// What was measured of it.
    pub evidence: &'s Evidence,
    /// Those of calibration.
    pub samples: &'s Samples<'s>,
    /// Makes a network ready to run.
    pub compile: &'s Compile<'s>,
    /// The mean cosine that every output shall have with that of the float network.
    pub wanted_cosine: f64,
    /// Layers whose weights have 16 bits anyway.
    pub asked: &'s BTreeSet<String>,
    /// Layers whose weights stay int8, whatever that costs.
    pub narrow: &'s BTreeSet<String>,
}

impl WeightSearch<'_, '_> {
    /// The nodes whose weights shall have 16 bits, too, as few as serve: none where rounding all weights to int8 leaves the outputs as they are wanted,
    /// or where 16 bits would not help.
    ///
    /// # Errors
    /// When the network cannot be made or run.
    pub fn run(&self) -> Result<BTreeSet<String>, CalibrationError> {
        let function = network(self.module)?;
        let mut rounded = round_weights(function, &self.evidence.moments, &threads(self.samples.jobs)?)?;
        // 16 bits are as good as exact.
        rounded.0.retain(|node, _| !self.asked.contains(node));
        let most = (1.0 - self.wanted_cosine) * SHARE;
        let all = self.error(&rounded, &BTreeSet::new())?;
        tracing::debug!(
            "weights as int8 alone cost the outputs {all:.3e} of their cosine; {most:.3e} are left to them"
        );
        if all <= most {
            return Ok(BTreeSet::new());
        }
        let order = self.by_cost(&rounded)?;
        let mut best = (all, BTreeSet::new());
        // More and more until that serves, then half of what is between that and the last that did not.
        let (mut failed, mut count) = (0, 1);
        let mut served = None;
        while failed < count && count <= order.len() {
            let wide: BTreeSet<String> = order.iter().take(count).flatten().cloned().collect();
            let error = self.error(&rounded, &wide)?;
            tracing::debug!("with 16 bits for the weights of {} layers they cost {error:.3e}", wide.len());
            let serves = error <= most;
            if serves || (served.is_none() && error < best.0) {
                best = (error, wide);
            }
            if serves {
                served = Some(count);
            } else {
                failed = count;
            }
            count = match served {
                Some(served) if served - failed > 1 => failed + (served - failed) / 2,
                Some(_) => break,
                None if count == order.len() => break,
                None => (count + count.div_ceil(2)).min(order.len()),
            };
        }
        let (error, wide) = best;
        Ok(if error <= most || error < WORTHWHILE * all { wide } else { BTreeSet::new() })
    }

    /// Layers by what rounding their weights alone costs the outputs, the largest cost first; those with the same weights are one.
    fn by_cost(&self, rounded: &RoundedWeights) -> Result<Vec<BTreeSet<String>>, CalibrationError> {
        let judges = self.evidence.learned.get(..SAMPLES).unwrap_or(&self.evidence.learned);
        let function = network(self.module)?;
        let executable = (self.compile)(function)?;
        let shown = Shown::new(function, &executable)?;
        let float = shown.of_samples(judges, self.samples)?;
        let inputs = judges.iter().map(|&index| (self.samples.read)(&executable, index));
        let inputs = inputs.collect::<Result<Vec<_>, CalibrationError>>()?;
        let given: Vec<Vec<&Array>> = inputs.iter().map(|inputs| inputs.iter().collect()).collect();
        // What comes before a layer is the same without its rounding: from layer to layer the runs go on.
        let mut runs = given.iter().map(|given| executable.progress(given)).collect::<Result<Vec<_>, _>>()?;
        let pool = threads(self.samples.jobs)?;
        let mut costs = Vec::new();
        for (begin, node, own) in self.layers(rounded, &executable)? {
            let others = rounded.0.keys().filter(|other| !own.contains(*other)).cloned().collect();
            let with_rounded = self.with(rounded, &others)?;
            let variant = with_rounded.variant_of(&executable);
            let seen = match begin {
                Some(begin) if variant.steps_in_common() >= begin => {
                    pool.install(|| shown.of_variant((&variant, begin), &mut runs, &float))?
                }
                _ => Shown::new(function, &with_rounded)?.of_samples(judges, self.samples)?,
            };
            let cost = shown.error(&float, &seen);
            tracing::debug!(
                "the weights of '{node}' alone as int8 cost the outputs, before a closing Softmax or Sigmoid, {cost:.3e} of their cosine"
            );
            costs.push((cost, node, own));
        }
        costs.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
        Ok(costs.into_iter().map(|(.., nodes)| nodes).collect())
    }

    /// The layers whose weights are rounded, each the nodes with the same weights under one name, in the order in which the network computes them: the first
    /// step of each, where that is known.
    fn layers(&self, rounded: &RoundedWeights, executable: &FloatExecutable) -> Result<Vec<Layer>, CalibrationError> {
        let names = weights_names(network(self.module)?)?;
        let mut layers: BTreeMap<&String, BTreeSet<String>> = BTreeMap::new();
        for node in rounded.0.keys().filter(|node| !self.narrow.contains(*node)) {
            layers.entry(names.get(node).unwrap_or(node)).or_default().insert(node.clone());
        }
        let steps = executable.steps_of_values();
        let first = |nodes: &BTreeSet<String>| nodes.iter().filter_map(|node| steps.get(node.as_str())).min().copied();
        let mut layers: Vec<Layer> =
            layers.into_iter().map(|(name, nodes)| (first(&nodes), name.clone(), nodes)).collect();
        layers.sort_by_key(|(begin, ..)| *begin);
        Ok(layers)
    }

    /// How far the outputs are from those of the float network with all weights rounded but those of some layers.
    fn error(&self, rounded: &RoundedWeights, wide: &BTreeSet<String>) -> Result<f64, CalibrationError> {
        let executable = self.with(rounded, wide)?;
        let own: Vec<Vec<Array>> = outputs(&executable, &self.evidence.judged, self.samples)?;
        Ok(error(&executable, self.evidence.shown(), &own))
    }

    /// The float network with all weights rounded but those of some layers, whose 16 bits are as good as exact.
    fn with(&self, rounded: &RoundedWeights, exact: &BTreeSet<String>) -> Result<FloatExecutable, CalibrationError> {
        let copy = ir::copy_module(self.module)?;
        let some = rounded.0.iter().filter(|(node, _)| !exact.contains(*node));
        let some = RoundedWeights(some.map(|(node, weight)| (node.clone(), weight.clone())).collect());
        let function = network(&copy)?;
        apply(function, &some)?;
        (self.compile)(function)
    }
}

/// By node: what the weights of a layer are called, where other layers have the same.
fn weights_names(function: OperationRef<'_, '_>) -> Result<HashMap<String, String>, IrError> {
    let mut names = HashMap::new();
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        if let Some(layer) = LinearLayer::of(function, operation)? {
            names.insert(layer.node.clone(), layer.weights_name().to_owned());
        }
    }
    Ok(names)
}
