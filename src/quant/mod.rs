//! Observers, calibration, precision rules, `hfloat` to QDQ.
//!
//! [`evidence`] is what samples show of a network; [`round_weights`] and [`search`] decide by it. What they decide are files ([`info`],
//! [`rounded_weights`]) that passes read: `quant-split-weights`, `quant-round-weights` and `quant-assign-thresholds` write it into the network (assign),
//! `quant-insert-casts` turns it into `quant.qcast` and `quant.dcast` (apply). What is quantized, and how, is the table in [`rules`].
//! [`cut`] makes of a quantized network one in which no difference spreads.

mod bias_correction;
pub mod calibrate;
pub mod channel_ranges;
mod clips;
pub mod cut;
pub mod evidence;
mod float16;
pub mod float_search;
pub mod given;
mod given_ranges;
pub mod groups;
pub mod info;
mod insert_casts;
pub mod judge;
pub mod linear;
mod masks;
mod mix;
pub mod moments;
mod observer;
mod placement;
pub mod precision;
mod ranges;
mod repeats;
pub mod requests;
mod round_weights;
pub mod rounded_weights;
pub mod rules;
pub mod search;
pub mod selections;
pub mod sensitivity;
mod settle;
mod softmax_paths;
pub mod split_weights;
mod steps;
pub mod tail;
mod take_scales;
mod thresholds;
pub mod weight_search;
mod wide_weights;
mod widen;
mod zero_points;

pub use bias_correction::correct_biases;
pub use groups::{measured_values, sources, states};
pub use observer::Observer;
pub use ranges::RangeChooser;
pub use round_weights::round_weights;
pub use take_scales::{TakenScales, take_scales};
pub use thresholds::{
    BITS, THRESHOLD, ThresholdRange, Thresholds, ZERO_POINT, assign_float16, assign_operand_bits, assign_thresholds,
    value_name,
};
pub use wide_weights::split_wide_weights;

use hb_dialects::pass::PassDefinition;

/// The passes of this room.
pub const PASSES: &[&PassDefinition] = &[
    &take_scales::PASS,
    &placement::PASS,
    &channel_ranges::PASS,
    &split_weights::PASS,
    &rounded_weights::PASS,
    &thresholds::PASS,
    &insert_casts::PASS,
];
