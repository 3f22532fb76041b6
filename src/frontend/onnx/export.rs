//! A function of `hfloat`, float or quantized, becomes an ONNX model.
//!
//! Every operation becomes the node that it was, under its name, and operations that give the outputs of one node become it again; a
//! fused activation, or the map of a function's result, becomes nodes of its own. Constants are initializers. `quant.qcast` and `quant.dcast` become QuantizeLinear and
//! DequantizeLinear; a quantized constant becomes an integer initializer, as the hardware will hold it, and its DequantizeLinear.

use std::collections::HashMap;

use hb_dialects::ElementType;
use hb_dialects::hfloat::{Op, ResultMap, YIELD, attributes};
use hb_dialects::ir::{self, Names, OperationAttributes, Origin, Scale, TensorType, elements_of};
use hb_dialects::names::{FUNCTION, RETURN, input_names, output_names};
use hb_dialects::quant;
use melior::ir::operation::OperationLike;
use melior::ir::{BlockLike, BlockRef, OperationRef, RegionLike, Value as MlirValue, ValueLike};

use super::error::OnnxError;
use super::export_quantized::{Doubt, doubt, integers, scale_tensor, zero_point};
use super::made_of;
use super::model::{Attribute, Dimension, Graph, MadeOf, Model, Node, Value};
use super::normalize::{NORMAL_OPSET, first_ir_version};
use super::operators::{self, OnnxAttribute, OnnxKind, OnnxOperator, window};
use super::tensor::Tensor;

/// Operator set of exported models: the first that quantizes to 16 bits; a younger one where an operator is younger. The forms of our
/// operators are those of [`NORMAL_OPSET`]: since 21, operators that existed changed only the element types that they allow.
pub const EXPORT_OPSET: i64 = 21;

/// Makes a model of the function [`FUNCTION`] of `module`.
pub fn export(module: OperationRef<'_, '_>) -> Result<Model, OnnxError> {
    let function = ir::function_named(module, FUNCTION)
        .ok_or_else(|| OnnxError::model(format!("the module has no function @{FUNCTION} to export")))?;
    let block = function.region(0).ok().and_then(|region| region.first_block());
    let block = block.ok_or_else(|| OnnxError::model(format!("the function @{FUNCTION} has no body")))?;
    let name = match function.node() {
        name if name.is_empty() => FUNCTION.to_owned(),
        name => name,
    };
    let mut exporter = Exporter { opset: EXPORT_OPSET, ..Exporter::default() };
    let graph = exporter.graph(name, function, block)?;
    Ok(Model {
        producer_name: "hb".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Model::new(first_ir_version(exporter.opset), exporter.opset, graph)
    })
}

/// A constant that becomes an initializer when a node reads it.
struct Constant {
    name: String,
    tensor: Tensor,
}

#[derive(Default)]
pub(super) struct Exporter {
    /// The least operator set that has all operators.
    pub(super) opset: i64,
    /// ONNX names of values.
    pub(super) values: HashMap<usize, String>,
    /// What values may be, where that is no finite number.
    doubts: HashMap<usize, Doubt>,
    constants: HashMap<usize, Constant>,
    /// Names that results of the function must have, by the value that gets it first.
    output_names: HashMap<usize, String>,
    value_names: Names,
    node_names: Names,
    pub(super) nodes: Vec<Node>,
    /// Nodes that another operation may give further outputs, by operator and inputs.
    extensible: HashMap<(&'static str, Vec<String>), usize>,
    pub(super) initializers: Vec<(String, Tensor)>,
}

impl Exporter {
    fn graph(&mut self, name: String, function: OperationRef, block: BlockRef) -> Result<Graph, OnnxError> {
        let outputs = output_names(function);
        self.value_names.extend(outputs.iter().cloned());
        let mut inputs = Vec::new();
        for (index, name) in input_names(function).into_iter().enumerate() {
            let argument = block.argument(index).map_err(|error| OnnxError::input(&name, error))?.into();
            self.value_names.take(&name);
            inputs.push(value_of(&name, argument)?);
            self.values.insert(ir::address(argument), name);
        }
        let operations = ir::operations(block);
        let returned = operations.last().map(operands).transpose()?.unwrap_or_default();
        if returned.len() != outputs.len() {
            return Err(OnnxError::graph(&name, "its return does not fit its results"));
        }
        for (value, name) in returned.iter().zip(&outputs) {
            let defined_by_node = !self.values.contains_key(&ir::address(*value)) && ir::constant_of(*value).is_none();
            if defined_by_node {
                self.output_names.entry(ir::address(*value)).or_insert_with(|| name.clone());
            }
        }
        for operation in &operations {
            self.operation(*operation)?;
        }
        let mut output_values = Vec::new();
        for (value, name) in returned.iter().zip(&outputs) {
            self.output(*value, name)?;
            output_values.push(value_of(name, *value)?);
        }
        let (nodes, initializers) = (std::mem::take(&mut self.nodes), std::mem::take(&mut self.initializers));
        Ok(Graph { name, nodes, inputs, outputs: output_values, initializers, value_info: Vec::new(), fault: None })
    }

