//! Networks that are not compiled: ONNX, and MLIR of the float, QDQ and bpu level.

use super::removable::{Edges, removable};
use crate::bpu::lower::border::Removable;
use crate::frontend::onnx::model::{Attribute, Graph, Model, Node, Value};
use crate::hbm::ModelParameter;
use hb_dialects::hfloat::Op;
use hb_dialects::ir::{self, Element, OperationAttributes, Scale, TensorType};
use hb_dialects::names::{FUNCTION, input_names, output_names};
use hb_dialects::{bpu, cpu, nash, quant};
use melior::ir::operation::OperationLike;
use melior::ir::{BlockLike, OperationRef, Value as MlirValue, ValueLike};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What is known of a network.
#[derive(Debug, Default)]
pub struct NetworkInformation {
    /// `onnx`, or the level of MLIR.
    pub kind: &'static str,
    /// May be empty.
    pub name: String,
    /// What, and which version.
    pub versions: Vec<(String, String)>,
    /// In order.
    pub inputs: Vec<PortInformation>,
    /// In order.
    pub outputs: Vec<PortInformation>,
    /// What computes, in order.
    pub nodes: Vec<NodeInformation>,
    /// Of all weights and tables.
    pub constant_bytes: usize,
    /// What it was made with, where it says so.
    pub parameters: Vec<ModelParameter>,
    /// Names and types of nodes at its ends that can be removed.
    pub removable: Vec<(String, &'static str)>,
}

/// An input or an output.
#[derive(Debug, PartialEq)]
pub struct PortInformation {
    /// As the model calls it.
    pub name: String,
    /// None where the model does not say how many sizes there are; inside, where a size is open.
    pub shape: Option<Vec<Option<usize>>>,
    /// Such as `float32`.
    pub element: String,
    /// What a step of its integers is worth; empty for plain numbers.
    pub scales: Vec<f64>,
    /// The integer of the real 0.
    pub zero_point: i32,
}

/// A node.
#[derive(Debug)]
pub struct NodeInformation {
    /// Its name.
    pub name: String,
    /// As its level calls it.
    pub operator: String,
    /// What runs it, once that is decided.
    pub on: Option<&'static str>,
}

impl PortInformation {
    /// `1x3x?x?`
    pub fn shape_text(&self) -> String {
        let Some(shape) = &self.shape else { return "unknown".into() };
        if shape.is_empty() {
            return "scalar".into();
        }
        shape.iter().map(|size| size.map_or_else(|| "?".into(), |size| size.to_string())).collect::<Vec<_>>().join("x")
    }

    /// The scale, or how many there are.
    pub fn scale_text(&self) -> String {
        match self.scales.as_slice() {
            [] => "-".into(),
            [scale] if self.zero_point != 0 => format!("{scale}, zero point {}", self.zero_point),
            [scale] => scale.to_string(),
            scales => format!("{} scales", scales.len()),
        }
    }

    fn of_value(name: String, value: MlirValue<'_, '_>) -> Result<Self, String> {
        let r#type = TensorType::from_type(value.r#type()).map_err(|error| error.to_string())?;
        let shape = r#type.bound_shape().or_else(|| r#type.shape());
        let (scales, zero_point) = match &r#type.element {
            Element::Quantized(quantized) => match &quantized.scale {
                Scale::PerTensor(affine) => (vec![affine.scale], affine.zero_point),
                Scale::PerAxis { scales, .. } => (scales.clone(), 0),
            },
            Element::Plain(_) => (Vec::new(), 0),
        };
        let element = r#type.element.storage().name().to_owned();
        Ok(Self { name, shape: shape.map(|shape| shape.into_iter().map(Some).collect()), element, scales, zero_point })
    }
}

fn version(name: &str, version: impl ToString) -> (String, String) {
    (name.to_owned(), version.to_string())
}

/// A graph with those inside of its nodes: branches, and bodies of loops.
#[derive(Default)]
struct WholeModel<'m> {
    nodes: Vec<&'m Node>,
    /// Of initializers, and of Constant nodes.
    constant_bytes: usize,
}

