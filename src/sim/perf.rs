//! Predicted performance of a compiled model: the data behind `hb_sim perf` and the reports of `hb_compile`.
//!
//! The JSON follows the vendor's static performance report where we have the same thing to say, key for key; keys of our own are
//! `engine time`, `samples per run` and `notes`. Times come from the schedule of every instruction on its engine, not from an average.

use serde::Serialize;

use crate::hbm::{Hbm, Manifest, SegmentBody};
use crate::nash::isa::Engine;
use crate::target::Target;

/// Parts into which a run is cut for utilization and bandwidth over time.
const INTERVALS: usize = 100;
/// The parameter of a compilation that says how many samples a run takes.
const BATCH_PARAMETER: &str = "input_batch";

/// One instruction's time on its engine. Cycles count from the start of its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    /// Where it runs.
    pub engine: Engine,
    /// Index into [`SegmentTimeline::names`].
    pub source: usize,
    /// First cycle.
    pub start: u64,
    /// First cycle after it.
    pub end: u64,
    /// Bytes read from DDR.
    pub loaded: u64,
    /// Bytes written to DDR.
    pub stored: u64,
}

/// What a bpu segment does when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentTimeline {
    /// Its name in the manifest.
    pub segment: String,
    /// Node names that the instructions belong to.
    pub names: Vec<String>,
    /// In the order of the program.
    pub activities: Vec<Activity>,
    /// Cycles from the first instruction's start to the last one's end.
    pub cycles: u64,
}

/// The whole report; serializes to `{prefix}.json`.
#[derive(Debug, Clone, Serialize)]
pub struct Performance {
    /// What the tables show.
    pub summary: Summary,
    /// Per core, every instruction in the order of its start.
    pub details: Vec<Vec<Detail>>,
}

/// The figures of a run, by what they are about.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Latency and throughput.
    pub performance: Headline,
    /// What the target cannot beat.
    pub bounds: Bounds,
    /// Traffic and memory.
    #[serde(rename = "DDR access data")]
    pub ddr: DdrAccess,
    /// In the order of their numbers.
    #[serde(rename = "engine time")]
    pub engines: Vec<EngineTime>,
    /// Utilization over time.
    #[serde(rename = "interval info")]
    pub intervals: Intervals,
    /// In the order of their first instruction.
    #[serde(rename = "layer details")]
    pub layers: Vec<LayerDetail>,
    /// What was compiled, and how.
    #[serde(rename = "model info")]
    pub model: ModelInformation,
    /// What the figures leave out.
    pub notes: Vec<String>,
}

/// The figures that stand first.
#[derive(Debug, Clone, Serialize)]
pub struct Headline {
    /// Samples per second of one core that does nothing else; a run takes as many as the batch has.
    #[serde(rename = "FPS")]
    pub frames_per_second: f64,
    /// How many samples a run takes.
    #[serde(rename = "samples per run")]
    pub samples: u32,
    /// Of one run, its fixed cost included.
    #[serde(rename = "latency (us)")]
    pub latency_us: f64,
    /// The same in milliseconds.
    #[serde(rename = "latency (ms)")]
    pub latency_ms: f64,
    /// In the order of execution.
    #[serde(rename = "latency (us) by segments")]
    pub by_segment: Vec<SegmentLatency>,
}

/// The time of one segment.
#[derive(Debug, Clone, Serialize)]
pub struct SegmentLatency {
    /// Its name in the manifest.
    pub segment: String,
    /// None for cpu segments, whose time on the board is not predicted.
    #[serde(rename = "latency (us)")]
    pub latency_us: Option<f64>,
}

/// What no schedule of the bpu segments can be faster than on this target, without the fixed cost of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Bounds {
    /// Multiply-accumulates of convolutions and matrix products on a full array.
    #[serde(rename = "compute bound (us)")]
    pub compute_us: f64,
    /// The compulsory bytes at the bandwidth of DDR.
    #[serde(rename = "DDR bound (us)")]
    pub ddr_us: f64,
    /// Constants, inputs and outputs of every bpu segment, each once.
    #[serde(rename = "compulsory DDR bytes")]
    pub ddr_bytes: u64,
    /// The predicted latency by the larger bound; none when both are 0.
    #[serde(rename = "latency / larger bound")]
    pub ratio: Option<f64>,
}

