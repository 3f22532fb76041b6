//! Predicted performance of a compiled model: the data behind `hb_sim perf` and the reports of `hb_compile`.
//!
//! The JSON follows the vendor's static performance report where we have the same thing to say, key for key; keys of our own are
//! `engine time`, `samples per run`, `bounds`, `notes`, `groups`, `local memory`, and in `layer details` what says `bound`, bytes or plain numbers. Times come from the schedule of every instruction on its engine, not from an average.

mod assemble;
mod groups;
mod layers;
mod residents;
mod trace;

use serde::Serialize;

use crate::nash::isa::Engine;
use crate::nash::timing::Span;

pub use assemble::{crossings, performance};
pub use groups::{StripedLayers, groups};
pub use residents::{LivingBytes, residents};
pub use trace::to_trace;

/// One instruction's time on its engine. Cycles count from the start of its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    /// Where it runs.
    pub engine: Engine,
    /// Index into [`BpuTimeline::names`].
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

/// What a segment does when.
#[derive(Debug, Clone, PartialEq)]
pub enum SegmentTimeline {
    /// By its instructions.
    Bpu(BpuTimeline),
    /// One step after the other.
    Cpu(Vec<CpuStep>),
}

/// What a part of a cpu segment takes.
#[derive(Debug, Clone, PartialEq)]
pub struct CpuStep {
    /// The node that it is of, the last one where several are computed together.
    pub node: String,
    /// How long.
    pub microseconds: f64,
}

/// What a bpu segment does when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BpuTimeline {
    /// Node names that the instructions belong to.
    pub names: Vec<String>,
    /// In the order of the program.
    pub activities: Vec<Activity>,
    /// What lives in local memory.
    pub residents: Vec<LivingBytes>,
    /// What is computed in stripes.
    pub groups: Vec<StripedLayers>,
    /// Cycles from the first instruction's start to the last one's end.
    pub cycles: u64,
    /// The function calls that it is cut into, without their starts; one where it is not cut.
    pub calls: Vec<Span>,
    /// The same program without cuts: its cycles, and the bytes it moves; none where it is not cut.
    pub uncut: Option<(u64, u64)>,
}

/// The whole report; serializes to `{prefix}.json`.
#[derive(Debug, Clone, Serialize)]
pub struct Performance {
    /// What the tables show.
    pub summary: Summary,
    /// Per core, every instruction in the order of its start.
    pub details: Vec<Vec<Detail>>,
    /// Layers that are computed together, a stripe of rows at a time, in the order of their start.
    pub groups: Vec<GroupDetail>,
    /// What lives in local memory when.
    #[serde(rename = "local memory")]
    pub memory: LocalMemoryUse,
}

/// Layers that are computed together, a stripe of rows at a time: what they hand to each other never leaves local memory.
#[derive(Debug, Clone, Serialize)]
pub struct GroupDetail {
    /// In the order of their first instruction.
    pub layers: Vec<String>,
    /// How many turns the layer has that comes back most often.
    pub stripes: usize,
    /// From the start of the run.
    #[serde(rename = "start (us)")]
    pub start_us: f64,
    /// From the start of the run.
    #[serde(rename = "end (us)")]
    pub end_us: f64,
}

/// What lives in local memory when.
#[derive(Debug, Clone, Serialize)]
pub struct LocalMemoryUse {
    /// What the target has.
    pub bytes: u64,
    /// Ranges of bytes, each for the time that it lives.
    pub residents: Vec<ResidentDetail>,
}

/// A range of bytes, from the instruction that writes them to the last one that reads them.
#[derive(Debug, Clone, Serialize)]
pub struct ResidentDetail {
    /// The layer that they were written for.
    #[serde(rename = "layer name")]
    pub layer: String,
    /// First byte.
    #[serde(rename = "first byte")]
    pub first: u64,
    /// First byte behind them.
    pub end: u64,
    /// From the start of the run.
    #[serde(rename = "from (us)")]
    pub from_us: f64,
    /// From the start of the run.
    #[serde(rename = "until (us)")]
    pub until_us: f64,
}

