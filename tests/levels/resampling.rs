//! Transposed convolution and resizing.

use super::forms::check_network;

const STRIDES_2: &str = "strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>";

#[test]
fn transposed_convolutions_of_every_geometry() {
    let lines = [
        // As many cells as the stride: the phases are one convolution.
        format!(
            "%a = hfloat.conv_transpose %x, %w, %b {{{STRIDES_2}, pads = array<i64: 0, 0, 0, 0>, output_padding = array<i64: 0, 0>, \
             activation = #hfloat.clamp<0.0 : f64, 0x7FF0000000000000 : f64>}} : (tensor<2x3x4x5xf32>, tensor<3x4x2x2xf32>, tensor<4xf32>) -> $"
        ),
        // Phases that reach out on either side.
        format!(
            "%c = hfloat.conv_transpose %a, %v {{{STRIDES_2}, pads = array<i64: 1, 1, 1, 1>, output_padding = array<i64: 1, 0>}} : \
             ($, tensor<4x2x3x4xf32>) -> $"
        ),
        // Strides without a common divisor with the dilations, groups, cropped phases, an odd result.
        "%d = hfloat.conv_transpose %c, %u, %e {strides = array<i64: 3, 2>, pads = array<i64: 2, 3, 4, 1>, dilations = array<i64: 2, 3>, \
         output_padding = array<i64: 0, 0>, group = 2 : si64} : ($, tensor<2x3x3x2xf32>, tensor<6xf32>) -> $"
            .to_owned(),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let constants = ["%w = @(3x4x2x2)", "%b = @(4)", "%v = @(4x2x3x4)", "%u = @(2x3x3x2)", "%e = @(6)"];
    check_network("%x: tensor<2x3x4x5xf32>", "%d", &[&constants[..], &lines].concat(), "d", &["bpu"], (3.0, 0.3));
}

#[test]
fn transposed_convolutions_with_empty_phases_and_of_one_dimension() {
    check_network(
        "%x: tensor<1x4x6xf32>, %y: tensor<1x2x3x3xf32>",
        "%c, %d",
        &[
            "%w = @(4x1x3)",
            "%b = @(4)",
            "%v = @(2x3x1x1)",
            "%e = @(3)",
            "%a = hfloat.conv_transpose %x, %w, %b {strides = array<i64: 2>, pads = array<i64: 0, 0>, dilations = array<i64: 1>, \
             output_padding = array<i64: 0>, auto_pad = #hfloat.auto_pad<SAME_UPPER>, group = 4 : si64} : \
             (tensor<1x4x6xf32>, tensor<4x1x3xf32>, tensor<4xf32>) -> $",
            "%c = hfloat.relu %a : ($) -> $",
            "%d = hfloat.conv_transpose %y, %v, %e {strides = array<i64: 2, 3>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, \
             output_padding = array<i64: 1, 0>} : (tensor<1x2x3x3xf32>, tensor<2x3x1x1xf32>, tensor<3xf32>) -> $",
        ],
        "d",
        &["bpu"],
        (1.0, 0.1),
    );
}

/// The normalization goes into the weights of the transposed convolution before it, group by group.
#[test]
fn normalization_after_a_transposed_convolution() {
    check_network(
        "%x: tensor<1x4x3x3xf32>",
        "%n",
        &[
            "%w = @(4x3x2x2)",
            "%s = @(6)",
            "%t = @(6)",
            "%m = @(6)",
            "%q = @(6)",
            "%one = @()",
            "%p = hfloat.mul %q, %q : (tensor<6xf32>, tensor<6xf32>) -> tensor<6xf32>",
            "%a = hfloat.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, \
             output_padding = array<i64: 0, 0>, group = 2 : si64} : (tensor<1x4x3x3xf32>, tensor<4x3x2x2xf32>) -> $",
            "%n = hfloat.batch_normalization %a, %s, %t, %m, %p {epsilon = 0.5 : f32} : ($, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>) -> $",
        ],
        "n",
        &["bpu"],
        (1.0, 0.1),
    );
}

/// Picking is exact at any scale, interpolation rounds once per dimension.
#[test]
fn resizes_on_the_bpu() {
    let lines = [
        "%roi = hfloat.constant dense<> : tensor<0xf32>",
        "%twice = hfloat.constant dense<[1.0, 1.0, 2.0, 3.0]> : tensor<4xf32>",
        "%smaller = hfloat.constant dense<[1.0, 1.0, 0.5, 0.4]> : tensor<4xf32>",
        "%sizes = hfloat.constant dense<[13, 11]> : tensor<2xi64>",
        "%w = @(3x3x1x1)",
        "%c = hfloat.conv %x, %w {POINT} : (tensor<1x3x6x5xf32>, tensor<3x3x1x1xf32>) -> $",
        "%n = hfloat.resize %c, %roi, %twice {coordinate_transformation_mode = \"asymmetric\", nearest_mode = \"floor\"} : \
         ($, tensor<0xf32>, tensor<4xf32>) -> $",
        "%l = hfloat.resize %c, %roi, %twice {mode = \"linear\"} : ($, tensor<0xf32>, tensor<4xf32>) -> $",
        "%m = hfloat.resize %n, %roi, %smaller {} : ($, tensor<0xf32>, tensor<4xf32>) -> $",
        "%o = hfloat.resize %l, %roi, %roi, %sizes {mode = \"linear\", axes = array<i64: 2, 3>, \
         coordinate_transformation_mode = \"align_corners\"} : ($, tensor<0xf32>, tensor<0xf32>, tensor<2xi64>) -> $",
        "%p = hfloat.resize %l, %roi, %roi, %sizes {axes = array<i64: 2, -1>} : ($, tensor<0xf32>, tensor<0xf32>, tensor<2xi64>) -> $",
    ];
    check_network("%x: tensor<1x3x6x5xf32>", "%m", &lines[..9], "c", &["bpu"], (1.0, 0.05));
    check_network("%x: tensor<1x3x6x5xf32>", "%o, %p", &lines, "c", &["bpu"], (3.0, 0.6));
}

#[test]
fn cubic_interpolation_goes_to_the_cpu() {
    check_network(
        "%x: tensor<1x3x6x5xf32>",
        "%l",
        &[
            "%roi = hfloat.constant dense<> : tensor<0xf32>",
            "%twice = hfloat.constant dense<[1.0, 1.0, 2.0, 3.0]> : tensor<4xf32>",
            "%w = @(3x3x1x1)",
            "%c = hfloat.conv %x, %w {POINT} : (tensor<1x3x6x5xf32>, tensor<3x3x1x1xf32>) -> $",
            "%l = hfloat.resize %c, %roi, %twice {mode = \"cubic\"} : ($, tensor<0xf32>, tensor<4xf32>) -> $",
        ],
        "c",
        &["bpu", "cpu"],
        (1.0, 0.1),
    );
}