/// Traffic with DDR in one run, and what has to be there; bytes but for the first.
#[derive(Debug, Clone, Serialize)]
pub struct DdrAccess {
    /// Loaded and stored, in units of 10^6 bytes.
    #[serde(rename = "DDR megabytes per run")]
    pub megabytes: f64,
    /// From DDR into local memory.
    #[serde(rename = "loaded bytes per run")]
    pub loaded: u64,
    /// From local memory to DDR.
    #[serde(rename = "stored bytes per run")]
    pub stored: u64,
    /// The sum of the five below.
    #[serde(rename = "min memory requirement")]
    pub memory: u64,
    /// Inputs of the model.
    #[serde(rename = "input memory")]
    pub input: u64,
    /// Outputs of the model.
    #[serde(rename = "output memory")]
    pub output: u64,
    /// Programs and constants.
    #[serde(rename = "static memory")]
    pub constant: u64,
    /// Buffers between segments.
    #[serde(rename = "intermediate memory")]
    pub intermediate: u64,
    /// Workspaces of segments.
    #[serde(rename = "temporary memory")]
    pub temporary: u64,
}

/// What one engine does in a run.
#[derive(Debug, Clone, Serialize)]
pub struct EngineTime {
    /// As [`engine_label`] calls it.
    pub engine: String,
    /// How many it executes.
    pub instructions: usize,
    /// Time in which it works.
    #[serde(rename = "busy (us)")]
    pub busy_us: f64,
    /// Of the latency, 0 to 1.
    pub share: f64,
}

/// A run cut into intervals of one length.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Intervals {
    /// How many.
    #[serde(rename = "interval number")]
    pub number: usize,
    /// The length of each.
    #[serde(rename = "interval time (ms)")]
    pub time_ms: f64,
    /// Share of each interval in which at least one engine other than LOAD and STORE works, 0 to 1.
    #[serde(rename = "interval computing unit utilization")]
    pub utilization: Vec<f64>,
    /// Megabytes per second in each interval.
    #[serde(rename = "interval ddr loading bandwidth (megabytes/s)")]
    pub loading: Vec<f64>,
    /// Megabytes per second in each interval.
    #[serde(rename = "interval ddr storing bandwidth (megabytes/s)")]
    pub storing: Vec<f64>,
}

/// What one layer costs.
#[derive(Debug, Clone, Serialize)]
pub struct LayerDetail {
    /// As in the manifest.
    #[serde(rename = "layer name")]
    pub name: String,
    /// Operator, as in the manifest.
    #[serde(rename = "operator")]
    pub operator_type: String,
    /// The segment that it is part of.
    pub segment: String,
    /// From its first instruction to the end of its last one.
    #[serde(rename = "active period of time")]
    pub period: String,
    /// Time in which an engine other than LOAD and STORE works for it.
    #[serde(rename = "computing cost (no DDR)")]
    pub computing: String,
    /// Time of its transfers from DDR.
    #[serde(rename = "load cost")]
    pub load: String,
    /// Time of its transfers to DDR.
    #[serde(rename = "store cost")]
    pub store: String,
    /// Nodes of the user's model that it was made from.
    #[serde(rename = "origin ops")]
    pub origins: Vec<String>,
    /// The same as numbers, in microseconds.
    #[serde(rename = "start (us)")]
    pub start_us: f64,
    /// End of its last instruction.
    #[serde(rename = "end (us)")]
    pub end_us: f64,
    /// As `computing`.
    #[serde(rename = "computing (us)")]
    pub computing_us: f64,
    /// As `load`.
    #[serde(rename = "load (us)")]
    pub load_us: f64,
    /// As `store`.
    #[serde(rename = "store (us)")]
    pub store_us: f64,
    /// Twice its multiply-accumulates.
    #[serde(rename = "ops")]
    pub operations: u64,
}

