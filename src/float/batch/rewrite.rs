//! How operations change for several samples.

use super::rules::Edit;
use hb_dialects::{
    ElementType,
    hfloat::Op,
    ir::{self, Constant, Element, IrError, Names, OperationAttributes, Quantized, Scale, TensorType, constant_of},
    quant,
};
use melior::ir::{Attribute, OperationRef, Value, ValueLike, operation::OperationLike};

/// The largest constant that repeating makes.
const LARGEST_REPEATED_BYTES: usize = 256 << 20;

fn text(error: IrError) -> String {
    error.to_string()
}

/// Changes an operation for as many samples, with which its results get these types. Gives the operation that is there then.
///
/// # Errors
/// Why it cannot be changed.
pub(super) fn apply<'c: 'a, 'a>(
    operation: OperationRef<'c, 'a>,
    edit: &Edit,
    (samples, results): (usize, &[TensorType]),
    names: &mut Names,
) -> Result<OperationRef<'c, 'a>, String> {
    match edit {
        Edit::Repeat { operand, axis } => {
            let value = operation.operand_at(*operand).map_err(text)?;
            let repeated = repeated(operation, value, (*axis, samples), names)
                .map_err(|reason| format!("its operand {operand}, which is the same for all samples, {reason}"))?;
            ir::set_operand(operation, *operand, repeated);
            Ok(operation)
        }
        Edit::Integers { operand, values } => {
            let value = operation.operand_at(*operand).map_err(text)?;
            let element = TensorType::from_type(value.r#type()).map_err(text)?.element.storage();
            ir::set_operand(operation, *operand, integers(operation, element, values)?);
            Ok(operation)
        }
        Edit::Reshape => reshape(operation, results),
    }
}

/// A constant of integers before an operation.
fn integers<'c: 'a, 'a>(
    operation: OperationRef<'c, 'a>,
    element: ElementType,
    values: &[i64],
) -> Result<Value<'c, 'a>, String> {
    let bytes: Vec<u8> = match element {
        ElementType::I32 => {
            let narrow = values.iter().map(|&value| i32::try_from(value).map_err(|_| "a size leaves 32 bits"));
            narrow.collect::<Result<Vec<_>, _>>()?.into_iter().flat_map(i32::to_le_bytes).collect()
        }
        _ => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    };
    constant(operation, &Constant { r#type: TensorType::new(element, &[values.len()]), bytes: bytes.into() })
}

fn constant<'c: 'a, 'a>(before: OperationRef<'c, 'a>, constant: &Constant<'_>) -> Result<Value<'c, 'a>, String> {
    let context = before.context_reference();
    let value = ir::constant_attribute(context, &before.node(), &constant.r#type, &constant.bytes).map_err(text)?;
    let types = [constant.r#type.to_type(context)];
    let built = ir::build(context, Op::Constant.name(), &[], &[("value", value)], &types, vec![], before.location());
    first_result(ir::insert_before(before, built.map_err(text)?))
}

fn first_result<'c: 'a, 'a>(operation: OperationRef<'c, 'a>) -> Result<Value<'c, 'a>, String> {
    ir::results(operation).into_iter().next().ok_or_else(|| "has no result".to_owned())
}

/// A constant, perhaps behind casts, with its elements along a dimension once for each sample.
fn repeated<'c: 'a, 'a>(
    before: OperationRef<'c, 'a>,
    value: Value<'c, 'a>,
    (axis, samples): (usize, usize),
    names: &mut Names,
) -> Result<Value<'c, 'a>, String> {
    let context = before.context_reference();
    let r#type = repeated_type(&TensorType::from_type(value.r#type()).map_err(text)?, axis, samples)?;
    if let Some(cast) = ir::defining_operation(value).filter(|operation| quant::Op::is_cast(*operation)) {
        let operand = repeated(before, cast.operand_at(0).map_err(text)?, (axis, samples), names)?;
        let origin = cast.origin();
        let location = origin.clone().named(names.unique(&origin.name)).location(context);
        let types = [r#type.to_type(context)];
        let built = ir::build(context, &cast.operation_name(), &[operand], &[], &types, vec![], location);
        return first_result(ir::insert_before(before, built.map_err(text)?));
    }
    let one = constant_of(value).ok_or("is no constant, so it cannot be repeated for each of them")?;
    let shape = one.r#type.static_shape().map_err(text)?;
    let block = shape.iter().skip(axis).product::<usize>() * one.r#type.element.bytes();
    let bytes: Vec<u8> = one.bytes.chunks(block.max(1)).flat_map(|block| block.repeat(samples)).collect();
    constant(before, &Constant { r#type, bytes: bytes.into() })
}

fn repeated_type(r#type: &TensorType, axis: usize, samples: usize) -> Result<TensorType, String> {
    let mut shape = r#type.static_shape().map_err(text)?;
    let size = shape.get_mut(axis).ok_or_else(|| format!("has no dimension {axis}"))?;
    *size = size.checked_mul(samples).ok_or("is too large")?;
    let element = match &r#type.element {
        Element::Quantized(Quantized { bits, scale: Scale::PerAxis { axis: along, scales } }) if *along == axis => {
            Element::Quantized(Quantized {
                bits: *bits,
                scale: Scale::PerAxis { axis, scales: scales.repeat(samples) },
            })
        }
        element => element.clone(),
    };
    let repeated = TensorType::new(element, &shape);
    let bytes = repeated.elements().and_then(|elements| elements.checked_mul(repeated.element.bytes()));
    match bytes {
        Some(bytes) if bytes <= LARGEST_REPEATED_BYTES => Ok(repeated),
        _ => Err(format!("would take more than {} MiB when it is repeated", LARGEST_REPEATED_BYTES >> 20)),
    }
}

/// Puts a reshape to the new result in the place of an operation that moves no element; what passes noted of it stays.
fn reshape<'c: 'a, 'a>(
    operation: OperationRef<'c, 'a>,
    results: &[TensorType],
) -> Result<OperationRef<'c, 'a>, String> {
    let context = operation.context_reference();
    let result = first_result(operation)?;
    let wanted = results.first().ok_or("it has no result")?.static_shape().map_err(text)?;
    let wanted: Vec<i64> = wanted.into_iter().map(|size| size as i64).collect();
    let shape = integers(operation, ElementType::I64, &wanted)?;
    let operands = [operation.operand_at(0).map_err(text)?, shape];
    let built =
        ir::build(context, Op::Reshape.name(), &operands, &[], &[result.r#type()], vec![], operation.location());
    let built = ir::insert_before(operation, built.map_err(text)?);
    for (name, value) in noted(operation) {
        ir::set_attribute(built, &name, value);
    }
    ir::replace_all_uses(result, first_result(built)?);
    // SAFETY: its result is replaced, and the walk over the block is past it.
    unsafe { ir::erase(operation) };
    Ok(built)
}

/// The attributes that are none of the operation's own: passes write them.
fn noted<'c: 'a, 'a>(operation: OperationRef<'c, 'a>) -> Vec<(String, Attribute<'c>)> {
    let all = (0..operation.attribute_count()).filter_map(|index| operation.attribute_at(index).ok());
    let named = all.filter_map(|(name, value)| Some((name.as_string_ref().as_str().ok()?.to_owned(), value)));
    named.filter(|(name, _)| name.contains('.')).collect()
}
