//! The models that are compared, ready to run.

use super::VerifierError;
use crate::bpu::reals::to_network_order;
use crate::cpu::Array;
use crate::hbm::TensorQuantization;
use crate::sim::executor::{LayerOrigin, Meaning, ModelExecutor};
use crate::sim::open::{Detail, OpenModel, OpenOptions, open};
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// A model with what its outputs mean.
pub struct ComparedModel {
    /// Its file.
    pub path: PathBuf,
    /// `hbm`, `onnx`, ...
    pub kind: &'static str,
    /// What it is compiled for.
    pub march: Option<String>,
    /// Runs it.
    pub executor: Box<dyn ModelExecutor>,
    /// The prototxt of a Caffe network.
    proto: Option<PathBuf>,
    meaning: Meaning,
    /// The same, made to show its layers; opened when they are asked for.
    observed: OnceCell<Box<dyn ModelExecutor>>,
}

/// One run: the outputs in order.
pub type Outputs = Vec<ComparedOutput>;

/// An output of a run.
pub struct ComparedOutput {
    /// As it is stored.
    pub array: Array,
    /// What it means, in the order of its dimensions.
    pub reals: Vec<f64>,
}

/// What an inner layer computes.
pub struct InnerLayer {
    /// Its node.
    pub name: String,
    /// What it is in the user's network.
    pub origin: LayerOrigin,
    /// In the order of the network's dimensions.
    pub values: Vec<f64>,
}

/// In the order of the network.
pub type Layers = Vec<InnerLayer>;

/// The layers of a model.
pub struct NamedLayers<'l> {
    /// What messages call it.
    pub model: &'l str,
    /// All that it shows.
    pub layers: &'l Layers,
    /// Whether they are those of a lowering: parts of nodes have the same names in all such models.
    pub is_compiled: bool,
}

impl ComparedModel {
    /// Loads the model at `path`; `proto` is for a `.caffemodel`.
    ///
    /// # Errors
    /// When it is none that runs.
    pub fn open(path: &Path, proto: Option<&Path>) -> Result<Self, VerifierError> {
        let is_caffe = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("caffemodel"));
        let proto = proto.filter(|_| is_caffe);
        let OpenModel { executor, kind, march, meaning } =
            open(path, &OpenOptions { proto, ..OpenOptions::default() })?;
        let (path, proto, observed) = (path.to_owned(), proto.map(Path::to_owned), OnceCell::new());
        Ok(Self { path, kind, march, executor, proto, meaning, observed })
    }

    /// What messages call it.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Runs it once.
    ///
    /// # Errors
    /// When it fails.
    pub fn run(&self, inputs: &[Array], sample: usize) -> Result<Outputs, VerifierError> {
        let outcome = self.executor.run(inputs);
        let outcome = outcome.map_err(|source| VerifierError::Run { model: self.name(), sample, source })?;
        let output = |(index, array): (usize, Array)| {
            let reals = match self.meaning.outputs.get(index) {
                Some(Some(quantization)) => dequantized(&array, quantization),
                _ => array.to_f64(),
            };
            ComparedOutput { array, reals }
        };
        Ok(outcome.outputs.into_iter().enumerate().map(output).collect())
    }

    /// What its layers compute in this sample: all of them, except that a `.hbm` keeps only those that it was compiled to give.
    ///
    /// # Errors
    /// When it fails.
    pub fn layers(&self, inputs: &[Array], outputs: &[ComparedOutput], sample: usize) -> Result<Layers, VerifierError> {
        let layer = |name: &str, values| {
            let origin = self.meaning.layers.get(name).cloned().unwrap_or_else(|| self.unknown(name));
            InnerLayer { name: name.to_owned(), origin, values }
        };
        if self.kind == "hbm" {
            let shown: HashSet<&String> = self.meaning.shown_layers.iter().flatten().collect();
            let outputs = outputs.iter().zip(&self.meaning.channels_last).enumerate();
            let kept = outputs.filter_map(|(index, (output, last))| {
                let name = self.layer_of(index);
                let is_there_twice = !self.is_dumped(index) && shown.contains(&name);
                if is_there_twice { None } else { Some(layer(&name, in_network_order(output, *last)?)) }
            });
            return Ok(kept.collect());
        }
        let executor = match self.observed.get() {
            Some(executor) => executor,
            None => {
                let options = OpenOptions { detail: Detail::Layers, proto: self.proto.as_deref() };
                let opened = open(&self.path, &options)?.executor;
                self.observed.get_or_init(|| opened)
            }
        };
        let mut layers = Layers::new();
        let seen = executor.run_observed(inputs, &mut |name, values| {
            layers.push(layer(name, values.into_iter().map(f64::from).collect()));
        });
        seen.map_err(|source| VerifierError::Run { model: self.name(), sample, source })?;
        // Another model's value of that name may be the output.
        let outputs: HashMap<&String, &ComparedOutput> = self.executor.outputs().iter().zip(outputs).collect();
        layers.retain(|layer| outputs.get(&layer.name).is_none_or(|output| is_value(layer, output)));
        Ok(layers)
    }

    /// A layer of which the model says nothing. A lowered network shows by the name of its node the result of one that needs no operation, such as a
    /// Flatten, and the outputs of one that was cut; what the forms of older operators become has a name of its own.
    fn unknown(&self, name: &str) -> LayerOrigin {
        let operator = if self.is_compiled() { "no operation" } else { "part" };
        let result_of = self.is_compiled().then(|| name.to_owned());
        LayerOrigin { operator: operator.into(), nodes: result_of.clone().into_iter().collect(), result_of }
    }

    /// The layer that the output of this number is, as far as the model says it.
    pub fn layer_of(&self, index: usize) -> String {
        let output = self.executor.outputs().get(index).map_or("", String::as_str);
        let shown = self.meaning.shown_layers.get(index).and_then(Option::as_ref);
        shown.or_else(|| self.meaning.makers.get(output)).map_or(output, String::as_str).to_owned()
    }

    /// Whether it is compiled, or on the way to it: its layers are those of a lowering.
    pub fn is_compiled(&self) -> bool {
        self.meaning.is_lowered
    }

    /// Whether the output of this number is one of the layers that the model was compiled to show, and none of the network.
    pub fn is_dumped(&self, index: usize) -> bool {
        self.meaning.shown_layers.get(index).is_some_and(Option::is_some)
    }
}

