//! `bpu-lower-to-nash`.

use super::lower::{Effort, LowerError, Lowered, LoweringPlan, Objective, apply, assign};
use super::mlir::{March, program_to_mlir};
use crate::bpu::mlir::from_mlir;
use crate::files::write_atomically;
use crate::reading;
use crate::target::Target;
use hb_dialects::{
    bpu,
    ir::{self, OperationAttributes},
    pass::{OptionDefinition, PassDefinition, PassFailure, PassOptions},
};
use melior::ir::{OperationRef, operation::OperationLike};
use std::{collections::BTreeMap, path::Path};

/// The passes of this room.
pub const PASSES: &[&PassDefinition] = &[&LOWER];

/// The option that names a target, shared with the pipelines.
pub const MARCH: OptionDefinition =
    OptionDefinition { name: "march", default: "nash-e", description: "target to compile for, a file of `targets/`" };

/// The option that changes a target, shared with the pipelines.
pub const OVERRIDE: OptionDefinition = OptionDefinition {
    name: "override",
    default: "",
    description: "changed fields of the target, such as `local_memory.bytes=65536`, separated by commas",
};

/// The option that says how much is tried, shared with the pipelines.
pub const OPTIMIZE_LEVEL: OptionDefinition = OptionDefinition {
    name: "optimize-level",
    default: "O0",
    description: "how much is tried for a faster program: O0 lets loads run ahead, O1 computes groups of operators in stripes, O2 changes \
groups as long as that helps",
};

/// The option that says what is made small, shared with the pipelines.
pub const COMPILE_MODE: OptionDefinition = OptionDefinition {
    name: "compile-mode",
    default: "latency",
    description: "what is made small: latency, the bytes that pass the DDR port (bandwidth), or a mixture (balance)",
};

/// The option that mixes the two, shared with the pipelines.
pub const BALANCE_FACTOR: OptionDefinition = OptionDefinition {
    name: "balance-factor",
    default: "",
    description: "with `compile-mode=balance`, the weight of latency from 0 to 100",
};

/// The option that cuts programs, shared with the pipelines.
pub const MAX_TIME_PER_FC: OptionDefinition = OptionDefinition {
    name: "max-time-per-fc",
    default: "0",
    description: "the longest time in microseconds of a function call, after which other programs may run; 0 is no limit",
};

static LOWER: PassDefinition = PassDefinition {
    argument: "bpu-lower-to-nash",
    summary: "Turn segments of the BPU into programs of the machine",
    description: "Each `bpu.segment` becomes a `nash.program`: every tensor gets a home, every operator a tiling (assign), then \
the instructions are emitted (apply). `dump-plan` writes the decisions as JSON, an object from the names of segments to plans; \
`plan` reads such a file and applies it instead of deciding.",
    anchor: "func.func",
    options: &[
        MARCH,
        OVERRIDE,
        OPTIMIZE_LEVEL,
        COMPILE_MODE,
        BALANCE_FACTOR,
        MAX_TIME_PER_FC,
        OptionDefinition { name: "dump-plan", default: "", description: "file to write the decisions to" },
        OptionDefinition { name: "plan", default: "", description: "file to read the decisions from" },
    ],
    run: lower,
};

/// Plans are small beside their networks; larger files are refused before they are read.
const LARGEST_PLAN: u64 = 256 << 20;

/// Decisions by name of segment.
type Plans = BTreeMap<String, LoweringPlan>;

