//! ONNX LSTM-22, GRU-22 and RNN-22: the recurrence. The products of the inputs are a matrix product before it.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::activation::{Activation, Real};
use super::{clear, operand, result, values};
use crate::array::{ArrayView, ResultView};
use crate::{ElementType, Fault, Routine};
use serde::{Deserialize, Serialize};

/// Operands: products of the inputs with their biases `[directions, steps, batch, gates * hidden]`, recurrence turned to
/// `[directions, hidden, gates * hidden]`, and, empty where absent: sequence lengths, initial hidden state; of an LSTM the initial cell
/// state and peepholes; of a GRU that is linear before its reset the biases.
/// Results: all hidden states, the last hidden state, of an LSTM the last cell state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recurrence {
    /// What a step computes.
    pub cell: Cell,
    /// The sizes of the layer.
    pub sizes: RecurrentSizes,
    /// One, or two when it is bidirectional.
    pub directions: Vec<Direction>,
    /// Arguments of the gates' and the cell input's activations lie within this distance of 0; that of the cell's does not, as in
    /// onnxruntime.
    pub clip: Option<f64>,
    /// The batch is the first dimension of states and results.
    pub batch_first: bool,
}

/// The sizes of a recurrent layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecurrentSizes {
    /// Elements of a sequence.
    pub steps: usize,
    /// Sequences.
    pub batch: usize,
    /// Features of each element.
    pub inputs: usize,
    /// One, or two when it is bidirectional.
    pub directions: usize,
    /// Features of the state.
    pub hidden: usize,
    /// Rows of the weights for each of them.
    pub gates: usize,
}

/// What a step computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cell {
    /// Long short-term memory.
    Lstm {
        /// The forget gate is 1 minus the input gate.
        input_forget: bool,
    },
    /// A gated recurrent unit.
    Gru {
        /// The reset gate is applied behind the product with the recurrence.
        linear_before_reset: bool,
    },
    /// An activation of the sum.
    Rnn,
}

impl Cell {
    /// The functions of one direction.
    pub fn default_activations(self) -> &'static [&'static str] {
        match self {
            Cell::Lstm { .. } => &["Sigmoid", "Tanh", "Tanh"],
            Cell::Gru { .. } => &["Sigmoid", "Tanh"],
            Cell::Rnn => &["Tanh"],
        }
    }
}

/// One direction of a layer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Direction {
    /// Whether it begins at the end.
    pub reverse: bool,
    /// Of the gates, of what becomes the state, and of an LSTM of its cell.
    pub activations: Vec<Activation>,
}

impl Routine for Recurrence {
    /// A matrix product of the state for each step, and the functions of the gates.
    fn arithmetic(&self, operands: &[&[usize]]) -> [u64; 2] {
        let gates = operands.first().map_or(0, |shape| shape.iter().product::<usize>() as u64);
        [gates.saturating_mul(2).saturating_mul(self.sizes.hidden as u64), gates]
    }

    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        clear(results);
        match operand(operands, 0)?.element {
            ElementType::F64 => self.directions_of::<f64>(operands, results),
            _ => self.directions_of::<f32>(operands, results),
        }
    }
}

