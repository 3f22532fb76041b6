//! What the comparison found, as text and as JSON.

use super::VerifierError;
use super::measure::Difference;
use super::models::{ComparedModel, ComparedOutput, InnerLayer, Layers, Outputs};
use crate::driver::tables::aligned;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write;

/// Everything that was found.
pub struct ComparisonReport {
    models: Vec<Value>,
    names: Vec<String>,
    samples: usize,
    min_cosine: Option<f64>,
    pairs: Vec<Pair>,
}

/// Two models.
struct Pair {
    first: usize,
    second: usize,
    outputs: Vec<OutputDifference>,
    only_first: Vec<String>,
    only_second: Vec<String>,
    /// Of the outputs that only one has those that are no inner layers of it.
    missing: Vec<String>,
    /// Those that both carry, in the order of the first.
    layers: Vec<(String, Difference)>,
}

/// An output that both have.
struct OutputDifference {
    name: String,
    /// Its places in the two.
    places: (usize, usize),
    types: (String, String),
    shapes: (Vec<usize>, Vec<usize>),
    difference: Difference,
    /// None where the two store different types.
    differing_bytes: Option<usize>,
}

impl ComparisonReport {
    /// Pairs the outputs of the models by name.
    pub fn new(models: &[ComparedModel], samples: usize, min_cosine: Option<f64>) -> Self {
        let mut pairs = Vec::new();
        for (first, one) in models.iter().enumerate() {
            for (second, other) in models.iter().enumerate().skip(first + 1) {
                pairs.push(pair((first, one), (second, other)));
            }
        }
        let described = models
            .iter()
            .map(|model| json!({ "path": model.name(), "kind": model.kind, "march": model.march }))
            .collect();
        Self { models: described, names: models.iter().map(ComparedModel::name).collect(), samples, min_cosine, pairs }
    }

    /// Adds the outputs of a sample.
    ///
    /// # Errors
    /// When the shapes of an output differ in more than dimensions of size 1.
    pub fn add(&mut self, models: &[ComparedModel], runs: &[Outputs]) -> Result<(), VerifierError> {
        let name = |index: usize| models.get(index).map(ComparedModel::name).unwrap_or_default();
        for pair in &mut self.pairs {
            for output in &mut pair.outputs {
                let of = |run: usize, place: usize| runs.get(run).and_then(|run| run.get(place));
                let (Some(one), Some(other)) = (of(pair.first, output.places.0), of(pair.second, output.places.1))
                else {
                    continue;
                };
                let (shape, other_shape) = (one.array.shape(), other.array.shape());
                if !alike(shape, other_shape) {
                    return Err(VerifierError::Shape {
                        output: output.name.clone(),
                        first: name(pair.first),
                        first_shape: shape.to_vec(),
                        second: name(pair.second),
                        second_shape: other_shape.to_vec(),
                    });
                }
                output.add(one, other);
            }
        }
        Ok(())
    }

    /// Compares the layers of a sample. An output of a network that was cut is a layer of the whole one.
    ///
    /// # Errors
    /// When two models have neither outputs nor layers in common.
    pub fn add_layers(&mut self, layers: &[Layers]) -> Result<(), VerifierError> {
        for pair in &mut self.pairs {
            let (Some(first), Some(second)) = (layers.get(pair.first), layers.get(pair.second)) else { continue };
            pair.layers = common_layers(first, second);
            if pair.outputs.is_empty() && pair.layers.is_empty() {
                let [first, second] = [pair.first, pair.second].map(|index| self.names.get(index).cloned());
                let names = format!("{} and {}", pair.only_first.join(", "), pair.only_second.join(", "));
                let (first, second) = (first.unwrap_or_default(), second.unwrap_or_default());
                return Err(VerifierError::NoCommonOutput { first, second, names });
            }
        }
        Ok(())
    }

