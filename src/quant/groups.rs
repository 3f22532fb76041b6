//! Which values are quantized, and which of them share a scale.

use super::rules::{QuantizedRole, ResultScale, is_float16, rule_of};
use super::thresholds::value_name;
use hb_dialects::ElementType;
use hb_dialects::hfloat::Op;
use hb_dialects::ir::{self, IrError, OperationAttributes, TensorType, attribute};
use hb_dialects::names::{OVER_STEPS, STATE, STATE_OPERANDS};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};
use std::collections::{BTreeSet, HashMap, HashSet};

/// The f32 values of a function, in order: arguments first, then results.
pub struct ScaleGroups<'c, 'a> {
    values: Vec<Value<'c, 'a>>,
    index: HashMap<usize, usize>,
    /// Position of the value whose scale a value has; itself for those that are measured.
    source: Vec<usize>,
    quantized: Vec<bool>,
    /// Whether the value comes out of a quantized operation, so that only its integers exist.
    integer_born: Vec<bool>,
    /// Whether an operation that is computed in float16 gives the value.
    float16: Vec<bool>,
    /// Whether the value is one of those, moved.
    moved_float16: Vec<bool>,
    /// Of values that are one over all steps of a recurrent layer, by what they are called: the position of the source.
    over_steps: HashMap<String, usize>,
}

impl<'c, 'a> ScaleGroups<'c, 'a> {
    /// Finds the groups of a function whose types are static.
    ///
    /// A value is quantized when a quantized operation reads it, or computes it and gives no exact result. One that gives f32 asks for no integers. Through operations that keep the scale of their
    /// input this spreads both ways, so that a reshape between two convolutions is quantized and one after a softmax is not. An operation in float16
    /// asks for no integers either; what only moves its result moves float16, unless a reader asks for integers.
    ///
    /// What is one value over all steps of a recurrent layer has one scale, the state that it begins with included: so a state that one run gives is what the
    /// next one takes.
    ///
    /// # Errors
    /// When attributes or types cannot be read.
    pub fn of(function: OperationRef<'c, 'a>) -> Result<Self, IrError> {
        let mut groups = ScaleGroups {
            values: Vec::new(),
            index: HashMap::new(),
            source: Vec::new(),
            quantized: Vec::new(),
            integer_born: Vec::new(),
            float16: Vec::new(),
            moved_float16: Vec::new(),
            over_steps: HashMap::new(),
        };
        let Some(block) = ir::body(function) else { return Ok(groups) };
        for argument in ir::arguments(block) {
            groups.add(argument)?;
        }
        let operations = ir::operations(block);
        for &operation in &operations {
            if !Op::Constant.is(operation) {
                for result in ir::results(operation) {
                    groups.add(result)?;
                }
            }
            groups.mark(operation)?;
        }
        groups.settle();
        for &operation in &operations {
            groups.mark_integer_born(operation)?;
        }
        Ok(groups)
    }

    fn add(&mut self, value: Value<'c, 'a>) -> Result<(), IrError> {
        if TensorType::from_type(value.r#type())?.element == ElementType::F32 {
            let position = self.values.len();
            self.index.insert(ir::address(value), position);
            self.values.push(value);
            self.source.push(position);
            self.quantized.push(false);
            self.integer_born.push(false);
            self.float16.push(false);
            self.moved_float16.push(false);
        }
        Ok(())
    }

    fn mark(&mut self, operation: OperationRef<'c, 'a>) -> Result<(), IrError> {
        let Some(rule) = rule_of(operation)? else { return Ok(()) };
        let result = operation.result(0).ok().and_then(|result| self.position(result.into()));
        let Some(result) = result else { return Ok(()) };
        if is_float16(operation) {
            self.float16[result] = true;
            return Ok(());
        }
        let scale = rule.result(operation)?;
        if scale == ResultScale::LikeInput {
            if let Some(input) = self.position(operation.operand_at(0)?) {
                self.source[result] = self.source[input];
                if self.float16[input] || self.moved_float16[input] {
                    self.moved_float16[result] = rule.float16_form(operation)?.is_ok();
                    self.quantized[result] |= !self.moved_float16[result];
                }
            }
            return Ok(());
        }
        if scale == ResultScale::OwnOrFloat {
            return Ok(());
        }
        self.quantized[result] |= scale == ResultScale::Own;
        self.join_steps(operation, result)?;
        for (index, operand) in operation.operands().enumerate() {
            if rule.role(operation, index)? == QuantizedRole::Activation
                && let Some(position) = self.position(operand)
            {
                self.quantized[position] = true;
            }
        }
        Ok(())
    }

    /// Gives the result of an operation of a recurrent layer the scale of the same value at earlier steps, and at first that of what the state begins with.
    fn join_steps(&mut self, operation: OperationRef<'c, 'a>, result: usize) -> Result<(), IrError> {
        let states = operation.attribute(STATE_OPERANDS).ok().and_then(attribute::array_elements).unwrap_or_default();
        for (operand, state) in operation.operands().zip(states) {
            let state = attribute::text(state).filter(|state| !state.is_empty());
            if let (Some(state), Some(position)) = (state, self.position(operand)) {
                self.over_steps.entry(state).or_insert(self.source[position]);
            }
        }
        if operation.has_attribute(OVER_STEPS) {
            let own = self.source[result];
            self.source[result] = *self.over_steps.entry(operation.string(OVER_STEPS)?).or_insert(own);
        }
        Ok(())
    }

