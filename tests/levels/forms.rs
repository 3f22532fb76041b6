//! Forms of operators: attributes, ranks and operands that take another way through the lowering.

use super::{check, named};

/// `func.func @main(inputs) -> outputs { lines; return returned }`, where `$` is a tensor of unknown shape and
/// the value that a line gives is the name of its node.
pub(super) fn network(inputs: &str, returned: &str, lines: &[&str]) -> String {
    let unknown = vec!["tensor<*xf32>"; returned.split(',').count()].join(", ");
    let mut text = format!("func.func @main({inputs}) -> ({unknown}) {{\n");
    for line in lines {
        text.push_str(&named(&line.replace('$', "tensor<*xf32>")));
    }
    text + &format!("return {returned} : {unknown}\n}}")
}

pub(crate) fn check_network(
    inputs: &str,
    returned: &str,
    lines: &[&str],
    scale_of: &str,
    segments: &[&str],
    (steps, may_differ): (f64, f64),
) {
    check(&network(inputs, returned, lines), scale_of, Some(segments), steps, may_differ);
}

#[test]
fn products_with_batches_and_vectors() {
    check_network(
        "%x: tensor<2x1x4x6xf32>, %y: tensor<3x6x5xf32>",
        "%p",
        &[
            "%v = @(5)",
            "%l = @(3x4)",
            "%m = hfloat.mat_mul %x, %y : (tensor<2x1x4x6xf32>, tensor<3x6x5xf32>) -> $",
            "%n = hfloat.mat_mul %l, %m : (tensor<3x4xf32>, $) -> $",
            "%p = hfloat.mat_mul %n, %v : ($, tensor<5xf32>) -> $",
        ],
        "p",
        &["bpu"],
        (2.0, 0.1),
    );
}

#[test]
fn forms_of_gemm() {
    check_network(
        "%x: tensor<6x4xf32>, %y: tensor<5x6xf32>",
        "%c",
        &[
            "%w = @(6x5)",
            "%row = @(1x5)",
            "%one = @()",
            "%a = hfloat.gemm %x, %w, %row {transA = true} : (tensor<6x4xf32>, tensor<6x5xf32>, tensor<1x5xf32>) -> $",
            "%b = hfloat.gemm %x, %y {transA = true, transB = true} : (tensor<6x4xf32>, tensor<5x6xf32>) -> $",
            "%d = hfloat.gemm %x, %w, %one {transA = true} : (tensor<6x4xf32>, tensor<6x5xf32>, tensor<f32>) -> $",
            "%e = hfloat.add %a, %b : ($, $) -> $",
            "%c = hfloat.add %e, %d : ($, $) -> $",
        ],
        "c",
        &["bpu"],
        (2.0, 0.2),
    );
}

#[test]
fn a_bias_of_several_rows_goes_to_the_cpu() {
    check_network(
        "%x: tensor<4x6xf32>",
        "%a",
        &[
            "%w = @(6x5)",
            "%rows = @(4x5)",
            "%a = hfloat.gemm %x, %w, %rows : (tensor<4x6xf32>, tensor<6x5xf32>, tensor<4x5xf32>) -> $",
        ],
        "a",
        &["cpu"],
        (0.0, 0.0),
    );
    check_network(
        "%x: tensor<4x6xf32>",
        "%a",
        &[
            "%w = @(6x5)",
            "%column = @(4x1)",
            "%a = hfloat.gemm %x, %w, %column : (tensor<4x6xf32>, tensor<6x5xf32>, tensor<4x1xf32>) -> $",
        ],
        "a",
        &["cpu"],
        (0.0, 0.0),
    );
}

#[test]
fn automatic_padding_and_bounded_activations() {
    check_network(
        "%x: tensor<1x3x7x8xf32>",
        "%c",
        &[
            "%w = @(4x3x3x2)",
            "%v = @(4x1x4x4)",
            "%a = hfloat.conv %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, \
             auto_pad = #hfloat.auto_pad<SAME_UPPER>, activation = #hfloat.clamp<-0.25 : f64, 1.5 : f64>} : (tensor<1x3x7x8xf32>, tensor<4x3x3x2xf32>) -> $",
            "%b = hfloat.conv %a, %v {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, \
             group = 4 : si64, auto_pad = #hfloat.auto_pad<SAME_LOWER>} : ($, tensor<4x1x4x4xf32>) -> $",
            "%c = hfloat.average_pool %b {kernel_shape = array<i64: 3, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, \
             dilations = array<i64: 1, 1>, auto_pad = #hfloat.auto_pad<SAME_UPPER>} : ($) -> $",
        ],
        "c",
        &["bpu"],
        (2.0, 0.2),
    );
}

