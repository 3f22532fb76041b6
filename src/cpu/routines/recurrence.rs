//! ONNX LSTM-22, GRU-22 and RNN-22: the recurrence. The products of the inputs are a matrix product before it.

use super::super::executable::ArrayView;
use super::super::graph::GraphTensor;
use super::super::routine::{BoardCode, Fault, ResultView, Routine};
use super::super::work::Work;
use super::activation::{Activation, Real};
use super::{clear, operand, result, values};
use hb_dialects::{ElementType, hfloat::RecurrentSizes};

/// Operands: products of the inputs with their biases `[directions, steps, batch, gates * hidden]`, recurrence
/// `[directions, gates * hidden, hidden]`, and, empty where absent: sequence lengths, initial hidden state; of an LSTM the initial cell
/// state and peepholes; of a GRU that is linear before its reset the biases.
/// Results: all hidden states, the last hidden state, of an LSTM the last cell state.
#[derive(Clone, Debug)]
pub(crate) struct Recurrence {
    pub cell: Cell,
    pub sizes: RecurrentSizes,
    pub directions: Vec<Direction>,
    /// Arguments of the gates' and the cell input's activations lie within this distance of 0; that of the cell's does not, as in
    /// onnxruntime.
    pub clip: Option<f64>,
    /// The batch is the first dimension of states and results.
    pub batch_first: bool,
}

/// What a step computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Lstm {
        /// The forget gate is 1 minus the input gate.
        input_forget: bool,
    },
    Gru {
        /// The reset gate is applied behind the product with the recurrence.
        linear_before_reset: bool,
    },
    Rnn,
}

impl Cell {
    /// The functions of one direction.
    pub(crate) fn default_activations(self) -> &'static [&'static str] {
        match self {
            Cell::Lstm { .. } => &["Sigmoid", "Tanh", "Tanh"],
            Cell::Gru { .. } => &["Sigmoid", "Tanh"],
            Cell::Rnn => &["Tanh"],
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Direction {
    pub reverse: bool,
    /// Of the gates, of what becomes the state, and of an LSTM of its cell.
    pub activations: Vec<Activation>,
}

impl Routine for Recurrence {
    /// A matrix product of the state for each step, and the functions of the gates.
    fn work(&self, operands: &[&GraphTensor], results: &[&GraphTensor]) -> Work {
        let elements =
            |index: usize| operands.get(index).map_or(0, |tensor| tensor.shape.iter().product::<usize>() as u64);
        let hidden = operands.get(1).and_then(|recurrence| recurrence.shape.last()).map_or(0, |&hidden| hidden as u64);
        let gates = elements(0);
        let products =
            Work { operations: gates.saturating_mul(2).saturating_mul(hidden), functions: gates, ..Work::default() };
        products.and(Work::of_elements(operands.iter().chain(results).copied()))
    }

    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        clear(results);
        match operand(operands, 0)?.element {
            ElementType::F64 => self.directions_of::<f64>(operands, results),
            _ => self.directions_of::<f32>(operands, results),
        }
    }

    fn board_code(&self) -> BoardCode {
        let (symbol, flag) = match self.cell {
            Cell::Lstm { input_forget } => ("hb_lstm", input_forget),
            Cell::Gru { linear_before_reset } => ("hb_gru", linear_before_reset),
            Cell::Rnn => ("hb_rnn", false),
        };
        let flags = [self.batch_first, flag, self.clip.is_some()];
        let mut parameters: Vec<i64> = flags.map(i64::from).to_vec();
        let bits = |value: f64| value.to_bits() as i64;
        parameters.push(bits(self.clip.unwrap_or(0.0)));
        for direction in &self.directions {
            parameters.push(i64::from(direction.reverse));
            let constants = direction.activations.iter();
            parameters.extend(
                constants.flat_map(|function| [function.kind as i64, bits(function.alpha), bits(function.beta)]),
            );
        }
        BoardCode::Function { symbol, parameters }
    }
}

/// One sequence in one direction.
struct Sequence<'a, T> {
    /// Of each step, with the distance between steps.
    gates: &'a [T],
    step_distance: usize,
    recurrence: &'a [T],
    peepholes: Option<&'a [T]>,
    hidden: Vec<T>,
    cell: Vec<T>,
    /// What a reset gate is applied to beside the product with the recurrence.
    reset_bias: Option<&'a [T]>,
}

