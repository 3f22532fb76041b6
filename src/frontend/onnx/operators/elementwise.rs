//! Operators that work element by element, with multidirectional broadcasting where they take two inputs (since opset 7;
//! the `axis` and `broadcast` attributes of older ones are out of reach).

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::super::tensor::Tensor;
use super::rule::{AttributeRule, Inputs, Kind, Operator, ResultElement, attribute, inputs, keep, since};
use super::shape;

const SAME: &[ResultElement] = &[ResultElement::Input(0)];
const ONE: &[Inputs] = &[inputs(1, 1)];
const TWO: &[Inputs] = &[inputs(2, 2)];
const ANY: &[Inputs] = &[inputs(1, usize::MAX)];

/// A function of one tensor.
const fn unary(
    name: &'static str,
    dialect: &'static str,
    versions: &'static [i64],
    attributes: &'static [AttributeRule],
) -> Operator {
    Operator { name, dialect, versions, inputs: ONE, attributes, results: SAME, shape: shape::same, adapt: keep }
}

/// A function of two tensors that broadcast.
const fn binary(name: &'static str, dialect: &'static str, versions: &'static [i64]) -> Operator {
    let shape = shape::broadcast;
    Operator { name, dialect, versions, inputs: TWO, attributes: &[], results: SAME, shape, adapt: keep }
}

/// A function of any number of tensors that broadcast, which becomes one of pairs.
const fn variadic(
    name: &'static str,
    dialect: &'static str,
    versions: &'static [i64],
    adapt: fn(&mut Rewriter, Node) -> Result<(), OnnxError>,
) -> Operator {
    let shape = shape::broadcast;
    Operator { name, dialect, versions, inputs: ANY, attributes: &[], results: SAME, shape, adapt }
}

/// A FLOAT attribute of every version.
const fn float(name: &'static str, default: f32) -> AttributeRule {
    attribute(name, Kind::Float).float(default)
}

pub const OPERATORS: &[Operator] = &[
    unary("Abs", "hfloat.abs", &[1, 6, 13], &[]),
    unary("Acos", "hfloat.acos", &[7, 22], &[]),
    unary("Acosh", "hfloat.acosh", &[9, 22], &[]),
    unary("Asin", "hfloat.asin", &[7, 22], &[]),
    unary("Asinh", "hfloat.asinh", &[9, 22], &[]),
    unary("Atan", "hfloat.atan", &[7, 22], &[]),
    unary("Atanh", "hfloat.atanh", &[9, 22], &[]),
    unary("Ceil", "hfloat.ceil", &[1, 6, 13], &[]),
    unary("Celu", "hfloat.celu", &[12], &[float("alpha", 1.0)]),
    unary("Cos", "hfloat.cos", &[7, 22], &[]),
    unary("Cosh", "hfloat.cosh", &[9, 22], &[]),
    unary("Elu", "hfloat.elu", &[1, 6, 22], &[float("alpha", 1.0)]),
    unary("Erf", "hfloat.erf", &[9, 13], &[]),
    unary("Exp", "hfloat.exp", &[1, 6, 13], &[]),
    unary("Floor", "hfloat.floor", &[1, 6, 13], &[]),
    unary("Gelu", "hfloat.gelu", &[20], &[attribute("approximate", Kind::Choice(&["none", "tanh"])).string("none")]),
    unary("HardSigmoid", "hfloat.hard_sigmoid", &[1, 6, 22], &[float("alpha", 0.2), float("beta", 0.5)]),
    unary("HardSwish", "hfloat.hard_swish", &[14, 22], &[]),
    unary("LeakyRelu", "hfloat.leaky_relu", &[1, 6, 16], &[float("alpha", 0.01)]),
    unary("Log", "hfloat.log", &[1, 6, 13], &[]),
    unary("Mish", "hfloat.mish", &[18, 22], &[]),
    unary("Neg", "hfloat.neg", &[1, 6, 13], &[]),
    unary("Reciprocal", "hfloat.reciprocal", &[1, 6, 13], &[]),
    unary("Relu", "hfloat.relu", &[1, 6, 13, 14], &[]),
    unary("Round", "hfloat.round", &[11, 22], &[]),
    unary("Selu", "hfloat.selu", &[1, 6, 22], &[float("alpha", 1.673_263_2), float("gamma", 1.050_701)]),
    unary("Shrink", "hfloat.shrink", &[9], &[float("lambd", 0.5), float("bias", 0.0)]),
    unary("Sigmoid", "hfloat.sigmoid", &[1, 6, 13], &[]),
    unary("Sign", "hfloat.sign", &[9, 13], &[]),
    unary("Sin", "hfloat.sin", &[7, 22], &[]),
    unary("Sinh", "hfloat.sinh", &[9, 22], &[]),
    unary("Softplus", "hfloat.softplus", &[1, 22], &[]),
    unary("Softsign", "hfloat.softsign", &[1, 22], &[]),
    unary("Sqrt", "hfloat.sqrt", &[1, 6, 13], &[]),
    unary("Tan", "hfloat.tan", &[7, 22], &[]),
    unary("Tanh", "hfloat.tanh", &[1, 6, 13], &[]),
    unary("ThresholdedRelu", "hfloat.thresholded_relu", &[10, 22], &[float("alpha", 1.0)]),
    binary("Add", "hfloat.add", &[1, 6, 7, 13, 14]),
    binary("Div", "hfloat.div", &[1, 6, 7, 13, 14]),
    binary("Mul", "hfloat.mul", &[1, 6, 7, 13, 14]),
    binary("Pow", "hfloat.pow", &[1, 7, 12, 13, 15]),
    binary("PRelu", "hfloat.p_relu", &[1, 6, 7, 9, 16]),
    binary("Sub", "hfloat.sub", &[1, 6, 7, 13, 14]),
    variadic("Max", "hfloat.max", &[1, 6, 8, 12, 13], |rewriter, node| chain(rewriter, node, "Max")),
    variadic("Min", "hfloat.min", &[1, 6, 8, 12, 13], |rewriter, node| chain(rewriter, node, "Min")),
    variadic("Sum", "", &[1, 6, 8, 13], |rewriter, node| chain(rewriter, node, "Add")),
    variadic("Mean", "", &[1, 6, 8, 13], adapt_mean),
    Operator {
        name: "Clip",
        dialect: "hfloat.clip",
        versions: &[1, 6, 11, 12, 13],
        // The bounds became inputs.
        inputs: &[inputs(1, 1), since(11, 1, 3)],
        attributes: &[
            attribute("min", Kind::Float).until(10).consumed(),
            attribute("max", Kind::Float).until(10).consumed(),
        ],
        results: SAME,
        shape: shape::same,
        adapt: adapt_clip,
    },
    Operator {
        name: "Identity",
        dialect: "hfloat.identity",
        versions: &[1, 13, 14, 16, 19, 21],
        inputs: &[inputs(1, 1)],
        attributes: &[],
        results: SAME,
        shape: shape::same,
        adapt: keep,
    },
    Operator {
        name: "Cast",
        dialect: "hfloat.cast",
        versions: &[1, 6, 9, 13, 19, 21],
        inputs: &[inputs(1, 1)],
        attributes: &[
            // The type of the result in the dialect.
            attribute("to", Kind::Int).required().consumed(),
            // Says how float8 overflows, and nothing else; float8 is not a type that we have.
            attribute("saturate", Kind::Flag).since(19).consumed(),
        ],
        results: &[ResultElement::Code("to")],
        shape: shape::same,
        adapt: |rewriter, mut node| {
            node.take_attribute("saturate");
            rewriter.push(node)
        },
    },
];

