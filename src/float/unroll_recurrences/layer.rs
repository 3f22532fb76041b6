//! A recurrent layer: what of it is constant, its directions, and its results.

use super::cells::{self, State, Weights};
use super::steps::Steps;
use crate::cpu::{Cell, Direction, Recurrence};
use hb_dialects::{
    hfloat::{Op, RecurrentSizes},
    ir::{self, Constant, Names, OperationAttributes},
    pass::PassFailure,
};
use melior::ir::{OperationRef, Value, operation::OperationLike};

/// The operands by their numbers, as the records of `lstm`, `gru` and `rnn` have them.
const WEIGHT: usize = 1;
const RECURRENCE: usize = 2;
const BIAS: usize = 3;
const INITIAL_HIDDEN: usize = 5;
const INITIAL_CELL: usize = 6;
const PEEPHOLES: usize = 7;

/// A recurrent layer that can be unrolled.
pub(super) struct Layer<'c, 'a> {
    operation: OperationRef<'c, 'a>,
    recurrence: Recurrence,
    /// `[directions, gates * hidden, inputs]`.
    weight: Vec<f32>,
    /// `[directions, gates * hidden, hidden]`.
    rows: Vec<f32>,
    /// `[directions, 2 * gates * hidden]`: of the input, then of the state; empty where there is none.
    bias: Vec<f32>,
    /// `[directions, 3 * hidden]`; empty where there are none.
    peepholes: Vec<f32>,
}

/// What the steps of one direction give.
struct Unrolled<'c, 'a> {
    /// The hidden states in the order of time.
    hidden: Vec<Value<'c, 'a>>,
    last: State<'c, 'a>,
}

impl<'c, 'a> Layer<'c, 'a> {
    /// Reads the constants, or says which of them is none.
    pub(super) fn of(
        operation: OperationRef<'c, 'a>,
        recurrence: Recurrence,
    ) -> Result<Result<Self, String>, PassFailure> {
        let mut constants: [Vec<f32>; 4] = Default::default();
        let operands =
            [(WEIGHT, "weights"), (RECURRENCE, "weights of the state"), (BIAS, "biases"), (PEEPHOLES, "peepholes")];
        for ((index, name), values) in operands.into_iter().zip(&mut constants) {
            if index >= operation.operand_count() {
                continue;
            }
            let Some(constant) = ir::constant_of(operation.operand_at(index)?) else {
                return Ok(Err(format!("its {name} are known only when it runs")));
            };
            *values = constant.f32s()?.into_owned();
            if values.iter().any(|value| !value.is_finite()) {
                return Ok(Err(format!("its {name} hold infinities or no numbers")));
            }
        }
        let [weight, rows, bias, peepholes] = constants;
        Ok(Ok(Self { operation, recurrence, weight, rows, bias, peepholes }))
    }

    /// Puts the operations of all steps in the place of the layer.
    pub(super) fn unroll(&self, names: &mut Names) -> Result<(), PassFailure> {
        let mut directions = Vec::new();
        for (number, direction) in self.recurrence.directions.iter().enumerate() {
            let name = match self.recurrence.directions.len() {
                1 => "",
                _ if direction.reverse => "reverse",
                _ => "forward",
            };
            let mut steps = Steps::new(self.operation, names, name);
            directions.push(self.direction(&mut steps, number, direction)?);
        }
        let mut steps = Steps::new(self.operation, names, "");
        let axis = self.state_axis();
        let results = ir::results(self.operation);
        for (index, old) in results.into_iter().enumerate().filter(|(_, old)| !ir::users(*old).is_empty()) {
            let new = match index {
                0 => self.sequence(&mut steps, &directions)?,
                1 => {
                    steps.concat("last_h", &directions.iter().map(|each| each.last.hidden).collect::<Vec<_>>(), axis)?
                }
                _ => steps.concat("last_c", &directions.iter().map(|each| each.last.cell).collect::<Vec<_>>(), axis)?,
            };
            ir::replace_all_uses(old, new);
        }
        // SAFETY: its results are replaced, and the walk over the block is past it.
        unsafe { ir::erase(self.operation) };
        Ok(())
    }

