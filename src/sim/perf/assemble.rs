//! From the schedules of a model's segments to the figures of the report.

use super::layers::{cpu_layer_details, layer_details};
use super::*;
use crate::hbm::{Hbm, Manifest, SegmentBody};
use crate::sim::cpu_time::crossing_microseconds;
use crate::target::Target;

/// Parts into which a run is cut for utilization and bandwidth over time.
const INTERVALS: usize = 100;
/// The parameter of a compilation that says how many samples a run takes.
const BATCH_PARAMETER: &str = "input_batch";

/// The kinds of processors, as reports call them.
pub(super) const BPU: &str = "BPU";
pub(super) const CPU: &str = "CPU";

/// An activity in microseconds from the start of the run.
pub(super) struct Placed<'a> {
    pub activity: Activity,
    pub name: &'a str,
    pub start: f64,
    pub end: f64,
}

/// A step of a cpu segment in microseconds from the start of the run.
pub(super) struct PlacedStep<'a> {
    pub node: &'a str,
    pub start: f64,
    pub end: f64,
}

/// Everything at its time.
#[derive(Default)]
struct Run<'a> {
    placed: Vec<Placed<'a>>,
    steps: Vec<PlacedStep<'a>>,
    residents: Vec<ResidentDetail>,
    groups: Vec<GroupDetail>,
    segments: Vec<SegmentLatency>,
    end: f64,
}

impl<'a> Run<'a> {
    /// Puts the schedules of a model's segments together, each after what it takes to start.
    fn new(manifest: &'a Manifest, target: &Target, timelines: &'a [SegmentTimeline]) -> Self {
        let microseconds = |cycles: u64| target.seconds(cycles) * 1e6;
        let overhead = microseconds(target.run_overhead_cycles());
        let mut run = Self::default();
        let segments = manifest.segments.iter().zip(crossings(manifest, target));
        for (timeline, (segment, crossing)) in timelines.iter().zip(segments) {
            run.end += crossing;
            let start = run.end;
            let processor = match timeline {
                SegmentTimeline::Bpu(timeline) => {
                    let origin = start + overhead;
                    let name = |source: usize| timeline.names.get(source).map_or("?", String::as_str);
                    let at = |cycle: u64| origin + microseconds(cycle);
                    run.placed.extend(timeline.activities.iter().map(|activity| Placed {
                        activity: *activity,
                        name: name(activity.source),
                        start: at(activity.start),
                        end: at(activity.end),
                    }));
                    run.residents.extend(timeline.residents.iter().map(|resident| ResidentDetail {
                        layer: name(resident.source).to_owned(),
                        first: resident.first,
                        end: resident.end,
                        from_us: rounded(at(resident.from)),
                        until_us: rounded(at(resident.until)),
                    }));
                    run.groups.extend(timeline.groups.iter().map(|group| GroupDetail {
                        layers: group.layers.iter().map(|&layer| name(layer).to_owned()).collect(),
                        stripes: group.stripes,
                        start_us: rounded(at(group.from)),
                        end_us: rounded(at(group.until)),
                    }));
                    run.end = origin + microseconds(timeline.cycles);
                    BPU
                }
                SegmentTimeline::Cpu(steps) => {
                    for CpuStep { node, microseconds } in steps {
                        let end = run.end + microseconds;
                        run.steps.push(PlacedStep { node, start: run.end, end });
                        run.end = end;
                    }
                    CPU
                }
            };
            let (latency_us, crossing_us) = (rounded(run.end - start), rounded(crossing));
            run.segments.push(SegmentLatency { segment: segment.name.clone(), processor, latency_us, crossing_us });
        }
        run.placed.sort_by(|a, b| a.start.total_cmp(&b.start).then(a.activity.engine.cmp(&b.activity.engine)));
        run
    }

    fn of(&self, processor: &str) -> f64 {
        let own = self.segments.iter().filter(|segment| segment.processor == processor);
        own.fold(0.0, |time, segment| time + segment.latency_us)
    }

    fn details(&self) -> Vec<Detail> {
        let detail = |inst_type, name: &str, start: f64, end: f64| Detail {
            inst_type,
            source_layer_names: vec![name.to_owned()],
            start_us: rounded(start),
            working_us: rounded(end - start),
        };
        let placed = self.placed.iter();
        let placed = placed.map(|one| detail(engine_label(one.activity.engine), one.name, one.start, one.end));
        let steps = self.steps.iter().map(|step| detail(CPU, step.node, step.start, step.end));
        let mut details: Vec<Detail> = placed.chain(steps).collect();
        details.sort_by(|a, b| a.start_us.total_cmp(&b.start_us));
        details
    }
}

