//! Layers that are computed together, a stripe of rows at a time: found in the program, whose instructions take turns between them.

use std::collections::BTreeMap;

use super::Activity;
use crate::nash::isa::Engine;

/// Layers whose instructions take turns. Cycles count from the start of the segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripedLayers {
    /// In the order of their first instruction: indices into [`super::BpuTimeline::names`].
    pub layers: Vec<usize>,
    /// How many times the layer that comes back most often has its turn.
    pub stripes: usize,
    /// When the first instruction that computes or copies begins.
    pub from: u64,
    /// When the last one ends.
    pub until: u64,
}

/// A layer's part of a program, by the positions of its instructions.
struct Part {
    layer: usize,
    first: usize,
    last: usize,
    turns: usize,
    from: u64,
    until: u64,
}

/// The groups of a program, in order; its activities are in program order. Loads and stores do not count: those of any layer run ahead
/// or come later. Nor do yields, which are of no layer.
pub fn groups(activities: &[Activity]) -> Vec<StripedLayers> {
    let mut groups: Vec<(usize, StripedLayers)> = Vec::new();
    for part in parts(activities) {
        let Part { layer, first, last, turns, from, until } = part;
        match groups.last_mut() {
            Some((end, group)) if first < *end => {
                *end = (*end).max(last);
                group.layers.push(layer);
                group.stripes = group.stripes.max(turns);
                (group.from, group.until) = (group.from.min(from), group.until.max(until));
            }
            _ => groups.push((last, StripedLayers { layers: vec![layer], stripes: turns, from, until })),
        }
    }
    groups.into_iter().map(|(_, group)| group).filter(|group| group.layers.len() > 1).collect()
}

/// Of every layer, in the order of their first instruction.
fn parts(activities: &[Activity]) -> Vec<Part> {
    let mut parts: BTreeMap<usize, Part> = BTreeMap::new();
    let mut previous = None;
    let computing =
        activities.iter().filter(|activity| !matches!(activity.engine, Engine::Load | Engine::Store | Engine::Spu));
    for (position, activity) in computing.enumerate() {
        let Activity { source: layer, start, end, .. } = *activity;
        let part = parts.entry(layer).or_insert(Part {
            layer,
            first: position,
            last: position,
            turns: 0,
            from: start,
            until: end,
        });
        part.turns += usize::from(previous != Some(layer));
        part.last = position;
        (part.from, part.until) = (part.from.min(start), part.until.max(end));
        previous = Some(layer);
    }
    let mut parts: Vec<Part> = parts.into_values().collect();
    parts.sort_by_key(|part| part.first);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(layers: &[(usize, Engine)]) -> Vec<Activity> {
        let activity = |(number, &(source, engine)): (usize, &(usize, Engine))| {
            let start = 10 * number as u64;
            Activity { engine, source, start, end: start + 5, loaded: 0, stored: 0 }
        };
        layers.iter().enumerate().map(activity).collect()
    }

    #[test]
    fn layers_that_take_turns_are_a_group() {
        use Engine::{Aae, Load, Tae, Vae};
        // A copy of another layer in between is a turn, too.
        assert_eq!(groups(&program(&[(0, Tae), (1, Engine::Dte), (0, Tae)]))[0].layers, [0, 1]);
        let alone = [(0, Load), (1, Load), (0, Tae), (0, Tae), (1, Vae), (2, Load), (1, Vae), (2, Aae)];
        assert!(groups(&program(&alone)).is_empty());
        // 1, 2 and 3 take turns; 4 loads ahead in between.
        let striped = [
            (0, Tae),
            (1, Tae),
            (2, Vae),
            (4, Load),
            (1, Tae),
            (2, Vae),
            (3, Tae),
            (2, Vae),
            (3, Tae),
            (4, Tae),
            (5, Tae),
            (4, Tae),
        ];
        let expected = [
            StripedLayers { layers: vec![1, 2, 3], stripes: 3, from: 10, until: 85 },
            StripedLayers { layers: vec![4, 5], stripes: 2, from: 90, until: 115 },
        ];
        assert_eq!(groups(&program(&striped)), expected);
    }
}
