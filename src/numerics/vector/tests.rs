//! Errors of functions against `libm` in f64, orders of sums on paper, programs as text.

use super::*;
use hb_runtime::functions::{error_function, exponential, logarithm, maximum, minimum, power, tanh};
use proptest::prelude::*;

/// Finite numbers of both signs: each 9973rd bit pattern, and those beside powers of two.
fn numbers() -> impl Iterator<Item = f32> {
    let spread = (0..u32::MAX).step_by(9973).map(f32::from_bits);
    let beside =
        (0..255u32).flat_map(|exponent| [0u32, 1, 2, (1 << 23) - 1].map(|bits| f32::from_bits(exponent << 23 | bits)));
    spread.chain(beside.flat_map(|value| [value, -value])).filter(|value| value.is_finite())
}

/// The distance in units of the last place of the right result; subnormal results count in the smallest unit.
fn ulps(found: f32, right: f64) -> f64 {
    let nearest = right as f32;
    if nearest.is_infinite() || nearest.is_nan() {
        return if found.to_bits() == nearest.to_bits() || (found.is_nan() && nearest.is_nan()) {
            0.0
        } else {
            f64::INFINITY
        };
    }
    let exponent = (nearest.to_bits() >> 23 & 0xff).max(1) as i32;
    (f64::from(found) - right).abs() / 2f64.powi(exponent - 150)
}

/// The largest error of a function, and where.
fn worst(function: impl Fn(f32) -> f32, right: impl Fn(f64) -> f64) -> (f64, f32) {
    let errors = numbers().map(|x| (ulps(function(x), right(f64::from(x))), x));
    errors.fold((0.0, 0.0), |worst, error| if error.0 > worst.0 { error } else { worst })
}

