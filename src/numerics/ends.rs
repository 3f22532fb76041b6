//! The ends of many values, in a form that becomes vector instructions.

/// Values that are looked at together.
const CHUNK: usize = 1 << 12;
/// Values whose ends are found side by side.
const LANES: usize = 16;

/// The ends of some values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FiniteEnds {
    /// The least finite value; infinity where there is none.
    pub least: f32,
    /// The greatest finite value; minus infinity where there is none.
    pub greatest: f32,
    /// How many are infinite or no number.
    pub not_finite: u64,
}

impl FiniteEnds {
    /// Those of no value.
    const NONE: Self = Self { least: f32::INFINITY, greatest: f32::NEG_INFINITY, not_finite: 0 };

    /// Those of values.
    pub fn of(values: &[f32]) -> Self {
        values.chunks(CHUNK).map(Self::of_chunk).fold(Self::NONE, Self::with)
    }

    fn of_chunk(values: &[f32]) -> Self {
        // Lanes of their own: a minimum is not joined before the end.
        let mut lanes = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES], [0u32; LANES]);
        let mut see = |line: &[f32]| {
            let (least, greatest, not_finite) = &mut lanes;
            let lanes = least.iter_mut().zip(greatest).zip(not_finite);
            for (((least, greatest), not_finite), &value) in lanes.zip(line) {
                let finite = value.abs() < f32::INFINITY;
                // Neither of these changes an end.
                let (low, high) = if finite { (value, value) } else { (f32::INFINITY, f32::NEG_INFINITY) };
                *least = if low < *least { low } else { *least };
                *greatest = if high > *greatest { high } else { *greatest };
                *not_finite += u32::from(!finite);
            }
        };
        let (lines, rest) = values.as_chunks::<LANES>();
        lines.iter().for_each(|line| see(line));
        see(rest);
        let (least, greatest, not_finite) = lanes;
        let each = least.into_iter().zip(greatest).zip(not_finite);
        let each = each.map(|((least, greatest), count)| Self { least, greatest, not_finite: u64::from(count) });
        each.fold(Self::NONE, Self::with)
    }

    fn with(self, other: Self) -> Self {
        Self {
            least: self.least.min(other.least),
            greatest: self.greatest.max(other.greatest),
            not_finite: self.not_finite + other.not_finite,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_found_in_every_lane_and_behind_the_last() {
        for length in [3, 16, 37, CHUNK + 5] {
            for at in (0..length).step_by(1 + length / 64) {
                let mut values = vec![0.25; length];
                values[at] = -2.0;
                values[(at + 1) % length] = 3.0;
                values[(at + 2) % length] = if at % 2 == 0 { f32::NAN } else { f32::NEG_INFINITY };
                assert_eq!(FiniteEnds::of(&values), FiniteEnds { least: -2.0, greatest: 3.0, not_finite: 1 });
            }
        }
    }

    #[test]
    fn no_finite_value_has_no_ends() {
        assert_eq!(FiniteEnds::of(&[]), FiniteEnds::NONE);
        assert_eq!(FiniteEnds::of(&[f32::NAN, f32::INFINITY]), FiniteEnds { not_finite: 2, ..FiniteEnds::NONE });
        assert_eq!(FiniteEnds::of(&[5.0]), FiniteEnds { least: 5.0, greatest: 5.0, not_finite: 0 });
    }
}
