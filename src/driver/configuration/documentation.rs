//! `docs/configuration.md` and `hb_compile --help-config`, from the table.

use super::foreign::{Answer, FOREIGN_KEYS, ForeignKey};
use super::parameters::{LEGAL_INPUT_SOURCES, OWN, PARAMETERS, legal_input_types};
use super::table::{Group, Parameter, ParameterDefault, Status};
use crate::wording::suggestion;
use std::borrow::Borrow;
use std::fmt::Write;

const HEAD: &str = "\
<!-- Generated from src/driver/configuration/parameters.rs by `make docs`. Do not edit. -->

# Configuration of hb_compile

`hb_compile --config FILE.yaml` reads one YAML file with four groups of parameters. A group that is missing is an empty one. Relative
paths count from the folder of the file. `hb_config_generator` writes such a file, filled from a model; `hb_compile --help-config NAME`
explains a parameter; editors that load `docs/configuration.schema.json` complete and check as one types.

- Several values are one string, separated by `;`, which may also stand at the end: `input_name: 'left; right'`. What is *one per input*
  has exactly as many values as `input_name` names inputs, in the same order. One `norm_type` is enough for all inputs.
- `null`, an empty string and, where the default is no value, the word `None` mean: not given. So do `{}`, `[]` and `False` there.
- Booleans are `True` and `False` without quotes.
- What is *not supported yet* is known to the manual, but not to this compiler. It is checked like all else, may be given with its default
  value, and is otherwise an error.
- *Sets* names the option of a pass or pipeline (`docs/passes.md`) that a parameter becomes.
- Everything that is wrong with a file is printed together, also what only the model shows, each as
  `file:line:column: group.parameter: what is wrong; what to do`.
- A name that is given twice is an error, and so is a name of a node or an input that the model does not have.
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
    text += &pairs(("input_type_train", "input_type_rt"), &legal_input_types());
    text += "\n## Which input_source gives which input_type_rt\n\n";
    text += &pairs(("input_source", "input_type_rt"), LEGAL_INPUT_SOURCES);
    text += "\n## Keys of other tools\n\n";
    text += "Files hold keys that the manual does not have. Those that do something here are in the tables above. One of these that asks for \
             nothing (`''`, `{}`, `False`, `0`, `disable`) is passed over in silence.\n\n";
    text += "| Key | Of | What it is | Here |\n|---|---|---|---|\n";
    for key in FOREIGN_KEYS {
        let _ = writeln!(text, "| `{}` | {} | {} | {} |", key.name, key.origin, key.about, here(key));
    }
    text
}

fn pairs<W: Borrow<[&'static str]>>((left, right): (&str, &str), rows: &[(&str, W)]) -> String {
    let mut text = format!("| {left} | {right} |\n|---|---|\n");
    for (word, words) in rows {
        let _ = writeln!(text, "| {word} | {} |", words.borrow().join(", "));
    }
    text
}

/// What becomes of a key of another tool.
fn here(key: &ForeignKey) -> String {
    match key.answer {
        Answer::Noted => "changes nothing; the log says so".to_owned(),
        Answer::Only(words, remedy) => format!("{} changes nothing; all else is an error: {remedy}", words.join(", ")),
        Answer::OnlyTrainLayout(remedy) => {
            format!("that of input_layout_train changes nothing; all else is an error: {remedy}")
        }
        Answer::Refused(remedy) => format!("an error: {remedy}"),
    }
}

fn default_text(parameter: &Parameter) -> String {
    match parameter.default {
        ParameterDefault::None => "None".to_owned(),
        ParameterDefault::Value(text) => text.to_owned(),
        ParameterDefault::Automatic(rule) => rule.to_owned(),
    }
}

/// A parameter that stands for another does what that one does.
fn status(parameter: &Parameter) -> Status {
    parameter.stands_for.map_or(parameter.status, |other| other.status)
}

/// The meaning with what other fields of the row add to it.
fn meaning(parameter: &Parameter) -> String {
    let mut meaning = parameter.meaning.to_owned();
    if let Some(condition) = parameter.condition {
        let words = condition.words.join(", ");
        let _ = write!(meaning, " Has an effect only with `{}` {words}.", condition.parameter.name);
    }
    if let Some(other) = parameter.stands_for {
        let _ = write!(meaning, " Read as `{}`.", other.name);
    }
    match parameter.since {
        Some(OWN) => meaning.push_str(" Not in the manual; an extension of hb."),
        Some(release) => {
            let _ = write!(meaning, " Not in the manual; known from release {release} of the vendor's tool.");
        }
        None => {}
    }
    if let Some(otherwise) = parameter.later {
        let _ = write!(meaning, " In later releases of the vendor's tool: {otherwise}.");
    }
    if !parameter.shapes_results {
        meaning.push_str(" The results do not depend on it, and the .hbm does not keep it.");
    }
    meaning
}

fn row(parameter: &Parameter) -> String {
    let default = match parameter.default {
        ParameterDefault::Value(text) => format!("`{text}`"),
        _ => default_text(parameter),
    };
    let cells = [
        format!("`{}`", parameter.name),
        parameter.type_name().to_owned(),
        parameter.range(),
        default,
        parameter.required.to_string(),
        parameter.multiplicity.to_string(),
        status(parameter).to_string(),
        parameter.sets.map_or_else(String::new, |set| format!("`{}{{{}}}`", set.pass, set.option)),
        meaning(parameter),
    ];
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// What a terminal is shown of the parameter `name`, or of all where it is empty. The error says which names there are.
pub fn parameter_help(name: &str) -> Result<String, String> {
    if name.is_empty() {
        let groups = Group::ALL.map(|group| {
            let parameters: Vec<String> = Parameter::of_group(group).map(explained).collect();
            format!("{}:\n\n{}", group.name(), parameters.join("\n"))
        });
        return Ok(groups.join("\n"));
    }
    if let Some(parameter) = Parameter::named(name) {
        return Ok(format!("{}:\n\n{}", parameter.group.name(), explained(parameter)));
    }
    match FOREIGN_KEYS.iter().find(|key| key.name == name) {
        Some(key) => Ok(format!("  {}: a key of {}: {}\n      here: {}", key.name, key.origin, key.about, here(key))),
        None => {
            let known = PARAMETERS.iter().map(|parameter| parameter.name);
            Err(format!(
                "there is no parameter '{name}'; {}",
                suggestion(name, known, "leave out the name to see all of them")
            ))
        }
    }
}

/// One parameter for a terminal.
fn explained(parameter: &Parameter) -> String {
    let mut text = format!(
        "  {} ({}, {}, {})\n",
        parameter.name,
        parameter.type_name(),
        parameter.required,
        parameter.multiplicity
    );
    for (label, value) in [
        ("range", parameter.range()),
        ("default", default_text(parameter)),
        ("status", status(parameter).to_string()),
        ("", meaning(parameter)),
    ] {
        let label = if label.is_empty() { String::new() } else { format!("{label}: ") };
        for line in wrapped(&format!("{label}{value}"), 100) {
            let _ = writeln!(text, "      {line}");
        }
    }
    text
}

/// `text` in lines of at most `width` characters, where its words let it.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
