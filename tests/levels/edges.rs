//! The type is on the edge: readers see one value as int8, as int16 and as float.

use super::{check_ranges, forms::network};
use hb::quant::ThresholdRange;

/// Takes a network through the levels in which the value `%a` is int16 with twice its range, and gives its QDQ form to `look`.
fn check_wide(inputs: &str, returned: &str, lines: &[&str], segments: &[&str], look: &dyn Fn(&str)) {
    let range = |name: &str, threshold: f64| match name {
        "a" | "x" => ThresholdRange { bits: 16, narrow_threshold: Some(threshold), ..(2.0 * threshold).into() },
        _ => threshold.into(),
    };
    let rewrite = |text: String| {
        look(&text);
        text
    };
    let text = network(inputs, returned, lines);
    check_ranges(&text, returned.trim_start_matches('%'), Some(segments), (1.0, 0.05), 127.0, (&rewrite, &range));
}

/// The types of operands of an operation in the text of a QDQ form, by the bits of the casts that they come from; 0 for others.
fn bits_of_operands(text: &str, operation: &str) -> Vec<u32> {
    let definition = |value: &str| text.lines().find(|line| line.trim_start().starts_with(&format!("{value} = ")));
    let line = text.lines().find(|line| line.contains(operation)).unwrap();
    let operands = line.split(operation).nth(1).unwrap().split([':', '{', '<']).next().unwrap();
    let bits = operands.split(',').map(|operand| {
        let cast = definition(operand.trim()).filter(|line| line.contains("quant.dcast"));
        let bits = cast.and_then(|line| line.split("quant.uniform<i").nth(1));
        bits.map_or(0, |bits| bits.split(':').next().unwrap().parse().unwrap())
    });
    bits.collect()
}

const LINES: [&str; 6] = [
    "%w = @(4x3x3x3)",
    "%v = @(2x4x1x1)",
    "%a = hfloat.conv %x, %w {SAME_3X3} : (tensor<1x3x6x6xf32>, tensor<4x3x3x3xf32>) -> $",
    // The second operand of a product is int8, a convolution takes int16, an LRN runs on the CPU.
    "%m = hfloat.mat_mul %y, %a : (tensor<1x4x6x6xf32>, $) -> $",
    "%b = hfloat.conv %a, %v {POINT} : ($, tensor<2x4x1x1xf32>) -> $",
    "%s = hfloat.lrn %a {size = 3 : si64} : ($) -> $",
];

#[test]
fn one_value_in_three_types() {
    let inputs = "%x: tensor<1x3x6x6xf32>, %y: tensor<1x4x6x6xf32>";
    let look = |text: &str| {
        assert_eq!(bits_of_operands(text, "hfloat.mat_mul"), [8, 8], "{text}");
        assert_eq!(bits_of_operands(text, "hfloat.lrn"), [16], "{text}");
        assert!(text.contains("quant.uniform<i16"), "{text}");
    };
    for (returned, segments) in [("%m", &["bpu", "cpu"][..]), ("%b", &["bpu", "cpu"]), ("%s", &["bpu", "cpu"])] {
        check_wide(inputs, returned, &LINES, segments, &look);
    }
}

/// Not made of integers: every type is quantized from the float itself.
#[test]
fn an_input_in_three_types() {
    let lines = [
        "%m = hfloat.mat_mul %y, %x : (tensor<1x3x6x6xf32>, tensor<1x3x6x6xf32>) -> $",
        "%v = @(2x3x1x1)",
        "%b = hfloat.conv %x, %v {POINT} : (tensor<1x3x6x6xf32>, tensor<2x3x1x1xf32>) -> $",
        "%s = hfloat.lrn %x {size = 3 : si64} : (tensor<1x3x6x6xf32>) -> $",
    ];
    let look = |text: &str| {
        assert_eq!(bits_of_operands(text, "hfloat.mat_mul"), [8, 8], "{text}");
        assert_eq!(bits_of_operands(text, "hfloat.lrn"), [0], "{text}");
    };
    for returned in ["%m", "%b"] {
        let inputs = "%x: tensor<1x3x6x6xf32>, %y: tensor<1x3x6x6xf32>";
        check_wide(inputs, returned, &lines, &["bpu", "cpu"], &look);
    }
}

/// Readers in other segments of the BPU make their types of what they are given.
#[test]
fn types_across_segments() {
    let lines = [
        "%w = @(4x4x1x1)",
        "%a = hfloat.conv %x, %w {POINT} : (tensor<1x4x6x6xf32>, tensor<4x4x1x1xf32>) -> $",
        "%s = hfloat.lrn %a {size = 3 : si64} : ($) -> $",
        "%m = hfloat.mat_mul %s, %a : ($, $) -> $",
    ];
    let look = |text: &str| assert_eq!(bits_of_operands(text, "hfloat.mat_mul"), [8, 8], "{text}");
    check_wide("%x: tensor<1x4x6x6xf32>", "%m", &lines, &["bpu", "cpu", "bpu"], &look);
}

/// Asked for by an attribute.
#[test]
fn types_that_are_asked_for() {
    let lines = [
        "%w = @(4x4x1x1)",
        "%a = hfloat.conv %x, %w {POINT} : (tensor<1x4x6x6xf32>, tensor<4x4x1x1xf32>) -> $",
        "%b = hfloat.conv %a, %w {POINT, hfloat.operand_bits = array<i64: 8>} : ($, tensor<4x4x1x1xf32>) -> $",
        "%c = hfloat.conv %a, %w {POINT} : ($, tensor<4x4x1x1xf32>) -> $",
        "%d = hfloat.add %b, %c {hfloat.operand_bits = array<i64: 0, 16>} : ($, $) -> $",
    ];
    let look = |text: &str| assert_eq!(bits_of_operands(text, "hfloat.add"), [8, 16], "{text}");
    check_wide("%x: tensor<1x4x6x6xf32>", "%d", &lines, &["bpu"], &look);
}
