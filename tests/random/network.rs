//! A network under construction. Each node is run alone as soon as it is drawn: one that cannot be is not taken, and what it gives is
//! what the whole network must give later.

use super::operators::{self, Draft};
use fastrand::Rng;
use hb::cpu::{Array, ExecutableOptions, FloatExecutable};
use hb::frontend::onnx::model::{Attribute, Dimension, Graph, Model, Node, Value};
use hb::frontend::onnx::tensor::Tensor;
use hb::frontend::onnx::{self, ImportOptions};
use hb::pipeline;
use hb::sim::npy;
use hb_dialects::hfloat::{Op, OpKind, onnx_operators};
use hb_dialects::ir;
use hb_dialects::registry::{OnnxForm, OnnxOperator};
use hb_dialects::{ElementType, names::FUNCTION};
use melior::Context;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

/// Sizes that are no multiples of the machine's, and some that are.
const SIZES: &[usize] = &[1, 1, 2, 3, 3, 4, 5, 5, 6, 7, 8, 9, 11, 13, 16, 17, 19, 31, 33];
/// What passes fuse or move past each other.
const FUSED: &[Op] = &[
    Op::Conv,
    Op::Conv,
    Op::BatchNormalization,
    Op::BatchNormalization,
    Op::Relu,
    Op::Clip,
    Op::Add,
    Op::Mul,
    Op::Sub,
    Op::Div,
    Op::ConvTranspose,
    Op::Gemm,
    Op::MatMul,
    Op::Pad,
    Op::Split,
    Op::Transpose,
    Op::Reshape,
    Op::Concat,
    Op::HardSigmoid,
    Op::Resize,
    Op::MaxPool,
    Op::AveragePool,
    Op::ReduceMean,
    Op::Slice,
];
/// Numbers that mean something to passes.
const SPECIAL: &[f32] = &[0.0, 1.0, -1.0, 3.0, 6.0, 1.0 / 6.0, 0.5, 2.0, 127.0, 1e-3];
/// The most elements of a value: the scalar definitions of the machine are slow.
const MOST_ELEMENTS: usize = 6000;
/// The most inputs of a network.
const MOST_INPUTS: usize = 4;
/// Beyond this, values mean little in int8.
const LARGEST: f64 = 1e4;

/// A network with the values that its nodes give alone.
#[derive(Clone)]
pub struct Network {
    pub seed: u64,
    pub model: Model,
    /// Of inputs and of results of nodes.
    pub values: HashMap<String, Array>,
}

/// What became of the nodes that were drawn, by operator and reason.
#[derive(Default)]
pub struct Drawn {
    pub taken: BTreeMap<&'static str, usize>,
    /// Reasons with a number of drafts.
    pub refused: BTreeMap<String, usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Input,
    Constant,
    Node,
}

/// A value that nodes may read.
#[derive(Clone)]
pub struct Known {
    pub name: String,
    pub array: Array,
    pub source: Source,
}

impl Known {
    pub fn shape(&self) -> &[usize] {
        self.array.shape()
    }

    pub fn rank(&self) -> usize {
        self.shape().len()
    }

    pub fn is_float(&self) -> bool {
        self.array.element() == ElementType::F32
    }
}

pub struct Generator<'a> {
    pub rng: Rng,
    pub opset: i64,
    context: &'a Context,
    drawn: &'a mut Drawn,
    known: Vec<Known>,
    nodes: Vec<Node>,
    /// What the next node is to read, so that chains come about that passes fuse.
    focus: Option<String>,
    /// How nodes are named: as PyTorch does, with spaces and letters beyond ASCII, or plainly.
    style: u8,
}

/// The network of a seed, with at least so many nodes.
pub fn generate(context: &Context, seed: u64, nodes: usize, drawn: &mut Drawn) -> Network {
    let mut generator = Generator::start(context, seed, drawn);
    let more = generator.rng.usize(0..8);
    let mut attempts = 0;
    while generator.nodes.len() < nodes + more && attempts < 100 * (nodes + more) {
        attempts += 1;
        let operator = generator.operator();
        let added = generator.add(operator);
        generator.focus = added.map(|known| known.name).filter(|_| generator.rng.u8(0..2) == 0);
    }
    generator.finish(seed)
}