    /// A result of the function that no node makes under this name is copied to it.
    fn output(&mut self, value: MlirValue, name: &str) -> Result<(), OnnxError> {
        let source = self.operand(value)?;
        if source != name {
            let node = self.node_name(&format!("{name}/identity"));
            let mut copy = Node::new(&node, "Identity", &[&source], &[name]);
            copy.made_of = Some(MadeOf::default());
            self.nodes.push(copy);
        }
        Ok(())
    }

    pub(super) fn operation(&mut self, operation: OperationRef) -> Result<(), OnnxError> {
        if let Some(doubt) = doubt(operation, &self.doubts) {
            self.doubts.extend(ir::results(operation).into_iter().map(|result| (ir::address(result), doubt)));
        }
        let first = self.nodes.len();
        self.nodes_of(operation)?;
        let made = self.nodes.get_mut(first..).unwrap_or_default();
        if !made.is_empty() {
            let result = ir::results(operation).first().and_then(|value| self.values.get(&ir::address(*value)));
            let is_split = Op::of(operation).is_some() && After::of(operation)?.is_some();
            made_of::tell(made, &operation.origin(), result.map(String::as_str), is_split);
        }
        Ok(())
    }

    fn nodes_of(&mut self, operation: OperationRef) -> Result<(), OnnxError> {
        match Op::of(operation) {
            Some(Op::Constant) => return self.constant(operation),
            Some(Op::If) => return self.branch(operation),
            Some(Op::Loop) => return self.repeat(operation),
            Some(Op::Swish) => return self.swish(operation),
            Some(op) => return self.operator(operation, op),
            None => {}
        }
        match quant::Op::of(operation) {
            Some(quant::Op::QuantizeCast) => self.quantize(operation),
            Some(quant::Op::DequantizeCast) => self.dequantize(operation),
            Some(quant::Op::StorageCast) => self.storage_cast(operation),
            None if matches!(operation.operation_name().as_str(), RETURN | YIELD) => Ok(()),
            None => Err(failed(operation, "it has no form in ONNX")),
        }
    }

    fn constant(&mut self, operation: OperationRef) -> Result<(), OnnxError> {
        let elements = operation.attribute("value").ok().and_then(elements_of);
        let elements = elements.ok_or_else(|| failed(operation, "its value cannot be read"))?;
        let tensor = tensor_of(operation, &elements)?;
        let constant = Constant { name: operation.node(), tensor };
        self.constants.insert(ir::address(result(operation)?), constant);
        Ok(())
    }

    fn operator(&mut self, operation: OperationRef, op: Op) -> Result<(), OnnxError> {
        let operator: &OnnxOperator = op.onnx();
        self.opset = self.opset.max(operator.versions.first().copied().unwrap_or_default());
        let (producer, last) = names_of(operation);
        let results = ir::results(operation);
        let value = result(operation)?;
        let after = After::of(operation)?;
        let name = match operator.first_output {
            0 => self.node_name(&producer),
            _ => producer,
        };
        let mut node = Node::new(&name, operator.name, &[], &[]);
        for operand in operands(&operation)? {
            let absent = takes_empty_for_absent(op) && is_empty(operand);
            node.inputs.push(if absent { String::new() } else { self.operand(operand)? });
        }
        while node.inputs.last().is_some_and(String::is_empty) {
            node.inputs.pop();
        }
        for rule in operator.dialect_attributes(NORMAL_OPSET) {
            if let Some(value) = attribute(operation, rule)? {
                node.attributes.push((rule.name.to_owned(), value));
            }
        }
        if window::is_automatic(&node) {
            node.take_attribute("pads");
        }
        if matches!(op, Op::Cast | Op::BitCast) {
            let to = element_of(operation, value)?;
            node.set_attribute("to", Attribute::Int(to.onnx_code().into()));
        }
        if op == Op::Split && node.inputs.len() == 1 {
            node.set_attribute("num_outputs", Attribute::Int(results.len() as i64));
        }
        if operator.first_output > 0 {
            return self.further_outputs(operation, operator, (node, &last));
        }
        let Some(after) = after else {
            for value in results {
                let output = self.define(value, &last);
                node.outputs.push(output);
            }
            if operators::has_further_outputs(operator) {
                self.extensible.insert((operator.name, node.inputs.clone()), self.nodes.len());
            }
            self.nodes.push(node);
            return Ok(());
        };
        let inner = self.value_name(&name);
        node.outputs.push(inner.clone());
        self.nodes.push(node);
        self.after(&after, &last, inner, value, element_of(operation, value)?)
    }

