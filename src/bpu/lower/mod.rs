//! From the QDQ form to segments: placement is assigned by one pass and applied by another.

pub mod border;
mod builder;
mod form;
mod layers;
mod operators;
mod placement;
mod segments;
pub mod separate;
mod typing;
mod values;
mod vector;

pub use form::{Form, form, form_with_scales};
pub use operators::is_lowered;
pub use placement::{Placement, place, placement_of};
pub use typing::Types;

use hb_dialects::pass::PassDefinition;

/// From the QDQ form to segments.
pub const PASSES: &[&PassDefinition] = &[
    border::PASSES[0],
    &placement::PASS,
    &segments::PASS,
    border::PASSES[1],
    &separate::PASS,
    &super::verify::PASS,
    &layers::PASS,
];
