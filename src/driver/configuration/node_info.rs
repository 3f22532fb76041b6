//! What `node_info` asks for, node by node: a place to run and types.

use super::keys::Word;
use super::parameters::{DataType, Processor};
use super::reading::{Raw, Step};
use super::table::words;
use super::values::ValueFault;
use crate::wording::suggestion;
use std::collections::BTreeMap;
use std::fmt;

/// What is asked for one node of the model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeRequest {
    /// The name that the model gives the node.
    pub name: String,
    /// `ON`: where it shall run.
    pub on: Option<Processor>,
    /// `InputType`: the type of all inputs that `input_types` does not name.
    pub input_type: Option<DataType>,
    /// `InputType0`..: the types of single inputs, by their number.
    pub input_types: BTreeMap<usize, DataType>,
    /// `OutputType`: the type of all outputs.
    pub output_type: Option<DataType>,
}

const ON: &str = "ON";
const INPUT_TYPE: &str = "InputType";
const OUTPUT_TYPE: &str = "OutputType";
const EXAMPLE: &str =
    "write {\"node\": {\"ON\": \"BPU\", \"InputType\": \"int16\", \"OutputType\": \"int16\"}} or 'node:int16'";
/// More inputs than any operator of ONNX that is not variadic; those have at most as many as a model may have inputs.
const MOST_INPUTS: usize = 1024;

impl NodeRequest {
    /// The type that is asked for an input of the node.
    pub fn type_of_input(&self, input: usize) -> Option<DataType> {
        self.input_types.get(&input).copied().or(self.input_type)
    }

    /// Whether any type is asked for.
    pub fn has_types(&self) -> bool {
        self.input_type.is_some() || !self.input_types.is_empty() || self.output_type.is_some()
    }

    /// What is asked for, key by key, as the configuration writes it.
    fn entries(&self) -> Vec<(String, &'static str)> {
        let place = self.on.map(|on| (ON.into(), on.word()));
        let all = self.input_type.map(|data| (INPUT_TYPE.into(), data.word()));
        let each = self.input_types.iter().map(|(input, data)| Some((format!("{INPUT_TYPE}{input}"), data.word())));
        let output = self.output_type.map(|data| (OUTPUT_TYPE.into(), data.word()));
        [place, all].into_iter().chain(each).chain([output]).flatten().collect()
    }
}

impl fmt::Display for NodeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries: Vec<String> = self.entries().iter().map(|(key, word)| format!("{key}={word}")).collect();
        write!(f, "{}:{}", self.name, entries.join("+"))
    }
}

/// The range, as documentation names it.
pub fn range() -> String {
    format!(
        "`name:type` items, or a mapping from node names to {ON} ({}), {INPUT_TYPE}, {INPUT_TYPE}0.., {OUTPUT_TYPE} ({})",
        words(Processor::CHOICES),
        words(DataType::CHOICES)
    )
}

/// Reads an item `name:type` of the string form. The manual does not say which type that is; as in the vendor's later releases it is
/// that of the outputs.
pub fn item(text: &str) -> Result<NodeRequest, ValueFault> {
    let Some((name, word)) = text.rsplit_once(':') else {
        return Err(ValueFault::new(format!("'{text}' names no type"), EXAMPLE));
    };
    let (name, word) = (name.trim(), word.trim());
    if name.is_empty() {
        return Err(ValueFault::new(format!("'{text}' names no node"), EXAMPLE));
    }
    if Processor::named(&word.to_uppercase()).is_some() {
        let remedy = format!("write {{\"{name}\": {{\"ON\": \"{}\"}}}}", word.to_uppercase());
        return Err(ValueFault::new(format!("'{text}': the string form is for types only"), remedy));
    }
    let output_type = Some(choice::<DataType>(word)?);
    Ok(NodeRequest { name: name.to_owned(), output_type, ..NodeRequest::default() })
}

/// Reads the mapping form: what is asked for, as far as it can be read, and what is wrong with the rest.
pub fn mapping(entries: &[(Raw, Raw)]) -> (Vec<NodeRequest>, Vec<ValueFault>) {
    let mut requests = Vec::new();
    let mut faults = Vec::new();
    for (index, (name, asked)) in entries.iter().enumerate() {
        let here = |fault: ValueFault| fault.below(Step::Value(index));
        let mut request = NodeRequest { name: name.to_string(), ..NodeRequest::default() };
        match asked {
            Raw::Mapping(asked) => {
                for (number, (key, value)) in asked.iter().enumerate() {
                    if let Err(fault) = request.set(number, key, value) {
                        faults.push(here(fault));
                    }
                }
                if !asked.is_empty() {
                    requests.push(request);
                }
            }
            Raw::Null => {}
            other => {
                let what = format!("node '{name}': must be a mapping, but '{other}' is {}", other.kind());
                faults.push(here(ValueFault::new(what, EXAMPLE)));
            }
        }
    }
    (requests, faults)
}

