//! `hfloat-set-batch`: a network of one sample becomes one of several.

mod rewrite;
mod rules;

use hb_dialects::{
    hfloat::{Op, infer_types},
    ir::{self, Element, Names, OperationAttributes, Quantized, Scale, TensorType, attribute},
    names::{BATCH, input_names, output_names},
    pass::{OptionDefinition, PassDefinition, PassFailure, PassOptions},
    quant,
};
use melior::{
    Context,
    ir::{BlockLike, OperationRef, Value, ValueLike, operation::OperationLike},
};
use rules::{Effect, Rule};
use std::collections::HashMap;

/// What `hb-opt` calls [`PASS`].
pub const PASS_NAME: &str = "hfloat-set-batch";

/// The largest batch (manual, `input_batch`).
const MOST_SAMPLES: usize = 4096;

/// The largest tensor, in bytes.
const MOST_BYTES: usize = 1 << 31;

/// `hfloat-set-batch`
pub static PASS: PassDefinition = PassDefinition {
    argument: PASS_NAME,
    summary: "Make a network of one sample one of several",
    description: "The first dimension of every argument must be 1 and becomes `size`. Of every value that depends on an argument it is known \
in which dimension it holds the samples; that dimension grows, and each operation must compute each sample from that sample alone. Constants that say \
shapes follow, constants that have elements for one sample are repeated, and operations that name a dimension of size 1 that grows become reshapes. \
An operation that looks at all samples at once is an error that names it. Scales and the precision stay, so that each sample of \
the batch gives the bytes that it gives alone; that is why it runs after quantization, on static shapes. `bpu-assign-placement` then refuses \
an operation that runs on the BPU for one sample, but not for several.",
    anchor: "func.func",
    options: &[OptionDefinition { name: "size", default: "1", description: "the number of samples, 1 to 4096" }],
    run,
};

fn run(function: OperationRef<'_, '_>, options: &PassOptions) -> Result<(), PassFailure> {
    let size = options.get("size").parse().ok().filter(|size| (1..=MOST_SAMPLES).contains(size));
    let samples: usize = size.ok_or_else(|| PassFailure::Message(format!("size is none of 1 to {MOST_SAMPLES}")))?;
    let Some(block) = ir::body(function).filter(|_| samples > 1) else { return Ok(()) };
    let mut batch =
        Batch { context: function.context_reference(), samples, axes: HashMap::new(), names: Names::of([function]) };
    for (argument, name) in ir::arguments(block).into_iter().zip(input_names(function)) {
        let shape = TensorType::from_type(argument.r#type())?.static_shape()?;
        if shape.first() != Some(&1) {
            return Err(PassFailure::Message(format!(
                "input '{name}' is {}; a batch is made of a first dimension of 1",
                argument.r#type()
            )));
        }
        batch.grow(argument, 0).map_err(|reason| PassFailure::Message(format!("input '{name}': {reason}")))?;
    }
    let mut next = block.first_operation();
    while let Some(operation) = next {
        next = operation.next_in_block();
        // The operation may be another one behind the visit.
        let (location, node) = (operation.location(), operation.node());
        let what = Op::of(operation).map_or_else(|| operation.operation_name(), |op| op.onnx().name.to_owned());
        if let Err(reason) = batch.visit(operation) {
            let message = format!(
                "node '{node}' ({what}) cannot take {samples} samples at once: {reason}; export the model with a batch of {samples} instead"
            );
            ir::emit_error(location, &message);
            return Err(PassFailure::Reported);
        }
    }
    let outputs: Vec<_> = block.terminator().map(|end| end.operands().collect()).unwrap_or_default();
    for (output, name) in outputs.into_iter().zip(output_names(function)) {
        match batch.axis(output) {
            Some(0) => {}
            Some(axis) => tracing::warn!(
                "output '{name}' holds the {samples} samples along dimension {axis}, counted from 0: there the network has them, and nothing moves them to the first"
            ),
            None => tracing::warn!(
                "output '{name}' does not depend on the input, so it is the same for all samples and given once"
            ),
        }
    }
    let context = function.context_reference();
    ir::set_attribute(function, BATCH, attribute::i64(context, samples as i64));
    ir::update_function_type(context, function);
    Ok(())
}

/// A function on its way to several samples.
struct Batch<'c> {
    context: &'c Context,
    samples: usize,
    /// The dimension that holds the samples, of every value that depends on them.
    axes: HashMap<usize, usize>,
    names: Names,
}

