//! The named pipelines, in order, shared by `hb-opt` and `hb_compile`.

use hb_dialects::pass::{self, PassDefinition, PipelineDefinition};
use std::sync::Once;

/// The passes of every room.
pub fn passes() -> impl Iterator<Item = &'static PassDefinition> {
    std::iter::empty()
}

/// The named pipelines.
pub fn pipelines() -> impl Iterator<Item = &'static PipelineDefinition> {
    std::iter::empty()
}

/// Registers the passes of MLIR and of every room, and the named pipelines. Further calls do nothing.
pub fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        pass::register_upstream_passes();
        pass::register_passes(passes());
        pass::register_pipelines(pipelines());
    });
}
