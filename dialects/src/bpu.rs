//! The operations of the `bpu` dialect. Their rules rest on the plain model and are in `hb::bpu`.

crate::registry::dialect!("bpu_registry.rs");
