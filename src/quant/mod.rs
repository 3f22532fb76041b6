//! Observers, calibration, precision rules, `hfloat` to QDQ.
//!
//! Calibration writes the threshold of each value as an attribute (assign); `quant-insert-casts` turns thresholds into
//! `quant.qcast` and `quant.dcast` (apply). What is quantized, and how, is the table in [`rules`].

pub mod calibrate;
pub mod groups;
mod insert_casts;
mod observer;
pub mod rules;
mod thresholds;

pub use observer::Observer;
pub use thresholds::{THRESHOLD, Thresholds, assign_thresholds, value_name};

use hb_dialects::pass::PassDefinition;

/// The passes of this room.
pub const PASSES: &[&PassDefinition] = &[&thresholds::PASS, &insert_casts::PASS];
