//! One step of each kind of cell, as ONNX LSTM-22, GRU-22 and RNN-22 define it.

use super::steps::Steps;
use crate::cpu::{Activation, ActivationKind, Cell, Recurrence};
use hb_dialects::{hfloat::Op, ir::attribute, pass::PassFailure};
use melior::ir::Value;

/// What the hidden state is called over all steps.
pub(super) const HIDDEN: &str = "hidden";
/// What the cell state is called over all steps.
pub(super) const CELL: &str = "cell";

/// What a step hands to the next. Of a layer without cells both are the same.
#[derive(Clone, Copy)]
pub(super) struct State<'c, 'a> {
    pub(super) hidden: Value<'c, 'a>,
    pub(super) cell: Value<'c, 'a>,
}

/// The state before a step; zeros are none.
pub(super) struct Before<'c, 'a> {
    pub(super) hidden: Option<Value<'c, 'a>>,
    pub(super) cell: Option<Value<'c, 'a>>,
}

/// The constants of a direction.
pub(super) struct Weights<'c, 'a> {
    /// `[hidden, hidden]` by gate.
    pub(super) gates: Vec<Value<'c, 'a>>,
    /// `[1, 1, hidden]`: what a reset gate is applied to beside the product.
    pub(super) reset_bias: Option<Value<'c, 'a>>,
    /// `[1, 1, hidden]` each: of the gates input, output, forget.
    pub(super) peepholes: Vec<Value<'c, 'a>>,
}

/// The gates of a cell in the order of ONNX, and their names.
pub(super) fn gates(cell: Cell) -> &'static [&'static str] {
    match cell {
        Cell::Lstm { .. } => &["input", "output", "forget", "candidate"],
        Cell::Gru { .. } => &["update", "reset", "candidate"],
        Cell::Rnn => &[HIDDEN],
    }
}

/// Places in [`gates`].
const INPUT: usize = 0;
const OUTPUT: usize = 1;
const FORGET: usize = 2;
const CANDIDATE: usize = 3;
const UPDATE: usize = 0;
const RESET: usize = 1;
const GRU_CANDIDATE: usize = 2;

type Built<'c, 'a> = Result<Value<'c, 'a>, PassFailure>;

/// A step of a direction.
struct Step<'s, 'c, 'a, 'n> {
    steps: &'s mut Steps<'c, 'a, 'n>,
    recurrence: &'s Recurrence,
    activations: &'s [Activation],
    weights: &'s Weights<'c, 'a>,
    /// By gate: products of the input with its weights and the biases, `[1, batch, hidden]` or `[batch, 1, hidden]`.
    inputs: &'s [Value<'c, 'a>],
    before: &'s Before<'c, 'a>,
    /// By gate: products of the state before with the recurrence; none where that is zero, and where a reset gate comes first.
    products: Vec<Option<Value<'c, 'a>>>,
}

/// Builds a step.
pub(super) fn step<'c, 'a>(
    steps: &mut Steps<'c, 'a, '_>,
    recurrence: &Recurrence,
    activations: &[Activation],
    weights: &Weights<'c, 'a>,
    inputs: &[Value<'c, 'a>],
    before: &Before<'c, 'a>,
) -> Result<State<'c, 'a>, PassFailure> {
    let mut step = Step { steps, recurrence, activations, weights, inputs, before, products: Vec::new() };
    step.multiply()?;
    let state = match recurrence.cell {
        Cell::Lstm { input_forget } => step.lstm(input_forget),
        Cell::Gru { linear_before_reset } => step.gru(linear_before_reset),
        Cell::Rnn => step.rnn(),
    }?;
    steps.mark_state(state.hidden);
    steps.mark_state(state.cell);
    Ok(state)
}

impl<'c, 'a> Step<'_, 'c, 'a, '_> {
    fn lstm(&mut self, input_forget: bool) -> Result<State<'c, 'a>, PassFailure> {
        let before = self.before.cell;
        let input = self.peeped_gate("input", INPUT, before)?;
        let candidate = self.sums("candidate", CANDIDATE)?;
        let candidate = self.activated("candidate", candidate, 1)?;
        let cell = match before {
            None => self.steps.add(Op::Mul, CELL, &[input, candidate], &[])?,
            Some(before) => {
                let forget = if input_forget {
                    let one = self.steps.constant("one", &[1, 1, 1], &[1.0])?;
                    self.steps.add(Op::Sub, "forget", &[one, input], &[])?
                } else {
                    self.peeped_gate("forget", FORGET, Some(before))?
                };
                let kept = self.steps.add(Op::Mul, "kept", &[forget, before], &[])?;
                let fresh = self.steps.add(Op::Mul, "fresh", &[input, candidate], &[])?;
                self.steps.mark_state(kept);
                self.steps.mark_state(fresh);
                self.steps.add(Op::Add, CELL, &[kept, fresh], &[])?
            }
        };
        let output = self.peeped_gate("output", OUTPUT, Some(cell))?;
        let shown = self.function("shown", cell, 2)?;
        let hidden = self.steps.add(Op::Mul, HIDDEN, &[output, shown], &[])?;
        Ok(State { hidden, cell })
    }