    /// Which outputs are not as alike as they must be.
    pub fn failures(&self) -> Vec<String> {
        let Some(least) = self.min_cosine else { return Vec::new() };
        let mut failures = Vec::new();
        for pair in &self.pairs {
            let (first, second) = self.pair_names(pair);
            for (name, difference) in pair.judged() {
                // Two that are the same need no direction.
                let cosine = difference.cosine();
                if difference.is_none() || cosine.is_some_and(|cosine| cosine >= least) {
                    continue;
                }
                let found = match (cosine, difference.mean_cosine()) {
                    (Some(cosine), Some(mean)) if self.samples > 1 => {
                        format!("has cosine {cosine:.6} on one of {} samples (the mean is {mean:.6})", self.samples)
                    }
                    (Some(cosine), _) => format!("has cosine {cosine:.6}"),
                    (None, _) => "has no cosine".into(),
                };
                failures
                    .push(format!("output '{name}' of {second} {found} with {first}'s; at least {least} is wanted"));
            }
            // A network that was cut has other outputs, and what the other carries inside is compared as a layer.
            let compared = |name: &String| pair.layers.iter().any(|(layer, _)| layer == name);
            for name in pair.missing.iter().filter(|name| !pair.outputs.is_empty() && !compared(name)) {
                failures.push(format!(
                    "output '{name}' is in only one of {first} and {second}; at least {least} is wanted"
                ));
            }
        }
        failures
    }

    fn pair_names(&self, pair: &Pair) -> (&str, &str) {
        let name = |index: usize| self.names.get(index).map_or("", String::as_str);
        (name(pair.first), name(pair.second))
    }

    /// Every figure.
    pub fn to_json(&self) -> Value {
        let pairs = self.pairs.iter().map(|pair| {
            let (first, second) = self.pair_names(pair);
            let layers: Vec<Value> = pair.layers.iter().map(|(name, layer)| layer_json(name, layer)).collect();
            json!({
                "first": first,
                "second": second,
                "outputs": pair.outputs.iter().map(OutputDifference::to_json).collect::<Vec<_>>(),
                "outputs_of_first_only": pair.only_first,
                "outputs_of_second_only": pair.only_second,
                "first_differing_layer": pair.first_differing().map(|(name, layer)| layer_json(name, layer)),
                "least_similar_layer": pair.least_similar().map(|(name, layer)| layer_json(name, layer)),
                "layers": layers,
            })
        });
        json!({
            "models": self.models,
            "samples": self.samples,
            "min_cosine": self.min_cosine,
            "passed": self.failures().is_empty(),
            "comparisons": pairs.collect::<Vec<_>>(),
        })
    }

    /// Tables for a reader.
    pub fn to_text(&self) -> String {
        let mut text = format!("{} sample(s)\n", self.samples);
        for pair in &self.pairs {
            let (first, second) = self.pair_names(pair);
            let _ = writeln!(text, "\n{second} against {first}\n");
            let titles =
                ["Output", "Types", "Shape", "Cosine", "Mean", "SQNR (dB)", "Max abs", "Max rel", "Differing bytes"];
            let rows: Vec<[String; 9]> = pair.outputs.iter().map(OutputDifference::cells).collect();
            text += &aligned(&titles, &rows);
            for (model, names) in [(first, &pair.only_first), (second, &pair.only_second)] {
                if !names.is_empty() {
                    let _ = writeln!(text, "{} more output(s) of {model}: {}", names.len(), names.join(", "));
                }
            }
            text += &pair.layer_text();
        }
        text
    }
}

impl Pair {
    /// What the cosine of the pair is: the outputs that both have; where there are none, because one was cut, the layers that its
    /// outputs are.
    fn judged(&self) -> Vec<(&String, &Difference)> {
        if !self.outputs.is_empty() {
            return self.outputs.iter().map(|output| (&output.name, &output.difference)).collect();
        }
        let outputs = |name: &String| self.only_first.contains(name) || self.only_second.contains(name);
        self.layers.iter().filter(|(name, _)| outputs(name)).map(|(name, difference)| (name, difference)).collect()
    }

