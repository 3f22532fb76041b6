//! `hfloat-infer-shapes`: types and constants to a fixed point.

use super::fold::evaluate;
use super::regions::{self, Next};
use hb_dialects::{
    ElementType,
    hfloat::{Op, attributes, infer_types, missing_shape, normalize_axis, refine, undecided_fault},
    ir::{self, Constant, OperationAttributes, TensorType, attribute},
    names::{self, SCALE_AXIS, SCALES, WIDE},
    pass::{PassDefinition, PassFailure, PassOptions},
    quant,
};
use melior::ir::{
    Attribute, BlockLike, BlockRef, OperationRef, Value, ValueLike, block::BlockArgument, operation::OperationLike,
};

/// Constants that folding makes are bounded: a small network must not grow into a large one.
const LARGEST_FOLDED_BYTES: usize = 256 << 20;

pub static PASS: PassDefinition = PassDefinition {
    argument: "hfloat-infer-shapes",
    summary: "Make every type static and fold what is constant",
    description: "Walks each function once, in order. Every `hfloat` operation gets the result types that its operands give; \
`hfloat.shape` of a static tensor and operations whose operands are all constants become constants, so that shapes computed by \
the network itself are known to the operations after them. One walk is the fixed point, because operands come first. The regions of \
`hfloat.if` and `hfloat.loop` are walked in the same way; constants that they capture move into them, and an `hfloat.if` whose \
condition is constant becomes its branch. A size that is known only when the network runs has an upper bound in the type.\n\n\
A result whose shape stays unknown is an error that names the node.",
    anchor: "func.func",
    options: &[],
    run,
};

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    let result = run_block(block);
    ir::update_function_type(function.context_reference(), function);
    result
}

/// Also for the blocks of regions, whose arguments have their types.
pub(super) fn run_block(block: BlockRef<'_, '_>) -> Result<(), PassFailure> {
    let mut operation = block.first_operation();
    while let Some(current) = operation {
        // What a branch that is always taken leaves behind comes next.
        let op = Op::of(current);
        let next = if matches!(op, Some(Op::If | Op::Loop)) { regions::prepare(current)? } else { Next::Infer };
        if let Next::At(inlined) = next {
            operation = inlined;
            continue;
        }
        operation = current.next_in_block();
        if quant::Op::is_cast(current) {
            cast_like_operand(current)?;
        } else if let Some(op) = op
            && let Err(reason) = infer(current, op)
        {
            let name = current.operation_name();
            ir::emit_error(current.location(), &format!("node '{}' ({name}): {reason}", current.node()));
            return Err(PassFailure::Reported);
        }
    }
    Ok(())
}