    /// The dimension of the steps in the input.
    fn step_axis(&self) -> usize {
        usize::from(self.recurrence.batch_first)
    }

    /// The dimension of the directions in a state.
    fn state_axis(&self) -> usize {
        usize::from(self.recurrence.batch_first)
    }

    /// All hidden states: those of a direction joined along the steps, then the directions beside each other.
    fn sequence(
        &self,
        steps: &mut Steps<'c, 'a, '_>,
        directions: &[Unrolled<'c, 'a>],
    ) -> Result<Value<'c, 'a>, PassFailure> {
        // `[steps, directions, batch, hidden]`, or `[batch, steps, directions, hidden]`.
        let axis = if self.recurrence.batch_first { 2 } else { 1 };
        let mut parts = Vec::new();
        for (number, direction) in directions.iter().enumerate() {
            let joined = steps.concat(&format!("states_{number}"), &direction.hidden, self.step_axis())?;
            let axes = steps.integers(&[axis as i64])?;
            parts.push(steps.plain(Op::Unsqueeze, &format!("output_{number}"), &[joined, axes], &[])?);
        }
        steps.concat("output", &parts, axis)
    }

    fn direction(
        &self,
        steps: &mut Steps<'c, 'a, '_>,
        number: usize,
        direction: &Direction,
    ) -> Result<Unrolled<'c, 'a>, PassFailure> {
        let count = self.recurrence.sizes.steps;
        let products = self.products(steps, number)?;
        let weights = self.weights(steps, number)?;
        let mut state = cells::Before {
            hidden: self.initial(steps, INITIAL_HIDDEN, number)?,
            cell: self.initial(steps, INITIAL_CELL, number)?,
        };
        steps.begin_with([(state.hidden, cells::HIDDEN), (state.cell, cells::CELL)]);
        let order: Vec<usize> = if direction.reverse { (0..count).rev().collect() } else { (0..count).collect() };
        // All are cut apart first: between the steps, engines would wait for one another.
        let mut inputs = Vec::new();
        for &time in &order {
            steps.at(time);
            let mut of_step = Vec::new();
            for (products, gate) in products.iter().zip(cells::gates(self.recurrence.cell)) {
                of_step.push(steps.slice(&format!("{gate}_inputs"), *products, self.step_axis(), time, time + 1)?);
            }
            inputs.push(of_step);
        }
        let mut hidden = Vec::new();
        for (&time, inputs) in order.iter().zip(&inputs) {
            steps.at(time);
            let next = cells::step(steps, &self.recurrence, &direction.activations, &weights, inputs, &state)?;
            hidden.push(next.hidden);
            state = cells::Before { hidden: Some(next.hidden), cell: Some(next.cell) };
        }
        let (Some(last_hidden), Some(last_cell)) = (state.hidden, state.cell) else {
            return Err(PassFailure::Message("a recurrent layer has no steps".into()));
        };
        if direction.reverse {
            hidden.reverse();
        }
        Ok(Unrolled { hidden, last: State { hidden: last_hidden, cell: last_cell } })
    }

