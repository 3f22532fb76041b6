//! `{prefix}_quant_weights.safetensors`: the integers that weights were rounded to, and `quant-round-weights`, which applies them.
//!
//! The file is in the safetensors format: a number of 64 bits, little-endian, with the length of the header; the header, a JSON object
//! from the names of nodes to type, shape and place; the integers, one byte each, one tensor after another without gaps. What the bias of a node is corrected
//! by are f32 numbers under its name with `:bias` behind it.

use super::{bias_correction, info::unique, linear::LinearLayer, linear::weights_of, round_weights::weights_on_grid};
use crate::{float::constant_before, reading};
use hb_dialects::{
    ir::{self, Constant, IrError, OperationAttributes},
    pass::{OptionDefinition, PassDefinition, PassFailure, PassOptions},
};
use melior::ir::OperationRef;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

/// The pass that puts integers from a file in place of the weights.
pub static PASS: PassDefinition = PassDefinition {
    argument: "quant-round-weights",
    summary: "Give weights the integers of a file",
    description: "Reads `{prefix}_quant_weights.safetensors`, which has an int8 tensor of the shape of its weights for each linear layer \
whose inputs were measured, under the name of its node. The weights become these integers times the scale that the largest weight spans \
(over 127), so that `quant-insert-casts` rounds them to these integers. Weights that the file does not name stay, and are rounded to the \
nearest. An f32 tensor NODE:bias is added to the bias of a layer, which gets one where it has none. A tensor that no layer takes is an error.",
    anchor: "func.func",
    options: &[OptionDefinition { name: "file", default: "", description: "`{prefix}_quant_weights.safetensors`" }],
    run,
};

/// Bytes of a header; a longer one is refused before it is read.
const LARGEST_HEADER: u64 = 64 << 20;
/// The type of weights, and that of corrections of biases.
const TYPE: &str = "I8";
const BIAS_TYPE: &str = "F32";
const BIAS_BYTES: u64 = 4;
/// What the name of a correction has behind that of the node.
const BIAS: &str = ":bias";
/// Headers end where a number of 64 bits may begin.
const ALIGNMENT: usize = 8;

/// Integers of weights by the names of their nodes.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct RoundedWeights(pub BTreeMap<String, RoundedWeight>);

/// The integers of the weights of a layer, -127 to 127, in the order of the weights.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct RoundedWeight {
    /// Sizes of the weights.
    pub shape: Vec<usize>,
    /// One for each weight.
    pub integers: Vec<i8>,
    /// What is added to the bias of each output channel; empty where it stays.
    pub bias: Vec<f32>,
}

