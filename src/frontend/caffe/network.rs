//! A Caffe network as it runs: the layers of its test phase in the form of today, each with its place and its weights.

use super::error::{CaffeError, LayerPlace};
use super::proto::{InputParameter, LayerParameter, NetParameter, NetStateRule, Phase};
use super::text;
use super::tokens::Position;
use super::upgrade;
use super::weights::{MAX_FILE, Weights};
use crate::frontend::onnx::tensor::{Tensor, element_count};
use crate::reading::{self, FileFault};
use crate::wording::hint;
use prost::Message;
use prost::bytes::Bytes;
use std::collections::HashMap;
use std::path::Path;

/// Size of a prototxt.
const MAX_TEXT: u64 = 64 << 20;
/// Layers, before those of other phases go.
const MAX_LAYERS: usize = 200_000;

/// A network and its weights.
#[derive(Debug, Clone)]
pub struct CaffeNetwork {
    /// As the file calls it.
    pub name: String,
    /// What messages call the prototxt.
    pub file: String,
    /// What a run is given.
    pub inputs: Vec<CaffeInput>,
    /// In the order in which they run, without those of type `Input`.
    pub layers: Vec<CaffeLayer>,
    /// Whether a `.caffemodel` is there; without one all weights are 0.
    pub has_weights: bool,
}

/// Names of the `.caffemodel` that nothing has are compared with names of layers that have no weights: so many with so many.
const MOST_NAMES: usize = 32;
const MOST_LAYERS: usize = 1024;

/// An input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaffeInput {
    /// The blob.
    pub name: String,
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
}

/// A layer.
#[derive(Debug, Clone)]
pub struct CaffeLayer {
    /// Who it is.
    pub place: LayerPlace,
    /// What it says.
    pub parameters: LayerParameter,
    /// Its weights, as the `.caffemodel` holds them.
    pub blobs: Vec<Tensor>,
    /// What is added where there are none: the name in the `.caffemodel` that may be this layer's.
    pub meant: String,
}

/// Reads a network and, when it is given, the `.caffemodel` with its weights.
pub fn load(prototxt: &Path, caffemodel: Option<&Path>) -> Result<CaffeNetwork, CaffeError> {
    let bytes = |path: &Path, limit| {
        reading::read(path, limit).map_err(|fault| match fault {
            FileFault::Read(source) => CaffeError::Read { path: path.to_owned(), source },
            FileFault::TooLarge(size) => CaffeError::FileTooLarge { path: path.to_owned(), size, limit },
        })
    };
    let text = bytes(prototxt, MAX_TEXT)?;
    let weights = caffemodel.map(|path| bytes(path, MAX_FILE)).transpose()?;
    from_bytes(&text, &prototxt.display().to_string(), weights.map(Bytes::from))
}

/// The same of bytes; `file` is what messages call the prototxt.
pub fn from_bytes(prototxt: &[u8], file: &str, caffemodel: Option<Bytes>) -> Result<CaffeNetwork, CaffeError> {
    let not_text = |error: std::str::Utf8Error| {
        let reason = format!("byte {} is not UTF-8; is it the .caffemodel?", error.valid_up_to());
        CaffeError::NotText { file: file.to_owned(), reason }
    };
    let text = std::str::from_utf8(prototxt).map_err(not_text)?;
    let mut network = CaffeNetwork::from_text(text, file)?;
    if let Some(bytes) = caffemodel {
        network.attach(&Weights::from_bytes(bytes)?)?;
    }
    Ok(network)
}

