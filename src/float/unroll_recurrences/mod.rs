//! `hfloat-unroll-recurrences`: a recurrent layer becomes the operations of its steps.

mod cells;
mod layer;
mod steps;

use crate::cpu::recurrence_of;
use hb_dialects::{
    ElementType,
    hfloat::{Op, recurrent_sizes},
    ir::{self, Names, OperationAttributes, Origin, TensorType, attribute},
    names::{PLACEMENT, PLACEMENT_REASON},
    pass::{OptionDefinition, PassDefinition, PassFailure, PassOptions},
};
use layer::Layer;
use melior::ir::{OperationRef, ValueLike};
use std::collections::BTreeSet;

pub static PASS: PassDefinition = PassDefinition {
    argument: "hfloat-unroll-recurrences",
    summary: "Turn recurrent layers into the operations of their steps",
    description: "An `lstm`, `gru` or `rnn` of f32 with constant weights becomes products, sums and functions, which have forms on the BPU: one `mat_mul` of the \
whole sequence with the weights, and for each step a `mat_mul` of the state with the recurrence, the gates, and the next state. They are named after the \
node and the step: `LSTM_0/step_3/cell`, `LSTM_0/reverse/step_3/cell` where there are two directions. `hfloat.over_steps` says which results are \
one value over all steps: these share a range. `hfloat.state` marks what one step hands to the next.\n\n\
Layers stay whole that are not for the BPU: those with weights or lengths of sequences that are known only when the network runs, with sequences of other \
lengths than all steps, with more than 512 steps, or without elements, and those of networks that bring their scales by `quantize_linear`. They get `hfloat.placement = \"cpu\"` and the reason. Layers that \
`cpu` names stay as they are.",
    anchor: "func.func",
    options: &[CPU],
    run,
};

const CPU: OptionDefinition = OptionDefinition {
    name: "cpu",
    default: "",
    description: "nodes of the user's network that stay whole, separated by commas, each written as in a URL",
};

/// More steps are not unrolled. Time to compile and the code of the program grow with them: 512 steps of an LSTM are 8,000 operations.
const MOST_STEPS: usize = 512;

/// Why a layer stays whole in a network that needs no samples.
const NO_SCALES: &str = "the network brings its scales, and has none for what is inside of it";

fn run(function: OperationRef<'_, '_>, options: &PassOptions) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    let kept: BTreeSet<String> = options.names("cpu").into_iter().collect();
    let mut names = Names::of([function]);
    let operations = ir::operations(block);
    let brings_scales = operations.iter().any(|operation| Op::QuantizeLinear.is(*operation));
    for operation in operations {
        let Origin { name, nodes } = operation.origin();
        if !matches!(Op::of(operation), Some(Op::Lstm | Op::Gru | Op::Rnn))
            || nodes.iter().chain([&name]).any(|node| kept.contains(node))
        {
            continue;
        }
        match unrollable(operation)? {
            Ok(_) if brings_scales => stay(operation, NO_SCALES),
            Ok(layer) => layer.unroll(&mut names)?,
            Err(reason) => stay(operation, &reason),
        }
    }
    Ok(())
}

/// Leaves a layer to the CPU.
fn stay(operation: OperationRef<'_, '_>, reason: &str) {
    let context = operation.context_reference();
    ir::set_attribute(operation, PLACEMENT, attribute::string(context, "cpu"));
    ir::set_attribute(operation, PLACEMENT_REASON, attribute::string(context, reason));
}

/// The layer, or why it stays whole.
fn unrollable<'c, 'a>(operation: OperationRef<'c, 'a>) -> Result<Result<Layer<'c, 'a>, String>, PassFailure> {
    let sizes = match recurrent_sizes(operation) {
        Ok(Some(sizes)) => sizes,
        Ok(None) => return Ok(Err("its sizes are known only when it runs".to_owned())),
        Err(reason) => return Ok(Err(format!("it {reason}"))),
    };
    let element = TensorType::from_type(operation.operand_at(0)?.r#type())?.element;
    if element != ElementType::F32 {
        return Ok(Err("its values are not of 32 bits".to_owned()));
    }
    if [sizes.steps, sizes.batch, sizes.inputs, sizes.hidden].contains(&0) {
        return Ok(Err("it has no elements".to_owned()));
    }
    if sizes.steps > MOST_STEPS {
        return Ok(Err(format!("it has {} steps; up to {MOST_STEPS} are unrolled for the BPU", sizes.steps)));
    }
    if let Err(reason) = lengths_are_full(operation, sizes.steps)? {
        return Ok(Err(reason));
    }
    match recurrence_of(operation, sizes) {
        Ok(recurrence) => Layer::of(operation, recurrence),
        Err(reason) => Ok(Err(format!("it {reason}"))),
    }
}

/// Whether every sequence has all steps.
fn lengths_are_full(operation: OperationRef<'_, '_>, steps: usize) -> Result<Result<(), String>, PassFailure> {
    let Some(lengths) = ir::constant_of(operation.operand_at(4)?) else {
        return Ok(Err("the lengths of its sequences are known only when it runs".to_owned()));
    };
    let shorter = lengths.to_f64s()?.iter().any(|&length| length != steps as f64);
    Ok(if shorter { Err(format!("not all of its sequences have {steps} steps")) } else { Ok(()) })
}