impl Recurrence {
    fn directions_of<T: Real>(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        let RecurrentSizes { steps, batch, directions, hidden, gates: count, .. } = self.sizes;
        let width = hidden * count;
        if hidden == 0 || batch == 0 {
            return Ok(());
        }
        let (gates, recurrence) = (values::<T>(operands, 0)?, values::<T>(operands, 1)?);
        let lengths = values::<i32>(operands, 2)?;
        let initial_h = values::<T>(operands, 3)?;
        let further = |index: usize| if index < operands.len() { values::<T>(operands, index) } else { Ok(&[][..]) };
        // Of an LSTM: cell state and peepholes. Of a GRU: biases.
        let (initial_c, peepholes) = (further(4)?, further(5)?);
        for (number, direction) in self.directions.iter().enumerate() {
            for sample in 0..batch {
                let length = match lengths.get(sample) {
                    None => steps,
                    Some(&length) => {
                        usize::try_from(length).ok().filter(|&length| length <= steps).ok_or_else(|| {
                            Fault::Reason(format!("has a sequence of length {length}; it has {steps} steps"))
                        })?
                    }
                };
                // Row of a state, in the order of the layout.
                let state = if self.batch_first { sample * directions + number } else { number * batch + sample };
                let row = |values: &[T]| match values.get(state * hidden..(state + 1) * hidden) {
                    Some(row) => row.to_vec(),
                    None => vec![T::ZERO; hidden],
                };
                let start = (number * steps * batch + sample) * width;
                let mut sequence = Sequence {
                    gates: gates.get(start..).unwrap_or_default(),
                    step_distance: batch * width,
                    recurrence: recurrence.get(number * hidden * width..).unwrap_or_default(),
                    peepholes: peepholes.get(number * hidden * 3..(number + 1) * hidden * 3),
                    hidden: row(initial_h),
                    cell: row(initial_c),
                    reset_bias: initial_c.get(number * width * 2 + width + hidden * 2..(number + 1) * width * 2),
                };
                for step in 0..length {
                    let time = if direction.reverse { length - 1 - step } else { step };
                    self.step(&mut sequence, time, &direction.activations);
                    let at = if self.batch_first {
                        (sample * steps + time) * directions + number
                    } else {
                        (time * directions + number) * batch + sample
                    };
                    write_row(result(results, 0)?, at, &sequence.hidden)?;
                }
                write_row(result(results, 1)?, state, &sequence.hidden)?;
                if let Cell::Lstm { .. } = self.cell {
                    write_row(result(results, 2)?, state, &sequence.cell)?;
                }
            }
        }
        Ok(())
    }

    fn step<T: Real>(&self, sequence: &mut Sequence<'_, T>, time: usize, activations: &[Activation]) {
        let width = sequence.hidden.len() * self.sizes.gates;
        let start = time * sequence.step_distance;
        let inputs = sequence.gates.get(start..start + width).unwrap_or_default();
        match (self.cell, activations) {
            (Cell::Lstm { input_forget }, [f, g, h]) => self.lstm(sequence, inputs, (f, g, h), input_forget),
            (Cell::Gru { linear_before_reset }, [f, g]) => self.gru(sequence, inputs, (f, g), linear_before_reset),
            (_, all) => self.rnn(sequence, inputs, all),
        }
    }

    fn clipped<T: Real>(&self, value: T) -> T {
        match self.clip {
            Some(limit) => value.within(T::from_f64(-limit), T::from_f64(limit)),
            None => value,
        }
    }

    fn rnn<T: Real>(&self, sequence: &mut Sequence<'_, T>, inputs: &[T], activations: &[Activation]) {
        let sums = sequence.sums(inputs);
        for (hidden, sum) in sequence.hidden.iter_mut().zip(sums) {
            let sum = self.clipped(sum);
            *hidden = activations.first().map_or(sum, |f| f.of(sum));
        }
    }

