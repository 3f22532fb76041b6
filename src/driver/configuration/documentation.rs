//! `docs/configuration.md`, from the table.

use super::parameters::{LATER_NAMES, LEGAL_INPUT_TYPES};
use super::table::{Group, Parameter, ParameterDefault};
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
- What is *without effect yet* may be given, and changes nothing; the log says so.
- *Sets* names the option of a pass or pipeline (`docs/passes.md`) that a parameter becomes.
- Everything that is wrong with a file is printed together, each as
  `file:line:column: group.parameter: what is wrong; what to do`.
- `jobs` above the cores of the machine is lowered to them.
- The .hbm keeps all parameters that shape results, as given and as they hold.

";

/// The Markdown text of `docs/configuration.md`.
pub fn documentation() -> String {
    let mut text = HEAD.to_owned();
    for group in Group::ALL {
        let _ = writeln!(text, "## {}\n", group.name());
        text += "| Parameter | Type | Range | Default | Required | Values | Status | Sets | Meaning |\n";
        text += "|---|---|---|---|---|---|---|---|---|\n";
        for parameter in Parameter::of_group(group) {
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
        ParameterDefault::None => "None".to_owned(),
        ParameterDefault::Value(text) => format!("`{text}`"),
        ParameterDefault::Automatic { rule, .. } => rule.to_owned(),
    };
    let mut meaning = parameter.meaning.to_owned();
    if let Some(condition) = parameter.condition {
        let words = condition.words.join(", ");
        let _ = write!(meaning, " Has an effect only with `{}` {words}.", condition.parameter.name);
    }
    if let Some(release) = parameter.since {
        let _ = write!(meaning, " Since release {release} of the vendor's tool.");
    }
    if !parameter.shapes_results {
        meaning.push_str(" The results do not depend on it, and the .hbm does not keep it.");
    }
    let cells = [
        format!("`{}`", parameter.name),
        parameter.type_name().to_owned(),
        parameter.range(),
        default,
        parameter.required.to_string(),
        parameter.multiplicity.to_string(),
        parameter.status.to_string(),
        parameter.sets.map_or_else(String::new, |set| format!("`{}{{{}}}`", set.pass, set.option)),
        meaning,
    ];
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}
