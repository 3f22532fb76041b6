//! The quantized network cut at every value, and what rounding allows there.

use crate::numerics::largest_magnitude;
use hb_dialects::ElementType;
use hb_dialects::hfloat::{Op, attributes, normalize_axis};
use hb_dialects::ir::{self, Element, IrError, OperationAttributes, Quantized, Scale, TensorType};
use hb_dialects::names::RETURN;
use hb_dialects::quant;
use melior::ir::{BlockLike, OperationRef, Value, ValueLike, operation::OperationLike};
use std::collections::HashMap;

/// Steps of an int8 result that roundings inside of an operator's hardware form come to: an interpolation or reduction rounds
/// once per dimension, a product of parts once per part.
const STEPS_INT8: f64 = 4.0;
/// The same of an int16 result, where the integers of a curve or of interpolation weights are what rounds: 2^-10 of the range.
const STEPS_INT16: f64 = 64.0;
/// The rounding of an f32.
pub const F32_ROUNDING: f64 = 1.0 / (1 << 24) as f64;
/// A step of a float16 beside the largest one: two results that are rounded to it may be neighbours.
const FLOAT16_STEP: f64 = 1.0 / (1 << 10) as f64;
/// What the same f32 operation may give when it is compiled anew, beside its largest result.
pub const CPU_TOLERANCE: f64 = 1.0 / (1 << 12) as f64;

/// Below that, an epsilon does not bound what a normalization divides by.
const LEAST_EPSILON: f64 = 1e-12;

/// A value at which the quantized network is cut.
pub struct Cut<'c, 'a> {
    /// The node that computes it.
    pub node: String,
    /// The value.
    pub value: Value<'c, 'a>,
    /// The largest difference that rounding makes.
    pub allowed: Allowed,
}

/// What rounding allows, the sum of both.
#[derive(Debug, Clone, Copy)]
pub struct Allowed {
    /// So much.
    pub distance: f64,
    /// Of the largest magnitude among the results that are right.
    pub share: f64,
}

/// Makes every value of the network that was computed an argument for its readers and a result; what else the function takes and
/// returns goes. The values, in order.
///
/// # Errors
/// When types or attributes cannot be read.
pub fn cut<'c: 'a, 'a>(
    function: OperationRef<'c, 'a>,
    computed: &HashMap<String, Vec<f32>>,
    on_bpu: &HashMap<&str, bool>,
) -> Result<Vec<Cut<'c, 'a>>, IrError> {
    let context = function.context_reference();
    let Some(block) = ir::body(function) else { return Ok(Vec::new()) };
    let Some(end) = block.terminator() else { return Ok(Vec::new()) };
    let mut cuts = Vec::new();
    // Constants and casts are no nodes, whatever they are called.
    let is_node = |operation: &OperationRef<'_, '_>| Op::of(*operation).is_some_and(|op| op != Op::Constant);
    for operation in ir::operations(block).into_iter().filter(is_node) {
        let node = operation.node();
        let Some(&on_bpu) = on_bpu.get(node.as_str()) else { continue };
        let (&[result], Some(values)) = (ir::results(operation).as_slice(), computed.get(&node)) else { continue };
        let r#type = TensorType::from_type(result.r#type())?;
        if r#type.element != Element::Plain(ElementType::F32) || r#type.elements() != Some(values.len()) {
            continue;
        }
        let rounded = if on_bpu { after_casts(result) } else { None };
        let (steps, share) = match &rounded {
            _ if !on_bpu => (0.0, CPU_TOLERANCE),
            Some((_, Element::Quantized(quantized))) => (rounding(quantized), 0.0),
            Some((_, Element::Plain(_))) => (0.0, FLOAT16_STEP + CPU_TOLERANCE),
            // The float engine and the CPU have functions of their own.
            None if !is_sum_of_products(operation) => (0.0, CPU_TOLERANCE),
            None => (0.0, 0.0),
        };
        let distance = steps + sum_error(operation)? + normalization_error(operation, computed)?;
        let allowed = Allowed { distance, share };
        let value = rounded.map_or(result, |(value, _)| value);
        cuts.push(Cut { node, value, allowed });
    }
    // Only now: what rounding allows follows from the casts before a node.
    for cut in &cuts {
        let argument = block.add_argument(cut.value.r#type(), end.location());
        ir::replace_all_uses(cut.value, argument);
    }
    let values: Vec<_> = cuts.iter().map(|cut| cut.value).collect();
    ir::insert_before(end, ir::build(context, RETURN, &values, &[], &[], vec![], end.location())?);
    // SAFETY: the block ends with the new return, and nothing uses the old one.
    unsafe { ir::erase(end) };
    for names in ["arg_attrs", "res_attrs"] {
        ir::remove_attribute(function, names);
    }
    ir::update_function_type(context, function);
    Ok(cuts)
}

