//! What each layer costs, and what bounds it.

use std::collections::HashMap;

use super::assemble::{CPU, Placed, PlacedStep};
use super::{LayerDetail, engine_label, rounded, share};
use crate::hbm::Manifest;
use crate::nash::isa::Engine;

/// Sums over the instructions of a layer.
struct Sum {
    start: f64,
    end: f64,
    /// By [`Engine::index`].
    busy: [f64; Engine::COUNT],
    loaded: u64,
    stored: u64,
}

impl Sum {
    fn add(&mut self, placed: &Placed<'_>) {
        let activity = &placed.activity;
        self.end = self.end.max(placed.end);
        if let Some(busy) = self.busy.get_mut(activity.engine.index()) {
            *busy += placed.end - placed.start;
        }
        self.loaded = self.loaded.saturating_add(activity.loaded);
        self.stored = self.stored.saturating_add(activity.stored);
    }

    fn of(&self, engine: Engine) -> f64 {
        self.busy.get(engine.index()).copied().unwrap_or_default()
    }
}

/// In the order of the first instruction of each.
pub(super) fn layer_details(manifest: &Manifest, placed: &[Placed<'_>], latency: f64) -> Vec<LayerDetail> {
    let mut order: Vec<&str> = Vec::new();
    let mut sums: HashMap<&str, Sum> = HashMap::new();
    for placed in placed {
        let (start, end) = (placed.start, placed.end);
        let sum = sums.entry(placed.name).or_insert_with(|| {
            order.push(placed.name);
            Sum { start, end, busy: [0.0; Engine::COUNT], loaded: 0, stored: 0 }
        });
        sum.add(placed);
    }
    order.iter().filter_map(|name| Some(layer_detail(manifest, name, sums.get(name)?, latency))).collect()
}

/// Of cpu segments, by the nodes of their steps, in order.
pub(super) fn cpu_layer_details(manifest: &Manifest, steps: &[PlacedStep<'_>], latency: f64) -> Vec<LayerDetail> {
    let mut layers: Vec<LayerDetail> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for step in steps {
        let index = *known.entry(step.node).or_insert(layers.len());
        if index == layers.len() {
            let sum = Sum { start: step.start, end: step.end, busy: [0.0; Engine::COUNT], loaded: 0, stored: 0 };
            layers.push(layer_detail(manifest, step.node, &sum, latency));
        }
        if let Some(layer) = layers.get_mut(index) {
            layer.computing_us = rounded(layer.computing_us + step.end - step.start);
            layer.computing = cost(layer.computing_us, latency);
            layer.end_us = rounded(step.end);
            layer.period = period(layer.start_us, layer.end_us);
            layer.bound_by = CPU;
            layer.bound_share = rounded(share(layer.computing_us, layer.end_us - layer.start_us));
        }
    }
    layers
}

fn cost(time: f64, latency: f64) -> String {
    format!("{time:.3} us ({:.1}% of model)", 100.0 * share(time, latency))
}

fn period(start: f64, end: f64) -> String {
    format!("{start:.3} ~ {end:.3} us")
}

fn layer_detail(manifest: &Manifest, name: &str, sum: &Sum, latency: f64) -> LayerDetail {
    let layer = manifest.layers.iter().find(|layer| layer.name == name);
    let segment = layer.and_then(|layer| manifest.segments.get(layer.segment));
    let (load, store) = (sum.of(Engine::Load), sum.of(Engine::Store));
    let transfer = |engine: &Engine| matches!(engine, Engine::Load | Engine::Store);
    let computing: f64 =
        Engine::ALL.into_iter().filter(|engine| !transfer(engine)).fold(0.0, |time, engine| time + sum.of(engine));
    // Of equals, the first in the order of engines.
    let longest = Engine::ALL.into_iter().rev().max_by(|a, b| sum.of(*a).total_cmp(&sum.of(*b)));
    let bound = longest.unwrap_or(Engine::Tae);
    LayerDetail {
        name: name.to_owned(),
        operator_type: layer.map_or_else(|| "?".to_owned(), |layer| layer.operator_type.clone()),
        segment: segment.map_or_else(String::new, |segment| segment.name.clone()),
        period: period(sum.start, sum.end),
        computing: cost(computing, latency),
        load: cost(load, latency),
        store: cost(store, latency),
        origins: layer.map_or_else(Vec::new, |layer| layer.origins.clone()),
        start_us: rounded(sum.start),
        end_us: rounded(sum.end),
        computing_us: rounded(computing),
        load_us: rounded(load),
        store_us: rounded(store),
        operations: layer.map_or(0, |layer| layer.operations),
        loaded: sum.loaded,
        stored: sum.stored,
        bound_by: engine_label(bound),
        bound_share: rounded(share(sum.of(bound), sum.end - sum.start)),
    }
}