/// A quantize or dequantize cast has the sizes of its operand.
fn cast_like_operand(operation: OperationRef<'_, '_>) -> Result<(), PassFailure> {
    let operand = TensorType::from_type(operation.operand_at(0)?.r#type())?;
    for result in ir::results(operation) {
        let element = TensorType::from_type(result.r#type())?.element;
        let r#type = TensorType { element, ..operand.clone() };
        ir::set_result_type(result, r#type.to_type(operation.context_reference()));
    }
    Ok(())
}

fn infer(operation: OperationRef<'_, '_>, op: Op) -> Result<(), String> {
    let context = operation.context_reference();
    let inferred = infer_types(operation)?;
    if let Some(fault) = undecided_fault(operation)? {
        return Err(fault);
    }
    for (result, inferred) in ir::results(operation).into_iter().zip(&inferred) {
        let declared = TensorType::from_type(result.r#type()).map_err(|error| error.to_string())?;
        if declared.element != inferred.element {
            return Err(format!(
                "the result is declared {}, but its operands give {}",
                declared.element, inferred.element
            ));
        }
        let refined = refine(inferred, &declared);
        // A declared shape does not make two branches agree.
        let is_told = inferred.dimensions.is_some() || missing_shape(operation).is_none();
        if refined.bound_shape().is_none() || !is_told {
            return Err(missing_shape(operation).unwrap_or_else(|| unknown_shape(operation)));
        }
        ir::set_result_type(result, refined.to_type(context));
    }
    fold(operation, op)
}

/// Why nothing else tells the shape of a result: the shapes of its operands are not known, or it follows from what they hold.
fn unknown_shape(operation: OperationRef<'_, '_>) -> String {
    let operands = || (0..operation.operand_count()).filter_map(|index| operation.operand(index).ok());
    let type_of = |value: Value<'_, '_>| TensorType::from_type(value.r#type()).ok();
    if !operands().all(|value| type_of(value).is_some_and(|r#type| r#type.bound_shape().is_some())) {
        return "the shape of its result is not known; give the input shapes, or remove the dynamic part".into();
    }
    let holds_sizes = |value: &Value<'_, '_>| {
        let is_integer = type_of(*value).is_some_and(|r#type| r#type.element.storage().is_integer());
        is_integer && ir::constant_of(*value).is_none()
    };
    let from = operands().find(holds_sizes).map(|value| match ir::defining_operation(value) {
        Some(producer) => format!("what node '{}' computes", producer.node()),
        None => format!("the values of {}", input_of(operation, value).unwrap_or_else(|| "an input".to_owned())),
    });
    format!(
        "the shape of its result follows from {}, which is known only when the network runs; make it a constant",
        from.unwrap_or_else(|| "what its operands hold".to_owned())
    )
}

/// An argument of the function around an operation, by the input's name.
fn input_of(operation: OperationRef<'_, '_>, value: Value<'_, '_>) -> Option<String> {
    let number = BlockArgument::try_from(value).ok()?.argument_number();
    let names = names::input_names(operation.parent_operation()?);
    names.get(number).map(|name| format!("input '{name}'"))
}

fn fold(operation: OperationRef<'_, '_>, op: Op) -> Result<(), String> {
    match op {
        // Nobody knows how long a loop takes before it ends.
        Op::Constant | Op::Loop => Ok(()),
        Op::Shape => fold_shape(operation),
        Op::DequantizeLinear => fold_weights(operation),
        _ => fold_constants(operation).map(|_| ()),
    }
}

fn fold_shape(operation: OperationRef<'_, '_>) -> Result<(), String> {
    let operand = operation.operand_at(0).map_err(|error| error.to_string())?;
    let input = TensorType::from_type(operand.r#type()).map_err(|error| error.to_string())?;
    if input.is_bounded() {
        return Ok(());
    }
    let sizes = input.static_shape();
    let sizes: Vec<i64> = sizes.map_err(|error| error.to_string())?.into_iter().map(|size| size as i64).collect();
    let rank = sizes.len() as i64;
    let clamp = |position: i64| if position < 0 { (position + rank).max(0) } else { position.min(rank) } as usize;
    let start = clamp(attributes::start(operation).map_err(|error| error.to_string())?);
    let end = attributes::end(operation).map_err(|error| error.to_string())?;
    let end = clamp(end.unwrap_or(rank)).max(start);
    let values = sizes.get(start..end).unwrap_or_default();
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
    let r#type = TensorType::new(ElementType::I64, &[values.len()]);
    replace(operation, &[Constant { r#type, bytes: bytes.into() }]).map(|_| ())
}

/// Reals that the network holds as integers keep what a step of them is worth: quantization makes the same integers of them.
fn fold_weights(operation: OperationRef<'_, '_>) -> Result<(), String> {
    let scales = symmetric_scales(operation)?;
    let integers = operation.operand_at(0).and_then(|operand| TensorType::from_type(operand.r#type()));
    let integers = integers.map_err(|error| error.to_string())?;
    let context = operation.context_reference();
    let Some(constant) = fold_constants(operation)? else { return Ok(()) };
    if matches!(integers.element.plain(), Some(ElementType::I16 | ElementType::U16)) {
        ir::set_attribute(constant, WIDE, Attribute::unit(context));
    }
    if let Some((scales, axis)) = scales {
        ir::set_attribute(constant, SCALES, attribute::floats(context, &scales));
        ir::set_attribute(constant, SCALE_AXIS, attribute::i64(context, axis));
    }
    Ok(())
}

/// The scales of constant integers of 8 bits whose zero points are all in the middle, and their axis.
fn symmetric_scales(operation: OperationRef<'_, '_>) -> Result<Option<(Vec<f64>, i64)>, String> {
    let text = |error: ir::IrError| error.to_string();
    let operands: Option<Vec<_>> = operation.operands().map(ir::constant_of).collect();
    let Some([_, scale, zero_point]) = operands.as_deref() else { return Ok(None) };
    let middle = match zero_point.r#type.element.plain() {
        Some(ElementType::I8) => 0,
        Some(ElementType::U8) => 128,
        _ => return Ok(None),
    };
    let scales: Vec<f64> = scale.f32s().map_err(text)?.iter().map(|scale| f64::from(*scale)).collect();
    let is_good = scales.iter().all(|scale| (*scale as f32).is_normal() && *scale > 0.0)
        && zero_point.to_i64s().map_err(text)?.iter().all(|point| *point == middle);
    let rank = operand_rank(operation)?;
    let axis = attributes::axis(operation).map_err(text)?;
    let axis = if scales.len() == 1 { 0 } else { normalize_axis(axis, rank)? as i64 };
    Ok(is_good.then_some((scales, axis)))
}

fn operand_rank(operation: OperationRef<'_, '_>) -> Result<usize, String> {
    let operand = operation.operand_at(0).map_err(|error| error.to_string())?;
    TensorType::from_type(operand.r#type()).and_then(|r#type| r#type.rank()).map_err(|error| error.to_string())
}

/// Puts constants in the place of an operation whose operands are constants; gives the first. What is made of integers of 16 bits is marked as such.
pub(super) fn fold_constants<'c, 'a>(operation: OperationRef<'c, 'a>) -> Result<Option<OperationRef<'c, 'a>>, String> {
    let operands: Option<Vec<_>> = operation.operands().map(ir::constant_of).collect();
    let Some(operands) = operands else { return Ok(None) };
    let mut bytes = 0usize;
    for result in ir::results(operation) {
        let r#type = TensorType::from_type(result.r#type()).map_err(|error| error.to_string())?;
        // A size that is known only when running is known now; the memory is that of the largest.
        let count =
            r#type.bound_shape().and_then(|shape| shape.iter().try_fold(1usize, |all, size| all.checked_mul(*size)));
        let size = count.and_then(|count| count.checked_mul(r#type.element.bytes()));
        bytes = bytes.saturating_add(size.unwrap_or(usize::MAX));
    }
    if bytes > LARGEST_FOLDED_BYTES {
        return Ok(None);
    }
    let folded = evaluate(operation, &operands)?;
    let is_wide = operation.operands().filter_map(ir::defining_operation).any(|operand| operand.has_attribute(WIDE));
    let context = operation.context_reference();
    let first = replace(operation, &folded)?;
    if let Some(constant) = first.filter(|_| is_wide) {
        ir::set_attribute(constant, WIDE, Attribute::unit(context));
    }
    Ok(first)
}

/// Puts constants in the place of an operation; gives the first.
fn replace<'c, 'a>(
    operation: OperationRef<'c, 'a>,
    constants: &[Constant<'_>],
) -> Result<Option<OperationRef<'c, 'a>>, String> {
    let context = operation.context_reference();
    let mut first = None;
    for (result, constant) in ir::results(operation).into_iter().zip(constants) {
        let built =
            ir::constant_attribute(context, &operation.node(), &constant.r#type, &constant.bytes).and_then(|value| {
                let r#type = constant.r#type.to_type(context);
                ir::build(
                    context,
                    Op::Constant.name(),
                    &[],
                    &[("value", value)],
                    &[r#type],
                    vec![],
                    operation.location(),
                )
            });
        let built = ir::insert_before(operation, built.map_err(|error| error.to_string())?);
        let value = ir::results(built).into_iter().next().ok_or("the constant has no result")?;
        ir::replace_all_uses(result, value);
        first.get_or_insert(built);
    }
    // SAFETY: its results are replaced, and the walk over the block is past it.
    unsafe { ir::erase(operation) };
    Ok(first)
}
