//! Sums, products, clamps.

use crate::bpu::constraints::Known;
use crate::bpu::functions;
use crate::bpu::lower::{
    builder::{Builder, ITSELF, TO_CHANNELS_LAST, ValueForm, clamp_of, shape_in},
    values::{QuantizedConstant, QuantizedOperand, QuantizedValue, Worth},
};
use crate::bpu::model::{BpuElement, Clamp, Operator, TensorId};
use crate::cpu::{
    self,
    expression::{Binary, Expression, select},
};
use crate::numerics;
use hb_dialects::{
    hfloat::attributes,
    ir::{self, OperationAttributes, constant_of},
};
use melior::ir::OperationRef;

pub fn add<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    binary(builder, operation, |clamp| Operator::Add { clamp })
}

pub fn mul<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    binary(builder, operation, |clamp| Operator::Mul { clamp })
}

pub fn sub<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    binary(builder, operation, |clamp| Operator::Sub { clamp })
}

fn binary<'c, 'a>(
    builder: &mut Builder<'c, 'a>,
    operation: OperationRef<'c, 'a>,
    operator: fn(Option<Clamp>) -> Operator,
) -> Result<(), String> {
    let pair = Pair::of(builder, operation)?;
    let clamp = clamp_of(attributes::activation(operation).map_err(|error| error.to_string())?, pair.output.worth);
    let id = builder.compute(ITSELF, operator(clamp), &pair.ids, pair.shape, pair.output.worth);
    builder.define(&pair.output, pair.form, id);
    Ok(())
}

/// Two operands in one layout.
struct Pair<'c, 'a> {
    ids: [TensorId; 2],
    integers: [Worth; 2],
    form: ValueForm,
    output: QuantizedValue<'c, 'a>,
    /// Of the result, in the layout.
    shape: Vec<usize>,
}

impl<'c, 'a> Pair<'c, 'a> {
    fn of(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<Self, String> {
        let output = builder.result(operation)?;
        let operands = [builder.operand(operation, 0)?, builder.operand(operation, 1)?];
        let form = common_form(builder, &operands, output.shape.len());
        let (mut ids, mut integers) = ([TensorId(0); 2], [output.worth; 2]);
        for (index, (operand, suffix)) in operands.iter().zip(["a", "b"]).enumerate() {
            (ids[index], integers[index]) = match operand {
                QuantizedOperand::Value(value) => (builder.tensor(value, form)?, value.worth),
                QuantizedOperand::Constant(constant) => {
                    let ir::Scale::PerTensor(affine) = constant.scale else {
                        return Err(format!("its operand {index} has more than one scale"));
                    };
                    let worth = Worth { element: constant.element, affine };
                    (constant_in(builder, suffix, constant, form), worth)
                }
            };
        }
        let shape = shape_in(form, &output.shape).ok_or("its result has no height and width")?;
        Ok(Self { ids, integers, form, output, shape })
    }
}

pub fn max<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    // max(a, b) = a + max(b - a, 0)
    extreme(builder, operation, Clamp { low: 0, high: Clamp::I16.high }, |bound| (bound, f64::INFINITY))
}

pub fn min<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    // min(a, b) = a + min(b - a, 0)
    extreme(builder, operation, Clamp { low: Clamp::I16.low, high: 0 }, |bound| (f64::NEG_INFINITY, bound))
}

