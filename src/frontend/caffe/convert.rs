//! A network becomes a model of ONNX: layer by layer, each by its row of the table.

use super::builder::{Blob, Building, LayerBuilder, Size, known};
use super::error::{CaffeError, LayerPlace};
use super::layers::{self, LayerType};
use super::network::{CaffeInput, CaffeLayer, CaffeNetwork};
use crate::frontend::onnx::model::{Dimension, Graph, Model, Value};
use crate::frontend::onnx::normalize::{NORMAL_OPSET, first_ir_version};
use crate::frontend::onnx::tensor::element_count;
use crate::wording::{hint, quoted};
use hb_dialects::ElementType;
use std::collections::{BTreeMap, HashMap, HashSet};

/// For so many unknown names one that was meant is looked for, among so many; a file may hold any number of both.
const MOST_HINTS: usize = 16;
const MOST_CANDIDATES: usize = 4096;

/// Shapes of inputs by name, in place of those of the file.
pub type InputShapes = BTreeMap<String, Vec<usize>>;

impl CaffeNetwork {
    /// The network as ONNX has it. A layer's node has the layer's name; what else it becomes says of which layer it was made. A blob has its
    /// name when the last layer that writes it is done; before, it has the name of the layer that wrote it with it.
    ///
    /// # Errors
    /// All layers that are not known; all that are there for training; each layer that is at fault.
    pub fn model(&self, shapes: &InputShapes) -> Result<Model, CaffeError> {
        self.check_types()?;
        let inputs = self.inputs_of(shapes)?;
        let mut walk = Walk::new(self, &inputs);
        let mut faults = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            faults.extend(walk.layer(index, layer).err());
        }
        if let Some(fault) = CaffeError::all(faults) {
            return Err(fault);
        }
        let outputs = walk.outputs();
        if outputs.is_empty() {
            return Err(self.fault("no layer makes anything that is not read by another; it has no output"));
        }
        let size = |size: &Size| size.map_or(Dimension::Named(String::new()), Dimension::Fixed);
        let value = |blob: Blob| Value {
            shape: Some(blob.shape.iter().map(size).collect()),
            name: blob.value,
            element: Some(ElementType::F32),
        };
        let input = |input: CaffeInput| value(Blob { shape: known(&input.shape), value: input.name });
        let graph = Graph {
            name: self.name.clone(),
            inputs: inputs.into_iter().map(input).collect(),
            outputs: outputs.into_iter().map(value).collect(),
            ..walk.building.graph
        };
        Ok(Model::new(first_ir_version(NORMAL_OPSET), NORMAL_OPSET, graph))
    }

    fn fault(&self, reason: impl Into<String>) -> CaffeError {
        CaffeError::Network { file: self.file.clone(), reason: reason.into() }
    }

    /// Lists what no row is for.
    fn check_types(&self) -> Result<(), CaffeError> {
        let (mut unknown, mut training) = (Vec::<LayerPlace>::new(), Vec::new());
        for layer in &self.layers {
            let kind = layer.parameters.r#type();
            if layers::find(kind).is_some() {
                continue;
            }
            match layers::training(kind) {
                Some(advice) => training.push(format!("{}: {advice}", layer.place)),
                None => unknown.push(layer.place.clone()),
            }
        }
        let training = (!training.is_empty()).then_some(CaffeError::Training(training));
        let unknown = (!unknown.is_empty()).then_some(CaffeError::UnknownLayers(unknown));
        if let Some(fault) = CaffeError::all(training.into_iter().chain(unknown).collect()) {
            return Err(fault);
        }
        if self.inputs.is_empty() {
            return Err(self.fault(
                "it has no input; add layer { name: \"data\" type: \"Input\" top: \"data\" input_param { shape { dim: 1 dim: 3 dim: HEIGHT \
                 dim: WIDTH } } }",
            ));
        }
        Ok(())
    }

    /// The inputs with the shapes that were asked for.
    fn inputs_of(&self, shapes: &InputShapes) -> Result<Vec<CaffeInput>, CaffeError> {
        let fault = |input: &str, reason: String| CaffeError::Input { input: input.to_owned(), reason };
        let mut names = HashSet::new();
        if let Some(twice) = self.inputs.iter().find(|input| !names.insert(input.name.as_str())) {
            return Err(fault(&twice.name, "two inputs have this name".to_owned()));
        }
        if let Some(unknown) = shapes.keys().find(|name| !names.contains(name.as_str())) {
            let names: Vec<_> = self.inputs.iter().map(|input| input.name.as_str()).collect();
            let hint = hint(unknown, names.iter().copied());
            return Err(fault(unknown, format!("the network has no such input, it has {}{hint}", names.join(", "))));
        }
        let mut inputs = self.inputs.clone();
        for input in &mut inputs {
            let Some(shape) = shapes.get(&input.name) else { continue };
            if shape.len() != input.shape.len() {
                let reason =
                    format!("{} dimensions are asked for, the network says {}", shape.len(), input.shape.len());
                return Err(fault(&input.name, reason));
            }
            element_count(shape).map_err(|reason| fault(&input.name, reason))?;
            if shape.contains(&0) {
                return Err(fault(&input.name, format!("the shape {shape:?} that is asked for holds nothing")));
            }
            input.shape.clone_from(shape);
        }
        Ok(inputs)
    }
}

