//! Programs of the float engine: normalizations, reductions, quotients, powers, choices.

use super::forms::{check_network, network};
use super::{check_rewritten, int16};

/// Two convolutions with these lines from `%a` to `%b` between them: one segment, and with int16 activations one of float accuracy.
fn check_between(lines: &[&str]) {
    let first = [
        "%w = @(4x3x1x1)",
        "%v = @(2x4x1x1)",
        "%a = hfloat.conv %x, %w {POINT} : (tensor<1x3x6x5xf32>, tensor<4x3x1x1xf32>) -> $",
    ];
    let last = ["%c = hfloat.conv %b, %v {POINT} : ($, tensor<2x4x1x1xf32>) -> $"];
    let lines: Vec<&str> = first.iter().chain(lines).chain(&last).copied().collect();
    check_network("%x: tensor<1x3x6x5xf32>", "%c", &lines, "c", &["bpu"], (2.0, 0.2));
    let text = network("%x: tensor<1x3x6x5xf32>", "%c", &lines);
    let rewrite = |text: String| int16::widened(&text, &|_| true);
    check_rewritten(&text, "c", Some(&["bpu"]), (1.0, 1.0), 127.0, &rewrite);
}

#[test]
fn a_softmax_stays_in_its_segment() {
    for axis in 0..4 {
        check_between(&[&format!("%b = hfloat.softmax %a {{axis = {axis} : si64}} : ($) -> $")]);
    }
}

#[test]
fn normalizations_stay_in_their_segment() {
    for axis in 1..4 {
        let shape = ["4x6x5", "6x5", "5"][axis - 1];
        check_between(&[
            &format!("%s = @({shape})"),
            &format!("%o = @({shape})"),
            &format!(
                "%b = hfloat.layer_normalization %a, %s, %o {{axis = {axis} : si64}} : ($, tensor<{shape}xf32>, tensor<{shape}xf32>) -> $"
            ),
        ]);
    }
    for operation in ["instance_normalization %a, %s, %o", "group_normalization %a, %s, %o {num_groups = 2 : si64}"] {
        check_between(&[
            "%s = @(4)",
            "%o = @(4)",
            &format!("%b = hfloat.{operation} : ($, tensor<4xf32>, tensor<4xf32>) -> $"),
        ]);
    }
}

#[test]
fn functions_of_several_operands_stay_in_their_segment() {
    check_between(&["%y = hfloat.sigmoid %a : ($) -> $", "%b = hfloat.div %a, %y : ($, $) -> $"]);
    check_between(&["%y = hfloat.sigmoid %a : ($) -> $", "%b = hfloat.pow %y, %a : ($, $) -> $"]);
    check_between(&[
        "%y = @(1x4x1x1)",
        "%p = hfloat.sigmoid %a : ($) -> $",
        "%b = hfloat.pow %p, %y : ($, tensor<1x4x1x1xf32>) -> $",
    ]);
    check_between(&[
        "%t = hfloat.constant dense<[true, false, false, true, true]> : tensor<5xi1>",
        "%y = hfloat.neg %a : ($) -> $",
        "%b = hfloat.where %t, %a, %y : (tensor<5xi1>, $, $) -> $",
    ]);
}

#[test]
fn reductions_stay_in_their_segment() {
    for operation in ["reduce_l1", "reduce_l2", "reduce_log_sum_exp", "reduce_sum_square", "reduce_prod"] {
        for axes in ["1", "2, 3", "1, 3"] {
            let count = axes.split(',').count();
            check_between(&[
                &format!("%i = hfloat.constant dense<[{axes}]> : tensor<{count}xi64>"),
                "%p = hfloat.sigmoid %a : ($) -> $",
                &format!("%r = hfloat.{operation} %p, %i : ($, tensor<{count}xi64>) -> $"),
                "%b = hfloat.add %p, %r : ($, $) -> $",
            ]);
        }
    }
}

