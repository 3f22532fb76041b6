//! Activations of 16 bits, alone and beside some of 8 bits.
//!
//! The casts of a QDQ network are rewritten: 256 times as many steps of a 256th of the size.

use super::check_rewritten;
use super::forms::network;
use std::collections::BTreeMap;

/// 8-bit types with one scale become 16-bit ones where `wide` says so of the number of their scale in the text; with them all,
/// biases follow.
pub(super) fn widened(text: &str, wide: &dyn Fn(usize) -> bool) -> String {
    let number = |text: &str| text.parse::<f64>().unwrap();
    let finer = |scale: &str| format!("{:.17e}", number(scale) / 256.0);
    let mut parts = text.split("quant.uniform<i8:f32, ");
    let mut result = parts.next().unwrap().to_owned();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for part in parts {
        let (scale, rest) = part.split_once('>').unwrap();
        let count = known.len();
        let index = *known.entry(scale.to_owned()).or_insert(count);
        let (bits, scale) = if wide(index) { (16, finer(scale)) } else { (8, scale.to_owned()) };
        result.push_str(&format!("quant.uniform<i{bits}:f32, {scale}>{rest}"));
    }
    if !(0..known.len()).all(wide) {
        return result;
    }
    let mut parts = result.split("quant.uniform<i32:f32:0, {");
    let mut with_biases = parts.next().unwrap().to_owned();
    for part in parts {
        let (scales, rest) = part.split_once('}').unwrap();
        let scales: Vec<String> = scales.split(',').map(finer).collect();
        with_biases.push_str(&format!("quant.uniform<i32:f32:0, {{{}}}{rest}", scales.join(",")));
    }
    with_biases
}

/// All activations of 16 bits; the result may be so many of their steps away.
fn check_wide(inputs: &str, returned: &str, lines: &[&str], scale_of: &str, bounds: (f64, f64)) {
    let text = network(inputs, returned, lines);
    let rewrite = |text: String| widened(&text, &|_| true);
    check_rewritten(&text, scale_of, Some(&["bpu"]), bounds, 127.0 * 256.0, &rewrite);
}

/// Every second activation of 16 bits, and then the others; in steps of 8 bits.
fn check_mixed(inputs: &str, returned: &str, lines: &[&str], scale_of: &str, bounds: (f64, f64)) {
    let text = network(inputs, returned, lines);
    for wide in [0, 1] {
        let rewrite = |text: String| widened(&text, &|index| index % 2 == wide);
        check_rewritten(&text, scale_of, Some(&["bpu"]), bounds, 127.0, &rewrite);
    }
}

#[test]
fn functions_become_curves() {
    let operations = [
        "abs",
        "asinh",
        "atan",
        "celu",
        "cos",
        "cosh",
        "elu",
        "erf",
        "exp",
        "gelu",
        "hard_sigmoid",
        "hard_swish",
        "leaky_relu",
        "mish",
        "neg",
        "selu",
        "sigmoid",
        "sin",
        "sinh",
        "softplus",
        "softsign",
        "swish",
        "tanh",
    ];
    for operation in operations {
        let lines = [
            "%w = @(3x3x1x1)",
            "%a = hfloat.conv %x, %w {POINT} : (tensor<1x3x8x8xf32>, tensor<3x3x1x1xf32>) -> $",
            &format!("%c = hfloat.{operation} %a : ($) -> $"),
            &format!("%d = hfloat.{operation} %x : (tensor<1x3x8x8xf32>) -> $"),
        ];
        check_wide("%x: tensor<1x3x8x8xf32>", "%d", &lines[3..], "d", (1.01, 0.15));
        // A step of the convolution is several where a function is steep.
        check_wide("%x: tensor<1x3x8x8xf32>", "%c", &lines[..3], "c", (8.0, 0.3));
        check_mixed("%x: tensor<1x3x8x8xf32>", "%d", &lines[3..], "d", (1.0, 0.1));
        check_mixed("%x: tensor<1x3x8x8xf32>", "%c", &lines[..3], "c", (8.0, 0.3));
    }
}