/// Whether a network of a seed can begin with the operator.
pub fn contains(context: &Context, seed: u64, operator: &'static OnnxOperator, drawn: &mut Drawn) -> bool {
    let mut generator = Generator::start(context, seed, drawn);
    operator.inputs_at(generator.opset).is_some() && generator.add(operator).is_some()
}

/// The type of a value.
fn value(name: &str, array: &Array) -> Value {
    let shape = array.shape().iter().map(|size| Dimension::Fixed(*size)).collect();
    Value { name: name.to_owned(), element: Some(array.element()), shape: Some(shape) }
}

pub fn tensor(array: &Array) -> Tensor {
    Tensor::new(array.element(), array.shape().to_vec(), array.as_bytes().to_vec().into()).unwrap()
}

pub fn array(tensor: &Tensor) -> Array {
    Array::from_bytes(tensor.element(), tensor.shape(), tensor.data()).unwrap()
}

pub fn model(opset: i64, graph: Graph) -> Model {
    let ir_version = if opset > 20 { 10 } else { 8 };
    Model { producer_name: "tests/random".to_owned(), ..Model::new(ir_version, opset, graph) }
}

/// A reason without what differs from node to node: names and numbers.
pub fn kind_of(reason: &str) -> String {
    let mut kind = String::new();
    let mut quote = None;
    for character in reason.lines().next().unwrap_or_default().chars() {
        match (quote, character) {
            (Some(end), character) if character == end => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => {
                quote = Some(character);
                kind.push('_');
            }
            (None, character) if character.is_ascii_digit() => {
                if !kind.ends_with('#') {
                    kind.push('#');
                }
            }
            (None, character) => kind.push(character),
        }
    }
    kind
}

/// What one node gives on these values; constants are in the network, all else is fed to it.
fn run_alone(context: &Context, opset: i64, node: &Node, known: &[Known]) -> Result<Vec<Array>, String> {
    let mut graph = Graph { name: "one".to_owned(), nodes: vec![node.clone()], ..Graph::default() };
    let mut arrays = Vec::new();
    let mut seen = HashSet::new();
    for name in node.inputs.iter().filter(|name| !name.is_empty()) {
        let operand = known.iter().find(|known| known.name == *name).unwrap();
        if !seen.insert(name) {
            continue;
        }
        if operand.source == Source::Constant {
            graph.initializers.push((name.clone(), tensor(&operand.array)));
        } else {
            graph.inputs.push(value(name, &operand.array));
            arrays.push(&operand.array);
        }
    }
    let outputs = node.outputs.iter().filter(|name| !name.is_empty());
    graph.outputs = outputs.map(|name| Value { name: name.clone(), element: None, shape: None }).collect();
    run_model(context, model(opset, graph), &arrays)
}

/// Runs a model by the float executor.
pub fn run_model(context: &Context, model: Model, inputs: &[&Array]) -> Result<Vec<Array>, String> {
    let mut module = onnx::import(context, model, &ImportOptions::default()).map_err(|error| error.to_string())?;
    pipeline::run(context, &mut module, &pipeline::on_functions("hfloat-infer-shapes"))
        .map_err(|error| error.to_string())?;
    let function = ir::function_named(module.as_operation(), FUNCTION).unwrap();
    let options = ExecutableOptions { quick: true, single_threaded: true, ..ExecutableOptions::default() };
    let executable = FloatExecutable::compile(function, options).map_err(|error| error.to_string())?;
    executable.run(inputs).map_err(|error| error.to_string())
}