impl NodeRequest {
    fn set(&mut self, number: usize, key: &Raw, value: &Raw) -> Result<(), ValueFault> {
        let key = key.to_string();
        let of_node = |fault: ValueFault| {
            let what = format!("{key} of node '{}': {}", self.name, fault.what);
            ValueFault { what, ..fault }.below(Step::Value(number))
        };
        let word = match value {
            Raw::Text(word) => word.trim(),
            other => {
                let fault = ValueFault::new(format!("must be a string, but {other} is {}", other.kind()), EXAMPLE);
                return Err(of_node(fault));
            }
        };
        if key == ON {
            self.on = Some(choice::<Processor>(word).map_err(of_node)?);
            return Ok(());
        }
        let unknown = |what: String, remedy: String| Err(ValueFault::new(what, remedy).below(Step::Key(number)));
        let data = || choice::<DataType>(word).map_err(of_node);
        if key == INPUT_TYPE {
            self.input_type = Some(data()?);
        } else if key == OUTPUT_TYPE {
            self.output_type = Some(data()?);
        } else if let Some(input) = numbered(&key, INPUT_TYPE) {
            if input >= MOST_INPUTS {
                return unknown(format!("node '{}' has no input {input}", self.name), "count inputs from 0".into());
            }
            let data = data()?;
            self.input_types.insert(input, data);
        } else if numbered(&key, OUTPUT_TYPE).is_some() {
            let what = format!("'{key}' of node '{}': single outputs cannot be given a type", self.name);
            return unknown(what, format!("write '{OUTPUT_TYPE}', which holds for all outputs of the node"));
        } else {
            let known = [ON, INPUT_TYPE, OUTPUT_TYPE];
            let what = format!(
                "'{key}' of node '{}' is not one of {ON}, {INPUT_TYPE}, {INPUT_TYPE}0.., {OUTPUT_TYPE}",
                self.name
            );
            return unknown(what, suggestion(&key, known, "choose one of them"));
        }
        Ok(())
    }
}

fn numbered(key: &str, prefix: &str) -> Option<usize> {
    let digits = key.strip_prefix(prefix)?;
    let decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // A number too large for the machine is one that no node has.
    decimal.then(|| digits.parse().unwrap_or(usize::MAX))
}

/// A word of `T`, or what is wrong with it.
pub(super) fn choice<T: Word>(word: &str) -> Result<T, ValueFault> {
    T::named(word).ok_or_else(|| {
        let remedy = suggestion(word, T::CHOICES.iter().map(|choice| choice.word), "choose one of them");
        ValueFault::new(format!("'{word}' is not one of {}", words(T::CHOICES)), remedy)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        let request = item("/model.0/Conv:0:int16").expect("reads");
        assert_eq!((request.name.as_str(), request.output_type), ("/model.0/Conv:0", Some(DataType::Int16)));
        for bad in ["Conv_0", ":int16", "Conv_0:BPU", "Conv_0:int17"] {
            item(bad).expect_err(bad);
        }
        let text = |text: &str| Raw::Text(text.into());
        let asked = vec![
            (text("ON"), text("CPU")),
            (text("InputType"), text("int8")),
            (text("InputType1"), text("int16")),
            (text("OutputType"), text("float16")),
        ];
        let (requests, faults) = mapping(&[(text("a"), Raw::Mapping(asked)), (text("b"), Raw::Null)]);
        assert!(faults.is_empty());
        let [request] = requests.as_slice() else { panic!("one node is asked something") };
        assert_eq!((request.on, request.output_type), (Some(Processor::Cpu), Some(DataType::Float16)));
        assert_eq!((request.type_of_input(0), request.type_of_input(1)), (Some(DataType::Int8), Some(DataType::Int16)));
        assert_eq!(request.to_string(), "a:ON=CPU+InputType=int8+InputType1=int16+OutputType=float16");
    }

    #[test]
    fn outputs_are_not_numbered() {
        let asked = Raw::Mapping(vec![(Raw::Text("OutputType0".into()), Raw::Text("int16".into()))]);
        let (_, faults) = mapping(&[(Raw::Text("a".into()), asked)]);
        assert!(faults[0].remedy.contains("'OutputType'"), "{faults:?}");
    }
}
