//! Recorded arrays as those that `hb` computes with, and back; apart from [`crate::common`], which uses nothing of `hb`.

use crate::common;
use hb::cpu::Array;

/// What a case gives.
pub fn given(array: &common::Array) -> Array {
    Array::from_bytes(array.element, &array.shape, &array.bytes).unwrap()
}

/// What came of it, to be compared with what was recorded.
pub fn recorded(array: &Array) -> common::Array {
    common::Array { element: array.element(), shape: array.shape().to_vec(), bytes: array.as_bytes().to_vec() }
}