impl<'a> Generator<'a> {
    /// A network with one input.
    fn start(context: &'a Context, seed: u64, drawn: &'a mut Drawn) -> Self {
        let mut rng = Rng::with_seed(seed);
        let opset = if rng.bool() { rng.i64(13..=24) } else { rng.i64(7..=24) };
        let style = rng.u8(0..6);
        let mut generator =
            Self { rng, opset, context, drawn, known: Vec::new(), nodes: Vec::new(), focus: None, style };
        let rank = if generator.rng.u8(0..4) == 0 { generator.rng.usize(1..=5) } else { 4 };
        let shape = generator.shape(rank);
        generator.fresh(&shape);
        generator
    }

    /// An operator of the registry; those that have a form on the BPU more often.
    fn operator(&mut self) -> &'static OnnxOperator {
        if self.focus.is_some() && self.chance(70) {
            return self.rng.choice(FUSED).unwrap().onnx();
        }
        loop {
            let operator = self.rng.choice(onnx_operators()).unwrap();
            let quantized = matches!(operator.form, OnnxForm::Op(op) if op.quantization().is_some());
            let scalar = matches!(operator.form, OnnxForm::Op(op) if matches!(op.kind(), OpKind::Scalar(_)));
            if operators::left_out(operator).is_some() {
                continue;
            }
            if operator.inputs_at(self.opset).is_some() && (self.rng.u8(0..3) == 0 || quantized && !scalar) {
                return operator;
            }
        }
    }

    /// Draws a node of an operator and takes it, if it can be run and gives reasonable numbers.
    pub fn add(&mut self, operator: &'static OnnxOperator) -> Option<Known> {
        let draft = operators::draft(self, operator)?;
        match self.take(operator, draft) {
            Ok(known) => Some(known),
            Err(reason) => {
                *self.drawn.refused.entry(format!("{}: {}", operator.name, kind_of(&reason))).or_default() += 1;
                None
            }
        }
    }

    /// Takes a node that prepares the operand of another.
    pub fn add_draft(&mut self, op: Op, mut draft: Draft) -> Option<Known> {
        draft.outputs = 1;
        op.onnx().inputs_at(self.opset)?;
        self.take(op.onnx(), draft).ok()
    }

    /// A name for a node; now and then one that a pass might give to what it makes of another.
    fn name(&mut self, operator: &str) -> String {
        let number = self.nodes.len();
        let derived = ["activation", "scale", "quantized", "QuantizeLinear", "weight", "0", "input_0"];
        if self.chance(4)
            && let Some(node) = self.rng.choice(&self.nodes)
        {
            let name = format!("{}/{}", node.name, self.rng.choice(derived).unwrap());
            if self.nodes.iter().all(|node| node.name != name) {
                return name;
            }
        }
        match self.style {
            0 => format!("/layer.{}/{operator}_{number}", number / 5),
            1 => format!("größe {number} ({operator})"),
            _ => format!("{operator}_{number}"),
        }
    }

    fn take(&mut self, operator: &'static OnnxOperator, draft: Draft) -> Result<Known, String> {
        let name = self.name(operator.name);
        let mut node = Node::new(&name, operator.name, &[], &[]);
        node.inputs = draft.inputs;
        while node.inputs.last().is_some_and(String::is_empty) {
            node.inputs.pop();
        }
        node.outputs = (0..draft.outputs).map(|output| format!("{name}:{output}")).collect();
        node.attributes = draft.attributes;
        let results = run_alone(self.context, self.opset, &node, &self.known)?;
        if results.iter().any(|result| result.len() > MOST_ELEMENTS || result.is_empty()) {
            return Err("its result is empty or too large for this test".to_owned());
        }
        // Now and then one is taken all the same: it must be refused, or come out right.
        let wild = |result: &Array| result.to_f64().iter().any(|value| value.is_nan() || value.abs() > LARGEST);
        if results.iter().any(wild) && self.rng.u8(0..100) > 0 {
            return Err("its result is not finite or too large for this test".to_owned());
        }
        *self.drawn.taken.entry(operator.name).or_default() += 1;
        for (name, array) in node.outputs.iter().zip(results) {
            self.known.push(Known { name: name.clone(), array, source: Source::Node });
        }
        self.nodes.push(node);
        Ok(self.known.last().unwrap().clone())
    }

    pub fn chance(&mut self, percent: u8) -> bool {
        self.rng.u8(0..100) < percent
    }

    /// A number of the range, with two digits or with all.
    pub fn real(&mut self, low: f32, high: f32) -> f32 {
        let value = low + self.rng.f32() * (high - low);
        if self.rng.bool() {
            (value * 4.0).round().clamp((low * 4.0).ceil(), (high * 4.0).floor()) / 4.0
        } else {
            value
        }
    }

    pub fn size(&mut self) -> usize {
        *self.rng.choice(SIZES).unwrap()
    }

    /// A shape of so many dimensions that is not too large.
    pub fn shape(&mut self, rank: usize) -> Vec<usize> {
        loop {
            let mut shape: Vec<usize> = (0..rank).map(|_| self.size()).collect();
            // Batches are small, often 1.
            if rank >= 3 && self.chance(70) {
                shape[0] = self.rng.usize(1..=2);
            }
            if shape.iter().product::<usize>() <= MOST_ELEMENTS / 4 {
                return shape;
            }
        }
    }

    /// An axis of a tensor, as ONNX counts them; from opset 11 on also from behind.
    pub fn axis(&mut self, rank: usize) -> i64 {
        let axis = self.rng.usize(0..rank) as i64;
        if self.opset >= 11 && self.rng.bool() { axis - rank as i64 } else { axis }
    }

    /// Some different axes, at least one, in any order.
    pub fn axes(&mut self, rank: usize) -> Vec<i64> {
        let mut all: Vec<i64> = (0..rank as i64).collect();
        self.rng.shuffle(&mut all);
        all.truncate(self.rng.usize(1..=rank));
        let negative = self.opset >= 11 && self.rng.bool();
        all.into_iter().map(|axis| if negative { axis - rank as i64 } else { axis }).collect()
    }

    pub fn array(&mut self, element: ElementType, shape: &[usize], low: f32, high: f32) -> Array {
        let count = shape.iter().product();
        let bytes: Vec<u8> = (0..count)
            .flat_map(|_| {
                let value = low + self.rng.f32() * (high - low);
                let value = if element == ElementType::Bool { self.rng.u8(0..2).into() } else { value };
                Tensor::scalar(element, value).data().to_vec()
            })
            .collect();
        Array::from_bytes(element, shape, &bytes).unwrap()
    }

    /// A new input of the network; `None` when it has enough.
    pub fn fresh(&mut self, shape: &[usize]) -> Option<Known> {
        let inputs = self.known.iter().filter(|known| known.source == Source::Input).count();
        if inputs >= MOST_INPUTS {
            return None;
        }
        let range = *self.rng.choice(&[1.0, 2.5, 0.1, 6.0]).unwrap();
        let low = if self.chance(20) { 0.0 } else { -range };
        let array = self.array(ElementType::F32, shape, low, range);
        let known = Known { name: format!("input_{inputs}"), array, source: Source::Input };
        self.known.push(known.clone());
        Some(known)
    }

    /// A value that is no constant, a late one rather than an early one.
    pub fn value(&mut self, accept: impl Fn(&Known) -> bool) -> Option<Known> {
        let varying = self.known.iter().filter(|known| known.source != Source::Constant && accept(known));
        let fitting: Vec<&Known> = varying.collect();
        let focused = self.focus.as_ref().and_then(|name| fitting.iter().find(|known| known.name == *name));
        if let Some(focused) = focused.filter(|_| self.rng.u8(0..10) > 0) {
            return Some((*focused).clone());
        }
        let first = if self.rng.u8(0..10) < 6 { fitting.len().saturating_sub(4) } else { 0 };
        self.rng.choice(fitting.get(first..)?).map(|known| (*known).clone())
    }

    /// A float value that fits, or a new input of the shape.
    pub fn float(&mut self, accept: impl Fn(&[usize]) -> bool, shape: &[usize]) -> Option<Known> {
        let fitting = if self.chance(8) { None } else { self.value(|known| known.is_float() && accept(known.shape())) };
        fitting.or_else(|| self.fresh(shape))
    }

    /// Any value, a float rather than another.
    pub fn any(&mut self) -> Option<Known> {
        if self.chance(80) { self.value(Known::is_float) } else { self.value(|_| true) }
    }

    /// The name of a constant of random numbers; sometimes one that other nodes read, too.
    pub fn constant(&mut self, element: ElementType, shape: &[usize], low: f32, high: f32) -> String {
        let fits = |known: &&Known| {
            let same = known.source == Source::Constant && known.array.element() == element && known.shape() == shape;
            let within = |value: &f64| (f64::from(low)..=f64::from(high)).contains(value);
            same && known.array.to_f64().iter().all(within)
        };
        let fitting: Vec<&Known> = self.known.iter().filter(fits).collect();
        let shared = self.rng.choice(fitting).map(|known| known.name.clone());
        if let Some(shared) = shared.filter(|_| self.rng.bool()) {
            return shared;
        }
        // One number throughout, such as 0; else each its own.
        let (low, high) = match self.rng.u8(0..10) {
            0 => {
                let value = self.real(low, high);
                (value, value)
            }
            1 => {
                let special = *self.rng.choice(SPECIAL).unwrap();
                if (low..=high).contains(&special) { (special, special) } else { (low, high) }
            }
            _ => (low, high),
        };
        let array = self.array(element, shape, low, high);
        self.initializer(array)
    }

    pub fn initializer(&mut self, array: Array) -> String {
        let same = self.known.iter().find(|known| known.source == Source::Constant && known.array == array);
        if let Some(same) = same.map(|known| known.name.clone()).filter(|_| self.rng.bool()) {
            return same;
        }
        let name = format!("constant_{}", self.known.len());
        self.known.push(Known { name: name.clone(), array, source: Source::Constant });
        name
    }

    /// The name of a vector of INT64.
    pub fn integers(&mut self, values: &[i64]) -> String {
        self.initializer(Array::from_values(&[values.len()], values).unwrap())
    }

    /// Chooses outputs and leaves out what nobody reads.
    fn finish(mut self, seed: u64) -> Network {
        let read: HashSet<&String> = self.nodes.iter().flat_map(|node| &node.inputs).collect();
        let (mut outputs, mut others) = (Vec::new(), Vec::new());
        for known in self.known.iter().filter(|known| known.source == Source::Node) {
            if read.contains(&known.name) { others.push(known.clone()) } else { outputs.push(known.clone()) }
        }
        // Some results stay unread.
        if outputs.len() > 1 && self.rng.u8(0..4) == 0 {
            outputs.remove(self.rng.usize(0..outputs.len()));
        }
        // Outputs that nodes of the network read, too.
        for _ in 0..self.rng.usize(0..3) {
            if let Some(also) = self.rng.choice(&others)
                && outputs.iter().all(|output| output.name != also.name)
            {
                outputs.push(also.clone());
            }
        }
        // An input that is an output, too.
        if self.rng.u8(0..30) == 0 {
            outputs.extend(self.known.iter().find(|known| known.source == Source::Input).cloned());
        }
        self.rng.shuffle(&mut outputs);
        let read: HashSet<String> = self.nodes.iter().flat_map(|node| node.inputs.clone()).collect();
        let mut graph = Graph { name: format!("seed_{seed}"), nodes: self.nodes, ..Graph::default() };
        graph.outputs = outputs.iter().map(|known| value(&known.name, &known.array)).collect();
        let mut values = HashMap::new();
        let mut constant_nodes = Vec::new();
        for (index, known) in self.known.into_iter().enumerate() {
            match known.source {
                Source::Input
                    if read.contains(&known.name) || outputs.iter().any(|output| output.name == known.name) =>
                {
                    graph.inputs.push(value(&known.name, &known.array))
                }
                Source::Constant if read.contains(&known.name) => {
                    // Some constants are nodes.
                    if index % 4 == 0 {
                        let node = Node::new(&format!("{}_node", known.name), "Constant", &[], &[&known.name]);
                        constant_nodes.push(node.with("value", Attribute::Tensor(tensor(&known.array))));
                    } else {
                        graph.initializers.push((known.name.clone(), tensor(&known.array)));
                    }
                    continue;
                }
                Source::Node => {}
                Source::Input | Source::Constant => continue,
            }
            values.insert(known.name, known.array);
        }
        graph.nodes.splice(0..0, constant_nodes);
        Network { seed, model: model(self.opset, graph), values }
    }
}

