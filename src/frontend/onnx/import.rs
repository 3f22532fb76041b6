//! A model in the normal form becomes one function of `hfloat`.

use std::collections::{BTreeMap, HashMap, HashSet, hash_map::Entry};
use std::path::Path;

use hb_dialects::ElementType;
use hb_dialects::hfloat::{Op, has_unknown_sizes, infer_types};
use hb_dialects::ir::{self, Origin, TensorType, named_location, set_result_type, shared_constant_attribute};
use hb_dialects::names::{FUNCTION, names_attribute};
use melior::Context;
use melior::dialect::func;
use melior::ir::attribute::{StringAttribute, TypeAttribute};
use melior::ir::operation::OperationLike;
use melior::ir::r#type::FunctionType;
use melior::ir::{
    Attribute as MlirAttribute, Block, BlockLike, BlockRef, Identifier, Location, Module, OperationRef, Region,
    RegionLike, Type, Value as MlirValue, ValueLike,
};
use prost::bytes::Bytes;
use rayon::prelude::*;

use super::check::reads;
use super::error::OnnxError;
use super::import_regions::{Regions, result_count, whole_graph};
use super::model::{Attribute, Dimension, Graph, Model, Node, Value};
use super::normalize::{NORMAL_OPSET, Rewriter, check_operators};
use super::operators::{self, OnnxAttribute, OnnxForm, OnnxKind, OnnxOperator, ResultElement, window};
use super::tensor::{Tensor, element_count, element_type};
use crate::diagnostics;
use crate::wording::hint;

/// How a model is read.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Shapes of inputs by name, of the rank that the model says. They give sizes to dynamic dimensions, and others to fixed ones: every
    /// shape is inferred from them. A dynamic first dimension that nothing gives a size is 1.
    pub input_shapes: BTreeMap<String, Vec<usize>>,
}

/// Reads a file; see [`import`].
pub fn import_file<'c>(context: &'c Context, path: &Path, options: &ImportOptions) -> Result<Module<'c>, OnnxError> {
    import(context, super::load(path)?, options)
}

/// Makes a module with one function [`FUNCTION`] of `model`. Inputs have static shapes; results have the types that can be
/// inferred without folding constants.
///
/// `context` must hold the dialects of `hb` ([`hb_dialects::context`]).
///
/// # Errors
/// Everything that stands in the way of the model: operators, shapes of inputs, and each node that cannot be what it says.
pub fn import<'c>(context: &'c Context, mut model: Model, options: &ImportOptions) -> Result<Module<'c>, OnnxError> {
    let unsupported = check_operators(&model.graph);
    let module = resolve_inputs(&mut model.graph, options).and_then(|()| {
        hold_apart(&mut model.graph);
        build_module(context, model)
    });
    let module = match (unsupported, module) {
        (Ok(()), Ok(module)) => module,
        (unsupported, module) => {
            return Err(OnnxError::all(unsupported.err().into_iter().chain(module.err()).collect()));
        }
    };
    verify(context, &module)?;
    Ok(module)
}

/// Copies what becomes constants out of the file, of which one tensor would keep everything; what is the same memory stays that.
fn hold_apart(graph: &mut Graph) {
    let mut tensors = Vec::new();
    add_constants(graph, &mut tensors);
    let place = |bytes: &Bytes| (bytes.as_ptr().addr(), bytes.len());
    let places: HashMap<_, Bytes> =
        tensors.iter().map(|tensor| (place(tensor.data()), tensor.data().clone())).collect();
    // Where there is no memory for a copy, the file stays.
    let copy = |(place, bytes): (_, Bytes)| Some((place, ir::aligned_copy(&bytes)?));
    let copies: HashMap<_, Bytes> = places.into_par_iter().filter_map(copy).collect();
    for tensor in tensors {
        if let Some(copy) = copies.get(&place(tensor.data())) {
            tensor.move_to(copy);
        }
    }
}

/// The constants of a graph and of those inside: initializers that are used, and values of attributes.
fn add_constants<'a>(graph: &'a mut Graph, tensors: &mut Vec<&'a mut Tensor>) {
    let used = used_initializers(graph);
    let initializers = graph.initializers.iter_mut().zip(used).filter(|(_, is_used)| *is_used);
    tensors.extend(initializers.map(|((_, tensor), _)| tensor));
    for (_, attribute) in graph.nodes.iter_mut().flat_map(|node| &mut node.attributes) {
        match attribute {
            Attribute::Tensor(tensor) => tensors.push(tensor),
            Attribute::Graph(inner) => add_constants(inner, tensors),
            _ => {}
        }
    }
}

