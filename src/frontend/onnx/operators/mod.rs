//! Every ONNX operator that the compiler reads, as data: one [`Operator`] each, one file per family.
//!
//! A row says which forms of the operator exist from opset 7 to 22 (inputs and attributes by version), how an older form
//! becomes that of opset 22 ([`Operator::adapt`]), and what it is called in the `hfloat` dialect. Reading, checking, import
//! and export all work from these rows.

// These tables are to become fields of the records of `tablegen/hfloat`.
#![allow(missing_docs)]

mod constant;
mod convolution;
mod elementwise;
mod layout;
mod linear;
mod logic;
mod normalization;
mod pooling;
mod rearrange;
mod reduction;
mod resize;
mod rule;
pub mod shape;
mod softmax;
mod statistics;
pub mod window;

pub use rule::{AttributeRule, Default, Inputs, Kind, Operator, ResultElement};

/// All operators, by family.
const FAMILIES: &[&[Operator]] = &[
    constant::OPERATORS,
    convolution::OPERATORS,
    elementwise::OPERATORS,
    layout::OPERATORS,
    linear::OPERATORS,
    logic::OPERATORS,
    normalization::OPERATORS,
    pooling::OPERATORS,
    rearrange::OPERATORS,
    resize::OPERATORS,
    reduction::OPERATORS,
    softmax::OPERATORS,
    statistics::OPERATORS,
];

/// Every operator of the table.
pub fn all() -> impl Iterator<Item = &'static Operator> {
    FAMILIES.iter().copied().flatten()
}

/// Row of an operator of the default domain, by its ONNX name.
pub fn find(name: &str) -> Option<&'static Operator> {
    all().find(|operator| operator.name == name)
}

/// Row of an operator of the `hfloat` dialect (`hfloat.conv`).
pub fn find_dialect(name: &str) -> Option<&'static Operator> {
    all().find(|operator| operator.dialect == name && !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn rows_are_consistent() {
        let mut names = HashSet::new();
        for operator in all() {
            assert!(names.insert(operator.name), "{} twice", operator.name);
            assert!(
                operator.versions.is_sorted() && operator.versions.iter().all(|version| (1..=22).contains(version))
            );
            assert!(operator.inputs.is_sorted_by_key(|inputs| inputs.since), "{}", operator.name);
            assert!(operator.inputs.iter().all(|inputs| inputs.least <= inputs.most));
            assert!(!operator.results.is_empty());
            for rule in operator.attributes {
                assert!(rule.since <= rule.until, "{} {}", operator.name, rule.name);
                assert!(!(rule.required && rule.default.is_some()), "{} {}", operator.name, rule.name);
            }
        }
    }

    /// Attribute rules of one name must not overlap in versions, or the first would hide the second.
    #[test]
    fn attribute_rules_do_not_overlap() {
        for operator in all() {
            for (index, rule) in operator.attributes.iter().enumerate() {
                for other in operator.attributes.iter().skip(index + 1) {
                    let apart = rule.until < other.since || other.until < rule.since;
                    assert!(rule.name != other.name || apart, "{} {}", operator.name, rule.name);
                }
            }
        }
    }
}