    /// The state is `candidate + update * (state - candidate)`.
    fn gru(&mut self, linear_before_reset: bool) -> Result<State<'c, 'a>, PassFailure> {
        let update = self.sums("update", UPDATE)?;
        let update = self.activated("update", update, 0)?;
        let product = if linear_before_reset { self.reset_product()? } else { self.product_of_reset()? };
        let inputs = self.inputs(GRU_CANDIDATE)?;
        let sums = match product {
            Some(product) => self.steps.add(Op::Add, "candidate_sums", &[inputs, product], &[])?,
            None => inputs,
        };
        let candidate = self.activated("candidate", sums, 1)?;
        let hidden = match self.before.hidden {
            Some(before) => {
                let change = self.steps.add(Op::Sub, "change", &[before, candidate], &[])?;
                let kept = self.steps.add(Op::Mul, "kept", &[update, change], &[])?;
                self.steps.mark_state(change);
                self.steps.mark_state(kept);
                self.steps.add(Op::Add, HIDDEN, &[candidate, kept], &[])?
            }
            None => {
                let left = self.steps.add(Op::Mul, "left", &[update, candidate], &[])?;
                self.steps.add(Op::Sub, HIDDEN, &[candidate, left], &[])?
            }
        };
        Ok(State { hidden, cell: hidden })
    }

    /// The reset gate applied to the product of the state and its bias; none where both are zero.
    fn reset_product(&mut self) -> Result<Option<Value<'c, 'a>>, PassFailure> {
        let bias = self.weights.reset_bias;
        let term = match self.product(GRU_CANDIDATE) {
            None => bias,
            Some(product) => Some(match bias {
                Some(bias) => self.steps.add(Op::Add, "candidate_biased", &[product, bias], &[])?,
                None => product,
            }),
        };
        let Some(term) = term else { return Ok(None) };
        let reset = self.sums("reset", RESET)?;
        let reset = self.activated("reset", reset, 0)?;
        self.steps.add(Op::Mul, "candidate_reset", &[reset, term], &[]).map(Some)
    }

    /// The product of the state that the reset gate was applied to; none where the state is zero.
    fn product_of_reset(&mut self) -> Result<Option<Value<'c, 'a>>, PassFailure> {
        let Some(before) = self.before.hidden else { return Ok(None) };
        let reset = self.sums("reset", RESET)?;
        let reset = self.activated("reset", reset, 0)?;
        let state = self.steps.add(Op::Mul, "reset_state", &[reset, before], &[])?;
        self.multiplied("candidate", GRU_CANDIDATE, state)
    }

    fn rnn(&mut self) -> Result<State<'c, 'a>, PassFailure> {
        let sums = self.sums(HIDDEN, 0)?;
        let hidden = self.activated(HIDDEN, sums, 0)?;
        Ok(State { hidden, cell: hidden })
    }

    /// What a gate has of the input.
    fn inputs(&self, gate: usize) -> Built<'c, 'a> {
        let inputs = self.inputs.get(gate).copied();
        inputs.ok_or_else(|| PassFailure::Message(format!("a recurrent layer has no gate {gate}")))
    }

    /// The products of the state before. One engine has them all before others go on.
    fn multiply(&mut self) -> Result<(), PassFailure> {
        let resets_first = self.recurrence.cell == Cell::Gru { linear_before_reset: false };
        for (gate, name) in gates(self.recurrence.cell).iter().enumerate() {
            let product = match self.before.hidden.filter(|_| !(resets_first && gate == GRU_CANDIDATE)) {
                Some(state) => self.multiplied(name, gate, state)?,
                None => None,
            };
            self.products.push(product);
        }
        Ok(())
    }

    fn product(&self, gate: usize) -> Option<Value<'c, 'a>> {
        self.products.get(gate).copied().flatten()
    }