#[test]
fn powers_and_quotients_become_curves() {
    let lines = [
        "%two = hfloat.constant dense<2.0> : tensor<f32>",
        "%a = hfloat.pow %x, %two : (tensor<1x3x4x4xf32>, tensor<f32>) -> $",
        "%e = hfloat.sigmoid %a : ($) -> $",
        "%b = hfloat.div %two, %e : (tensor<f32>, $) -> $",
        "%c = hfloat.pow %two, %b : (tensor<f32>, $) -> $",
        "%d = hfloat.div %c, %two : ($, tensor<f32>) -> $",
    ];
    check_wide("%x: tensor<1x3x4x4xf32>", "%d", &lines, "d", (6.0, 0.5));
    check_mixed("%x: tensor<1x3x4x4xf32>", "%d", &lines, "d", (1.0, 0.1));
}

#[test]
fn sums_products_and_extremes() {
    let lines = [
        "%w = @(3x3x1x1)",
        "%k = @(3x1x1)",
        "%half = hfloat.constant dense<0.5> : tensor<f32>",
        "%low = hfloat.constant dense<-0.75> : tensor<f32>",
        "%a = hfloat.conv %x, %w {POINT} : (tensor<1x3x4x4xf32>, tensor<3x3x1x1xf32>) -> $",
        "%b = hfloat.add %a, %y : ($, tensor<1x1x4x1xf32>) -> $",
        "%c = hfloat.mul %b, %a : ($, $) -> $",
        "%d = hfloat.sub %c, %k : ($, tensor<3x1x1xf32>) -> $",
        "%e = hfloat.max %d, %b : ($, $) -> $",
        "%f = hfloat.min %e, %k : ($, tensor<3x1x1xf32>) -> $",
        "%g = hfloat.p_relu %f, %k : ($, tensor<3x1x1xf32>) -> $",
        "%h = hfloat.min %g, %half : ($, tensor<f32>) -> $",
        "%i = hfloat.clip %h, %low, %half : ($, tensor<f32>, tensor<f32>) -> $",
        "%r = hfloat.relu %i : ($) -> $",
    ];
    let inputs = "%x: tensor<1x3x4x4xf32>, %y: tensor<1x1x4x1xf32>";
    for (count, returned) in [(6, "b"), (7, "c"), (8, "d"), (9, "e"), (10, "f"), (11, "g"), (12, "h"), (13, "i")] {
        // Small differences of the sums before go on through the others.
        check_wide(inputs, &format!("%{returned}"), &lines[..count], returned, (8.0, 1.0));
        check_mixed(inputs, &format!("%{returned}"), &lines[..count], returned, (2.0, 1.0));
    }
    check_wide(inputs, "%i, %r", &lines, "i", (8.0, 1.0));
}

#[test]
fn convolutions_with_biases_and_pools() {
    let lines = [
        "%w = @(4x3x3x3)",
        "%b = @(4)",
        "%v = @(4x2x2x2)",
        "%a = hfloat.conv %x, %w, %b {SAME_3X3} : (tensor<1x3x8x7xf32>, tensor<4x3x3x3xf32>, tensor<4xf32>) -> $",
        "%m = hfloat.max_pool %a {kernel_shape = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, \
         dilations = array<i64: 1, 1>} : ($) -> $",
        "%p = hfloat.average_pool %a {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 1, 0, 0>, \
         dilations = array<i64: 1, 1>} : ($) -> $",
        "%s = hfloat.add %m, %p : ($, $) -> $",
        "%t = hfloat.conv_transpose %s, %v {strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, \
         output_padding = array<i64: 0, 0>} : ($, tensor<4x2x2x2xf32>) -> $",
        "%g = hfloat.global_average_pool %t : ($) -> $",
        "%c = hfloat.mul %t, %g : ($, $) -> $",
    ];
    // Sums of many terms in f32 on one side, in integers on the other.
    check_wide("%x: tensor<1x3x8x7xf32>", "%c, %s", &lines, "c", (40.0, 1.0));
    check_mixed(
        "%x: tensor<1x3x8x7xf32>",
        "%m",
        &[lines[0], &lines[3].replace(", %b {", " {").replace(", tensor<4xf32>", ""), lines[4]],
        "m",
        (1.0, 0.1),
    );
}

