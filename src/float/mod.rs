//! Passes on `hfloat`: outputs, shapes, folding, fusion, batches, preprocessing of inputs.

pub mod batch;
mod equalize_channels;
mod expand_splits;
mod flush_weights;
mod fold;
mod fold_image;
mod forward_slices;
pub mod frozen_sizes;
mod fuse_activations;
mod fuse_functions;
mod fuse_normalizations;
mod fuse_scales;
mod image_conversion;
mod infer_shapes;
pub mod insert_image;
mod insert_preprocessing;
pub mod own_normalization;
pub mod preprocessing;
mod regions;
pub mod set_outputs;
mod unroll_recurrences;
mod verify;

pub(crate) use equalize_channels::ChannelPair;
pub(crate) use fuse_activations::fuse_activation;
pub(crate) use fuse_scales::constant_before;
use hb_dialects::pass::PassDefinition;
pub(crate) use insert_image::readers_behind_casts;

/// The passes of this room.
pub const PASSES: &[&PassDefinition] = &[
    &set_outputs::PASS,
    &infer_shapes::PASS,
    &expand_splits::PASS,
    &unroll_recurrences::PASS,
    &forward_slices::PASS,
    &fuse_functions::PASS,
    &fuse_normalizations::PASS,
    &fuse_scales::PASS,
    &fuse_activations::PASS,
    &equalize_channels::PASS,
    &flush_weights::PASS,
    &verify::PASS,
    &batch::PASS,
    &preprocessing::PASS,
    &insert_preprocessing::PASS,
];
