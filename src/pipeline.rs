//! The named pipelines, in order, shared by `hb-opt` and `hb_compile`.

use crate::{bpu, float, quant};
use hb_dialects::{
    hooks,
    pass::{self, Options, PassDefinition, PipelineDefinition},
};
use melior::{Context, diagnostic::DiagnosticSeverity, ir::Module, pass::PassManager, utility::parse_pass_pipeline};
use std::sync::{Arc, Mutex, Once};

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
        hooks::add(bpu::rules::rules());
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
    let messages = Arc::new(Mutex::new(Vec::new()));
    let collect = Arc::clone(&messages);
    let handler = context.attach_diagnostic_handler(move |diagnostic| {
        if matches!(diagnostic.severity(), DiagnosticSeverity::Error)
            && let Ok(mut messages) = collect.lock()
        {
            messages.push(diagnostic.to_string());
        }
        true
    });
    let outcome = parse_pass_pipeline(manager.as_operation_pass_manager(), &text)
        .map_err(|error| error.to_string())
        .and_then(|()| manager.run(module).map_err(|error| error.to_string()));
    context.detach_diagnostic_handler(handler);
    outcome.map_err(|error| {
        let messages = messages.lock().map(|messages| messages.join("\n")).unwrap_or_default();
        PipelineError(if messages.is_empty() { error } else { messages })
    })
}
