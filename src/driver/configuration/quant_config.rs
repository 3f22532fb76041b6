//! `quant_config`: types for the model, for kinds of nodes and for single nodes, as a JSON file (comments allowed) or as a mapping in
//! the YAML.

use super::keys::Word;
use super::node_info::choice;
use super::parameters::DataType;
use super::reading::{Document, Raw, Step};
use super::source_text;
use super::values::{Place, ValueFault};
use crate::wording::{printable, suggestion};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// What `quant_config` asks for. The narrower level wins: nodes over kinds over the model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QuantConfig {
    /// The type of the inputs of all nodes: int16 or float16.
    pub all_node_type: Option<DataType>,
    /// The type of the model's outputs: int8 or int16.
    pub model_output_type: Option<DataType>,
    /// The one way to find ranges, instead of `calibration_type`; then nothing is searched.
    pub ranges: Option<Ranges>,
    /// `bias_correction`: biases make up for the mean error of weights.
    pub bias_correction: bool,
    /// By operator of ONNX, in the order of the file.
    pub kinds: Vec<(String, StatedTypes)>,
    /// By name of node, in the order of the file.
    pub nodes: Vec<(String, StatedTypes)>,
    /// Where it was read, if not in the configuration itself.
    pub file: Option<PathBuf>,
}

/// How ranges are found: `activation` of later releases, with one value of each, and `values`, which this project has beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranges {
    /// Of values that are not named.
    pub usual: StatedMethod,
    /// `values`: by the name of an input, or of the node that computes the value.
    pub values: BTreeMap<String, StatedMethod>,
}

/// How a range is found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StatedMethod {
    /// `calibration_type`
    pub chooser: StatedChooser,
    /// `asymmetric`: int8 may have zero points.
    pub asymmetric: bool,
}

/// What chooses the magnitude that a range shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StatedChooser {
    /// `max`, with `max_percentile`.
    Max(f64),
    /// `kl`
    Kl,
    /// `mean_squared_error`, which this project has beside them.
    MeanSquaredError,
}

/// Types of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatedTypes {
    /// `type` (`qtype` in later releases): of all inputs that `inputs` does not name.
    pub all: Option<DataType>,
    /// `input0`..: of single inputs. Later releases have it.
    pub inputs: BTreeMap<usize, DataType>,
    /// `output`: of the results. This project has it beside the manual's.
    pub output: Option<DataType>,
}

const MODEL: &str = "model_config";
const KINDS: &str = "op_config";
const NODES: &str = "node_config";
const LEVELS: [&str; 3] = [MODEL, KINDS, NODES];
const ALL_NODES: &str = "all_node_type";
const OUTPUT: &str = "model_output_type";
const ACTIVATION: &str = "activation";
const WEIGHT: &str = "weight";
const BIAS_CORRECTION: &str = "bias_correction";
const CALIBRATION: &str = "calibration_type";
const PERCENTILE: &str = "max_percentile";
const ASYMMETRIC: &str = "asymmetric";
const VALUES: &str = "values";
const MAX: &str = "max";
const KL: &str = "kl";
const SQUARE: &str = "mean_squared_error";
const RESULT: &str = "output";
/// What only later releases have at each level: whole blocks of calibration and search.
const LATER_LEVELS: [&str; 1] = ["subgraph_config"];
const LATER_OF_MODEL: [&str; 2] = ["modelwise_search", "layerwise_search"];
const LATER_OF_CORRECTION: [&str; 2] = ["num_sample", "metric"];
const LATER_OF_ACTIVATION: [&str; 3] = ["num_bin", "max_num_bin", "per_channel"];
/// Types of later chips.
const LATER_TYPES: [&str; 6] = ["int4", "float32", "float8", "nvfp4", "dual-int16", "int16-ec"];

/// The range, as documentation names it.
pub fn range() -> String {
    format!(
        "the path of a JSON file (comments allowed), or a mapping with {MODEL} ({ALL_NODES} int16, float16; {OUTPUT} int8, int16), {KINDS} and \
         {NODES} (`type` or `qtype`, `input0`..: int8, int16, float16)"
    )
}

