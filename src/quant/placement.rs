//! `quant-assign-placement`: what will run on the BPU, decided before quantization.

use super::rules::{ACTIVATION_BITS, row_of};
use crate::bpu::lower::{Placement, place, placement_of};
use hb_dialects::{
    ElementType,
    hfloat::Op,
    ir::{self, IrError, OperationAttributes, Origin, TensorType},
    pass::{OptionDefinition, PassDefinition, PassFailure, PassOptions},
    quant,
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};
use std::collections::BTreeMap;

pub static PASS: PassDefinition = PassDefinition {
    argument: "quant-assign-placement",
    summary: "Decide before quantization which operations can run on the BPU",
    description: "Asks the BPU for its form of every operation that could be quantized, with int8 activations and scales that are not \
known yet. One that has a form gets `hfloat.placement = \"bpu\"`. Every other one gets `\"cpu\"` and, as \
`hfloat.placement_reason`, the sentence that says why: it stays float. A placement of `cpu` that is already there stays. \
Truth values and positions that are made of what the CPU gives stay there: a detector's selections would go back and forth, a few values at a time. What was made \
from a node that `cpu` names goes to the CPU whatever forms it has.",
    anchor: "func.func",
    options: &[CPU, OTHERS],
    run,
};

const CPU: OptionDefinition = OptionDefinition {
    name: "cpu",
    default: "",
    description: "nodes of the user's network that shall run on the CPU, separated by commas, each written as in a URL",
};

const OTHERS: OptionDefinition = OptionDefinition {
    name: "others",
    default: "place",
    description: "`place` what `cpu` does not name, or `leave` it as it is",
};

/// Why an operation is on the CPU that could run on the BPU.
const ASKED: &str = "node_info asks for the CPU";
/// The same of one that chooses among what the CPU gives.
const FROM_CPU: &str =
    "all that it reads comes from the CPU, and truth values or positions are among what it reads or gives";

fn run(function: OperationRef<'_, '_>, options: &PassOptions) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    let places_others = match options.get("others") {
        "place" => true,
        "leave" => false,
        other => return Err(PassFailure::Message(format!("others '{other}' is neither place nor leave"))),
    };
    let mut asked: BTreeMap<String, bool> = options.names("cpu").into_iter().map(|name| (name, false)).collect();
    for operation in ir::operations(block) {
        if !asked.is_empty() && Op::of(operation).is_some_and(|op| op != Op::Constant) {
            let Origin { name, nodes } = operation.origin();
            let known: Vec<&String> = nodes.iter().chain([&name]).filter(|node| asked.contains_key(*node)).collect();
            if !known.is_empty() {
                place(operation, &Placement::Cpu { reason: ASKED.into() });
            }
            for node in known {
                asked.insert(node.clone(), true);
            }
        }
        if !places_others || matches!(placement_of(operation), Some(Placement::Cpu { .. })) {
            continue;
        }
        if let Some(rule) = row_of(operation)? {
            let placement = match rule.form(operation, ACTIVATION_BITS, 0)? {
                Ok(_) if stays_with_the_cpu(operation)? => Placement::Cpu { reason: FROM_CPU.into() },
                Ok(_) => Placement::Bpu,
                Err(reason) => Placement::Cpu { reason },
            };
            place(operation, &placement);
        }
    }
    for (name, _) in asked.into_iter().filter(|(_, found)| !found) {
        ir::emit_warning(function.location(), &format!("cpu: nothing is made from a node '{name}'"));
    }
    Ok(())
}

/// Whether an operation compares, chooses or casts only what comes from the CPU.
fn stays_with_the_cpu(operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
    let variable: Vec<Value<'_, '_>> =
        operation.operands().filter(|operand| ir::constant_of(*operand).is_none()).collect();
    let is_from_cpu = |value: &Value<'_, '_>| {
        let maker = ir::defining_operation(*value);
        maker.is_some_and(|maker| !quant::Op::is_cast(maker) && placement_of(maker) != Some(Placement::Bpu))
    };
    if variable.is_empty() || !variable.iter().all(is_from_cpu) {
        return Ok(false);
    }
    for value in variable.into_iter().chain(ir::results(operation)) {
        if TensorType::from_type(value.r#type())?.element.plain() != Some(ElementType::F32) {
            return Ok(true);
        }
    }
    Ok(false)
}
