//! What the comparison found, as text and as JSON.

use super::VerifierError;
use super::layers::{ComparedLayers, LayerAlone, LayerDifference, compared_layers};
use super::measure::Difference;
use super::models::{ComparedModel, ComparedOutput, Layers, NamedLayers, Outputs};
use crate::driver::tables::aligned;
use crate::quant::judge::{Likeness, OutputParts};
use serde_json::{Value, json};
use std::fmt::Write;

/// A cell without a number.
const NONE: &str = "--";
/// So many layers without a counterpart are told one by one.
const LAYERS_SHOWN: usize = 8;

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
    /// Outputs of a name that the other has not.
    only_first: Vec<OutputAlone>,
    only_second: Vec<OutputAlone>,
    layers: ComparedLayers,
}

/// An output that only one has.
struct OutputAlone {
    name: String,
    /// The layer that it is.
    layer: String,
    /// An inner layer that the model was compiled to show; the network has no such output.
    is_dumped: bool,
}

/// What messages call an output of one model and the layer of the other that it is.
struct JudgedLayer {
    output: String,
    layer: String,
}

/// An output that both have.
struct OutputDifference {
    name: String,
    /// Its places in the two.
    places: (usize, usize),
    types: (String, String),
    shapes: (Vec<usize>, Vec<usize>),
    difference: Difference,
    /// What hb_compile judges: the whole and its slices.
    parts: OutputParts,
    /// Samples of which the output has another shape than that of the first: they are in no slice.
    other_shapes: usize,
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

    /// Whether an output of one model is compared with a layer of another.
    pub fn judges_layers(&self) -> bool {
        self.pairs.iter().any(|pair| pair.layers.common.iter().any(|layer| pair.output_of(layer).is_some()))
    }

    /// Compares the layers of the first sample, and of others those that are judged. An output of a network that was cut is a layer of the
    /// whole one.
    ///
    /// # Errors
    /// When two models have neither outputs nor layers in common.
    pub fn add_layers(
        &mut self,
        models: &[ComparedModel],
        layers: &[Layers],
        sample: usize,
    ) -> Result<(), VerifierError> {
        for pair in &mut self.pairs {
            let of = |index: usize| {
                let (name, model, layers) = (self.names.get(index)?, models.get(index)?, layers.get(index)?);
                Some(NamedLayers { model: name, layers, is_compiled: model.is_compiled() })
            };
            let (Some(first), Some(second)) = (of(pair.first), of(pair.second)) else { continue };
            if sample > 0 {
                let mut compared = std::mem::take(&mut pair.layers);
                compared.add(first.layers, second.layers, |layer| pair.output_of(layer).is_some());
                pair.layers = compared;
                continue;
            }
            pair.layers = compared_layers(&first, &second);
            if pair.outputs.is_empty() && pair.layers.common.is_empty() {
                let names = format!("{} and {}", joined(&pair.only_first), joined(&pair.only_second));
                let (first, second) = (first.model.to_owned(), second.model.to_owned());
                return Err(VerifierError::NoCommonOutput { first, second, names });
            }
        }
        Ok(())
    }

    /// Which outputs are not as alike as they must be, or were not compared.
    pub fn failures(&self) -> Vec<String> {
        let Some(least) = self.min_cosine else { return Vec::new() };
        let mut failures = Vec::new();
        for pair in &self.pairs {
            let (first, second) = self.pair_names(pair);
            for output in &pair.outputs {
                let fault = Self::fault(&output.difference, least).or_else(|| output.slice_fault(least));
                failures.extend(fault.map(|fault| {
                    format!("output '{}' of {second} {fault} with {first}'s; at least {least} is wanted", output.name)
                }));
            }
            for (layer, judged) in self.judged_layers(pair) {
                failures.extend(Self::fault(&layer.difference, least).map(|fault| {
                    format!("{} {fault} with {}; at least {least} is wanted", judged.output, judged.layer)
                }));
            }
            for ((own, other), output) in self.not_compared(pair) {
                failures.push(format!(
                    "output '{output}' of {own} is not compared: {other} has no output of that name, and no layer that is known to be it; at \
                     least {least} is wanted of every output, so compare with a model that has it"
                ));
            }
        }
        failures
    }

