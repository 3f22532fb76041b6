//! The configuration against what the model really has: its inputs, and the names of its nodes.

use super::input_rules::{batch_fault, shape_faults};
use super::keys::{InputKey, Word, joined};
use super::parameters::{
    INPUT_BATCH, INPUT_LAYOUT_TRAIN, INPUT_NAME, INPUT_SHAPE, INPUT_SOURCE, INPUT_TYPE_RT, InputSettings, InputSource,
    NODE_INFO, NORM_TYPE, NormType, OUTPUT_NODES, PARAMETERS, QUANT_CONFIG, REMOVE_NODE_NAME, RUN_ON_BPU, RUN_ON_CPU,
};
use super::problem::{Location, Problem, Problems, Severity};
use super::quant_config::QuantConfig;
use super::table::{Multiplicity, Named, Parameter, ParameterKind};
use super::values::ParameterValue;
use super::{Configuration, InputType, Optimization, StatedTypes};
use crate::bpu::lower::border::Removable;
use crate::float::insert_image::image_endings;
use crate::frontend::ModelFiles;
use crate::wording::{printable, suggestion};
use hb_dialects::pass::word;

/// An input as the model declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInput {
    /// The name that the model gives it.
    pub name: String,
    /// Sizes; None where the model leaves a dimension open.
    pub shape: Vec<Option<u64>>,
    /// The element type as ONNX spells it, in lower case: `float`, `float16`, `double`, `int64`.
    pub element: String,
}

impl ModelInput {
    /// Whether images and normalization can be put before it.
    pub fn can_be_preprocessed(&self) -> bool {
        self.element == PREPROCESSED
    }

    /// What to do where that is asked for and cannot be, behind another way.
    fn float_remedy(&self) -> &'static str {
        match self.element.as_str() {
            "float16" | "bfloat16" | "double" => ", or export the model with a float input",
            _ => "",
        }
    }
}

/// The element type that images and normalization give.
const PREPROCESSED: &str = "float";

/// What names are of, as messages call it.
const NODE: &str = "node";
const OPERATOR: &str = "operator";

/// A node as the model declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelNode {
    /// The name that the model gives it.
    pub name: String,
    /// Its operator, as ONNX spells it.
    pub operator: String,
    /// How many inputs it has; none where that is not known any more.
    pub inputs: Option<usize>,
    /// The values that it computes.
    pub outputs: Vec<String>,
    /// The name that the file gives it, where an input or another node has that.
    pub name_in_file: Option<String>,
    /// Name and operator of the node of the model that holds it, where it is in the graph of one.
    pub holder: Option<String>,
}

impl ModelNode {
    /// A node of which no more is known.
    pub fn new(name: &str, operator: &str) -> Self {
        let (name, operator) = (name.to_owned(), operator.to_owned());
        Self { name, operator, inputs: None, outputs: Vec::new(), name_in_file: None, holder: None }
    }
}

/// What a configuration is checked against.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelFacts {
    /// In the order of the model.
    pub inputs: Vec<ModelInput>,
    /// In the order of the model.
    pub nodes: Vec<ModelNode>,
}

/// Reads what the files of a model declare; `None` where they cannot be read.
pub type LoadModel<'a> = dyn Fn(&ModelFiles) -> Option<ModelFacts> + 'a;

/// An input of which everything is known.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedInput {
    /// The name that the model gives it.
    pub name: String,
    /// Its sizes, all of them known.
    pub shape: Vec<u64>,
    /// The element type, as in [`ModelInput`].
    pub element: String,
    /// Whether it is a region of a picture that the camera's resizer gives (`input_source`).
    pub resized: bool,
    /// Whether its first dimension is 1 or open in the file, and more here.
    pub batched: bool,
    /// What the configuration says of it.
    pub settings: InputSettings,
}

impl CheckedInput {
    /// What holds of a parameter of inputs.
    pub fn get<T>(&self, key: &InputKey<T>) -> &T {
        self.settings.get(key)
    }

    /// `pass` with the name of this input and the options that its parameters set.
    pub fn pass(&self, pass: &str) -> String {
        let name = format!("input={}", word(&self.name));
        let source = format!("input-source={}", InputSource::Resizer.word());
        let others: &[&str] = if self.resized { &[&name, &source] } else { &[&name] };
        self.settings.pass(pass, others)
    }

