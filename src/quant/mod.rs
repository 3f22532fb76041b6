//! Observers, calibration, precision rules, `hfloat` to QDQ.
//!
//! Calibration writes the threshold of each value as an attribute, and [`precision`] its bits (assign); `quant-insert-casts` turns
//! them into `quant.qcast` and `quant.dcast` (apply). What is quantized, and how, is the table in [`rules`]. Weights are rounded
//! beforehand by what they multiply ([`round_weights`]).

pub mod calibrate;
pub mod groups;
mod insert_casts;
pub mod linear;
pub mod moments;
mod observer;
pub mod precision;
mod round_weights;
pub mod rules;
mod thresholds;

pub use observer::Observer;
pub use round_weights::round_weights;
pub use thresholds::{BITS, Range, THRESHOLD, Thresholds, assign_thresholds, value_name};

use hb_dialects::pass::PassDefinition;

/// The passes of this room.
pub const PASSES: &[&PassDefinition] = &[&thresholds::PASS, &insert_casts::PASS];