    fn first_differing(&self) -> Option<&(String, Difference)> {
        self.layers.iter().find(|(_, layer)| !layer.is_none())
    }

    /// The layer of the lowest cosine, where one differs.
    fn least_similar(&self) -> Option<&(String, Difference)> {
        let differing = self.layers.iter().filter(|(_, layer)| !layer.is_none());
        let cosine = |layer: &Difference| layer.cosine().unwrap_or(-1.0);
        differing.min_by(|(_, one), (_, other)| cosine(one).total_cmp(&cosine(other)))
    }

    fn layer_text(&self) -> String {
        if self.layers.is_empty() {
            return "layers: the two carry none in common; a .hbm carries them if it was compiled with layer_out_dump\n".into();
        }
        let count = self.layers.len();
        let (Some((first, difference)), Some((least, lowest))) = (self.first_differing(), self.least_similar()) else {
            return format!("layers, of the first sample: all {count} that both carry are the same\n");
        };
        format!(
            "layers, of the first sample: of {count} that both carry, '{first}' is the first that differs (cosine {}, max abs {:.6e}); '{least}' is the least \
             similar (cosine {})\n",
            number(difference.cosine()),
            difference.absolute,
            number(lowest.cosine())
        )
    }
}

/// Whether tensors hold the same elements in the same order: they have the same sizes, dimensions of size 1 aside, which a removed
/// Reshape takes with it.
fn alike(one: &[usize], other: &[usize]) -> bool {
    let sizes = |shape: &[usize]| shape.iter().copied().filter(|size| *size != 1).collect::<Vec<_>>();
    sizes(one) == sizes(other)
}

impl OutputDifference {
    fn add(&mut self, one: &ComparedOutput, other: &ComparedOutput) {
        self.difference.add(&one.reals, &other.reals);
        self.types = (one.array.element().name().to_owned(), other.array.element().name().to_owned());
        self.shapes = (one.array.shape().to_vec(), other.array.shape().to_vec());
        self.differing_bytes = (one.array.element() == other.array.element()).then(|| {
            let pairs = one.array.as_bytes().iter().zip(other.array.as_bytes());
            self.differing_bytes.unwrap_or(0) + pairs.filter(|(one, other)| one != other).count()
        });
    }

    fn to_json(&self) -> Value {
        let Self { name, types, shapes, difference, differing_bytes, .. } = self;
        json!({
            "name": name,
            "element_types": [types.0, types.1],
            "shape": shapes.0,
            "second_shape": shapes.1,
            "elements": difference.elements,
            "cosine": difference.cosine(),
            "mean_cosine": difference.mean_cosine(),
            "sqnr_db": finite(difference.sqnr()),
            "max_absolute_error": finite(difference.absolute),
            "max_relative_error": finite(difference.relative),
            "equal": difference.is_none(),
            "differing_bytes": differing_bytes,
        })
    }

    fn cells(&self) -> [String; 9] {
        let Self { name, types, shapes, difference, differing_bytes, .. } = self;
        let types = if types.0 == types.1 { types.0.clone() } else { format!("{}, {}", types.0, types.1) };
        let sizes = |shape: &[usize]| shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
        let (first, second) = (sizes(&shapes.0), sizes(&shapes.1));
        let shape = if first == second { first } else { format!("{first}, {second}") };
        let sqnr = difference.sqnr();
        [
            name.clone(),
            types,
            shape,
            number(difference.cosine()),
            number(difference.mean_cosine()),
            if sqnr.is_finite() { format!("{sqnr:.2}") } else { "--".into() },
            format!("{:.6e}", difference.absolute),
            format!("{:.6e}", difference.relative),
            differing_bytes.map_or_else(|| "--".into(), |bytes| bytes.to_string()),
        ]
    }
}

/// JSON has no infinity: it is null.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn number(cosine: Option<f64>) -> String {
    cosine.map_or_else(|| "--".into(), |cosine| format!("{cosine:.6}"))
}

