//! Steps of vector programs over many elements at once; the compiler makes vectors of every function.

use super::lanes::compiled_per_level;
use super::{Instructions, Level};
use crate::numerics::{
    Destination, VECTOR_ACCUMULATORS, VectorBinary, VectorReduction, VectorUnary, canonical, dequantize, of_float16,
    to_float16,
};

/// 1.5 · 2^23.
const ROUND: f32 = 12_582_912.0;

#[inline(always)]
fn each(a: &[f32], results: &mut [f32], function: impl Fn(f32) -> f32) {
    for (result, a) in results.iter_mut().zip(a) {
        *result = function(*a);
    }
}

#[inline(always)]
fn pairs(a: &[f32], b: &[f32], results: &mut [f32], function: impl Fn(f32, f32) -> f32) {
    for ((result, a), b) in results.iter_mut().zip(a).zip(b) {
        *result = function(*a, *b);
    }
}

#[inline(always)]
fn combined(row: &[f32], result: &mut f32, neutral: f32, function: impl Fn(f32, f32) -> f32) {
    let mut accumulators = [neutral; VECTOR_ACCUMULATORS];
    let (whole, rest) = row.as_chunks::<VECTOR_ACCUMULATORS>();
    for elements in whole {
        for (accumulator, element) in accumulators.iter_mut().zip(elements) {
            *accumulator = function(*accumulator, *element);
        }
    }
    for (accumulator, element) in accumulators.iter_mut().zip(rest) {
        *accumulator = function(*accumulator, *element);
    }
    let mut half = VECTOR_ACCUMULATORS / 2;
    while half > 0 {
        for index in 0..half {
            accumulators[index] = function(accumulators[index], accumulators[index + half]);
        }
        half /= 2;
    }
    *result = accumulators[0];
}

/// A loop of its own for each function, so that none has a choice inside.
macro_rules! one_of {
    ($value:expr, $type:ident { $($variant:ident)* }, |$function:ident| $body:expr) => {
        match $value { $($type::$variant => { const $function: $type = $type::$variant; $body })* }
    };
}

macro_rules! one_of_unary {
    ($value:expr, |$function:ident| $body:expr) => {
        one_of!($value, VectorUnary { Negate Absolute Floor Ceil Round SquareRoot Exponential Logarithm Tanh Erf }, |$function| $body)
    };
}

macro_rules! one_of_binary {
    ($value:expr, |$function:ident| $body:expr) => {
        one_of!($value, VectorBinary { Add Subtract Multiply Divide Maximum Minimum Power Less LessOrEqual Equal }, |$function| $body)
    };
}

compiled_per_level! {
    /// The function of every element.
    pub fn unary(function: VectorUnary, a: &[f32], results: &mut [f32]) {
        one_of_unary!(function, |FUNCTION| each(a, results, |x| FUNCTION.apply(x)));
    }

    /// The function of elements at the same place.
    pub fn binary(function: VectorBinary, a: &[f32], b: &[f32], results: &mut [f32]) {
        one_of_binary!(function, |FUNCTION| pairs(a, b, results, |a, b| FUNCTION.apply(a, b)));
    }

    /// The function of every element and one number.
    pub fn binary_right(function: VectorBinary, a: &[f32], b: f32, results: &mut [f32]) {
        one_of_binary!(function, |FUNCTION| each(a, results, |a| FUNCTION.apply(a, b)));
    }

    /// The function of one number and every element.
    pub fn binary_left(function: VectorBinary, a: f32, b: &[f32], results: &mut [f32]) {
        one_of_binary!(function, |FUNCTION| each(b, results, |b| FUNCTION.apply(a, b)));
    }

    /// The element of `b` where that of `a` is not 0, else that of `c`.
    pub fn select(a: &[f32], b: &[f32], c: &[f32], results: &mut [f32]) {
        for (((result, a), b), c) in results.iter_mut().zip(a).zip(b).zip(c) {
            *result = if *a != 0.0 { *b } else { *c };
        }
    }

    /// [`crate::numerics::reduce`].
    pub fn reduce(reduction: VectorReduction, row: &[f32], result: &mut f32) {
        one_of!(reduction, VectorReduction { Sum Product Maximum Minimum }, |REDUCTION| {
            combined(row, result, REDUCTION.neutral(), |a, b| REDUCTION.apply(a, b))
        });
    }

    /// Integers as real numbers.
    pub fn load(stored: &[i32], scale: f32, zero_point: i32, results: &mut [f32]) {
        for (result, stored) in results.iter_mut().zip(stored) {
            *result = dequantize(stored.wrapping_sub(zero_point), scale);
        }
    }

    /// The numbers that bits are.
    pub fn load_bits(stored: &[i32], results: &mut [f32]) {
        for (result, stored) in results.iter_mut().zip(stored) {
            *result = f32::from_bits(*stored as u32);
        }
    }

    /// Bits of numbers; there is one NaN.
    pub fn store_bits(values: &[f32], stored: &mut [i32]) {
        for (stored, value) in stored.iter_mut().zip(values) {
            *stored = canonical(*value).to_bits() as i32;
        }
    }

    /// The numbers that 16 bits are.
    pub fn load_halves(stored: &[i32], results: &mut [f32]) {
        for (result, stored) in results.iter_mut().zip(stored) {
            *result = of_float16(*stored as u16);
        }
    }

    /// 16 bits of the nearest numbers.
    pub fn store_halves(values: &[f32], stored: &mut [i32]) {
        for (stored, value) in stored.iter_mut().zip(values) {
            *stored = to_float16(*value).into();
        }
    }

    /// [`crate::numerics::quantize`] to at most 16 bits.
    pub fn store(values: &[f32], scale: f32, to: Destination, stored: &mut [i32]) {
        let Destination { zero_point, clamp } = to;
        let (low, high) = ((clamp.low - zero_point) as f32, (clamp.high - zero_point) as f32);
        for (stored, value) in stored.iter_mut().zip(values) {
            let quotient = value / scale;
            // Bounds are integers, so that clamping first gives the same; NaN fails both comparisons and becomes 0.
            let bounded = if quotient > low { quotient } else { low };
            let bounded = if bounded < high { bounded } else { high };
            let bounded = if quotient.is_nan() { 0.0 } else { bounded };
            *stored = ((bounded + ROUND).to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32).wrapping_add(zero_point);
        }
    }
}
