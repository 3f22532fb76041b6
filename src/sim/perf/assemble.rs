//! From the schedules of a model's segments to the figures of the report.

use super::layers::layer_details;
use super::*;
use crate::hbm::{Hbm, Manifest, SegmentBody};
use crate::target::Target;

/// Parts into which a run is cut for utilization and bandwidth over time.
const INTERVALS: usize = 100;
/// The parameter of a compilation that says how many samples a run takes.
const BATCH_PARAMETER: &str = "input_batch";

/// An activity in microseconds from the start of the run.
pub(super) struct Placed<'a> {
    pub activity: Activity,
    pub name: &'a str,
    pub start: f64,
    pub end: f64,
}

/// Puts the schedules of a model's bpu segments (`timelines`, in the order of execution) together, each after the fixed cost of a run.
pub fn performance(hbm: &Hbm, target: &Target, timelines: &[SegmentTimeline]) -> Performance {
    let manifest = hbm.manifest();
    let microseconds = |cycles: u64| target.seconds(cycles) * 1e6;
    let overhead = microseconds(target.run_overhead_cycles());
    let mut begin = 0.0;
    let mut placed: Vec<Placed<'_>> = Vec::new();
    let mut latencies = Vec::new();
    for timeline in timelines {
        let origin = begin + overhead;
        placed.extend(timeline.activities.iter().map(|activity| Placed {
            activity: *activity,
            name: timeline.names.get(activity.source).map_or("?", String::as_str),
            start: origin + microseconds(activity.start),
            end: origin + microseconds(activity.end),
        }));
        let latency = overhead + microseconds(timeline.cycles);
        latencies.push((timeline.segment.as_str(), latency));
        begin += latency;
    }
    placed.sort_by(|a, b| a.start.total_cmp(&b.start).then(a.activity.engine.cmp(&b.activity.engine)));
    let latency = begin;
    let summary = Summary {
        performance: headline(manifest, latency, &latencies),
        bounds: bounds(hbm, target, latency),
        calls: function_calls(target, timelines),
        ddr: ddr_access(hbm, &placed),
        engines: engine_times(&placed, latency),
        intervals: intervals(&placed, latency),
        layers: layer_details(manifest, &placed, latency),
        model: model_information(manifest, latency),
        notes: notes(manifest, target.run_overhead_nanoseconds.value),
    };
    let details = placed.iter().map(|placed| Detail {
        inst_type: engine_label(placed.activity.engine),
        source_layer_names: vec![placed.name.to_owned()],
        start_us: rounded(placed.start),
        working_us: rounded(placed.end - placed.start),
    });
    Performance { summary, details: vec![details.collect()] }
}

fn function_calls(target: &Target, timelines: &[SegmentTimeline]) -> FunctionCalls {
    let microseconds = |cycles: u64| target.seconds(cycles) * 1e6;
    let spans = || timelines.iter().flat_map(|timeline| &timeline.calls);
    let longest = spans().map(|span| span.end.saturating_sub(span.start)).max();
    let (mut cycles, mut bytes) = (0u64, 0u64);
    for timeline in timelines {
        let Some((uncut_cycles, uncut_bytes)) = timeline.uncut else { continue };
        let moved = timeline.activities.iter().fold(0u64, |sum, activity| sum + activity.loaded + activity.stored);
        cycles += timeline.cycles.saturating_sub(uncut_cycles);
        bytes += moved.saturating_sub(uncut_bytes);
    }
    FunctionCalls {
        number: spans().count(),
        longest_us: rounded(longest.map_or(0.0, |longest| microseconds(longest + target.run_overhead_cycles()))),
        cost_us: rounded(microseconds(cycles)),
        bytes,
        is_cut: timelines.iter().any(|timeline| timeline.uncut.is_some()),
    }
}

fn headline(manifest: &Manifest, latency: f64, latencies: &[(&str, f64)]) -> Headline {
    let by_segment = manifest.segments.iter().map(|segment| SegmentLatency {
        segment: segment.name.clone(),
        latency_us: latencies.iter().find(|(name, _)| *name == segment.name).map(|(_, latency)| rounded(*latency)),
    });
    let samples = samples_of(manifest);
    Headline {
        frames_per_second: share(1e6 * f64::from(samples), latency),
        samples,
        latency_us: rounded(latency),
        latency_ms: latency / 1e3,
        by_segment: by_segment.collect(),
    }
}

/// How many samples a run takes: the model's `input_batch`.
fn samples_of(manifest: &Manifest) -> u32 {
    let batch = manifest.parameters.iter().find(|parameter| parameter.name == BATCH_PARAMETER);
    batch.and_then(|batch| batch.effective.parse().ok()).unwrap_or(1)
}

fn bounds(hbm: &Hbm, target: &Target, latency: f64) -> Bounds {
    let manifest = hbm.manifest();
    let operations: u64 = manifest.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.operations));
    let compute_us = share(operations as f64 / 2.0, target.peak_macs_per_second() as f64) * 1e6;
    let mut ddr_bytes = 0u64;
    for segment in &manifest.segments {
        let SegmentBody::Bpu(bpu) = &segment.body else { continue };
        let constants = bpu.constants_section.map_or(0, |section| hbm.section(section).len());
        let border: std::collections::BTreeSet<usize> =
            segment.inputs.iter().chain(&segment.outputs).copied().collect();
        let buffers = border.iter().filter_map(|index| manifest.buffers.get(*index)).map(|buffer| buffer.bytes);
        ddr_bytes = buffers.chain([constants]).fold(ddr_bytes, |sum, bytes| sum.saturating_add(bytes as u64));
    }
    let ddr_us = share(ddr_bytes as f64, target.ddr.bytes_per_second.value as f64) * 1e6;
    let larger = compute_us.max(ddr_us);
    let ratio = (larger > 0.0).then(|| rounded(latency / larger));
    Bounds {
        compute_us: rounded(compute_us),
        ddr_us: rounded(ddr_us),
        ddr_bytes,
        peak_tera_operations_per_second: 2.0 * target.peak_macs_per_second() as f64 / 1e12,
        ddr_megabytes_per_second: target.ddr.bytes_per_second.value as f64 / 1e6,
        ratio,
    }
}

