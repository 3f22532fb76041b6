//! `hb`: an open compiler for BPU targets.
//!
//! A network flows one way: [`frontend`] → [`float`] → [`quant`] → [`bpu`] → [`nash`] → [`hbm`], and [`sim`] runs the result.
//! `ARCHITECTURE.md` is the map.

#![warn(missing_docs)]

pub mod bpu;
pub mod cpu;
pub mod diagnostics;
pub mod dialect_rules;
pub mod documentation;
pub mod driver;
pub mod files;
pub mod float;
pub mod frontend;
pub mod hbm;
pub mod nash;
pub mod numerics;
pub mod pipeline;
pub mod quant;
mod reading;
pub mod sim;
pub mod target;
mod team;
pub mod wording;
