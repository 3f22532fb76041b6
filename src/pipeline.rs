//! The named pipelines, in order, shared by `hb-opt` and `hb_compile`.
