//! Bytes of a camera.

/// Section 10 of `docs/numerics.md`: the integer that a byte becomes, `b - 128`.
#[must_use]
pub fn centred(byte: u8) -> i8 {
    (i16::from(byte) - 128) as i8
}