impl QuantConfig {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self { file: self.file.clone(), ..Self::default() }
    }

    /// Reads a JSON file. Problems in it are located in it.
    pub fn read_file(path: &Path) -> Result<Self, Vec<ValueFault>> {
        let text = source_text::read(path).map_err(|error| {
            let what = format!("'{}' cannot be read: {error}", path.display());
            vec![ValueFault::new(what, "correct the path; it counts from the folder of the configuration file")]
        })?;
        let label = printable(&path.display().to_string());
        let document = Document::parse_json(&text).map_err(|error| {
            let place = Place::File(label.clone(), error.location);
            vec![ValueFault { what: error.what, remedy: error.remedy, place }]
        })?;
        let located = |fault: ValueFault| {
            let location = match &fault.place {
                Place::Within(steps) => document.locate(steps),
                _ => super::Location::START,
            };
            ValueFault { place: Place::File(label.clone(), location), ..fault }
        };
        let duplicates = document.root.duplicates().into_iter().map(|duplicate| document.twice(&duplicate));
        let duplicates: Vec<ValueFault> = duplicates.map(&located).collect();
        match Self::from_raw(&document.root) {
            Ok(read) if duplicates.is_empty() => Ok(Self { file: Some(path.to_owned()), ..read }),
            Ok(_) => Err(duplicates),
            Err(faults) => Err(duplicates.into_iter().chain(faults.into_iter().map(located)).collect()),
        }
    }

    /// Reads the mapping.
    pub fn from_raw(raw: &Raw) -> Result<Self, Vec<ValueFault>> {
        let mut reading = Reading::default();
        let mut read = Self::default();
        for (index, name, value) in reading.entries(raw, &[], "quant_config") {
            let steps = [Step::Value(index)];
            match name.as_str() {
                MODEL => read.read_model(&mut reading, value, &steps),
                KINDS => read.kinds = reading.levels(value, &steps, KINDS),
                NODES => read.nodes = reading.levels(value, &steps, NODES),
                _ => reading.unknown(&[Step::Key(index)], &name, "quant_config", &LEVELS, &LATER_LEVELS),
            }
        }
        if reading.faults.is_empty() { Ok(read) } else { Err(reading.faults) }
    }

    fn read_model(&mut self, reading: &mut Reading, raw: &Raw, steps: &[Step]) {
        for (index, name, value) in reading.entries(raw, steps, MODEL) {
            let here = [steps, &[Step::Value(index)]].concat();
            match name.as_str() {
                ALL_NODES => {
                    self.all_node_type =
                        reading.data(value, &here, &format!("{MODEL}.{name}"), &[DataType::Int16, DataType::Float16]);
                }
                OUTPUT => {
                    self.model_output_type =
                        reading.data(value, &here, &format!("{MODEL}.{name}"), &[DataType::Int8, DataType::Int16]);
                }
                ACTIVATION => self.ranges = reading.ranges(value, &here),
                WEIGHT => self.bias_correction = reading.corrects_biases(value, &here),
                _ => {
                    let here = [steps, &[Step::Key(index)]].concat();
                    reading.unknown(&here, &name, MODEL, &[ALL_NODES, OUTPUT, ACTIVATION, WEIGHT], &LATER_OF_MODEL);
                }
            }
        }
    }
}

/// Collects what is wrong.
#[derive(Default)]
struct Reading {
    faults: Vec<ValueFault>,
}

impl Reading {
    fn report(&mut self, steps: &[Step], what: String, remedy: impl Into<String>) {
        self.faults.push(ValueFault { what, remedy: remedy.into(), place: Place::Within(steps.to_vec()) });
    }