impl CaffeNetwork {
    fn from_text(text: &str, file: &str) -> Result<Self, CaffeError> {
        let read = text::parse(text).map_err(|faults| CaffeError::Text { file: file.to_owned(), faults })?;
        for unknown in &read.unknown {
            tracing::warn!("{file}:{unknown}; it is not looked at");
        }
        let network = |reason: String| CaffeError::Network { file: file.to_owned(), reason };
        let net = NetParameter::decode(read.bytes.as_slice()).map_err(|error| network(error.to_string()))?;
        if net.layer.len() + net.layers.len() > MAX_LAYERS {
            return Err(network(format!("more than {MAX_LAYERS} layers")));
        }
        let mut inputs = inputs(&net).map_err(network)?;
        let mut layers = Vec::new();
        for layer in layers_of_today(&net, file, (&read.layers, &read.old_layers))? {
            if !runs(&layer, &net)? {
                continue;
            }
            if layer.parameters.r#type() == "Input" {
                inputs.extend(inputs_of_layer(&layer)?);
            } else {
                layers.push(layer);
            }
        }
        for input in &inputs {
            let fault = |reason| CaffeError::Input { input: input.name.clone(), reason };
            element_count(&input.shape).map_err(fault)?;
        }
        Ok(Self { name: net.name().to_owned(), file: file.to_owned(), inputs, layers, has_weights: false })
    }

    /// Gives each layer its weights: those of its name, and of those that it shares the ones that Caffe copies last.
    fn attach(&mut self, weights: &Weights) -> Result<(), CaffeError> {
        let mut shared: HashMap<&str, &Tensor> = HashMap::new();
        let by_name: HashMap<&str, usize> =
            self.layers.iter().enumerate().map(|(index, layer)| (layer.parameters.name(), index)).collect();
        for name in weights.layers() {
            let Some(layer) = by_name.get(name).and_then(|index| self.layers.get(*index)) else { continue };
            let blobs = weights.of(name).unwrap_or_default();
            for (parameter, blob) in layer.parameters.param.iter().zip(blobs) {
                if !parameter.name().is_empty() {
                    shared.insert(parameter.name(), blob);
                }
            }
        }
        let mut all = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let mut blobs = weights.of(layer.parameters.name()).unwrap_or_default().to_vec();
            for (index, parameter) in layer.parameters.param.iter().enumerate() {
                let Some(blob) = shared.get(parameter.name()) else { continue };
                let there = blobs.len();
                match blobs.get_mut(index) {
                    Some(own) => *own = (*blob).clone(),
                    None if index == there => blobs.push((*blob).clone()),
                    None => {
                        let reason = format!("its parameter {index} is shared, those before it are nowhere");
                        return Err(CaffeError::Layer { place: layer.place.clone(), reason });
                    }
                }
            }
            all.push(blobs);
        }
        let unused: Vec<&str> = weights.layers().filter(|name| !by_name.contains_key(name)).take(MOST_NAMES).collect();
        let absent = |layer: &CaffeLayer| weights.of(layer.parameters.name()).is_none();
        for layer in self.layers.iter_mut().filter(|layer| absent(layer)).take(MOST_LAYERS) {
            layer.meant = hint(layer.parameters.name(), unused.iter().copied());
        }
        for (layer, blobs) in self.layers.iter_mut().zip(all) {
            layer.blobs = blobs;
        }
        self.has_weights = true;
        Ok(())
    }
}

/// The inputs that the network itself names, each with the shape of its number or its four sizes.
fn inputs(net: &NetParameter) -> Result<Vec<CaffeInput>, String> {
    if net.input.is_empty() && (!net.input_dim.is_empty() || !net.input_shape.is_empty()) {
        return Err("it has input_dim or input_shape and no input; name the input".to_owned());
    }
    if !net.input_dim.is_empty() && !net.input_shape.is_empty() {
        return Err("input_dim and input_shape exclude each other; keep input_shape".to_owned());
    }
    let shapes: Vec<Vec<i64>> = if net.input_dim.is_empty() {
        net.input_shape.iter().map(|shape| shape.dim.clone()).collect()
    } else {
        net.input_dim.chunks(4).map(|sizes| sizes.iter().copied().map(i64::from).collect()).collect()
    };
    if shapes.len() != net.input.len() || (!net.input_dim.is_empty() && !net.input_dim.len().is_multiple_of(4)) {
        let (inputs, sizes) = (net.input.len(), net.input_dim.len() + net.input_shape.len());
        return Err(format!(
            "it has {inputs} input(s) and {sizes} input_dim or input_shape; each input takes one input_shape, or four input_dim"
        ));
    }
    net.input
        .iter()
        .zip(shapes)
        .map(|(name, shape)| Ok(CaffeInput { name: name.clone(), shape: sizes(&shape)? }))
        .collect()
}

