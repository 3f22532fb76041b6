//! Sums, products, clamps.

use crate::bpu::functions;
use crate::bpu::lower::{
    builder::{Builder, Form, TO_CHANNELS_LAST, clamp_of, shape_in},
    values::{Operand, QuantizedConstant, operand, result},
};
use crate::bpu::model::{Clamp, Operator, TensorId};
use crate::numerics;
use hb_dialects::ir::{OperationAttributes, constant_of};
use melior::ir::{OperationRef, operation::OperationLike};

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
    let node = operation.node();
    let output = result(operation)?;
    let operands = [operand(operation, 0)?, operand(operation, 1)?];
    let form = common_form(builder, &operands, output.shape.len());
    let mut ids = Vec::new();
    for (operand, suffix) in operands.iter().zip(["a", "b"]) {
        ids.push(match operand {
            Operand::Value(value) => builder.tensor(&node, value, form)?,
            Operand::Constant(constant) => constant_in(builder, format!("{node}/{suffix}"), constant, form),
        });
    }
    let clamp = clamp_of(operation.clamp("activation").map_err(|error| error.to_string())?, output.scale);
    let shape = shape_in(form, &output.shape).ok_or("its result has no height and width")?;
    let id = builder.compute(&node, operator(clamp), &ids, shape, output.scale);
    builder.define(&output, form, id);
    Ok(())
}

/// NHWC when all values have rank 4 and one is there already: then no transpose is needed for that one.
fn common_form<'c, 'a>(builder: &Builder<'c, 'a>, operands: &[Operand<'c, 'a>], rank: usize) -> Form {
    let values = || {
        operands.iter().filter_map(|operand| match operand {
            Operand::Value(value) => Some(value),
            Operand::Constant(_) => None,
        })
    };
    let images = rank == 4 && values().all(|value| value.shape.len() == 4);
    let there = values().any(|value| builder.has(value, Form::ChannelsLast));
    if images && there { Form::ChannelsLast } else { Form::Network }
}

/// A constant that broadcasts to rank 4, in a form.
fn constant_in(builder: &mut Builder<'_, '_>, name: String, constant: &QuantizedConstant, form: Form) -> TensorId {
    if form == Form::Network {
        return builder.constant(name, constant, 8);
    }
    let mut image = constant.clone();
    while image.shape.len() < TO_CHANNELS_LAST.len() {
        image.shape.insert(0, 1);
    }
    builder.constant(name, &image.transposed(&TO_CHANNELS_LAST), 8)
}

/// The result of an operation, as a node that reads operand `index` and nothing else that is quantized.
fn of_one_operand<'c, 'a>(
    builder: &mut Builder<'c, 'a>,
    operation: OperationRef<'c, 'a>,
    index: usize,
    operator: impl FnOnce(f64, f64) -> Result<Operator, String>,
) -> Result<(), String> {
    let node = operation.node();
    let output = result(operation)?;
    let Operand::Value(input) = operand(operation, index)? else { return Err("its operand is a constant".into()) };
    if input.shape != output.shape {
        return Err("its result has more dimensions than its operand".into());
    }
    let form = if builder.has(&input, Form::ChannelsLast) { Form::ChannelsLast } else { Form::Network };
    let id = builder.tensor(&node, &input, form)?;
    let operator = operator(input.scale, output.scale)?;
    let shape = shape_in(form, &output.shape).ok_or("its result has no height and width")?;
    let id = builder.compute(&node, operator, &[id], shape, output.scale);
    builder.define(&output, form, id);
    Ok(())
}

/// A function of operand 0, by table. `name` is that of its row in [`functions`], whose parameters are attributes here.
pub fn table<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>, name: &str) -> Result<(), String> {
    let function = functions::function(name).map_err(|error| error.to_string())?;
    let mut given = Vec::new();
    for parameter in function.parameters.iter().filter(|parameter| operation.has_attribute(parameter.name)) {
        given.push((parameter.name, operation.float(parameter.name).map_err(|error| error.to_string())?));
    }
    of_one_operand(builder, operation, 0, |s_x, s_y| {
        let table = function.table(&given, s_x, s_y).map_err(|error| error.to_string())?;
        Ok(Operator::Lookup { table: Box::new(table) })
    })
}

pub fn relu<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let clamp = Some(Clamp { low: 0, high: Clamp::I8.high });
    of_one_operand(builder, operation, 0, |_, _| Ok(Operator::Requantize { clamp }))
}

pub fn clip<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let bounds = (parameter(operation, 1)?, parameter(operation, 2)?);
    let (Some(lower), Some(upper)) = bounds else {
        return Err("its bounds are not known when the network is compiled".into());
    };
    of_one_operand(builder, operation, 0, |_, s_y| {
        Ok(Operator::Requantize { clamp: clamp_of(Some((lower, upper)), s_y) })
    })
}

/// A constant by an activation is a function of one variable. An activation by constants is a product by then.
pub fn div<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    match (parameter(operation, 0)?, parameter(operation, 1)?) {
        (Some(dividend), None) => of_one_operand(builder, operation, 1, |s_x, s_y| {
            Ok(Operator::Lookup { table: Box::new(numerics::lookup_table(|x| dividend / x, s_x, s_y)) })
        }),
        (None, Some(divisor)) => of_one_operand(builder, operation, 0, |s_x, s_y| {
            Ok(Operator::Lookup { table: Box::new(numerics::lookup_table(|x| x / divisor, s_x, s_y)) })
        }),
        _ => {
            Err("the BPU does not divide by activations: the reciprocals of 8-bit values near zero fit no scale".into())
        }
    }
}

/// The value of an operand that is a constant of one element.
fn parameter(operation: OperationRef<'_, '_>, index: usize) -> Result<Option<f64>, String> {
    let constant = operation.operand_at(index).map_err(|error| error.to_string())?;
    let values = constant_of(constant).map(|constant| constant.to_f32s()).transpose();
    Ok(match values.map_err(|error| error.to_string())?.as_deref() {
        Some(&[single]) => Some(f64::from(single)),
        _ => None,
    })
}