impl<'m> WholeModel<'m> {
    fn add(&mut self, graph: &'m Graph) {
        self.constant_bytes += graph.initializers.iter().map(|(_, tensor)| tensor.data().len()).sum::<usize>();
        for node in &graph.nodes {
            self.nodes.push(node);
            for (_, attribute) in &node.attributes {
                match attribute {
                    Attribute::Graph(inner) => self.add(inner),
                    Attribute::Tensor(tensor) => self.constant_bytes += tensor.data().len(),
                    _ => {}
                }
            }
        }
    }
}

impl NetworkInformation {
    /// Of an ONNX model, or what a Caffe network becomes.
    pub fn of_model(model: &Model) -> Self {
        let graph = &model.graph;
        let tensor = |value: &Value| PortInformation {
            name: value.name.clone(),
            shape: value.shape.as_ref().map(|_| value.sizes()),
            element: value.element.map_or_else(|| "unknown".into(), |element| element.name().to_owned()),
            scales: Vec::new(),
            zero_point: 0,
        };
        let mut versions = vec![version("ir_version", model.ir_version), version("opset", model.opset)];
        versions.extend(model.other_opsets.iter().map(|(domain, number)| version(&format!("opset {domain}"), number)));
        if !model.producer_name.is_empty() {
            versions.push(version("producer", format!("{} {}", model.producer_name, model.producer_version).trim()));
        }
        let computing = || graph.nodes.iter().filter(|node| node.operator != "Constant");
        let constant = |name: &String| name.is_empty() || graph.initializers.iter().any(|(known, _)| known == name);
        let constants: HashSet<&String> = graph
            .nodes
            .iter()
            .filter(|node| node.operator == "Constant")
            .flat_map(|node| &node.outputs)
            .chain(graph.nodes.iter().flat_map(|node| &node.inputs).filter(|name| constant(name)))
            .collect();
        let edges: Vec<Edges> = computing()
            .map(|node| Edges {
                name: node.name.clone(),
                kind: Removable::of_onnx(&node.operator),
                inputs: node.inputs.iter().filter(|input| !constants.contains(input)).cloned().collect(),
                outputs: node.outputs.iter().filter(|output| !output.is_empty()).cloned().collect(),
            })
            .collect();
        let names = |values: &[Value]| values.iter().map(|value| value.name.clone()).collect::<Vec<_>>();
        let mut whole = WholeModel::default();
        whole.add(graph);
        Self {
            kind: "onnx",
            name: graph.name.clone(),
            versions,
            inputs: graph.inputs.iter().map(tensor).collect(),
            outputs: graph.outputs.iter().map(tensor).collect(),
            nodes: whole
                .nodes
                .iter()
                .filter(|node| node.operator != "Constant")
                .map(|node| NodeInformation { name: node.name.clone(), operator: node.qualified_operator(), on: None })
                .collect(),
            constant_bytes: whole.constant_bytes,
            parameters: Vec::new(),
            removable: removable(&edges, &names(&graph.inputs), &names(&graph.outputs)),
        }
    }

    /// Of the network of a module.
    ///
    /// # Errors
    /// When it has none, or a type that is not known.
    pub fn of_module(module: OperationRef<'_, '_>) -> Result<Self, String> {
        let function = ir::function_named(module, FUNCTION).ok_or_else(|| format!("it has no function @{FUNCTION}"))?;
        let block = ir::body(function).ok_or("its function has no body")?;
        let end = block.terminator().ok_or("its function has no end")?;
        let mut walk = Walk::default();
        let inputs = input_names(function).into_iter().zip(ir::arguments(block));
        let inputs: Vec<PortInformation> =
            inputs.map(|(name, value)| PortInformation::of_value(name, value)).collect::<Result<_, _>>()?;
        walk.operations(&ir::operations(block), None);
        let returned: Vec<MlirValue<'_, '_>> = end.operands().collect();
        let outputs = output_names(function).into_iter().zip(returned.iter().copied());
        let outputs = outputs.map(|(name, value)| PortInformation::of_value(name, value)).collect::<Result<_, _>>()?;
        let starts: Vec<String> = ir::arguments(block).into_iter().map(|value| walk.name(value)).collect();
        let ends: Vec<String> = returned.into_iter().map(|value| walk.name(value)).collect();
        Ok(Self {
            kind: walk.level,
            inputs,
            outputs,
            constant_bytes: walk.constant_bytes,
            removable: removable(&walk.edges, &starts, &ends),
            nodes: walk.nodes,
            ..Self::default()
        })
    }

