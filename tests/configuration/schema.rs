//! `docs/configuration.schema.json` says of files what the compiler says.

use crate::BASE;
use hb::driver::configuration::schema;
use serde_json::Value;

/// Whether `value` is what `schema` allows. Knows every keyword that our schema has, and no other.
fn allows(schema: &Value, value: &Value) -> bool {
    let Value::Object(keywords) = schema else { panic!("{schema} is no schema") };
    keywords.iter().all(|(keyword, argument)| match keyword.as_str() {
        "$schema" | "title" | "description" | "default" => true,
        "type" => {
            let named = |name: &Value| match name.as_str().expect("a name") {
                "null" => value.is_null(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_i64() || value.is_u64(),
                "number" => value.is_number(),
                "string" => value.is_string(),
                "object" => value.is_object(),
                other => panic!("{other}"),
            };
            argument.as_array().map_or_else(|| named(argument), |names| names.iter().any(named))
        }
        "anyOf" => argument.as_array().expect("a list").iter().any(|schema| allows(schema, value)),
        "enum" => argument.as_array().expect("a list").contains(value),
        "const" => argument == value,
        "minimum" => value.as_f64().is_none_or(|value| value >= argument.as_f64().expect("a number")),
        "maximum" => value.as_f64().is_none_or(|value| value <= argument.as_f64().expect("a number")),
        // What patterns match is what the reader takes, which the other tests show.
        "pattern" => true,
        "required" => value.as_object().is_none_or(|entries| {
            argument.as_array().expect("a list").iter().all(|name| entries.contains_key(name.as_str().expect("a name")))
        }),
        "properties" => value.as_object().is_none_or(|entries| {
            let properties = argument.as_object().expect("schemas");
            entries.iter().all(|(name, value)| properties.get(name).is_none_or(|schema| allows(schema, value)))
        }),
        // Names that are numbered: their patterns are `^name[0-9]+$`.
        "patternProperties" => value.as_object().is_none_or(|entries| {
            entries.iter().all(|(name, value)| numbered(keywords, name).is_none_or(|schema| allows(schema, value)))
        }),
        "additionalProperties" => value.as_object().is_none_or(|entries| {
            let known = keywords.get("properties").and_then(Value::as_object);
            let others = entries.iter().filter(|(name, _)| {
                known.is_none_or(|known| !known.contains_key(*name)) && numbered(keywords, name).is_none()
            });
            let mut others = others.map(|(_, value)| value);
            match argument {
                Value::Bool(allowed) => *allowed || others.next().is_none(),
                schema => others.all(|value| allows(schema, value)),
            }
        }),
        other => panic!("the test does not know {other}"),
    })
}

/// The schema of a name that is another one with a number.
fn numbered<'a>(keywords: &'a serde_json::Map<String, Value>, name: &str) -> Option<&'a Value> {
    let patterns = keywords.get("patternProperties")?.as_object()?;
    let matches = |pattern: &str| {
        let prefix =
            pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix("[0-9]+$")).expect("a pattern of numbers");
        let digits = name.strip_prefix(prefix).unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    patterns.iter().find(|(pattern, _)| matches(pattern)).map(|(_, schema)| schema)
}

fn fits(yaml: &str) -> bool {
    let schema: Value = serde_json::from_str(&schema()).expect("JSON");
    allows(&schema, &serde_yaml::from_str(yaml).expect("YAML"))
}

#[test]
fn what_the_compiler_takes_fits() {
    assert!(fits(include_str!("../data/configuration/template.yaml")));
    assert!(fits(BASE));
    for lines in [
        "  node_info: {a: {ON: BPU, InputType0: int16}}\n",
        "  node_info: 'a:int16'\n",
        "  output_nodes: 'a;b'\n",
        "  layer_out_dump:\n",
        "  log_level: debug\n",
    ] {
        assert!(fits(&BASE.replace("input_parameters:\n", &format!("{lines}input_parameters:\n"))), "{lines}");
    }
}

#[test]
fn what_the_compiler_refuses_does_not() {
    for (old, new) in [
        ("'nash-e'", "nash-p"),
        ("onnx_model:", "onnxmodel:"),
        ("march: 'nash-e'", "layer_out_dump: 'True'"),
        ("  march: 'nash-e'\n", ""),
        ("'nash-e'\n", "'nash-e'\n  node_info: {a: {OutputType0: int16}}\n"),
        ("  input_type_rt: 'bgr'\n", ""),
        ("optimize_level: 'O2'", "jobs: -1"),
        ("optimize_level: 'O2'", "max_time_per_fc: 7"),
    ] {
        assert!(!fits(&BASE.replace(old, new)), "{new}");
    }
}