/// Of each initializer, whether a node or an output is it.
fn used_initializers(graph: &Graph) -> Vec<bool> {
    let mut used: HashSet<&str> = graph.nodes.iter().flat_map(reads).collect();
    used.extend(graph.outputs.iter().map(|output| output.name.as_str()));
    graph.initializers.iter().map(|(name, _)| used.contains(name.as_str())).collect()
}

/// Gives every dimension of every input a size.
fn resolve_inputs(graph: &mut Graph, options: &ImportOptions) -> Result<(), OnnxError> {
    if let Some(unknown) = options.input_shapes.keys().find(|name| graph.inputs.iter().all(|i| i.name != **name)) {
        let names: Vec<_> = graph.inputs.iter().map(|input| input.name.as_str()).collect();
        let hint = hint(unknown, names.iter().copied());
        return Err(OnnxError::input(
            unknown,
            format!("the model has no such input, it has {}{hint}", names.join(", ")),
        ));
    }
    let mut sizes = SymbolSizes::default();
    for input in &graph.inputs {
        if let Some(given) = options.input_shapes.get(&input.name) {
            bind(input, given, &mut sizes)?;
        }
    }
    let mut faults = Vec::new();
    for input in &mut graph.inputs {
        match resolved_shape(input, options, &sizes) {
            Ok(shape) => input.shape = Some(shape.into_iter().map(Dimension::Fixed).collect()),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(OnnxError::all(faults)) }
}

fn resolved_shape(input: &Value, options: &ImportOptions, sizes: &SymbolSizes) -> Result<Vec<usize>, OnnxError> {
    let shape = match (options.input_shapes.get(&input.name), &input.shape) {
        (Some(given), _) => given.clone(),
        (None, Some(shape)) => {
            let resolved = shape.iter().enumerate().map(|(index, dimension)| match dimension {
                Dimension::Fixed(size) => Some(*size),
                Dimension::Named(name) => sizes.of(name).or(if index == 0 { Some(1) } else { None }),
            });
            resolved.collect::<Option<Vec<_>>>().ok_or_else(|| missing_shape(input))?
        }
        (None, None) => return Err(missing_shape(input)),
    };
    element_count(&shape).map_err(|reason| OnnxError::input(&input.name, reason))?;
    Ok(shape)
}

/// Sizes of symbols. A name without a letter or digit, such as the `?` that PaddlePaddle writes for each unknown size, is no symbol.
#[derive(Default)]
struct SymbolSizes {
    /// None where two dimensions of one name have different sizes.
    sizes: HashMap<String, Option<usize>>,
}

impl SymbolSizes {
    fn of(&self, name: &str) -> Option<usize> {
        self.sizes.get(name).copied().flatten()
    }

    /// Notes the size that a dimension is asked to have. Files write names that do not hold; then each dimension counts for itself.
    fn bind(&mut self, name: &str, size: usize, input: &str) {
        if !name.chars().any(char::is_alphanumeric) {
            return;
        }
        match self.sizes.entry(name.to_owned()) {
            Entry::Vacant(slot) => {
                slot.insert(Some(size));
            }
            Entry::Occupied(mut slot) => {
                if let Some(other) = slot.get().filter(|other| *other != size) {
                    tracing::warn!(
                        "the model calls two dimensions {name:?} that are {other} and, of input {input:?}, {size}; each counts for itself"
                    );
                    slot.insert(None);
                }
            }
        }
    }
}

/// Checks a shape that was asked for; notes the sizes of named dimensions.
fn bind(input: &Value, given: &[usize], sizes: &mut SymbolSizes) -> Result<(), OnnxError> {
    let Some(shape) = &input.shape else { return Ok(()) };
    if shape.len() != given.len() {
        let reason = format!("{} dimensions are asked for, the model says {}", given.len(), shape.len());
        return Err(OnnxError::input(&input.name, reason));
    }
    for (dimension, size) in shape.iter().zip(given) {
        if let Dimension::Named(name) = dimension {
            sizes.bind(name, *size, &input.name);
        }
    }
    Ok(())
}

fn missing_shape(input: &Value) -> OnnxError {
    let shape = match &input.shape {
        None => "has no shape".to_owned(),
        Some(shape) => {
            let text = shape.iter().map(|dimension| match dimension {
                Dimension::Fixed(size) => size.to_string(),
                Dimension::Named(name) if name.is_empty() => "?".to_owned(),
                Dimension::Named(name) => name.clone(),
            });
            format!("has the shape [{}]", text.collect::<Vec<_>>().join(", "))
        }
    };
    OnnxError::input(&input.name, format!("it {shape}; give its sizes (input_shape, or -i with --fast-perf)"))
}

fn build_module<'c>(context: &'c Context, mut model: Model) -> Result<Module<'c>, OnnxError> {
    let unknown = Location::unknown(context);
    let region = Region::new();
    let block = region.append_block(Block::new(&[]));
    let mut rewriter = Rewriter::new(context, block, &model);
    rewriter.importer.inputs(&model.graph)?;
    let initializers = rewriter.importer.initializers(&model.graph)?;
    rewriter.rewrite(std::mem::take(&mut model.graph.nodes))?;
    let graph = &model.graph;
    let outputs = rewriter.importer.outputs(graph)?;
    for (output, declared) in outputs.iter().zip(&graph.outputs) {
        give_rank(context, *output, declared)?;
        check_declared(*output, declared)?;
    }
    block.append_operation(func::r#return(&outputs, unknown));
    drop(rewriter);
    let results: Vec<Type> = outputs.iter().map(|value| value.r#type()).collect();
    // What only older forms read is read no more.
    for constant in initializers.into_iter().filter(|constant| ir::results(*constant).into_iter().all(is_unread)) {
        // SAFETY: nothing reads it, and no handle of it is used below.
        unsafe { ir::erase(constant) };
    }
    let inputs: Vec<Type> = ir::arguments(block).iter().map(|argument| argument.r#type()).collect();
    let names = |values: &[Value]| {
        let names: Vec<String> = values.iter().map(|value| value.name.clone()).collect();
        names_attribute(context, &names)
    };
    let attributes = [
        (Identifier::new(context, "arg_attrs"), names(&graph.inputs)),
        (Identifier::new(context, "res_attrs"), names(&graph.outputs)),
    ];
    let function = func::func(
        context,
        StringAttribute::new(context, FUNCTION),
        TypeAttribute::new(FunctionType::new(context, &inputs, &results).into()),
        region,
        &attributes,
        named_location(context, if graph.name.is_empty() { FUNCTION } else { &graph.name }),
    );
    let module = Module::new(unknown);
    module.body().append_operation(function);
    Ok(module)
}

/// A value of which nothing tells the rank before constants are folded has that which the model declares: files of ONNX say one of each output.
fn give_rank(context: &Context, output: MlirValue<'_, '_>, declared: &Value) -> Result<(), OnnxError> {
    let r#type = TensorType::from_type(output.r#type())?;
    if let (None, Some(shape)) = (&r#type.dimensions, &declared.shape) {
        let ranked = TensorType::with_dimensions(r#type.element, Some(vec![None; shape.len()]));
        set_result_type(output, ranked.to_type(context));
    }
    Ok(())
}

/// An output of another type than the model declares is an error, as in onnxruntime; another shape is told, and the network's own holds.
fn check_declared(output: MlirValue<'_, '_>, declared: &Value) -> Result<(), OnnxError> {
    let TensorType { element, dimensions, .. } = TensorType::from_type(output.r#type())?;
    let (name, own) = (&declared.name, element.storage());
    if let Some(wanted) = declared.element.filter(|wanted| *wanted != own) {
        return Err(OnnxError::model(format!(
            "output {name:?} is declared {wanted}, but the network gives {own}; correct the declaration, or cast the value"
        )));
    }
    let (Some(dimensions), Some(shape)) = (dimensions, &declared.shape) else { return Ok(()) };
    let contradicts = |(own, declared): (&Option<u64>, &Dimension)| match (own, declared) {
        (Some(own), Dimension::Fixed(declared)) => *own != *declared as u64,
        _ => false,
    };
    if dimensions.len() != shape.len() || dimensions.iter().zip(shape).any(contradicts) {
        tracing::warn!("output {name:?} has another shape than the model declares; that of the network holds");
    }
    Ok(())
}

fn is_unread(value: MlirValue<'_, '_>) -> bool {
    ir::users(value).is_empty()
}

/// What an input says of itself.
fn input_type(input: &Value) -> Result<TensorType, OnnxError> {
    let element = input.element.ok_or_else(|| OnnxError::input(&input.name, "it has no element type"))?;
    let size = |dimension: &Dimension| match dimension {
        Dimension::Fixed(size) => Some(*size as u64),
        Dimension::Named(_) => None,
    };
    let sizes = input.shape.as_ref().map(|shape| shape.iter().map(size).collect());
    Ok(TensorType::with_dimensions(element, sizes))
}

pub(super) struct Importer<'c, 'a> {
    pub(super) context: &'c Context,
    pub(super) block: BlockRef<'c, 'a>,
    /// By their names in ONNX.
    pub(super) values: HashMap<String, MlirValue<'c, 'a>>,
    /// The addresses of those that follow from constants and shapes alone, so that folding leaves constants of them.
    pub(super) folding: HashSet<usize>,
}

impl<'c, 'a> Importer<'c, 'a> {
    /// Makes the inputs of a graph arguments of the block.
    pub(super) fn inputs(&mut self, graph: &Graph) -> Result<(), OnnxError> {
        for input in &graph.inputs {
            let r#type = input_type(input)?.to_type(self.context);
            let argument = self.block.add_argument(r#type, named_location(self.context, &input.name));
            self.values.insert(input.name.clone(), argument);
        }
        Ok(())
    }

    /// Makes the initializers that nodes or outputs of a graph read constants.
    pub(super) fn initializers(&mut self, graph: &Graph) -> Result<Vec<OperationRef<'c, 'a>>, OnnxError> {
        let mut constants = Vec::new();
        for ((name, tensor), is_used) in graph.initializers.iter().zip(used_initializers(graph)) {
            if is_used {
                let node = Node::new(name, "Constant", &[], &[name]);
                constants.push(self.node(&node.with("value", Attribute::Tensor(tensor.clone())))?);
            }
        }
        Ok(constants)
    }

    /// The outputs of a graph whose nodes are there.
    pub(super) fn outputs(&self, graph: &Graph) -> Result<Vec<MlirValue<'c, 'a>>, OnnxError> {
        let find = |output: &Value| {
            let value = self.values.get(&output.name).copied();
            value.ok_or_else(|| OnnxError::graph(&graph.name, format!("no output {:?}", output.name)))
        };
        graph.outputs.iter().map(find).collect()
    }

    /// The element type of a value, when it is there.
    pub(super) fn element(&self, name: &str) -> Option<ElementType> {
        TensorType::from_type(self.values.get(name)?.r#type()).ok()?.element.plain()
    }

    /// Initializers and nodes of a graph whose inputs are known; its outputs.
    pub(super) fn body(&mut self, graph: &Graph) -> Result<Vec<MlirValue<'c, 'a>>, OnnxError> {
        self.initializers(graph)?;
        for node in &graph.nodes {
            self.node(node)?;
        }
        self.outputs(graph)
    }

    /// Builds the operation of a node of the normal form.
    pub(super) fn node(&mut self, node: &Node) -> Result<OperationRef<'c, 'a>, OnnxError> {
        let row = operators::find_form(node);
        let Some((operator, OnnxForm::Op(op))) = row.map(|operator| (operator, operator.form)) else {
            return Err(OnnxError::node(node, "it has no form in the dialect"));
        };
        let mut operands = Vec::with_capacity(node.inputs.len());
        for name in &node.inputs {
            let value = self.values.get(name).copied();
            operands.push(value.ok_or_else(|| OnnxError::node(node, format!("its input {name:?} is absent")))?);
        }
        let element = result_element(node, operator, &operands)?;
        let types = vec![initial_type(node, element).to_type(self.context); result_count(node, op, operator)?];
        let mut attributes = self.attributes(node, operator)?;
        let Regions { captured, regions, attributes: own } = self.regions(node, op, &operands)?;
        operands.extend(captured);
        attributes.extend(own);
        let operation = ir::build(
            self.context,
            op.name(),
            &operands,
            &attributes,
            &types,
            regions,
            origin_of(node).location(self.context),
        )?;
        let operation = self.block.append_operation(operation);
        let mut types = infer_types(operation).map_err(|reason| OnnxError::node(node, reason))?;
        if self.folds(operation) {
            self.folding.extend(ir::results(operation).into_iter().map(ir::address));
            // Its sizes are there once it is folded: nothing is to be judged by bounds.
            types.iter_mut().for_each(|r#type| r#type.bounds = None);
        }
        for (index, r#type) in types.iter().enumerate() {
            let value: MlirValue = operation.result(index).map_err(|error| OnnxError::node(node, error))?.into();
            set_result_type(value, r#type.to_type(self.context));
            if let Some(name) = node.outputs.get(operator.first_output + index).filter(|name| !name.is_empty()) {
                self.values.insert(name.clone(), value);
            }
        }
        Ok(operation)
    }

    /// Whether an operation follows from constants and shapes alone.
    fn folds(&self, operation: OperationRef<'_, '_>) -> bool {
        match Op::of(operation) {
            Some(Op::Shape) if !has_unknown_sizes(operation) => true,
            // A graph inside of it reads what nobody sees here, and may run for ever.
            Some(Op::If | Op::Loop) | None => false,
            Some(_) => operation.operands().all(|operand| self.folding.contains(&ir::address(operand))),
        }
    }

    /// Attributes of the operation; those that have their default are left out.
    fn attributes(
        &self,
        node: &Node,
        operator: &OnnxOperator,
    ) -> Result<Vec<(&'static str, MlirAttribute<'c>)>, OnnxError> {
        let mut attributes = Vec::new();
        for rule in operator.dialect_attributes(NORMAL_OPSET) {
            let value = match node.attribute(rule.name) {
                Some(value) => value.clone(),
                None if rule.name == "pads" => window::absent_pads(node),
                None => continue,
            };
            if rule.default.is_none_or(|default| operators::default_attribute(default) != value) {
                let attribute = self.attribute(node, rule, &value)?;
                attributes.push((rule.name, attribute));
            }
        }
        Ok(attributes)
    }

    fn attribute(&self, node: &Node, rule: &OnnxAttribute, value: &Attribute) -> Result<MlirAttribute<'c>, OnnxError> {
        let context = self.context;
        let made = match (rule.kind, value) {
            (OnnxKind::Int, Attribute::Int(value)) => Some(ir::attribute::si64(context, *value)),
            (OnnxKind::Flag, Attribute::Int(value)) => Some(ir::attribute::boolean(context, *value != 0)),
            (OnnxKind::Float, Attribute::Float(value)) => Some(ir::attribute::f32(context, *value)),
            (OnnxKind::Floats, Attribute::Floats(values)) => {
                let values: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
                Some(ir::attribute::floats(context, &values))
            }
            (OnnxKind::Strings, Attribute::Strings(texts)) => {
                let text = |text: &Vec<u8>| ir::attribute::string(context, &String::from_utf8_lossy(text));
                Some(ir::attribute::array(context, &texts.iter().map(text).collect::<Vec<_>>()))
            }
            (OnnxKind::Ints, Attribute::Ints(values)) => Some(ir::attribute::integers(context, values)),
            (OnnxKind::Tensor, Attribute::Tensor(tensor)) => Some(elements(context, &node.name, tensor)?),
            (OnnxKind::Choice(_), Attribute::String(text)) => {
                let text = String::from_utf8_lossy(text);
                match rule.name {
                    "auto_pad" => ir::attribute::auto_pad(context, &text),
                    "mode" if node.operator == "Pad" => ir::attribute::pad_mode(context, &text),
                    _ => Some(ir::attribute::string(context, &text)),
                }
            }
            _ => None,
        };
        made.ok_or_else(|| OnnxError::node(node, format!("attribute {:?} has no form in the dialect", rule.name)))
    }
}

/// A node that an older form of an operator became keeps the name of the user's node with its own, and one of a file that a compilation
/// left the nodes that went into it.
fn origin_of(node: &Node) -> Origin {
    let nodes = node.made_of.as_ref().map(|made| made.nodes.clone());
    Origin { name: node.name.clone(), nodes: nodes.unwrap_or_else(|| vec![node.name.clone()]) }
}

fn elements<'c>(context: &'c Context, name: &str, tensor: &Tensor) -> Result<MlirAttribute<'c>, OnnxError> {
    let r#type = TensorType::new(tensor.element(), tensor.shape());
    Ok(shared_constant_attribute(context, name, &r#type, tensor.data().clone())?)
}

/// The type of a result before inference: only that of a constant is known.
fn initial_type(node: &Node, element: ElementType) -> TensorType {
    match node.attribute("value") {
        Some(Attribute::Tensor(tensor)) if node.inputs.is_empty() => TensorType::new(element, tensor.shape()),
        _ => TensorType::unranked(element),
    }
}

fn result_element(node: &Node, operator: &OnnxOperator, operands: &[MlirValue]) -> Result<ElementType, OnnxError> {
    let failed = |reason: String| OnnxError::node(node, reason);
    match operator.result_element(0) {
        ResultElement::Bool => Ok(ElementType::Bool),
        ResultElement::I64 => Ok(ElementType::I64),
        ResultElement::Operand(index) => {
            let operand = operands.get(index).ok_or_else(|| failed(format!("input {index} is missing")))?;
            let element = TensorType::from_type(operand.r#type())?.element;
            element.plain().ok_or_else(|| failed("its input is quantized".to_owned()))
        }
        ResultElement::Attribute(attribute) => match node.attribute(attribute) {
            Some(Attribute::Tensor(tensor)) => Ok(tensor.element()),
            Some(Attribute::Int(code)) => {
                i32::try_from(*code).map_err(|error| error.to_string()).and_then(element_type).map_err(failed)
            }
            _ => Err(failed(format!("attribute {attribute:?} is missing"))),
        },
        ResultElement::Graph { attribute, first } => {
            let graph = whole_graph(node, attribute)?;
            let element = graph.outputs.get(first).and_then(|output| output.element);
            // A loop may have no result; then nobody asks.
            Ok(element.unwrap_or(ElementType::F32))
        }
    }
}

/// What MLIR says against the module, if anything.
fn verify(context: &Context, module: &Module<'_>) -> Result<(), OnnxError> {
    let (valid, reports) = diagnostics::collect(context, || module.as_operation().verify());
    if valid {
        return Ok(());
    }
    Err(OnnxError::model(format!("the imported model is not valid: {}", diagnostics::messages(&reports))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_leave_the_file_once_where_they_are_read() {
        let file = Bytes::from(vec![1; 4096]);
        let tensor = |part: Bytes| Tensor::new(ElementType::I8, vec![part.len()], part).unwrap();
        let initializer = |name: &str, part: Bytes| (name.to_owned(), tensor(part));
        let inner = Graph {
            nodes: vec![Node::new("inner", "Add", &["c", "c"], &["d"])],
            initializers: vec![initializer("c", file.slice(100..356))],
            ..Graph::default()
        };
        let mut graph = Graph {
            nodes: vec![
                Node::new("add", "Add", &["a", "b"], &["y"]),
                Node::new("branch", "If", &["y"], &["z"]).with("then_branch", Attribute::Graph(Box::new(inner))),
                Node::new("constant", "Constant", &[], &["k"])
                    .with("value", Attribute::Tensor(tensor(file.slice(7..107)))),
            ],
            initializers: vec![
                initializer("a", file.slice(100..356)),
                initializer("b", file.slice(100..356)),
                initializer("unread", file.slice(..2048)),
            ],
            ..Graph::default()
        };
        hold_apart(&mut graph);
        let inside = file.as_ptr().addr()..file.as_ptr().addr() + file.len();
        let mut constants = Vec::new();
        add_constants(&mut graph, &mut constants);
        let places: Vec<usize> = constants.iter().map(|tensor| tensor.data().as_ptr().addr()).collect();
        assert!(places.iter().all(|place| !inside.contains(place)) && constants.len() == 4);
        assert!(constants.iter().all(|tensor| tensor.data().iter().all(|byte| *byte == 1)));
        // The same part of the file is one copy.
        assert_eq!(places.iter().collect::<HashSet<_>>().len(), 2);
        assert!(inside.contains(&graph.initializers[2].1.data().as_ptr().addr()));
    }
}
