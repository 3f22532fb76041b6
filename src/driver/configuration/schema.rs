//! `docs/configuration.schema.json`: the table as a JSON Schema, which editors load to complete and to check configuration files.

use super::foreign::FOREIGN_KEYS;
use super::keys::Word;
use super::parameters::{DataType, Processor};
use super::table::{Choice, Group, Multiplicity, Parameter, ParameterDefault, ParameterKind, Required};
use super::{known_marches, optimization};
use serde_json::{Map, Value, json};

/// The text of the schema (draft 07).
pub fn schema() -> String {
    let groups = Group::ALL.map(|group| (group.name().to_owned(), group_schema(group)));
    let mut groups: Map<String, Value> = groups.into_iter().collect();
    groups.extend(foreign());
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Configuration of hb_compile",
        "description": "Generated from src/driver/configuration/parameters.rs by `make docs`. Do not edit.",
        "type": "object",
        "properties": groups,
        "required": [Group::Model.name(), Group::Input.name()],
        "additionalProperties": false,
    });
    format!("{schema:#}\n")
}

fn group_schema(group: Group) -> Value {
    let parameters = Parameter::of_group(group).map(|parameter| (parameter.name.to_owned(), described(parameter)));
    let mut properties: Map<String, Value> = parameters.collect();
    properties.extend(foreign());
    let names = |required: Required| -> Vec<&str> {
        Parameter::of_group(group)
            .filter(|parameter| parameter.required == required)
            .map(|parameter| parameter.name)
            .collect()
    };
    let (always, onnx, caffe) = (names(Required::Always), names(Required::ForOnnx), names(Required::ForCaffe));
    let mut schema = json!({"properties": properties, "additionalProperties": false});
    let required = !always.is_empty();
    // An empty group is written with nothing below its name.
    schema["type"] = if required { json!("object") } else { json!(["object", "null"]) };
    if required {
        schema["required"] = json!(always);
    }
    if !onnx.is_empty() {
        schema["anyOf"] = json!([{"required": onnx}, {"required": caffe}]);
    }
    schema
}

/// Keys of other tools may stand anywhere.
fn foreign() -> impl Iterator<Item = (String, Value)> {
    let described = |key: &super::ForeignKey| json!({"description": format!("Of {}: {}.", key.origin, key.about)});
    FOREIGN_KEYS.iter().map(move |key| (key.name.to_owned(), described(key)))
}

fn described(parameter: &Parameter) -> Value {
    let mut schema = value(parameter);
    schema["description"] = json!(parameter.meaning);
    if let ParameterDefault::Value(text) = parameter.default {
        schema["default"] = match parameter.kind {
            ParameterKind::Boolean => json!(text == "True"),
            ParameterKind::Integer { .. } | ParameterKind::IntegerOrZero { .. } | ParameterKind::Number { .. } => {
                serde_json::from_str(text).unwrap_or_else(|_| json!(text))
            }
            _ => json!(text),
        };
    }
    schema
}

