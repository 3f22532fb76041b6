//! `hfloat-fuse-functions`: a function that a network spells out becomes one operation.

use hb_dialects::{
    ElementType,
    hfloat::{Op, attributes, gives_plain_result},
    ir::{self, OperationAttributes, Origin, TensorType},
    pass::{PassDefinition, PassFailure, PassOptions},
};
use melior::{
    Context,
    ir::{
        Attribute, OperationRef, Type, Value, ValueLike,
        attribute::{FloatAttribute, StringAttribute},
        operation::OperationLike,
    },
};
use std::f64::consts::{FRAC_1_SQRT_2, PI, SQRT_2};

pub static PASS: PassDefinition = PassDefinition {
    argument: "hfloat-fuse-functions",
    summary: "Recognize functions that a network spells out",
    description: "`x * clip(x + 3, 0, 6) / 6`, in every order of its factors, and `x * hard_sigmoid(x)` with slope 1/6 and offset 1/2 \
become `hard_swish`; `x * sigmoid(alpha * x)` becomes `swish`, `x * tanh(softplus(x))` `mish`, and `x * (1 + erf(x / sqrt(2))) / 2` or its \
approximation by tanh `gelu`; all where nothing else reads the values between. In integers that is one table, rounded once, instead of a chain \
of operations that each round. The nodes of all go into it, under the name of the last.",
    anchor: "func.func",
    options: &[],
    run,
};

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    for operation in ir::operations(block) {
        if matches!(Op::of(operation), Some(Op::Mul | Op::Div))
            && let Some(found) = function_of(operation)?
        {
            replace(operation, found)?;
        }
    }
    Ok(())
}

/// What a function is applied to, and the operations between that and its result, last first.
struct Found<'c, 'a> {
    function: Function,
    input: Value<'c, 'a>,
    between: Vec<OperationRef<'c, 'a>>,
}

/// What is found.
#[derive(Clone, Copy)]
enum Function {
    HardSwish,
    Swish { alpha: f64 },
    Mish,
    Gelu { approximate: &'static str },
}

impl Function {
    fn op(self) -> Op {
        match self {
            Function::HardSwish => Op::HardSwish,
            Function::Swish { .. } => Op::Swish,
            Function::Mish => Op::Mish,
            Function::Gelu { .. } => Op::Gelu,
        }
    }

