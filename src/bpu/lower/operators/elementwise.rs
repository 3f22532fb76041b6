//! Sums, products, clamps.

use crate::bpu::functions;
use crate::bpu::lower::{
    builder::{Builder, Form, TO_CHANNELS_LAST, clamp_of, shape_in},
    values::{Operand, QuantizedConstant, operand, result},
};
use crate::bpu::model::{Clamp, Operator, TensorId};
use hb_dialects::ir::OperationAttributes;
use melior::ir::OperationRef;

pub fn add<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    binary(builder, operation, |clamp| Operator::Add { clamp })
}

pub fn mul<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    binary(builder, operation, |clamp| Operator::Mul { clamp })
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

/// A function of one variable, by table. `function` is its name in [`functions`].
pub fn table<'c, 'a>(
    builder: &mut Builder<'c, 'a>,
    operation: OperationRef<'c, 'a>,
    function: &str,
) -> Result<(), String> {
    let node = operation.node();
    let output = result(operation)?;
    let Operand::Value(input) = operand(operation, 0)? else { return Err("its operand is a constant".into()) };
    let form = if builder.has(&input, Form::ChannelsLast) { Form::ChannelsLast } else { Form::Network };
    let id = builder.tensor(&node, &input, form)?;
    let table = functions::function(function).and_then(|function| function.table(&[], input.scale, output.scale));
    let table = Box::new(table.map_err(|error| error.to_string())?);
    let shape = shape_in(form, &output.shape).ok_or("its result has no height and width")?;
    let id = builder.compute(&node, Operator::Lookup { table }, &[id], shape, output.scale);
    builder.define(&output, form, id);
    Ok(())
}

pub fn relu<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let node = operation.node();
    let output = result(operation)?;
    let Operand::Value(input) = operand(operation, 0)? else { return Err("its operand is a constant".into()) };
    let form = if builder.has(&input, Form::ChannelsLast) { Form::ChannelsLast } else { Form::Network };
    let id = builder.tensor(&node, &input, form)?;
    let clamp = Some(Clamp { low: 0, high: Clamp::I8.high });
    let shape = shape_in(form, &output.shape).ok_or("its result has no height and width")?;
    let id = builder.compute(&node, Operator::Requantize { clamp }, &[id], shape, output.scale);
    builder.define(&output, form, id);
    Ok(())
}
