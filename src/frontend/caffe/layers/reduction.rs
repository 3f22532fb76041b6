//! Layers whose result is smaller than what they read.

use super::super::builder::{Blob, LayerBuilder, Size};
use super::super::proto::reduction_parameter::ReductionOp;
use super::Built;
use super::elementwise::float;
use crate::frontend::onnx::model::Attribute;

/// The dimensions from an axis on become one number, times a coefficient.
pub fn reduction(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.reduction_param.unwrap_or_default();
    let x = b.bottom(0)?;
    let axes: Vec<usize> = (x.axis(parameter.axis())?..x.rank()).collect();
    let operator = match parameter.operation() {
        ReductionOp::Sum => "ReduceSum",
        ReductionOp::Asum => "ReduceL1",
        ReductionOp::Sumsq => "ReduceSumSquare",
        ReductionOp::Mean => "ReduceMean",
    };
    let reduced = b.reduce(operator, &x, &axes, false)?;
    if parameter.coeff() == 1.0 {
        return Ok(vec![reduced]);
    }
    let factor = b.scalar("coeff", parameter.coeff());
    Ok(vec![b.binary("Mul", &reduced, &factor)?])
}

/// Where the largest values are, or these values, along an axis or over all of a sample.
pub fn arg_max(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.argmax_param.unwrap_or_default();
    let x = b.bottom(0)?;
    let count = parameter.top_k() as usize;
    let (flat, axis) = match parameter.axis {
        Some(axis) => (x.clone(), x.axis(axis)?),
        None => {
            let samples = x.shape.first().copied().flatten();
            let shape = vec![samples, Some(x.count_from(1)?)];
            (b.node("Flatten", &[&x], &[("axis", Attribute::Int(1))], shape)?, 1)
        }
    };
    let size = flat.size(axis)?;
    if count == 0 || count > size {
        return Err(format!("top_k is {count}, 1 to {size} are possible"));
    }
    let [values, indices] = largest(b, &flat, axis, size, count)?;
    let indices = float(b, &indices)?;
    let result = match (parameter.axis, parameter.out_max_val()) {
        (Some(_), true) => return Ok(vec![values]),
        (Some(_), false) => return Ok(vec![indices]),
        (None, true) => b.concat(&[&indices, &values], 1)?,
        (None, false) => indices,
    };
    // Caffe's result has as many dimensions as its bottom, three at least: samples, position and value, which.
    let samples = x.shape.first().copied().flatten();
    let kinds = if parameter.out_max_val() { 2 } else { 1 };
    let mut shape: Vec<Size> = vec![samples, Some(kinds), Some(count)];
    shape.resize(x.rank().max(3), Some(1));
    Ok(vec![b.reshape(&result, shape)?])
}

/// The largest values and their positions in falling order; of equal ones the last comes first, as Caffe sorts pairs.
fn largest(b: &mut LayerBuilder<'_>, x: &Blob, axis: usize, size: usize, count: usize) -> Result<[Blob; 2], String> {
    if count == 1 {
        let attributes = [
            ("axis", Attribute::Int(axis as i64)),
            ("keepdims", Attribute::Int(1)),
            ("select_last_index", Attribute::Int(1)),
        ];
        let mut shape = x.shape.clone();
        if let Some(place) = shape.get_mut(axis) {
            *place = Some(1);
        }
        let indices = b.node("ArgMax", &[x], &attributes, shape)?;
        let values = b.reduce("ReduceMax", x, &[axis], true)?;
        return Ok([values, indices]);
    }
    let [from, to, axes, step] = [("start", -1), ("end", i64::MIN), ("axis", axis as i64), ("step", -1)]
        .map(|(part, value)| b.integers(part, &[value]));
    let turned = b.node("Slice", &[x, &from, &to, &axes, &step], &[], x.shape.clone())?;
    let [values, positions] = b.top_k(&turned, count, axis, true)?;
    let last = b.integers("last", &[size as i64 - 1]);
    let indices = b.node("Sub", &[&last, &positions], &[], positions.shape.clone())?;
    Ok([values, indices])
}
