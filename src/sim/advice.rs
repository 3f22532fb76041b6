//! Which layers lose time because their sizes are no multiples of what the engines work on. By the cost model that schedules
//! ([`crate::nash::isa::Operation::cost`]).

use super::executor::ExecutionError;
use super::perf::engine_label;
use crate::hbm::{Hbm, SegmentBody};
use crate::nash::encode::decode;
use crate::nash::isa::{Alignment, Engine};
use crate::target::Target;
use serde::Serialize;
use std::collections::BTreeMap;

/// A layer on one engine, with what alignment costs it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advice {
    /// As in the manifest.
    pub layer: String,
    /// As in the manifest.
    pub operator: String,
    /// Nodes of the user's model that it was made from.
    pub origins: Vec<String>,
    /// The engine, as reports call it.
    pub engine: &'static str,
    /// The time of its work, without set-up.
    pub actual_us: f64,
    /// The same if nothing was padded.
    pub ideal_us: f64,
    /// What padding adds.
    pub increase_us: f64,
    /// The share of the work that is padding, 0 to 1.
    pub padding_ratio: f64,
    /// What the sizes below are.
    pub dimensions: &'static [&'static str],
    /// Of its instruction that loses most.
    pub shape: Vec<u128>,
    /// The same after alignment.
    pub aligned_shape: Vec<u128>,
}

#[derive(Default)]
struct Sum {
    cycles: f64,
    lost: f64,
    worst: Option<Alignment>,
}

/// The layers of which padding takes more than `microseconds` on one engine, the largest loss first.
///
/// # Errors
/// When a program cannot be decoded.
pub fn advise(hbm: &Hbm, target: &Target, microseconds: f64) -> Result<Vec<Advice>, ExecutionError> {
    let manifest = hbm.manifest();
    let mut sums: BTreeMap<(String, Engine), Sum> = BTreeMap::new();
    for segment in &manifest.segments {
        let SegmentBody::Bpu(body) = &segment.body else { continue };
        let program = decode(hbm.section(body.program_section)).map_err(|error| ExecutionError(error.to_string()))?;
        for instruction in &program.instructions {
            let Some(alignment) = instruction.operation.alignment(target) else { continue };
            let name = program.source_name(instruction).to_owned();
            sums.entry((name, instruction.engine())).or_default().add(alignment);
        }
    }
    let us = |cycles: f64| 1e6 * cycles / target.clock_hz.value as f64;
    let advice = sums.into_iter().filter_map(|((name, engine), sum)| {
        let worst = sum.worst.filter(|_| us(sum.lost) > microseconds)?;
        let layer = manifest.layers.iter().find(|layer| layer.name == name);
        Some(Advice {
            operator: layer.map(|layer| layer.operator_type.clone()).unwrap_or_default(),
            origins: layer.map(|layer| layer.origins.clone()).unwrap_or_default(),
            layer: name,
            engine: engine_label(engine),
            actual_us: us(sum.cycles),
            ideal_us: us(sum.cycles - sum.lost),
            increase_us: us(sum.lost),
            padding_ratio: sum.lost / sum.cycles,
            dimensions: worst.of,
            shape: worst.before,
            aligned_shape: worst.after,
        })
    });
    let mut advice: Vec<Advice> = advice.collect();
    advice.sort_by(|one, other| other.increase_us.total_cmp(&one.increase_us));
    Ok(advice)
}

impl Sum {
    fn add(&mut self, alignment: Alignment) {
        self.cycles += alignment.cycles as f64;
        self.lost += alignment.padding_cycles();
        if self.worst.as_ref().is_none_or(|worst| worst.padding_cycles() < alignment.padding_cycles()) {
            self.worst = Some(alignment);
        }
    }
}

impl std::fmt::Display for Advice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { layer, operator, engine, actual_us, ideal_us, increase_us, padding_ratio, .. } = self;
        let sizes = |sizes: &[u128]| sizes.iter().map(u128::to_string).collect::<Vec<_>>().join("x");
        write!(
            f,
            "layer '{layer}' ({operator}): {engine} takes {actual_us:.2} us where {ideal_us:.2} us would do, {increase_us:.2} us more; {} \
             {} become {}, {:.1} % of the work is padding",
            self.dimensions.join(" x "),
            sizes(&self.shape),
            sizes(&self.aligned_shape),
            100.0 * padding_ratio
        )
    }
}
