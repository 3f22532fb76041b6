//! `docs/configuration.md`, from the table.

use super::parameters::{LATER_NAMES, LEGAL_INPUT_TYPES, PARAMETERS};
use super::table::{DefaultValue, Group, Parameter};
use std::fmt::Write;

const HEAD: &str = "\
<!-- Generated from src/driver/configuration/parameters.rs by `make docs`. Do not edit. -->

# Configuration of hb_compile

`hb_compile --config FILE.yaml` reads one YAML file with four groups of parameters. All four groups must be there, even
where one is empty. Relative paths count from the folder of the file.

- Several values are one string, separated by `;`: `input_name: 'left; right'`. What is *one per input* has exactly as
  many values as `input_name` names inputs, in the same order.
- `null`, an empty string and, where the default is None, the word `None` mean: not given.
- Booleans are `True` and `False` without quotes.
- What is *not supported yet* is known to the manual, but not to this compiler. It may be given with its default value;
  anything else is an error.
- Everything that is wrong with a file is printed together, each as
  `file:line:column: group.parameter: what is wrong; what to do`.
- `jobs` above the cores of the machine is lowered to them.
- The .hbm keeps all parameters, as given and as they hold.

";

/// The Markdown text of `docs/configuration.md`.
pub fn documentation() -> String {
    let mut text = HEAD.to_owned();
    for group in Group::ALL {
        let _ = writeln!(text, "## {}\n", group.name());
        text += "| Parameter | Type | Range | Default | Required | Values | Status | Meaning |\n";
        text += "|---|---|---|---|---|---|---|---|\n";
        for parameter in PARAMETERS.iter().filter(|parameter| parameter.group == group) {
            text += &row(parameter);
        }
        text.push('\n');
    }
    text += "## Which input_type_rt goes with which input_type_train\n\n";
    text += "| input_type_train | input_type_rt |\n|---|---|\n";
    for (train, runtime) in LEGAL_INPUT_TYPES {
        let _ = writeln!(text, "| {train} | {} |", runtime.join(", "));
    }
    let _ = writeln!(
        text,
        "\nParameters that only later releases of the vendor's tool have, and that are refused: {}.",
        LATER_NAMES.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    );
    text
}

fn row(parameter: &Parameter) -> String {
    let default = match parameter.default {
        DefaultValue::None => "None".to_owned(),
        DefaultValue::Value(text) => format!("`{text}`"),
        DefaultValue::Automatic { rule, .. } => rule.to_owned(),
    };
    let cells = [
        format!("`{}`", parameter.name),
        parameter.type_name().to_owned(),
        parameter.range(),
        default,
        parameter.required.to_string(),
        parameter.multiplicity.to_string(),
        parameter.status.to_string(),
        parameter.meaning.to_owned(),
    ];
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}
