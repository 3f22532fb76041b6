//! Biases that make up for the mean error of rounded weights: `bias_correction` of the manual's `optimization`.
//!
//! A sum of products with rounded weights is off by `Σ (w - w') · x`. What it is off in the mean, `Σ (w - w') · E[x]` with the mean of each term of the
//! columns that calibration saw, goes into the bias of the output channel. Transposed convolutions keep their biases: how many columns a cell of their
//! result is a sum of depends on the cell.

use super::{
    linear::{LinearLayer, weights_of},
    moments::Moments,
    round_weights::weights_on_grid,
    rounded_weights::{RoundedWeights, bias_name},
};
use crate::float::constant_before;
use hb_dialects::{
    ElementType,
    hfloat::{Op, attributes},
    ir::{self, IrError, TensorType},
};
use melior::ir::{OperationRef, ValueLike, operation::OperationLike};

/// The operand that is the bias.
const BIAS: usize = 2;

/// Gives each layer of `weights` what its bias is corrected by, where it can be.
///
/// # Errors
/// When types cannot be read, or the correction of a node would have the name of another node.
pub fn correct_biases(
    function: OperationRef<'_, '_>,
    moments: &Moments,
    weights: &mut RoundedWeights,
) -> Result<(), IrError> {
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        let (Some(layer), Some(weight)) = (LinearLayer::of(function, operation)?, weights_of(operation)?) else {
            continue;
        };
        let Some(means) = moments.means(&layer.node).filter(|means| means.len() == layer.groups * layer.terms) else {
            continue;
        };
        if !takes_bias(operation, &layer)? {
            continue;
        }
        if weights.0.contains_key(&bias_name(&layer.node)) {
            let reason = format!("bias_correction needs the name '{}', which another node has", bias_name(&layer.node));
            return Err(IrError::Constant { node: layer.node, reason });
        }
        if let Some(rounded) = weights.0.get_mut(&layer.node) {
            rounded.bias = mean_errors(&layer, &weight.f32s()?, &rounded.integers, &means)?;
        }
    }
    Ok(())
}

/// What the sums of each output channel are off in the mean.
fn mean_errors(layer: &LinearLayer, weights: &[f32], integers: &[i8], means: &[f64]) -> Result<Vec<f32>, IrError> {
    let on_grid = weights_on_grid(layer, weights, integers)?;
    let (weights, on_grid) = (layer.by_row(weights)?, layer.by_row(&on_grid)?);
    let mut errors = vec![0f64; layer.channels()];
    let groups = weights.outer_iter().zip(on_grid.outer_iter()).zip(means.chunks(layer.terms.max(1)));
    for (group, ((weights, on_grid), means)) in groups.enumerate() {
        for (row, (weights, on_grid)) in weights.outer_iter().zip(on_grid.outer_iter()).enumerate() {
            let terms = weights.iter().zip(on_grid).zip(means);
            let error: f64 = terms.map(|((&w, &own), mean)| (f64::from(w) - f64::from(own)) * mean).sum();
            if let Some(cell) = errors.get_mut(layer.channel(group, row)) {
                *cell += error;
            }
        }
    }
    Ok(errors.into_iter().map(|error| error as f32).collect())
}

/// Whether an operation has, or can be given, a constant bias of one number for each output channel.
fn takes_bias(operation: OperationRef<'_, '_>, layer: &LinearLayer) -> Result<bool, IrError> {
    let plain = match Op::of(operation) {
        Some(Op::Conv) => true,
        Some(Op::Gemm) => attributes::alpha(operation)? == 1.0 && attributes::beta(operation)? == 1.0,
        _ => false,
    };
    let Ok(bias) = operation.operand(BIAS) else { return Ok(plain) };
    let constant = ir::constant_of(bias).filter(|bias| bias.r#type.element == ElementType::F32);
    Ok(plain && constant.is_some_and(|bias| bias.r#type.elements() == Some(layer.channels())))
}

/// Adds a correction to the bias of a layer, which gets one where it has none.
///
/// # Errors
/// When the layer cannot have such a bias.
pub(super) fn apply(operation: OperationRef<'_, '_>, layer: &LinearLayer, correction: &[f32]) -> Result<(), IrError> {
    if !takes_bias(operation, layer)? {
        let reason = "cannot have a bias of one constant for each output channel".to_owned();
        return Err(IrError::Constant { node: layer.node.clone(), reason });
    }
    let mut operands: Vec<_> = operation.operands().collect();
    let Some(&bias) = operands.get(BIAS) else {
        let r#type = TensorType::new(ElementType::F32, &[correction.len()]);
        operands.push(constant_before(operation, "bias", &r#type, correction)?);
        ir::set_operands(operation, &operands);
        return Ok(());
    };
    let Some(constant) = ir::constant_of(bias) else { return Ok(()) };
    let corrected: Vec<f32> = constant.f32s()?.iter().zip(correction).map(|(bias, own)| bias + own).collect();
    let r#type = TensorType::from_type(bias.r#type())?;
    ir::set_operand(operation, BIAS, constant_before(operation, "bias", &r#type, &corrected)?);
    if let Some(defining) = ir::defining_operation(bias).filter(|_| ir::users(bias).is_empty()) {
        // SAFETY: nothing reads it, and what defines a value comes before its readers, which a walk over the block is past.
        unsafe { ir::erase(defining) };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weights 1 and 0.3 of inputs with the means 2 and 10: a step is 1/127, 0.3 becomes 38 of them, which is 0.1/127 too little.
    #[test]
    fn the_mean_error_on_paper() {
        let errors = mean_errors(&LinearLayer::gemm(2), &[1.0, 0.3], &[127, 38], &[2.0, 10.0]).unwrap_or_default();
        assert!(errors.len() == 1 && (errors[0] - 1.0 / 127.0).abs() < 1e-6, "{errors:?}");
    }
}
