//! In which types operations run, beside what was asked for.

use super::{
    calibrate::CalibrationError,
    groups::sources,
    info::{ActivationType, QuantInfo},
    requests::AskedTypes,
    rules::{ROUNDED, ResultScale, rule_of},
    settle::{Settled, activation_of, ask, settle},
    thresholds::{assign_float16, assign_operand_bits, assign_thresholds, value_name},
};
use hb_dialects::{
    hfloat::Op,
    ir::{self, Element, OperationAttributes},
    names::FUNCTION,
    pass::PassFailure,
};
use melior::ir::{Module, OperationRef, operation::OperationLike};
use std::collections::BTreeSet;

/// The types of an operation of the BPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenTypes {
    /// Its name.
    pub node: String,
    /// As ONNX calls it.
    pub operator: String,
    /// Bits of each operand that is integers of an activation, with the name of the value whose scale it has.
    pub operands: Vec<Option<(u32, String)>>,
    /// Bits of the result; none where it keeps its 32-bit sums, or is real numbers.
    pub result: Option<u32>,
    /// Whether it would keep them if no type was asked for its result.
    pub rounded: bool,
    /// Whether its result has the type of its first operand.
    pub moves: bool,
    /// Why it sees operands as int8 that are int16.
    pub narrowed: Option<String>,
    /// Whether it is computed in float16.
    pub float16: bool,
}

/// The types in which the operations of a float network run with these decisions.
///
/// # Errors
/// When a value has no range, or attributes or types cannot be read.
pub fn given_types(module: &Module<'_>, info: &QuantInfo) -> Result<Vec<GivenTypes>, CalibrationError> {
    Ok(on_copy(module, info, &|function| {
        let Settled { groups, activations, types, narrowed, .. } = settle(function)?;
        let bits = |element: &Option<Element>| match element {
            Some(Element::Quantized(quantized)) => Some(quantized.bits),
            _ => None,
        };
        let mut given = Vec::with_capacity(types.len());
        for (operation, types) in &types {
            let mut operands = Vec::with_capacity(types.operands.len());
            for (index, quantized) in types.operands.iter().enumerate() {
                let operand = operation.operand_at(index)?;
                let is_activation = activation_of(&activations, operand).is_some();
                let source = value_name(function, groups.source(operand));
                operands.push(bits(quantized).filter(|_| is_activation).map(|bits| (bits, source)));
            }
            let reason = narrowed.iter().find(|(other, _)| other == operation).map(|(_, reason)| reason.clone());
            given.push(GivenTypes {
                node: operation.node(),
                operator: operator(*operation),
                operands,
                result: bits(&types.result),
                rounded: operation.has_attribute(ROUNDED),
                moves: matches!(
                    rule_of(*operation)?.map(|rule| rule.result(*operation)).transpose()?,
                    Some(ResultScale::LikeInput)
                ),
                narrowed: reason,
                float16: types.has_float16(),
            });
        }
        Ok(given)
    })?)
}

/// Takes requests back that an operation has no form for at all: they would move it to the CPU.
///
/// # Errors
/// As [`given_types`].
pub fn keep_forms(module: &Module<'_>, info: &QuantInfo, asked: &mut AskedTypes) -> Result<(), CalibrationError> {
    let mut usual: Option<BTreeSet<String>> = None;
    loop {
        let mut wide = info.clone();
        wide.ask(asked);
        let refused = refused(module, &wide)?;
        if refused.is_empty() {
            return Ok(());
        }
        let usual = match &mut usual {
            Some(usual) => usual,
            // What has no form without requests either.
            usual => usual.insert(self::refused(module, info)?.into_iter().map(|refusal| refusal.node).collect()),
        };
        let mut taken_back = Vec::new();
        for Refusal { node, operator, reason, values } in
            refused.iter().filter(|refusal| !usual.contains(&refusal.node))
        {
            for value in values.iter().filter(|value| asked.values.get(*value) == Some(&ActivationType::Int16)) {
                let sentence = format!(
                    "the value of '{value}' stays int8: its neighbour '{node}' ({operator}) has no form for it as int16: {reason}"
                );
                taken_back.push((value.clone(), sentence));
            }
        }
        if taken_back.is_empty() {
            return Ok(());
        }
        for (value, sentence) in taken_back {
            if asked.values.remove(&value).is_some() {
                asked.refused.push(sentence);
            }
        }
    }
}

/// An operation without a form.
struct Refusal {
    node: String,
    operator: String,
    reason: String,
    /// The values whose scales it sees.
    values: Vec<String>,
}

fn refused(module: &Module<'_>, info: &QuantInfo) -> Result<Vec<Refusal>, PassFailure> {
    on_copy(module, info, &|function| {
        let Settled { groups, refused, .. } = ask(function)?;
        let refusal = |(operation, reason): (OperationRef<'_, '_>, String)| {
            let values = operation.operands().chain(ir::results(operation));
            let values = values.map(|value| value_name(function, groups.source(value))).collect();
            Refusal { node: operation.node(), operator: operator(operation), reason, values }
        };
        Ok(refused.into_iter().map(refusal).collect())
    })
}

/// Looks at a copy of a float network on which these decisions stand.
fn on_copy<T>(
    module: &Module<'_>,
    info: &QuantInfo,
    look: &dyn Fn(OperationRef<'_, '_>) -> Result<T, PassFailure>,
) -> Result<T, PassFailure> {
    let copy = ir::copy_module(module)?;
    let function = ir::function_named(copy.as_operation(), FUNCTION)
        .ok_or_else(|| PassFailure::Message(format!("there is no function @{FUNCTION}")))?;
    let (ranges, sources) = (info.ranges(), sources(function)?);
    assign_operand_bits(function, &info.operands).map_err(PassFailure::Message)?;
    assign_float16(function, &info.float16).map_err(PassFailure::Message)?;
    let range = |name: &str| ranges.get(name).or_else(|| ranges.get(sources.get(name)?)).copied();
    assign_thresholds(function, range).map_err(PassFailure::Message)?;
    look(function)
}

fn operator(operation: OperationRef<'_, '_>) -> String {
    Op::of(operation).map(|op| op.onnx().name.to_owned()).unwrap_or_default()
}