/// What the casts after a value give, and what it is between them.
fn after_casts<'c: 'a, 'a>(result: Value<'c, 'a>) -> Option<(Value<'c, 'a>, Element)> {
    let users = ir::users(result);
    let quantize = users.iter().find(|user| quant::Op::is_quantize(**user))?;
    let rounded = ir::results(*quantize).into_iter().next()?;
    let dequantize = ir::users(rounded).into_iter().find(|user| quant::Op::is_dequantize(*user))?;
    let element = TensorType::from_type(rounded.r#type()).ok()?.element;
    Some((ir::results(dequantize).into_iter().next()?, element))
}

/// What rounding makes of a result with these integers.
fn rounding(quantized: &Quantized) -> f64 {
    let steps = if quantized.bits <= 8 { STEPS_INT8 } else { STEPS_INT16 };
    steps * largest_scale(quantized)
}

fn largest_scale(quantized: &Quantized) -> f64 {
    match &quantized.scale {
        Scale::PerTensor(affine) => affine.scale,
        Scale::PerAxis { scales, .. } => scales.iter().copied().fold(0.0, f64::max),
    }
}

fn is_sum_of_products(operation: OperationRef<'_, '_>) -> bool {
    matches!(Op::of(operation), Some(Op::Conv | Op::ConvTranspose | Op::Gemm | Op::MatMul))
}

