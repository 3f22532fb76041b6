//! Operators on integers, as a compiler for integers wants them: the same operators on reals between QuantizeLinear and DequantizeLinear.
//!
//! The float executor computes QLinearConv and QLinearMatMul exactly, in f64. Compiling quantizes them: then what counts are their scales,
//! which the form with reals says where quantization finds them. ConvInteger and MatMulInteger have scales that follow from the values of each
//! run: they become operators on reals, too (`dynamic`).

mod dynamic;

use std::collections::{HashMap, HashSet};

use hb_dialects::ElementType;

use super::model::{Attribute, Graph, Model, Node};
use super::tensor::Tensor;

/// Since when DequantizeLinear has an axis.
const AXIS_SINCE: i64 = 13;
/// Operators that only move or choose elements of their first input.
const MOVING: [&str; 6] = ["Flatten", "MaxPool", "Reshape", "Squeeze", "Transpose", "Unsqueeze"];
/// Operators between the reals and their products by [`dynamic`].
const FOLLOWED: [&str; 5] = ["Cast", "ConvInteger", "DynamicQuantizeLinear", "MatMulInteger", "Mul"];

/// Rewrites those operators of a model whose scales, zero points and weights are constant.
pub fn in_reals(model: &mut Model) {
    let is_of_integers = |node: &Node| node.operator.starts_with("QLinear") || node.operator == "DynamicQuantizeLinear";
    if !model.graph.nodes.iter().any(|node| node.domain.is_empty() && is_of_integers(node)) {
        return;
    }
    let mut rewriter = Rewriter::of(&model.graph, model.opset);
    for node in std::mem::take(&mut model.graph.nodes) {
        rewriter.node(node);
    }
    let Rewriter { nodes, made, dynamic, .. } = rewriter;
    model.graph.nodes = nodes;
    model.graph.initializers.extend(made);
    if !dynamic.is_empty() {
        dynamic::sweep(&mut model.graph);
        tracing::info!(
            "{} products of integers whose scales follow from each run are compiled as products of reals, whose ranges calibration finds: {}",
            dynamic.len(),
            dynamic.join(", ")
        );
    }
}

struct Rewriter {
    opset: i64,
    constants: HashMap<String, Tensor>,
    names: HashSet<String>,
    /// Scale and zero point of values that are integers of reals.
    integers: HashMap<String, [String; 2]>,
    /// What makes values, of the nodes that [`dynamic`] follows back.
    producers: HashMap<String, Node>,
    nodes: Vec<Node>,
    made: Vec<(String, Tensor)>,
    /// The products that [`dynamic`] rewrote.
    dynamic: Vec<String>,
}

impl Rewriter {
    fn of(graph: &Graph, opset: i64) -> Self {
        let mut constants: HashMap<String, Tensor> = graph.initializers.iter().cloned().collect();
        let mut names: HashSet<String> = graph.inputs.iter().map(|input| input.name.clone()).collect();
        for node in &graph.nodes {
            if let (Some(Attribute::Tensor(tensor)), Some(output)) = (node.attribute("value"), node.output(0)) {
                constants.insert(output.to_owned(), tensor.clone());
            }
            names.extend(node.outputs.iter().chain([&node.name]).cloned());
        }
        names.extend(constants.keys().cloned());
        Self {
            opset,
            constants,
            names,
            integers: HashMap::new(),
            producers: HashMap::new(),
            nodes: Vec::new(),
            made: Vec::new(),
            dynamic: Vec::new(),
        }
    }

    fn node(&mut self, node: Node) {
        let rewritten = match (node.domain.as_str(), node.operator.as_str()) {
            ("", "QLinearConv") => self.convolution(&node),
            ("", "QLinearMatMul") => self.product(&node),
            ("", "Mul") => self.scaled_product(&node),
            ("", operator) if MOVING.contains(&operator) => self.moving(&node),
            _ => None,
        };
        if rewritten.is_some() {
            return;
        }
        if node.domain.is_empty() && FOLLOWED.contains(&node.operator.as_str()) {
            self.producers.extend(node.outputs.iter().map(|output| (output.clone(), node.clone())));
        }
        // One scale goes wherever elements are moved to; several would have to move with their axis.
        if let ("", "QuantizeLinear", [_, scale, zero_point], Some(output)) =
            (node.domain.as_str(), node.operator.as_str(), node.inputs.as_slice(), node.output(0))
            && self.has_parameters(&node, 1, true) == Some(true)
        {
            self.integers.insert(output.to_owned(), [scale.clone(), zero_point.clone()]);
        }
        self.nodes.push(node);
    }

    fn derived(&mut self, node: &Node, suffix: &str) -> String {
        let mut name = format!("{}/{suffix}", node.name);
        while !self.names.insert(name.clone()) {
            name.push('_');
        }
        name
    }

    fn constant(&self, node: &Node, index: usize) -> Option<Tensor> {
        self.constants.get(node.input(index)?).cloned()
    }