/// The name of the correction of a node's bias.
pub(super) fn bias_name(node: &str) -> String {
    format!("{node}{BIAS}")
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Header(#[serde(deserialize_with = "unique")] BTreeMap<String, Entry>);

impl RoundedWeights {
    /// The bytes of the file, in parts.
    ///
    /// # Errors
    /// Never: every header has a form in JSON.
    pub fn parts(&self) -> Result<Vec<Vec<u8>>, serde_json::Error> {
        let mut end = 0;
        let mut header: BTreeMap<String, Entry> = BTreeMap::new();
        let mut add = |name: String, dtype: &str, shape: Vec<usize>, bytes: u64| {
            let start = end;
            end += bytes;
            header.insert(name, Entry { dtype: dtype.to_owned(), shape, data_offsets: (start, end) });
        };
        for (name, weight) in &self.0 {
            add(name.clone(), TYPE, weight.shape.clone(), weight.integers.len() as u64);
            if !weight.bias.is_empty() {
                let channels = weight.bias.len();
                add(bias_name(name), BIAS_TYPE, vec![channels], channels as u64 * BIAS_BYTES);
            }
        }
        let mut text = serde_json::to_vec(&header)?;
        text.resize(text.len().next_multiple_of(ALIGNMENT), b' ');
        let tensors = self.0.values().map(|weight| {
            let integers = weight.integers.iter().map(|&integer| integer as u8);
            integers.chain(weight.bias.iter().flat_map(|number| number.to_le_bytes())).collect()
        });
        Ok([(text.len() as u64).to_le_bytes().to_vec(), text].into_iter().chain(tensors).collect())
    }
}

/// A file whose header was checked.
struct Reader {
    file: File,
    /// Where the tensors begin.
    data: u64,
    entries: BTreeMap<String, Entry>,
}

impl Reader {
    fn open(path: &Path) -> Result<Self, String> {
        let text = |error: std::io::Error| error.to_string();
        let (mut file, size) = reading::open(path).map_err(text)?;
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(text)?;
        let length = u64::from_le_bytes(length);
        if length > LARGEST_HEADER || length > size {
            return Err(format!(
                "its header has {length} bytes; at most {LARGEST_HEADER} are read, and no more than the file has"
            ));
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header).map_err(text)?;
        let Header(entries) = serde_json::from_slice(&header).map_err(|error| format!("its header: {error}"))?;
        let reader = Self { file, data: 8 + length, entries };
        reader.check(size)?;
        Ok(reader)
    }

    /// Tensors follow one another without gaps, from the end of the header to that of the file, and have the bytes of their elements.
    fn check(&self, size: u64) -> Result<(), String> {
        let mut order: Vec<(&String, &Entry)> = self.entries.iter().collect();
        order.sort_by_key(|(_, entry)| entry.data_offsets);
        let mut end = 0;
        for (name, entry) in order {
            let (wanted, bytes) = match name.ends_with(BIAS) && entry.dtype == BIAS_TYPE {
                true => (BIAS_TYPE, BIAS_BYTES),
                false => (TYPE, 1),
            };
            let bytes = entry.shape.iter().try_fold(bytes, |bytes, &size| bytes.checked_mul(size as u64));
            let (start, stop) = entry.data_offsets;
            if entry.dtype != wanted {
                return Err(format!(
                    "the tensor of '{name}' is {}; weights are {TYPE}, and NODE{BIAS} is {BIAS_TYPE}",
                    entry.dtype
                ));
            }
            if start != end || stop.checked_sub(start).is_none_or(|length| Some(length) != bytes) {
                return Err(format!(
                    "the tensor of '{name}' lies at {start} to {stop}, which does not fit its shape {:?}",
                    entry.shape
                ));
            }
            end = stop;
        }
        if self.data.checked_add(end) == Some(size) {
            Ok(())
        } else {
            Err("it has not the bytes that its header says".into())
        }
    }

    /// Takes out the integers of a layer whose weights have that shape; none when the file has none for it.
    fn take(&mut self, node: &str, shape: &[usize]) -> Result<Option<Vec<i8>>, String> {
        let Some(entry) = self.entries.remove(node) else { return Ok(None) };
        if entry.shape != shape {
            return Err(format!(
                "the tensor of '{node}' has the shape {:?}, but the weights have {shape:?}",
                entry.shape
            ));
        }
        // The size is that of weights which are there, so it is bounded.
        let mut bytes = vec![0; shape.iter().product()];
        let start = SeekFrom::Start(self.data + entry.data_offsets.0);
        let read = self.file.seek(start).and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(|error| error.to_string())?;
        let integers: Vec<i8> = bytes.into_iter().map(|byte| byte as i8).collect();
        if integers.contains(&i8::MIN) {
            return Err(format!("the tensor of '{node}' has -128; integers of weights are -127 to 127"));
        }
        Ok(Some(integers))
    }

    /// Takes out what is added to the bias of a layer with so many output channels; none when the file has nothing for it.
    fn take_bias(&mut self, node: &str, channels: usize) -> Result<Option<Vec<f32>>, String> {
        let name = bias_name(node);
        let Some(entry) = self.entries.get(&name).filter(|entry| entry.dtype == BIAS_TYPE) else { return Ok(None) };
        if entry.shape != [channels] {
            return Err(format!(
                "the tensor of '{name}' has the shape {:?}, but there are {channels} channels",
                entry.shape
            ));
        }
        let mut bytes = vec![0; channels * BIAS_BYTES as usize];
        let start = SeekFrom::Start(self.data + entry.data_offsets.0);
        let read = self.file.seek(start).and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(|error| error.to_string())?;
        self.entries.remove(&name);
        let numbers: Vec<f32> = bytes.as_chunks().0.iter().map(|number| f32::from_le_bytes(*number)).collect();
        match numbers.iter().all(|number| number.is_finite()) {
            true => Ok(Some(numbers)),
            false => Err(format!("the tensor of '{name}' has numbers that are not finite")),
        }
    }
}

fn run(function: OperationRef<'_, '_>, options: &PassOptions) -> Result<(), PassFailure> {
    let Some(path) = options.file("file") else {
        return Err(PassFailure::Message("give the file of weights as the option file".into()));
    };
    let failed = |reason: String| PassFailure::Message(format!("{}: {reason}", path.display()));
    let mut reader = Reader::open(&path).map_err(failed)?;
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        if let (Some(layer), Some(weight)) = (LinearLayer::of(function, operation)?, weights_of(operation)?)
            && let Some(integers) = reader.take(&layer.node, &weight.r#type.static_shape()?).map_err(failed)?
        {
            round(operation, &layer, &weight, &integers)?;
            if let Some(bias) = reader.take_bias(&layer.node, layer.channels()).map_err(failed)? {
                bias_correction::apply(operation, &layer, &bias)?;
            }
        }
    }
    match reader.entries.keys().next() {
        Some(name) => Err(failed(format!("no layer with constant weights is called '{name}'"))),
        None => Ok(()),
    }
}

/// Gives the layers of a function these weights.
///
/// # Errors
/// When a layer has weights of another shape.
pub(super) fn apply(function: OperationRef<'_, '_>, weights: &RoundedWeights) -> Result<(), IrError> {
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        if let (Some(layer), Some(weight)) = (LinearLayer::of(function, operation)?, weights_of(operation)?)
            && let Some(rounded) = weights.0.get(&layer.node)
        {
            round(operation, &layer, &weight, &rounded.integers)?;
        }
    }
    Ok(())
}

/// Replaces the weights of a layer. A constant that nothing reads any more goes.
fn round(
    operation: OperationRef<'_, '_>,
    layer: &LinearLayer,
    weight: &Constant<'_>,
    integers: &[i8],
) -> Result<(), IrError> {
    let values = weights_on_grid(layer, &weight.f32s()?, integers)?;
    let old = operation.operand_at(1)?;
    let constant = constant_before(operation, "weight", &weight.r#type, &values)?;
    ir::set_operand(operation, 1, constant);
    if let Some(defining) = ir::defining_operation(old).filter(|_| ir::users(old).is_empty()) {
        // SAFETY: nothing reads it, and the walk over the block is past it: what defines a value comes before its readers.
        unsafe { ir::erase(defining) };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights() -> RoundedWeights {
        let weight = |shape: &[usize], first: i8| RoundedWeight {
            shape: shape.to_vec(),
            integers: (0..shape.iter().product::<usize>()).map(|index| first + index as i8).collect(),
            bias: if first > 0 { vec![0.5, -0.25] } else { Vec::new() },
        };
        RoundedWeights(BTreeMap::from([
            ("b/2".to_owned(), weight(&[2, 3], -127)),
            ("a \"1\"".to_owned(), weight(&[1, 1, 2, 2], 5)),
        ]))
    }

    fn open(bytes: &[u8]) -> Result<Reader, String> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), bytes).expect("written");
        Reader::open(file.path())
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = weights().parts().expect("parts").concat();
        let mut reader = open(&bytes).expect("a sound file");
        for (name, weight) in weights().0 {
            assert_eq!(reader.take(&name, &weight.shape), Ok(Some(weight.integers)));
            assert_eq!(reader.take_bias(&name, 2), Ok(Some(weight.bias).filter(|bias| !bias.is_empty())));
        }
        assert_eq!(reader.take("c", &[1]), Ok(None));
        assert!(open(&RoundedWeights::default().parts().expect("parts").concat()).is_ok());
    }

    /// The format is another's: https://huggingface.co/docs/safetensors, by hand.
    #[test]
    fn the_bytes_are_those_of_the_format() {
        let weight = RoundedWeight { shape: vec![2], integers: vec![-1, 3], bias: Vec::new() };
        let bytes = RoundedWeights(BTreeMap::from([("w".to_owned(), weight)])).parts().expect("parts").concat();
        let header = br#"{"w":{"dtype":"I8","shape":[2],"data_offsets":[0,2]}}   "#;
        assert_eq!(header.len(), 56);
        assert_eq!(bytes, [&56u64.to_le_bytes()[..], header, &[255, 3]].concat());
    }

    #[test]
    fn broken_files_are_refused() {
        let whole = weights().parts().expect("parts").concat();
        for length in 0..whole.len() {
            assert!(open(whole.get(..length).expect("a part")).is_err(), "{length}");
        }
        assert!(open(&[whole.as_slice(), &[0]].concat()).is_err());
        assert!(open(&[&u64::MAX.to_le_bytes()[..], &[0; 100]].concat()).is_err());
        let file = |header: &str, data: usize| {
            open(&[&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; data]].concat()).map(|_| ())
        };
        let entry = |rest: &str| format!(r#"{{"w":{{"dtype":"I8",{rest}}}}}"#);
        assert_eq!(file(&entry(r#""shape":[2],"data_offsets":[0,2]"#), 2), Ok(()));
        for (rest, data) in [
            (r#""shape":[3],"data_offsets":[0,2]"#, 2),
            (r#""shape":[2],"data_offsets":[1,3]"#, 3),
            (r#""shape":[2],"data_offsets":[2,0]"#, 2),
            (r#""shape":[4294967296,4294967296,4294967296],"data_offsets":[0,0]"#, 0),
            (r#""shape":[1],"data_offsets":[18446744073709551615,0]"#, 1),
            (r#""shape":[2],"data_offsets":[0,2],"more":1"#, 2),
        ] {
            assert!(file(&entry(rest), data).is_err(), "{rest}");
        }
        let twice = r#"{"w":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}"#;
        assert!(file(twice, 1).expect_err("twice").contains("stands twice"));
        let other = r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
        assert!(file(other, 4).expect_err("floats").contains("is F32"));
        let bias = |shape: &str| format!(r#"{{"w:bias":{{"dtype":"F32","shape":{shape},"data_offsets":[0,4]}}}}"#);
        assert_eq!(file(&bias("[1]"), 4), Ok(()));
        assert!(file(&bias("[4]"), 4).is_err());
        let mut reader = open(&whole).expect("a sound file");
        assert!(
            reader.take("b/2", &[3, 2]).expect_err("another shape").contains("[2, 3], but the weights have [3, 2]")
        );
        let lowest = RoundedWeight { shape: vec![1], integers: vec![-128], bias: Vec::new() };
        let mut reader =
            open(&RoundedWeights(BTreeMap::from([("w".to_owned(), lowest)])).parts().expect("parts").concat())
                .expect("a sound file");
        assert!(reader.take("w", &[1]).expect_err("too low").contains("-128"));
    }
}