    /// The product of a state with the recurrence of a gate.
    fn multiplied(
        &mut self,
        name: &str,
        gate: usize,
        state: Value<'c, 'a>,
    ) -> Result<Option<Value<'c, 'a>>, PassFailure> {
        let Some(&recurrence) = self.weights.gates.get(gate) else { return Ok(None) };
        self.steps.add(Op::MatMul, &format!("{name}_product"), &[state, recurrence], &[]).map(Some)
    }

    /// What a gate has of the input and of the state.
    fn sums(&mut self, name: &str, gate: usize) -> Built<'c, 'a> {
        let inputs = self.inputs(gate)?;
        match self.product(gate) {
            Some(product) => self.steps.add(Op::Add, &format!("{name}_sums"), &[inputs, product], &[]),
            None => Ok(inputs),
        }
    }

    /// A gate of an LSTM, which may see a cell state.
    fn peeped_gate(&mut self, name: &str, gate: usize, cell: Option<Value<'c, 'a>>) -> Built<'c, 'a> {
        let mut sums = self.sums(name, gate)?;
        if let (Some(cell), Some(&weight)) = (cell, self.weights.peepholes.get(gate)) {
            let seen = self.steps.add(Op::Mul, &format!("{name}_seen"), &[cell, weight], &[])?;
            sums = self.steps.add(Op::Add, &format!("{name}_peeped"), &[sums, seen], &[])?;
        }
        self.activated(name, sums, 0)
    }

    /// A function of the layer with its argument within `clip`.
    fn activated(&mut self, name: &str, argument: Value<'c, 'a>, number: usize) -> Built<'c, 'a> {
        let argument = match self.recurrence.clip {
            Some(limit) => {
                let lower = self.steps.constant("lower", &[], &[-limit as f32])?;
                let upper = self.steps.constant("upper", &[], &[limit as f32])?;
                self.steps.add(Op::Clip, &format!("{name}_clipped"), &[argument, lower, upper], &[])?
            }
            None => argument,
        };
        self.function(name, argument, number)
    }

    /// A function of the layer.
    fn function(&mut self, name: &str, argument: Value<'c, 'a>, number: usize) -> Built<'c, 'a> {
        let Some(&Activation { kind, alpha, beta }) = self.activations.get(number) else { return Ok(argument) };
        let context = self.steps.context();
        let [alpha_of, beta_of] = [("alpha", alpha), ("beta", beta)]
            .map(|(attribute, value)| (attribute, attribute::f32(context, value as f32)));
        match kind {
            ActivationKind::Sigmoid => self.steps.add(Op::Sigmoid, name, &[argument], &[]),
            ActivationKind::Tanh => self.steps.add(Op::Tanh, name, &[argument], &[]),
            ActivationKind::Relu => self.steps.add(Op::Relu, name, &[argument], &[]),
            ActivationKind::Softsign => self.steps.add(Op::Softsign, name, &[argument], &[]),
            ActivationKind::Softplus => self.steps.add(Op::Softplus, name, &[argument], &[]),
            ActivationKind::LeakyRelu => self.steps.add(Op::LeakyRelu, name, &[argument], &[alpha_of]),
            ActivationKind::Elu => self.steps.add(Op::Elu, name, &[argument], &[alpha_of]),
            ActivationKind::ThresholdedRelu => self.steps.add(Op::ThresholdedRelu, name, &[argument], &[alpha_of]),
            ActivationKind::HardSigmoid => self.steps.add(Op::HardSigmoid, name, &[argument], &[alpha_of, beta_of]),
            ActivationKind::Affine => {
                let product = self.by_number(Op::Mul, &format!("{name}_scaled"), argument, alpha)?;
                self.by_number(Op::Add, name, product, beta)
            }
            ActivationKind::ScaledTanh => {
                let scaled = self.by_number(Op::Mul, &format!("{name}_scaled"), argument, beta)?;
                let tanh = self.steps.add(Op::Tanh, &format!("{name}_tanh"), &[scaled], &[])?;
                self.by_number(Op::Mul, name, tanh, alpha)
            }
        }
    }

    /// An operation on a value and one number.
    fn by_number(&mut self, op: Op, name: &str, value: Value<'c, 'a>, number: f64) -> Built<'c, 'a> {
        let number = self.steps.constant("number", &[1, 1, 1], &[number as f32])?;
        self.steps.add(op, name, &[value, number], &[])
    }
}