/// What was compiled, and how.
#[derive(Debug, Clone, Serialize)]
pub struct ModelInformation {
    /// As the source file gives it.
    #[serde(rename = "model name")]
    pub name: String,
    /// The target.
    #[serde(rename = "BPU march")]
    pub march: String,
    /// Cores that run it.
    #[serde(rename = "BPU core number")]
    pub cores: usize,
    /// Of this compiler.
    #[serde(rename = "compiling HB version")]
    pub version: String,
    /// Parameters of the configuration and what they are.
    #[serde(rename = "compiling options")]
    pub options: Vec<(String, String)>,
    /// Twice the multiply-accumulates of convolutions and matrix products.
    #[serde(rename = "original conv ops")]
    pub operations: u64,
    /// `operations` over the latency.
    #[serde(rename = "conv ops per second (1e12)")]
    pub tera_operations_per_second: f64,
}

/// One instruction in a run.
#[derive(Debug, Clone, Serialize)]
pub struct Detail {
    /// The engine, as [`engine_label`] calls it.
    pub inst_type: &'static str,
    /// The layers it works for.
    pub source_layer_names: Vec<String>,
    /// From the start of the run.
    #[serde(rename = "start_time (us)")]
    pub start_us: f64,
    /// How long it works.
    #[serde(rename = "working_time (us)")]
    pub working_us: f64,
}

/// The name of an engine in reports: the vendor's, which calls DTE by what it does.
pub fn engine_label(engine: Engine) -> &'static str {
    match engine {
        Engine::Load => "LOAD",
        Engine::Store => "STORE",
        Engine::Tae => "TAE",
        Engine::Vae => "VAE",
        Engine::Aae => "AAE",
        Engine::Dte => "TRANS",
        Engine::Vpu => "VPU",
    }
}

/// An activity in microseconds from the start of the run.
struct Placed<'a> {
    activity: Activity,
    name: &'a str,
    start: f64,
    end: f64,
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

/// To a tenth of a nanosecond: below a clock cycle, and short in JSON.
fn rounded(microseconds: f64) -> f64 {
    (microseconds * 1e4).round() / 1e4
}

/// `part / whole`, 0 when there is no whole.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
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
    Bounds { compute_us: rounded(compute_us), ddr_us: rounded(ddr_us), ddr_bytes, ratio }
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

fn layer_details(manifest: &Manifest, placed: &[Placed<'_>], latency: f64) -> Vec<LayerDetail> {
    #[derive(Clone)]
    struct Sum {
        start: f64,
        end: f64,
        computing: f64,
        load: f64,
        store: f64,
    }
    let mut order: Vec<&str> = Vec::new();
    let mut sums: std::collections::HashMap<&str, Sum> = std::collections::HashMap::new();
    for Placed { activity, name, start, end } in placed {
        let sum = sums.entry(name).or_insert_with(|| {
            order.push(name);
            Sum { start: *start, end: *end, computing: 0.0, load: 0.0, store: 0.0 }
        });
        sum.end = sum.end.max(*end);
        match activity.engine {
            Engine::Load => sum.load += end - start,
            Engine::Store => sum.store += end - start,
            _ => sum.computing += end - start,
        }
    }
    let cost = |time: f64| format!("{time:.3} us ({:.1}% of model)", 100.0 * share(time, latency));
    let detail = |name: &str| {
        let sum = sums.get(name)?;
        let layer = manifest.layers.iter().find(|layer| layer.name == name);
        let segment = layer.and_then(|layer| manifest.segments.get(layer.segment));
        Some(LayerDetail {
            name: name.to_owned(),
            operator_type: layer.map_or_else(|| "?".to_owned(), |layer| layer.operator_type.clone()),
            segment: segment.map_or_else(String::new, |segment| segment.name.clone()),
            period: format!("{:.3} ~ {:.3} us", sum.start, sum.end),
            computing: cost(sum.computing),
            load: cost(sum.load),
            store: cost(sum.store),
            origins: layer.map_or_else(Vec::new, |layer| layer.origins.clone()),
            start_us: rounded(sum.start),
            end_us: rounded(sum.end),
            computing_us: rounded(sum.computing),
            load_us: rounded(sum.load),
            store_us: rounded(sum.store),
            operations: layer.map_or(0, |layer| layer.operations),
        })
    };
    order.iter().filter_map(|name| detail(name)).collect()
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
    let mut notes =
        vec![format!("the latency holds {} us for starting each bpu segment", overhead_nanoseconds as f64 / 1e3)];
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