#[test]
fn what_only_moves() {
    let lines = [
        "%w = @(3x3x1x1)",
        "%roi = hfloat.constant dense<> : tensor<0xf32>",
        "%twice = hfloat.constant dense<[1.0, 1.0, 2.0, 3.0]> : tensor<4xf32>",
        "%pads = hfloat.constant dense<[0, 0, 1, 0, 0, 0, 0, 2]> : tensor<8xi64>",
        "%a = hfloat.conv %x, %w {POINT} : (tensor<1x3x6x5xf32>, tensor<3x3x1x1xf32>) -> $",
        "%c = hfloat.concat %a, %x {axis = 1 : si64} : ($, tensor<1x3x6x5xf32>) -> $",
        "%n = hfloat.resize %c, %roi, %twice {coordinate_transformation_mode = \"asymmetric\", nearest_mode = \"floor\"} : \
         ($, tensor<0xf32>, tensor<4xf32>) -> $",
        "%zero = hfloat.constant dense<0.0> : tensor<f32>",
        "%all = hfloat.constant dense<[0, 1, 2, 3]> : tensor<4xi64>",
        "%p = hfloat.pad %n, %pads, %zero, %all : ($, tensor<8xi64>, tensor<f32>, tensor<4xi64>) -> $",
        "%t = hfloat.transpose %p {perm = array<i64: 0, 2, 1, 3>} : ($) -> $",
    ];
    check_wide("%x: tensor<1x3x6x5xf32>", "%t", &lines, "t", (2.0, 0.3));
    check_mixed("%x: tensor<1x3x6x5xf32>", "%t", &lines, "t", (1.0, 0.1));
    let linear = "%l = hfloat.resize %a, %roi, %twice {mode = \"linear\"} : ($, tensor<0xf32>, tensor<4xf32>) -> $";
    // Thirds are not exact in 127 parts; what is left is added.
    check_wide("%x: tensor<1x3x6x5xf32>", "%l", &[lines[0], lines[1], lines[2], lines[4], linear], "l", (6.0, 1.0));
    let halves = linear.replace("%twice", "%double");
    let double = "%double = hfloat.constant dense<[1.0, 1.0, 2.0, 2.0]> : tensor<4xf32>";
    check_wide("%x: tensor<1x3x6x5xf32>", "%l", &[lines[0], lines[1], double, lines[4], &halves], "l", (3.0, 1.0));
    check_mixed("%x: tensor<1x3x6x5xf32>", "%l", &[lines[0], lines[1], double, lines[4], &halves], "l", (2.0, 0.6));
}

#[test]
fn reductions() {
    for operation in ["reduce_max", "reduce_mean", "reduce_min", "reduce_sum"] {
        let lines = [
            "%w = @(6x3x1x1)",
            "%i = hfloat.constant dense<[1, 3]> : tensor<2xi64>",
            "%a = hfloat.conv %x, %w {POINT} : (tensor<2x3x4x5xf32>, tensor<6x3x1x1xf32>) -> $",
            &format!("%b = hfloat.{operation} %a, %i {{keepdims = true}} : ($, tensor<2xi64>) -> $"),
        ];
        check_wide("%x: tensor<2x3x4x5xf32>", "%b", &lines, "b", (4.0, 1.0));
        check_mixed("%x: tensor<2x3x4x5xf32>", "%b", &lines, "b", (1.0, 0.1));
    }
}
