//! In which types an operation sees its operands and gives its result: as the casts of the QDQ form say, or as one who asks for a
//! form supposes.

use super::values::{Output, QuantizedConstant, QuantizedOperand, QuantizedValue, Worth, storage};
use crate::bpu::{constraints::Known, model::Clamp};
use crate::numerics::{self, Destination};
use hb_dialects::{
    ElementType, bpu,
    ir::{self, Constant, Element, OperationAttributes, Quantized, Scale, TensorType},
    quant,
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};

/// Supposed types of an operation.
#[derive(Debug, Clone)]
pub struct Types {
    /// What the operation sees of each operand: integers or float16. None: f32, as sizes and the parameters of functions are.
    pub operands: Vec<Option<Element>>,
    /// What becomes of the result. None: nothing rounds it; the 32-bit sums stay as exact as they are.
    pub result: Option<Element>,
}

impl Types {
    /// Whether any of them is float16, which only the float engine computes with.
    #[must_use]
    pub fn has_float16(&self) -> bool {
        self.operands.iter().chain([&self.result]).flatten().any(|element| *element == ElementType::F16)
    }
}

/// Where types come from.
#[derive(Default)]
pub enum Typing {
    /// The casts around the operation.
    #[default]
    Casts,
    /// What is supposed of one operation before it has casts.
    Supposed(Types),
}

/// Casts of casts that are followed: a value has two types or three.
const MOST_CASTS: usize = 8;

/// The key of the result of an operation whose types are supposed; those of its operands are their indices.
const RESULT: usize = usize::MAX;

impl Typing {
    /// Whether an operation sees or gives float16.
    pub fn has_float16(&self, operation: OperationRef<'_, '_>) -> bool {
        let Self::Supposed(types) = self else {
            let gives =
                |cast: OperationRef<'_, '_>| cast_type(cast).is_ok_and(|(.., element)| element == ElementType::F16);
            let seen = operation.operands().filter_map(|operand| quantizer(operand).ok().flatten());
            let given = ir::results(operation).into_iter().flat_map(ir::users);
            return seen.chain(given.filter(|user| quant::Op::is_quantize(*user))).any(gives);
        };
        types.has_float16()
    }

    /// The quantized value or constant that operand `index` is.
    ///
    /// # Errors
    /// When the operand is not quantized: the reason.
    pub fn operand<'c, 'a>(
        &self,
        known: Known,
        operation: OperationRef<'c, 'a>,
        index: usize,
    ) -> Result<QuantizedOperand<'c, 'a>, String> {
        let value = operation.operand_at(index).map_err(|error| error.to_string())?;
        let Self::Supposed(types) = self else {
            return behind_casts(known, value, MOST_CASTS).map_err(|reason| format!("its operand {index} {reason}"));
        };
        let element = types.operands.get(index).and_then(Option::as_ref);
        let element = element.ok_or_else(|| format!("its operand {index} {}", unquantized(value)))?;
        operand_of(known, value, (index, shape_of(value)?), element)
    }

    /// The quantized value that an operation's result becomes.
    ///
    /// # Errors
    /// When something reads the result before it is quantized.
    pub fn result<'c, 'a>(&self, operation: OperationRef<'c, 'a>) -> Result<QuantizedValue<'c, 'a>, String> {
        let value = first_result(operation)?;
        let Self::Supposed(types) = self else { return result_of_casts(value) };
        let element = types.result.as_ref().ok_or("its result is not quantized")?;
        activation(value, (RESULT, shape_of(value)?), element)
    }

    /// What the result of a sum of products becomes.
    ///
    /// # Errors
    /// When its readers differ in what they see.
    pub fn output<'c, 'a>(&self, operation: OperationRef<'c, 'a>) -> Result<Output<'c, 'a>, String> {
        let value = first_result(operation)?;
        let quantized = match self {
            Self::Casts => ir::users(value).iter().any(|user| quant::Op::is_quantize(*user)),
            Self::Supposed(types) => types.result.is_some(),
        };
        if quantized {
            return self.result(operation).map(Output::Quantized);
        }
        Ok(Output::Exact { value, shape: shape_of(value)? })
    }
}

fn first_result<'c, 'a>(operation: OperationRef<'c, 'a>) -> Result<Value<'c, 'a>, String> {
    ir::results(operation).into_iter().next().ok_or_else(|| "it has no result".to_owned())
}

fn shape_of(value: Value<'_, '_>) -> Result<Vec<usize>, String> {
    let r#type = TensorType::from_type(value.r#type()).map_err(|error| error.to_string())?;
    r#type.static_shape().map_err(|error| error.to_string())
}

/// The quantized value that the integers of an f32 value are.
///
/// # Errors
/// When it does not come out of casts.
pub fn value_behind_casts<'c: 'a, 'a>(value: Value<'c, 'a>) -> Result<QuantizedValue<'c, 'a>, String> {
    match behind_casts(Known::Types, value, MOST_CASTS)? {
        QuantizedOperand::Value(value) => Ok(value),
        QuantizedOperand::Constant(_) => Err("is a constant".into()),
    }
}

/// Why there are no integers of a value.
fn unquantized(value: Value<'_, '_>) -> String {
    match TensorType::from_type(value.r#type()).ok().and_then(|r#type| r#type.element.plain()) {
        Some(other) if other != ElementType::F32 => {
            let only = ElementType::F32.name();
            let advice = if other.is_float() { format!(": export the network in {only}") } else { String::new() };
            format!("is {}, and only {only} is quantized{advice}", other.name())
        }
        _ => "is not quantized".to_owned(),
    }
}

