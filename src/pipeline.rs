//! The named pipelines, in order, shared by `hb-opt` and `hb_compile`.

use crate::{bpu, diagnostics, dialect_rules, float, nash, quant, sim};
use hb_dialects::pass::{self, OptionDefinition, PassDefinition, PassOptions, PipelineDefinition};
use melior::{Context, ir::Module, pass::PassManager, utility::parse_pass_pipeline};
use std::sync::Once;

/// Every pass of every room.
pub fn passes() -> impl Iterator<Item = &'static PassDefinition> {
    float::PASSES.iter().chain(quant::PASSES).chain(bpu::lower::PASSES).chain(nash::PASSES).chain(sim::PASSES).copied()
}

/// The named pipelines.
pub fn pipelines() -> impl Iterator<Item = &'static PipelineDefinition> {
    PIPELINES.iter()
}

const INFO: OptionDefinition = OptionDefinition {
    name: "info",
    default: "",
    description: "`{prefix}_quant_info.json`: what calibration and the search for precision decided of values",
};
const WEIGHTS: OptionDefinition = OptionDefinition {
    name: "weights",
    default: "",
    description: "`{prefix}_quant_weights.safetensors`: the integers of weights; without it they are rounded to the nearest",
};
const DEFAULT_THRESHOLD: OptionDefinition =
    OptionDefinition { name: "default", default: "", description: "threshold of values that the file does not name" };

const WHOLE: OptionDefinition = OptionDefinition {
    name: "cpu",
    default: "",
    description: "recurrent layers that stay whole for the CPU, separated by commas",
};

const REMOVED_TYPES: OptionDefinition = OptionDefinition {
    name: "types",
    default: "",
    description: "types of nodes that are removed next to inputs and outputs, separated by commas",
};
const REMOVED_NAMES: OptionDefinition = OptionDefinition {
    name: "names",
    default: "",
    description: "names of nodes that are removed next to inputs and outputs, separated by commas",
};

const PIPELINES: &[PipelineDefinition] = &[
    PipelineDefinition {
        argument: "hfloat-optimize",
        summary: "The float level: shapes, folding, fusion",
        description: "From what an importer gives to a network ready for quantization.",
        options: &[WHOLE],
        build: |options| Ok(on_functions(&optimize(options))),
    },
    PipelineDefinition {
        argument: "hfloat-to-qdq",
        summary: "Quantization: from the float level to the QDQ form",
        description: "Gives every value that a quantized operation reads or computes its threshold and puts casts around it.",
        options: &[INFO, WEIGHTS, DEFAULT_THRESHOLD],
        build: |options| Ok(on_functions(&quantize(options))),
    },
    PipelineDefinition {
        argument: "qdq-to-placed",
        summary: "The first half of `qdq-to-bpu`: what runs where",
        description: "Inserts the preprocessing of inputs, removes nodes of the network next to its inputs and outputs, and decides which \
operations run on the BPU.",
        options: &[REMOVED_TYPES, REMOVED_NAMES],
        build: |options| Ok(on_functions(&assign_placement(options))),
    },
    PipelineDefinition {
        argument: "placed-to-bpu",
        summary: "The second half of `qdq-to-bpu`: the placement is applied",
        description: "Lowers what runs on the BPU to integers in `bpu.segment`, puts the rest into `cpu.segment`, and removes what only \
segments have next to inputs and outputs.",
        options: &[REMOVED_TYPES, REMOVED_NAMES],
        build: |options| Ok(on_functions(&form_segments(options))),
    },
    PipelineDefinition {
        argument: "qdq-to-bpu",
        summary: "Placement: from the QDQ form to segments of the BPU and the CPU",
        description: "`qdq-to-placed` and `placed-to-bpu`, one after the other.",
        options: &[REMOVED_TYPES, REMOVED_NAMES],
        build: |options| Ok(on_functions(&place(options))),
    },
    PipelineDefinition {
        argument: "bpu-to-nash",
        summary: "Code generation: from segments of the BPU to checked programs of the machine",
        description: "Tiles, allocates and emits, then checks the programs for races.",
        options: &[
            nash::MARCH,
            nash::OVERRIDE,
            nash::OPTIMIZE_LEVEL,
            nash::COMPILE_MODE,
            nash::BALANCE_FACTOR,
            nash::MAX_TIME_PER_FC,
        ],
        build: |options| Ok(on_functions(&generate(options))),
    },
    PipelineDefinition {
        argument: "hb-compile",
        summary: "Everything that hb_compile does between import and the .hbm",
        description: "`hfloat-optimize`, `hfloat-to-qdq`, `qdq-to-bpu` and `bpu-to-nash`, one after the other.",
        options: &[
            nash::MARCH,
            nash::OVERRIDE,
            nash::OPTIMIZE_LEVEL,
            nash::COMPILE_MODE,
            nash::BALANCE_FACTOR,
            nash::MAX_TIME_PER_FC,
            WHOLE,
            INFO,
            WEIGHTS,
            DEFAULT_THRESHOLD,
            REMOVED_TYPES,
            REMOVED_NAMES,
        ],
        build: |options| {
            let levels = [optimize(options), quantize(options), place(options), generate(options)];
            Ok(on_functions(&levels.join(",")))
        },
    },
];

