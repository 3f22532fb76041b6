//! Thresholds: what calibration decides, as attributes and as a file.

use super::groups::Groups;
use crate::frontend::names::input_names;
use hb_dialects::{
    ir::{self, OperationAttributes, attribute},
    pass::{OptionDefinition, Options, PassDefinition, PassFailure},
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};
use std::{collections::BTreeMap, path::Path};

/// The attribute of an operation or an argument that holds the threshold of its value: the largest magnitude that int8 shows.
pub const THRESHOLD: &str = "hfloat.threshold";

/// Thresholds by value name: that of an input, or of the node that computes the value.
pub type Thresholds = BTreeMap<String, f64>;

pub static PASS: PassDefinition = PassDefinition {
    argument: "quant-assign-thresholds",
    summary: "Write the thresholds of a file as attributes",
    description: "Reads a JSON object from value names to thresholds and writes each as the attribute `hfloat.threshold` of the \
operation or argument of that name. A value that needs a threshold and is not in the file takes that of `default`; without a \
default that is an error that names it.",
    anchor: "func.func",
    options: &[
        OptionDefinition { name: "file", default: "", description: "JSON object from value names to thresholds" },
        OptionDefinition {
            name: "default",
            default: "",
            description: "threshold of values that the file does not name",
        },
    ],
    run,
};

/// Thresholds files are small; larger ones are refused before they are read.
const LARGEST_FILE: u64 = 64 << 20;

fn run(function: OperationRef<'_, '_>, options: &Options) -> Result<(), PassFailure> {
    let mut thresholds = Thresholds::new();
    let file = options.get("file");
    if !file.is_empty() {
        thresholds = read(Path::new(file)).map_err(|reason| PassFailure::Message(format!("{file}: {reason}")))?;
    }
    let default = match options.get("default") {
        "" => None,
        text => Some(text.parse::<f64>().map_err(|_| PassFailure::Message(format!("default '{text}' is no number")))?),
    };
    assign_thresholds(function, |name| thresholds.get(name).copied().or(default)).map_err(PassFailure::Message)
}

fn read(path: &Path) -> Result<Thresholds, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > LARGEST_FILE {
        return Err(format!("has {size} bytes; at most {LARGEST_FILE} are read"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// The name of a value: that of the input, or of the node that computes it.
pub fn value_name(function: OperationRef<'_, '_>, value: Value<'_, '_>) -> String {
    match ir::defining_operation(value) {
        Some(operation) => operation.node(),
        None => {
            let arguments = ir::body(function).map(ir::arguments).unwrap_or_default();
            let index = arguments.iter().position(|argument| argument.to_raw().ptr == value.to_raw().ptr);
            index.and_then(|index| input_names(function).into_iter().nth(index)).unwrap_or_default()
        }
    }
}

/// Writes the threshold of every value that needs one.
///
/// # Errors
/// When a value has no threshold, or one that is no positive number.
pub fn assign_thresholds(
    function: OperationRef<'_, '_>,
    threshold: impl Fn(&str) -> Option<f64>,
) -> Result<(), String> {
    let context = function.context_reference();
    let groups = Groups::of(function).map_err(|error| error.to_string())?;
    let arguments = ir::body(function).map(ir::arguments).unwrap_or_default();
    for value in groups.measured() {
        let name = value_name(function, value);
        let found = threshold(&name).ok_or_else(|| format!("the value of '{name}' has no threshold"))?;
        if !(found >= 0.0 && found.is_finite()) {
            return Err(format!("the value of '{name}' has the threshold {found}; it must be finite and not negative"));
        }
        let attribute = attribute::f64(context, found);
        match ir::defining_operation(value) {
            Some(operation) => ir::set_attribute(operation, THRESHOLD, attribute),
            None => {
                if let Some(index) = arguments.iter().position(|argument| argument.to_raw().ptr == value.to_raw().ptr) {
                    ir::set_argument_attribute(function, index, THRESHOLD, attribute);
                }
            }
        }
    }
    Ok(())
}

/// The threshold that was assigned to a value.
pub(super) fn assigned_threshold(function: OperationRef<'_, '_>, value: Value<'_, '_>) -> Option<f64> {
    use melior::ir::attribute::FloatAttribute;
    let attribute = match ir::defining_operation(value) {
        Some(operation) => operation.attribute(THRESHOLD).ok()?,
        None => {
            let arguments = ir::body(function).map(ir::arguments)?;
            let index = arguments.iter().position(|argument| argument.to_raw().ptr == value.to_raw().ptr)?;
            ir::argument_attribute(function, index, THRESHOLD)?
        }
    };
    FloatAttribute::try_from(attribute).ok().map(|attribute| attribute.value())
}