    /// `input * weight' + biases` of all steps, gate by gate: the input's dimensions, with the hidden ones for features. Gates have products of their own,
    /// so that each has its range, and nothing is cut apart between the engines.
    fn products(&self, steps: &mut Steps<'c, 'a, '_>, number: usize) -> Result<Vec<Value<'c, 'a>>, PassFailure> {
        let RecurrentSizes { inputs, hidden, gates, .. } = self.recurrence.sizes;
        let weight = rows_of(&self.weight, number, gates * hidden * inputs);
        let bias = rows_of(&self.bias, number, gates * hidden * 2);
        let input = self.operation.operand_at(0)?;
        let mut all = Vec::new();
        for (gate, name) in cells::gates(self.recurrence.cell).iter().enumerate() {
            let weight = transposed(rows_of(weight, gate, hidden * inputs), inputs);
            let weight = steps.constant(&format!("{name}_weight"), &[inputs, hidden], &weight)?;
            let mut sums = steps.plain(Op::MatMul, &format!("{name}_products"), &[input, weight], &[])?;
            let of_state = if self.has_own_bias(gate) { &[] } else { rows_of(bias, gates + gate, hidden) };
            let of_state = of_state.iter().copied().chain(std::iter::repeat(0.0));
            let bias: Vec<f32> = rows_of(bias, gate, hidden).iter().zip(of_state).map(|(a, b)| a + b).collect();
            if bias.iter().any(|value| *value != 0.0) {
                let bias = steps.constant(&format!("{name}_bias"), &[1, 1, hidden], &bias)?;
                sums = steps.plain(Op::Add, &format!("{name}_biased"), &[sums, bias], &[])?;
            }
            all.push(sums);
        }
        Ok(all)
    }

    /// Whether the state's bias of a gate is no part of the products of the input: a reset gate is applied to it.
    fn has_own_bias(&self, gate: usize) -> bool {
        self.recurrence.cell == Cell::Gru { linear_before_reset: true } && gate + 1 == self.recurrence.sizes.gates
    }

    /// What the steps of a direction read of constants.
    fn weights(&self, steps: &mut Steps<'c, 'a, '_>, number: usize) -> Result<Weights<'c, 'a>, PassFailure> {
        let RecurrentSizes { hidden, gates, .. } = self.recurrence.sizes;
        let rows = rows_of(&self.rows, number, gates * hidden * hidden);
        let bias = rows_of(&self.bias, number, gates * hidden * 2);
        let mut weights = Weights { gates: Vec::new(), reset_bias: None, peepholes: Vec::new() };
        for (gate, name) in cells::gates(self.recurrence.cell).iter().enumerate() {
            let matrix = transposed(rows_of(rows, gate, hidden * hidden), hidden);
            weights.gates.push(steps.constant(&format!("{name}_recurrence"), &[hidden, hidden], &matrix)?);
            let own = Some(rows_of(bias, gates + gate, hidden)).filter(|_| self.has_own_bias(gate));
            if let Some(own) = own.filter(|own| own.iter().any(|value| *value != 0.0)) {
                weights.reset_bias = Some(steps.constant("reset_bias", &[1, 1, hidden], own)?);
            }
        }
        for values in rows_of(&self.peepholes, number, hidden * 3).chunks_exact(hidden) {
            weights.peepholes.push(steps.constant("peephole", &[1, 1, hidden], values)?);
        }
        Ok(weights)
    }

    /// The state before the first step; none where it is zero.
    fn initial(
        &self,
        steps: &mut Steps<'c, 'a, '_>,
        operand: usize,
        number: usize,
    ) -> Result<Option<Value<'c, 'a>>, PassFailure> {
        let is_there = operand < INITIAL_CELL || matches!(self.recurrence.cell, Cell::Lstm { .. });
        if !is_there {
            return Ok(None);
        }
        let value = self.operation.operand_at(operand)?;
        let is_zero =
            |constant: &Constant<'_>| constant.f32s().is_ok_and(|values| values.iter().all(|value| *value == 0.0));
        if ir::constant_of(value).as_ref().is_some_and(is_zero) {
            return Ok(None);
        }
        let name = if operand == INITIAL_HIDDEN { "initial_h" } else { "initial_c" };
        steps.slice(name, value, self.state_axis(), number, number + 1).map(Some)
    }
}

/// What belongs to one direction, or one gate; nothing where there are no such values.
fn rows_of(values: &[f32], number: usize, length: usize) -> &[f32] {
    values.get(number * length..(number + 1) * length).unwrap_or_default()
}

/// A matrix with this many columns, columns first.
fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| values.iter().skip(column).step_by(columns.max(1)).copied()).collect()
}