    /// The entries of a mapping; nothing of what says nothing.
    fn entries<'r>(&mut self, raw: &'r Raw, steps: &[Step], name: &str) -> Vec<(usize, String, &'r Raw)> {
        match raw {
            Raw::Mapping(entries) => {
                entries.iter().enumerate().map(|(index, (key, value))| (index, key.to_string(), value)).collect()
            }
            Raw::Null => Vec::new(),
            other => {
                let what = format!("{name} must be a mapping, but '{other}' is {}", other.kind());
                let example = match name {
                    BIAS_CORRECTION => format!("{{\"{BIAS_CORRECTION}\": {{}}}}"),
                    _ => format!("{{\"{KINDS}\": {{\"Conv\": {{\"type\": \"int16\"}}}}}}"),
                };
                self.report(steps, what, format!("write {example}"));
                Vec::new()
            }
        }
    }

    fn unknown(&mut self, steps: &[Step], name: &str, level: &str, known: &[&str], later: &[&str]) {
        if later.contains(&name) {
            let what =
                format!("'{name}' of {level} exists in later releases of the vendor's tool only, and is not supported");
            return self.report(steps, what, "remove it");
        }
        let remedy = suggestion(name, known.iter().copied(), &format!("known are {}", known.join(", ")));
        self.report(steps, format!("{level} has no '{name}'"), remedy);
    }

    /// The block `weight`: whether it holds `bias_correction`, a block that says nothing more.
    fn corrects_biases(&mut self, raw: &Raw, steps: &[Step]) -> bool {
        let mut corrects = false;
        for (index, key, value) in self.entries(raw, steps, WEIGHT) {
            if key != BIAS_CORRECTION {
                self.unknown(&[steps, &[Step::Key(index)]].concat(), &key, WEIGHT, &[BIAS_CORRECTION], &[]);
                continue;
            }
            corrects = true;
            let here = [steps, &[Step::Value(index)]].concat();
            for (index, key, _) in self.entries(value, &here, BIAS_CORRECTION) {
                let here = [here.as_slice(), &[Step::Key(index)]].concat();
                self.unknown(&here, &key, BIAS_CORRECTION, &[], &LATER_OF_CORRECTION);
            }
        }
        corrects
    }

    /// The block `activation`.
    fn ranges(&mut self, raw: &Raw, steps: &[Step]) -> Option<Ranges> {
        let mut values = BTreeMap::new();
        for (index, key, value) in self.entries(raw, steps, ACTIVATION) {
            let here = [steps, &[Step::Value(index)]].concat();
            if key == VALUES {
                for (index, name, value) in self.entries(value, &here, VALUES) {
                    let here = [here.as_slice(), &[Step::Value(index)]].concat();
                    match self.method(value, &here, &format!("{VALUES}.{name}"), &[]) {
                        Some(method) => drop(values.insert(name, method)),
                        None => self.report(&here, format!("{VALUES}.{name} has no {CALIBRATION}"), "add it"),
                    }
                }
            }
        }
        let usual = self.method(raw, steps, ACTIVATION, &[VALUES]);
        if usual.is_none() && !values.is_empty() {
            self.report(steps, format!("{ACTIVATION}.{VALUES} needs {CALIBRATION} for the others"), "add it");
        }
        usual.map(|usual| Ranges { usual, values })
    }

    /// How ranges are found, from a block that may have other entries beside.
    fn method(&mut self, raw: &Raw, steps: &[Step], label: &str, others: &[&str]) -> Option<StatedMethod> {
        let (mut kind, mut percentile, mut asymmetric) = (None, None, None);
        for (index, key, value) in self.entries(raw, steps, label) {
            if others.contains(&key.as_str()) {
                continue;
            }
            let here = [steps, &[Step::Value(index)]].concat();
            let share = match value {
                Raw::Number(share) => Some(*share),
                Raw::Integer(1) => Some(1.0),
                _ => None,
            };
            match (key.as_str(), value) {
                (CALIBRATION, Raw::Text(word)) if [MAX, KL, SQUARE].contains(&word.trim()) => kind = Some(word.trim()),
                (CALIBRATION, other) => {
                    let what = format!("{label}.{CALIBRATION} must be one of {MAX}, {KL}, {SQUARE}, but is '{other}'");
                    self.report(&here, what, "name one; calibration_type: 'default' searches among several");
                }
                (PERCENTILE, _) if share.is_some_and(|share| (0.5..=1.0).contains(&share)) => percentile = share,
                (PERCENTILE, other) => {
                    let what = format!("{label}.{PERCENTILE} must be one number from 0.5 to 1, but is '{other}'");
                    self.report(&here, what, "name one");
                }
                (ASYMMETRIC, Raw::Boolean(value)) => asymmetric = Some(*value),
                (ASYMMETRIC, other) => {
                    let what = format!("{label}.{ASYMMETRIC} must be true or false, but is '{other}'");
                    self.report(&here, what, "name one; calibration_type: 'default' tries both");
                }
                _ => {
                    let here = [steps, &[Step::Key(index)]].concat();
                    let known = [&[CALIBRATION, PERCENTILE, ASYMMETRIC], others].concat();
                    self.unknown(&here, &key, label, &known, &LATER_OF_ACTIVATION);
                }
            }
        }
        let chooser = match (kind, percentile) {
            (Some(MAX), share) => Some(StatedChooser::Max(share.unwrap_or(1.0))),
            (_, Some(_)) => {
                self.report(steps, format!("{label}.{PERCENTILE} goes with {CALIBRATION} {MAX}"), "remove it");
                None
            }
            (Some(KL), None) => Some(StatedChooser::Kl),
            (Some(_), None) => Some(StatedChooser::MeanSquaredError),
            (None, None) if asymmetric.is_some() => {
                self.report(steps, format!("{label}.{ASYMMETRIC} needs {CALIBRATION}"), "add it");
                None
            }
            (None, None) => None,
        };
        chooser.map(|chooser| StatedMethod { chooser, asymmetric: asymmetric.unwrap_or(false) })
    }

    /// The entries of `op_config` or `node_config`.
    fn levels(&mut self, raw: &Raw, steps: &[Step], level: &str) -> Vec<(String, StatedTypes)> {
        let mut read = Vec::new();
        for (index, name, value) in self.entries(raw, steps, level) {
            let here = [steps, &[Step::Value(index)]].concat();
            let label = format!("{level}.{name}");
            let types = self.node_types(value, &here, &label);
            if types != StatedTypes::default() {
                read.push((name, types));
            }
        }
        read
    }

    fn node_types(&mut self, raw: &Raw, steps: &[Step], label: &str) -> StatedTypes {
        const ANY: [DataType; 3] = [DataType::Int8, DataType::Int16, DataType::Float16];
        let mut types = StatedTypes::default();
        let entries = self.entries(raw, steps, label);
        let both = ["type", "qtype"].iter().all(|name| entries.iter().any(|(_, key, _)| key == name));
        for (index, key, value) in entries {
            let here = [steps, &[Step::Value(index)]].concat();
            let number = key.strip_prefix("input").and_then(|digits| digits.parse::<usize>().ok());
            match (key.as_str(), number) {
                // One of them twice is told of the whole file.
                ("type" | "qtype", _) if types.all.is_some() && !both => {}
                ("type" | "qtype", _) if types.all.is_some() => {
                    self.report(&here, format!("{label} has both type and qtype"), "keep one, they mean the same");
                }
                (RESULT, _) => types.output = self.data(value, &here, &format!("{label}.{key}"), &ANY),
                ("type" | "qtype", _) => types.all = self.data(value, &here, &format!("{label}.{key}"), &ANY),
                (_, Some(number)) => {
                    if let Some(data) = self.data(value, &here, &format!("{label}.{key}"), &ANY) {
                        types.inputs.insert(number, data);
                    }
                }
                _ => {
                    let here = [steps, &[Step::Key(index)]].concat();
                    let later = ["InputType", "OutputType", "ON"];
                    if later.contains(&key.as_str()) {
                        self.report(
                            &here,
                            format!("{label} has no '{key}', which is a word of node_info"),
                            "write 'type'",
                        );
                    } else {
                        self.unknown(&here, &key, label, &["type", "qtype", "input0", RESULT], &LATER_OF_MODEL);
                    }
                }
            }
        }
        types
    }

    fn data(&mut self, raw: &Raw, steps: &[Step], label: &str, allowed: &[DataType]) -> Option<DataType> {
        let list = || allowed.iter().map(|data| data.word()).collect::<Vec<_>>().join(", ");
        let word = match raw {
            Raw::Text(word) => word.trim(),
            Raw::Null => return None,
            other => {
                self.report(steps, format!("{label} must be a string, but {other} is {}", other.kind()), list());
                return None;
            }
        };
        if LATER_TYPES.contains(&word) || word.starts_with("mx") {
            let what = format!("{label}: '{word}' is a type of later chips, which have other targets");
            self.report(steps, what, format!("use one of {}", list()));
            return None;
        }
        match choice::<DataType>(word) {
            Ok(data) if allowed.contains(&data) => Some(data),
            _ => {
                let remedy = suggestion(word, allowed.iter().map(|data| data.word()), "choose one of them");
                self.report(steps, format!("{label}: '{word}' is not one of {}", list()), remedy);
                None
            }
        }
    }
}