/// Writes arrays one after the other as `.npy`, and their names beside them.
pub fn keep_arrays<'a>(file: &Path, named: impl Iterator<Item = (String, &'a Array)>) {
    let (mut names, mut arrays) = (String::new(), Vec::new());
    for (name, array) in named {
        names.push_str(&format!("{name}\n"));
        arrays.extend(npy::encode(array).unwrap());
    }
    std::fs::write(file.with_extension("names"), names).unwrap();
    std::fs::write(file.with_extension("npys"), arrays).unwrap();
}

impl Network {
    pub fn inputs(&self) -> Vec<&Array> {
        self.model.graph.inputs.iter().map(|input| &self.values[&input.name]).collect()
    }

    /// The output of a node that its name stands for.
    pub fn named<'n>(&self, node: &'n Node) -> Option<&'n String> {
        let graph = &self.model.graph;
        let is_read = |name: &String| {
            graph.nodes.iter().any(|other| other.inputs.contains(name))
                || graph.outputs.iter().any(|output| output.name == *name)
        };
        // The positions of a MaxPool whose maxima nobody reads have its name.
        let first = usize::from(node.operator == "MaxPool" && node.outputs.first().is_some_and(|name| !is_read(name)));
        node.outputs.get(first)
    }

    /// Writes the model, and its values one after the other as `.npy` with their names beside them.
    pub fn keep(&self, folder: &Path) {
        let file = folder.join(format!("seed-{}", self.seed));
        onnx::save(&self.model, &file.with_extension("onnx")).unwrap();
        keep_arrays(&file, self.values.iter().map(|(name, array)| (name.clone(), array)));
    }

    /// Nodes as lines.
    pub fn text(&self) -> String {
        let graph = &self.model.graph;
        let mut text = format!("opset {}\n", self.model.opset);
        for input in &graph.inputs {
            text.push_str(&format!("input {} {:?}\n", input.name, self.values[&input.name].shape()));
        }
        let constants = graph.initializer_map();
        let operand = |name: &String| match constants.get(name.as_str()) {
            Some(tensor) if tensor.count() <= 8 => {
                let values = array(tensor).to_f64();
                format!("{}{:?} {values:?}", tensor.element(), tensor.shape())
            }
            Some(tensor) => format!("{}{:?}", tensor.element(), tensor.shape()),
            None => name.clone(),
        };
        for node in graph.nodes.iter() {
            let results = node.outputs.iter().map(|output| match self.values.get(output) {
                Some(array) => format!("{output} {}{:?}", array.element(), array.shape()),
                None => output.clone(),
            });
            let attributes = node.attributes.iter().map(|(name, attribute)| match attribute {
                Attribute::String(word) => format!("{name}={}", String::from_utf8_lossy(word)),
                Attribute::Tensor(tensor) => format!("{name}={:?}", array(tensor)),
                Attribute::Int(value) => format!("{name}={value}"),
                Attribute::Ints(values) => format!("{name}={values:?}"),
                other => format!("{name}={other:?}"),
            });
            text.push_str(&format!(
                "{} = {}({}) {{{}}}\n",
                results.collect::<Vec<_>>().join(", "),
                node.operator,
                node.inputs.iter().map(operand).collect::<Vec<_>>().join(", "),
                attributes.collect::<Vec<_>>().join(", ")
            ));
        }
        let outputs: Vec<&str> = graph.outputs.iter().map(|output| output.name.as_str()).collect();
        text + &format!("outputs {}\n", outputs.join(", "))
    }
}