    /// Gives the node of the operation with the outputs before those of this one its outputs, too; where there is none, a node of its own.
    fn further_outputs(
        &mut self,
        operation: OperationRef,
        operator: &'static OnnxOperator,
        (mut node, result_name): (Node, &str),
    ) -> Result<(), OnnxError> {
        let results = ir::results(operation);
        let index = self.extensible.remove(&(operator.name, node.inputs.clone()));
        let first_attributes = operators::find(operator.name).map(|first| first.dialect_attributes(NORMAL_OPSET));
        let of_first: Vec<&str> = first_attributes.into_iter().flatten().map(|rule| rule.name).collect();
        let is_same = |first: &&Node| {
            let same = |name: &&str| node.attribute(name) == first.attribute(name);
            // The number is one of the graph at hand: a branch has its own.
            (&first.operator, &first.inputs) == (&node.operator, &node.inputs)
                && first.outputs.len() == operator.first_output
                && of_first.iter().all(same)
        };
        if let Some(first) = index.and_then(|index| self.nodes.get(index)).filter(is_same) {
            // Its name stays free for the operation that this becomes again.
            let name = format!("{}/output_{}", first.name, operator.first_output);
            let outputs: Vec<String> = results.into_iter().map(|value| self.define(value, &name)).collect();
            if let Some(first) = index.and_then(|index| self.nodes.get_mut(index)) {
                first.attributes = node.attributes;
                first.outputs.extend(outputs);
            }
            return Ok(());
        }
        node.name = self.node_name(&node.name);
        // Nobody reads those before; a checker asks for their names.
        for _ in 0..operator.first_output {
            let unread = self.value_name(&format!("{}/unread", node.name));
            node.outputs.push(unread);
        }
        for value in results {
            let output = self.define(value, result_name);
            node.outputs.push(output);
        }
        self.nodes.push(node);
        Ok(())
    }

    /// A Swish as `x * sigmoid(alpha * x)`: the operator exists since opset 24 only.
    fn swish(&mut self, operation: OperationRef) -> Result<(), OnnxError> {
        let (producer, last) = names_of(operation);
        let (name, value) = (self.node_name(&producer), result(operation)?);
        let element = element_of(operation, value)?;
        let input = self.operand(operand(operation)?)?;
        let alpha = attributes::alpha(operation)?;
        let mut argument = input.clone();
        if alpha != 1.0 {
            let factor = self.initializer(&format!("{name}/alpha"), Tensor::scalar(element, alpha as f32));
            argument = self.inner_node(&format!("{name}/scaled"), "Mul", &[&argument, &factor]);
        }
        let gate = self.inner_node(&format!("{name}/gate"), "Sigmoid", &[&argument]);
        let after = After::of(operation)?;
        let product = if after.is_some() { self.value_name(&name) } else { self.define(value, &last) };
        self.nodes.push(Node::new(&name, "Mul", &[&input, &gate], &[&product]));
        after.map_or(Ok(()), |after| self.after(&after, &last, product, value, element))
    }

    /// A node that only another node of the same operation reads; the name of its output.
    fn inner_node(&mut self, name: &str, operator: &str, inputs: &[&str]) -> String {
        let name = self.node_name(name);
        let output = self.value_name(&name);
        self.nodes.push(Node::new(&name, operator, inputs, &[&output]));
        output
    }

    /// What was fused into an operation, as nodes behind it; `name` is that of its result.
    fn after(
        &mut self,
        after: &After,
        name: &str,
        input: String,
        value: MlirValue,
        element: ElementType,
    ) -> Result<(), OnnxError> {
        match *after {
            After::Clamp(bounds) => self.clamp(name, input, value, bounds, element),
            After::Map(map) => self.map(name, input, value, map, element),
        }
    }

