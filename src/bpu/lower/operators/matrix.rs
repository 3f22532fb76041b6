//! Matrix products.

use crate::bpu::lower::{
    builder::{Builder, ITSELF, ValueForm, clamp_of},
    values::{Output, QuantizedConstant, QuantizedOperand},
};
use crate::bpu::model::{Convolution, Operator, TensorId};
use hb_dialects::{
    hfloat::attributes,
    ir::{IrError, Scale},
};
use melior::ir::{OperationRef, operation::OperationLike};

/// A product with a constant matrix is a 1x1 convolution over a row of pixels.
fn with_constant<'c, 'a>(
    builder: &mut Builder<'c, 'a>,
    operation: OperationRef<'c, 'a>,
    rows: (TensorId, &Scale, usize),
    weight: &QuantizedConstant,
    output: &Output<'c, 'a>,
) -> Result<(), String> {
    let (input, input_scale, count) = rows;
    let &[columns, depth] = weight.shape.as_slice() else { return Err("its weight is no matrix".into()) };
    let input = builder.reshape(input, &[1, 1, count, depth], &to_model(input_scale));
    let mut kernel = weight.clone();
    kernel.shape = vec![columns, 1, 1, depth];
    let kernel = builder.constant("weight", &kernel);
    let mut inputs = vec![input, kernel];
    if operation.operand_count() > 2 {
        inputs.push(bias(builder, operation, columns)?);
    }
    let activation = attributes::activation(operation).map_err(|error| error.to_string())?;
    let shape = vec![1, 1, count, columns];
    let id = builder.sums(Convolution::default(), (activation, &inputs), shape, output)?;
    let scale = match output {
        Output::Quantized(value) => value.worth.scale(),
        Output::Exact { .. } => crate::bpu::model::TensorScale::None,
    };
    let id = builder.reshape(id, output.shape(), &scale);
    builder.define_sums(output, ValueForm::Network, id);
    Ok(())
}

fn to_model(scale: &Scale) -> crate::bpu::model::TensorScale {
    match scale {
        Scale::PerTensor(affine) => crate::bpu::model::TensorScale::PerTensor(*affine),
        Scale::PerAxis { axis, scales } => {
            crate::bpu::model::TensorScale::PerChannel { axis: *axis, scales: scales.clone() }
        }
    }
}

/// The bias of a gemm, one value per column.
fn bias<'c, 'a>(
    builder: &mut Builder<'c, 'a>,
    operation: OperationRef<'c, 'a>,
    columns: usize,
) -> Result<TensorId, String> {
    let QuantizedOperand::Constant(mut bias) = builder.operand(operation, 2)? else {
        return Err("its bias is no constant".into());
    };
    let rows: usize = bias.shape.split_last().map_or(1, |(_, leading)| leading.iter().product());
    if rows != 1 {
        return Err("its bias has several rows".into());
    }
    match bias.shape.iter().product::<usize>() {
        1 => bias.integers = bias.integers.map(|integers| integers.repeat(columns)),
        values if values == columns => {}
        values => return Err(format!("its bias has {values} values for {columns} columns")),
    }
    bias.shape = vec![columns];
    Ok(builder.constant("bias", &bias))
}

pub fn gemm<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let text = |error: IrError| error.to_string();
    if attributes::alpha(operation).map_err(text)? != 1.0 || attributes::beta(operation).map_err(text)? != 1.0 {
        return Err("its alpha or beta is not 1 and its weights are no constants".into());
    }
    let output = builder.output(operation)?;
    let QuantizedOperand::Value(a) = builder.operand(operation, 0)? else {
        return Err("its operand A is a constant".into());
    };
    let mut left = builder.tensor(&a, ValueForm::Network)?;
    if attributes::trans_a(operation).map_err(text)? {
        left = builder.transpose(left, &[1, 0], &a.worth.scale());
    }
    let transposed = attributes::trans_b(operation).map_err(text)?;
    let rows = output.shape().first().copied().unwrap_or(1);
    match builder.operand(operation, 1)? {
        QuantizedOperand::Constant(b) => {
            let weight = if transposed { b } else { b.transposed(&[1, 0]) };
            with_constant(builder, operation, (left, &Scale::PerTensor(a.worth.affine), rows), &weight, &output)
        }
        QuantizedOperand::Value(_) if operation.operand_count() > 2 => {
            Err("it adds a bias to a product of two activations".into())
        }
        QuantizedOperand::Value(b) => {
            let output = builder.result(operation)?;
            let mut right = builder.tensor(&b, ValueForm::Network)?;
            if transposed {
                right = builder.transpose(right, &[1, 0], &b.worth.scale());
            }
            let clamp = clamp_of(attributes::activation(operation).map_err(|error| error.to_string())?, output.worth);
            let shape = output.shape.clone();
            let id = builder.compute(ITSELF, Operator::MatMul { clamp }, &[left, right], shape, output.worth);
            builder.define(&output, ValueForm::Network, id);
            Ok(())
        }
    }
}

pub fn mat_mul<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let output = builder.result(operation)?;
    let (a, b) = (builder.operand(operation, 0)?, builder.operand(operation, 1)?);
    if let (QuantizedOperand::Value(a), QuantizedOperand::Constant(b)) = (&a, &b)
        && b.shape.len() == 2
    {
        let left = builder.tensor(a, ValueForm::Network)?;
        let rows: usize = a.shape.split_last().map_or(1, |(_, leading)| leading.iter().product());
        return with_constant(
            builder,
            operation,
            (left, &Scale::PerTensor(a.worth.affine), rows),
            &b.transposed(&[1, 0]),
            &Output::Quantized(output),
        );
    }
    let (left, left_rank) = matrix_operand(builder, &a, "a", true)?;
    let (right, right_rank) = matrix_operand(builder, &b, "b", false)?;
    let mut shape = output.shape.clone();
    if left_rank == 1 {
        shape.insert(shape.len() - usize::from(right_rank > 1), 1);
    }
    if right_rank == 1 {
        shape.push(1);
    }
    let clamp = clamp_of(attributes::activation(operation).map_err(|error| error.to_string())?, output.worth);
    let id = builder.compute(ITSELF, Operator::MatMul { clamp }, &[left, right], shape, output.worth);
    let id = builder.reshape(id, &output.shape, &output.worth.scale());
    builder.define(&output, ValueForm::Network, id);
    Ok(())
}

/// An operand of a product, a vector as a matrix of one row or column; with its own rank.
fn matrix_operand<'c, 'a>(
    builder: &mut Builder<'c, 'a>,
    operand: &QuantizedOperand<'c, 'a>,
    suffix: &str,
    row: bool,
) -> Result<(TensorId, usize), String> {
    let (id, shape, scale) = match operand {
        QuantizedOperand::Value(value) => {
            (builder.tensor(value, ValueForm::Network)?, value.shape.clone(), value.worth.scale())
        }
        QuantizedOperand::Constant(constant) => {
            let id = builder.constant(suffix, constant);
            (id, constant.shape.clone(), to_model(&constant.scale))
        }
    };
    match shape.as_slice() {
        &[length] => {
            let matrix = if row { [1, length] } else { [length, 1] };
            Ok((builder.reshape(id, &matrix, &scale), 1))
        }
        _ => Ok((id, shape.len())),
    }
}
