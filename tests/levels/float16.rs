//! Operations in float16 beside others in int8.

use super::check_rewritten;
use super::forms::{check_network, network};

/// Two convolutions in int8 with these lines from `%a` to `%b` between them: one segment.
fn check_between(lines: &[&str]) {
    let first = [
        "%w = @(4x3x1x1)",
        "%v = @(2x4x1x1)",
        "%a = hfloat.conv %x, %w {POINT} : (tensor<1x3x6x5xf32>, tensor<4x3x1x1xf32>) -> $",
    ];
    let last = ["%c = hfloat.conv %b, %v {POINT} : ($, tensor<2x4x1x1xf32>) -> $"];
    let lines: Vec<&str> = first.iter().chain(lines).chain(&last).copied().collect();
    check_network("%x: tensor<1x3x6x5xf32>", "%c", &lines, "c", &["bpu"], (2.0, 0.2));
}

#[test]
fn functions_of_one_value() {
    for operation in ["sigmoid", "relu", "exp", "tanh", "erf", "sqrt", "hard_swish", "mish"] {
        check_between(&[&format!("%b = hfloat.{operation} %a {{hfloat.float16}} : ($) -> $")]);
    }
}

#[test]
fn rows_along_every_axis() {
    for axis in 0..4 {
        check_between(&[&format!("%b = hfloat.softmax %a {{axis = {axis} : si64, hfloat.float16}} : ($) -> $")]);
    }
    check_between(&[
        "%s = @(6x5)",
        "%o = @(6x5)",
        "%b = hfloat.layer_normalization %a, %s, %o {axis = 2 : si64, hfloat.float16} : ($, tensor<6x5xf32>, tensor<6x5xf32>) -> $",
    ]);
}

/// Between operations in float16 nothing is rounded to integers.
#[test]
fn neighbours_in_float16() {
    check_between(&[
        "%i = hfloat.constant dense<[1]> : tensor<1xi64>",
        "%m = hfloat.reduce_mean %a, %i {hfloat.float16} : ($, tensor<1xi64>) -> $",
        "%d = hfloat.sub %a, %m {hfloat.float16} : ($, $) -> $",
        "%p = hfloat.mul %d, %d {hfloat.float16} : ($, $) -> $",
        "%n = hfloat.reduce_mean %p, %i {hfloat.float16} : ($, tensor<1xi64>) -> $",
        "%e = @(1)",
        "%s = hfloat.abs %e : (tensor<1xf32>) -> tensor<1xf32>",
        "%o = hfloat.add %n, %s {hfloat.float16} : ($, tensor<1xf32>) -> $",
        "%r = hfloat.sqrt %o {hfloat.float16} : ($) -> $",
        "%b = hfloat.div %d, %r {hfloat.float16} : ($, $) -> $",
    ]);
}

/// A value that one reader sees in float16 and another one in int8.
#[test]
fn two_readers() {
    check_between(&[
        "%s = hfloat.sigmoid %a {hfloat.float16} : ($) -> $",
        "%t = hfloat.tanh %a : ($) -> $",
        "%u = hfloat.mul %s, %a {hfloat.float16} : ($, $) -> $",
        "%n = hfloat.add %s, %t : ($, $) -> $",
        "%b = hfloat.add %u, %n : ($, $) -> $",
    ]);
}

/// What moves elements moves them as they are: where it is asked for, and between operations in float16.
#[test]
fn movement() {
    check_between(&[
        "%s = hfloat.sigmoid %a {hfloat.float16} : ($) -> $",
        "%t = hfloat.transpose %s {perm = array<i64: 0, 1, 3, 2>} : ($) -> $",
        "%e = hfloat.exp %t {hfloat.float16} : ($) -> $",
        "%b = hfloat.transpose %e {perm = array<i64: 0, 1, 3, 2>, hfloat.float16} : ($) -> $",
    ]);
    check_between(&[
        "%s = hfloat.sigmoid %a {hfloat.float16} : ($) -> $",
        "%c0 = hfloat.concat %s, %a {axis = 2 : si64, hfloat.float16} : ($, $) -> $",
        "%p = hfloat.constant dense<[0, 0, 1, 0, 0, 0, 0, 0]> : tensor<8xi64>",
        "%zero = hfloat.constant dense<0.0> : tensor<f32>",
        "%all = hfloat.constant dense<[0, 1, 2, 3]> : tensor<4xi64>",
        "%q = hfloat.pad %c0, %p, %zero, %all {hfloat.float16} : ($, tensor<8xi64>, tensor<f32>, tensor<4xi64>) -> $",
        "%f = hfloat.constant dense<[1]> : tensor<1xi64>",
        "%g = hfloat.constant dense<[12]> : tensor<1xi64>",
        "%h = hfloat.constant dense<[2]> : tensor<1xi64>",
        "%b = hfloat.slice %q, %f, %g, %h, %f {hfloat.float16} : ($, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> $",
    ]);
}

/// From an input to an output, beside the CPU, and from one segment to another. What leaves is the f32 of a float16: a step is 2^-10 of the largest.
#[test]
fn borders_of_a_network() {
    let check = |lines: &[&str], segments: &[&str]| {
        let text = network("%x: tensor<3x8xf32>", "%y", lines);
        check_rewritten(&text, "y", Some(segments), (1.0, 0.2), 1024.0, &|text| text);
    };
    check(&["%y = hfloat.softmax %x {axis = 0 : si64, hfloat.float16} : (tensor<3x8xf32>) -> $"], &["bpu"]);
    check(
        &[
            "%s = hfloat.sigmoid %x {hfloat.float16} : (tensor<3x8xf32>) -> $",
            "%l = hfloat.lrn %s {size = 3 : si64} : ($) -> $",
            "%y = hfloat.add %l, %s {hfloat.float16} : ($, $) -> $",
        ],
        &["bpu", "cpu", "bpu"],
    );
}

/// The matrix engine knows no float16: the convolution is on the CPU, where it stays float.
#[test]
fn what_has_no_form_in_float16() {
    check_network(
        "%x: tensor<1x3x6x5xf32>",
        "%c",
        &[
            "%w = @(4x3x1x1)",
            "%v = @(2x4x1x1)",
            "%a = hfloat.conv %x, %w {POINT, hfloat.float16} : (tensor<1x3x6x5xf32>, tensor<4x3x1x1xf32>) -> $",
            "%c = hfloat.conv %a, %v {POINT} : ($, tensor<2x4x1x1xf32>) -> $",
        ],
        "c",
        &["cpu", "bpu"],
        (2.0, 0.2),
    );
}
