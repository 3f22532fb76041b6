//! Convolutions in parts against the scalar definitions, and that they are put together.

use proptest::prelude::*;
use std::sync::Arc;

use super::{KnownConvolution, Limits};
use crate::nash::isa::*;
use crate::sim::machine::tests::{L1M, try_sequence};

const SUMS: u32 = 1536;
const OUTPUT: u32 = 4096;
const CONSTANTS: usize = 5632;

/// A convolution, and how it is cut.
#[derive(Clone, Debug)]
struct Case {
    whole: Convolution,
    /// Rows, columns and channels of the output, channels of the input: sizes of parts.
    sizes: [u32; 4],
    /// The dimensions of the output from the outermost loop over parts to the innermost.
    loops: Vec<usize>,
}

prop_compose! {
    fn case()(
        depthwise: bool,
        images in 1u32..=2,
        output in [1u32..=5, 1u32..=5],
        channels in [1u32..=9, 1u32..=20],
        kernel in [1u32..=3, 1u32..=3],
        strides in [1u32..=3, 1u32..=3],
        dilations in [1u32..=2, 1u32..=2],
        pads in [0i32..=2, 0i32..=2],
        behind in [0u32..=2, 0u32..=2],
        sizes in [1u32..=5, 1u32..=5, 1u32..=20, 1u32..=9],
        loops in Just(vec![0, 1, 2]).prop_shuffle(),
        wide: bool,
        output_element in prop::sample::select(vec![BpuElement::I8, BpuElement::I16]),
    ) -> Case {
        let [inputs, outputs] = if depthwise { [channels[1]; 2] } else { channels };
        let output_shape = [images, output[0], output[1], outputs];
        let window = Window { kernel, strides, dilations, pads };
        // As many cells as windows reach, less the padding behind them.
        let reach = |axis: usize| (output[axis] - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1;
        let side = |axis: usize| reach(axis).saturating_sub(pads[axis] as u32 + behind[axis]).max(1);
        let input_shape = [images, side(0), side(1), inputs];
        let input_element = if wide { BpuElement::I16 } else { BpuElement::I8 };
        let mut whole = Convolution {
            zero_points: [if wide { 0 } else { -3 }, if output_element == BpuElement::I8 { 5 } else { 0 }],
            depthwise,
            input_shape,
            output_shape,
            window,
            input_element,
            input: View::contiguous(0, input_shape, input_element.bytes()),
            weights: View::new(CONSTANTS as u32 + 256, [0; 4]),
            accumulate: None,
            parameters: Some(View::new(CONSTANTS as u32, [12])),
            output_element,
            clamp: Clamp { low: -100, high: 110 },
            output: View::contiguous(OUTPUT, output_shape, output_element.bytes()),
        };
        whole.weights = View::contiguous(whole.weights.address, whole.weights_shape(), 1);
        Case { whole, sizes, loops }
    }
}

fn bytes<const D: usize>(shape: [u32; D], element: u32) -> u32 {
    shape.iter().product::<u32>() * element
}

impl Case {
    fn fits(&self) -> bool {
        let o = &self.whole;
        bytes(o.input_shape, o.input_element.bytes()) <= SUMS
            && SUMS + bytes(o.output_shape, 4) <= OUTPUT
            && OUTPUT + bytes(o.output_shape, o.output_element.bytes()) <= CONSTANTS as u32
            && CONSTANTS as u32 + 256 + bytes(o.weights_shape(), 1) <= L1M as u32
    }

    /// The parts of a dimension: first and size.
    fn ranges(&self, dimension: usize) -> Vec<(u32, u32)> {
        let size = self.whole.output_shape[dimension + 1];
        let step = self.sizes[dimension].min(size);
        (0..size).step_by(step as usize).map(|first| (first, step.min(size - first))).collect()
    }

    /// None where a part would see no input.
    fn parts(&self) -> Option<Vec<Operation>> {
        let mut parts = Vec::new();
        let [outer, middle, inner] = [0, 1, 2].map(|index| self.ranges(self.loops[index]));
        for outer in &outer {
            for middle in &middle {
                for inner in &inner {
                    let mut chosen = [(0, 0); 3];
                    [outer, middle, inner]
                        .into_iter()
                        .zip(&self.loops)
                        .for_each(|(range, dimension)| chosen[*dimension] = *range);
                    parts.extend(self.of_outputs(chosen)?);
                }
            }
        }
        Some(parts)
    }

    /// The parts for some rows, columns and channels of the output.
    fn of_outputs(&self, [rows, columns, channels]: [(u32, u32); 3]) -> Option<Vec<Operation>> {
        let mut o = self.whole.clone();
        for (axis, (first, count)) in [rows, columns].into_iter().enumerate() {
            let window = &mut o.window;
            let start = i64::from(first * window.strides[axis]) - i64::from(window.pads[axis]);
            let end = start
                + i64::from(
                    (count - 1) * window.strides[axis] + (window.kernel[axis] - 1) * window.dilations[axis] + 1,
                );
            let (from, to) = (start.max(0), end.min(o.input_shape[axis + 1].into()));
            if from >= to {
                return None;
            }
            window.pads[axis] = (from - start) as i32;
            o.input.address += from as u32 * o.input.strides[axis + 1] as u32;
            o.input_shape[axis + 1] = (to - from) as u32;
            o.output.address += first * o.output.strides[axis + 1] as u32;
            o.output_shape[axis + 1] = count;
        }
        let (first, count) = channels;
        o.output_shape[3] = count;
        o.output.address += first * o.output_element.bytes();
        o.weights.address += first * o.weights.strides[0] as u32;
        o.parameters = Some(View::new(CONSTANTS as u32 + 12 * first, [12]));
        if o.depthwise {
            o.input_shape[3] = count;
            o.input.address += first * o.input_element.bytes();
            return Some(vec![o.into()]);
        }
        Some(self.of_inputs(&o))
    }

    /// A dense part in parts that hand on their sums.
    fn of_inputs(&self, o: &Convolution) -> Vec<Operation> {
        let (inputs, step) = (o.input_shape[3], self.sizes[3].min(o.input_shape[3]));
        let sums = View::contiguous(SUMS, o.output_shape, 4);
        let part = |first: u32| {
            let mut part = o.clone();
            part.input_shape[3] = step.min(inputs - first);
            part.input.address += first * o.input_element.bytes();
            part.weights.address += first;
            part.accumulate = (first > 0).then_some(sums);
            if first + step < inputs {
                (part.parameters, part.output_element, part.output) = (None, BpuElement::I32, sums);
                part.zero_points[1] = 0;
            }
            part.into()
        };
        (0..inputs).step_by(step as usize).map(part).collect()
    }
}

/// L1M with parameters that scale sums into the range of int8, and anything else.
fn image(seed: Vec<u8>) -> Vec<u8> {
    let mut image: Vec<u8> = (0..L1M).map(|index| seed[(index + index / seed.len() * 37) % seed.len()]).collect();
    for channel in 0..20 {
        let place = &mut image[CONSTANTS + 12 * channel..][..12];
        place[..4].copy_from_slice(&(channel as i32 * 17 - 100).to_le_bytes());
        place[4..8].copy_from_slice(&((1 << 30) + channel as i32 * 54321).to_le_bytes());
        place[8..].copy_from_slice(&(37 + channel as u32 % 3).to_le_bytes());
    }
    image
}

/// Something that an instruction between the parts touches: input, sums, output.
fn disturbance(kind: usize, at: u32) -> Operation {
    let view = |address| View::new(address, [0, 0, 0, 0, 0, 1]);
    let shape = [1, 1, 1, 1, 1, 8];
    match kind {
        0 => Fill { shape, element_bytes: 1, value: 77, destination: view(at % (SUMS - 8)) }.into(),
        1 => Copy {
            shape,
            element_bytes: 1,
            source: view(SUMS + at % (OUTPUT - SUMS - 8)),
            destination: view(CONSTANTS as u32 - 8),
        }
        .into(),
        2 => Fill { shape, element_bytes: 1, value: 55, destination: view(OUTPUT + at % 100) }.into(),
        3 => Fill { shape, element_bytes: 1, value: 33, destination: view(SUMS + at % (OUTPUT - SUMS - 8)) }.into(),
        _ => Copy { shape, element_bytes: 1, source: view(OUTPUT + at % 100), destination: view(CONSTANTS as u32 - 8) }
            .into(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn parts_are_put_together(case in case(), seed in prop::collection::vec(any::<u8>(), 500)) {
        prop_assume!(case.fits());
        let Some(parts) = case.parts() else { return Ok(()) };
        let (image, output) = (image(seed), OUTPUT as usize..CONSTANTS);
        let (results, convolutions) = try_sequence(&parts, &image, CONSTANTS..L1M, output.clone()).unwrap();
        prop_assert_eq!(convolutions, 1, "{} parts", parts.len());
        let whole = try_sequence(&[case.whole.into()], &image, CONSTANTS..L1M, output).unwrap();
        prop_assert_eq!(results, whole.0);
    }

    #[test]
    fn what_comes_between_parts_counts(
        case in case(), seed in prop::collection::vec(any::<u8>(), 500), kind in 0usize..5, at: u32, place: prop::sample::Index,
    ) {
        prop_assume!(case.fits());
        let Some(mut parts) = case.parts() else { return Ok(()) };
        parts.insert(place.index(parts.len() + 1), disturbance(kind, at));
        try_sequence(&parts, &image(seed), CONSTANTS..L1M, OUTPUT as usize..CONSTANTS).unwrap();
    }
}

/// One cell of a column that repeats, and another one behind it: a program of a few bytes.
fn rows_of_a_broadcast(distance: u32) -> [KnownConvolution; 2] {
    let part = |address: u32| {
        let o = Convolution {
            zero_points: [0; 2],
            depthwise: false,
            input_shape: [1, 1, distance, 1],
            output_shape: [1, 1, 1, 1],
            window: Window { kernel: [1, 1], strides: [distance, 1], dilations: [1, 1], pads: [0, 0] },
            input_element: BpuElement::I8,
            input: View { address, strides: [0, 1, 0, 1] },
            weights: View::new(0, [0; 4]),
            accumulate: None,
            parameters: Some(View::new(0, [12])),
            output_element: BpuElement::I8,
            clamp: Clamp::I8,
            output: View { address: OUTPUT + address / distance, strides: [2, 1, 1, 1] },
        };
        KnownConvolution::new(o, Arc::new(vec![1]), Some(Arc::new(vec![0; 12])))
    };
    [part(0), part(distance)]
}

#[test]
fn what_is_joined_is_no_larger_than_memory() {
    let [a, b] = rows_of_a_broadcast(64);
    let joined = |elements: u64| a.joined(&b, &mut Limits { elements, weights: 0 }).map(|joined| joined.o.input_shape);
    assert_eq!(joined(65 * 64), Some([1, 65, 64, 1]));
    assert_eq!(joined(65 * 64 - 1), None);
}

#[test]
fn joined_weights_have_a_limit() {
    let [mut a, _] = rows_of_a_broadcast(64);
    a.o.output = View { address: OUTPUT, strides: [2, 2, 2, 1] };
    let mut b = a.clone();
    b.o.output.address += 1;
    // Both have the same byte of weights, which others may have as well: two more come about.
    let joined = |weights: usize| a.joined(&b, &mut Limits { elements: 64, weights }).map(|joined| joined.weights);
    assert_eq!(joined(2), Some(Arc::new(vec![1, 1])));
    assert_eq!(joined(1), None);
}