    fn attributes(self, context: &Context) -> Vec<(&'static str, Attribute<'_>)> {
        match self {
            Function::HardSwish | Function::Mish => Vec::new(),
            Function::Swish { alpha } => {
                vec![("alpha", FloatAttribute::new(context, Type::float32(context), alpha).into())]
            }
            Function::Gelu { approximate } => {
                vec![("approximate", StringAttribute::new(context, approximate).into())]
            }
        }
    }
}

fn replace<'c, 'a>(operation: OperationRef<'c, 'a>, found: Found<'c, 'a>) -> Result<(), PassFailure> {
    let context = operation.context_reference();
    let types = [found.input.r#type()];
    let parts = found.between.iter().rev().chain([&operation]).map(|part| part.origin());
    let location = Origin::united(parts).named(operation.node()).location(context);
    let attributes = found.function.attributes(context);
    let built = ir::build(context, found.function.op().name(), &[found.input], &attributes, &types, vec![], location)?;
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

/// The operation of this kind that gives a value, when nothing is done to what it makes and nothing but one operation reads it.
fn private<'c, 'a>(value: Value<'c, 'a>, op: Op) -> Result<Option<OperationRef<'c, 'a>>, PassFailure> {
    let Some(operation) = ir::defining_operation(value) else { return Ok(None) };
    let fits = Op::of(operation) == Some(op) && gives_plain_result(operation)? && ir::users(value).len() == 1;
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
            return Ok(Some(Found { function: Function::HardSwish, input, between: vec![clip, add] }));
        }
    }
    Ok(None)
}

/// `x / 6 + 1 / 2`, clipped to 0 and 1.
fn scaled_gate<'c, 'a>(value: Value<'c, 'a>) -> Result<Option<Found<'c, 'a>>, PassFailure> {
    if let Some(sigmoid) = private(value, Op::HardSigmoid)? {
        let fits = near(attributes::alpha(sigmoid)?, 1.0 / 6.0) && near(attributes::beta(sigmoid)?, 0.5);
        let input = sigmoid.operand_at(0)?;
        return Ok(fits.then(|| Found { function: Function::HardSwish, input, between: vec![sigmoid] }));
    }
    for op in [Op::Div, Op::Mul] {
        let Some(divided) = private(value, op)? else { continue };
        let Some(inner) = sixth(divided)? else { continue };
        if let Some(found) = gate(inner)? {
            return Ok(Some(Found { between: [vec![divided], found.between].concat(), ..found }));
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

/// The function whose last operation this is.
fn function_of<'c, 'a>(operation: OperationRef<'c, 'a>) -> Result<Option<Found<'c, 'a>>, PassFailure> {
    let Some(result) = ir::results(operation).into_iter().next() else { return Ok(None) };
    let r#type = TensorType::from_type(result.r#type())?;
    if r#type.element != ElementType::F32 || attributes::activation(operation)?.is_some() {
        return Ok(None);
    }
    let mut found = hard_swish(operation)?;
    if found.is_none() && Op::Mul.is(operation) {
        found = match gated(operation, smooth_gate)? {
            None => gelu(operation)?,
            found => found,
        };
    }
    // A constant that widens the value is more than a number.
    Ok(found.filter(|found| found.input.r#type() == result.r#type()))
}

fn hard_swish<'c, 'a>(operation: OperationRef<'c, 'a>) -> Result<Option<Found<'c, 'a>>, PassFailure> {
    let mut found = None;
    if let Some(inner) = sixth(operation)?
        && let Some(product) = private(inner, Op::Mul)?
    {
        found = gated(product, gate)?.map(|found| Found { between: [vec![product], found.between].concat(), ..found });
    }
    if found.is_none() && Op::Mul.is(operation) {
        found = gated(operation, scaled_gate)?;
    }
    Ok(found)
}

/// `sigmoid(alpha * x)`, or `tanh(softplus(x))`.
fn smooth_gate<'c, 'a>(value: Value<'c, 'a>) -> Result<Option<Found<'c, 'a>>, PassFailure> {
    if let Some(sigmoid) = private(value, Op::Sigmoid)? {
        let argument = sigmoid.operand_at(0)?;
        let scaled = private(argument, Op::Mul)?.map(|product| (product, Product::of(product)));
        let Some((product, Ok(Product { number, factors, between }))) = scaled else {
            let function = Function::Swish { alpha: 1.0 };
            return Ok(Some(Found { function, input: argument, between: vec![sigmoid] }));
        };
        let &[input] = factors.as_slice() else { return Ok(None) };
        let between = [vec![sigmoid, product], between].concat();
        return Ok(Some(Found { function: Function::Swish { alpha: number }, input, between }));
    }
    let Some(tanh) = private(value, Op::Tanh)? else { return Ok(None) };
    let Some(softplus) = private(tanh.operand_at(0)?, Op::Softplus)? else { return Ok(None) };
    let input = softplus.operand_at(0)?;
    Ok(Some(Found { function: Function::Mish, input, between: vec![tanh, softplus] }))
}

/// A product of several factors, of which the numbers are one.
struct Product<'c, 'a> {
    number: f64,
    factors: Vec<Value<'c, 'a>>,
    /// The multiplications within, each before those that it reads.
    between: Vec<OperationRef<'c, 'a>>,
}

/// No function that is looked for has more factors.
const MOST_FACTORS: usize = 4;

impl<'c, 'a> Product<'c, 'a> {
    fn of(operation: OperationRef<'c, 'a>) -> Result<Self, PassFailure> {
        let mut product = Product { number: 1.0, factors: Vec::new(), between: Vec::new() };
        let mut open = vec![operation.operand_at(0)?, operation.operand_at(1)?];
        while let Some(value) = open.pop() {
            if let Some(number) = number(value) {
                product.number *= number;
            } else if let Some(inner) = private(value, Op::Mul)?.filter(|_| product.between.len() < MOST_FACTORS) {
                product.between.push(inner);
                open.extend([inner.operand_at(0)?, inner.operand_at(1)?]);
            } else {
                product.factors.push(value);
            }
        }
        Ok(product)
    }

    /// The other of two factors.
    fn other(&self, than: Value<'c, 'a>) -> Option<Value<'c, 'a>> {
        match *self.factors.as_slice() {
            [one, other] if same(one, than) => Some(other),
            [other, one] if same(one, than) => Some(other),
            _ => None,
        }
    }
}

/// `x * (1 + erf(x / sqrt(2))) / 2`, or with `tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))` for erf.
fn gelu<'c, 'a>(operation: OperationRef<'c, 'a>) -> Result<Option<Found<'c, 'a>>, PassFailure> {
    let outer = Product::of(operation)?;
    if !near(outer.number, 0.5) {
        return Ok(None);
    }
    for &input in &outer.factors {
        let Some(add) = outer.other(input).map(|gate| private(gate, Op::Add)).transpose()?.flatten() else { continue };
        for [value, one] in orders(add)? {
            if number(one) != Some(1.0) {
                continue;
            }
            if let Some((approximate, inner)) = gelu_argument(value, input)? {
                let between = [outer.between.clone(), vec![add], inner].concat();
                return Ok(Some(Found { function: Function::Gelu { approximate }, input, between }));
            }
        }
    }
    Ok(None)
}

/// What is beside 1 in a gelu of `x`: which approximation, and its operations, last first.
fn gelu_argument<'c, 'a>(
    value: Value<'c, 'a>,
    x: Value<'c, 'a>,
) -> Result<Option<(&'static str, Vec<OperationRef<'c, 'a>>)>, PassFailure> {
    if let Some(erf) = private(value, Op::Erf)? {
        let argument = erf.operand_at(0)?;
        for op in [Op::Div, Op::Mul] {
            let Some(scaled) = private(argument, op)? else { continue };
            let [[a, b], [c, d]] = orders(scaled)?;
            let by = |value, factor| if same(value, x) { number(factor) } else { None };
            let fits = match op {
                Op::Div => by(a, b).is_some_and(|by| near(by, SQRT_2)),
                _ => by(a, b).or(by(c, d)).is_some_and(|by| near(by, FRAC_1_SQRT_2)),
            };
            return Ok(fits.then(|| ("none", vec![erf, scaled])));
        }
        return Ok(None);
    }
    let Some(tanh) = private(value, Op::Tanh)? else { return Ok(None) };
    let Some(scaled) = private(tanh.operand_at(0)?, Op::Mul)? else { return Ok(None) };
    let product = Product::of(scaled)?;
    let &[sum] = product.factors.as_slice() else { return Ok(None) };
    let Some(add) = private(sum, Op::Add)?.filter(|_| near(product.number, (2.0 / PI).sqrt())) else { return Ok(None) };
    for [left, right] in orders(add)? {
        if same(left, x)
            && let Some(cube) = cubed(right, x)?
        {
            return Ok(Some(("tanh", [vec![tanh, scaled], product.between, vec![add], cube].concat())));
        }
    }
    Ok(None)
}

/// The operations of `0.044715 * x^3`, last first.
fn cubed<'c, 'a>(value: Value<'c, 'a>, x: Value<'c, 'a>) -> Result<Option<Vec<OperationRef<'c, 'a>>>, PassFailure> {
    let Some(outer) = private(value, Op::Mul)? else { return Ok(None) };
    let product = Product::of(outer)?;
    if !near(product.number, 0.044_715) {
        return Ok(None);
    }
    let mut operations = [vec![outer], product.between].concat();
    match *product.factors.as_slice() {
        [a, b, c] if [a, b, c].into_iter().all(|factor| same(factor, x)) => Ok(Some(operations)),
        [power] => {
            let Some(pow) = private(power, Op::Pow)? else { return Ok(None) };
            operations.push(pow);
            let fits = same(pow.operand_at(0)?, x) && number(pow.operand_at(1)?) == Some(3.0);
            Ok(fits.then_some(operations))
        }
        _ => Ok(None),
    }
}