fn lower(function: OperationRef<'_, '_>, options: &PassOptions) -> Result<(), PassFailure> {
    let march = March::parse(options.get("march"), options.get("override")).map_err(PassFailure::Message)?;
    let target = march.target()?;
    let objective = objective(options).map_err(PassFailure::Message)?;
    let mut given = match options.file("plan") {
        None => None,
        Some(file) => Some(read_plans(&file).map_err(|reason| message(&file.display().to_string(), &reason))?),
    };
    let mut made = Plans::new();
    let Some(block) = ir::body(function) else { return Ok(()) };
    for (index, operation) in ir::operations(block).into_iter().enumerate() {
        if !bpu::Op::Segment.is(operation) {
            continue;
        }
        let name = segment_name(operation, index);
        let plan = match &mut given {
            None => None,
            Some(plans) => Some(plans.remove(&name).ok_or_else(|| message(&name, &"the file has no plan for it"))?),
        };
        let lowered = lower_segment(operation, &target, objective, plan)?;
        replace(operation, &lowered, &march)?;
        made.insert(name, lowered.plan);
    }
    match options.file("dump-plan") {
        None => Ok(()),
        Some(file) => {
            let mut text = serde_json::to_string_pretty(&made)?;
            text.push('\n');
            Ok(write_atomically(&file, text.as_bytes())?)
        }
    }
}

fn objective(options: &PassOptions) -> Result<Objective, String> {
    let level = options.get("optimize-level").parse::<Effort>()?;
    let factor = options.get("balance-factor");
    let latency = match options.get("compile-mode") {
        "latency" => 100,
        "bandwidth" => 0,
        "balance" => {
            let factor = factor.parse::<u32>().ok().filter(|factor| *factor <= 100);
            factor.ok_or_else(|| "compile-mode balance needs a balance-factor from 0 to 100".to_owned())?
        }
        other => return Err(format!("compile-mode is latency, bandwidth or balance, not '{other}'")),
    };
    let limit = options.get("max-time-per-fc");
    let call_us = limit.parse().map_err(|_| format!("max-time-per-fc is a number of microseconds, not '{limit}'"))?;
    Ok(Objective { level, latency, call_us })
}

fn message(place: &str, reason: &dyn std::fmt::Display) -> PassFailure {
    PassFailure::Message(format!("{place}: {reason}"))
}

fn read_plans(path: &Path) -> Result<Plans, String> {
    let bytes = reading::read_small(path, LARGEST_PLAN)?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

/// The name of a segment's location, or its place in the function.
fn segment_name(operation: OperationRef<'_, '_>, index: usize) -> String {
    Some(operation.node()).filter(|name| !name.is_empty()).unwrap_or_else(|| format!("segment_{index}"))
}

fn lower_segment(
    operation: OperationRef<'_, '_>,
    target: &Target,
    objective: Objective,
    plan: Option<LoweringPlan>,
) -> Result<Lowered<'static>, PassFailure> {
    let segment = from_mlir(operation)?;
    let lowered = match plan {
        Some(plan) => Ok(plan),
        None => assign(&segment, target, objective),
    }
    .and_then(|plan| apply(&segment, target, plan));
    lowered.map_err(|error| {
        ir::emit_error(node_operation(operation, &error).location(), &error.to_string());
        PassFailure::Reported
    })
}

/// The operation of the node that an error names, or the segment.
fn node_operation<'c, 'a>(segment: OperationRef<'c, 'a>, error: &LowerError) -> OperationRef<'c, 'a> {
    let inner = ir::body(segment).map(ir::operations).unwrap_or_default();
    let found = error.node().and_then(|node| inner.into_iter().find(|operation| operation.node() == node));
    found.unwrap_or(segment)
}

fn replace(segment: OperationRef<'_, '_>, lowered: &Lowered<'_>, march: &March) -> Result<(), PassFailure> {
    let inputs: Vec<_> = segment.operands().collect();
    let program = program_to_mlir(segment.context_reference(), lowered, march, &inputs, segment.location())?;
    let program = ir::insert_before(segment, program);
    for (old, new) in ir::results(segment).into_iter().zip(ir::results(program)) {
        ir::replace_all_uses(old, new);
    }
    // SAFETY: its results are replaced, and the walk over the block is past it.
    unsafe { ir::erase(segment) };
    Ok(())
}
