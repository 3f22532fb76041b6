//! The checks that follow from the row of an operator.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use hb_dialects::registry::{DefaultValue, OnnxKind, OnnxOperator};

/// The first operator set whose forms are read. Of older ones those operators are that it did not change.
const FIRST_OPSET: i64 = 6;

/// Checks a node against the form that the operator has in `opset`; cuts absent inputs and outputs off the end.
pub fn check(operator: &OnnxOperator, node: &mut Node, opset: i64) -> Result<(), OnnxError> {
    let Some(inputs) = operator.inputs_at(opset) else {
        let first = operator.versions.first().copied().unwrap_or_default();
        return Err(OnnxError::node(node, format!("the operator exists since opset {first}, the model uses {opset}")));
    };
    if opset < FIRST_OPSET && operator.version_at(opset) != operator.version_at(FIRST_OPSET) {
        let reason = format!("its form of opset {opset} is not supported, that of {FIRST_OPSET} and later is");
        return Err(OnnxError::node(node, reason));
    }
    trim(&mut node.inputs);
    trim(&mut node.outputs);
    let required = node.inputs.iter().take(inputs.least).filter(|name| !name.is_empty()).count();
    if required < inputs.least {
        return Err(OnnxError::node(node, format!("it needs {} inputs, {required} are given", inputs.least)));
    }
    if node.inputs.len() > inputs.most {
        let reason = format!("it takes {} inputs in opset {opset}, {} are given", inputs.most, node.inputs.len());
        return Err(OnnxError::node(node, reason));
    }
    if node.outputs.is_empty() || node.outputs.len() > operator.outputs {
        let reason = format!("it has {} outputs, 1 to {} are possible", node.outputs.len(), operator.outputs);
        return Err(OnnxError::node(node, reason));
    }
    for (name, value) in &node.attributes {
        let Some(row) = operator.attribute_at(name, opset) else {
            return Err(OnnxError::node(node, format!("attribute {name:?} does not exist in opset {opset}")));
        };
        check_kind(row.kind, value).map_err(|reason| OnnxError::node(node, format!("attribute {name:?} {reason}")))?;
    }
    let mut attributes = operator.attributes.iter().filter(|row| row.required && row.applies(opset));
    match attributes.find(|row| node.attribute(row.name).is_none()) {
        Some(row) => Err(OnnxError::node(node, format!("attribute {:?} is missing", row.name))),
        None => Ok(()),
    }
}

/// Gives every attribute of the normal form that is absent and has a default that default.
pub fn fill_defaults(operator: &OnnxOperator, node: &mut Node, opset: i64) {
    for row in operator.dialect_attributes(opset) {
        if let Some(default) = row.default
            && node.attribute(row.name).is_none()
        {
            node.set_attribute(row.name, default_attribute(default));
        }
    }
}

/// A default as ONNX writes it.
pub fn default_attribute(default: DefaultValue) -> Attribute {
    match default {
        DefaultValue::Float(value) => Attribute::Float(value),
        DefaultValue::Int(value) => Attribute::Int(value),
        DefaultValue::Flag(value) => Attribute::Int(value.into()),
        DefaultValue::Choice(word) => Attribute::String(word.as_bytes().to_vec()),
    }
}

fn trim(names: &mut Vec<String>) {
    let used = names.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
    names.truncate(used);
}

fn check_kind(kind: OnnxKind, value: &Attribute) -> Result<(), String> {
    let kind = match (kind, value) {
        (OnnxKind::Float, Attribute::Float(_))
        | (OnnxKind::Int, Attribute::Int(_))
        | (OnnxKind::Flag, Attribute::Int(0 | 1))
        | (OnnxKind::Ints, Attribute::Ints(_))
        | (OnnxKind::Floats, Attribute::Floats(_))
        | (OnnxKind::Tensor, Attribute::Tensor(_))
        | (OnnxKind::Graph, Attribute::Graph(_))
        | (OnnxKind::Strings, Attribute::Strings(_))
        | (OnnxKind::Any, _) => return Ok(()),
        (OnnxKind::Flag, Attribute::Int(value)) => {
            return Err(format!("is {value}, possible are 0 and 1"));
        }
        (OnnxKind::Choice(choices), Attribute::String(text)) => {
            return if choices.iter().any(|choice| choice.as_bytes() == text.as_slice()) {
                Ok(())
            } else {
                let text = String::from_utf8_lossy(text);
                Err(format!("is {text:?}, possible are {}", choices.join(", ")))
            };
        }
        (OnnxKind::Float, _) => "FLOAT",
        (OnnxKind::Int | OnnxKind::Flag, _) => "INT",
        (OnnxKind::Ints, _) => "INTS",
        (OnnxKind::Floats, _) => "FLOATS",
        (OnnxKind::Tensor, _) => "TENSOR",
        (OnnxKind::Graph, _) => "GRAPH",
        (OnnxKind::Strings, _) => "STRINGS",
        (OnnxKind::Choice(_), _) => "STRING",
    };
    Err(format!("is {}, it must be {kind}", value.kind()))
}
