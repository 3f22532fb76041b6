//! Which inner layers of two models are the same tensor, and why others have no counterpart.

use super::measure::Difference;
use super::models::{InnerLayer, Layers, NamedLayers};
use serde_json::{Value, json};
use std::collections::HashMap;

/// A tensor inside of both models.
pub struct LayerDifference {
    /// The node of the user's network whose result it is; of a part of a node the name of that part.
    pub node: String,
    /// The operator of that node.
    pub operator: String,
    /// What the two models call their layers.
    pub names: (String, String),
    /// Of the two.
    pub difference: Difference,
}

/// A layer of one of two models that is not compared.
pub struct LayerAlone {
    /// The model.
    pub model: String,
    /// As the model calls it.
    pub name: String,
    /// Its operator.
    pub operator: String,
    /// Whether it is the result of a node of the user's network.
    pub is_result: bool,
    /// Why there is nothing to compare it with.
    pub reason: String,
}

/// What is compared, in the order of the first, and what is not.
#[derive(Default)]
pub struct ComparedLayers {
    /// In both.
    pub common: Vec<LayerDifference>,
    /// In one.
    pub alone: Vec<LayerAlone>,
}

impl ComparedLayers {
    /// Adds a further sample of those layers in both that `is_judged`. One that did not run is unlike the other without bound.
    pub fn add(&mut self, first: &Layers, second: &Layers, is_judged: impl Fn(&LayerDifference) -> bool) {
        let values = |layers: &Layers, name: &String| -> Vec<f64> {
            layers.iter().find(|layer| layer.name == *name).map(|layer| layer.values.clone()).unwrap_or_default()
        };
        for layer in self.common.iter_mut().filter(|layer| is_judged(layer)) {
            layer.difference.add(&values(first, &layer.names.0), &values(second, &layer.names.1));
        }
    }
}

/// What a layer is, whatever the model calls it.
#[derive(PartialEq, Eq, Hash)]
enum Identity<'l> {
    /// The result of a node of the user's network.
    Result(&'l str),
    /// A part of such nodes. Compiled models are made by one lowering, so that equal names are equal parts there; elsewhere the name of a
    /// part says nothing.
    Part(&'l str, &'l [String]),
}

fn identity<'l>(layer: &'l InnerLayer, parts: bool) -> Option<Identity<'l>> {
    match &layer.origin.result_of {
        Some(node) => Some(Identity::Result(node)),
        None => parts.then(|| Identity::Part(&layer.name, &layer.origin.nodes)),
    }
}

/// The place of each identity; none where several layers have it.
fn places(layers: &Layers, parts: bool) -> HashMap<Identity<'_>, Option<usize>> {
    let mut places = HashMap::new();
    for (place, layer) in layers.iter().enumerate() {
        if let Some(identity) = identity(layer, parts) {
            places.entry(identity).and_modify(|known| *known = None).or_insert(Some(place));
        }
    }
    places
}

/// Compares the layers that are the result of the same node.
pub fn compared_layers(first: &NamedLayers<'_>, second: &NamedLayers<'_>) -> ComparedLayers {
    let parts = first.is_compiled && second.is_compiled;
    let (own, others) = (places(first.layers, parts), places(second.layers, parts));
    let place = |known: &HashMap<Identity<'_>, Option<usize>>, layer: &InnerLayer| {
        known.get(&identity(layer, parts)?).copied().flatten()
    };
    let mut compared = ComparedLayers::default();
    for layer in first.layers {
        let other = place(&own, layer).and(place(&others, layer)).and_then(|place| second.layers.get(place));
        match other {
            Some(other) => compared.common.push(difference((layer, first), (other, second))),
            None => compared.alone.push(alone(layer, first, second)),
        }
    }
    for layer in second.layers {
        if place(&others, layer).and(place(&own, layer)).is_none() {
            compared.alone.push(alone(layer, second, first));
        }
    }
    compared
}