    /// `mean_value` or `scale_value` with one number per channel; empty where there is none.
    pub fn per_channel(&self, key: &InputKey<Option<Vec<f64>>>) -> Vec<f64> {
        let channels =
            self.shape.get(self.get(&INPUT_LAYOUT_TRAIN).channel_dimension()).filter(|_| self.shape.len() == 4);
        let channels = channels.and_then(|channels| usize::try_from(*channels).ok());
        match (self.get(key).as_deref(), channels) {
            (Some([number]), Some(channels)) => vec![*number; channels],
            (numbers, _) => numbers.unwrap_or_default().to_vec(),
        }
    }
}

impl Configuration {
    /// Checks the inputs (names, number, shapes, element types) and every name of a node, and gives the inputs back in the order of the
    /// model.
    pub fn check_against(&self, model: &ModelFacts) -> Result<Vec<CheckedInput>, Problems> {
        let statements = Statements {
            file: &printable(&self.file.display().to_string()),
            inputs: self.inputs.iter().map(Some).collect(),
            names: self.inputs.iter().map(|input| input.get(&INPUT_NAME).clone()).collect(),
            values: &|parameter| self.given.get(parameter.name).map(|(place, values)| (*place, values.as_slice())),
            location: &|parameter| self.location(parameter),
        };
        let mut problems = Vec::new();
        let mut checked = statements.check(model, &mut problems);
        for input in &mut checked {
            let mut sources = self.get(&INPUT_SOURCE).iter().flatten();
            input.resized = sources.any(|(name, source)| *name == input.name && *source == InputSource::Resizer);
            if let Some(images) = input.shape.first().filter(|images| input.resized && **images != 1) {
                let what = format!("input '{}': the resizer gives one image, but the model takes {images}", input.name);
                problems.push(self.problem(&INPUT_SOURCE, what, "use ddr or pyramid, or a model that takes one"));
            }
        }
        self.check_planes(&checked, &mut problems);
        if problems.is_empty() { Ok(checked) } else { Err(Problems(problems)) }
    }

    /// The planes of images and their regions have names that no other input may have.
    fn check_planes(&self, inputs: &[CheckedInput], problems: &mut Vec<Problem>) {
        for input in inputs {
            for ending in image_endings(*input.get(&INPUT_TYPE_RT), input.resized) {
                let part = format!("{}{ending}", input.name);
                if !ending.is_empty() && inputs.iter().any(|other| other.name == part) {
                    let what = format!(
                        "input '{}': a part of its image becomes the input '{part}', and the model has an input of that name",
                        input.name
                    );
                    problems.push(self.problem(&INPUT_TYPE_RT, what, "rename one of them in the model"));
                }
            }
        }
    }
}

/// The values that a file gives a parameter, and where.
type ValuesOf<'a> = dyn Fn(&Parameter) -> Option<(Location, &'a [ParameterValue])> + 'a;

/// What a configuration says of the model, as far as it is sound.
pub(super) struct Statements<'a> {
    /// As messages show it.
    pub file: &'a str,
    /// In the order of `input_name`; None for an input of which something else is wrong.
    pub inputs: Vec<Option<&'a InputSettings>>,
    /// The names of those inputs; None where `input_name` is not given.
    pub names: Vec<Option<String>>,
    /// What is given.
    pub values: &'a ValuesOf<'a>,
    /// Where a parameter is given, else where it belongs.
    pub location: &'a dyn Fn(&Parameter) -> Location,
}

