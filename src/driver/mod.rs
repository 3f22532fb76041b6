//! `hb_compile`: configuration, steps, logs, reports.

pub mod command_line;
mod commands;
pub mod compare;
pub mod compile;
pub mod configuration;
mod editing;
mod fidelity;
pub mod log;
pub mod package;
pub mod progress;
mod quantize;
pub mod report;
pub mod samples;
pub mod tables;
pub mod translate;