    /// How many nodes there are of each operator.
    pub fn operators(&self) -> BTreeMap<String, usize> {
        let mut operators = BTreeMap::new();
        for node in &self.nodes {
            *operators.entry(node.operator.clone()).or_default() += 1;
        }
        operators
    }
}

/// Collects what a function computes, also inside of segments.
struct Walk {
    level: &'static str,
    nodes: Vec<NodeInformation>,
    edges: Vec<Edges>,
    constant_bytes: usize,
    /// Results of constants.
    constants: HashSet<usize>,
    /// Values that are others: arguments and results of segments.
    aliases: HashMap<usize, usize>,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            level: "float",
            nodes: Vec::new(),
            edges: Vec::new(),
            constant_bytes: 0,
            constants: HashSet::new(),
            aliases: HashMap::new(),
        }
    }
}

impl Walk {
    fn resolved(&self, value: MlirValue<'_, '_>) -> usize {
        self.aliases.get(&ir::address(value)).copied().unwrap_or_else(|| ir::address(value))
    }

    fn name(&self, value: MlirValue<'_, '_>) -> String {
        self.resolved(value).to_string()
    }

    fn operations(&mut self, operations: &[OperationRef<'_, '_>], on: Option<&'static str>) {
        for &operation in operations {
            if bpu::Op::Segment.is(operation) {
                self.segment(operation, "BPU");
            } else if cpu::Op::Segment.is(operation) {
                self.segment(operation, "CPU");
            } else if nash::Op::Program.is(operation) {
                self.level = "nash";
                self.node(operation, ("program".into(), None), Some("BPU"));
            } else if quant::Op::is_cast(operation) {
                self.level = "qdq";
                let kind = match quant::Op::of(operation) {
                    Some(quant::Op::QuantizeCast) => Some(Removable::Quantize),
                    Some(_) => Some(Removable::Dequantize),
                    None => None,
                };
                // What is no cast of integers is one to float16 or back, which stays.
                let name = kind.unwrap_or(Removable::Cast).name().to_owned();
                self.node(operation, (name, kind), on);
            } else if Op::Constant.is(operation) || bpu::Op::Constant.is(operation) {
                let results = ir::results(operation);
                self.constants.extend(results.iter().map(|value| ir::address(*value)));
                let bytes = operation.attribute("value").ok().and_then(ir::elements_of);
                self.constant_bytes += bytes.map_or(0, |constant| constant.bytes.len());
            } else if let Some(op) = Op::of(operation) {
                self.node(operation, (op.onnx().name.to_owned(), Removable::of_float(op)), on);
            } else if let Some(op) = bpu::Op::of(operation).filter(|op| *op != bpu::Op::Yield) {
                self.node(operation, (op.definition().mnemonic().to_owned(), Removable::of_bpu(op)), on);
            }
        }
    }

    fn node(
        &mut self,
        operation: OperationRef<'_, '_>,
        (operator, kind): (String, Option<Removable>),
        on: Option<&'static str>,
    ) {
        let inputs = operation.operands().filter(|value| !self.constants.contains(&self.resolved(*value)));
        let inputs: Vec<String> = inputs.map(|value| self.name(value)).collect();
        // A cast of a constant is a constant.
        if inputs.is_empty() && quant::Op::is_cast(operation) {
            self.constants.extend(ir::results(operation).into_iter().map(ir::address));
            return;
        }
        let outputs = ir::results(operation).into_iter().map(|value| self.name(value)).collect();
        let name = operation.node();
        self.edges.push(Edges { name: name.clone(), kind, inputs, outputs });
        self.nodes.push(NodeInformation { name, operator, on });
    }