/// Whether an output is the value of the layer that has its name: the name of a node need not be that of what it computes.
fn is_value(layer: &InnerLayer, output: &ComparedOutput) -> bool {
    let same = |(layer, output): (&f64, &f64)| {
        (layer - output).abs() <= f64::from(f32::EPSILON) * layer.abs() || !(layer.is_finite() && output.is_finite())
    };
    layer.values.len() == output.reals.len() && layer.values.iter().zip(&output.reals).all(same)
}

/// The reals of an output in the order of the network.
fn in_network_order(output: &ComparedOutput, channels_last: bool) -> Option<Vec<f64>> {
    let reals = output.reals.clone();
    if channels_last { to_network_order(reals, output.array.shape()) } else { Some(reals) }
}

/// real = (stored - zero point) * scale, computed in f32 as the hardware does.
fn dequantized(array: &Array, quantization: &TensorQuantization) -> Vec<f64> {
    let shape = array.shape();
    let (axis, inner) = match quantization.axis {
        Some(axis) => (shape.get(axis).copied().unwrap_or(1), shape.iter().skip(axis + 1).product::<usize>()),
        None => (1, array.len()),
    };
    let real = |(index, stored): (usize, f64)| {
        let channel = index / inner.max(1) % axis.max(1);
        let scale = quantization.scales.get(channel).copied().unwrap_or(1.0);
        let zero = quantization.zero_points.get(channel).copied().unwrap_or(0);
        f64::from((stored - zero as f64) as f32 * scale as f32)
    };
    array.to_f64().into_iter().enumerate().map(real).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_mean_reals() {
        let array = Array::from_values(&[2, 2], &[1i8, 2, 3, -4]).unwrap();
        let one = TensorQuantization { scales: vec![0.5], zero_points: vec![1], axis: None };
        assert_eq!(dequantized(&array, &one), [0.0, 0.5, 1.0, -2.5]);
        let each = |axis| TensorQuantization { scales: vec![0.5, 2.0], zero_points: vec![0, 0], axis: Some(axis) };
        assert_eq!(dequantized(&array, &each(0)), [0.5, 1.0, 6.0, -8.0]);
        assert_eq!(dequantized(&array, &each(1)), [0.5, 4.0, 1.5, -8.0]);
    }
}
