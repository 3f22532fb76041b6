//! ONNX LSTM-14: the recurrence. The products of the inputs are a matrix product before it.

use super::super::array::ArrayElement;
use super::super::executable::ArrayView;
use super::super::routine::{BoardCode, Fault, ResultView, Routine};
use super::{clear, operand, result, values};
use hb_dialects::{ElementType, hfloat::LstmSizes};

/// Operands: products of the inputs with their biases `[directions, steps, batch, 4 * hidden]`, recurrence
/// `[directions, 4 * hidden, hidden]`, and, empty where absent: sequence lengths, initial hidden and cell state, peepholes.
/// Results: all hidden states, the last hidden state, the last cell state.
#[derive(Clone, Debug)]
pub(crate) struct Lstm {
    pub sizes: LstmSizes,
    pub directions: Vec<Direction>,
    /// Arguments of the gates' and the cell input's activations lie within this distance of 0; that of the cell's does not, as in
    /// onnxruntime.
    pub clip: Option<f64>,
    /// The forget gate is 1 minus the input gate.
    pub input_forget: bool,
    /// The batch is the first dimension of states and results.
    pub batch_first: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Direction {
    pub reverse: bool,
    /// Of the gates, of the cell's input, of the cell.
    pub activations: [Activation; 3],
}

/// An activation with its constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Activation {
    pub kind: Kind,
    pub alpha: f64,
    pub beta: f64,
}

macro_rules! activations {
    ($($kind:ident $name:literal $alpha:expr, $beta:expr, |$x:ident, $a:ident, $b:ident| $value:expr;)*) => {
        /// The functions that ONNX names for recurrent layers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kind {
            $($kind),*
        }

        impl Kind {
            /// By name, whatever the case of its letters; with the default of each constant that it has.
            fn named(name: &str) -> Option<(Kind, [Option<Default>; 2])> {
                $(if name.eq_ignore_ascii_case($name) { return Some((Kind::$kind, [$alpha, $beta])); })*
                None
            }
        }

        impl Activation {
            fn of<T: Real>(self, value: T) -> T {
                let (alpha, beta) = (T::from_f64(self.alpha), T::from_f64(self.beta));
                match self.kind {
                    $(Kind::$kind => {
                        let ($x, $a, $b) = (value, alpha, beta);
                        $value
                    })*
                }
            }
        }
    };
}

/// A constant's default; ONNX gives some none.
type Default = Option<f64>;

activations! {
    Sigmoid "Sigmoid" None, None, |x, _a, _b| T::ONE / (T::ONE + (T::ZERO - x).exp());
    Tanh "Tanh" None, None, |x, _a, _b| x.tanh();
    Relu "Relu" None, None, |x, _a, _b| if x < T::ZERO { T::ZERO } else { x };
    Affine "Affine" Some(None), Some(None), |x, a, b| a * x + b;
    LeakyRelu "LeakyRelu" Some(Some(0.01)), None, |x, a, _b| if x < T::ZERO { a * x } else { x };
    ThresholdedRelu "ThresholdedRelu" Some(Some(1.0)), None, |x, a, _b| if x > a { x } else { T::ZERO };
    ScaledTanh "ScaledTanh" Some(None), Some(None), |x, a, b| a * (b * x).tanh();
    HardSigmoid "HardSigmoid" Some(Some(0.2)), Some(Some(0.5)), |x, a, b| (a * x + b).within(T::ZERO, T::ONE);
    Elu "Elu" Some(Some(1.0)), None, |x, a, _b| if x < T::ZERO { a * (x.exp() - T::ONE) } else { x };
    Softsign "Softsign" None, None, |x, _a, _b| x / (T::ONE + x.abs());
    Softplus "Softplus" None, None, |x, _a, _b| x.softplus();
}

impl Activation {
    /// The functions of these names; the constants are taken in order by those that have them.
    ///
    /// # Errors
    /// When a name is not known, or a constant without a default is missing.
    pub(crate) fn named(names: &[String], alphas: &[f64], betas: &[f64]) -> Result<Vec<Activation>, String> {
        let (mut alphas, mut betas) = (alphas.iter(), betas.iter());
        let mut take = |name: &str, default: Option<Default>, first: bool| {
            let Some(default) = default else { return Ok(0.0) };
            let given = if first { alphas.next() } else { betas.next() };
            let which = if first { "activation_alpha" } else { "activation_beta" };
            given.copied().or(default).ok_or_else(|| format!("has no {which} for the activation {name}"))
        };
        names
            .iter()
            .map(|name| {
                let (kind, [alpha, beta]) = Kind::named(name)
                    .ok_or_else(|| format!("has the activation {name:?}, which ONNX does not name"))?;
                Ok(Activation { kind, alpha: take(name, alpha, true)?, beta: take(name, beta, false)? })
            })
            .collect()
    }
}

