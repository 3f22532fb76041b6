//! Loops over neighbouring values, written once and compiled for every [`Level`]: the compiler makes vectors of them.

use super::{Instructions, Level};
use crate::numerics::{Destination, Multiplier, SlopeMultipliers, SumMultipliers};

/// Declares loops that are compiled for every level; each takes the level first.
macro_rules! compiled_per_level {
    ($( $(#[doc = $about:literal])* pub fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block )*) => { $(
        $(#[doc = $about])*
        pub fn $name(level: Level, $($argument: $type),*) {
            #[inline(always)]
            fn portable($($argument: $type),*) $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2($($argument: $type),*) {
                portable($($argument),*);
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512($($argument: $type),*) {
                portable($($argument),*);
            }
            match level.0 {
                Instructions::Portable => portable($($argument),*),
                // SAFETY: a level exists only where the processor has its instructions.
                #[cfg(target_arch = "x86_64")]
                Instructions::Avx2 => unsafe { avx2($($argument),*) },
                // SAFETY: as before.
                #[cfg(target_arch = "x86_64")]
                Instructions::Avx512Vnni => unsafe { avx512($($argument),*) },
            }
        }
    )* };
}

pub(super) use compiled_per_level;

/// 1.5 · 2^23.
const ROUND: f32 = 12_582_912.0;

/// 1.5 · 2^52, whose low bits are 0.
const ROUND_64: f64 = 6_755_399_441_055_744.0;

/// What `round` adds to a value before it shifts: half of `2^shift` less 1; 0 for shift 0.
pub fn below_half(shift: u32) -> i64 {
    if shift == 0 { 0 } else { (1 << (shift.min(62) - 1)) - 1 }
}

/// [`crate::numerics::round_half_even_shift`] for shifts to 62 and |value| <= 2^62.
///
/// One below a half, and one more where the floor is odd, makes the floor of the sum the nearest, ties to even. `odd` is 1; 0
/// for shift 0.
#[inline(always)]
fn round(value: i64, shift: u32, below_half: i64, odd: i64) -> i64 {
    let floor = value >> shift;
    (value + below_half + (floor & odd)) >> shift
}

#[inline(always)]
fn landed(value: i64, to: Destination) -> i32 {
    // Rounded values are below 2^63 by far. Between two i32 bounds, the conversion keeps the value.
    (value + i64::from(to.zero_point)).max(to.clamp.low.into()).min(to.clamp.high.into()) as i32
}

/// A sum of two products in f64, which is exact: with factors of 32 bits and operands of at most 17 bits, zero points among them, everything is a multiple
/// of 2^-shift with at most 52 bits.
#[derive(Clone, Copy)]
struct RealSum {
    lhs: f64,
    rhs: f64,
    /// What zero points take off.
    start: f64,
    low: f64,
    high: f64,
    zero_point: i32,
}

impl RealSum {
    #[inline(always)]
    fn new(multipliers: SumMultipliers, zero_points: [i32; 2], to: Destination) -> RealSum {
        let unit = f64::from_bits((1023 - u64::from(multipliers.shift.min(62))) << 52);
        let (lhs, rhs) = (f64::from(multipliers.lhs) * unit, f64::from(multipliers.rhs) * unit);
        let start = -(f64::from(zero_points[0]) * lhs + f64::from(zero_points[1]) * rhs);
        let bound = |limit: i32| f64::from(limit) - f64::from(to.zero_point);
        RealSum { lhs, rhs, start, low: bound(to.clamp.low), high: bound(to.clamp.high), zero_point: to.zero_point }
    }

    #[inline(always)]
    fn of(self, a: f64, b: f64) -> i32 {
        let sum = a * self.lhs + (b * self.rhs + self.start);
        // Bounds are integers, so that limiting before rounding gives the same.
        let bounded = if sum > self.low { sum } else { self.low };
        let bounded = if bounded < self.high { bounded } else { self.high };
        // A sum in [2^52, 2^53) is an integer, rounded half to even; it stands in the low bits.
        ((bounded + ROUND_64).to_bits() as i32).wrapping_add(self.zero_point)
    }
}

/// How the sums of some output channels become results: one element per channel in each slice.
#[derive(Clone, Copy)]
pub struct ChannelLanes<'a> {
    /// 2^30 to 2^31 - 1.
    pub mantissa: &'a [i32],
    /// At most 62.
    pub shift: &'a [u32],
    /// [`below_half`] of the shift.
    pub below_half: &'a [i64],
    /// `mantissa / 2^shift`, rounded.
    pub scale: &'a [f32],
    /// Whether no scale is above 1/2: then products with sums are far from the limits of an i32.
    pub is_small: bool,
}

compiled_per_level! {
    /// `clamp(rescale(sum) + zero point)` as i8, one per result.
    pub fn finish_cell(sums: &[i32], channels: ChannelLanes<'_>, to: Destination, results: &mut [u8]) {
        let count = results.len();
        let sums = &sums[..count];
        let (mantissa, shift) = (&channels.mantissa[..count], &channels.shift[..count]);
        let below_half = &channels.below_half[..count];
        for index in 0..count {
            let product = i64::from(sums[index]) * i64::from(mantissa[index]);
            let odd = i64::from(shift[index] != 0);
            results[index] = landed(round(product, shift[index], below_half[index], odd), to) as u8;
        }
    }

    /// `clamp(rescale(sum) + zero point)` in place, for cells whose sums are `stride` apart.
    pub fn finish(sums: &mut [i32], stride: usize, channels: ChannelLanes<'_>, to: Destination) {
        let count = channels.mantissa.len();
        let (mantissa, shift) = (&channels.mantissa[..count], &channels.shift[..count]);
        let below_half = &channels.below_half[..count];
        for sums in sums.chunks_mut(stride) {
            let sums = &mut sums[..count];
            for index in 0..count {
                let product = i64::from(sums[index]) * i64::from(mantissa[index]);
                let odd = i64::from(shift[index] != 0);
                sums[index] = landed(round(product, shift[index], below_half[index], odd), to);
            }
        }
    }

    /// `clamp(rescale(value) + zero point)`.
    pub fn rescale(values: &mut [i32], multiplier: Multiplier, to: Destination) {
        let Multiplier { mantissa, shift } = multiplier;
        let (half, odd) = (below_half(shift), i64::from(shift != 0));
        for value in values {
            *value = landed(round(i64::from(*value) * i64::from(mantissa), shift, half, odd), to);
        }
    }

    /// `clamp((a · lhs + b · rhs) / 2^shift + zero point)`, for operands of at most 17 bits.
    pub fn add(a: &mut [i32], b: &[i32], multipliers: SumMultipliers, to: Destination) {
        let sum = RealSum::new(multipliers, [0; 2], to);
        a.iter_mut().zip(b).for_each(|(a, b)| *a = sum.of(f64::from(*a), f64::from(*b)));
    }

    /// As [`add`], of bytes that are i8 and their zero points, to i8.
    pub fn add_i8(a: &[u8], b: &[u8], zero_points: [i32; 2], multipliers: SumMultipliers, to: Destination, results: &mut [u8]) {
        let sum = RealSum::new(multipliers, zero_points, to);
        for ((result, a), b) in results.iter_mut().zip(a).zip(b) {
            *result = sum.of(f64::from(*a as i8), f64::from(*b as i8)) as u8;
        }
    }

    /// `a · b`, for operands of at most 16 bits.
    pub fn multiply(a: &mut [i32], b: &[i32]) {
        a.iter_mut().zip(b).for_each(|(a, b)| *a = a.wrapping_mul(*b));
    }

    /// [`crate::numerics::p_relu`], for operands of at most 16 bits.
    pub fn p_relu(x: &mut [i32], slope: &[i32], multipliers: SlopeMultipliers, to: Destination) {
        let SlopeMultipliers { positive, negative } = multipliers;
        let (half, odd) = (below_half(positive.shift), i64::from(positive.shift != 0));
        let (slope_half, slope_odd) = (below_half(negative.shift), i64::from(negative.shift != 0));
        for (x, slope) in x.iter_mut().zip(slope) {
            let straight = round(i64::from(*x) * i64::from(positive.mantissa), positive.shift, half, odd);
            let product = i64::from(*x) * i64::from(*slope);
            let sloped = round(product * i64::from(negative.mantissa), negative.shift, slope_half, slope_odd);
            *x = landed(if *x < 0 { sloped } else { straight }, to);
        }
    }

    /// `value - zero_point`, wrapping.
    pub fn subtract(values: &mut [i32], zero_point: i32) {
        values.iter_mut().for_each(|value| *value = value.wrapping_sub(zero_point));
    }

    /// `a + b`, wrapping.
    pub fn sum(a: &mut [i32], b: &[i32]) {
        a.iter_mut().zip(b).for_each(|(a, b)| *a = a.wrapping_add(*b));
    }

    /// The larger of `a` and `b`.
    pub fn maximum(a: &mut [i32], b: &[i32]) {
        a.iter_mut().zip(b).for_each(|(a, b)| *a = (*a).max(*b));
    }

    /// The larger of `a` and `b`, bytes that are i8.
    pub fn maximum_i8(a: &mut [u8], b: &[u8]) {
        a.iter_mut().zip(b).for_each(|(a, b)| *a = (*a as i8).max(*b as i8) as u8);
    }

    /// [`crate::numerics::quantize`] of the floats that the values are the bits of, for limits of at most 16 bits.
    pub fn quantize(values: &mut [i32], scale: f32, to: Destination) {
        // Distances of the limits of i8 and i16 from a zero point are floats exactly, so that limiting before rounding gives the same.
        let Destination { zero_point, clamp } = to;
        let (low, high) = ((clamp.low - zero_point) as f32, (clamp.high - zero_point) as f32);
        for value in values {
            let quotient = f32::from_bits(*value as u32) / scale;
            let quotient = if quotient.is_nan() { 0.0 } else { quotient };
            // A sum in [2^23, 2^24) is an integer, rounded half to even; it stands in the low bits.
            let rounded = quotient.max(low).min(high) + ROUND;
            *value = rounded.to_bits() as i32 - ROUND.to_bits() as i32 + zero_point;
        }
    }

    /// The bits of [`crate::numerics::normalize`], of floats whose bits the values are.
    pub fn normalize(values: &mut [i32], means: &[i32], factors: &[i32]) {
        for ((value, mean), factor) in values.iter_mut().zip(means).zip(factors) {
            let [x, mean, factor] = [*value, *mean, *factor].map(|bits| f32::from_bits(bits as u32));
            *value = ((x - mean) * factor).to_bits() as i32;
        }
    }

    /// The bits of [`crate::numerics::dequantize`], of distances from the zero point.
    pub fn dequantize(values: &mut [i32], scale: f32) {
        values.iter_mut().for_each(|value| *value = (*value as f32 * scale).to_bits() as i32);
    }

    /// The bits of [`crate::numerics::dequantize`], every value with the scale whose bits are in its place.
    pub fn dequantize_each(values: &mut [i32], scales: &[i32]) {
        for (value, scale) in values.iter_mut().zip(scales) {
            *value = (*value as f32 * f32::from_bits(*scale as u32)).to_bits() as i32;
        }
    }

    /// Copies cells of `cell` bytes, `step` bytes apart, one behind the other; where `offset` is 128 it is added to every byte, where it
    /// is 0 they stay as they are.
    pub fn copy_cells(from: &[u8], step: usize, cell: usize, offset: u8, to: &mut [u8]) {
        if step == cell {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = *from ^ offset);
            return;
        }
        for (to, from) in to.chunks_exact_mut(cell.max(1)).zip(from.chunks(step.max(1))) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = *from ^ offset);
        }
    }

    /// Bytes as the signed integers that they are.
    pub fn widen_i8(bytes: &[u8], values: &mut [i32]) {
        values.iter_mut().zip(bytes).for_each(|(value, byte)| *value = i32::from(*byte as i8));
    }

    /// Little-endian i16.
    pub fn widen_i16(words: &[[u8; 2]], values: &mut [i32]) {
        values.iter_mut().zip(words).for_each(|(value, word)| *value = i16::from_le_bytes(*word).into());
    }

    /// Little-endian 32-bit words.
    pub fn read_words(words: &[[u8; 4]], values: &mut [i32]) {
        values.iter_mut().zip(words).for_each(|(value, word)| *value = i32::from_le_bytes(*word));
    }

    /// The low byte of each value.
    pub fn narrow_i8(values: &[i32], bytes: &mut [u8]) {
        bytes.iter_mut().zip(values).for_each(|(byte, value)| *byte = *value as u8);
    }

    /// The low half of each value, little-endian.
    pub fn narrow_i16(values: &[i32], words: &mut [[u8; 2]]) {
        words.iter_mut().zip(values).for_each(|(word, value)| *word = (*value as i16).to_le_bytes());
    }

    /// Little-endian.
    pub fn write_words(values: &[i32], words: &mut [[u8; 4]]) {
        words.iter_mut().zip(values).for_each(|(word, value)| *word = value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Finish, finish_i8};
    use super::*;
    use crate::numerics::{self, Clamp};

    fn value() -> impl Strategy<Value = i32> {
        prop_oneof![any::<i32>(), -300i32..300, Just(i32::MIN), Just(i32::MAX), Just(0)]
    }

    fn multiplier() -> impl Strategy<Value = Multiplier> {
        let mantissa = prop_oneof![1i32 << 30..=i32::MAX, Just(1 << 30), Just(i32::MAX)];
        (mantissa, 0u32..=62).prop_map(|(mantissa, shift)| Multiplier { mantissa, shift })
    }

    fn clamp() -> impl Strategy<Value = Clamp> {
        prop_oneof![
            Just(Clamp::I8),
            Just(Clamp::I16),
            Just(Clamp::I32),
            (-128i32..=0, 0i32..=127).prop_map(|(low, high)| Clamp { low, high })
        ]
    }

    fn destination() -> impl Strategy<Value = Destination> {
        (clamp(), prop_oneof![Just(0), -128i32..=127]).prop_map(|(clamp, zero_point)| Destination { zero_point, clamp })
    }

    proptest! {
        #[test]
        fn sums_are_finished_by_definition(
            channels in prop::collection::vec((value(), multiplier()), 0..70), to in destination(),
        ) {
            let sums: Vec<i32> = channels.iter().map(|channel| channel.0).collect();
            let mantissa: Vec<i32> = channels.iter().map(|channel| channel.1.mantissa).collect();
            let shift: Vec<u32> = channels.iter().map(|channel| channel.1.shift).collect();
            let below_half: Vec<i64> = shift.iter().map(|shift| below_half(*shift)).collect();
            let scale: Vec<f32> = channels.iter().map(|channel| channel.1.to_real() as f32).collect();
            let parameters =
                ChannelLanes { mantissa: &mantissa, shift: &shift, below_half: &below_half, scale: &scale, is_small: scale.iter().all(|scale| *scale <= 0.5) };
            let stride = channels.len() + 3;
            // Two cells, the second with half of the sums.
            let sums: Vec<i32> = [1, 2].map(|cell| sums.iter().map(move |sum| sum / cell).chain([7; 3])).into_iter().flatten().collect();
            let expected = |to: Destination| -> Vec<i32> {
                let cell = |sums: &[i32]| -> Vec<i32> {
                    let each = sums.iter().zip(&channels);
                    each.map(|(sum, (_, by))| numerics::finish(*sum, *by, to)).collect()
                };
                sums.chunks(stride).flat_map(cell).collect()
            };
            let results = |found: &[i32]| -> Vec<i32> {
                found.chunks(stride).flat_map(|cell| cell[..channels.len()].to_vec()).collect()
            };
            for level in Level::available() {
                let mut found = sums.clone();
                finish(level, &mut found, stride, parameters, to);
                prop_assert_eq!(results(&found), expected(to));
                let narrow = Destination { clamp: to.clamp.intersect(Clamp::I8), ..to };
                let mut found = vec![0; sums.len()];
                let by = Finish { channels: parameters, to: narrow, step: stride };
                finish_i8(level, &sums, stride, by, &mut found);
                let found: Vec<i32> = found.iter().map(|byte| i32::from(*byte as i8)).collect();
                prop_assert_eq!(results(&found), expected(narrow));
            }
        }

        /// Sums whose products lie next to halves, where f32 does not tell the side.
        #[test]
        fn sums_next_to_halves(
            ratio in prop_oneof![-24f64..-8.0, (-24i32..-2).prop_map(f64::from)],
            cells in prop::collection::vec((-130i32..130, -2i32..=2), 1..70),
        ) {
            let multiplier = Multiplier::from_real(ratio.exp2()).unwrap();
            // The cast saturates where the product leaves 32 bits.
            let near = |whole: i32| ((f64::from(whole) + 0.5) / multiplier.to_real()).round() as i32;
            let sums: Vec<i32> = cells.iter().map(|(whole, off)| near(*whole).saturating_add(*off)).collect();
            let all = |value: i32| vec![value; sums.len()];
            let (shift, half) = (vec![multiplier.shift; sums.len()], vec![below_half(multiplier.shift); sums.len()]);
            let scale = vec![multiplier.to_real() as f32; sums.len()];
            let mantissa = all(multiplier.mantissa);
            let is_small = scale.iter().all(|scale| *scale <= 0.5);
            let channels = ChannelLanes { mantissa: &mantissa, shift: &shift, below_half: &half, scale: &scale, is_small };
            let expected: Vec<u8> =
                sums.iter().map(|sum| numerics::finish(*sum, multiplier, Destination::I8) as u8).collect();
            for level in Level::available() {
                let mut found = vec![0; sums.len()];
                finish_i8(level, &sums, sums.len(), Finish { channels, to: Destination::I8, step: 0 }, &mut found);
                prop_assert_eq!(&found, &expected);
            }
        }

        #[test]
        fn values_are_rescaled_by_definition(
            values in prop::collection::vec(value(), 0..70), multiplier in multiplier(), to in destination(),
        ) {
            let expected: Vec<i32> =
                values.iter().map(|value| numerics::requantize(*value, multiplier, to)).collect();
            for level in Level::available() {
                let mut found = values.clone();
                rescale(level, &mut found, multiplier, to);
                prop_assert_eq!(&found, &expected);
            }
        }

        #[test]
        fn sums_of_two_by_definition(
            pairs in prop::collection::vec((any::<i16>(), any::<i16>()), 0..70),
            lhs in 0..=i32::MAX, rhs in -i32::MAX..=i32::MAX, shift in 0u32..=62, to in destination(),
        ) {
            let multipliers = SumMultipliers { lhs, rhs, shift };
            let (a, b): (Vec<i32>, Vec<i32>) = pairs.iter().map(|pair| (i32::from(pair.0), i32::from(pair.1))).unzip();
            let expected: Vec<i32> =
                a.iter().zip(&b).map(|(a, b)| numerics::add(*a, *b, multipliers, to)).collect();
            for level in Level::available() {
                let mut found = a.clone();
                add(level, &mut found, &b, multipliers, to);
                prop_assert_eq!(&found, &expected);
            }
        }

        #[test]
        fn sums_of_two_bytes_by_definition(
            pairs in prop::collection::vec((any::<i8>(), any::<i8>()), 0..70), zero_points in [-128i32..=127, -128i32..=127],
            lhs in 0..=i32::MAX, rhs in -i32::MAX..=i32::MAX, shift in 0u32..=62, to in destination(),
        ) {
            let multipliers = SumMultipliers { lhs, rhs, shift };
            let to = Destination { clamp: to.clamp.intersect(Clamp::I8), ..to };
            let (a, b): (Vec<u8>, Vec<u8>) = pairs.iter().map(|pair| (pair.0 as u8, pair.1 as u8)).unzip();
            let distances = pairs.iter().map(|pair| [i32::from(pair.0) - zero_points[0], i32::from(pair.1) - zero_points[1]]);
            let expected: Vec<u8> = distances.map(|[a, b]| numerics::add(a, b, multipliers, to) as u8).collect();
            for level in Level::available() {
                let mut found = vec![0; a.len()];
                add_i8(level, &a, &b, zero_points, multipliers, to, &mut found);
                prop_assert_eq!(&found, &expected);
            }
        }

        #[test]
        fn floats_are_quantized_by_definition(
            bits in prop::collection::vec(prop_oneof![any::<u32>(), (-4000i32..4000).prop_map(|q| (q as f32 * 0.125).to_bits())], 0..70),
            scale in prop_oneof![1e-6f32..1e6, Just(0.25f32), Just(f32::MIN_POSITIVE)],
            clamp in prop::sample::select(vec![Clamp::I8, Clamp::I16]), zero_point in -128i32..=127,
        ) {
            let to = Destination { zero_point, clamp };
            let values: Vec<i32> = bits.iter().map(|bits| *bits as i32).collect();
            let expected: Vec<i32> =
                bits.iter().map(|bits| numerics::quantize(f32::from_bits(*bits), scale, to)).collect();
            let floats: Vec<i32> =
                expected.iter().map(|q| numerics::dequantize(*q, scale).to_bits() as i32).collect();
            for level in Level::available() {
                let mut found = values.clone();
                quantize(level, &mut found, scale, to);
                prop_assert_eq!(&found, &expected);
                dequantize(level, &mut found, scale);
                prop_assert_eq!(&found, &floats);
            }
        }
    }
}