    fn segment(&mut self, operation: OperationRef<'_, '_>, on: &'static str) {
        if self.level == "float" {
            self.level = "bpu";
        }
        let Some(block) = ir::body(operation) else { return };
        for (argument, operand) in ir::arguments(block).into_iter().zip(operation.operands().collect::<Vec<_>>()) {
            let outside = self.resolved(operand);
            self.aliases.insert(ir::address(argument), outside);
        }
        self.operations(&ir::operations(block), Some(on));
        let yielded: Vec<_> = block.terminator().map(|end| end.operands().collect()).unwrap_or_default();
        for (result, inside) in ir::results(operation).into_iter().zip(yielded) {
            let inside = self.resolved(inside);
            self.aliases.insert(ir::address(result), inside);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frontend::onnx::tensor::Tensor;

    const SEGMENTS: &str = r#"
!half = !quant.uniform<i8:f32, 0.5>
func.func @main(%x: tensor<1x4xf32> {hfloat.name = "x"}) -> (tensor<1x4xf32> {hfloat.name = "y"}) {
  %0 = bpu.segment(%x) {
  ^bb0(%input: tensor<1x4xf32>):
    %1 = bpu.quantize %input : (tensor<1x4xf32>) -> tensor<1x4x!half> loc("q")
    %2 = bpu.requantize %1 : (tensor<1x4x!half>) -> tensor<1x4x!half> loc("r")
    %3 = bpu.dequantize %2 : (tensor<1x4x!half>) -> tensor<1x4xf32> loc("d")
    bpu.yield %3 : tensor<1x4xf32>
  } : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %5 = cpu.segment(%0) {
  ^bb0(%input: tensor<1x4xf32>):
    %6 = hfloat.softmax %input {axis = 1 : si64} : (tensor<1x4xf32>) -> tensor<1x4xf32> loc("s")
    cpu.yield %6 : tensor<1x4xf32>
  } : (tensor<1x4xf32>) -> tensor<1x4xf32>
  return %5 : tensor<1x4xf32>
}"#;

    #[test]
    fn segments_are_looked_into() {
        let context = crate::pipeline::context();
        let module = crate::frontend::mlir::parse(&context, SEGMENTS.as_bytes(), "test").unwrap();
        let network = NetworkInformation::of_module(module.as_operation()).unwrap();
        assert_eq!(network.kind, "bpu");
        assert_eq!(network.inputs[0].shape_text(), "1x4");
        let on: Vec<_> = network.nodes.iter().map(|node| (node.name.as_str(), node.on.unwrap())).collect();
        assert_eq!(on, [("q", "BPU"), ("r", "BPU"), ("d", "BPU"), ("s", "CPU")]);
        let removable: Vec<_> = network.removable.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
        assert_eq!(removable, [("q", "Quantize"), ("s", "Softmax"), ("d", "Dequantize")]);
    }

    #[test]
    fn branches_and_constant_nodes_count() {
        let node = |operator: &str, result: &str| Node::new(operator, operator, &["x"], &[result]);
        let branch = |operator: &str| {
            let nodes = vec![node(operator, "b")];
            let initializers = vec![("w".to_owned(), Tensor::from_f32s(&[1.0, 2.0]))];
            Attribute::Graph(Box::new(Graph { nodes, initializers, ..Graph::default() }))
        };
        let constant =
            Node::new("c", "Constant", &[], &["c"]).with("value", Attribute::Tensor(Tensor::from_f32s(&[3.0])));
        let choice = node("If", "y").with("then_branch", branch("Neg")).with("else_branch", branch("Abs"));
        let output = Value { name: "y".into(), element: None, shape: None };
        let graph = Graph { nodes: vec![constant, choice], outputs: vec![output], ..Graph::default() };
        let network = NetworkInformation::of_model(&Model::new(9, 19, graph));
        let operators: Vec<_> = network.nodes.iter().map(|node| node.operator.as_str()).collect();
        assert_eq!(operators, ["If", "Neg", "Abs"]);
        // Two branches of two f32, and a node of one.
        assert_eq!(network.constant_bytes, 20);
        assert_eq!(network.outputs[0].shape_text(), "unknown");
    }
}
