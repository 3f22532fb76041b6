//! Builds the operations of a layer's steps, with their names.

use super::super::fuse_scales::constant_before;
use super::super::infer_shapes::fold_constants;
use hb_dialects::{
    ElementType,
    hfloat::{Op, infer_types},
    ir::{self, Names, OperationAttributes, Origin, TensorType, attribute},
    names::{OVER_STEPS, STATE, STATE_OPERANDS},
    pass::PassFailure,
};
use melior::{
    Context,
    ir::{Attribute, OperationRef, Value, ValueLike, operation::OperationLike},
};
use std::collections::BTreeMap;

/// Where operations go, and what they are called.
pub(super) struct Steps<'c, 'a, 'n> {
    layer: OperationRef<'c, 'a>,
    origin: Origin,
    names: &'n mut Names,
    /// Of the direction, where there are two.
    direction: &'static str,
    /// The step that is built.
    time: usize,
    /// Values before the first step, with what they are of each step.
    initial: Vec<(Value<'c, 'a>, &'static str)>,
    /// Constants of indices that are there already.
    indices: BTreeMap<Vec<i64>, Value<'c, 'a>>,
}

/// Attributes of an operation.
type Attributes<'s, 'c> = &'s [(&'s str, Attribute<'c>)];

impl<'c, 'a, 'n> Steps<'c, 'a, 'n> {
    /// In front of a layer; `direction` is empty where there is only one.
    pub(super) fn new(layer: OperationRef<'c, 'a>, names: &'n mut Names, direction: &'static str) -> Self {
        let origin = layer.origin();
        Self { layer, origin, names, direction, time: 0, initial: Vec::new(), indices: BTreeMap::new() }
    }

    /// Says which values the state begins with.
    pub(super) fn begin_with<const N: usize>(&mut self, state: [(Option<Value<'c, 'a>>, &'static str); N]) {
        let given = state.into_iter().filter_map(|(value, name)| Some((value?, name)));
        self.initial = given.filter(|(value, _)| ir::constant_of(*value).is_none()).collect();
    }

    /// What is built next belongs to this step.
    pub(super) fn at(&mut self, time: usize) {
        self.time = time;
    }

    fn part(&self, name: &str) -> String {
        if self.direction.is_empty() { name.to_owned() } else { format!("{}/{name}", self.direction) }
    }

    /// An operation that belongs to no step, or only moves elements.
    pub(super) fn plain(
        &mut self,
        op: Op,
        name: &str,
        operands: &[Value<'c, 'a>],
        attributes: Attributes<'_, 'c>,
    ) -> Result<Value<'c, 'a>, PassFailure> {
        let context = self.context();
        let location = self.names.derive(&self.origin, &self.part(name)).location(context);
        let types = [TensorType::unranked(ElementType::F32).to_type(context)];
        let built = ir::build(context, op.name(), operands, attributes, &types, vec![], location)?;
        let built = ir::insert_before(self.layer, built);
        let fail = |reason: String| PassFailure::Message(format!("node '{}' {reason}", built.node()));
        for (result, r#type) in ir::results(built).into_iter().zip(infer_types(built).map_err(fail)?) {
            ir::set_result_type(result, r#type.to_type(context));
        }
        let made = fold_constants(built).map_err(|reason| PassFailure::Message(format!("{name}: {reason}")))?;
        first(made.unwrap_or(built))
    }

    /// An operation of the step, whose result is one value over all steps.
    pub(super) fn add(
        &mut self,
        op: Op,
        name: &str,
        operands: &[Value<'c, 'a>],
        attributes: Attributes<'_, 'c>,
    ) -> Result<Value<'c, 'a>, PassFailure> {
        let context = self.context();
        let value = self.plain(op, &format!("step_{}/{name}", self.time), operands, attributes)?;
        let Some(operation) = ir::defining_operation(value).filter(|made| op.is(*made)) else { return Ok(value) };
        ir::set_attribute(operation, OVER_STEPS, attribute::string(context, &self.over_steps(name)));
        let states: Vec<String> = operands.iter().map(|operand| self.state_of(*operand)).collect();
        if states.iter().any(|state| !state.is_empty()) {
            let states: Vec<_> = states.iter().map(|state| attribute::string(context, state)).collect();
            ir::set_attribute(operation, STATE_OPERANDS, attribute::array(context, &states));
        }
        Ok(value)
    }

    /// Says of a value of the step that the next one reads it.
    pub(super) fn mark_state(&self, value: Value<'c, 'a>) {
        if let Some(operation) = ir::defining_operation(value).filter(|made| made.has_attribute(OVER_STEPS)) {
            ir::set_attribute(operation, STATE, Attribute::unit(self.context()));
        }
    }

    /// That of the layer.
    pub(super) fn context(&self) -> &'c Context {
        self.layer.context_reference()
    }

    /// What a value is called over all steps.
    fn over_steps(&self, name: &str) -> String {
        self.origin.part(&self.part(name)).name
    }

    fn state_of(&self, value: Value<'c, 'a>) -> String {
        let found = self.initial.iter().find(|(initial, _)| ir::address(*initial) == ir::address(value));
        found.map(|(_, name)| self.over_steps(name)).unwrap_or_default()
    }

    /// A part of a value along one dimension; the value itself where that is all of it.
    pub(super) fn slice(
        &mut self,
        name: &str,
        value: Value<'c, 'a>,
        axis: usize,
        start: usize,
        end: usize,
    ) -> Result<Value<'c, 'a>, PassFailure> {
        let shape = TensorType::from_type(value.r#type())?.static_shape()?;
        if start == 0 && shape.get(axis) == Some(&end) {
            return Ok(value);
        }
        let mut operands = vec![value];
        for number in [start, end, axis, 1] {
            operands.push(self.integers(&[number as i64])?);
        }
        self.plain(Op::Slice, &format!("step_{}/{name}", self.time), &operands, &[])
    }

    /// Values along one dimension; a single one as it is.
    pub(super) fn concat(
        &mut self,
        name: &str,
        values: &[Value<'c, 'a>],
        axis: usize,
    ) -> Result<Value<'c, 'a>, PassFailure> {
        if let [only] = values {
            return Ok(*only);
        }
        let axis = attribute::si64(self.context(), axis as i64);
        self.plain(Op::Concat, name, values, &[("axis", axis)])
    }

    /// A constant of f32.
    pub(super) fn constant(
        &mut self,
        name: &str,
        shape: &[usize],
        values: &[f32],
    ) -> Result<Value<'c, 'a>, PassFailure> {
        Ok(constant_before(self.layer, &self.part(name), &TensorType::new(ElementType::F32, shape), values)?)
    }

    /// A constant vector of indices.
    pub(super) fn integers(&mut self, values: &[i64]) -> Result<Value<'c, 'a>, PassFailure> {
        if let Some(known) = self.indices.get(values) {
            return Ok(*known);
        }
        let made = super::super::expand_splits::indices_before(self.layer, "indices", values)?;
        self.indices.insert(values.to_vec(), made);
        Ok(made)
    }
}

fn first<'c, 'a>(operation: OperationRef<'c, 'a>) -> Result<Value<'c, 'a>, PassFailure> {
    let value = ir::results(operation).into_iter().next();
    value.ok_or_else(|| PassFailure::Message(format!("'{}' has no result", operation.operation_name())))
}