impl fmt::Display for StatedMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.chooser {
            StatedChooser::Max(share) => write!(f, "{MAX}({share})"),
            StatedChooser::Kl => write!(f, "{KL}"),
            StatedChooser::MeanSquaredError => write!(f, "{SQUARE}"),
        }?;
        f.write_str(if self.asymmetric { " asymmetric" } else { "" })
    }
}

impl fmt::Display for QuantConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut entries = Vec::new();
        entries.extend(self.all_node_type.map(|data| format!("{ALL_NODES}={}", data.word())));
        entries.extend(self.model_output_type.map(|data| format!("{OUTPUT}={}", data.word())));
        if let Some(Ranges { usual, values }) = &self.ranges {
            entries.push(format!("{ACTIVATION}={usual}"));
            entries.extend(values.iter().map(|(name, method)| format!("{name}={method}")));
        }
        for (name, types) in self.kinds.iter().chain(&self.nodes) {
            entries.extend(types.all.map(|data| format!("{name}={}", data.word())));
            entries.extend(types.inputs.iter().map(|(input, data)| format!("{name}.input{input}={}", data.word())));
            entries.extend(types.output.map(|data| format!("{name}.{RESULT}={}", data.word())));
        }
        f.write_str(&entries.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Result<QuantConfig, Vec<ValueFault>> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("quant.json");
        std::fs::write(&file, text).expect("a file");
        QuantConfig::read_file(&file)
    }

    /// The manual's template, with one of the types that it lists for each entry.
    #[test]
    fn the_manuals_template() {
        let read = json(
            "{\n// Configure model-level parameters\n\"model_config\":{\n\"all_node_type\":\"int16\", // of all\n\
             \"model_output_type\":\"int8\"\n},\n/* kinds */\n\"op_config\":{\n\"Conv\":{\"type\":\"int16\"},\n\
             \t\"Add\":{\"qtype\":\"float16\"}\n},\n\"node_config\":{\"a // b\":{\"type\":\"int8\", \"input1\": \"int16\"}}\n}\n",
        )
        .expect("reads");
        assert_eq!((read.all_node_type, read.model_output_type), (Some(DataType::Int16), Some(DataType::Int8)));
        let all = |data| StatedTypes { all: Some(data), ..StatedTypes::default() };
        assert_eq!(read.kinds, [("Conv".into(), all(DataType::Int16)), ("Add".into(), all(DataType::Float16))]);
        let inputs = BTreeMap::from([(1, DataType::Int16)]);
        assert_eq!(read.nodes, [("a // b".into(), StatedTypes { all: Some(DataType::Int8), inputs, output: None })]);
        assert!(json("{}").expect("reads").is_empty());
    }

    #[test]
    fn faults_are_located_in_the_file() {
        let faults = json("{\n \"op_config\": {\n  \"Conv\": {\"type\": \"int17\"},\n  \"Conv\": {\"kind\": 1}\n }\n}")
            .expect_err("must fail");
        let places: Vec<String> = faults
            .iter()
            .map(|fault| match &fault.place {
                Place::File(_, location) => format!("{}:{}", location.line, location.column),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(places, ["4:3", "3:20", "4:12"], "{faults:#?}");
        for bad in ["[1]", "{\"op_config\": 1}", "{\"op_config\": {\"Conv\": \"int16\"}}", "{", "{\"a\": 1 /* }", ""] {
            json(bad).expect_err(bad);
        }
        let deep = format!("{{\"op_config\":{}", "{\"a\":".repeat(100_000));
        json(&deep).expect_err("nested too deeply");
    }
}