/// The error says what the operand is.
fn behind_casts<'c: 'a, 'a>(
    known: Known,
    value: Value<'c, 'a>,
    most: usize,
) -> Result<QuantizedOperand<'c, 'a>, String> {
    let most = most.checked_sub(1).ok_or_else(|| format!("comes out of more than {MOST_CASTS} casts"))?;
    let quantize = quantizer(value)?.ok_or_else(|| unquantized(value))?;
    let source = match makes_integers(quantize) {
        true => first_result(quantize)?,
        false => quantize.operand_at(0).map_err(|error| error.to_string())?,
    };
    let (key, shape, element) = cast_type(quantize)?;
    let operand = operand_of(known, source, (key, shape), &element)?;
    Ok(match operand {
        // Only the integers of such a value exist: its other types are made of them.
        QuantizedOperand::Value(value) if quantizer(source)?.is_some() => match behind_casts(known, source, most)? {
            QuantizedOperand::Value(from) => {
                QuantizedOperand::Value(QuantizedValue { from: Some(Box::new(from)), ..value })
            }
            QuantizedOperand::Constant(_) => return Err("is a constant of two types".into()),
        },
        operand => operand,
    })
}

/// Whether an operation of the BPU stands beside segments, in place of a `quant.qcast`: it makes integers of a deployed input.
pub(super) fn makes_integers(operation: OperationRef<'_, '_>) -> bool {
    matches!(bpu::Op::of(operation), Some(bpu::Op::CameraImage | bpu::Op::Normalize))
}

/// The cast of f32, or what stands for one, that a cast gives back; none for a value that no cast gives.
fn quantizer<'c, 'a>(value: Value<'c, 'a>) -> Result<Option<OperationRef<'c, 'a>>, String> {
    let cast = ir::defining_operation(value).filter(|cast| quant::Op::is_dequantize(*cast));
    let Some(cast) = cast else { return Ok(None) };
    let quantize = cast.operand(0).ok().and_then(ir::defining_operation);
    let quantize = quantize.filter(|cast| quant::Op::is_quantize(*cast) || makes_integers(*cast));
    quantize.map(Some).ok_or_else(|| "is dequantized from something unknown".to_owned())
}

/// The key, shape and elements of what a cast of f32, or what stands for one, gives.
fn cast_type(quantize: OperationRef<'_, '_>) -> Result<(usize, Vec<usize>, Element), String> {
    let result = first_result(quantize)?;
    let r#type = TensorType::from_type(result.r#type()).map_err(|error| error.to_string())?;
    let shape = r#type.static_shape().map_err(|error| error.to_string())?;
    Ok((ir::address(result), shape, r#type.element))
}

fn result_of_casts<'c, 'a>(value: Value<'c, 'a>) -> Result<QuantizedValue<'c, 'a>, String> {
    let [only] = ir::users(value)[..] else { return Err("its result is read before it is quantized".into()) };
    if !quant::Op::is_quantize(only) {
        return Err("its result is not quantized".into());
    }
    let (key, shape, element) = cast_type(only)?;
    activation(value, (key, shape), &element)
}

/// A value or constant as these elements; a value has that key.
fn operand_of<'c, 'a>(
    known: Known,
    source: Value<'c, 'a>,
    (key, shape): (usize, Vec<usize>),
    element: &Element,
) -> Result<QuantizedOperand<'c, 'a>, String> {
    let Some(constant) = ir::constant_of(source) else {
        return activation(source, (key, shape), element).map(QuantizedOperand::Value);
    };
    let Element::Quantized(element) = element else { return Err("is a constant, which has no float16".into()) };
    // A bias is small, and what it adds to the sums counts.
    let wanted = known == Known::Values || (known == Known::Scales && element.bits == 32);
    Ok(QuantizedOperand::Constant(QuantizedConstant {
        element: storage(element),
        integers: wanted.then(|| integers(&constant, element, &shape)).transpose()?,
        scale: element.scale.clone(),
        shape,
    }))
}

fn activation<'c, 'a>(
    source: Value<'c, 'a>,
    (key, shape): (usize, Vec<usize>),
    element: &Element,
) -> Result<QuantizedValue<'c, 'a>, String> {
    let worth = match element {
        Element::Plain(ElementType::F16) => Worth::FLOAT16,
        Element::Quantized(quantized @ Quantized { scale: Scale::PerTensor(affine), bits: ..=16 }) => {
            Worth { element: storage(quantized), affine: *affine }
        }
        _ => return Err("an activation is neither float16 nor int8 or int16 with one scale".into()),
    };
    Ok(QuantizedValue { key, source, shape, worth, from: None })
}

/// The integers of a constant.
fn integers(constant: &Constant<'_>, element: &Quantized, shape: &[usize]) -> Result<Vec<i32>, String> {
    let clamp = storage(element).range().unwrap_or(Clamp::I32);
    let values = constant.f32s().map_err(|error| error.to_string())?;
    let (scales, inner) = element.scale.lines(shape);
    let to = Destination { zero_point: element.scale.zero_point(), clamp };
    Ok(numerics::quantize_constant(&values, scales, inner, to))
}
