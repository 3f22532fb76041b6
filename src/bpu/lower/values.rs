//! Quantized values of the QDQ form, as the lowering reads them.

use crate::{
    bpu::model::{self, Clamp},
    numerics,
};
use hb_dialects::ir::{self, Constant, Element, OperationAttributes, Quantized, Scale, TensorType};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};

/// What the integers of an activation are: their type, and what one step is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Integer {
    pub element: model::Element,
    pub scale: f64,
}

impl Integer {
    pub fn int16(scale: f64) -> Integer {
        Integer { element: model::Element::I16, scale }
    }

    /// All integers of the type.
    pub fn range(self) -> Clamp {
        self.element.range().unwrap_or(Clamp::I32)
    }

    /// The largest magnitude, as a real.
    pub fn largest(self) -> f64 {
        self.scale * f64::from(self.element.magnitude())
    }
}

/// A value that exists as int8 or int16: the result of a `quant.qcast`.
#[derive(Clone)]
pub struct QuantizedValue<'c, 'a> {
    /// Identifies the value.
    pub key: usize,
    /// The f32 value that is quantized.
    pub source: Value<'c, 'a>,
    /// Shape in ONNX order.
    pub shape: Vec<usize>,
    pub integer: Integer,
}

/// An operand of a quantized operation.
pub enum Operand<'c, 'a> {
    Value(QuantizedValue<'c, 'a>),
    Constant(QuantizedConstant),
}

/// A constant with the integers that its casts give it.
#[derive(Clone)]
pub struct QuantizedConstant {
    /// int8, int16, or int32 for a bias.
    pub element: model::Element,
    pub shape: Vec<usize>,
    pub scale: Scale,
    pub integers: Vec<i32>,
}

impl QuantizedConstant {
    /// The elements in the order of another permutation of the dimensions.
    pub fn transposed(&self, permutation: &[usize]) -> QuantizedConstant {
        let shape: Vec<usize> = permutation.iter().map(|&i| self.shape[i]).collect();
        let strides = strides(&self.shape);
        let steps: Vec<usize> = permutation.iter().map(|&i| strides[i]).collect();
        let integers = positions(&shape, &steps).map(|position| self.integers[position]).collect();
        let scale = match &self.scale {
            Scale::PerAxis { axis, scales } => Scale::PerAxis {
                axis: permutation.iter().position(|i| i == axis).unwrap_or(*axis),
                scales: scales.clone(),
            },
            one => one.clone(),
        };
        QuantizedConstant { element: self.element, shape, scale, integers }
    }
}

fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i];
    }
    strides
}

/// `Σ index[i] * steps[i]` for every index of `shape` in row-major order.
fn positions<'s>(shape: &'s [usize], steps: &'s [usize]) -> impl Iterator<Item = usize> + 's {
    let (inner, step) = (shape.last().copied().unwrap_or(1), steps.last().copied().unwrap_or(0));
    let outer = shape.len().saturating_sub(1);
    let lines: usize = shape.iter().take(outer).product();
    let mut index = vec![0usize; outer];
    let mut start = 0;
    (0..lines).flat_map(move |_| {
        let line = start;
        for i in (0..outer).rev() {
            index[i] += 1;
            start += steps[i];
            if index[i] < shape[i] {
                break;
            }
            start -= steps[i] * shape[i];
            index[i] = 0;
        }
        (0..inner).map(move |i| line + i * step)
    })
}

/// The quantized value or constant that operand `index` is.
///
/// # Errors
/// When the operand does not come out of casts: the reason why the operation is not quantized.
pub fn operand<'c, 'a>(operation: OperationRef<'c, 'a>, index: usize) -> Result<Operand<'c, 'a>, String> {
    let value = operation.operand_at(index).map_err(|error| error.to_string())?;
    let cast = ir::defining_operation(value).filter(|cast| cast.operation_name() == "quant.dcast");
    let cast = cast.ok_or_else(|| format!("its operand {index} is not quantized"))?;
    let quantize = cast.operand(0).ok().and_then(ir::defining_operation);
    let quantize = quantize.filter(|cast| cast.operation_name() == "quant.qcast");
    quantized(quantize.ok_or_else(|| format!("its operand {index} is dequantized from something unknown"))?)
}

