//! Functions of f32 from additions, multiplications and bits (`docs/numerics.md`, section 12): every step is rounded by itself, so that any
//! machine, and any vectoriser, gives the same bits. None branches, so that a loop over one becomes vectors.

/// 1.5 · 2^23: a sum with it has no room for a fraction.
const ROUND: f32 = 12_582_912.0;

/// The first part of ln 2, with so few bits that its product with a whole number of 8 bits is exact.
const LN_2_HIGH: f32 = 355.0 / 512.0;
/// ln 2 less the first part.
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// (e^r - 1 - r) / r² in r, for |r| <= ln(2)/2.
pub const EXP: [f32; 6] = [0.5, 0.166_666_67, 0.041_666_455, 0.008_333_297, 0.001_393_453_5, 0.000_199_004_3];
/// (ln(1 + f) - f + f²/2) / f³ in f, for 1 + f from sqrt(1/2) to sqrt(2) (S. Moshier, Cephes, `logf`).
const LOG: [f32; 9] = [
    0.333_333_3,
    -0.249_999_94,
    0.200_007_14,
    -0.166_680_57,
    0.142_493_23,
    -0.124_201_41,
    0.116_769_984,
    -0.115_146_1,
    0.070_376_836,
];
/// (tanh(x) - x) / x³ in x², for |x| < 0.625 (S. Moshier, Cephes, `tanhf`).
const TANH: [f32; 5] = [-0.333_332_8, 0.133_314_42, -0.053_739_715, 0.020_639_088, -0.005_704_988_7];
/// erf(x) / x in x², for |x| < 1.
pub const ERF: [f32; 8] = [
    core::f32::consts::FRAC_2_SQRT_PI,
    -0.376_126_38,
    0.112_837_83,
    -0.026_865_438,
    0.005_221_053_5,
    -0.000_848_439_64,
    0.000_112_682_54,
    -9.673_59e-6,
];
/// ln(1 - erf(x)) in x - 2.5, for 1 <= x <= 4.
pub const LOG_ERFC: [f32; 10] = [
    -7.806_815,
    -5.352_680_7,
    -0.943_893_6,
    -0.010_858_165,
    0.002_165_160_4,
    -0.000_420_706_93,
    7.739_443e-5,
    -1.297_613_3e-5,
    1.614_061_6e-6,
    -6.582_857e-8,
];

/// Horner's scheme: `(…(c[n] · x + c[n - 1]) · x + …) · x + c[0]`, each product and each sum rounded.
#[inline(always)]
fn polynomial<const COUNT: usize>(coefficients: &[f32; COUNT], x: f32) -> f32 {
    let mut sum = 0.0;
    for coefficient in coefficients.iter().rev() {
        sum = sum * x + coefficient;
    }
    sum
}

/// 2^n for n from -126 to 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) << 23) as u32)
}

/// The larger; NaN if either is. Of two equal ones the second, which tells +0 from -0.
#[must_use]
#[inline(always)]
pub fn maximum(a: f32, b: f32) -> f32 {
    if (a > b) | a.is_nan() { a } else { b }
}

/// The smaller; NaN if either is. Of two equal ones the second.
#[must_use]
#[inline(always)]
pub fn minimum(a: f32, b: f32) -> f32 {
    if (a < b) | a.is_nan() { a } else { b }
}

/// e^x = 2^n · e^r with n = round_half_even(x · log2 e).
#[must_use]
#[inline(always)]
pub fn exponential(x: f32) -> f32 {
    // Beyond these the result is infinity or rounds to 0. NaN fails both comparisons and is put back below.
    let bounded = if x > -104.0 { x } else { -104.0 };
    let bounded = if bounded < 89.0 { bounded } else { 89.0 };
    let rounded = bounded * core::f32::consts::LOG2_E + ROUND;
    let whole = rounded - ROUND;
    let n = (rounded.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let r = (bounded - whole * LN_2_HIGH) - whole * LN_2_LOW;
    let fraction = (polynomial(&EXP, r) * (r * r) + r) + 1.0;
    // In two steps: 2^n alone may lie outside of the normal numbers.
    let half = n >> 1;
    let result = fraction * power_of_two(half) * power_of_two(n - half);
    if x.is_nan() { x } else { result }
}

/// ln x = e · ln 2 + ln m with m from sqrt(1/2) to sqrt(2). -infinity of 0, NaN of what is below.
#[must_use]
#[inline(always)]
pub fn logarithm(x: f32) -> f32 {
    // Subnormal numbers are brought into the normal range, which is exact.
    let is_small = x < f32::MIN_POSITIVE;
    let normal = if is_small { x * 33_554_432.0 } else { x };
    // The bits of sqrt(1/2): their difference has the exponent that brings m into its range.
    let e = (normal.to_bits() as i32).wrapping_sub(0x3f35_04f3) >> 23;
    let m = f32::from_bits((normal.to_bits() as i32).wrapping_sub(e << 23) as u32);
    let exponent = (e - if is_small { 25 } else { 0 }) as f32;
    let f = m - 1.0;
    let square = f * f;
    let tail = (polynomial(&LOG, f) * (f * square) + exponent * LN_2_LOW) - 0.5 * square;
    let result = (f + tail) + exponent * LN_2_HIGH;
    let result = if x < f32::INFINITY { result } else { x };
    let result = if x > 0.0 { result } else { f32::NAN };
    if x == 0.0 { f32::NEG_INFINITY } else { result }
}

/// Near 0 a polynomial, elsewhere 1 - 2 / (e^2|x| + 1) with the sign of x.
#[must_use]
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let (magnitude, square) = (x.abs(), x * x);
    let small = polynomial(&TANH, square) * (square * x) + x;
    let large = 1.0 - 2.0 / (exponential(magnitude + magnitude) + 1.0);
    if magnitude < 0.625 { small } else { large.copysign(x) }
}

/// Near 0 a polynomial, elsewhere 1 - e^p(|x|) with the sign of x.
#[must_use]
#[inline(always)]
pub fn error_function(x: f32) -> f32 {
    let magnitude = x.abs();
    let small = polynomial(&ERF, x * x) * x;
    // At 4 the result rounds to 1 already. NaN fails the comparison and stays.
    let bounded = if magnitude > 4.0 { 4.0 } else { magnitude };
    let large = 1.0 - exponential(polynomial(&LOG_ERFC, bounded - 2.5));
    if magnitude < 1.0 { small } else { large.copysign(x) }
}

/// The compiler makes vectors of the standard library's, which `core` has not.
#[inline(always)]
fn floor(x: f32) -> f32 {
    #[cfg(not(board))]
    return x.floor();
    #[cfg(board)]
    return libm::floorf(x);
}

/// `e^(b · ln |a|)`, negative where a is and b is odd; NaN where a is negative and b not whole. 1 where b is 0 or |a| is 1.
#[must_use]
#[inline(always)]
pub fn power(a: f32, b: f32) -> f32 {
    let magnitude = a.abs();
    let result = exponential(b * logarithm(magnitude));
    // Without the rest a power of 1 to infinity were NaN, as is 0 · infinity; NaN stays as b.
    let result = if (magnitude == 1.0) & !b.is_nan() { 1.0 } else { result };
    // From 2^24 on every f32 is even.
    let half = b * 0.5;
    let is_whole = b == floor(b);
    let is_odd = is_whole & (half != floor(half));
    let is_negative = a.is_sign_negative();
    let signed = if is_negative & is_odd { -result } else { result };
    let result = if (a < 0.0) & !is_whole { f32::NAN } else { signed };
    let result = if a.is_nan() { a } else { result };
    if b == 0.0 { 1.0 } else { result }
}