    /// The gates in the order of ONNX: update, reset, hidden.
    fn gru<T: Real>(
        &self,
        sequence: &mut Sequence<'_, T>,
        inputs: &[T],
        (f, g): (&Activation, &Activation),
        linear_before_reset: bool,
    ) {
        let size = sequence.hidden.len();
        let gates = sequence.sums(inputs.get(..size * 2).unwrap_or_default());
        let gates: Vec<T> = gates.into_iter().map(|sum| f.of(self.clipped(sum))).collect();
        let (update, reset) = gates.split_at(size.min(gates.len()));
        let rows = sequence.recurrence.get(size * size * 2..size * size * 3).unwrap_or_default();
        let products: Vec<T> = if linear_before_reset {
            let bias = |unit: usize| sequence.reset_bias.and_then(|bias| bias.get(unit)).copied().unwrap_or(T::ZERO);
            let product = |(unit, row)| dot(row, &sequence.hidden) + bias(unit);
            rows.chunks_exact(size)
                .enumerate()
                .map(product)
                .zip(reset)
                .map(|(product, reset)| product * *reset)
                .collect()
        } else {
            let state: Vec<T> = sequence.hidden.iter().zip(reset).map(|(state, reset)| *state * *reset).collect();
            rows.chunks_exact(size).map(|row| dot(row, &state)).collect()
        };
        let inputs = inputs.get(size * 2..).unwrap_or_default();
        let candidates = inputs.iter().zip(products).map(|(input, product)| g.of(self.clipped(*input + product)));
        for ((hidden, candidate), update) in sequence.hidden.iter_mut().zip(candidates).zip(update) {
            *hidden = (T::ONE - *update) * candidate + *update * *hidden;
        }
    }

    /// The gates in the order of ONNX: input, output, forget, cell.
    fn lstm<T: Real>(
        &self,
        sequence: &mut Sequence<'_, T>,
        inputs: &[T],
        (f, g, h): (&Activation, &Activation, &Activation),
        input_forget: bool,
    ) {
        let size = sequence.hidden.len();
        let sums = sequence.sums(inputs);
        let sum = |gate: usize, unit: usize| sums.get(gate * size + unit).copied().unwrap_or(T::ZERO);
        let peephole = |gate: usize, unit: usize, cell: T| match sequence.peepholes {
            Some(weights) => weights.get(gate * size + unit).copied().unwrap_or(T::ZERO) * cell,
            None => T::ZERO,
        };
        for (unit, (hidden, cell)) in sequence.hidden.iter_mut().zip(&mut sequence.cell).enumerate() {
            let input = f.of(self.clipped(sum(0, unit) + peephole(0, unit, *cell)));
            let forget =
                if input_forget { T::ONE - input } else { f.of(self.clipped(sum(2, unit) + peephole(2, unit, *cell))) };
            let candidate = g.of(self.clipped(sum(3, unit)));
            *cell = forget * *cell + input * candidate;
            let output = f.of(self.clipped(sum(1, unit) + peephole(1, unit, *cell)));
            *hidden = output * h.of(*cell);
        }
    }
}

impl<T: Real> Sequence<'_, T> {
    /// Inputs and the products of the state with the first rows of the recurrence.
    fn sums(&self, inputs: &[T]) -> Vec<T> {
        let rows = self.recurrence.chunks_exact(self.hidden.len());
        inputs.iter().zip(rows).map(|(input, row)| *input + dot(row, &self.hidden)).collect()
    }
}

fn write_row<T: Real>(result: &mut ResultView<'_>, row: usize, values: &[T]) -> Result<(), Fault> {
    let slots = result.values::<T>()?.get_mut(row * values.len()..(row + 1) * values.len());
    slots.ok_or_else(|| Fault::Reason("has a result that is too small".to_owned()))?.copy_from_slice(values);
    Ok(())
}

/// Eight sums at once, so that the compiler makes vectors of them.
fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let (a_parts, a_rest) = a.as_chunks::<8>();
    let (b_parts, b_rest) = b.as_chunks::<8>();
    let mut sums = [T::ZERO; 8];
    for (a, b) in a_parts.iter().zip(b_parts) {
        for lane in 0..8 {
            sums[lane] = sums[lane] + a[lane] * b[lane];
        }
    }
    let rest = a_rest.iter().zip(b_rest).fold(T::ZERO, |sum, (a, b)| sum + *a * *b);
    sums.into_iter().fold(rest, |sum, part| sum + part)
}