    /// The map of a function's result: Mul, Add or both.
    fn map(
        &mut self,
        name: &str,
        input: String,
        value: MlirValue,
        ResultMap { scale, shift }: ResultMap,
        element: ElementType,
    ) -> Result<(), OnnxError> {
        let name = self.node_name(name);
        let (operator, number, suffix) = if shift == 0.0 { ("Mul", scale, "scale") } else { ("Add", shift, "shift") };
        let mut input = input;
        if scale != 1.0 && shift != 0.0 {
            let factor = self.initializer(&format!("{name}/scale"), Tensor::scalar(element, scale as f32));
            input = self.inner_node(&format!("{name}/scaled"), "Mul", &[&input, &factor]);
        }
        let number = self.initializer(&format!("{name}/{suffix}"), Tensor::scalar(element, number as f32));
        let output = self.define(value, &name);
        self.nodes.push(Node::new(&name, operator, &[&input, &number], &[&output]));
        Ok(())
    }

    /// An activation that was fused: Relu, or Clip with constant bounds.
    fn clamp(
        &mut self,
        name: &str,
        input: String,
        value: MlirValue,
        (lower, upper): (f64, f64),
        element: ElementType,
    ) -> Result<(), OnnxError> {
        let name = self.node_name(name);
        let mut node = Node::new(&name, "Relu", &[&input], &[]);
        if lower != 0.0 || upper != f64::INFINITY {
            node.operator = "Clip".to_owned();
            for (bound, suffix) in [(lower, "min"), (upper, "max")] {
                let bound = if bound.is_finite() {
                    self.initializer(&format!("{name}/{suffix}"), Tensor::scalar(element, bound as f32))
                } else {
                    String::new()
                };
                node.inputs.push(bound);
            }
        }
        let output = self.define(value, &name);
        node.outputs.push(output);
        self.nodes.push(node);
        Ok(())
    }