/// The larger or smaller of two: with a constant of one element a clamp, else the first plus the clamped difference.
fn extreme<'c, 'a>(
    builder: &mut Builder<'c, 'a>,
    operation: OperationRef<'c, 'a>,
    difference: Clamp,
    interval: fn(f64) -> (f64, f64),
) -> Result<(), String> {
    for (constant, other) in [(0, 1), (1, 0)] {
        if let Some(bound) = parameter(operation, constant)? {
            return of_one_operand(builder, operation, other, |_, y| {
                Ok(Operator::Requantize { clamp: clamp_of(Some(interval(bound)), y) })
            });
        }
    }
    let mut pair = Pair::of(builder, operation)?;
    // A value beyond the range of the result counts as the end of that range, so that a wide range of one operand costs a narrow one of the
    // other no precision.
    let range = Worth::int16(pair.output.worth.largest() / f64::from(Clamp::I16.high));
    for (index, part) in ["a_within", "b_within"].into_iter().enumerate() {
        let (id, own) = (pair.ids[index], pair.integers[index]);
        if own.element == BpuElement::I16 && own.affine.scale > range.affine.scale {
            let shape = builder.shape(id);
            pair.ids[index] = builder.compute(part, Operator::Requantize { clamp: None }, &[id], shape, range);
            pair.integers[index] = range;
        }
    }
    let [a, b] = pair.ids;
    // Every difference fits. That of two int8 is exact for this purpose, that of int16 off by at most a step of theirs.
    let largest = pair.integers[0].largest() + pair.integers[1].largest();
    let worth = Worth::int16(largest / f64::from(Clamp::I16.high));
    let operator = Operator::Sub { clamp: Some(difference) };
    let difference = builder.compute("difference", operator, &[b, a], pair.shape.clone(), worth);
    let id = builder.compute(ITSELF, Operator::Add { clamp: None }, &[a, difference], pair.shape, pair.output.worth);
    builder.define(&pair.output, pair.form, id);
    Ok(())
}

/// With one slope a function of x.
pub fn p_relu<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    if let Some(slope) = parameter(operation, 1)? {
        let x = cpu::argument();
        let below = x.like(slope).binary(Binary::Multiply, x.clone());
        return function(builder, operation, 0, &select(x.clone().less(x.like(0.0)), below, x));
    }
    let pair = Pair::of(builder, operation)?;
    let operator = Operator::PRelu { clamp: None };
    let id = builder.compute(ITSELF, operator, &pair.ids, pair.shape, pair.output.worth);
    builder.define(&pair.output, pair.form, id);
    Ok(())
}

/// NHWC when all values have rank 4 and one is there already: then no transpose is needed for that one.
fn common_form<'c, 'a>(builder: &Builder<'c, 'a>, operands: &[QuantizedOperand<'c, 'a>], rank: usize) -> ValueForm {
    let values = || {
        operands.iter().filter_map(|operand| match operand {
            QuantizedOperand::Value(value) => Some(value),
            QuantizedOperand::Constant(_) => None,
        })
    };
    let images = rank == 4 && values().all(|value| value.shape.len() == 4);
    let there = values().any(|value| builder.has(value, ValueForm::ChannelsLast));
    if images && there { ValueForm::ChannelsLast } else { ValueForm::Network }
}

/// A constant that broadcasts to rank 4, in a form.
fn constant_in(builder: &mut Builder<'_, '_>, part: &str, constant: &QuantizedConstant, form: ValueForm) -> TensorId {
    if form == ValueForm::Network {
        return builder.constant(part, constant);
    }
    let mut image = constant.clone();
    while image.shape.len() < TO_CHANNELS_LAST.len() {
        image.shape.insert(0, 1);
    }
    builder.constant(part, &image.transposed(&TO_CHANNELS_LAST))
}

/// The result of an operation, as a node that reads operand `index` and nothing else that is quantized.
fn of_one_operand<'c, 'a>(
    builder: &mut Builder<'c, 'a>,
    operation: OperationRef<'c, 'a>,
    index: usize,
    operator: impl FnOnce(Worth, Worth) -> Result<Operator, String>,
) -> Result<(), String> {
    let output = builder.result(operation)?;
    let QuantizedOperand::Value(input) = builder.operand(operation, index)? else {
        return Err("its operand is a constant".into());
    };
    if input.shape != output.shape {
        return Err("its result has more dimensions than its operand".into());
    }
    let form = if builder.has(&input, ValueForm::ChannelsLast) { ValueForm::ChannelsLast } else { ValueForm::Network };
    let id = builder.tensor(&input, form)?;
    let operator = operator(input.worth, output.worth)?;
    let shape = shape_in(form, &output.shape).ok_or("its result has no height and width")?;
    let id = builder.compute(ITSELF, operator, &[id], shape, output.worth);
    builder.define(&output, form, id);
    Ok(())
}

