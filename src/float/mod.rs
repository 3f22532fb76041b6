//! Passes on `hfloat`: shapes, folding, fusion.

mod fold;
mod fuse_activations;
mod fuse_scales;
mod infer_shapes;
mod verify;

use hb_dialects::pass::PassDefinition;

/// The passes of this room.
pub const PASSES: &[&PassDefinition] =
    &[&infer_shapes::PASS, &fuse_scales::PASS, &fuse_activations::PASS, &verify::PASS];
