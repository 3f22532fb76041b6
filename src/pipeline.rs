//! The named pipelines, in order, shared by `hb-opt` and `hb_compile`.

use hb_dialects::pass;
use std::sync::Once;

/// Registers the passes of MLIR and of every room, and the named pipelines. Further calls do nothing.
pub fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(pass::register_upstream_passes);
}