/// A function of operand `index`: a table from int8 to int8, otherwise a curve.
fn function<'c, 'a>(
    builder: &mut Builder<'c, 'a>,
    operation: OperationRef<'c, 'a>,
    index: usize,
    formula: &Expression,
) -> Result<(), String> {
    let known = builder.known;
    of_one_operand(builder, operation, index, |x, y| {
        if (x.element, y.element) == (BpuElement::I8, BpuElement::I8) && known == Known::Types {
            return Ok(Operator::Lookup { table: Box::new([0; 256]) });
        }
        if known == Known::Types {
            return functions::any_curve().map(|curve| Operator::Curve { curve: Box::new(curve) });
        }
        if (x.element, y.element) == (BpuElement::I8, BpuElement::I8) {
            let table = numerics::lookup_table(cpu::real_function(formula), x.affine, y.affine);
            return Ok(Operator::Lookup { table: Box::new(table) });
        }
        let fitted = functions::curve(formula, (x.element, x.affine), (y.element, y.affine));
        let fitted = fitted.map_err(|error| error.to_string())?;
        Ok(Operator::Curve { curve: Box::new(fitted.curve) })
    })
}

/// A scalar function of operand 0.
pub fn scalar<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let formula = cpu::scalar_formula(operation).map_err(|error| error.to_string())?;
    let formula = formula.ok_or("it is no scalar function")?;
    function(builder, operation, 0, &formula)
}

pub fn relu<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    of_one_operand(builder, operation, 0, |_, y| {
        Ok(Operator::Requantize { clamp: Some(Clamp { low: y.affine.zero_point, high: y.range().high }) })
    })
}

pub fn clip<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let bounds = (parameter(operation, 1)?, parameter(operation, 2)?);
    let (Some(lower), Some(upper)) = bounds else {
        return Err("its bounds are not known when the network is compiled".into());
    };
    of_one_operand(builder, operation, 0, |_, y| Ok(Operator::Requantize { clamp: clamp_of(Some((lower, upper)), y) }))
}

/// A constant by an activation is a function of one variable. An activation by constants is a product by then.
pub fn div<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let x = cpu::argument();
    match (parameter(operation, 0)?, parameter(operation, 1)?) {
        (Some(dividend), None) => function(builder, operation, 1, &x.like(dividend).binary(Binary::Divide, x)),
        (None, Some(divisor)) => function(builder, operation, 0, &x.clone().binary(Binary::Divide, x.like(divisor))),
        _ => Err("the BPU does not divide by activations: the reciprocals of values near zero fit no scale".into()),
    }
}

/// A power with a constant is a function of one variable.
pub fn pow<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let x = cpu::argument();
    match (parameter(operation, 0)?, parameter(operation, 1)?) {
        (Some(base), None) => function(builder, operation, 1, &x.like(base).binary(Binary::Power, x)),
        (None, Some(exponent)) => function(builder, operation, 0, &x.clone().binary(Binary::Power, x.like(exponent))),
        _ => Err("the BPU has powers with a constant of one element only".into()),
    }
}

/// The value of an operand that is a constant of one element.
fn parameter(operation: OperationRef<'_, '_>, index: usize) -> Result<Option<f64>, String> {
    let constant = operation.operand_at(index).map_err(|error| error.to_string())?;
    let values = constant_of(constant).map(|constant| constant.to_f64s()).transpose();
    Ok(match values.map_err(|error| error.to_string())?.as_deref() {
        Some(&[single]) => Some(single),
        _ => None,
    })
}