fn difference(
    (one, first): (&InnerLayer, &NamedLayers<'_>),
    (other, second): (&InnerLayer, &NamedLayers<'_>),
) -> LayerDifference {
    let node = one.origin.result_of.clone().unwrap_or_else(|| one.name.clone());
    // Where a node stands by itself its operator is that of the user, if no lowering has given it another.
    let both = [(one, first.is_compiled), (other, second.is_compiled)];
    let by_itself = both.into_iter().filter(|(layer, _)| layer.origin.nodes == [node.as_str()]);
    let by_itself = by_itself.min_by_key(|(_, is_compiled)| *is_compiled).map(|(layer, _)| layer);
    LayerDifference {
        operator: by_itself.unwrap_or(one).origin.operator.clone(),
        node,
        names: (one.name.clone(), other.name.clone()),
        difference: Difference::of(&one.values, &other.values),
    }
}

fn alone(layer: &InnerLayer, own: &NamedLayers<'_>, other: &NamedLayers<'_>) -> LayerAlone {
    let (Some(of), other_name) = (&layer.origin.result_of, other.model) else {
        return LayerAlone::new(layer, own.model, part_reason(layer));
    };
    let gives = |layers: &Layers| layers.iter().filter(|layer| layer.origin.result_of.as_ref() == Some(of)).count();
    let holder = other.layers.iter().find(|layer| layer.origin.nodes.contains(of));
    let reason = match holder {
        _ if gives(own.layers) > 1 => format!("several layers of {} are the result of node '{of}'", own.model),
        _ if gives(other.layers) > 1 => format!("several layers of {other_name} are the result of node '{of}'"),
        Some(holder) => match &holder.origin.result_of {
            Some(result) => {
                format!(
                    "in {other_name} it went into layer '{}', which gives the result of node '{result}'",
                    holder.name
                )
            }
            None => format!("{other_name} has only parts of it, such as layer '{}'", holder.name),
        },
        None => format!("no layer of {other_name} is made of node '{of}'"),
    };
    LayerAlone::new(layer, own.model, reason)
}

fn part_reason(layer: &InnerLayer) -> String {
    match layer.origin.nodes.as_slice() {
        [] => "it is the result of no node of the network".into(),
        [node] => format!("it is a part of node '{node}', not its result"),
        nodes => format!("it is a part of what nodes '{}' became, and the result of none", nodes.join("', '")),
    }
}

impl LayerDifference {
    /// As messages call it.
    pub fn described(&self) -> String {
        format!("node '{}' ({})", self.node, self.operator)
    }

    /// Every figure.
    pub fn to_json(&self) -> Value {
        let Self { node, operator, names, difference } = self;
        json!({
            "name": node,
            "operator": operator,
            "layers": [names.0, names.1],
            "cosine": difference.cosine(),
            "mean_cosine": difference.mean_cosine(),
            "samples": difference.samples(),
            "sqnr_db": super::report::finite(difference.sqnr()),
            "max_absolute_error": super::report::finite(difference.absolute),
            "max_relative_error": super::report::finite(difference.relative),
            "equal": difference.is_none(),
        })
    }
}

impl LayerAlone {
    fn new(layer: &InnerLayer, model: &str, reason: String) -> Self {
        Self {
            model: model.to_owned(),
            name: layer.name.clone(),
            operator: layer.origin.operator.clone(),
            is_result: layer.origin.result_of.is_some(),
            reason,
        }
    }

    /// As messages say it.
    pub fn described(&self) -> String {
        format!("layer '{}' ({}) of {}: {}", self.name, self.operator, self.model, self.reason)
    }

    /// Model, name and reason.
    pub fn to_json(&self) -> Value {
        json!({ "model": self.model, "name": self.name, "operator": self.operator, "reason": self.reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::executor::LayerOrigin;

    fn layer(name: &str, operator: &str, nodes: &[&str], result_of: Option<&str>, value: f64) -> InnerLayer {
        let nodes = nodes.iter().map(|node| (*node).to_owned()).collect();
        let origin = LayerOrigin { operator: operator.into(), nodes, result_of: result_of.map(str::to_owned) };
        InnerLayer { name: name.into(), origin, values: vec![value] }
    }

    fn own(name: &str, operator: &str, value: f64) -> InnerLayer {
        layer(name, operator, &[name], Some(name), value)
    }

    fn named<'l>(model: &'l str, layers: &'l Layers, is_compiled: bool) -> NamedLayers<'l> {
        NamedLayers { model, layers, is_compiled }
    }

    #[test]
    fn a_layer_is_the_node_whose_result_it_gives() {
        let float = vec![
            own("conv", "Conv", 1.0),
            own("norm", "BatchNormalization", 2.0),
            own("relu", "Relu", 3.0),
            own("end", "Neg", 4.0),
        ];
        let fused = vec![
            layer("conv", "conv2d", &["conv", "norm", "relu"], Some("relu"), 3.0),
            layer("end/quantize", "quantize", &["end"], None, 3.5),
            own("end", "neg", 4.0),
        ];
        for is_compiled in [false, true] {
            let (first, second) = if is_compiled { (&fused, &float) } else { (&float, &fused) };
            let compared = compared_layers(&named("a", first, is_compiled), &named("b", second, !is_compiled));
            let names: Vec<String> = compared.common.iter().map(LayerDifference::described).collect();
            assert_eq!(names, ["node 'relu' (Relu)", "node 'end' (Neg)"]);
            assert!(compared.common.iter().all(|layer| layer.difference.is_none()));
            let reason = |name: &str| &compared.alone.iter().find(|layer| layer.name == name).unwrap().reason;
            assert!(reason("conv").contains("went into layer 'conv', which gives the result of node 'relu'"));
            assert!(reason("norm").contains("which gives the result of node 'relu'"));
            assert_eq!(reason("end/quantize"), "it is a part of node 'end', not its result");
            assert_eq!(compared.alone.len(), 3);
        }
        // Compiled models have the same parts.
        let compared = compared_layers(&named("a", &fused, true), &named("b", &fused, true));
        assert_eq!((compared.common.len(), compared.alone.len()), (3, 0));
    }

    #[test]
    fn what_is_there_twice_is_not_compared() {
        let twice = vec![own("split", "Split", 1.0), layer("other", "Split", &["split"], Some("split"), 2.0)];
        let compared =
            compared_layers(&named("a", &twice, false), &named("b", &vec![own("split", "Split", 1.0)], false));
        assert!(compared.common.is_empty());
        assert!(compared.alone.iter().all(|layer| layer.reason.contains("several layers of a")));
        let strange = vec![own("x", "Relu", 1.0)];
        let compared = compared_layers(&named("a", &strange, false), &named("b", &vec![own("y", "Relu", 1.0)], false));
        assert_eq!(compared.alone[0].reason, "no layer of b is made of node 'x'");
    }
}