/// What a name of a blob stands for, up to the layer at hand.
enum State {
    /// A value that a layer may read.
    There { blob: Blob, is_read: bool, is_input: bool },
    /// The layer that was to write it is at fault.
    Missing,
}

struct Walk<'n> {
    network: &'n CaffeNetwork,
    building: Building,
    blobs: HashMap<&'n str, State>,
    /// Blobs in the order in which they were first written.
    order: Vec<&'n str>,
    /// The last layer that writes each blob.
    last_writers: HashMap<&'n str, usize>,
    /// How many unknown names there were so far.
    hints: usize,
    /// The names of the layers so far.
    named: HashSet<String>,
}

impl<'n> Walk<'n> {
    fn new(network: &'n CaffeNetwork, inputs: &[CaffeInput]) -> Self {
        let mut building = Building::default();
        let mut last_writers = HashMap::new();
        let mut blobs = HashMap::new();
        for (input, sized) in network.inputs.iter().zip(inputs) {
            building.names.take(&input.name);
            let blob = Blob { value: input.name.clone(), shape: known(&sized.shape) };
            blobs.insert(input.name.as_str(), State::There { blob, is_read: false, is_input: true });
        }
        for (index, layer) in network.layers.iter().enumerate() {
            for top in &layer.parameters.top {
                building.names.take(top);
                // The name of an input stays that of what is given.
                if !blobs.contains_key(top.as_str()) {
                    last_writers.insert(top.as_str(), index);
                }
            }
        }
        // No name that is made up is that of a layer.
        for layer in &network.layers {
            building.names.take(layer.parameters.name());
        }
        Self { network, building, blobs, order: Vec::new(), last_writers, hints: 0, named: HashSet::new() }
    }

    /// Appends a layer. One that reads what a layer at fault was to write is passed over.
    fn layer(&mut self, index: usize, layer: &'n CaffeLayer) -> Result<(), CaffeError> {
        let fault = |reason: String| CaffeError::Layer { place: layer.place.clone(), reason };
        let tops = layer.parameters.top.as_slice();
        let bottoms = match self.bottoms(layer) {
            Ok(Some(bottoms)) => bottoms,
            other => {
                self.miss(tops);
                return other.map(|_| ()).map_err(fault);
            }
        };
        let built = self.build(index, layer, bottoms);
        match built {
            Ok(results) => {
                for (top, blob) in tops.iter().zip(results) {
                    if !self.blobs.contains_key(top.as_str()) {
                        self.order.push(top);
                    }
                    self.blobs.insert(top, State::There { blob, is_read: false, is_input: false });
                }
                Ok(())
            }
            Err(reason) => {
                self.miss(tops);
                Err(fault(reason))
            }
        }
    }

    fn miss(&mut self, tops: &'n [String]) {
        for top in tops {
            self.blobs.insert(top, State::Missing);
        }
    }