impl<'c> Batch<'c> {
    fn axis(&self, value: Value<'_, '_>) -> Option<usize> {
        self.axes.get(&ir::address(value)).copied()
    }

    /// The type of a value with all samples in a dimension.
    fn grown(&self, value: Value<'_, '_>, axis: usize) -> Result<TensorType, String> {
        grown(&TensorType::from_type(value.r#type()).map_err(|error| error.to_string())?, axis, self.samples)
    }

    /// Gives a value its new type.
    fn grow(&mut self, value: Value<'c, '_>, axis: usize) -> Result<(), String> {
        ir::set_result_type(value, self.grown(value, axis)?.to_type(self.context));
        self.axes.insert(ir::address(value), axis);
        Ok(())
    }

    fn visit(&mut self, operation: OperationRef<'c, '_>) -> Result<(), String> {
        let axes: Vec<Option<usize>> = operation.operands().map(|operand| self.axis(operand)).collect();
        if axes.iter().all(Option::is_none) || operation.result_count() == 0 {
            return Ok(());
        }
        if quant::Op::is_cast(operation) {
            let axis = axes.into_iter().flatten().next().unwrap_or(0);
            return ir::results(operation).into_iter().try_for_each(|result| self.grow(result, axis));
        }
        let op = Op::of(operation).ok_or("it is no operation of the network")?;
        let Effect { results: axes, edits } = Rule::new((operation, op), axes, self.samples)?.effect()?;
        let results = ir::results(operation);
        let wanted = results.iter().zip(&axes).map(|(result, axis)| self.grown(*result, *axis));
        let wanted = wanted.collect::<Result<Vec<_>, _>>()?;
        let mut operation = operation;
        for edit in edits {
            operation = rewrite::apply(operation, &edit, (self.samples, &wanted), &mut self.names)?;
        }
        let inferred = infer_types(operation)?;
        if inferred != wanted {
            return Err(format!("it would give {}, not {}", shapes(&inferred), shapes(&wanted)));
        }
        ir::results(operation).into_iter().zip(axes).try_for_each(|(result, axis)| self.grow(result, axis))
    }
}

fn shapes(types: &[TensorType]) -> String {
    types.iter().map(|r#type| format!("{:?}", r#type.shape().unwrap_or_default())).collect::<Vec<_>>().join(", ")
}

/// A type with the elements of all samples along a dimension.
fn grown(r#type: &TensorType, axis: usize, samples: usize) -> Result<TensorType, String> {
    let mut shape = r#type.static_shape().map_err(|error| error.to_string())?;
    let size = shape.get_mut(axis).ok_or_else(|| format!("it has no dimension {axis}"))?;
    *size = size.checked_mul(samples).ok_or("it is too large")?;
    if matches!(&r#type.element, Element::Quantized(Quantized { scale: Scale::PerAxis { axis: along, .. }, .. }) if *along == axis)
    {
        return Err(format!("its scales run along dimension {axis}, which holds the samples"));
    }
    let grown = TensorType::new(r#type.element.clone(), &shape);
    let bytes = grown.elements().and_then(|elements| elements.checked_mul(grown.element.bytes()));
    if bytes.is_none_or(|bytes| bytes > MOST_BYTES) {
        return Err(format!("a value of shape {shape:?} would take more than 2 GiB"));
    }
    Ok(grown)
}
