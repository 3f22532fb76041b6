//! The form of a row of the operator table, and the checks that follow from it.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::super::tensor::ElementType;
use super::shape::ShapeRule;

/// One ONNX operator.
pub struct Operator {
    /// `op_type` of ONNX.
    pub name: &'static str,
    /// Operation of the `hfloat` dialect, whose operands and results are those of ONNX in order; empty: [`Operator::adapt`]
    /// makes it of other operators.
    pub dialect: &'static str,
    /// Versions of the default operator set that changed the operator, up to 22.
    pub versions: &'static [i64],
    /// Number of inputs, by version.
    pub inputs: &'static [Inputs],
    pub attributes: &'static [AttributeRule],
    /// Element type of each output; as many as ONNX defines at most in any version.
    pub results: &'static [ResultElement],
    /// What is known of the shape of the first output, in the normal form.
    pub shape: ShapeRule,
    /// Appends the form of opset 22 to the rewriter. The node is checked against this row and has no trailing absent inputs.
    pub adapt: fn(&mut Rewriter, Node) -> Result<(), OnnxError>,
}

/// Inputs that an operator takes from a version on.
pub struct Inputs {
    pub since: i64,
    /// Inputs that must be present.
    pub least: usize,
    /// `usize::MAX`: any number.
    pub most: usize,
}

pub struct AttributeRule {
    pub name: &'static str,
    pub kind: Kind,
    pub since: i64,
    /// Last version that has the attribute.
    pub until: i64,
    pub required: bool,
    pub default: Option<Default>,
    /// Attribute of the `hfloat` operation; empty: it has none, because [`Operator::adapt`] consumes it or the types say it.
    pub dialect: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Float,
    Int,
    /// 0 or 1.
    Flag,
    Ints,
    Floats,
    Tensor,
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// Any kind: the adapt function looks at it.
    Any,
}

#[derive(Clone, Copy, Debug)]
pub enum Default {
    Float(f32),
    Int(i64),
    String(&'static str),
}

/// Where the element type of a result comes from.
#[derive(Clone, Copy, Debug)]
pub enum ResultElement {
    /// That of the input with this number.
    Input(usize),
    Fixed(ElementType),
    /// An INT attribute holds its number.
    Code(&'static str),
    /// That of a TENSOR attribute; FLOAT without it.
    Tensor(&'static str),
}

/// The form of the operator does not change between opset 7 and 22, or only in the element types that it takes.
pub fn keep(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    rewriter.push(node)
}

/// `least` to `most` inputs in every version.
pub const fn inputs(least: usize, most: usize) -> Inputs {
    since(1, least, most)
}

pub const fn since(since: i64, least: usize, most: usize) -> Inputs {
    Inputs { since, least, most }
}

/// An attribute of every version, with the same name in the dialect.
pub const fn attribute(name: &'static str, kind: Kind) -> AttributeRule {
    AttributeRule { name, kind, since: 1, until: 22, required: false, default: None, dialect: name }
}

impl AttributeRule {
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub const fn since(mut self, version: i64) -> Self {
        self.since = version;
        self
    }

    pub const fn until(mut self, version: i64) -> Self {
        self.until = version;
        self
    }

    pub const fn int(mut self, default: i64) -> Self {
        self.default = Some(Default::Int(default));
        self
    }

    pub const fn float(mut self, default: f32) -> Self {
        self.default = Some(Default::Float(default));
        self
    }

    pub const fn string(mut self, default: &'static str) -> Self {
        self.default = Some(Default::String(default));
        self
    }

    /// The dialect does not have the attribute.
    pub const fn consumed(mut self) -> Self {
        self.dialect = "";
        self
    }

    fn applies(&self, opset: i64) -> bool {
        (self.since..=self.until).contains(&opset)
    }
}

impl Operator {
    /// Number of inputs in `opset`.
    pub fn inputs_at(&self, opset: i64) -> Option<&'static Inputs> {
        self.inputs.iter().rev().find(|inputs| inputs.since <= opset)
    }

    pub fn attribute_at(&self, name: &str, opset: i64) -> Option<&'static AttributeRule> {
        self.attributes.iter().find(|rule| rule.name == name && rule.applies(opset))
    }