    fn quantize(&mut self, operation: OperationRef) -> Result<(), OnnxError> {
        let (input, value) = (operand(operation)?, result(operation)?);
        let r#type = TensorType::from_type(value.r#type())?;
        let quantized = quantized(operation, &r#type)?;
        if let Some(constant) = self.constants.get(&ir::address(input)) {
            let tensor = integers(&constant.tensor, &quantized).map_err(|reason| failed(operation, reason))?;
            let name = constant.name.clone();
            self.constants.insert(ir::address(value), Constant { name: format!("{name}/quantized"), tensor });
            return Ok(());
        }
        if quantized.bits > 16 {
            return Err(failed(operation, "ONNX quantizes to 8 or 16 bits; only constants may have 32"));
        }
        let mut name = self.operand(input)?;
        if self.doubts.get(&ir::address(input)) == Some(&Doubt::Nan) {
            name = self.without_nan(name, input)?;
        }
        let node = self.linear_node(operation, "QuantizeLinear", name, &quantized)?;
        self.push_linear(node, value);
        Ok(())
    }

    /// 0 in the place of every NaN, as our integers have it (`docs/numerics.md`, section 8); ONNX leaves open what QuantizeLinear makes of one, and other
    /// runtimes make the least integer of it.
    fn without_nan(&mut self, name: String, value: MlirValue) -> Result<String, OnnxError> {
        let element = TensorType::from_type(value.r#type())?.element.storage();
        let is_nan = self.inner_node(&format!("{name}/is_nan"), "IsNaN", &[&name]);
        let zero = self.initializer(&format!("{name}/zero"), Tensor::scalar(element, 0.0));
        Ok(self.inner_node(&format!("{name}/number"), "Where", &[&is_nan, &zero, &name]))
    }

    fn dequantize(&mut self, operation: OperationRef) -> Result<(), OnnxError> {
        let (input, value) = (operand(operation)?, result(operation)?);
        let r#type = TensorType::from_type(input.r#type())?;
        let quantized = quantized(operation, &r#type)?;
        let input = self.operand(input)?;
        let node = self.linear_node(operation, "DequantizeLinear", input, &quantized)?;
        self.push_linear(node, value);
        Ok(())
    }

    /// QuantizeLinear or DequantizeLinear without its output.
    fn linear_node(
        &mut self,
        operation: OperationRef,
        operator: &str,
        input: String,
        quantized: &ir::Quantized,
    ) -> Result<Node, OnnxError> {
        let name = match operation.node() {
            name if name.is_empty() => format!("{input}/{operator}"),
            name if self.node_names.contains(&name) => format!("{name}/{operator}"),
            name => name,
        };
        let name = self.node_name(&name);
        let scale = scale_tensor(quantized).map_err(|reason| failed(operation, reason))?;
        let scale = self.initializer(&format!("{name}/scale"), scale);
        let mut node = Node::new(&name, operator, &[&input, &scale], &[]);
        if let Some(zero) = zero_point(quantized) {
            let zero = self.initializer(&format!("{name}/zero_point"), zero);
            node.inputs.push(zero);
        }
        if let Scale::PerAxis { axis, .. } = &quantized.scale {
            node.set_attribute("axis", Attribute::Int(*axis as i64));
        }
        Ok(node)
    }

    fn push_linear(&mut self, mut node: Node, value: MlirValue) {
        let output = self.define(value, &node.name);
        node.outputs.push(output);
        self.nodes.push(node);
    }

    /// Constants of integers that a cast declares to be quantized.
    fn storage_cast(&mut self, operation: OperationRef) -> Result<(), OnnxError> {
        let (input, value) = (operand(operation)?, result(operation)?);
        let Some(constant) = self.constants.get(&ir::address(input)) else {
            return Err(failed(operation, "only constants can be cast to quantized ones in ONNX"));
        };
        let (name, tensor) = (constant.name.clone(), constant.tensor.clone());
        self.constants.insert(ir::address(value), Constant { name, tensor });
        Ok(())
    }

    /// Name of a value that a node reads.
    pub(super) fn operand(&mut self, value: MlirValue) -> Result<String, OnnxError> {
        if let Some(name) = self.values.get(&ir::address(value)) {
            return Ok(name.clone());
        }
        let Some(constant) = self.constants.get(&ir::address(value)) else {
            return Err(OnnxError::model("the function reads a value that nothing in it defines"));
        };
        let (name, tensor) = (constant.name.clone(), constant.tensor.clone());
        let name = self.initializer(&name, tensor);
        self.values.insert(ir::address(value), name.clone());
        Ok(name)
    }

    /// Names the result of a node: as the function's result if it is one, else as the node.
    pub(super) fn define(&mut self, value: MlirValue, node: &str) -> String {
        let name = match self.output_names.get(&ir::address(value)) {
            Some(name) => name.clone(),
            None => self.value_name(node),
        };
        self.values.insert(ir::address(value), name.clone());
        name
    }

    fn initializer(&mut self, name: &str, tensor: Tensor) -> String {
        let name = self.value_name(name);
        self.initializers.push((name.clone(), tensor));
        name
    }

    pub(super) fn value_name(&mut self, name: &str) -> String {
        self.value_names.unique(if name.is_empty() { "value" } else { name })
    }

    pub(super) fn node_name(&mut self, name: &str) -> String {
        self.node_names.unique(if name.is_empty() { "node" } else { name })
    }
}

/// What an operation does with its result that is a node of its own in ONNX.
enum After {
    Clamp((f64, f64)),
    Map(ResultMap),
}

impl After {
    fn of(operation: OperationRef) -> Result<Option<Self>, OnnxError> {
        let map = ResultMap::of(operation)?.filter(|map| *map != ResultMap::IDENTITY);
        Ok(attributes::activation(operation)?.map(Self::Clamp).or(map.map(Self::Map)))
    }
}

/// Whether the dialect's form of an operator has an empty tensor for an input that is absent.
fn takes_empty_for_absent(op: Op) -> bool {
    matches!(op, Op::Lstm | Op::Gru | Op::Rnn | Op::NonMaxSuppression)
}

fn is_empty(value: MlirValue) -> bool {
    ir::constant_of(value).is_some_and(|constant| constant.bytes.is_empty())
}

pub(super) fn failed(operation: OperationRef, reason: impl std::fmt::Display) -> OnnxError {
    OnnxError::Node { node: operation.node(), operator: operation.operation_name(), reason: reason.to_string() }
}

/// The node's name, and that of its result: what was fused into a node ends with the one whose result it gives.
fn names_of(operation: OperationRef) -> (String, String) {
    let Origin { name, nodes } = operation.origin();
    // What cannot be read is an error where the node is made.
    let after = After::of(operation).ok().flatten();
    let result = match (nodes.as_slice(), after) {
        ([first, .., last], after) if after.is_some() || *first == name => last.clone(),
        (_, Some(After::Clamp(_))) => format!("{name}/activation"),
        (_, Some(After::Map(_))) => format!("{name}/map"),
        _ => name.clone(),
    };
    (name, result)
}

fn operands<'c, 'a>(operation: &OperationRef<'c, 'a>) -> Result<Vec<MlirValue<'c, 'a>>, OnnxError> {
    Ok((0..operation.operand_count()).map(|index| operation.operand_at(index)).collect::<Result<_, _>>()?)
}

fn operand<'c, 'a>(operation: OperationRef<'c, 'a>) -> Result<MlirValue<'c, 'a>, OnnxError> {
    Ok(operation.operand_at(0)?)
}

fn result<'c, 'a>(operation: OperationRef<'c, 'a>) -> Result<MlirValue<'c, 'a>, OnnxError> {
    ir::results(operation).first().copied().ok_or_else(|| failed(operation, "it has no result"))
}

fn tensor_of(operation: OperationRef, elements: &ir::Constant) -> Result<Tensor, OnnxError> {
    let element = elements.r#type.element.plain();
    let element = element.ok_or_else(|| failed(operation, "ONNX has no such element type"))?;
    let shape = elements.r#type.static_shape()?;
    Tensor::new(element, shape, elements.shared()).map_err(|reason| failed(operation, reason))
}

fn element_of(operation: OperationRef, value: MlirValue) -> Result<ElementType, OnnxError> {
    let element = TensorType::from_type(value.r#type())?.element;
    element.plain().ok_or_else(|| failed(operation, "ONNX has no such element type"))
}

fn quantized(operation: OperationRef, r#type: &TensorType) -> Result<ir::Quantized, OnnxError> {
    match &r#type.element {
        ir::Element::Quantized(quantized) => Ok(quantized.clone()),
        _ => Err(failed(operation, "its type is not quantized")),
    }
}

pub(super) fn value_of(name: &str, value: MlirValue) -> Result<Value, OnnxError> {
    let r#type = TensorType::from_type(value.r#type())?;
    let element = r#type.element.plain();
    let element =
        element.ok_or_else(|| OnnxError::input(name, "inputs and outputs of ONNX cannot be quantized types"))?;
    let dimension = |size: u64| usize::try_from(size).map(Dimension::Fixed).unwrap_or(Dimension::Named(String::new()));
    let shape = r#type
        .dimensions
        .map(|sizes| sizes.into_iter().map(|size| size.map_or(Dimension::Named(String::new()), dimension)).collect());
    Ok(Value { name: name.to_owned(), element: Some(element), shape })
}

/// The ONNX attribute that a rule says; `None`: absent, and without a default.
fn attribute(operation: OperationRef, rule: &OnnxAttribute) -> Result<Option<Attribute>, OnnxError> {
    let name = rule.name;
    if !operation.has_attribute(name) {
        return Ok(rule.default.map(operators::default_attribute));
    }
    Ok(Some(match rule.kind {
        OnnxKind::Int => Attribute::Int(operation.integer(name)?),
        OnnxKind::Flag => Attribute::Int(operation.boolean(name)?.into()),
        OnnxKind::Float => Attribute::Float(operation.float(name)? as f32),
        OnnxKind::Ints => {
            let values = operation.integers(name)?;
            // onnxruntime's quantized AveragePool does not know the attribute, not even with its default.
            if rule.name == "dilations" && values.iter().all(|&value| value == 1) {
                return Ok(None);
            }
            Attribute::Ints(values)
        }
        OnnxKind::Choice(_) => Attribute::String(operation.word(name)?.into_bytes()),
        OnnxKind::Tensor => {
            let elements = operation.attribute(name).ok().and_then(elements_of);
            let elements = elements.ok_or_else(|| failed(operation, format!("attribute {name:?} cannot be read")))?;
            Attribute::Tensor(tensor_of(operation, &elements)?)
        }
        OnnxKind::Floats => {
            let values = operation.attribute(name).ok().and_then(ir::attribute::float_elements).unwrap_or_default();
            Attribute::Floats(values.into_iter().map(|value| value as f32).collect())
        }
        OnnxKind::Strings => {
            let texts = operation.attribute(name).ok().and_then(ir::attribute::array_elements).unwrap_or_default();
            let text = |text| ir::attribute::text(text).map(String::into_bytes);
            Attribute::Strings(texts.into_iter().filter_map(text).collect())
        }
        OnnxKind::Graph | OnnxKind::Any => {
            return Err(failed(operation, format!("attribute {name:?} cannot be written")));
        }
    }))
}
