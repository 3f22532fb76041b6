//! What runs on the CPU stays float between operations of the BPU.

use super::forms::check_network;

#[test]
fn what_has_no_form_is_a_segment_of_the_cpu() {
    let pool = "kernel_shape = array<i64: 2, 2>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 2, 2>";
    check_network(
        "%x: tensor<1x3x8x8xf32>",
        "%c",
        &[
            "%w = @(4x3x3x3)",
            "%v = @(2x4x1x1)",
            "%a = hfloat.conv %x, %w {SAME_3X3} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>) -> $",
            &format!("%b = hfloat.average_pool %a {{{pool}}} : ($) -> $"),
            "%c = hfloat.conv %b, %v {POINT} : ($, tensor<2x4x1x1xf32>) -> $",
        ],
        "c",
        &["bpu", "cpu", "bpu"],
        (1.0, 0.05),
    );
}

/// The first convolution is quantized for another reader; the pad must not take part.
#[test]
fn borders_that_are_no_integers() {
    check_network(
        "%x: tensor<1x3x6x6xf32>",
        "%d, %c",
        &[
            "%w = @(3x3x1x1)",
            "%p = hfloat.constant dense<[0, 0, 1, 1, 0, 0, 1, 1]> : tensor<8xi64>",
            "%i = hfloat.constant dense<1.5> : tensor<f32>",
            "%a = hfloat.conv %x, %w {POINT} : (tensor<1x3x6x6xf32>, tensor<3x3x1x1xf32>) -> $",
            "%all = hfloat.constant dense<[0, 1, 2, 3]> : tensor<4xi64>",
            "%b = hfloat.pad %a, %p, %i, %all : ($, tensor<8xi64>, tensor<f32>, tensor<4xi64>) -> $",
            "%c = hfloat.conv %b, %w {POINT} : ($, tensor<3x3x1x1xf32>) -> $",
            "%d = hfloat.relu %a : ($) -> $",
        ],
        "d",
        &["bpu", "cpu", "bpu"],
        (2.0, 0.05),
    );
}
