//! What judges a network that selects: the best of its candidates, or those that NonMaxSuppression keeps.
//!
//! A small error may change which candidates are taken, in which order and how many: then outputs that follow say nothing of the error. So a network
//! is judged by the values that selections read.

use hb_dialects::{
    ElementType,
    hfloat::Op,
    ir::{self, IrError, TensorType},
    quant,
};
use melior::ir::{BlockLike, OperationRef, Value, ValueLike, operation::OperationLike};
use std::collections::HashSet;

use super::thresholds::value_name;

/// A value that judges, by name.
pub type JudgedValue<'c, 'a> = (String, Value<'c, 'a>);

/// The outputs that no selection decides, and in place of the others, where there are such, the values that selections and what follows them read;
/// none where no output depends on a selection. Their names and their order are the same in the float network and its QDQ form.
///
/// # Errors
/// When types cannot be read.
pub fn judged_values<'c: 'a, 'a>(function: OperationRef<'c, 'a>) -> Result<Option<Vec<JudgedValue<'c, 'a>>>, IrError> {
    let operations = ir::body(function).map(ir::operations).unwrap_or_default();
    let mut decided: HashSet<usize> = HashSet::new();
    for &operation in &operations {
        if selects(operation)? || operation.operands().any(|operand| decided.contains(&ir::address(operand))) {
            decided.extend(ir::results(operation).into_iter().map(ir::address));
        }
    }
    let returned = returned(function);
    if !returned.iter().any(|value| decided.contains(&ir::address(*value))) {
        return Ok(None);
    }
    let mut judged: Vec<JudgedValue<'c, 'a>> = Vec::new();
    let mut known = HashSet::new();
    let mut add = |value: Value<'c, 'a>| {
        if !decided.contains(&ir::address(value)) && known.insert(ir::address(source(value))) {
            judged.push((value_name(function, source(value)), value));
        }
    };
    returned.into_iter().for_each(&mut add);
    for operation in operations {
        if ir::results(operation).into_iter().any(|result| decided.contains(&ir::address(result))) {
            for operand in operation.operands() {
                if is_activation(operand)? {
                    add(operand);
                }
            }
        }
    }
    // Where a selection reads nothing that has an error, the outputs are as good as any.
    Ok(Some(judged).filter(|judged| !judged.is_empty()))
}

/// The values that a function gives.
pub(super) fn returned<'c: 'a, 'a>(function: OperationRef<'c, 'a>) -> Vec<Value<'c, 'a>> {
    let end = ir::body(function).and_then(|block| block.terminator());
    end.into_iter().flat_map(|end| end.operands().collect::<Vec<_>>()).collect()
}

/// Whether an operation gives indices of what it finds best, or as many values as it finds. Those of a pool are none: its maxima lie a few
/// cells from where they were at most, and what follows still tells of errors.
fn selects(operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
    if matches!(Op::of(operation), Some(Op::TopK | Op::ArgMax | Op::ArgMin)) {
        return Ok(true);
    }
    for result in ir::results(operation) {
        if TensorType::from_type(result.r#type())?.is_bounded() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a value is made by nodes, in f32 and of a known size.
fn is_activation(value: Value<'_, '_>) -> Result<bool, IrError> {
    let r#type = TensorType::from_type(value.r#type())?;
    let is_made = ir::defining_operation(value).is_some() && ir::constant_of(value).is_none();
    Ok(is_made && r#type.element == ElementType::F32 && !r#type.is_bounded())
}

/// What casts are made of.
fn source<'c: 'a, 'a>(mut value: Value<'c, 'a>) -> Value<'c, 'a> {
    while let Some(cast) = ir::defining_operation(value).filter(|maker| quant::Op::is_cast(*maker)) {
        let Ok(operand) = cast.operand(0) else { break };
        value = operand;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::calibrate::network;

    /// The names of what judges a function of this body.
    fn judged(results: &str, body: &str) -> Option<Vec<String>> {
        let context = hb_dialects::context();
        let text = format!("func.func @main(%x: tensor<4x6xf32>) -> ({results}) {{\n{body}\n}}");
        let module = melior::ir::Module::parse(&context, &text).expect("the text parses");
        let values = judged_values(network(&module).unwrap()).unwrap();
        values.map(|values| values.into_iter().map(|(name, _)| name).collect())
    }

    const SELECTION: &str = r#"%k = hfloat.constant dense<2> : tensor<1xi64>
        %a = hfloat.relu %x : (tensor<4x6xf32>) -> tensor<4x6xf32> loc("scores")
        %b = hfloat.exp %x : (tensor<4x6xf32>) -> tensor<4x6xf32> loc("boxes")
        %v, %i = hfloat.top_k %a, %k : (tensor<4x6xf32>, tensor<1xi64>) -> (tensor<4x2xf32>, tensor<4x2xi64>)
        %g = hfloat.gather_elements %b, %i {axis = 1 : si64} : (tensor<4x6xf32>, tensor<4x2xi64>) -> tensor<4x2xf32>"#;

    #[test]
    fn what_selections_read_judges() {
        let selected = format!("{SELECTION}\nreturn %g : tensor<4x2xf32>");
        assert_eq!(judged("tensor<4x2xf32>", &selected), Some(vec!["scores".into(), "boxes".into()]));
        // An output that no selection decides judges itself.
        let both = format!("{SELECTION}\nreturn %b, %v : tensor<4x6xf32>, tensor<4x2xf32>");
        assert_eq!(judged("tensor<4x6xf32>, tensor<4x2xf32>", &both), Some(vec!["boxes".into(), "scores".into()]));
        let none = format!("{SELECTION}\nreturn %b : tensor<4x6xf32>");
        assert_eq!(judged("tensor<4x6xf32>", &none), None);
    }
}
