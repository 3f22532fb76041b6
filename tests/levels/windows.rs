//! Every geometry of a convolution: groups, depthwise, dilations, automatic and asymmetric pads, one and two dimensions.

use super::forms::check_network;

/// A network of one convolution after another, so that the first one's result is rounded to int8.
fn check_convolution(input: &str, weight: &str, attributes: &str) {
    let lines = [
        format!("%w = @({weight})"),
        format!("%a = hfloat.conv %x, %w {{{attributes}}} : (tensor<{input}xf32>, tensor<{weight}xf32>) -> $"),
        "%b = hfloat.relu %a : ($) -> $".to_owned(),
        "%c = hfloat.add %b, %a : ($, $) -> $".to_owned(),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    check_network(&format!("%x: tensor<{input}xf32>"), "%c", &lines, "c", &["bpu"], (2.0, 0.1));
}

fn attributes(strides: &[usize], dilations: &[usize], pads: &[usize], more: &str) -> String {
    let list = |values: &[usize]| {
        let values: Vec<String> = values.iter().map(usize::to_string).collect();
        format!("array<i64: {}>", values.join(", "))
    };
    format!("strides = {}, dilations = {}, pads = {}{more}", list(strides), list(dilations), list(pads))
}

#[test]
fn two_dimensions() {
    for padding in ["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"] {
        for (weight, more) in [("6x4x3x2", ""), ("6x2x2x3", ", group = 2 : si64"), ("8x1x3x3", ", group = 4 : si64")] {
            let more = format!("{more}, auto_pad = #hfloat.auto_pad<{padding}>");
            check_convolution("1x4x9x8", weight, &attributes(&[2, 1], &[1, 2], &[0, 2, 1, 0], &more));
        }
    }
}

#[test]
fn one_dimension() {
    for padding in ["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"] {
        for (weight, more) in [("6x4x4", ""), ("6x2x3", ", group = 2 : si64"), ("4x1x5", ", group = 4 : si64")] {
            let more = format!("{more}, auto_pad = #hfloat.auto_pad<{padding}>");
            check_convolution("2x4x13", weight, &attributes(&[2], &[2], &[3, 1], &more));
        }
    }
}