    /// What is wrong with the cosine of a whole output. Two that are the same need no direction.
    fn fault(difference: &Difference, least: f64) -> Option<String> {
        let cosine = difference.cosine();
        if difference.is_none() || cosine.is_some_and(|cosine| cosine >= least) {
            return None;
        }
        Some(match (cosine, difference.mean_cosine()) {
            (Some(cosine), Some(mean)) if difference.samples() > 1 => {
                format!("has cosine {cosine:.6} on one of {} samples (the mean is {mean:.6})", difference.samples())
            }
            (Some(cosine), _) => format!("has cosine {cosine:.6}"),
            (None, _) => "has no cosine, because of infinite values or such that are no number,".into(),
        })
    }

    /// The outputs that nothing was compared with, each with its model and the other.
    fn not_compared<'p>(&'p self, pair: &'p Pair) -> Vec<((&'p str, &'p str), &'p str)> {
        let (first, second) = self.pair_names(pair);
        let is_layer = |output: &str, of: fn(&LayerDifference) -> &String| {
            pair.layers.common.iter().any(|layer| of(layer) == output)
        };
        let missing = |outputs: &'p [OutputAlone], models, of: fn(&LayerDifference) -> &String| {
            let missing = outputs.iter().filter(move |output| !output.is_dumped && !is_layer(&output.layer, of));
            missing.map(move |output| (models, output.name.as_str()))
        };
        let of_first = missing(&pair.only_first, (first, second), |layer| &layer.names.0);
        of_first.chain(missing(&pair.only_second, (second, first), |layer| &layer.names.1)).collect()
    }

    /// The layers of one model that are outputs of the other, and what messages call the two.
    fn judged_layers<'p>(&'p self, pair: &'p Pair) -> impl Iterator<Item = (&'p LayerDifference, JudgedLayer)> {
        let (first, second) = self.pair_names(pair);
        let named = move |of_first: bool, name: &str, layer: &str| {
            let (own, other) = if of_first { (first, second) } else { (second, first) };
            JudgedLayer { output: format!("output '{name}' of {own}"), layer: format!("layer '{layer}' of {other}") }
        };
        pair.layers.common.iter().filter_map(move |layer| {
            let (of_first, output) = pair.output_of(layer)?;
            Some((layer, named(of_first, output, if of_first { &layer.names.1 } else { &layer.names.0 })))
        })
    }

    fn pair_names(&self, pair: &Pair) -> (&str, &str) {
        let name = |index: usize| self.names.get(index).map_or("", String::as_str);
        (name(pair.first), name(pair.second))
    }

    /// Every figure.
    pub fn to_json(&self) -> Value {
        let pairs = self.pairs.iter().map(|pair| {
            let (first, second) = self.pair_names(pair);
            let names = |outputs: &[OutputAlone]| outputs.iter().map(|output| output.name.clone()).collect::<Vec<_>>();
            let not_compared = self.not_compared(pair).into_iter();
            let not_compared = not_compared.map(|((model, _), output)| json!({ "model": model, "name": output }));
            json!({
                "first": first,
                "second": second,
                "outputs": pair.outputs.iter().map(OutputDifference::to_json).collect::<Vec<_>>(),
                "outputs_of_first_only": names(&pair.only_first),
                "outputs_of_second_only": names(&pair.only_second),
                "outputs_not_compared": not_compared.collect::<Vec<_>>(),
                "first_differing_layer": pair.first_differing().map(LayerDifference::to_json),
                "least_similar_layer": pair.least_similar().map(LayerDifference::to_json),
                "layers": pair.layers.common.iter().map(LayerDifference::to_json).collect::<Vec<_>>(),
                "layers_not_compared": pair.layers.alone.iter().map(LayerAlone::to_json).collect::<Vec<_>>(),
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
            text += &explained(&pair.outputs);
            for output in &pair.outputs {
                text += &output.slice_text();
            }
            for (layer, judged) in self.judged_layers(pair) {
                let (lowest, mean) = (number(layer.difference.cosine()), number(layer.difference.mean_cosine()));
                let _ = writeln!(text, "{} is {}: cosine {lowest}, mean {mean}", judged.output, judged.layer);
            }
            for (model, outputs) in [(first, &pair.only_first), (second, &pair.only_second)] {
                if !outputs.is_empty() {
                    let _ = writeln!(text, "{} more output(s) of {model}: {}", outputs.len(), joined(outputs));
                }
            }
            for ((own, other), output) in self.not_compared(pair) {
                let _ = writeln!(
                    text,
                    "output '{output}' of {own} is not compared: {other} has neither such an output nor such a layer"
                );
            }
            text += &pair.layer_text();
        }
        text
    }
}

/// What cells without a number mean; nothing where there are none.
fn explained(outputs: &[OutputDifference]) -> String {
    let any = |is: fn(&OutputDifference) -> bool| outputs.iter().any(is);
    let is_known = |output: &OutputDifference| output.difference.sqnr().is_finite() || output.difference.is_none();
    let reasons = [
        (
            any(|output| output.difference.cosine().is_none()),
            "no cosine, because of values that are infinite or no number",
        ),
        (any(|output| output.difference.is_none()), "no SQNR, because nothing differs"),
        (
            any(|output| output.difference.has_no_signal() && !output.difference.is_none()),
            "no SQNR, because the first is 0",
        ),
        (
            outputs.iter().any(|output| !is_known(output) && !output.difference.has_no_signal()),
            "no SQNR, because a value is infinite or no number",
        ),
        (
            any(|output| output.differing_bytes.is_none()),
            "bytes are not compared, because the two store different types",
        ),
    ];
    let reasons: Vec<&str> = reasons.into_iter().filter(|(is_there, _)| *is_there).map(|(_, reason)| reason).collect();
    if reasons.is_empty() { String::new() } else { format!("{NONE}: {}\n", reasons.join("; ")) }
}

fn joined(outputs: &[OutputAlone]) -> String {
    outputs.iter().map(|output| output.name.as_str()).collect::<Vec<_>>().join(", ")
}

impl Pair {
    /// The output of one that this layer is, because the other was cut elsewhere; and whether it is one of the first.
    fn output_of(&self, layer: &LayerDifference) -> Option<(bool, &str)> {
        fn find<'o>(outputs: &'o [OutputAlone], name: &str) -> Option<&'o str> {
            let output = outputs.iter().find(|output| !output.is_dumped && output.layer == name)?;
            Some(&output.name)
        }
        let of_first = find(&self.only_first, &layer.names.0).map(|output| (true, output));
        of_first.or_else(|| Some((false, find(&self.only_second, &layer.names.1)?)))
    }

    fn differing(&self) -> impl Iterator<Item = &LayerDifference> {
        self.layers.common.iter().filter(|layer| !layer.difference.is_none())
    }

    fn first_differing(&self) -> Option<&LayerDifference> {
        self.differing().next()
    }

    /// The layer of the lowest cosine, where one differs.
    fn least_similar(&self) -> Option<&LayerDifference> {
        let cosine = |layer: &LayerDifference| layer.difference.cosine().unwrap_or(-1.0);
        self.differing().min_by(|one, other| cosine(one).total_cmp(&cosine(other)))
    }

    fn layer_text(&self) -> String {
        let count = self.layers.common.len();
        let found = if count == 0 {
            "layers: the two carry none in common; a .hbm carries them if it was compiled with layer_out_dump\n".into()
        } else if let (Some(first), Some(least)) = (self.first_differing(), self.least_similar()) {
            format!(
                "layers, of the first sample: of {count} that both carry, {} is the first that differs (cosine {}, max abs {:.6e}); {} is the \
                 least similar (cosine {})\n",
                first.described(),
                number(first.difference.cosine()),
                first.difference.absolute,
                least.described(),
                number(least.difference.cosine())
            )
        } else {
            format!("layers, of the first sample: all {count} that both carry are the same\n")
        };
        found + &self.alone_text()
    }

    /// Which layers have no counterpart. Where a model carries none at all, nothing is to be said of each of the other's.
    fn alone_text(&self) -> String {
        let alone = &self.layers.alone;
        if self.layers.common.is_empty() || alone.is_empty() {
            return String::new();
        }
        let results: Vec<&LayerAlone> = alone.iter().filter(|layer| layer.is_result).collect();
        let parts = alone.len() - results.len();
        let mut text = format!(
            "{} layer(s) are not compared: {} are the result of a node that the other model has not by itself, {parts} are parts of nodes{}\n",
            alone.len(),
            results.len(),
            if results.len() > LAYERS_SHOWN || parts > 0 { "; --json lists all" } else { "" }
        );
        for layer in results.into_iter().take(LAYERS_SHOWN) {
            let _ = writeln!(text, "  {}", layer.described());
        }
        text
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
        if self.difference.samples() == 0 {
            self.parts = OutputParts::new(one.array.shape());
            self.types = (one.array.element().name().to_owned(), other.array.element().name().to_owned());
            self.shapes = (one.array.shape().to_vec(), other.array.shape().to_vec());
        }
        self.difference.add(&one.reals, &other.reals);
        if one.array.shape() == self.shapes.0 {
            let narrow = |reals: &[f64]| reals.iter().map(|real| *real as f32).collect::<Vec<f32>>();
            self.parts.add(&narrow(&one.reals), &narrow(&other.reals));
        } else {
            self.other_shapes += 1;
        }
        self.differing_bytes = (one.array.element() == other.array.element()).then(|| {
            let pairs = one.array.as_bytes().iter().zip(other.array.as_bytes());
            self.differing_bytes.unwrap_or(0) + pairs.filter(|(one, other)| one != other).count()
        });
    }

    /// The slice that is worse than the whole output on the average of the samples, where there is one.
    fn worst_slice(&self) -> Option<(String, f64)> {
        let Likeness { cosine, slice, .. } = self.parts.worst()?;
        slice.filter(|_| !self.difference.is_none()).map(|slice| (slice.to_string(), cosine))
    }

    fn slice_fault(&self, least: f64) -> Option<String> {
        let (slice, cosine) = self.worst_slice().filter(|(_, cosine)| *cosine < least)?;
        Some(format!("has in {slice} a mean cosine of {cosine:.6}"))
    }

    fn slice_text(&self) -> String {
        let (name, others) = (&self.name, self.other_shapes);
        let mut text = self.worst_slice().map_or_else(String::new, |(slice, cosine)| {
            format!("the worst part of output '{name}' is {slice}: mean cosine {cosine:.6}\n")
        });
        if others > 0 {
            let _ = writeln!(
                text,
                "output '{name}' has another shape in {others} sample(s) than in the first; parts are judged without these"
            );
        }
        text
    }

    fn to_json(&self) -> Value {
        let Self { name, types, shapes, difference, differing_bytes, .. } = self;
        let worst = self.parts.worst().filter(|_| !difference.is_none());
        let slice = worst.and_then(|worst| Some((worst.slice?, worst.cosine)));
        let slice =
            slice.map(|(slice, cosine)| json!({ "axis": slice.axis, "index": slice.index, "mean_cosine": cosine }));
        json!({
            "name": name,
            "element_types": [types.0, types.1],
            "shape": shapes.0,
            "second_shape": shapes.1,
            "elements": difference.elements,
            "cosine": difference.cosine(),
            "mean_cosine": difference.mean_cosine(),
            "worst_slice": slice,
            "samples_of_other_shapes": self.other_shapes,
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
            if sqnr.is_finite() { format!("{sqnr:.2}") } else { NONE.into() },
            format!("{:.6e}", difference.absolute),
            format!("{:.6e}", difference.relative),
            differing_bytes.map_or_else(|| NONE.into(), |bytes| bytes.to_string()),
        ]
    }
}

/// JSON has no infinity: it is null.
pub fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn number(cosine: Option<f64>) -> String {
    cosine.map_or_else(|| NONE.into(), |cosine| format!("{cosine:.6}"))
}

fn pair((first, one): (usize, &ComparedModel), (second, other): (usize, &ComparedModel)) -> Pair {
    let (names, other_names) = (one.executor.outputs(), other.executor.outputs());
    // An output that is dumped is a layer, whatever its name.
    let places = |index: usize, name: &String| {
        let place = other_names.iter().position(|known| known == name)?;
        (one.is_dumped(index) == other.is_dumped(place)).then_some((index, place))
    };
    let common: Vec<_> =
        names.iter().enumerate().filter_map(|(index, name)| Some((name, places(index, name)?))).collect();
    let outputs = common
        .iter()
        .cloned()
        .map(|(name, places)| OutputDifference {
            name: name.clone(),
            places,
            types: (String::new(), String::new()),
            shapes: Default::default(),
            difference: Difference::default(),
            parts: OutputParts::default(),
            other_shapes: 0,
            differing_bytes: None,
        })
        .collect();
    let alone = |model: &ComparedModel| -> Vec<OutputAlone> {
        let names = model.executor.outputs().iter().enumerate();
        let alone = names.filter(|(_, name)| !common.iter().any(|(known, _)| known == name));
        let output = |(index, name): (usize, &String)| OutputAlone {
            name: name.clone(),
            layer: model.layer_of(index),
            is_dumped: model.is_dumped(index),
        };
        alone.map(output).collect()
    };
    let (only_first, only_second) = (alone(one), alone(other));
    Pair { first, second, outputs, only_first, only_second, layers: ComparedLayers::default() }
}