/// The figures of a run, by what they are about.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Latency and throughput.
    pub performance: Headline,
    /// What the target cannot beat.
    pub bounds: Bounds,
    /// What the board schedules as a whole.
    #[serde(rename = "function calls")]
    pub calls: FunctionCalls,
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
    /// Samples per second where nothing else runs; a run takes as many as the batch has.
    #[serde(rename = "FPS")]
    pub frames_per_second: f64,
    /// How many samples a run takes.
    #[serde(rename = "samples per run")]
    pub samples: u32,
    /// Of one run of the whole network, fixed costs included.
    #[serde(rename = "latency (us)")]
    pub latency_us: f64,
    /// The same in milliseconds.
    #[serde(rename = "latency (ms)")]
    pub latency_ms: f64,
    /// Of that, the segments on the BPU with their starts.
    #[serde(rename = "BPU (us)")]
    pub bpu_us: f64,
    /// Of that, the segments on the CPU.
    #[serde(rename = "CPU (us)")]
    pub cpu_us: f64,
    /// Of that, from one to the other.
    #[serde(rename = "crossings (us)")]
    pub crossings_us: f64,
    /// In the order of execution.
    #[serde(rename = "latency (us) by segments")]
    pub by_segment: Vec<SegmentLatency>,
}

/// The time of one segment.
#[derive(Debug, Clone, Serialize)]
pub struct SegmentLatency {
    /// Its name in the manifest.
    pub segment: String,
    /// BPU or CPU.
    pub processor: &'static str,
    /// Of itself.
    #[serde(rename = "latency (us)")]
    pub latency_us: f64,
    /// Before it, until it has what the other kind of processor made.
    #[serde(rename = "crossing (us)")]
    pub crossing_us: f64,
}

/// The parts of the bpu segments between which other programs may run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FunctionCalls {
    /// Of all segments.
    pub number: usize,
    /// The longest, with what it takes to start.
    #[serde(rename = "longest (us)")]
    pub longest_us: f64,
    /// What the run would take less if the segments were not cut.
    #[serde(rename = "cost of cutting (us)")]
    pub cost_us: f64,
    /// The bytes that it would move less.
    #[serde(rename = "DDR bytes of cutting")]
    pub bytes: u64,
    /// Whether a segment is more than one.
    #[serde(skip)]
    pub is_cut: bool,
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
    /// What the array can do.
    #[serde(rename = "peak conv ops per second (1e12)")]
    pub peak_tera_operations_per_second: f64,
    /// What LOAD and STORE can do together.
    #[serde(rename = "DDR bandwidth (megabytes/s)")]
    pub ddr_megabytes_per_second: f64,
    /// The predicted latency of the bpu segments by the larger bound; none when both are 0.
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
    /// From DDR for it.
    #[serde(rename = "loaded bytes")]
    pub loaded: u64,
    /// To DDR for it.
    #[serde(rename = "stored bytes")]
    pub stored: u64,
    /// The engine that works longest for it, as [`engine_label`] calls it.
    #[serde(rename = "bound by")]
    pub bound_by: &'static str,
    /// Of its active period, the share in which that engine works for it, 0 to 1: low where it mostly waits, for other layers or
    /// for memory.
    #[serde(rename = "bound share")]
    pub bound_share: f64,
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

/// As texts tell it.
impl std::fmt::Display for FunctionCalls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { number, longest_us, cost_us, bytes, .. } = self;
        write!(
            formatter,
            "{number} of at most {longest_us:.1} us; cutting costs {cost_us:.1} us and {bytes} bytes of DDR"
        )
    }
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
        Engine::Spu => "SPU",
    }
}

/// To a tenth of a nanosecond: below a clock cycle, and short in JSON.
fn rounded(microseconds: f64) -> f64 {
    (microseconds * 1e4).round() / 1e4
}

/// `part / whole`, 0 when there is no whole.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
