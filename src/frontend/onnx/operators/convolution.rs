//! Conv.

use super::rule::{Kind, Operator, ResultElement, attribute, inputs, keep};

/// How ONNX spells automatic padding.
pub const AUTO_PAD: Kind = Kind::Choice(&["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]);

pub const OPERATORS: &[Operator] = &[Operator {
    name: "Conv",
    dialect: "hfloat.conv",
    versions: &[1, 11, 22],
    inputs: &[inputs(2, 3)],
    attributes: &[
        attribute("auto_pad", AUTO_PAD).string("NOTSET"),
        attribute("dilations", Kind::Ints),
        attribute("group", Kind::Int).int(1),
        attribute("kernel_shape", Kind::Ints),
        attribute("pads", Kind::Ints),
        attribute("strides", Kind::Ints),
    ],
    results: &[ResultElement::Input(0)],
    adapt: keep,
}];