fn sizes(shape: &[i64]) -> Result<Vec<usize>, String> {
    let size = |size: &i64| match usize::try_from(*size) {
        Ok(size) if size > 0 => Ok(size),
        _ => Err(format!("the size {size} of an input is not positive")),
    };
    shape.iter().map(size).collect()
}

/// The blobs of a layer of type `Input`.
fn inputs_of_layer(layer: &CaffeLayer) -> Result<Vec<CaffeInput>, CaffeError> {
    let fault = |reason: String| CaffeError::Layer { place: layer.place.clone(), reason };
    let parameters = &layer.parameters;
    let InputParameter { shape: shapes } = parameters.input_param.clone().unwrap_or_default();
    if shapes.len() != 1 && shapes.len() != parameters.top.len() {
        let reason = format!(
            "it has {} shape(s) for {} top(s); give input_param one per top",
            shapes.len(),
            parameters.top.len()
        );
        return Err(fault(reason));
    }
    let shape_of =
        |index: usize| shapes.get(index).or(shapes.first()).map(|shape| shape.dim.as_slice()).unwrap_or_default();
    let input = |(index, name): (usize, &String)| {
        Ok(CaffeInput { name: name.clone(), shape: sizes(shape_of(index)).map_err(fault)? })
    };
    parameters.top.iter().enumerate().map(input).collect()
}

/// All layers in the form of today, in the order of the file; each list has its own places.
fn layers_of_today(
    net: &NetParameter,
    file: &str,
    (positions, old_positions): (&[Position], &[Position]),
) -> Result<Vec<CaffeLayer>, CaffeError> {
    let place = |position: Position, parameters: &LayerParameter| LayerPlace {
        file: file.to_owned(),
        position,
        layer: parameters.name().to_owned(),
        kind: parameters.r#type().to_owned(),
    };
    if !net.layer.is_empty() && !net.layers.is_empty() {
        let reason = "it has both layer and layers, of which Caffe reads one kind in a file".to_owned();
        return Err(CaffeError::Network { file: file.to_owned(), reason });
    }
    let mut layers = Vec::with_capacity(net.layer.len() + net.layers.len());
    for (parameters, position) in net.layer.iter().zip(positions) {
        layers.push(CaffeLayer {
            place: place(*position, parameters),
            parameters: parameters.clone(),
            blobs: Vec::new(),
            meant: String::new(),
        });
    }
    for (old, position) in net.layers.iter().zip(old_positions) {
        let name = old.name.clone().or_else(|| old.layer.as_ref()?.name.clone());
        let parameters = upgrade::from_v1(old.clone()).map_err(|reason| CaffeError::Layer {
            place: place(*position, &LayerParameter { name, ..LayerParameter::default() }),
            reason,
        })?;
        layers.push(CaffeLayer {
            place: place(*position, &parameters),
            parameters,
            blobs: Vec::new(),
            meant: String::new(),
        });
    }
    upgrade::absorb_padding(layers, |layer| &mut layer.parameters)
        .map_err(|(layer, reason)| CaffeError::Layer { place: layer.place, reason })
}

/// Whether a layer is part of the network in the test phase.
fn runs(layer: &CaffeLayer, net: &NetParameter) -> Result<bool, CaffeError> {
    let LayerParameter { include, exclude, .. } = &layer.parameters;
    if !include.is_empty() && !exclude.is_empty() {
        let reason = "include and exclude are alternatives; keep one of them".to_owned();
        return Err(CaffeError::Layer { place: layer.place.clone(), reason });
    }
    let state = net.state.clone().unwrap_or_default();
    let meets = |rule: &NetStateRule| {
        let is_staged = |stage: &String| state.stage.contains(stage);
        (rule.phase.is_none() || rule.phase() == Phase::Test)
            && rule.min_level.is_none_or(|least| state.level() >= least)
            && rule.max_level.is_none_or(|most| state.level() <= most)
            && rule.stage.iter().all(is_staged)
            && !rule.not_stage.iter().any(is_staged)
    };
    Ok(if include.is_empty() { !exclude.iter().any(meets) } else { include.iter().any(meets) })
}
