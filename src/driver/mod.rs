//! `hb_compile`: configuration, steps, logs, reports.

mod check;
pub mod command_line;
mod commands;
pub mod compare;
pub mod compile;
pub mod config_generator;
pub mod configuration;
mod editing;
mod fidelity;
mod images;
mod import;
pub mod log;
pub mod model_info;
pub mod outcome;
pub mod package;
mod placement;
pub mod progress;
mod provenance;
mod quantize;
mod recompile;
pub mod report;
mod run;
pub mod samples;
pub mod tables;
pub mod translate;
mod types;
pub mod verifier;