#[test]
fn windows_past_the_border() {
    check_network(
        "%x: tensor<2x3x8x7xf32>",
        "%b, %c",
        &[
            "%a = hfloat.max_pool %x {kernel_shape = array<i64: 2, 3>, strides = array<i64: 3, 2>, pads = array<i64: 0, 1, 1, 0>, \
             dilations = array<i64: 2, 1>, ceil_mode = true} : (tensor<2x3x8x7xf32>) -> $",
            "%b = hfloat.average_pool %x {kernel_shape = array<i64: 3, 3>, strides = array<i64: 3, 2>, pads = array<i64: 0, 0, 0, 0>, \
             dilations = array<i64: 1, 1>, ceil_mode = true} : (tensor<2x3x8x7xf32>) -> $",
            "%c = hfloat.relu %a : ($) -> $",
        ],
        "b",
        &["bpu"],
        (3.0, 0.05),
    );
}

#[test]
fn relus_that_nothing_takes_over() {
    check_network(
        "%x: tensor<1x3x4x4xf32>",
        "%d, %b",
        &[
            "%w = @(3x3x1x1)",
            "%a = hfloat.relu %x : (tensor<1x3x4x4xf32>) -> $",
            "%b = hfloat.conv %a, %w {POINT} : ($, tensor<3x3x1x1xf32>) -> $",
            "%c = hfloat.relu %b : ($) -> $",
            "%d = hfloat.concat %c, %b, %b {axis = 1 : si64} : ($, $, $) -> $",
        ],
        "d",
        &["bpu"],
        (1.0, 0.05),
    );
}

#[test]
fn hard_swish_by_table_in_both_layouts() {
    check_network(
        "%x: tensor<1x3x4x4xf32>",
        "%c, %d",
        &[
            "%w = @(3x3x1x1)",
            "%a = hfloat.conv %x, %w {POINT} : (tensor<1x3x4x4xf32>, tensor<3x3x1x1xf32>) -> $",
            "%c = hfloat.hard_swish %a : ($) -> $",
            "%d = hfloat.hard_swish %x : (tensor<1x3x4x4xf32>) -> $",
        ],
        "d",
        &["bpu"],
        (1.0, 0.05),
    );
}

#[test]
fn signals_of_one_dimension_in_both_layouts() {
    check_network(
        "%x: tensor<2x3x10xf32>",
        "%e",
        &[
            "%w = @(3x3x3)",
            "%a = hfloat.conv %x, %w {strides = array<i64: 1>, pads = array<i64: 1, 1>, dilations = array<i64: 1>} : (tensor<2x3x10xf32>, tensor<3x3x3xf32>) -> $",
            "%b = hfloat.concat %a, %x {axis = 1 : si64} : ($, tensor<2x3x10xf32>) -> $",
            "%c = hfloat.relu %a : ($) -> $",
            "%d = hfloat.average_pool %b {kernel_shape = array<i64: 3>, strides = array<i64: 1>, pads = array<i64: 1, 1>, dilations = array<i64: 1>} : ($) -> $",
            "%e = hfloat.concat %d, %c {axis = -2 : si64} : ($, $) -> $",
        ],
        "e",
        &["bpu"],
        (2.0, 0.1),
    );
}

#[test]
fn reshapes_of_images() {
    check_network(
        "%x: tensor<2x3x4x5xf32>",
        "%g",
        &[
            "%w = @(6x3x1x1)",
            "%s = hfloat.constant dense<[0, -1, 2, 5]> : tensor<4xi64>",
            "%i = hfloat.constant dense<-2> : tensor<i64>",
            "%n = hfloat.constant dense<[1, -1]> : tensor<2xi64>",
            "%a = hfloat.conv %x, %w {POINT} : (tensor<2x3x4x5xf32>, tensor<6x3x1x1xf32>) -> $",
            "%b = hfloat.reshape %a, %s : ($, tensor<4xi64>) -> $",
            "%c = hfloat.transpose %b {perm = array<i64: 3, 0, 2, 1>} : ($) -> $",
            "%d = hfloat.gather %c, %i {axis = -2 : si64} : ($, tensor<i64>) -> $",
            "%e = hfloat.unsqueeze %d, %n : ($, tensor<2xi64>) -> $",
            "%f = hfloat.flatten %e {axis = -2 : si64} : ($) -> $",
            "%g = hfloat.flatten %f {axis = 0 : si64} : ($) -> $",
        ],
        "a",
        &["bpu"],
        (1.0, 0.05),
    );
}