fn ddr_access(hbm: &Hbm, placed: &[Placed<'_>]) -> DdrAccess {
    let manifest = hbm.manifest();
    let loaded = placed.iter().map(|placed| placed.activity.loaded).sum();
    let stored = placed.iter().map(|placed| placed.activity.stored).sum();
    let bytes = |index: usize| manifest.buffers.get(index).map_or(0, |buffer| buffer.bytes as u64);
    let of = |tensors: &[crate::hbm::TensorDescription]| tensors.iter().map(|tensor| bytes(tensor.buffer)).sum::<u64>();
    let at_border =
        |index: &usize| !manifest.inputs.iter().chain(&manifest.outputs).any(|tensor| tensor.buffer == *index);
    let (input, output) = (of(&manifest.inputs), of(&manifest.outputs));
    let intermediate = (0..manifest.buffers.len()).filter(at_border).map(bytes).sum();
    let (mut constant, mut temporary) = (0, 0);
    for segment in &manifest.segments {
        if let SegmentBody::Bpu(bpu) = &segment.body {
            constant += hbm.section(bpu.program_section).len() as u64;
            constant += bpu.constants_section.map_or(0, |section| hbm.section(section).len() as u64);
            temporary += bpu.workspace_bytes as u64;
        }
    }
    DdrAccess {
        megabytes: (loaded + stored) as f64 / 1e6,
        loaded,
        stored,
        memory: input + output + constant + intermediate + temporary,
        input,
        output,
        constant,
        intermediate,
        temporary,
    }
}

fn engine_times(placed: &[Placed<'_>], latency: f64) -> Vec<EngineTime> {
    Engine::ALL
        .into_iter()
        .map(|engine| {
            let own = || placed.iter().filter(|placed| placed.activity.engine == engine);
            // Not `sum`: that of nothing is -0.0, and is printed so.
            let busy = own().fold(0.0, |busy, placed| busy + (placed.end - placed.start));
            EngineTime {
                engine: engine_label(engine).to_owned(),
                instructions: own().count(),
                busy_us: rounded(busy),
                share: share(busy, latency),
            }
        })
        .collect()
}

fn is_transfer(engine: Engine) -> bool {
    matches!(engine, Engine::Load | Engine::Store)
}

/// Adds `amount`, spread evenly over `start..end`, to the intervals of `width` that it touches.
fn spread(intervals: &mut [f64], width: f64, start: f64, end: f64, amount: f64) {
    if end <= start || width <= 0.0 {
        return;
    }
    let first = (start / width) as usize;
    for (index, slot) in intervals.iter_mut().enumerate().skip(first) {
        let (low, high) = (index as f64 * width, (index + 1) as f64 * width);
        if low >= end {
            break;
        }
        *slot += amount * (end.min(high) - start.max(low)).max(0.0) / (end - start);
    }
}

fn intervals(placed: &[Placed<'_>], latency: f64) -> Intervals {
    if placed.is_empty() || latency <= 0.0 {
        return Intervals::default();
    }
    let width = latency / INTERVALS as f64;
    let mut utilization = vec![0.0; INTERVALS];
    let (mut loading, mut storing) = (utilization.clone(), utilization.clone());
    // Sorted by start, so what is covered already ends at one point.
    let mut covered = 0.0f64;
    for Placed { activity, start, end, .. } in placed {
        spread(&mut loading, width, *start, *end, activity.loaded as f64);
        spread(&mut storing, width, *start, *end, activity.stored as f64);
        if !is_transfer(activity.engine) {
            let start = start.max(covered);
            spread(&mut utilization, width, start, *end, (end - start).max(0.0));
            covered = covered.max(*end);
        }
    }
    // Bytes per microsecond are megabytes per second.
    let per_width = |values: Vec<f64>| values.into_iter().map(|value| rounded(share(value, width))).collect();
    Intervals {
        number: INTERVALS,
        time_ms: width / 1e3,
        utilization: per_width(utilization),
        loading: per_width(loading),
        storing: per_width(storing),
    }
}

fn model_information(manifest: &Manifest, latency: f64) -> ModelInformation {
    let operations: u64 = manifest.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.operations));
    let version = manifest.versions.iter().find(|version| version.name == "hb");
    ModelInformation {
        name: manifest.prefix.clone(),
        march: manifest.march.clone(),
        cores: 1,
        version: version.map_or_else(|| "?".to_owned(), |version| version.version.clone()),
        options: manifest
            .parameters
            .iter()
            .map(|parameter| (parameter.name.clone(), parameter.effective.clone()))
            .collect(),
        operations,
        tera_operations_per_second: share(operations as f64, latency) / 1e6,
    }
}

fn notes(manifest: &Manifest, overhead_nanoseconds: u64) -> Vec<String> {
    let mut notes = vec![format!(
        "the latency holds {} us for starting each bpu segment and each further function call",
        overhead_nanoseconds as f64 / 1e3
    )];
    let cpu: Vec<&str> = manifest
        .segments
        .iter()
        .filter(|segment| matches!(segment.body, SegmentBody::Cpu(_)))
        .map(|segment| segment.name.as_str())
        .collect();
    if !cpu.is_empty() {
        notes.push(format!("the time of cpu segments is not predicted and not in the latency: {}", cpu.join(", ")));
    }
    notes
}
