//! `hb_compile`: configuration, steps, logs, reports.

pub mod configuration;