impl Statements<'_> {
    /// Adds what the model contradicts to `problems`, and gives the inputs that it does not.
    pub fn check(&self, model: &ModelFacts, problems: &mut Vec<Problem>) -> Vec<CheckedInput> {
        let mut checked = Vec::new();
        for (declared, input) in self.matched(&model.inputs, problems) {
            checked.extend(input.and_then(|input| self.checked(declared, input, problems)));
        }
        self.check_names(model, problems);
        self.check_ends(model, problems);
        self.check_quant_config(model, problems);
        self.check_numbered_inputs(model, problems);
        problems.sort_by_key(|problem| problem.location);
        checked
    }

    fn problem(&self, parameter: &Parameter, what: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem {
            file: self.file.to_owned(),
            location: (self.location)(parameter),
            subject: parameter.path(),
            what: what.into(),
            remedy: remedy.into(),
            severity: Severity::Error,
        }
    }

    /// Every name of a node, and those of inputs outside of `input_name`.
    fn check_names(&self, model: &ModelFacts, problems: &mut Vec<Problem>) {
        let nodes: Vec<&str> = model.nodes.iter().map(|node| node.name.as_str()).collect();
        let kinds: Vec<&str> = model.nodes.iter().map(|node| node.operator.as_str()).collect();
        for parameter in PARAMETERS {
            let Some((_, values)) = (self.values)(parameter) else { continue };
            let (thing, known, names): (&str, &[&str], Vec<&str>) = match parameter.kind {
                ParameterKind::Name(Named::Node) => {
                    (NODE, &nodes, values.iter().filter_map(ParameterValue::text).collect())
                }
                ParameterKind::NodeRequests => (NODE, &nodes, values.iter().filter_map(node_of).collect()),
                ParameterKind::Optimization => (OPERATOR, &kinds, values.iter().filter_map(kind_of).collect()),
                _ => continue,
            };
            // Names that stand for requests are told where they are given.
            let stands_for = |name: &&str| {
                parameter.name == NODE_INFO.name
                    && [&*RUN_ON_CPU, &*RUN_ON_BPU]
                        .into_iter()
                        .filter_map(self.values)
                        .any(|(_, values)| values.iter().any(|value| value.text() == Some(name)))
            };
            let names: Vec<&str> = names.into_iter().filter(|name| !stands_for(name)).collect();
            self.unknown_names(parameter, thing, (&names, known), (model, problems));
        }
        // With input_name these names have been compared with it.
        if let Some((_, [ParameterValue::Mapping(entries)])) = (self.values)(&INPUT_SOURCE)
            && self.names.iter().all(Option::is_none)
        {
            let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
            let inputs: Vec<&str> = model.inputs.iter().map(|input| input.name.as_str()).collect();
            self.unknown_names(&INPUT_SOURCE, "input", (&names, &inputs), (model, problems));
        }
    }

    /// The file that holds the names of a parameter, where the configuration names that in place of them.
    fn file_of(&self, parameter: &Parameter) -> String {
        match (self.values)(parameter) {
            Some((_, [ParameterValue::Quantization(QuantConfig { file: Some(file), .. })])) => {
                format!("'{}': ", printable(&file.display().to_string()))
            }
            _ => String::new(),
        }
    }

    fn unknown_names(
        &self,
        parameter: &Parameter,
        thing: &str,
        (names, known): (&[&str], &[&str]),
        (model, problems): (&ModelFacts, &mut Vec<Problem>),
    ) {
        // What is made of a node has its name and something behind it.
        let derived = |name: &str| {
            let of = |node: &&str| name.strip_prefix(node).is_some_and(|part| part.starts_with('/'));
            thing == NODE
                && [REMOVE_NODE_NAME.name, QUANT_CONFIG.name].contains(&parameter.name)
                && known.iter().any(of)
        };
        for (index, name) in names.iter().filter(|name| !known.contains(name) && !derived(name)).enumerate() {
            let pieces = || name.split([',']).map(str::trim).filter(|piece| !piece.is_empty());
            let maker = model.nodes.iter().find(|node| node.outputs.iter().any(|output| output == *name));
            if let Some(node) = maker.filter(|_| thing == NODE) {
                let remedy = format!("name the node that computes it: '{}'", node.name);
                problems.push(self.problem(parameter, format!("'{name}' is a value, not a node"), remedy));
                continue;
            }
            let renamed = model.nodes.iter().filter(|node| node.name_in_file.as_deref() == Some(name));
            let renamed: Vec<String> = renamed.map(|node| format!("'{}'", node.name)).collect();
            if !renamed.is_empty() && thing == NODE {
                let what = format!("'{name}' is an input; the node of that name is called {} here", renamed.join(", "));
                problems.push(self.problem(parameter, what, "write that name"));
                continue;
            }
            let what = format!("{}the model has no {thing} '{name}'", self.file_of(parameter));
            let remedy = match parameter.multiplicity {
                Multiplicity::List if name.contains(',') && pieces().all(|piece| known.contains(&piece)) => {
                    "separate names by ';'".to_owned()
                }
                // Comparing names with all of a large model takes its time, and nobody needs that many answers.
                _ if index >= 20 => "hb_model_info --layers lists them".to_owned(),
                _ => near(name, known),
            };
            problems.push(self.problem(parameter, what, remedy));
        }
    }

    /// Nodes that cannot be ends of the network, and such that cannot be taken from its ends.
    fn check_ends(&self, model: &ModelFacts, problems: &mut Vec<Problem>) {
        let named = |parameter| (self.values)(parameter).map(|(_, values)| values).unwrap_or_default();
        let names = |parameter| named(parameter).iter().filter_map(ParameterValue::text);
        let node = |name: &str| model.nodes.iter().find(|node| node.name == name);
        for (index, name) in names(&OUTPUT_NODES).enumerate() {
            if names(&OUTPUT_NODES).take(index).any(|other| other == name) {
                let what = format!("node '{name}' is named twice");
                problems.push(self.problem(&OUTPUT_NODES, what, "name it once: its results are outputs once"));
            } else if let Some(holder) = node(name).and_then(|node| node.holder.as_ref()) {
                let what = format!("node '{name}' is inside of node {holder}, whose results alone can be outputs");
                problems.push(self.problem(&OUTPUT_NODES, what, "name that node"));
            }
        }
        let kinds = || Removable::ALL.map(Removable::name).join(", ");
        for node in names(&REMOVE_NODE_NAME).filter_map(node) {
            let (name, operator) = (&node.name, &node.operator);
            if let Some(holder) = &node.holder {
                let what = format!("node '{name}' cannot be removed: it is inside of node {holder}, which stays whole");
                problems.push(self.problem(&REMOVE_NODE_NAME, what, "leave it out"));
            } else if Removable::of_onnx(operator).is_none() {
                let what = format!("node '{name}' ({operator}) cannot be removed");
                let remedy = format!("what can be removed is {} next to an input or output of the model", kinds());
                problems.push(self.problem(&REMOVE_NODE_NAME, what, remedy));
            }
        }
    }

    fn check_quant_config(&self, model: &ModelFacts, problems: &mut Vec<Problem>) {
        let Some((_, [ParameterValue::Quantization(config)])) = (self.values)(&QUANT_CONFIG) else { return };
        let nodes: Vec<&str> = model.nodes.iter().map(|node| node.name.as_str()).collect();
        let kinds: Vec<&str> = model.nodes.iter().map(|node| node.operator.as_str()).collect();
        let named = |entries: &'_ [(String, StatedTypes)]| -> Vec<String> {
            entries.iter().map(|(name, _)| name.clone()).collect()
        };
        for (names, known, thing) in [(named(&config.nodes), &nodes, NODE), (named(&config.kinds), &kinds, OPERATOR)] {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            self.unknown_names(&QUANT_CONFIG, thing, (&names, known), (model, problems));
        }
    }

    /// Every number of an input of a node, or of the nodes of an operator.
    fn check_numbered_inputs(&self, model: &ModelFacts, problems: &mut Vec<Problem>) {
        for parameter in PARAMETERS {
            for value in (self.values)(parameter).iter().flat_map(|(_, values)| *values) {
                for (thing, name, input) in numbered_inputs(value) {
                    let is = |node: &&ModelNode| name == if thing == NODE { &node.name } else { &node.operator };
                    // What has no such name is told as such.
                    let counts = model.nodes.iter().filter(is).map(|node| node.inputs);
                    let Some(Some(count)) = counts.max() else { continue };
                    if input >= count {
                        let what = format!("{thing} '{name}' has no input {input}");
                        let remedy = match count.checked_sub(1) {
                            None => "it has none".to_owned(),
                            Some(0) => "its only input is 0".to_owned(),
                            Some(last) => format!("its inputs are 0 to {last}"),
                        };
                        problems.push(self.problem(parameter, what, remedy));
                    }
                }
            }
        }
    }

    /// Pairs of model inputs and what the configuration says of them, in the model's order.
    fn matched<'m>(
        &self,
        model: &'m [ModelInput],
        problems: &mut Vec<Problem>,
    ) -> Vec<(&'m ModelInput, Option<&InputSettings>)> {
        let names = || model.iter().map(|input| input.name.as_str());
        let listed = || names().collect::<Vec<_>>().join("; ");
        if let ([unnamed], [None]) = (self.inputs.as_slice(), self.names.as_slice()) {
            match model {
                [] => return Vec::new(),
                [only] => return vec![(only, *unnamed)],
                _ => {}
            }
            let what = format!("the model has {} inputs, so their names are needed", model.len());
            problems.push(self.problem(&INPUT_NAME, what, format!("add input_name: '{}'", listed())));
            return Vec::new();
        }
        // What is wrong with the names themselves has been told.
        if self.inputs.is_empty() {
            return Vec::new();
        }
        let before = problems.len();
        let given = || self.names.iter().flatten();
        for name in given().filter(|name| !names().any(|known| known == name.as_str())) {
            let pieces = || name.split([',']).map(str::trim).filter(|piece| !piece.is_empty());
            let remedy = match name.contains(',') && pieces().all(|piece| names().any(|known| known == piece)) {
                true => "separate names by ';'".to_owned(),
                false => suggestion(name, names(), &format!("the inputs are '{}'", listed())),
            };
            problems.push(self.problem(&INPUT_NAME, format!("the model has no input '{name}'"), remedy));
        }
        let mut pairs = Vec::new();
        let mut missing = Vec::new();
        for declared in model {
            let index = self.names.iter().position(|name| name.as_deref() == Some(declared.name.as_str()));
            match index.and_then(|index| self.inputs.get(index)) {
                Some(input) => pairs.push((declared, *input)),
                None => missing.push(format!("'{}'", declared.name)),
            }
        }
        // A wrong name leaves the right one missing, which needs no message of its own.
        if !missing.is_empty() && problems.len() == before {
            let what = format!("the model also has the input(s) {}", missing.join(", "));
            problems.push(self.problem(&INPUT_NAME, what, format!("name all inputs: '{}'", listed())));
        }
        pairs
    }

    fn checked(
        &self,
        declared: &ModelInput,
        input: &InputSettings,
        problems: &mut Vec<Problem>,
    ) -> Option<CheckedInput> {
        let before = problems.len();
        let label = format!("input '{}'", declared.name);
        let shape = self.shape(declared, input, &label, problems)?;
        // Where the configuration gives a shape these were checked when it was read.
        if input.get(&INPUT_SHAPE).is_none() {
            for fault in shape_faults(input, Some(&shape), &label) {
                problems.push(self.problem(fault.parameter, fault.what, fault.remedy));
            }
        }
        let (float, or_export) = (declared.can_be_preprocessed(), declared.float_remedy());
        if !float && *input.get(&INPUT_TYPE_RT) != InputType::Featuremap {
            let what = format!("{label}: its elements are {}, but images become {PREPROCESSED}", declared.element);
            problems.push(self.problem(&INPUT_TYPE_RT, what, format!("use featuremap{or_export}")));
        } else if !float && *input.get(&NORM_TYPE) != NormType::NoPreprocess {
            let what = format!("{label}: its elements are {}, which cannot be preprocessed", declared.element);
            problems.push(self.problem(&NORM_TYPE, what, format!("use no_preprocess{or_export}")));
        }
        // Outputs that are chosen may not need this input.
        if let Some((_, [ParameterValue::Integer(batch)])) = (self.values)(&INPUT_BATCH)
            && input.get(&INPUT_SHAPE).is_none()
            && (self.values)(&OUTPUT_NODES).is_none()
            && let Some(fault) = batch_fault(*batch, "the model has", &[Some(shape.clone())])
        {
            problems.push(self.problem(fault.parameter, fault.what, fault.remedy));
        }
        if problems.len() > before {
            return None;
        }
        let (name, element) = (declared.name.clone(), declared.element.clone());
        let batched =
            matches!(declared.shape.first(), Some(None | Some(1))) && shape.first().is_some_and(|&size| size > 1);
        Some(CheckedInput { name, shape, element, resized: false, batched, settings: input.clone() })
    }

    fn shape(
        &self,
        declared: &ModelInput,
        input: &InputSettings,
        label: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<Vec<u64>> {
        match input.get(&INPUT_SHAPE) {
            Some(shape) if fits(shape, &declared.shape) => Some(shape.clone()),
            Some(shape) => {
                let (what, remedy) = match declared.shape.is_empty() {
                    true => (
                        format!("{label}: {} is given for an input without dimensions", joined(shape)),
                        "write None for a scalar; declare the input's shape in the model if it is none",
                    ),
                    false => (
                        format!(
                            "{label}: {} is not the model's shape {}",
                            joined(shape),
                            declared_shape(&declared.shape)
                        ),
                        "give as many sizes as the model does",
                    ),
                };
                problems.push(self.problem(&INPUT_SHAPE, what, remedy));
                None
            }
            None => match static_shape(&declared.shape) {
                Ok(shape) => Some(shape),
                Err(open) => {
                    let shape = declared_shape(&declared.shape);
                    let open = open.iter().map(usize::to_string).collect::<Vec<_>>();
                    let dimensions = if open.len() == 1 { "dimension" } else { "dimensions" };
                    let what = format!("{label}: the model leaves {dimensions} {} of {shape} open", open.join(", "));
                    problems.push(self.problem(
                        &INPUT_SHAPE,
                        what,
                        "add input_shape; only the first becomes 1 by itself",
                    ));
                    None
                }
            },
        }
    }
}