#[test]
fn permutations_of_what_a_convolution_gives() {
    for permutation in ["0, 1, 2, 3", "0, 2, 3, 1", "0, 3, 1, 2", "1, 0, 3, 2", "3, 2, 1, 0", "2, 0, 3, 1"] {
        let transpose = format!("%b = hfloat.transpose %a {{perm = array<i64: {permutation}>}} : ($) -> $");
        check_network(
            "%x: tensor<2x3x4x5xf32>",
            "%b",
            &[
                "%w = @(6x3x1x1)",
                "%a = hfloat.conv %x, %w {POINT} : (tensor<2x3x4x5xf32>, tensor<6x3x1x1xf32>) -> $",
                &transpose,
            ],
            "a",
            &["bpu"],
            (1.0, 0.01),
        );
    }
}

#[test]
fn borders_that_are_cut_off() {
    check_network(
        "%x: tensor<1x3x6x6xf32>",
        "%b",
        &[
            "%w = @(3x3x1x1)",
            "%pads = hfloat.constant dense<[0, 0, -1, 2, 0, 0, 1, -3]> : tensor<8xi64>",
            "%zero = hfloat.constant dense<0.0> : tensor<f32>",
            "%all = hfloat.constant dense<[0, 1, 2, 3]> : tensor<4xi64>",
            "%a = hfloat.conv %x, %w {POINT} : (tensor<1x3x6x6xf32>, tensor<3x3x1x1xf32>) -> $",
            "%b = hfloat.pad %a, %pads, %zero, %all : ($, tensor<8xi64>, tensor<f32>, tensor<4xi64>) -> $",
        ],
        "a",
        &["bpu"],
        (1.0, 0.05),
    );
}

#[test]
fn indices_that_are_fed_go_to_the_cpu() {
    check_network(
        "%x: tensor<1x3x4x4xf32>, %i: tensor<3xi64>",
        "%c",
        &[
            "%w = @(2x3x1x1)",
            "%v = @(2x2x1x1)",
            "%a = hfloat.conv %x, %w {POINT} : (tensor<1x3x4x4xf32>, tensor<2x3x1x1xf32>) -> $",
            "%b = hfloat.gather %a, %i {axis = 2 : si64} : ($, tensor<3xi64>) -> $",
            "%c = hfloat.conv %b, %v {POINT} : ($, tensor<2x2x1x1xf32>) -> $",
        ],
        "c",
        &["bpu", "cpu", "bpu"],
        (2.0, 0.1),
    );
}

#[test]
fn volumes_go_to_the_cpu() {
    check_network(
        "%x: tensor<1x2x3x4x4xf32>",
        "%b",
        &[
            "%w = @(2x2x2x2x2)",
            "%a = hfloat.conv %x, %w {strides = array<i64: 1, 1, 1>, pads = array<i64: 0, 0, 0, 0, 0, 0>, dilations = array<i64: 1, 1, 1>} : (tensor<1x2x3x4x4xf32>, tensor<2x2x2x2x2xf32>) -> $",
            "%b = hfloat.relu %a : ($) -> $",
        ],
        "a",
        &["cpu"],
        (0.0, 0.0),
    );
}

#[test]
fn a_branch_on_the_cpu_beside_one_on_the_bpu() {
    check_network(
        "%x: tensor<1x3x4x4xf32>",
        "%e, %b, %b",
        &[
            "%w = @(3x3x1x1)",
            "%a = hfloat.lrn %x {size = 3 : si64} : (tensor<1x3x4x4xf32>) -> $",
            "%b = hfloat.conv %x, %w {POINT} : (tensor<1x3x4x4xf32>, tensor<3x3x1x1xf32>) -> $",
            "%c = hfloat.add %a, %b : ($, $) -> $",
            "%d = hfloat.lrn %c {size = 3 : si64} : ($) -> $",
            "%e = hfloat.mul %d, %x : ($, tensor<1x3x4x4xf32>) -> $",
        ],
        "e",
        &["bpu", "cpu", "bpu", "cpu", "bpu"],
        (6.0, 0.2),
    );
}

#[test]
fn constants_as_operands() {
    check_network(
        "%x: tensor<2x3xf32>",
        "%d",
        &[
            "%c = @(1x3)",
            "%k = @(2x2)",
            "%a = hfloat.add %c, %x : (tensor<1x3xf32>, tensor<2x3xf32>) -> $",
            "%b = hfloat.concat %a, %k {axis = 1 : si64} : ($, tensor<2x2xf32>) -> $",
            "%d = hfloat.mul %b, %b : ($, $) -> $",
        ],
        "d",
        &["bpu", "cpu", "bpu"],
        (2.0, 0.2),
    );
}

#[test]
fn what_the_cpu_gives_is_moved_by_the_bpu() {
    check_network(
        "%x: tensor<2x6xf32>",
        "%d, %e",
        &[
            "%s = hfloat.constant dense<[3, -1]> : tensor<2xi64>",
            "%k = @(3x4)",
            "%a = hfloat.lrn %x {size = 3 : si64} : (tensor<2x6xf32>) -> $",
            "%b = hfloat.reshape %a, %s : ($, tensor<2xi64>) -> $",
            "%d = hfloat.add %b, %k : ($, tensor<3x4xf32>) -> $",
            "%e = hfloat.transpose %b {perm = array<i64: 1, 0>} : ($) -> $",
        ],
        "d",
        &["cpu", "bpu"],
        (1.0, 0.1),
    );
}