/// What one parameter may be: nothing, or what its kind allows.
fn value(parameter: &Parameter) -> Value {
    let mut forms = vec![json!({"type": "null"})];
    // Words come first, so that editors offer them; the pattern then allows several of them.
    let words: Vec<&str> = match parameter.kind {
        ParameterKind::Choice(choices) => choices.iter().map(|choice| choice.word).collect(),
        _ => Vec::new(),
    };
    if !words.is_empty() {
        forms.push(json!({"enum": words}));
    }
    match parameter.kind {
        ParameterKind::Boolean => forms.push(json!({"type": "boolean"})),
        ParameterKind::Integer { least, most } => {
            forms.push(json!({"type": "integer", "minimum": least, "maximum": most}));
            forms.push(text("-?[0-9]+", parameter));
        }
        ParameterKind::IntegerOrZero { least, most } => {
            forms.push(json!({"const": 0}));
            forms.push(json!({"type": "integer", "minimum": least, "maximum": most}));
            forms.push(text("[0-9]+", parameter));
        }
        ParameterKind::Number { least, most } => {
            forms.push(json!({"type": "number", "minimum": least, "maximum": most}));
            forms.push(text(NUMBER, parameter));
        }
        ParameterKind::Choice(_) => forms.push(text(&alternatives(words.iter().copied()), parameter)),
        ParameterKind::March => forms.push(json!({"enum": known_marches()})),
        ParameterKind::Prefix => forms.push(json!({"type": "string", "pattern": "^([^./\\\\][^/\\\\]*)?$"})),
        ParameterKind::Name(_)
        | ParameterKind::Command
        | ParameterKind::File
        | ParameterKind::Directory
        | ParameterKind::NewDirectory => {
            forms.push(json!({"type": "string"}));
        }
        ParameterKind::Shape => {
            forms.push(json!({"type": "integer", "minimum": 1}));
            forms.push(text("[0-9]+([xX][0-9]+)*", parameter));
        }
        ParameterKind::ChannelNumbers => {
            forms.push(json!({"type": "number"}));
            forms.push(text(&format!("(None|{NUMBER}([ ,]+{NUMBER})*)"), parameter));
        }
        ParameterKind::InputMapping(choices) => {
            forms.push(json!({"type": "object", "additionalProperties": {"enum": enumerated(choices)}}));
        }
        ParameterKind::NodeRequests => forms.extend(node_requests(parameter)),
        ParameterKind::Optimization => {
            forms.push(json!({"enum": optimization::SPELLED}));
            forms.push(json!({"type": "string"}));
        }
        ParameterKind::QuantConfig => {
            forms.push(json!({"type": "string"}));
            forms.push(quant_config());
        }
    }
    json!({"anyOf": forms})
}

const NUMBER: &str = "[-+]?[0-9.]+([eE][-+]?[0-9]+)?";

fn enumerated(choices: &[Choice]) -> Vec<&'static str> {
    choices.iter().map(|choice| choice.word).collect()
}

fn alternatives<'a>(words: impl Iterator<Item = &'a str>) -> String {
    format!("({})", words.collect::<Vec<_>>().join("|"))
}

/// Text of one value of this pattern, or of several where the parameter has several.
fn text(item: &str, parameter: &Parameter) -> Value {
    let item = format!("\\s*{item}\\s*");
    let pattern = match parameter.multiplicity {
        Multiplicity::One => format!("^({item})?$"),
        Multiplicity::PerInput | Multiplicity::List => format!("^({item}(;{item})*;?\\s*)?$"),
    };
    json!({"type": "string", "pattern": pattern})
}

fn node_requests(parameter: &Parameter) -> [Value; 2] {
    let types = enumerated(DataType::CHOICES);
    let request = json!({
        "type": ["object", "null"],
        "properties": {
            "ON": {"enum": enumerated(Processor::CHOICES)},
            "InputType": {"enum": types},
            "OutputType": {"enum": types},
        },
        "patternProperties": {"^InputType[0-9]+$": {"enum": types}},
        "additionalProperties": false,
    });
    let items = text(&format!("[^;]+:\\s*{}", alternatives(types.iter().copied())), parameter);
    [items, json!({"type": "object", "additionalProperties": request})]
}

fn quant_config() -> Value {
    let types = enumerated(DataType::CHOICES);
    let inputs = json!({
        "type": ["object", "null"],
        "properties": {"type": {"enum": types}, "qtype": {"enum": types}, "output": {"enum": types}},
        "patternProperties": {"^input[0-9]+$": {"enum": types}},
        "additionalProperties": false,
    });
    let level = json!({"type": ["object", "null"], "additionalProperties": inputs});
    json!({
        "type": "object",
        "properties": {
            "model_config": {
                "type": ["object", "null"],
                "properties": {
                    "all_node_type": {"enum": ["int16", "float16"]},
                    "model_output_type": {"enum": ["int8", "int16"]},
                    "activation": {
                        "type": ["object", "null"],
                        "properties": {
                            "calibration_type": {"enum": ["max", "kl", "mean_squared_error"]},
                            "max_percentile": {"type": "number", "minimum": 0.5, "maximum": 1},
                            "asymmetric": {"type": "boolean"},
                            "values": {"type": ["object", "null"]},
                        },
                        "additionalProperties": false,
                    },
                    "weight": {
                        "type": ["object", "null"],
                        "properties": {"bias_correction": {"type": ["object", "null"], "maxProperties": 0}},
                        "additionalProperties": false,
                    },
                },
                "additionalProperties": false,
            },
            "op_config": level,
            "node_config": level,
        },
        "additionalProperties": false,
    })
}