/// The name of the node that a request is of.
fn node_of(value: &ParameterValue) -> Option<&str> {
    match value {
        ParameterValue::Node(request) => Some(&request.name),
        _ => None,
    }
}

/// The inputs that a value names by their numbers: of a node, or of all nodes of an operator.
fn numbered_inputs(value: &ParameterValue) -> Vec<(&'static str, &str, usize)> {
    match value {
        ParameterValue::Node(request) => {
            request.input_types.keys().map(|input| (NODE, request.name.as_str(), *input)).collect()
        }
        ParameterValue::Quantization(config) => {
            let nodes = config.nodes.iter().map(|entry| (NODE, entry));
            let each = nodes.chain(config.kinds.iter().map(|entry| (OPERATOR, entry)));
            each.flat_map(|(thing, (name, types))| types.inputs.keys().map(move |input| (thing, name.as_str(), *input)))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// The operator whose nodes a word of `optimization` is about.
fn kind_of(value: &ParameterValue) -> Option<&str> {
    match value {
        ParameterValue::Optimization(Optimization::Input { kind, .. } | Optimization::Output { kind, .. }) => {
            Some(kind)
        }
        _ => None,
    }
}

/// The names most like `name`: three of them at most.
fn near(name: &str, known: &[&str]) -> String {
    let mut known: Vec<&str> = known.to_vec();
    known.sort_unstable();
    known.dedup();
    let mut found: Vec<&str> = Vec::new();
    while let Some(next) = crate::wording::nearest(name, known.iter().copied().filter(|known| !found.contains(known))) {
        found.push(next);
        if found.len() == 3 {
            break;
        }
    }
    match (found.as_slice(), known.as_slice()) {
        ([], []) => "the model has none".to_owned(),
        ([], [first, second, ..]) if known.len() > 8 => {
            format!("there are {}, such as '{first}' and '{second}'; hb_model_info --layers lists them", known.len())
        }
        ([], few) => format!("there are {}", few.join("; ")),
        (found, _) => format!("did you mean '{}'?", found.join("' or '")),
    }
}

/// Whether a shape can be that of an input: sizes that the model fixes may be others, its rank not.
fn fits(shape: &[u64], declared: &[Option<u64>]) -> bool {
    shape.len() == declared.len()
}

/// The shape with an open first dimension set to 1; the numbers of the other open dimensions are the error. A first
/// dimension of 0 is an open one (manual, `--input-shape`).
pub fn static_shape(declared: &[Option<u64>]) -> Result<Vec<u64>, Vec<usize>> {
    let size = |(index, size): (usize, &Option<u64>)| match size {
        None if index == 0 => Ok(1),
        size => size.filter(|size| *size > 0).ok_or(index),
    };
    let sizes = || declared.iter().enumerate().map(size);
    let open: Vec<usize> = sizes().filter_map(Result::err).collect();
    if open.is_empty() { Ok(sizes().filter_map(Result::ok).collect()) } else { Err(open) }
}

/// A shape with `?` for what is open.
pub fn declared_shape(shape: &[Option<u64>]) -> String {
    shape.iter().map(|size| size.map_or_else(|| "?".to_owned(), |size| size.to_string())).collect::<Vec<_>>().join("x")
}
