//! `hfloat-fuse-functions`: a function that a network spells out becomes one operation.

use hb_dialects::{
    ElementType,
    hfloat::{Op, attributes},
    ir::{self, OperationAttributes, Origin, TensorType},
    pass::{PassDefinition, PassFailure, PassOptions},
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};

pub static PASS: PassDefinition = PassDefinition {
    argument: "hfloat-fuse-functions",
    summary: "Recognize functions that a network spells out",
    description: "`x * clip(x + 3, 0, 6) / 6`, in every order of its factors, and `x * hard_sigmoid(x)` with slope 1/6 and offset 1/2 \
become `hard_swish`, where nothing else reads the values between. In integers that is one table, rounded once, instead of a chain \
of operations that each round. The nodes of all go into it, under the name of the last.",
    anchor: "func.func",
    options: &[],
    run,
};

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    for operation in ir::operations(block) {
        if matches!(Op::of(operation), Some(Op::Mul | Op::Div))
            && let Some(found) = hard_swish(operation)?
        {
            replace(operation, found)?;
        }
    }
    Ok(())
}

/// What a function is applied to, and the operations between that and its result, last first.
struct Found<'c, 'a> {
    input: Value<'c, 'a>,
    between: Vec<OperationRef<'c, 'a>>,
}

fn replace<'c, 'a>(operation: OperationRef<'c, 'a>, found: Found<'c, 'a>) -> Result<(), PassFailure> {
    let context = operation.context_reference();
    let types = [found.input.r#type()];
    let parts = found.between.iter().rev().chain([&operation]).map(|part| part.origin());
    let location = Origin::united(parts).named(operation.node()).location(context);
    let built = ir::build(context, Op::HardSwish.name(), &[found.input], &[], &types, vec![], location)?;
    let built = ir::insert_before(operation, built);
    for (old, new) in ir::results(operation).into_iter().zip(ir::results(built)) {
        ir::replace_all_uses(old, new);
    }
    // SAFETY: its results are replaced, and the walk over the block is past it.
    unsafe { ir::erase(operation) };
    for inner in found.between {
        // SAFETY: only the operation erased before used it, last first.
        unsafe { ir::erase(inner) };
    }
    Ok(())
}

fn same(left: Value<'_, '_>, right: Value<'_, '_>) -> bool {
    left.to_raw().ptr == right.to_raw().ptr
}

/// The one number that a constant holds.
fn number(value: Value<'_, '_>) -> Option<f64> {
    let constant = ir::constant_of(value)?;
    let values = constant.f32s().ok()?;
    let first = *values.first()?;
    values.iter().all(|&value| value == first).then(|| f64::from(first))
}

fn near(value: f64, expected: f64) -> bool {
    (value - expected).abs() <= 1e-6 * expected.abs()
}

/// The two operands, in both orders.
fn orders<'c, 'a>(operation: OperationRef<'c, 'a>) -> Result<[[Value<'c, 'a>; 2]; 2], PassFailure> {
    let (a, b) = (operation.operand_at(0)?, operation.operand_at(1)?);
    Ok([[a, b], [b, a]])
}

/// The operation of this kind that gives a value, when it does not clamp and nothing but one operation reads it.
fn private<'c, 'a>(value: Value<'c, 'a>, op: Op) -> Result<Option<OperationRef<'c, 'a>>, PassFailure> {
    let Some(operation) = ir::defining_operation(value) else { return Ok(None) };
    let fits =
        Op::of(operation) == Some(op) && attributes::activation(operation)?.is_none() && ir::users(value).len() == 1;
    Ok(fits.then_some(operation))
}

/// What an operation divides by 6.
fn sixth<'c, 'a>(operation: OperationRef<'c, 'a>) -> Result<Option<Value<'c, 'a>>, PassFailure> {
    if attributes::activation(operation)?.is_some() {
        return Ok(None);
    }
    let [[a, b], swapped] = orders(operation)?;
    let found = match Op::of(operation) {
        Some(Op::Div) => number(b).is_some_and(|value| near(value, 6.0)).then_some(a),
        _ => {
            let factor = |[value, factor]: [Value<'c, 'a>; 2]| {
                number(factor).is_some_and(|factor| near(factor, 1.0 / 6.0)).then_some(value)
            };
            factor([a, b]).or_else(|| factor(swapped))
        }
    };
    Ok(found)
}

/// `clip(x + 3, 0, 6)`.
fn gate<'c, 'a>(value: Value<'c, 'a>) -> Result<Option<Found<'c, 'a>>, PassFailure> {
    let Some(clip) = private(value, Op::Clip)? else { return Ok(None) };
    let bound = |index: usize| clip.operand(index).ok().and_then(number);
    if clip.operand_count() != 3 || bound(1) != Some(0.0) || bound(2) != Some(6.0) {
        return Ok(None);
    }
    let Some(add) = private(clip.operand_at(0)?, Op::Add)? else { return Ok(None) };
    for [input, three] in orders(add)? {
        if number(three) == Some(3.0) {
            return Ok(Some(Found { input, between: vec![clip, add] }));
        }
    }
    Ok(None)
}

/// `x / 6 + 1 / 2`, clipped to 0 and 1.
fn scaled_gate<'c, 'a>(value: Value<'c, 'a>) -> Result<Option<Found<'c, 'a>>, PassFailure> {
    if let Some(sigmoid) = private(value, Op::HardSigmoid)? {
        let fits = near(attributes::alpha(sigmoid)?, 1.0 / 6.0) && near(attributes::beta(sigmoid)?, 0.5);
        let input = sigmoid.operand_at(0)?;
        return Ok(fits.then(|| Found { input, between: vec![sigmoid] }));
    }
    for op in [Op::Div, Op::Mul] {
        let Some(divided) = private(value, op)? else { continue };
        let Some(inner) = sixth(divided)? else { continue };
        if let Some(found) = gate(inner)? {
            return Ok(Some(Found { input: found.input, between: [vec![divided], found.between].concat() }));
        }
    }
    Ok(None)
}

/// A product of a value with a gate of the same value.
fn gated<'c, 'a>(
    operation: OperationRef<'c, 'a>,
    gate: fn(Value<'c, 'a>) -> Result<Option<Found<'c, 'a>>, PassFailure>,
) -> Result<Option<Found<'c, 'a>>, PassFailure> {
    for [input, factor] in orders(operation)? {
        if let Some(found) = gate(factor)?
            && same(found.input, input)
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Whether an operation is the last one of a hard swish.
fn hard_swish<'c, 'a>(operation: OperationRef<'c, 'a>) -> Result<Option<Found<'c, 'a>>, PassFailure> {
    let Some(result) = ir::results(operation).into_iter().next() else { return Ok(None) };
    let r#type = TensorType::from_type(result.r#type())?;
    if r#type.element != ElementType::F32 || attributes::activation(operation)?.is_some() {
        return Ok(None);
    }
    let mut found = None;
    if let Some(inner) = sixth(operation)?
        && let Some(product) = private(inner, Op::Mul)?
    {
        found = gated(product, gate)?
            .map(|found| Found { input: found.input, between: [vec![product], found.between].concat() });
    }
    if found.is_none() && Op::Mul.is(operation) {
        found = gated(operation, scaled_gate)?;
    }
    // A constant that widens the value is more than a number.
    Ok(found.filter(|found| found.input.r#type() == result.r#type()))
}