    /// A group is quantized when one of its members is.
    fn settle(&mut self) {
        for position in 0..self.values.len() {
            if self.quantized[position] {
                self.quantized[self.source[position]] = true;
            }
        }
        for position in 0..self.values.len() {
            self.quantized[position] = self.quantized[self.source[position]];
            self.float16[position] |= self.moved_float16[position] && !self.quantized[position];
        }
    }

    fn mark_integer_born(&mut self, operation: OperationRef<'c, 'a>) -> Result<(), IrError> {
        if rule_of(operation)?.is_some() {
            for result in ir::results(operation) {
                if let Some(position) = self.position(result) {
                    self.integer_born[position] = self.quantized[position] && !self.float16[position];
                }
            }
        }
        Ok(())
    }

    fn position(&self, value: Value<'_, '_>) -> Option<usize> {
        self.index.get(&ir::address(value)).copied()
    }

    /// Whether only the integers of a value exist, so that every reader sees quantized values.
    pub fn is_integer_born(&self, value: Value<'_, '_>) -> bool {
        self.position(value).is_some_and(|position| self.integer_born[position])
    }

    /// Whether a value comes out of an operation in float16.
    pub fn is_float16(&self, value: Value<'_, '_>) -> bool {
        self.position(value).is_some_and(|position| self.float16[position])
    }

    /// The value whose threshold decides the scale of `value`.
    pub fn source(&self, value: Value<'c, 'a>) -> Value<'c, 'a> {
        self.position(value).map_or(value, |position| self.values[self.source[position]])
    }

    /// The quantized values, in order.
    pub fn quantized(&self) -> impl Iterator<Item = Value<'c, 'a>> + '_ {
        self.values.iter().zip(&self.quantized).filter(|(_, quantized)| **quantized).map(|(value, _)| *value)
    }

    /// The values whose thresholds calibration must measure, in order.
    pub fn measured(&self) -> impl Iterator<Item = Value<'c, 'a>> + '_ {
        self.that_are_measured(true)
    }

    /// The values that need no threshold of their own, in order.
    pub fn not_measured(&self) -> impl Iterator<Item = Value<'c, 'a>> + '_ {
        self.that_are_measured(false)
    }

    fn that_are_measured(&self, wanted: bool) -> impl Iterator<Item = Value<'c, 'a>> + '_ {
        let is_measured = |position: usize| self.quantized[position] && self.source[position] == position;
        (0..self.values.len())
            .filter(move |&position| is_measured(position) == wanted)
            .map(|position| self.values[position])
    }
}

/// The names of the values that are measured, each with that of the value whose range it has: its own, or what it is at another step.
///
/// # Errors
/// When attributes or types cannot be read.
pub fn observed_values(function: OperationRef<'_, '_>, groups: &ScaleGroups<'_, '_>) -> Result<Sources, IrError> {
    let measured = groups.measured().map(|value| (value_name(function, value), value_name(function, value)));
    let mut observed: Sources = measured.collect();
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        if !operation.has_attribute(OVER_STEPS) || rule_of(operation)?.is_none() || is_float16(operation) {
            continue;
        }
        let results = ir::results(operation).into_iter();
        let names = results.map(|value| (value_name(function, value), value_name(function, groups.source(value))));
        observed.extend(names.filter(|(_, source)| observed.contains_key(source)).collect::<Vec<_>>());
    }
    Ok(observed)
}

/// The names of the values whose ranges those have that recurrent layers hand from step to step.
///
/// # Errors
/// When attributes or types cannot be read.
pub fn states(function: OperationRef<'_, '_>) -> Result<BTreeSet<String>, IrError> {
    let operations = ir::body(function).map(ir::operations).unwrap_or_default();
    let states: Vec<_> =
        operations.into_iter().filter(|operation| operation.has_attribute(STATE)).flat_map(ir::results).collect();
    // Most networks have no recurrent layer.
    if states.is_empty() {
        return Ok(BTreeSet::new());
    }
    let groups = ScaleGroups::of(function)?;
    let states = states.into_iter().filter(|state| groups.is_integer_born(*state));
    Ok(states.map(|state| value_name(function, groups.source(state))).collect())
}

/// The name of the value whose threshold decides the scale of each value, by its name.
pub type Sources = HashMap<String, String>;

/// Whose thresholds decide, before operations become float16: what moves a value has a range of its own then, which is that of what it moves.
///
/// # Errors
/// When attributes or types cannot be read.
pub fn sources(function: OperationRef<'_, '_>) -> Result<Sources, IrError> {
    let groups = ScaleGroups::of(function)?;
    let pair = |value: &Value<'_, '_>| (value_name(function, *value), value_name(function, groups.source(*value)));
    Ok(groups.values.iter().map(pair).collect())
}

/// The names of the values that need a threshold.
///
/// # Errors
/// When attributes or types cannot be read.
pub fn measured_values(function: OperationRef<'_, '_>) -> Result<HashSet<String>, IrError> {
    Ok(ScaleGroups::of(function)?.measured().map(|value| value_name(function, value)).collect())
}