fn layer_json(name: &str, layer: &Difference) -> Value {
    json!({
        "name": name,
        "cosine": layer.cosine(),
        "sqnr_db": finite(layer.sqnr()),
        "max_absolute_error": finite(layer.absolute),
        "max_relative_error": finite(layer.relative),
        "equal": layer.is_none(),
    })
}

fn pair((first, one): (usize, &ComparedModel), (second, other): (usize, &ComparedModel)) -> Pair {
    let (names, other_names) = (one.executor.outputs(), other.executor.outputs());
    let place = |name: &String| other_names.iter().position(|known| known == name);
    let common = names.iter().enumerate().filter_map(|(index, name)| Some((name, (index, place(name)?))));
    let outputs = common
        .map(|(name, places)| OutputDifference {
            name: name.clone(),
            places,
            types: (String::new(), String::new()),
            shapes: Default::default(),
            difference: Difference::default(),
            differing_bytes: None,
        })
        .collect();
    let only_first: Vec<String> = names.iter().filter(|name| place(name).is_none()).cloned().collect();
    let only_second: Vec<String> = other_names.iter().filter(|name| !names.contains(name)).cloned().collect();
    let missing = |only: &[String], model: &ComparedModel| -> Vec<String> {
        only.iter().filter(|name| !model.is_layer(name)).cloned().collect()
    };
    let missing = [missing(&only_first, one), missing(&only_second, other)].concat();
    Pair { first, second, outputs, only_first, only_second, missing, layers: Vec::new() }
}

/// What both carry. A layer that is made of several nodes of the user's network computes what the last of them does: it is compared
/// with that one where the other model has it by itself.
fn common_layers(first: &Layers, second: &Layers) -> Vec<(String, Difference)> {
    let by_end = |layers: &'_ Layers, other: &Layers| -> HashMap<String, usize> {
        let places: HashMap<&str, usize> =
            other.iter().enumerate().map(|(place, layer)| (layer.name.as_str(), place)).collect();
        let end = |layer: &InnerLayer| {
            let alone = |node: &&String| {
                places
                    .get(node.as_str())
                    .and_then(|place| other.get(*place))
                    .is_some_and(|layer| layer.nodes.is_empty())
            };
            let last = layer.nodes.iter().filter(alone).max_by_key(|node| places.get(node.as_str()));
            last.unwrap_or(&layer.name).clone()
        };
        layers.iter().enumerate().map(|(index, layer)| (end(layer), index)).collect()
    };
    let (ends, other_ends) = (by_end(first, second), by_end(second, first));
    let mut common: Vec<(usize, String, usize)> = ends
        .into_iter()
        .filter_map(|(end, place)| {
            Some((place, other_ends.get(&end).copied()?)).map(|(place, other)| (place, end, other))
        })
        .collect();
    common.sort_unstable();
    let difference = |(place, name, other): (usize, String, usize)| {
        let (one, other) = (first.get(place)?, second.get(other)?);
        Some((name, Difference::of(&one.values, &other.values)))
    };
    common.into_iter().filter_map(difference).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: &str, nodes: &[&str], value: f64) -> InnerLayer {
        InnerLayer {
            name: name.into(),
            nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
            values: vec![value],
        }
    }

    #[test]
    fn a_layer_of_several_nodes_is_the_last_of_them() {
        let float =
            vec![layer("conv", &[], 1.0), layer("norm", &[], 2.0), layer("relu", &[], 3.0), layer("end", &[], 4.0)];
        // Whatever the order in which the nodes are told.
        let fused = vec![layer("conv", &["relu", "conv", "norm"], 3.0), layer("end", &["end"], 4.0)];
        for (first, second) in [(&float, &fused), (&fused, &float)] {
            let common = common_layers(first, second);
            let names: Vec<&str> = common.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["relu", "end"]);
            assert!(common.iter().all(|(_, difference)| difference.is_none()), "{common:?}");
        }
        let names: Vec<String> = common_layers(&fused, &fused).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["conv", "end"]);
    }
}
