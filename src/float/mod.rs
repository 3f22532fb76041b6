//! Passes on `hfloat`: shapes, folding, fusion.
