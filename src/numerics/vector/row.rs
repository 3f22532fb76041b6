//! What a program makes of one row: the definition, element by element.

use super::step::{VectorProgram, VectorReduction, VectorStep};

/// Accumulators of a reduction: element i goes into number i mod 16.
pub const VECTOR_ACCUMULATORS: usize = 16;

/// Which NaN a result is: there is one, whatever made it.
#[must_use]
#[inline(always)]
pub fn canonical(x: f32) -> f32 {
    if x.is_nan() { f32::from_bits(0x7fc0_0000) } else { x }
}

/// All elements combined: 16 accumulators take turns, then the upper half is combined with the lower one until one is left.
#[must_use]
pub fn reduce(reduction: VectorReduction, row: &[f32]) -> f32 {
    let mut accumulators = [reduction.neutral(); VECTOR_ACCUMULATORS];
    for elements in row.chunks(VECTOR_ACCUMULATORS) {
        for (accumulator, element) in accumulators.iter_mut().zip(elements) {
            *accumulator = reduction.apply(*accumulator, *element);
        }
    }
    combine(reduction, accumulators)
}

/// One of all accumulators.
fn combine(reduction: VectorReduction, mut accumulators: [f32; VECTOR_ACCUMULATORS]) -> f32 {
    let mut half = VECTOR_ACCUMULATORS / 2;
    while half > 0 {
        for index in 0..half {
            accumulators[index] = reduction.apply(accumulators[index], accumulators[index + half]);
        }
        half /= 2;
    }
    accumulators[0]
}

/// The elements of the result for a row of `length` elements, of which `load` gives that of an operand at a place.
#[must_use]
pub fn run_row(program: &VectorProgram, length: usize, load: impl Fn(usize, usize) -> f32) -> Vec<f32> {
    let mut values: Vec<Vec<f32>> = Vec::with_capacity(program.steps().len());
    for step in program.steps() {
        // A program names earlier steps only.
        let value = |number: u8, place: usize| values[usize::from(number)][place];
        let places = 0..length;
        let computed: Vec<f32> = match *step {
            VectorStep::Load(operand) => places.map(|place| load(operand.into(), place)).collect(),
            VectorStep::Constant(constant) => vec![constant; length],
            VectorStep::Unary(function, a) => places.map(|place| function.apply(value(a, place))).collect(),
            VectorStep::Binary(function, a, b) => {
                places.map(|place| function.apply(value(a, place), value(b, place))).collect()
            }
            VectorStep::Select(a, b, c) => {
                places.map(|place| if value(a, place) != 0.0 { value(b, place) } else { value(c, place) }).collect()
            }
            VectorStep::Reduce(reduction, a) => vec![reduce(reduction, &values[usize::from(a)]); length],
        };
        values.push(computed);
    }
    values.pop().unwrap_or_default()
}
