//! Fields of instructions as plain numbers: what a mirror of the instruction set, such as the `nash` dialect, builds on.

/// What a field is, and so what its numbers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// 0 or 1.
    Flag,
    /// A whole number.
    Integer,
    /// The bits of an f32.
    Float,
    /// As many as the field's array has.
    Integers,
    /// The number of an [`BpuElement`](super::isa::BpuElement).
    Element,
    /// Address, strides.
    View,
    /// Number of the region's kind as in the encoding, its index, offset, strides.
    DdrView,
    /// Kernel, strides, dilations, pads.
    Window,
    /// Kernel, pads, extent, minimum, shape, table.
    Count,
    /// Low, high.
    Clamp,
    /// Number of operands, number and bits of the scale for each, number of steps, five numbers for each.
    Program,
}

/// Numbers yet to be read, and the reasons why they are no field.
#[derive(Debug)]
pub struct Numbers<'a>(std::slice::Iter<'a, i64>);

impl<'a> Numbers<'a> {
    pub fn new(numbers: &'a [i64]) -> Self {
        Self(numbers.iter())
    }

    pub fn next_number(&mut self) -> Result<i64, String> {
        self.0.next().copied().ok_or_else(|| "has too few numbers".to_string())
    }

    /// The next number as a smaller type.
    pub fn next_as<T: TryFrom<i64>>(&mut self) -> Result<T, String> {
        let number = self.next_number()?;
        T::try_from(number).map_err(|_| format!("has {number}, which is not in the range of {}", short_name::<T>()))
    }

    /// # Errors
    /// When numbers are left.
    pub fn finish(self) -> Result<(), String> {
        match self.0.len() {
            0 => Ok(()),
            left => Err(format!("has {left} numbers too many")),
        }
    }
}

fn short_name<T>() -> &'static str {
    std::any::type_name::<T>()
}