/// What a `quant.qcast` gives.
///
/// # Errors
/// When its types are none that the BPU has.
pub fn quantized<'c, 'a>(quantize: OperationRef<'c, 'a>) -> Result<Operand<'c, 'a>, String> {
    let source = quantize.operand_at(0).map_err(|error| error.to_string())?;
    let result = ir::results(quantize).into_iter().next().ok_or("a cast has no result")?;
    let r#type = TensorType::from_type(result.r#type()).map_err(|error| error.to_string())?;
    let shape = r#type.static_shape().map_err(|error| error.to_string())?;
    let Element::Quantized(element) = r#type.element else { return Err("a cast gives no quantized type".into()) };
    if let Some(constant) = ir::constant_of(source) {
        return Ok(Operand::Constant(QuantizedConstant {
            element: storage(&element),
            integers: integers(&constant, &element, &shape)?,
            scale: element.scale,
            shape,
        }));
    }
    match element.scale {
        Scale::PerTensor(scale) if element.bits <= 16 => {
            let integer = Integer { element: storage(&element), scale };
            Ok(Operand::Value(QuantizedValue { key: result.to_raw().ptr as usize, source, shape, integer }))
        }
        _ => Err("an activation is not int8 or int16 with one scale".into()),
    }
}

fn storage(element: &Quantized) -> model::Element {
    match element.bits {
        8 => model::Element::I8,
        16 => model::Element::I16,
        _ => model::Element::I32,
    }
}

/// What the result of a sum of products becomes.
pub enum Output<'c, 'a> {
    /// It is rounded to an activation's type.
    Quantized(QuantizedValue<'c, 'a>),
    /// No cast reads it: the 32-bit sums are dequantized as they are.
    Exact { value: Value<'c, 'a>, shape: Vec<usize> },
}

impl Output<'_, '_> {
    /// The shape in ONNX order.
    pub fn shape(&self) -> &[usize] {
        match self {
            Output::Quantized(value) => &value.shape,
            Output::Exact { shape, .. } => shape,
        }
    }
}

/// What the result of a sum of products becomes.
///
/// # Errors
/// When its readers differ in what they see.
pub fn output<'c, 'a>(operation: OperationRef<'c, 'a>) -> Result<Output<'c, 'a>, String> {
    let value = ir::results(operation).into_iter().next().ok_or("it has no result")?;
    if ir::users(value).iter().any(|user| user.operation_name() == "quant.qcast") {
        return result(operation).map(Output::Quantized);
    }
    let r#type = TensorType::from_type(value.r#type()).map_err(|error| error.to_string())?;
    Ok(Output::Exact { value, shape: r#type.static_shape().map_err(|error| error.to_string())? })
}

/// The quantized value that an operation's result becomes.
///
/// # Errors
/// When something reads the result before it is quantized.
pub fn result<'c, 'a>(operation: OperationRef<'c, 'a>) -> Result<QuantizedValue<'c, 'a>, String> {
    let result = ir::results(operation).into_iter().next().ok_or("it has no result")?;
    let users = ir::users(result);
    match users.as_slice() {
        [only] if only.operation_name() == "quant.qcast" => match quantized(*only)? {
            Operand::Value(value) => Ok(value),
            Operand::Constant(_) => Err("its result is a constant".into()),
        },
        _ => Err("its result is not quantized".into()),
    }
}

/// The integers of a constant, as ONNX QuantizeLinear gives them.
fn integers(constant: &Constant<'_>, element: &Quantized, shape: &[usize]) -> Result<Vec<i32>, String> {
    let clamp = storage(element).range().unwrap_or(Clamp::I32);
    let values = constant.to_f32s().map_err(|error| error.to_string())?;
    Ok(match &element.scale {
        Scale::PerTensor(scale) => {
            values.iter().map(|&value| numerics::quantize(value, *scale as f32, clamp)).collect()
        }
        Scale::PerAxis { axis, scales } => {
            let inner = shape.iter().skip(axis + 1).product::<usize>().max(1);
            let mut integers = Vec::with_capacity(values.len());
            for (line, values) in values.chunks(inner).enumerate() {
                let scale = scales.get(line % scales.len().max(1)).copied().unwrap_or(1.0) as f32;
                integers.extend(values.iter().map(|&value| numerics::quantize(value, scale, clamp)));
            }
            integers
        }
    })
}