/// Before each segment, what it takes until it has what the other kind of processor made; 0 where that made nothing of it.
pub fn crossings(manifest: &Manifest, target: &Target) -> Vec<f64> {
    let mut made_by = std::collections::HashMap::new();
    let mut crossings = Vec::with_capacity(manifest.segments.len());
    for segment in &manifest.segments {
        let on_cpu = matches!(segment.body, SegmentBody::Cpu(_));
        let crosses = |index: &&usize| made_by.get(*index).is_some_and(|by_cpu| *by_cpu != on_cpu);
        let crossing: Vec<&usize> = segment.inputs.iter().filter(crosses).collect();
        let bytes = crossing.iter().filter_map(|index| manifest.buffers.get(**index));
        let bytes = bytes.fold(0u64, |sum, buffer| sum.saturating_add(buffer.bytes as u64));
        crossings.push(if crossing.is_empty() { 0.0 } else { crossing_microseconds(bytes, target) });
        made_by.extend(segment.outputs.iter().map(|&index| (index, on_cpu)));
    }
    crossings
}

/// What a model's segments take together; `timelines` are theirs, in the order of execution.
pub fn performance(hbm: &Hbm, target: &Target, timelines: &[SegmentTimeline]) -> Performance {
    let manifest = hbm.manifest();
    let run = Run::new(manifest, target, timelines);
    let latency = run.end;
    let mut layers = layer_details(manifest, &run.placed, latency);
    layers.extend(cpu_layer_details(manifest, &run.steps, latency));
    layers.sort_by(|a, b| a.start_us.total_cmp(&b.start_us));
    let summary = Summary {
        performance: headline(manifest, &run),
        bounds: bounds(hbm, target, run.of(BPU)),
        calls: function_calls(target, timelines),
        ddr: ddr_access(hbm, &run.placed),
        engines: engine_times(&run, latency),
        intervals: intervals(&run.placed, latency),
        layers,
        model: model_information(manifest, latency),
        notes: notes(&run, target.run_overhead_nanoseconds.value),
    };
    let details = vec![run.details()];
    let memory = LocalMemoryUse { bytes: target.l1m_bytes(), residents: run.residents };
    Performance { summary, details, groups: run.groups, memory }
}

fn function_calls<'t>(target: &Target, timelines: &'t [SegmentTimeline]) -> FunctionCalls {
    let of_bpu = |timeline: &'t SegmentTimeline| match timeline {
        SegmentTimeline::Bpu(timeline) => Some(timeline),
        SegmentTimeline::Cpu(_) => None,
    };
    let timelines: Vec<&BpuTimeline> = timelines.iter().filter_map(of_bpu).collect();
    let microseconds = |cycles: u64| target.seconds(cycles) * 1e6;
    let spans = || timelines.iter().flat_map(|timeline| &timeline.calls);
    let longest = spans().map(|span| span.end.saturating_sub(span.start)).max();
    let (mut cycles, mut bytes) = (0u64, 0u64);
    for timeline in &timelines {
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

fn headline(manifest: &Manifest, run: &Run<'_>) -> Headline {
    let samples = samples_of(manifest);
    let crossings_us = run.segments.iter().fold(0.0, |time, segment| time + segment.crossing_us);
    Headline {
        frames_per_second: share(1e6 * f64::from(samples), run.end),
        samples,
        latency_us: rounded(run.end),
        latency_ms: run.end / 1e3,
        bpu_us: rounded(run.of(BPU)),
        cpu_us: rounded(run.of(CPU)),
        crossings_us: rounded(crossings_us),
        by_segment: run.segments.clone(),
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

fn engine_times(run: &Run<'_>, latency: f64) -> Vec<EngineTime> {
    let time = |engine: &str, spans: &mut dyn Iterator<Item = (f64, f64)>| {
        let (instructions, busy) =
            spans.fold((0, 0.0), |(count, busy), (start, end)| (count + 1, busy + (end - start)));
        EngineTime { engine: engine.to_owned(), instructions, busy_us: rounded(busy), share: share(busy, latency) }
    };
    let of_engine = |engine: Engine| {
        let own = run.placed.iter().filter(|placed| placed.activity.engine == engine);
        time(engine_label(engine), &mut own.map(|placed| (placed.start, placed.end)))
    };
    let cpu = (!run.steps.is_empty()).then(|| time(CPU, &mut run.steps.iter().map(|step| (step.start, step.end))));
    Engine::ALL.into_iter().map(of_engine).chain(cpu).collect()
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

fn notes(run: &Run<'_>, overhead_nanoseconds: u64) -> Vec<String> {
    let has = |processor: &str| run.segments.iter().any(|segment| segment.processor == processor);
    let start = overhead_nanoseconds as f64 / 1e3;
    let bpu = has(BPU).then(|| {
        format!(
            "the latency holds {start} us for starting each bpu segment and each further function call; published latencies are met within 15 % \
             by tools/published_latencies.py, so expect that error"
        )
    });
    let cpu = has(CPU).then(|| {
        "the time of cpu segments follows from their operations and bytes by numbers of the target that were measured on no board: expect \
         an error of a factor of two"
            .to_owned()
    });
    bpu.into_iter().chain(cpu).collect()
}