    /// What a layer reads; none when a part of it is missing for a reason that was told.
    fn bottoms(&mut self, layer: &'n CaffeLayer) -> Result<Option<Vec<Blob>>, String> {
        let mut bottoms = Vec::new();
        let mut is_whole = true;
        for name in &layer.parameters.bottom {
            match self.blobs.get_mut(name.as_str()) {
                Some(State::There { blob, is_read, .. }) => {
                    *is_read = true;
                    bottoms.push(blob.clone());
                }
                Some(State::Missing) => is_whole = false,
                None => return Err(self.unknown_bottom(name)),
            }
        }
        Ok(is_whole.then_some(bottoms))
    }

    fn unknown_bottom(&mut self, name: &str) -> String {
        // Files without end shall not cost quadratic time.
        let is_affordable = self.hints < MOST_HINTS && self.order.len() <= MOST_CANDIDATES;
        self.hints += 1;
        let known = || self.order.iter().copied().chain(self.network.inputs.iter().map(|input| input.name.as_str()));
        let hint = if is_affordable { hint(name, known()) } else { String::new() };
        format!("its bottom {} is made by no layer before it and is no input{hint}", quoted(name))
    }

    fn build(&mut self, index: usize, layer: &'n CaffeLayer, bottoms: Vec<Blob>) -> Result<Vec<Blob>, String> {
        let kind = layer.parameters.r#type();
        let row = layers::find(kind).ok_or("its type is not supported")?;
        check_counts(row, layer)?;
        let tops = layer.parameters.top.as_slice();
        let name = self.node_name(index, layer);
        let values: Vec<String> = tops.iter().map(|top| self.value_name(index, top, &name)).collect();
        let mut builder = LayerBuilder::new(&mut self.building, layer, name, bottoms, self.network.has_weights);
        let results = (row.build)(&mut builder)?;
        if results.len() != tops.len() {
            return Err(format!("it has {} tops, it makes {}", tops.len(), results.len()));
        }
        builder.finish(results, &values)
    }

    /// The layer's name; one without a name has that of its type and place, and one whose name was given before has a number.
    fn node_name(&mut self, index: usize, layer: &CaffeLayer) -> String {
        let name = layer.parameters.name();
        if name.is_empty() {
            return self.building.names.unique(&format!("{}_{index}", layer.parameters.r#type()));
        }
        if !self.named.insert(name.to_owned()) {
            let unique = self.building.names.unique(name);
            tracing::warn!("{}: another layer has this name; here it is called {unique:?}", layer.place);
            return unique;
        }
        name.to_owned()
    }

    fn value_name(&mut self, index: usize, top: &str, node: &str) -> String {
        if self.last_writers.get(top) == Some(&index) {
            return top.to_owned();
        }
        self.building.names.unique(&format!("{top}/{node}"))
    }

    /// What no layer reads after it was written, in the order of the file.
    fn outputs(&self) -> Vec<Blob> {
        let is_output = |name: &&str| match self.blobs.get(name) {
            Some(State::There { blob, is_read: false, is_input: false }) => Some(blob.clone()),
            _ => None,
        };
        let inputs = self.network.inputs.iter().map(|input| input.name.as_str());
        self.order.iter().copied().chain(inputs).filter_map(|name| is_output(&name)).collect()
    }
}

fn check_counts(row: &LayerType, layer: &CaffeLayer) -> Result<(), String> {
    let counts =
        [("bottom", layer.parameters.bottom.len(), &row.bottoms), ("top", layer.parameters.top.len(), &row.tops)];
    for (what, count, range) in counts {
        if !range.contains(&count) {
            let (least, most) = (range.start(), range.end());
            let wanted = match (least, most) {
                (least, most) if least == most => least.to_string(),
                (least, &usize::MAX) => format!("{least} or more"),
                (least, most) => format!("{least} to {most}"),
            };
            return Err(format!("it has {count} {what}(s), it must have {wanted}"));
        }
    }
    let mut tops = HashSet::new();
    match layer.parameters.top.iter().find(|top| !tops.insert(top.as_str())) {
        Some(twice) => Err(format!("two of its tops are called {twice:?}")),
        None => Ok(()),
    }
}