    /// Whether the inputs from `first` on are a constant scale and zero point; of one value if `single`.
    fn has_parameters(&self, node: &Node, first: usize, single: bool) -> Option<bool> {
        let (scale, zero_point) = (self.constant(node, first)?, self.constant(node, first + 1)?);
        let is_plain =
            scale.element() == ElementType::F32 && scale.shape().len() <= 1 && zero_point.count() == scale.count();
        let several = scale.count() != 1;
        Some(is_plain && !(several && (single || self.opset < AXIS_SINCE)))
    }

    /// The reals of the input with this number, whose scale and zero point follow it.
    fn dequantize(&mut self, node: &Node, index: usize, suffix: &str, axis: i64) -> Option<String> {
        let [integers, scale, zero_point] = [index, index + 1, index + 2].map(|index| node.input(index));
        let name = self.derived(node, suffix);
        let made = Node::new(&name, "DequantizeLinear", &[integers?, scale?, zero_point?], &[&name]);
        let several = self.constant(node, index + 1)?.count() != 1;
        self.nodes.push(if several { made.with("axis", Attribute::Int(axis)) } else { made });
        Some(name)
    }

    /// The integers of a real value, under the name that the node gives them.
    fn quantize(&mut self, node: &Node, value: &str, [scale, zero_point]: [&str; 2]) -> Option<()> {
        let (name, output) = (self.derived(node, "y"), node.output(0)?);
        self.nodes.push(Node::new(&name, "QuantizeLinear", &[value, scale, zero_point], &[output]));
        self.integers.insert(output.to_owned(), [scale.to_owned(), zero_point.to_owned()]);
        Some(())
    }

    /// The operator on reals.
    fn real(&mut self, node: &Node, operator: &str, inputs: &[&str]) -> String {
        let value = self.derived(node, "real");
        let mut made = Node::new(&node.name, operator, inputs, &[&value]);
        made.attributes.clone_from(&node.attributes);
        self.nodes.push(made);
        value
    }

    fn convolution(&mut self, node: &Node) -> Option<()> {
        let weights = self.constant(node, 3)?;
        let fits = self.has_parameters(node, 1, true)? && self.has_parameters(node, 4, false)?;
        let bias = match node.input(8) {
            Some(name) => Some((name.to_owned(), self.bias_scale(node)?)),
            None => None,
        };
        if !fits || !self.has_parameters(node, 6, true)? || weights.shape().len() < 3 {
            return None;
        }
        let [x, w] = [self.dequantize(node, 0, "x", 0)?, self.dequantize(node, 3, "w", 0)?];
        let mut inputs = vec![x, w];
        if let Some((bias, scale)) = bias {
            let (name, own) = (self.derived(node, "bias"), self.derived(node, "bias_scale"));
            let made = Node::new(&name, "DequantizeLinear", &[&bias, &own], &[&name]);
            self.nodes.push(if scale.count() == 1 { made } else { made.with("axis", Attribute::Int(0)) });
            self.made.push((own, scale));
            inputs.push(name);
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let value = self.real(node, "Conv", &inputs);
        self.quantize(node, &value, [node.input(6)?, node.input(7)?])
    }

    /// What a step of the sums is worth, channel by channel.
    fn bias_scale(&self, node: &Node) -> Option<Tensor> {
        let floats = |tensor: Tensor| {
            tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect::<Vec<f32>>()
        };
        let (x, weights) = (floats(self.constant(node, 1)?), self.constant(node, 4)?);
        let shape = weights.shape().to_vec();
        let x = *x.first()?;
        Tensor::from_f32s(&floats(weights).into_iter().map(|scale| x * scale).collect::<Vec<f32>>())
            .reshaped(shape)
            .ok()
    }

    fn product(&mut self, node: &Node) -> Option<()> {
        let columns = match self.constant(node, 3) {
            Some(weights) => i64::try_from(weights.shape().len()).ok()? - 1,
            None => 0,
        };
        let single = columns < 1;
        if !(self.has_parameters(node, 1, true)?
            && self.has_parameters(node, 4, single)?
            && self.has_parameters(node, 6, true)?)
        {
            return None;
        }
        let [a, b] = [self.dequantize(node, 0, "a", 0)?, self.dequantize(node, 3, "b", columns)?];
        let value = self.real(node, "MatMul", &[&a, &b]);
        self.quantize(node, &value, [node.input(6)?, node.input(7)?])
    }

    fn moving(&mut self, node: &Node) -> Option<()> {
        let [scale, zero_point] = self.integers.get(node.input(0)?)?.clone();
        if node.outputs.iter().skip(1).any(|output| !output.is_empty()) {
            return None;
        }
        let name = self.derived(node, "x");
        self.nodes.push(Node::new(&name, "DequantizeLinear", &[node.input(0)?, &scale, &zero_point], &[&name]));
        let inputs: Vec<&str> =
            std::iter::once(name.as_str()).chain(node.inputs.iter().skip(1).map(String::as_str)).collect();
        let value = self.real(node, &node.operator, &inputs);
        self.quantize(node, &value, [&scale, &zero_point])
    }
}
