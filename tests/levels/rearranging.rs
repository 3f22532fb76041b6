//! Operators that cut, repeat and regroup: exact on the BPU, at the scale of their input.

use super::forms::check_network;

#[test]
fn splits_and_tiles() {
    check_network(
        "%x: tensor<2x3x4x5xf32>",
        "%t, %e, %s",
        &[
            "%w = @(6x3x1x1)",
            "%parts = hfloat.constant dense<[1, 3, 2]> : tensor<3xi64>",
            "%repeats = hfloat.constant dense<[1, 2, 3, 2]> : tensor<4xi64>",
            "%shape = hfloat.constant dense<[2, 1, 3, 4, 5]> : tensor<5xi64>",
            "%axes = hfloat.constant dense<[-3]> : tensor<1xi64>",
            "%c = hfloat.conv %x, %w {POINT} : (tensor<2x3x4x5xf32>, tensor<6x3x1x1xf32>) -> $",
            "%a:3 = hfloat.split %c, %parts {axis = 1 : si64} : ($, tensor<3xi64>) -> ($, $, $)",
            "%b:2 = hfloat.split %c {axis = -1 : si64} : ($) -> ($, $)",
            "%p = hfloat.add %a#1, %a#0 : ($, $) -> $",
            "%t = hfloat.tile %b#1, %repeats : ($, tensor<4xi64>) -> $",
            "%e = hfloat.expand %p, %shape : ($, tensor<5xi64>) -> $",
            "%s = hfloat.squeeze %a#0, %axes : ($, tensor<1xi64>) -> $",
        ],
        "c",
        &["bpu"],
        (2.0, 0.1),
    );
}

#[test]
fn blocks_of_pixels() {
    let mut lines = vec![
        "%w = @(8x2x3x3)".to_owned(),
        "%c = hfloat.conv %x, %w {SAME_3X3} : (tensor<2x2x4x6xf32>, tensor<8x2x3x3xf32>) -> $".to_owned(),
        "%s = hfloat.space_to_depth %c {blocksize = 2 : si64} : ($) -> $".to_owned(),
    ];
    for (name, mode) in [("d", "DCR"), ("e", "CRD")] {
        lines
            .push(format!("%{name} = hfloat.depth_to_space %c {{blocksize = 2 : si64, mode = \"{mode}\"}} : ($) -> $"));
    }
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    check_network("%x: tensor<2x2x4x6xf32>", "%s, %d, %e", &lines, "c", &["bpu"], (1.0, 0.05));
}

/// Statistics of the input itself need more than 8 bits between the steps.
#[test]
fn normalizations_run_on_the_float_engine() {
    check_network(
        "%x: tensor<1x4x4x6xf32>",
        "%b",
        &[
            "%w = @(4x4x1x1)",
            "%s = @(4)",
            "%t = @(4)",
            "%a = hfloat.conv %x, %w {POINT} : (tensor<1x4x4x6xf32>, tensor<4x4x1x1xf32>) -> $",
            "%n = hfloat.instance_normalization %a, %s, %t : ($, tensor<4xf32>, tensor<4xf32>) -> $",
            "%b = hfloat.conv %n, %w {POINT} : ($, tensor<4x4x1x1xf32>) -> $",
        ],
        "b",
        &["bpu"],
        (3.0, 0.5),
    );
}