    /// Checks a node against the form that the operator has in `opset`; cuts absent inputs and outputs off the end.
    pub fn check(&self, node: &mut Node, opset: i64) -> Result<(), OnnxError> {
        let Some(inputs) = self.inputs_at(opset).filter(|_| self.versions.first().is_some_and(|first| *first <= opset))
        else {
            let first = self.versions.first().copied().unwrap_or_default();
            return Err(OnnxError::node(
                node,
                format!("the operator exists since opset {first}, the model uses {opset}"),
            ));
        };
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
        if node.output(0).is_none() || node.outputs.len() > self.results.len() {
            let reason = format!("it has {} outputs, 1 to {} are possible", node.outputs.len(), self.results.len());
            return Err(OnnxError::node(node, reason));
        }
        for (name, value) in &node.attributes {
            let Some(rule) = self.attribute_at(name, opset) else {
                return Err(OnnxError::node(node, format!("attribute {name:?} does not exist in opset {opset}")));
            };
            rule.kind.check(value).map_err(|reason| OnnxError::node(node, format!("attribute {name:?} {reason}")))?;
        }
        let missing =
            |rule: &&AttributeRule| rule.required && rule.applies(opset) && node.attribute(rule.name).is_none();
        match self.attributes.iter().find(missing) {
            Some(rule) => Err(OnnxError::node(node, format!("attribute {:?} is missing", rule.name))),
            None => Ok(()),
        }
    }

    /// Gives every attribute of the normal form that is absent and has a default that default.
    pub fn fill_defaults(&self, node: &mut Node, opset: i64) {
        for rule in self.attributes.iter().filter(|rule| rule.applies(opset) && !rule.dialect.is_empty()) {
            if let Some(default) = rule.default
                && node.attribute(rule.name).is_none()
            {
                node.set_attribute(rule.name, default.attribute());
            }
        }
    }

    /// Rules of the normal form's attributes that the dialect has.
    pub fn dialect_attributes(&self, opset: i64) -> impl Iterator<Item = &'static AttributeRule> {
        self.attributes.iter().filter(move |rule| rule.applies(opset) && !rule.dialect.is_empty())
    }
}

impl Default {
    pub fn attribute(self) -> Attribute {
        match self {
            Self::Float(value) => Attribute::Float(value),
            Self::Int(value) => Attribute::Int(value),
            Self::String(value) => Attribute::String(value.as_bytes().to_vec()),
        }
    }
}

fn trim(names: &mut Vec<String>) {
    let used = names.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
    names.truncate(used);
}

impl Kind {
    fn check(self, value: &Attribute) -> Result<(), String> {
        let kind = match (self, value) {
            (Self::Float, Attribute::Float(_))
            | (Self::Int, Attribute::Int(_))
            | (Self::Flag, Attribute::Int(0 | 1))
            | (Self::Ints, Attribute::Ints(_))
            | (Self::Floats, Attribute::Floats(_))
            | (Self::Tensor, Attribute::Tensor(_))
            | (Self::Any, _) => return Ok(()),
            (Self::Flag, Attribute::Int(value)) => {
                return Err(format!("is {value}, possible are 0 and 1"));
            }
            (Self::Choice(choices), Attribute::String(text)) => {
                return if choices.iter().any(|choice| choice.as_bytes() == text.as_slice()) {
                    Ok(())
                } else {
                    let text = String::from_utf8_lossy(text);
                    Err(format!("is {text:?}, possible are {}", choices.join(", ")))
                };
            }
            (Self::Float, _) => "FLOAT",
            (Self::Int | Self::Flag, _) => "INT",
            (Self::Ints, _) => "INTS",
            (Self::Floats, _) => "FLOATS",
            (Self::Tensor, _) => "TENSOR",
            (Self::Choice(_), _) => "STRING",
        };
        Err(format!("is {}, it must be {kind}", value.kind()))
    }
}