/// What the recurrence computes with.
pub(crate) trait Real:
    ArrayElement
    + PartialOrd
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Div<Output = Self>
{
    const ZERO: Self;
    const ONE: Self;
    fn from_f64(value: f64) -> Self;
    fn exp(self) -> Self;
    fn tanh(self) -> Self;
    fn abs(self) -> Self;
    /// ln(1 + e^x), without overflow.
    fn softplus(self) -> Self;

    /// The nearest value between the bounds; NaN stays.
    fn within(self, low: Self, high: Self) -> Self {
        if self < low {
            low
        } else if self > high {
            high
        } else {
            self
        }
    }
}

macro_rules! real {
    ($type:ty) => {
        impl Real for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            fn from_f64(value: f64) -> Self {
                value as $type
            }
            fn exp(self) -> Self {
                <$type>::exp(self)
            }
            fn tanh(self) -> Self {
                <$type>::tanh(self)
            }
            fn abs(self) -> Self {
                <$type>::abs(self)
            }
            fn softplus(self) -> Self {
                self.max(0.0) + (-self.abs()).exp().ln_1p()
            }
        }
    };
}
real!(f32);
real!(f64);

impl Routine for Lstm {
    fn run(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        clear(results);
        match operand(operands, 0)?.element {
            ElementType::F64 => self.directions_of::<f64>(operands, results),
            _ => self.directions_of::<f32>(operands, results),
        }
    }

    fn board_code(&self) -> BoardCode {
        let flags = [self.batch_first, self.input_forget, self.clip.is_some()];
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
        BoardCode::Function { symbol: "hb_lstm", parameters }
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
}

impl Lstm {
    fn directions_of<T: Real>(&self, operands: &[ArrayView<'_>], results: &mut [ResultView<'_>]) -> Result<(), Fault> {
        let LstmSizes { steps, batch, directions, hidden, .. } = self.sizes;
        if hidden == 0 || batch == 0 {
            return Ok(());
        }
        let (gates, recurrence) = (values::<T>(operands, 0)?, values::<T>(operands, 1)?);
        let lengths = values::<i32>(operands, 2)?;
        let (initial_h, initial_c) = (values::<T>(operands, 3)?, values::<T>(operands, 4)?);
        let peepholes = values::<T>(operands, 5)?;
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
                let start = (number * steps * batch + sample) * hidden * 4;
                let mut sequence = Sequence {
                    gates: gates.get(start..).unwrap_or_default(),
                    step_distance: batch * hidden * 4,
                    recurrence: recurrence.get(number * hidden * hidden * 4..).unwrap_or_default(),
                    peepholes: peepholes.get(number * hidden * 3..(number + 1) * hidden * 3),
                    hidden: row(initial_h),
                    cell: row(initial_c),
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
                write_row(result(results, 2)?, state, &sequence.cell)?;
            }
        }
        Ok(())
    }

    fn step<T: Real>(&self, sequence: &mut Sequence<'_, T>, time: usize, [f, g, h]: &[Activation; 3]) {
        let size = sequence.hidden.len();
        let start = time * sequence.step_distance;
        let inputs = sequence.gates.get(start..start + size * 4).unwrap_or_default();
        let rows = sequence.recurrence.chunks_exact(size);
        let sums: Vec<T> = inputs.iter().zip(rows).map(|(input, row)| *input + dot(row, &sequence.hidden)).collect();
        let clipped = |value: T| match self.clip {
            Some(limit) => value.within(T::from_f64(-limit), T::from_f64(limit)),
            None => value,
        };
        let sum = |gate: usize, unit: usize| sums.get(gate * size + unit).copied().unwrap_or(T::ZERO);
        let peephole = |gate: usize, unit: usize, cell: T| match sequence.peepholes {
            Some(weights) => weights.get(gate * size + unit).copied().unwrap_or(T::ZERO) * cell,
            None => T::ZERO,
        };
        // The gates in the order of ONNX: input, output, forget, cell.
        for (unit, (hidden, cell)) in sequence.hidden.iter_mut().zip(&mut sequence.cell).enumerate() {
            let input = f.of(clipped(sum(0, unit) + peephole(0, unit, *cell)));
            let forget =
                if self.input_forget { T::ONE - input } else { f.of(clipped(sum(2, unit) + peephole(2, unit, *cell))) };
            let candidate = g.of(clipped(sum(3, unit)));
            *cell = forget * *cell + input * candidate;
            let output = f.of(clipped(sum(1, unit) + peephole(1, unit, *cell)));
            *hidden = output * h.of(*cell);
        }
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