fn optimize(options: &PassOptions) -> String {
    let unroll = with_options("hfloat-unroll-recurrences", options, &[("cpu", "cpu")]);
    format!(
        "hfloat-infer-shapes,hfloat-expand-splits,{unroll},hfloat-forward-slices,canonicalize{{region-simplify=disabled}},\
hfloat-fuse-functions,hfloat-fuse-normalizations,hfloat-fuse-scales,hfloat-fuse-activations,hfloat-equalize-channels,hfloat-flush-weights,\
canonicalize{{region-simplify=disabled}},hfloat-verify"
    )
}

fn assign_placement(options: &PassOptions) -> String {
    let remove = with_options("hfloat-remove-border-nodes", options, &[("types", "types"), ("names", "names")]);
    format!("hfloat-insert-preprocessing,{remove},bpu-assign-placement")
}

fn form_segments(options: &PassOptions) -> String {
    let remove = with_options("bpu-remove-border-nodes", options, &[("types", "types"), ("names", "names")]);
    format!("bpu-form-segments,{remove},bpu-verify")
}

fn place(options: &PassOptions) -> String {
    format!("{},{}", assign_placement(options), form_segments(options))
}

fn quantize(options: &PassOptions) -> String {
    let round = match options.get("weights") {
        "" => String::new(),
        _ => with_options("quant-round-weights", options, &[("file", "weights")]) + ",",
    };
    let assign = with_options("quant-assign-thresholds", options, &[("file", "info"), ("default", "default")]);
    format!("quant-take-scales,quant-assign-placement,{round}{assign},quant-insert-casts,hfloat-verify")
}

fn generate(options: &PassOptions) -> String {
    let names = ["march", "override", "optimize-level", "compile-mode", "balance-factor", "max-time-per-fc"];
    let names = names.map(|name| (name, name));
    let lower = with_options("bpu-lower-to-nash", options, &names);
    format!("{lower},nash-verify")
}

/// A pipeline of a module that runs passes on its functions.
pub fn on_functions(passes: &str) -> String {
    format!("func.func({passes})")
}

/// A pass with those of its options that the pipeline's options give: pairs of the pass's name and the pipeline's.
fn with_options(pass: &str, options: &PassOptions, names: &[(&str, &str)]) -> String {
    let given = names.iter().filter(|(_, name)| !options.get(name).is_empty());
    let words: Vec<String> = given.map(|(word, name)| format!("{word}={}", options.get(name))).collect();
    if words.is_empty() { pass.to_owned() } else { format!("{pass}{{{}}}", words.join(" ")) }
}

/// Registers the rules of every dialect, the passes of MLIR and of every room, and the named pipelines. Further calls do nothing.
pub fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        dialect_rules::install();
        pass::register_upstream_passes();
        pass::register_passes(passes());
        pass::register_pipelines(pipelines());
    });
}

/// A context that knows every dialect with its rules and every pass.
pub fn context() -> Context {
    register();
    hb_dialects::context()
}

/// A pipeline that failed: its errors, each with the location that MLIR printed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PipelineError(pub String);

/// Runs a textual pipeline, as `--pass-pipeline` takes it inside `builtin.module(...)`, on a module.
///
/// # Errors
/// The errors that passes reported, one to a line.
pub fn run(context: &Context, module: &mut Module<'_>, passes: &str) -> Result<(), PipelineError> {
    let manager = PassManager::new(context);
    let text = format!("builtin.module({passes})");
    let (outcome, mut reports) = diagnostics::collect(context, || {
        parse_pass_pipeline(manager.as_operation_pass_manager(), &text)
            .map_err(|error| error.to_string())
            .and_then(|()| manager.run(module).map_err(|error| error.to_string()))
    });
    outcome.map_err(|error| {
        reports.retain(|report| report.is_error);
        let messages = diagnostics::messages(&reports);
        PipelineError(if messages.is_empty() { error } else { messages })
    })
}
