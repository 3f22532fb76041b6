//! Element types of tensors.

use super::Clamp;
use hb_dialects::ElementType;
use std::fmt;

/// The element types that the hardware has, of all [`ElementType`]s. Integers are two's complement, everything is
/// little-endian. The numbers are those in instructions (`docs/nash-isa.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum BpuElement {
    /// 8 bits, of activations and weights.
    I8 = 0,
    /// 16 bits, of activations.
    I16 = 1,
    /// Biases and unscaled accumulators.
    I32 = 2,
    /// At the borders of a segment, and between programs of the float engine.
    F32 = 3,
    /// IEEE 754 binary16, for the float engine.
    F16 = 4,
    /// Bytes of a camera, at the border of a segment; instructions see them as int8.
    U8 = 5,
}

impl BpuElement {
    /// Every type that instructions have, in the order of their numbers.
    pub const OF_INSTRUCTIONS: [BpuElement; 5] =
        [BpuElement::I8, BpuElement::I16, BpuElement::I32, BpuElement::F32, BpuElement::F16];
    /// Every type that tensors have.
    pub const ALL: [BpuElement; 6] =
        [BpuElement::I8, BpuElement::I16, BpuElement::I32, BpuElement::F32, BpuElement::F16, BpuElement::U8];

    /// Bytes of one element.
    #[must_use]
    pub fn bytes(self) -> u32 {
        ElementType::from(self).bytes() as u32
    }

    /// Name as MLIR prints it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            BpuElement::I8 => "i8",
            BpuElement::I16 => "i16",
            BpuElement::I32 => "i32",
            BpuElement::F32 => "f32",
            BpuElement::F16 => "f16",
            BpuElement::U8 => "ui8",
        }
    }

    /// The full interval of an integer type; none for reals and for bytes, which nothing computes.
    #[must_use]
    pub fn range(self) -> Option<Clamp> {
        match self {
            BpuElement::I8 => Some(Clamp::I8),
            BpuElement::I16 => Some(Clamp::I16),
            BpuElement::I32 => Some(Clamp::I32),
            BpuElement::F32 | BpuElement::F16 | BpuElement::U8 => None,
        }
    }

    /// Whether it is a type of reals: float32 or float16.
    #[must_use]
    pub fn is_real(self) -> bool {
        matches!(self, BpuElement::F32 | BpuElement::F16)
    }

    /// Whether it is a type that activations have on the engines of integers: int8 or int16.
    #[must_use]
    pub fn is_activation(self) -> bool {
        matches!(self, BpuElement::I8 | BpuElement::I16)
    }

    /// The largest magnitude of an integer of this type: 128, 32768, 2^31; 0 for reals.
    #[must_use]
    pub fn magnitude(self) -> u32 {
        self.range().map_or(0, |range| range.low.unsigned_abs())
    }
}

impl From<BpuElement> for ElementType {
    fn from(element: BpuElement) -> ElementType {
        match element {
            BpuElement::I8 => ElementType::I8,
            BpuElement::I16 => ElementType::I16,
            BpuElement::I32 => ElementType::I32,
            BpuElement::F32 => ElementType::F32,
            BpuElement::F16 => ElementType::F16,
            BpuElement::U8 => ElementType::U8,
        }
    }
}

impl TryFrom<ElementType> for BpuElement {
    type Error = String;

    fn try_from(element: ElementType) -> Result<BpuElement, String> {
        let found = BpuElement::ALL.into_iter().find(|candidate| ElementType::from(*candidate) == element);
        found.ok_or_else(|| format!("the BPU has no {element}"))
    }
}

impl fmt::Display for BpuElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
