//! The 16-bit numbers of IEEE 754, binary16 (`docs/numerics.md`, section 12).

use super::canonical;
use half::f16;

/// The largest finite one.
pub const LARGEST_FLOAT16: f32 = 65504.0;

/// The number that 16 bits are.
#[must_use]
#[inline(always)]
pub fn of_float16(bits: u16) -> f32 {
    canonical(f16::from_bits(bits).to_f32())
}

/// The bits of the nearest number, of two equally near ones of the even one. From 65520 on that is infinity; there is one NaN.
#[must_use]
#[inline(always)]
pub fn to_float16(x: f32) -> u16 {
    f16::from_f32(canonical(x)).to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number of `mantissa` 2^-24 has the bits `mantissa` below 2^10 (subnormal); from there on the exponent and ten bits of the mantissa. Ties of
    /// neighbours, computed on paper.
    #[test]
    fn rounds_to_the_nearest() {
        let cases = [
            (0.0, 0x0000),
            (-0.0, 0x8000),
            (1.0, 0x3c00),
            (-2.0, 0xc000),
            (1.0 + 1.0 / 2048.0, 0x3c00),
            (1.0 + 3.0 / 2048.0, 0x3c02),
            (1.0 + 1.0 / 2048.0 + f32::EPSILON, 0x3c01),
            (65504.0, 0x7bff),
            (65519.996, 0x7bff),
            (65520.0, 0x7c00),
            (-1e30, 0xfc00),
            (f32::INFINITY, 0x7c00),
            (f32::NAN, 0x7e00),
            (-f32::NAN, 0x7e00),
            (f32::from_bits(0x7f80_0001), 0x7e00),
            // 2^-24 is the least; half of it is a tie with 0, and what is above half is not.
            (2f32.powi(-24), 0x0001),
            (2f32.powi(-25), 0x0000),
            (2f32.powi(-25) * 1.5, 0x0001),
            (2f32.powi(-24) * 1023.5, 0x0400),
        ];
        for (x, bits) in cases {
            assert_eq!(to_float16(x), bits, "{x:e}");
        }
    }

    /// Every finite number is `(-1)^s · m · 2^e` by the fields of its bits, and comes back.
    #[test]
    fn every_number() {
        for bits in 0..=u16::MAX {
            let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f32::from(bits & 0x3ff));
            let magnitude = match exponent {
                0 => mantissa * 2f32.powi(-24),
                31 if mantissa == 0.0 => f32::INFINITY,
                31 => f32::NAN,
                _ => (mantissa + 1024.0) * 2f32.powi(exponent - 25),
            };
            let expected = if bits >> 15 == 1 { -magnitude } else { magnitude };
            let found = of_float16(bits);
            if expected.is_nan() {
                assert_eq!((found.to_bits(), to_float16(found)), (0x7fc0_0000, 0x7e00));
            } else {
                assert_eq!((found.to_bits(), to_float16(found)), (expected.to_bits(), bits), "{bits:#06x}");
            }
        }
    }
}
