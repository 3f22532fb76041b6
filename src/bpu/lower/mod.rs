//! From the QDQ form to segments: placement is assigned by one pass and applied by another.

mod builder;
mod operators;
mod placement;
mod segments;
mod values;

pub use operators::names as lowered_operations;
pub use placement::{Placement, placement_of};

use hb_dialects::pass::PassDefinition;

/// From the QDQ form to segments.
pub const PASSES: &[&PassDefinition] = &[&placement::PASS, &segments::PASS, &super::verify::PASS];