/// The normal form always has both bounds; an absent one is the end of the element type's range.
fn adapt_clip(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let element = rewriter.input_element(&node, 0)?;
    for (index, name) in [(1, "min"), (2, "max")] {
        let given = node.take_attribute(name);
        if node.input(index).is_some() {
            continue;
        }
        let bound = match given {
            Some(Attribute::Float(value)) => Tensor::scalar(element, value),
            _ if index == 1 => Tensor::lowest(element),
            _ => Tensor::highest(element),
        };
        let name = rewriter.push_constant(&node, name, bound)?;
        rewriter.set_input(&mut node, index, name);
    }
    rewriter.push(node)
}

/// f(a, b, c) becomes g(g(a, b), c), and f(a) becomes a; `operator` is g.
fn chain(rewriter: &mut Rewriter, mut node: Node, operator: &str) -> Result<(), OnnxError> {
    if node.inputs.iter().any(String::is_empty) {
        return Err(OnnxError::node(&node, "one of its inputs is absent"));
    }
    let mut inputs = std::mem::take(&mut node.inputs).into_iter();
    let (mut left, last) = (inputs.next(), inputs.next_back());
    for (index, right) in inputs.enumerate() {
        let name = rewriter.derived_name(&node, &format!("partial_{index}"));
        rewriter.push(Node::new(&name, operator, &[left.as_deref().unwrap_or_default(), &right], &[&name]))?;
        left = Some(name);
    }
    node.operator = if last.is_some() { operator.to_owned() } else { "Identity".to_owned() };
    node.inputs = left.into_iter().chain(last).collect();
    rewriter.push(node)
}

/// The sum over the number of inputs.
fn adapt_mean(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    if node.inputs.len() == 1 {
        return chain(rewriter, node, "Add");
    }
    let element = rewriter.input_element(&node, 0)?;
    let count = Tensor::scalar(element, node.inputs.len() as f32);
    let [sum, outputs] = [vec![rewriter.derived_name(&node, "sum")], node.outputs.clone()];
    let mut addition = node.clone();
    addition.name = sum.concat();
    addition.outputs = sum.clone();
    chain(rewriter, addition, "Add")?;
    let count = rewriter.push_constant(&node, "count", count)?;
    node.operator = "Div".to_owned();
    node.inputs = [sum, vec![count]].concat();
    node.outputs = outputs;
    rewriter.push(node)
}
