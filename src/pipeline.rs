//! The named pipelines, in order, shared by `hb-opt` and `hb_compile`.

use crate::{bpu, float, quant};
use hb_dialects::{
    hooks,
    pass::{self, Options, PassDefinition, PipelineDefinition},
};
use melior::Context;
use std::sync::Once;

/// Every pass of every room.
pub fn passes() -> impl Iterator<Item = &'static PassDefinition> {
    float::PASSES.iter().chain(quant::PASSES).chain(bpu::lower::PASSES).copied()
}

/// The named pipelines.
pub fn pipelines() -> impl Iterator<Item = &'static PipelineDefinition> {
    PIPELINES.iter()
}

const PIPELINES: &[PipelineDefinition] = &[PipelineDefinition {
    argument: "hfloat-optimize",
    summary: "The float level: shapes, folding, fusion",
    description: "From what an importer gives to a network ready for quantization.",
    options: &[],
    build: optimize,
}];

fn optimize(_options: &Options) -> Result<String, String> {
    Ok("func.func(hfloat-infer-shapes,canonicalize{region-simplify=disabled},hfloat-fuse-scales,hfloat-fuse-activations,\
canonicalize{region-simplify=disabled},hfloat-verify)"
        .into())
}

/// Registers the rules of every dialect, the passes of MLIR and of every room, and the named pipelines. Further calls do nothing.
pub fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        hooks::install();
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