/// One sequence in one direction.
struct Sequence<'a, T> {
    /// Of each step, with the distance between steps.
    gates: &'a [T],
    step_distance: usize,
    recurrence: Columns<'a, T>,
    peepholes: Option<&'a [T]>,
    hidden: Vec<T>,
    cell: Vec<T>,
    /// Of one step: arguments of the gates' functions, and then their values.
    now: Vec<T>,
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
                    recurrence: Columns {
                        matrix: recurrence.get(number * hidden * width..).unwrap_or_default(),
                        width,
                        first: 0,
                    },
                    peepholes: peepholes.get(number * hidden * 3..(number + 1) * hidden * 3),
                    hidden: row(initial_h),
                    cell: row(initial_c),
                    now: vec![T::ZERO; width],
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
        let inputs = sequence.gates.get(time * sequence.step_distance..).unwrap_or_default();
        sequence.now.iter_mut().zip(inputs).for_each(|(now, input)| *now = *input);
        match (self.cell, activations) {
            (Cell::Lstm { input_forget }, [f, g, h]) => self.lstm(sequence, (f, g, h), input_forget),
            (Cell::Gru { linear_before_reset }, [f, g]) => self.gru(sequence, (f, g), linear_before_reset),
            (_, all) => self.rnn(sequence, all.first()),
        }
    }

    /// The function of each value, clipped.
    fn activate<T: Real>(&self, function: &Activation, values: &mut [T]) {
        if let Some(limit) = self.clip {
            let (low, high) = (T::from_f64(-limit), T::from_f64(limit));
            values.iter_mut().for_each(|value| *value = value.within(low, high));
        }
        function.apply(values);
    }

    fn rnn<T: Real>(&self, sequence: &mut Sequence<'_, T>, function: Option<&Activation>) {
        let Sequence { recurrence, hidden, now, .. } = sequence;
        recurrence.add_products(hidden, now);
        if let Some(function) = function {
            self.activate(function, now);
        }
        hidden.copy_from_slice(now);
    }

    /// The gates in the order of ONNX: update, reset, hidden.
    fn gru<T: Real>(
        &self,
        sequence: &mut Sequence<'_, T>,
        (f, g): (&Activation, &Activation),
        linear_before_reset: bool,
    ) {
        let Sequence { recurrence, hidden, now, reset_bias, .. } = sequence;
        let (gates, candidate) = now.split_at_mut(hidden.len() * 2);
        recurrence.add_products(hidden, gates);
        self.activate(f, gates);
        let (update, reset) = gates.split_at(hidden.len());
        let of_candidate = recurrence.from(hidden.len() * 2);
        if linear_before_reset {
            let mut products = reset_bias.map_or_else(|| vec![T::ZERO; hidden.len()], <[T]>::to_vec);
            of_candidate.add_products(hidden, &mut products);
            let products = products.into_iter().zip(reset).map(|(product, reset)| product * *reset);
            candidate.iter_mut().zip(products).for_each(|(sum, product)| *sum = *sum + product);
        } else {
            let state: Vec<T> = hidden.iter().zip(reset).map(|(state, reset)| *state * *reset).collect();
            of_candidate.add_products(&state, candidate);
        }
        self.activate(g, candidate);
        for ((hidden, candidate), update) in hidden.iter_mut().zip(candidate).zip(update) {
            *hidden = (T::ONE - *update) * *candidate + *update * *hidden;
        }
    }

    /// The gates in the order of ONNX: input, output, forget, cell.
    fn lstm<T: Real>(
        &self,
        sequence: &mut Sequence<'_, T>,
        (f, g, h): (&Activation, &Activation, &Activation),
        input_forget: bool,
    ) {
        let Sequence { recurrence, hidden, cell, now, peepholes, .. } = sequence;
        let size = hidden.len();
        recurrence.add_products(hidden, now);
        let (input, rest) = now.split_at_mut(size);
        let (output, rest) = rest.split_at_mut(size);
        let (forget, candidate) = rest.split_at_mut(size);
        // Peepholes have no part for the cell's input.
        let look = |gate: usize, cell: &[T], sums: &mut [T]| {
            let weights = peepholes.and_then(|weights| weights.chunks_exact(size).nth(gate)).unwrap_or_default();
            let products = weights.iter().zip(cell).map(|(weight, cell)| *weight * *cell);
            sums.iter_mut().zip(products).for_each(|(sum, product)| *sum = *sum + product);
        };
        look(0, cell, input);
        self.activate(f, input);
        if input_forget {
            forget.iter_mut().zip(&*input).for_each(|(forget, input)| *forget = T::ONE - *input);
        } else {
            look(2, cell, forget);
            self.activate(f, forget);
        }
        self.activate(g, candidate);
        let added = input.iter().zip(candidate).map(|(input, candidate)| *input * *candidate);
        cell.iter_mut().zip(forget).zip(added).for_each(|((cell, forget), added)| *cell = *forget * *cell + added);
        look(1, cell, output);
        self.activate(f, output);
        hidden.copy_from_slice(cell);
        h.apply(hidden);
        hidden.iter_mut().zip(output).for_each(|(hidden, output)| *hidden = *output * *hidden);
    }
}

/// The columns of a matrix from one on.
#[derive(Clone, Copy)]
struct Columns<'a, T> {
    /// Row by row.
    matrix: &'a [T],
    /// Columns of the matrix.
    width: usize,
    first: usize,
}

impl<T: Real> Columns<'_, T> {
    fn from(self, first: usize) -> Self {
        Columns { first, ..self }
    }

    /// Adds the product of a row and the matrix: `sums[j] += Σ row[i] * matrix[i, first + j]`. Each product and each sum is rounded, so that
    /// vectors of any length give the same bits.
    fn add_products(self, row: &[T], sums: &mut [T]) {
        #[cfg(all(target_arch = "x86_64", not(board)))]
        {
            #[target_feature(enable = "avx2")]
            fn avx2<T: Real>(columns: Columns<'_, T>, row: &[T], sums: &mut [T]) {
                columns.add_in_blocks(row, sums);
            }
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has the instructions.
                return unsafe { avx2(self, row, sums) };
            }
        }
        self.add_in_blocks(row, sums);
    }

    /// As many sums at a time as registers hold.
    #[inline(always)]
    fn add_in_blocks(self, row: &[T], sums: &mut [T]) {
        const BLOCK: usize = 64;
        let (blocks, rest) = sums.as_chunks_mut::<BLOCK>();
        let end = self.first + blocks.len() * BLOCK;
        let lines = || row.iter().zip(self.matrix.chunks_exact(self.width));
        for (number, block) in blocks.iter_mut().enumerate() {
            let mut total = *block;
            for (value, line) in lines() {
                let line = line.get(self.first + number * BLOCK..).and_then(<[T]>::first_chunk::<BLOCK>);
                let Some(line) = line else { continue };
                for (total, weight) in total.iter_mut().zip(line) {
                    *total = *total + *value * *weight;
                }
            }
            *block = total;
        }
        for (value, line) in lines() {
            let line = line.get(end..).unwrap_or_default();
            rest.iter_mut().zip(line).for_each(|(total, weight)| *total = *total + *value * *weight);
        }
    }
}

fn write_row<T: Real>(result: &mut ResultView<'_>, row: usize, values: &[T]) -> Result<(), Fault> {
    let slots = result.values::<T>()?.get_mut(row * values.len()..(row + 1) * values.len());
    slots.ok_or_else(|| Fault::Reason("has a result that is too small".to_owned()))?.copy_from_slice(values);
    Ok(())
}