/// Nothing rounds what only the float engine reads, nor what it gives to the outside.
#[test]
fn floats_at_the_end_of_a_network() {
    let check = |lines: &[&str], segments: &[&str]| {
        // A step of 1e-5 of the result.
        let text = network("%x: tensor<3x8xf32>", "%y", lines);
        check_rewritten(&text, "y", Some(segments), (0.5, 1.0), 1e5, &|text| text);
    };
    check(
        &[
            "%w = @(8x6)",
            "%a = hfloat.gemm %x, %w : (tensor<3x8xf32>, tensor<8x6xf32>) -> $",
            "%y = hfloat.softmax %a {axis = 1 : si64} : ($) -> $",
        ],
        &["bpu"],
    );
    check(&["%y = hfloat.softmax %x {axis = 0 : si64} : (tensor<3x8xf32>) -> $"], &["bpu"]);
    check(
        &[
            "%one = hfloat.constant dense<1> : tensor<1xi64>",
            "%n = hfloat.reduce_l2 %x, %one : (tensor<3x8xf32>, tensor<1xi64>) -> $",
            "%y = hfloat.div %x, %n : (tensor<3x8xf32>, $) -> $",
        ],
        &["bpu"],
    );
    check(
        &["%a = hfloat.lrn %x {size = 3 : si64} : (tensor<3x8xf32>) -> $", "%y = hfloat.softmax %a : ($) -> $"],
        &["cpu", "bpu"],
    );
}

/// Spelt out, as exporters write it.
#[test]
fn a_layer_normalization_that_is_spelt_out() {
    check_between(&[
        "%i = hfloat.constant dense<-1> : tensor<1xi64>",
        "%two = hfloat.constant dense<2.0> : tensor<f32>",
        "%tiny = hfloat.constant dense<1.0e-5> : tensor<f32>",
        "%s = @(5)",
        "%o = @(5)",
        "%m = hfloat.reduce_mean %a, %i : ($, tensor<1xi64>) -> $",
        "%d = hfloat.sub %a, %m : ($, $) -> $",
        "%q = hfloat.pow %d, %two : ($, tensor<f32>) -> $",
        "%u = hfloat.reduce_mean %q, %i : ($, tensor<1xi64>) -> $",
        "%e = hfloat.add %u, %tiny : ($, tensor<f32>) -> $",
        "%r = hfloat.sqrt %e : ($) -> $",
        "%f = hfloat.div %d, %r : ($, $) -> $",
        "%g = hfloat.mul %f, %s : ($, tensor<5xf32>) -> $",
        "%b = hfloat.add %g, %o : ($, tensor<5xf32>) -> $",
    ]);
}

/// A choice by a comparison, which is continuous where the comparison turns, and one by truth values and a cast.
#[test]
fn comparisons_and_choices_stay_in_their_segment() {
    check_between(&[
        "%z = hfloat.constant dense<0.0> : tensor<f32>",
        "%t = hfloat.less %a, %z : ($, tensor<f32>) -> tensor<1x4x6x5xi1>",
        "%y = hfloat.neg %a : ($) -> $",
        "%b = hfloat.where %t, %y, %a : (tensor<1x4x6x5xi1>, $, $) -> $",
    ]);
    check_between(&[
        "%z = hfloat.constant dense<0.0> : tensor<f32>",
        "%t = hfloat.greater_or_equal %a, %z : ($, tensor<f32>) -> tensor<1x4x6x5xi1>",
        "%n = hfloat.not %t : (tensor<1x4x6x5xi1>) -> tensor<1x4x6x5xi1>",
        "%u = hfloat.xor %t, %n : (tensor<1x4x6x5xi1>, tensor<1x4x6x5xi1>) -> tensor<1x4x6x5xi1>",
        "%v0 = hfloat.and %u, %t : (tensor<1x4x6x5xi1>, tensor<1x4x6x5xi1>) -> tensor<1x4x6x5xi1>",
        "%f = hfloat.cast %v0 : (tensor<1x4x6x5xi1>) -> tensor<1x4x6x5xf32>",
        "%b = hfloat.mul %a, %f : ($, tensor<1x4x6x5xf32>) -> $",
    ]);
}