#[test]
fn functions_keep_the_errors_that_the_law_states() {
    type Case = (&'static str, fn(f32) -> f32, fn(f64) -> f64, f64);
    let cases: [Case; 4] = [
        ("exp", exponential, libm::exp, EXP_ULPS),
        ("log", logarithm, libm::log, LOG_ULPS),
        ("tanh", tanh, libm::tanh, TANH_ULPS),
        ("erf", error_function, libm::erf, ERF_ULPS),
    ];
    for (name, function, right, most) in cases {
        let (error, place) = worst(function, right);
        eprintln!("{name}: {error:.3} units at {place:e}");
        assert!(error <= most, "{name} of {place:e} is {error} units off");
    }
}

/// As `docs/numerics.md` states them.
const EXP_ULPS: f64 = 0.95;
const LOG_ULPS: f64 = 0.85;
const TANH_ULPS: f64 = 1.35;
const ERF_ULPS: f64 = 2.60;

#[test]
fn functions_at_their_ends() {
    let infinity = f32::INFINITY;
    for (found, right) in [
        (exponential(0.0), 1.0),
        (exponential(-infinity), 0.0),
        (exponential(infinity), infinity),
        (exponential(200.0), infinity),
        (exponential(-200.0), 0.0),
        (logarithm(1.0), 0.0),
        (logarithm(0.0), -infinity),
        (logarithm(-0.0), -infinity),
        (logarithm(infinity), infinity),
        (tanh(0.0), 0.0),
        (tanh(infinity), 1.0),
        (tanh(-infinity), -1.0),
        (error_function(infinity), 1.0),
        (error_function(-5.0), -1.0),
        (power(2.0, 0.0), 1.0),
        (power(f32::NAN, 0.0), 1.0),
        (power(1.0, infinity), 1.0),
        (power(-1.0, -infinity), 1.0),
        (power(0.0, 2.0), 0.0),
        (power(-0.0, -3.0), -infinity),
        (power(0.0, -2.0), infinity),
        (power(-2.0, 3.0), -power(2.0, 3.0)),
        (power(-2.0, 2.0), power(2.0, 2.0)),
        (power(infinity, -1.0), 0.0),
        (power(0.5, infinity), 0.0),
        (power(-infinity, 3.0), -infinity),
        (maximum(1.0, 2.0), 2.0),
        (minimum(1.0, 2.0), 1.0),
    ] {
        assert_eq!(found.to_bits(), right.to_bits(), "{found} {right}");
    }
    let nan = f32::NAN;
    for found in [
        exponential(nan),
        logarithm(nan),
        logarithm(-1.0),
        logarithm(-infinity),
        tanh(nan),
        error_function(nan),
        power(nan, 1.0),
        power(2.0, nan),
        power(1.0, nan),
        power(-2.0, 0.5),
        maximum(nan, 1.0),
        maximum(1.0, nan),
        minimum(nan, 1.0),
        minimum(1.0, nan),
    ] {
        assert!(found.is_nan(), "{found}");
    }
    // Results that are subnormal are rounded once: e^-100 = 3.72e-44 is 26.55 of the smallest unit, 2^-149.
    assert_eq!(exponential(-100.0).to_bits(), 27);
}

proptest! {
    /// The error of a power grows with its logarithm: one unit for each.
    #[test]
    fn powers(a in 1e-6f32..1e6, b in -6f32..6.0) {
        let right = f64::from(a).powf(f64::from(b));
        prop_assume!(right > 1e-37 && right < 3e38);
        let most = (2.0 + f64::from(b * a.ln()).abs()) * 2f64.powi(-22);
        let found = f64::from(power(a, b));
        prop_assert!((found / right - 1.0).abs() <= most, "{} {}", found, right);
    }

    #[test]
    fn text_comes_back(program in programs()) {
        let lines = program.lines();
        prop_assert_eq!(VectorProgram::parse(lines.iter().map(String::as_str)).unwrap(), program);
    }
}

#[test]
fn sixteen_accumulators_take_turns() {
    // Number 0 stays 2^24, which swallows each 1; the others are 3. From 2^24 on there are even numbers only: 2^24 + 3 ties to 2^24 + 4.
    // Then 6, 12 and 24 are added.
    let mut row = vec![1.0; 48];
    row[0] = 16_777_216.0;
    assert_eq!(reduce(VectorReduction::Sum, &row), 16_777_216.0 + 4.0 + 6.0 + 12.0 + 24.0);
    assert_eq!(reduce(VectorReduction::Product, &[3.0, 5.0, 7.0]), 105.0);
    assert_eq!(reduce(VectorReduction::Maximum, &[-3.0, -5.0]), -3.0);
    assert_eq!(reduce(VectorReduction::Minimum, &[]), f32::INFINITY);
    assert!(reduce(VectorReduction::Maximum, &[1.0, f32::NAN, 2.0]).is_nan());
}

#[test]
fn a_softmax_on_paper() {
    let text = [
        "%0 = load 0",
        "%1 = reduce_maximum %0",
        "%2 = subtract %0 %1",
        "%3 = exp %2",
        "%4 = reduce_sum %3",
        "%5 = divide %3 %4",
    ];
    let program = VectorProgram::parse(text).unwrap();
    assert_eq!((program.operands(), program.reduces()), (1, true));
    let row = [1.0, 3.0, 1.0, 3.0];
    let found = run_row(&program, 4, |_, place| row[place]);
    // 1 / (2 + 2 e^-2) and 1 / (2 + 2 e^2).
    for (found, right) in found.iter().zip([0.059_601_46, 0.440_398_54, 0.059_601_46, 0.440_398_54]) {
        assert!((found - right).abs() < 1e-7, "{found} {right}");
    }
}

#[test]
fn what_is_no_program_is_named() {
    let message = |lines: &[&str]| VectorProgram::parse(lines.iter().copied()).unwrap_err();
    for (lines, expected) in [
        (&[][..], "1 to 64 steps, not 0"),
        (&["%0 = load 6"], "loads operand 6"),
        (&["%1 = load 0"], "does not begin with '%0 ='"),
        (&["%0 = load"], "0 words after 'load'"),
        (&["%0 = load x"], "no number of an operand"),
        (&["%0 = constant x"], "which is no number"),
        (&["%0 = constant NaN"], "is the constant NaN"),
        (&["%0 = tan %0"], "'tan', which is no step"),
        (&["%0 = exp 0"], "no value such as %0"),
        (&["%0 = load 0", "%1 = add %0"], "has 1 values, not 2"),
        (&["%0 = exp %0"], "reads %0, which is no earlier one"),
    ] {
        assert!(message(lines).contains(expected), "{}", message(lines));
    }
    assert!(
        message(&["%0 = load 0"; 65].iter().enumerate().map(|_| "%0 = load 0").collect::<Vec<_>>())
            .contains("does not begin")
    );
}

/// Programs of up to six operands.
pub(crate) fn programs() -> impl Strategy<Value = VectorProgram> {
    let step = (0usize..40, any::<[u8; 3]>(), -4f32..4.0);
    prop::collection::vec(step, 1..20).prop_map(|picks| {
        let mut steps = vec![VectorStep::Load(0)];
        for (kind, [a, b, c], number) in picks {
            let count = steps.len() as u8;
            let [x, y, z] = [a % count, b % count, c % count];
            steps.push(match kind {
                0..=2 => VectorStep::Load(a % 3),
                3..=4 => VectorStep::Constant(number),
                5..=8 => VectorStep::Reduce(VectorReduction::ALL[usize::from(b) % VectorReduction::ALL.len()], x),
                9..=10 => VectorStep::Select(x, y, z),
                11..=22 => VectorStep::Unary(VectorUnary::ALL[usize::from(b) % VectorUnary::ALL.len()], x),
                _ => VectorStep::Binary(VectorBinary::ALL[usize::from(c) % VectorBinary::ALL.len()], x, y),
            });
        }
        VectorProgram::new(steps).unwrap()
    })
}