#[test]
fn a_channel_of_zeros_and_a_large_bias() {
    check_network(
        "%x: tensor<1x2x3x3xf32>",
        "%a",
        &[
            "%w = hfloat.constant dense<[[[[0.0]], [[0.0]]], [[[0.5]], [[-1.0]]], [[[1.0e-3]], [[2.0e-3]]]]> : tensor<3x2x1x1xf32>",
            "%b = hfloat.constant dense<[2.0, -0.5, 1.5]> : tensor<3xf32>",
            "%a = hfloat.conv %x, %w, %b {POINT} : (tensor<1x2x3x3xf32>, tensor<3x2x1x1xf32>, tensor<3xf32>) -> $",
        ],
        "a",
        &["bpu"],
        (1.0, 0.05),
    );
}

/// Weights that training gave up would ask for scales that no multiplier reaches and for a bias of more than 32 bits.
#[test]
fn channels_that_only_their_bias_fills() {
    check_network(
        "%x: tensor<1x2x3x3xf32>",
        "%c",
        &[
            "%w = hfloat.constant dense<[[[[1.0e-30]], [[-2.0e-30]]], [[[0.5]], [[-1.0]]], [[[1.0e-9]], [[2.0e-12]]]]> : tensor<3x2x1x1xf32>",
            "%b = hfloat.constant dense<[0.75, -0.5, 0.0]> : tensor<3xf32>",
            "%v = @(2x3x1x1)",
            "%a = hfloat.conv %x, %w, %b {POINT} : (tensor<1x2x3x3xf32>, tensor<3x2x1x1xf32>, tensor<3xf32>) -> $",
            "%c = hfloat.conv %a, %v {POINT} : ($, tensor<2x3x1x1xf32>) -> $",
        ],
        "c",
        &["bpu"],
        (1.0, 0.05),
    );
}

/// What quantization leaves to floats runs in floats, also between operations that are quantized for other reasons: the second
/// convolution makes the operand of the pad or resize an integer, the last one its result.
#[test]
fn float_forms_between_integers_go_to_the_cpu() {
    let float_forms: [&[&str]; 3] = [
        &[
            "%pads = hfloat.constant dense<[0, 0, 1, 1, 0, 0, 1, 1]> : tensor<8xi64>",
            "%value = hfloat.constant dense<1.5> : tensor<f32>",
            "%all = hfloat.constant dense<[0, 1, 2, 3]> : tensor<4xi64>",
            "%b = hfloat.pad %a, %pads, %value, %all : ($, tensor<8xi64>, tensor<f32>, tensor<4xi64>) -> $",
        ],
        &[
            "%sizes = hfloat.constant dense<[1, 3, 8, 8]> : tensor<4xi64>",
            "%none = hfloat.constant dense<> : tensor<0xf32>",
            "%b = hfloat.resize %a, %none, %none, %sizes {mode = \"cubic\", coordinate_transformation_mode = \"half_pixel\"} : ($, tensor<0xf32>, tensor<0xf32>, tensor<4xi64>) -> $",
        ],
        &[
            "%sizes = hfloat.constant dense<[1, 3, 8, 8]> : tensor<4xi64>",
            "%none = hfloat.constant dense<> : tensor<0xf32>",
            "%roi = hfloat.constant dense<[0.0, 0.0, -0.5, -0.5, 1.0, 1.0, 1.5, 1.5]> : tensor<8xf32>",
            "%b = hfloat.resize %a, %roi, %none, %sizes {mode = \"nearest\", coordinate_transformation_mode = \"tf_crop_and_resize\", extrapolation_value = 1.5 : f32} : ($, tensor<8xf32>, tensor<0xf32>, tensor<4xi64>) -> $",
        ],
    ];
    for lines in float_forms {
        let mut all = vec![
            "%w = @(3x3x3x3)",
            "%v = @(2x3x1x1)",
            "%a = hfloat.conv %x, %w {SAME_3X3} : (tensor<1x3x4x4xf32>, tensor<3x3x3x3xf32>) -> $",
            "%d = hfloat.conv %a, %v {POINT} : ($, tensor<2x3x1x1xf32>) -> $",
        ];
        all.extend(lines);
        all.push("%c = hfloat.conv %b, %v {POINT} : ($, tensor<2x3x1x1xf32>) -> $");
        check_network("%x: tensor<1x3x4x4xf32>", "%d, %c", &all, "c", &["bpu", "cpu", "bpu"], (1.0, 0.1));
    }
}