/// The error of sums in f32, which the quantized network has and the integers have not. Of two values: their own roundings. K products of
/// magnitude up to P sum up to K P, and their roundings add like those of a random walk, `sqrt(K)` times 2^-24 of that.
fn sum_error(operation: OperationRef<'_, '_>) -> Result<f64, IrError> {
    let convolution = match Op::of(operation) {
        Some(Op::Conv | Op::ConvTranspose) => true,
        Some(Op::Gemm | Op::MatMul) => false,
        Some(Op::Add | Op::Sub) => {
            let [a, b] = [magnitude(operation.operand_at(0)?)?, magnitude(operation.operand_at(1)?)?];
            return Ok(4.0 * F32_ROUNDING * (a.unwrap_or(0.0) + b.unwrap_or(0.0)));
        }
        _ => return Ok(0.0),
    };
    let [a, b] = [operation.operand_at(0)?, operation.operand_at(1)?];
    let (Some(largest_a), Some(largest_b)) = (magnitude(a)?, magnitude(b)?) else { return Ok(0.0) };
    let shape = TensorType::from_type(b.r#type())?.static_shape()?;
    // At most so many products are one sum: a kernel is `[M, C / group, cells]` or, transposed, `[C, M / group, cells]`, a matrix
    // `[.., K, N]` or `[N, K]`.
    let (channels, cells) = if convolution { shape.split_at(shape.len().min(2)) } else { (shape.as_slice(), &[][..]) };
    let channels = channels.iter().rev().take(2).max().copied().unwrap_or(1);
    let terms = channels as f64 * cells.iter().product::<usize>() as f64;
    Ok(terms.powf(1.5) * F32_ROUNDING * largest_a * largest_b)
}

/// What the rounding of a mean comes to behind a normalization by it, whose f32 sums have an order of their own on each side: all of a result
/// where the values of a row are the same. A mean of `n` values of magnitude up to X is `sqrt(n) X` times 2^-24 away, and that is divided by at
/// least the root of epsilon, then scaled. 0 for other operations. `computed` has values by node.
///
/// # Errors
/// When types or attributes cannot be read.
pub fn normalization_error(
    operation: OperationRef<'_, '_>,
    computed: &HashMap<String, Vec<f32>>,
) -> Result<f64, IrError> {
    let Some(op @ (Op::LayerNormalization | Op::GroupNormalization | Op::InstanceNormalization)) = Op::of(operation)
    else {
        return Ok(0.0);
    };
    let x = operation.operand_at(0)?;
    let shape = TensorType::from_type(x.r#type())?.static_shape()?;
    // As many as there are, or fewer.
    let terms = match op {
        Op::LayerNormalization => {
            let axis = normalize_axis(attributes::axis(operation)?, shape.len()).unwrap_or(0);
            shape.iter().skip(axis).product::<usize>()
        }
        _ => shape.iter().skip(1).product(),
    };
    let [x, factor] = [largest(x, computed)?, largest(operation.operand_at(1)?, computed)?];
    let least = attributes::epsilon(operation)?.max(LEAST_EPSILON).sqrt();
    Ok(((terms as f64).sqrt() + 4.0) * F32_ROUNDING * x * factor / least)
}

/// The largest magnitude of a value: a constant's, that of what a node computed, or what its type can hold.
fn largest(value: Value<'_, '_>, computed: &HashMap<String, Vec<f32>>) -> Result<f64, IrError> {
    if let Some(constant) = ir::constant_of(value) {
        return Ok(largest_magnitude(&constant.f32s()?).into());
    }
    let node = ir::defining_operation(value).map(|operation| operation.node());
    Ok(match node.and_then(|node| computed.get(&node)) {
        Some(values) => {
            values.iter().filter(|value| value.is_finite()).fold(0f32, |most, value| most.max(value.abs())).into()
        }
        None => magnitude(value)?.unwrap_or(0.0),
    })
}

/// The largest magnitude of what a cast gives; `None` for other values.
fn magnitude(value: Value<'_, '_>) -> Result<Option<f64>, IrError> {
    let Some(cast) = ir::defining_operation(value).filter(|cast| quant::Op::DequantizeCast.is(*cast)) else {
        return Ok(None);
    };
    Ok(match TensorType::from_type(cast.operand_at(0)?.r#type())?.element {
        Element::Quantized(quantized) => Some(f64::from(1u32 << (quantized.bits - 1)) * largest_scale(&quantized)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::calibrate::network;

    /// What a pass makes of the parts of a node may be called as a node of the user is.
    #[test]
    fn a_constant_of_the_name_of_a_node_is_not_cut() {
        const TEXT: &str = r#"func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
            %c = hfloat.constant dense<[1.0, 2.0]> : tensor<2xf32> loc("first/weight")
            %0 = hfloat.add %x, %c : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32> loc("first")
            %1 = hfloat.neg %0 : (tensor<2xf32>) -> tensor<2xf32> loc("first/weight")
            return %1 : tensor<2xf32>
        }"#;
        let context = hb_dialects::context();
        let module = melior::ir::Module::parse(&context, TEXT).expect("the text parses");
        let nodes = ["first", "first/weight"];
        let computed = nodes.iter().map(|node| ((*node).to_owned(), vec![0.0; 2])).collect();
        let on_bpu = nodes.iter().map(|node| (*node, false)).collect();
        let cuts = cut(network(&module).expect("a network"), &computed, &on_bpu).expect("it is cut");
        assert_eq!(cuts.iter().map(|cut| cut.node.as_str()).collect::<Vec<_>>(), nodes);
        let sum = ir::defining_operation(cuts[0].value).expect("a sum");
        assert!(ir::constant_of(sum.operand_at(1).expect("two operands")).is_some());
    }
}
